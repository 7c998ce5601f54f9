/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_rooms_pager.h"


static ngx_int_t ngx_rooms_pager_push(ngx_rooms_pager_t *p, redisReply *event,
    redisReply *score, redisReply *copies);


/*
 * Returns events with their positions and, if wanted, the edits of edited
 * ones: up to a count, or until their bytes exceed a bound.  The first
 * element says whether the bytes ended it.
 *
 * KEYS: events, and copies if edits are wanted.  ARGV: command, from, to,
 * count, bytes.
 */
static ngx_rooms_script_t  ngx_rooms_pager_script = { ngx_string(
"local from, out, n, size = ARGV[2], {0}, 1, 0\n"
"local left, max = tonumber(ARGV[4]), tonumber(ARGV[5])\n"
"while left > 0 do\n"
"  local want = left < 16 and left or 16\n"
"  local page = redis.call(ARGV[1], KEYS[1], from, ARGV[3],\n"
"                          'WITHSCORES', 'LIMIT', 0, want)\n"
"  for i = 1, #page, 2 do\n"
"    local e = page[i]\n"
"    size = size + #e\n"
"    if n > 1 and size > max then out[1] = 1; return out end\n"
"    out[n + 1], out[n + 2], n = e, page[i + 1], n + 2\n"
"    if KEYS[2] then\n"
"      local copies = false\n"
"      local id = string.match(e, '^(%x+) %S+ %S+ %d+ [n%d ]-e%d')\n"
"      if id then\n"
"        copies = redis.call('HGET', KEYS[2], 'evt-' .. id)\n"
"      end\n"
"      n = n + 1\n"
"      out[n] = copies\n"
"    end\n"
"  end\n"
"  if #page < 2 * want then return out end\n"
"  left = left - want\n"
"  from = '(' .. page[#page]\n"
"end\n"
"return out\n"), { 0 } };


ngx_int_t
ngx_rooms_pager_init(ngx_rooms_pager_t *p, ngx_pool_t *pool, ngx_log_t *log,
    ngx_rooms_keys_t *keys, const rooms_room_t *room, ngx_uint_t limit)
{
    ngx_memzero(p, sizeof(ngx_rooms_pager_t));

    p->log = log;
    p->room = room->id;
    p->events = ngx_rooms_key(keys, NGX_ROOMS_KEY_EVENTS, room->id);
    p->big = ngx_max(room->big, NGX_ROOMS_EVENT_SMALL);
    p->to = INT64_MAX;
    p->limit = limit;
    p->bytes = NGX_ROOMS_PAGE_SIZE;

    return p->events.data ? ngx_rooms_pager_next(p, pool) : NGX_ERROR;
}


ngx_int_t
ngx_rooms_pager_next(ngx_rooms_pager_t *p, ngx_pool_t *pool)
{
    p->pool = pool;
    p->size = 0;
    p->more = 0;
    p->exact = 0;

    return ngx_array_init(&p->page, pool, ngx_min(p->limit, 64) + 1,
                          sizeof(ngx_rooms_paged_t));
}


ngx_int_t
ngx_rooms_pager_ask(ngx_rooms_pager_t *p, ngx_rooms_batch_t *b)
{
    size_t       left;
    rooms_str_t  command, from, to, count, argv[10], *a;

    command = p->back ? ngx_rooms_s("ZREVRANGEBYSCORE")
                      : ngx_rooms_s("ZRANGEBYSCORE");

    from = ngx_rooms_s("+inf");

    if (!p->back || p->from != INT64_MAX) {
        from = ngx_rooms_join(b->pool, ngx_rooms_s("("),
                              ngx_rooms_number(b->pool, p->from));
    }

    to = p->back ? ngx_rooms_s("-inf")
         : p->to == INT64_MAX ? ngx_rooms_s("+inf")
                              : ngx_rooms_number(b->pool, p->to);

    /* one event more tells whether there is another page */

    left = p->bytes > p->size ? p->bytes - p->size : 1;
    p->asked = p->limit + 1 - p->page.nelts;
    p->script = p->exact || (uint64_t) p->asked * p->big > left;

    count = ngx_rooms_number(b->pool, p->asked);

    if (!p->script) {
        return ngx_rooms_command(b, command, p->events, from, to,
                                 ngx_rooms_s("LIMIT"), ngx_rooms_s("0"),
                                 count);
    }

    a = ngx_rooms_script_begin(&ngx_rooms_pager_script, b, 0, argv);
    *a++ = p->copies.data ? ngx_rooms_s("2") : ngx_rooms_s("1");
    *a++ = p->events;

    if (p->copies.data) {
        *a++ = p->copies;
    }

    *a++ = command;
    *a++ = from;
    *a++ = to;
    *a++ = count;
    *a++ = ngx_rooms_number(b->pool, left);

    return ngx_rooms_batch_add(b, argv, a - argv);
}


ngx_int_t
ngx_rooms_pager_take(ngx_rooms_pager_t *p, redisReply *reply)
{
    ngx_int_t    rc;
    ngx_uint_t   i, first, step;

    if (reply->type != REDIS_REPLY_ARRAY) {
        return NGX_ERROR;
    }

    first = p->script;
    step = p->script ? (p->copies.data ? 3 : 2) : 1;

    for (i = first; i + step <= reply->elements; i += step) {

        rc = ngx_rooms_pager_push(p, reply->element[i],
                                  step > 1 ? reply->element[i + 1] : NULL,
                                  step > 2 ? reply->element[i + 2] : NULL);

        if (rc == NGX_DONE) {
            p->more = 1;
            return NGX_OK;
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (p->script && ngx_rooms_reply_int_at(reply, 0, 0)) {
        p->more = 1;
    }

    return NGX_OK;
}


/*
 * Adds an event.  NGX_DONE: the page is full.  NGX_AGAIN: only the script can
 * tell its position or its edits.
 */
static ngx_int_t
ngx_rooms_pager_push(ngx_rooms_pager_t *p, redisReply *event,
    redisReply *score, redisReply *copies)
{
    rooms_str_t         row;
    ngx_rooms_paged_t   e, *place;

    row = ngx_rooms_reply_str(event);

    if (p->page.nelts == p->limit
        || (p->page.nelts && p->size + row.len > p->bytes))
    {
        return NGX_DONE;
    }

    rooms_stored_read(row, score ? ngx_rooms_reply_int(score, 0) : 0,
                      &e.stored);

    if (score == NULL
        && (!e.stored.readable
            || (p->back ? e.stored.position >= p->from
                        : e.stored.position <= p->from)
            || (p->copies.data && e.stored.edited_at != ROOMS_STORED_NEVER)))
    {
        p->exact = 1;
        return NGX_AGAIN;
    }

    if (ngx_rooms_show_event(p->pool, p->log, p->room, &e.stored) != NGX_OK) {
        return NGX_ERROR;
    }

    e.copies = e.stored.readable ? ngx_rooms_reply_str(copies) : ROOMS_NULL;

    place = ngx_array_push(&p->page);
    if (place == NULL) {
        return NGX_ERROR;
    }

    *place = e;

    p->size += row.len;
    p->from = e.stored.position;

    return NGX_OK;
}
