/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The request of a round, what the peer says to it, and what becomes of the
 * outbox: one commit, which changes nothing once the lease is somebody else's.
 */

#include "ngx_rooms_outbox.h"


#define NGX_ROOMS_OUTBOX_SAID  200         /* bytes of a peer's words */


static void ngx_rooms_outbox_called(ngx_rooms_peer_call_t *call);
static ngx_int_t ngx_rooms_outbox_judge(ngx_rooms_outbox_t *o,
    ngx_rooms_peer_call_t *call);
static ngx_int_t ngx_rooms_outbox_commit(ngx_rooms_outbox_t *o);


/* Which texts go into the request: in o->texts, from o->told on. */
static ngx_int_t
ngx_rooms_outbox_fill(ngx_rooms_outbox_t *o)
{
    size_t                    size;
    ngx_uint_t                i;
    rooms_str_t               text;
    ngx_rooms_outbox_item_t  *item;

    if (o->pdu) {
        size = 0;

        for (i = o->told; i < o->ntexts; i++) {
            size += o->texts[i].len + 1;

            if (i > o->told && size > NGX_ROOMS_OUTBOX_BODY) {
                break;
            }
        }

        o->sent = i - o->told;
        o->done = o->ntexts == 0
                  || (i == o->ntexts && o->pdu->snapshot.after.data == NULL);

        return NGX_OK;
    }

    o->texts = ngx_palloc(o->round, (o->nitems + 1) * sizeof(rooms_str_t));
    if (o->texts == NULL) {
        return NGX_ERROR;
    }

    o->sent = 0;

    for (size = 0, i = 0; i < o->nitems; i++) {
        item = &o->items[i];

        if (!item->there) {
            continue;
        }

        text = o->rooms[item->room].pdu->texts[item->told];

        if (text.data == NULL) {
            continue;
        }

        size += text.len + 1;

        if (o->sent && size > NGX_ROOMS_OUTBOX_BODY) {
            break;
        }

        o->texts[o->sent++] = text;
    }

    o->done = i;
    o->ntexts = o->sent;

    /* don't read again and again what doesn't fit */

    o->window = i < o->nitems ? i : ngx_min(2 * o->window,
                                            NGX_ROOMS_OUTBOX_ITEMS);

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_outbox_body(ngx_rooms_outbox_t *o, ngx_str_t *body)
{
    size_t       size;
    u_char      *p;
    ngx_uint_t   i;

    size = sizeof("{\"events\":[]}") - 1;

    for (i = 0; i < o->sent; i++) {
        size += o->texts[o->told + i].len + 1;
    }

    p = ngx_pnalloc(o->round, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    body->data = p;
    p = ngx_cpymem(p, "{\"events\":[", sizeof("{\"events\":[") - 1);

    for (i = 0; i < o->sent; i++) {

        if (i) {
            *p++ = ',';
        }

        p = ngx_cpymem(p, o->texts[o->told + i].data,
                       o->texts[o->told + i].len);
    }

    *p++ = ']';
    *p++ = '}';

    body->len = p - body->data;

    return NGX_OK;
}


ngx_int_t
ngx_rooms_outbox_send(ngx_rooms_outbox_t *o)
{
    ngx_str_t               peer, body;
    ngx_rooms_fedlink_t       *link;
    ngx_rooms_peer_call_t  *call;

    static ngx_str_t  uri = ngx_string("/_scaiwave/federation/v1/send");

    link = o->link;

    if (o->pdu == NULL && o->nitems == 1 && o->items[0].valid
        && o->items[0].event.data == NULL)
    {
        /* a snapshot of what isn't ours */
        o->nitems = o->done = 1;
        return ngx_rooms_outbox_finish(o, NGX_ROOMS_O_SENT);
    }

    if (ngx_rooms_outbox_fill(o) != NGX_OK) {
        return NGX_ERROR;
    }

    if (o->sent == 0) {
        return ngx_rooms_outbox_finish(o, NGX_ROOMS_O_SENT);
    }

    if (ngx_rooms_outbox_body(o, &body) != NGX_OK) {
        return NGX_ERROR;
    }

    peer = ngx_from_rooms(o->server);

    call = ngx_rooms_peer_call(link->ctx, link->conf, &peer, &uri);
    if (call == NULL) {
        return NGX_ERROR;
    }

    if (ngx_rooms_peer_call_body(call, &body) != NGX_OK
        || ngx_rooms_peer_call_sign(call) != NGX_OK)
    {
        ngx_rooms_peer_call_free(call);
        return NGX_ERROR;
    }

    call->handler = ngx_rooms_outbox_called;
    call->data = o;

    o->call = call;
    o->state = NGX_ROOMS_O_CALL;

    ngx_rooms_peer_call_start(call);

    return NGX_OK;
}


static void
ngx_rooms_outbox_called(ngx_rooms_peer_call_t *call)
{
    ngx_int_t            rc;
    ngx_rooms_outbox_t  *o;

    o = call->data;
    o->call = NULL;

    rc = ngx_exiting ? NGX_ERROR : ngx_rooms_outbox_judge(o, call);

    ngx_rooms_peer_call_free(call);

    if (rc != NGX_OK) {
        ngx_rooms_outbox_stop(o);
    }
}


/* A peer's words, fit for the log; they are valid UTF-8, of jansson. */
static rooms_str_t
ngx_rooms_outbox_said(ngx_rooms_outbox_t *o, json_t *value)
{
    size_t       i, len;
    u_char      *p;
    const char  *s;

    s = json_string_value(value);

    if (s == NULL) {
        return ngx_rooms_s("-");
    }

    len = ngx_min(json_string_length(value), NGX_ROOMS_OUTBOX_SAID);

    /* not in the middle of a character */

    while (len < json_string_length(value) && len
           && (s[len] & 0xc0) == 0x80)
    {
        len--;
    }

    p = ngx_pnalloc(o->round, len + 1);
    if (p == NULL) {
        return ngx_rooms_s("-");
    }

    for (i = 0; i < len; i++) {
        p[i] = (u_char) s[i] < 0x20 || s[i] == 0x7f ? '?' : s[i];
    }

    return (rooms_str_t) { len, p };
}


/* What the admin is told, as the requests of peers have it. */
static void
ngx_rooms_outbox_trouble(ngx_rooms_outbox_t *o, rooms_str_t code,
    rooms_str_t message)
{
    size_t        size;
    u_char       *p;
    ngx_time_t   *tp;
    rooms_buf_t   b;

    size = 128 + ROOMS_JSON_STR(code.len) + ROOMS_JSON_STR(message.len);

    p = ngx_pnalloc(o->round, size);
    if (p == NULL) {
        return;
    }

    tp = ngx_timeofday();

    rooms_buf_init(&b, p, size);
    rooms_json_lit(&b, "{\"code\":");
    rooms_json_str(&b, code);
    rooms_json_lit(&b, ",\"message\":");
    rooms_json_str(&b, message);
    rooms_json_lit(&b, ",\"at\":");
    rooms_json_time(&b, (int64_t) tp->sec * 1000 + tp->msec);
    rooms_json_lit(&b, "}");

    o->trouble = (rooms_str_t) { b.last - p, p };
}


static ngx_int_t
ngx_rooms_outbox_failed(ngx_rooms_outbox_t *o, rooms_str_t why)
{
    if (why.data == NULL) {
        return NGX_ERROR;
    }

    ngx_log_error(NGX_LOG_WARN, o->timer.log, 0,
                  "rooms: events for \"%*s\" wait: %*s", o->server.len,
                  o->server.data, why.len, why.data);

    ngx_rooms_outbox_trouble(o,
         rooms_cstr(ngx_rooms_error(NGX_ROOMS_E_FED_UNREACHABLE)->code), why);

    return ngx_rooms_outbox_finish(o, NGX_ROOMS_O_FAILED);
}


/* NGX_DECLINED: the answer isn't of these events. */
static ngx_int_t
ngx_rooms_outbox_result(ngx_rooms_outbox_t *o, ngx_uint_t n, json_t *result)
{
    json_t       *id;
    const char   *status;
    rooms_str_t   code, reason, sent;

    id = json_object_get(result, "id");
    status = json_string_value(json_object_get(result, "status"));
    sent = rooms_json_member_str(o->texts[o->told + n], "id");

    if (status == NULL || !json_is_string(id)
        || !rooms_str_eq(sent, rooms_cstr(json_string_value(id))))
    {
        return NGX_DECLINED;
    }

    if (ngx_strcmp(status, "applied") == 0
        || ngx_strcmp(status, "duplicate") == 0)
    {
        return NGX_OK;
    }

    if (ngx_strcmp(status, "rejected") != 0) {
        return NGX_DECLINED;
    }

    code = ngx_rooms_outbox_said(o, json_object_get(result, "code"));
    reason = ngx_rooms_outbox_said(o, json_object_get(result, "reason"));

    ngx_log_error(NGX_LOG_WARN, o->timer.log, 0,
                  "rooms: \"%*s\" rejected event \"%*s\": %*s, %*s",
                  o->server.len, o->server.data, sent.len, sent.data,
                  code.len, code.data, reason.len, reason.data);

    ngx_rooms_outbox_trouble(o, code,
                             ngx_rooms_join(o->round,
                                            ngx_rooms_s("event \""), sent,
                                            ngx_rooms_s("\" was rejected: "),
                                            reason));

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_outbox_results(ngx_rooms_outbox_t *o, json_t *answer)
{
    size_t      i;
    json_t     *results;
    ngx_int_t   rc;

    results = json_object_get(json_object_get(answer, "data"), "results");

    if (json_array_size(results) != o->sent) {
        return NGX_DECLINED;
    }

    for (i = 0; i < o->sent; i++) {
        rc = ngx_rooms_outbox_result(o, i, json_array_get(results, i));

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_outbox_judge(ngx_rooms_outbox_t *o, ngx_rooms_peer_call_t *call)
{
    u_char       number[NGX_INT_T_LEN];
    json_t      *answer;
    ngx_int_t    rc;
    rooms_str_t  why;

    if (call->status == 0) {
        return ngx_rooms_outbox_failed(o, rooms_cstr(call->error
                                                     ? call->error
                                                     : "no answer"));
    }

    answer = json_loadb((char *) call->answer.data, call->answer.len,
                        JSON_REJECT_DUPLICATES, NULL);

    if (call->status != NGX_HTTP_OK) {
        why.data = number;
        why.len = ngx_sprintf(number, "%ui", call->status) - number;

        why = ngx_rooms_join(o->round, ngx_rooms_s("the peer answered "), why,
                    ngx_rooms_s(" "),
                    ngx_rooms_outbox_said(o, json_object_get(
                        json_object_get(answer, "error"), "code")));

        json_decref(answer);

        return ngx_rooms_outbox_failed(o, why);
    }

    rc = ngx_rooms_outbox_results(o, answer);

    json_decref(answer);

    if (rc != NGX_OK) {
        return ngx_rooms_outbox_failed(o,
                   ngx_rooms_s("the peer's answer is not of what was sent"));
    }

    if (o->pdu) {
        o->told += o->sent;

        if (o->told < o->ntexts) {
            return ngx_rooms_outbox_send(o);
        }

        o->paged = ngx_rooms_dup(o->pool, o->items[0].item);
        o->snapshot = o->pdu->snapshot;
        o->snapshot.after = ngx_rooms_dup(o->pool, o->snapshot.after);
        o->snapshot.of = ngx_rooms_dup(o->pool, o->snapshot.of);
    }

    return ngx_rooms_outbox_finish(o, NGX_ROOMS_O_SENT);
}


ngx_int_t
ngx_rooms_outbox_finish(ngx_rooms_outbox_t *o, ngx_rooms_outbox_end_e end)
{
    o->end = end;
    o->empties = end == NGX_ROOMS_O_SENT && o->waiting == (int64_t) o->done;

    return ngx_rooms_outbox_commit(o);
}


/* "failures dropped" as they are now; nothing to tell: no row */
static void
ngx_rooms_outbox_put_state(ngx_rooms_outbox_t *o, ngx_rooms_commit_t *c)
{
    rooms_str_t  key;

    key = ngx_rooms_key(&o->keys, NGX_ROOMS_KEY_OUTBOX_STATE, ROOMS_NULL);

    if (o->failures == 0 && o->dropped == 0) {
        ngx_rooms_commit_write(c, "HDEL", key, o->server);
        return;
    }

    ngx_rooms_commit_write(c, "HSET", key, o->server,
                           ngx_rooms_join(o->round,
                                   ngx_rooms_number(o->round, o->failures),
                                   ngx_rooms_s(" "),
                                   ngx_rooms_number(o->round, o->dropped)));
}


/* Takes the first items, `done` of them, out of the outbox. */
static ngx_int_t
ngx_rooms_outbox_remove(ngx_rooms_outbox_t *o, ngx_rooms_commit_t *c,
    rooms_str_t outbox)
{
    ngx_uint_t    i;
    rooms_str_t  *argv;

    if (o->done == 0) {
        return NGX_OK;
    }

    argv = ngx_palloc(o->round, o->done * sizeof(rooms_str_t));
    if (argv == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < o->done; i++) {
        argv[i] = o->items[i].item;
    }

    ngx_rooms_commit_command(c, 0, ngx_rooms_s("ZREM"), outbox, argv,
                             o->done);

    return NGX_OK;
}


/* Where events were dropped, the room is told as it is. */
static void
ngx_rooms_outbox_replace(ngx_rooms_outbox_t *o, ngx_rooms_commit_t *c,
    rooms_str_t outbox)
{
    ngx_uint_t   i;

    for (i = 0; i < o->nitems; i++) {

        if (o->items[i].valid) {
            ngx_rooms_commit_write(c, "ZADD", outbox,
                         ngx_rooms_number(o->round, o->items[i].position),
                         ngx_rooms_join(o->round, ngx_rooms_s("s "),
                                        o->rooms[o->items[i].room].id));
        }
    }
}


static ngx_msec_t
ngx_rooms_outbox_backoff(ngx_rooms_outbox_t *o)
{
    ngx_msec_t  delay;

    delay = NGX_ROOMS_OUTBOX_MIN << ngx_min(o->failures, 6);
    delay = ngx_min(delay, NGX_ROOMS_OUTBOX_LONG);

    return delay * 3 / 4 + ngx_random() % (delay / 4 + 1);
}


static ngx_int_t
ngx_rooms_outbox_writes(ngx_rooms_outbox_t *o)
{
    ngx_uint_t           i;
    ngx_time_t          *tp;
    rooms_str_t          outbox, outboxes;
    ngx_rooms_commit_t  *c;

    c = &o->commit;

    if (ngx_rooms_link_fence(o->link, c, o->round, &o->keys) != NGX_OK) {
        return NGX_ERROR;
    }

    outbox = ngx_rooms_key(&o->keys, NGX_ROOMS_KEY_OUTBOX, o->server);
    outboxes = ngx_rooms_key(&o->keys, NGX_ROOMS_KEY_OUTBOXES, ROOMS_NULL);

    if (o->trouble.data) {
        ngx_rooms_commit_write(c, "HSET",
                               ngx_rooms_key(&o->keys,
                                             NGX_ROOMS_KEY_PEER_ERRORS,
                                             ROOMS_NULL),
                               o->server, o->trouble);
    }

    switch (o->end) {

    case NGX_ROOMS_O_SENT:

        /* whoever posts meanwhile finds the server still listed */

        if (o->empties) {
            ngx_rooms_commit_guard_count(c, "ZCARD", outbox, o->waiting);
            ngx_rooms_commit_write(c, "ZREM", outboxes, o->server);
        }

        if (o->pdu && o->done) {
            /* it may have been asked for again */
            ngx_rooms_commit_guard_score(c, outbox, o->items[0].item,
                                         o->items[0].position);
        }

        if (o->sent) {
            o->failures = 0;
            o->dropped = 0;
            ngx_rooms_outbox_put_state(o, c);
        }

        return ngx_rooms_outbox_remove(o, c, outbox);

    case NGX_ROOMS_O_FAILED:
        tp = ngx_timeofday();

        ngx_rooms_commit_write(c, "ZADD", outboxes, ngx_rooms_s("XX"),
                           ngx_rooms_number(o->round,
                                            (int64_t) tp->sec * 1000
                                            + tp->msec
                                            + ngx_rooms_outbox_backoff(o)),
                           o->server);
        o->failures++;
        ngx_rooms_outbox_put_state(o, c);

        return NGX_OK;

    case NGX_ROOMS_O_DROPPED:

        for (i = 0; i < o->nitems; i++) {
            o->dropped += o->items[i].event.data != NULL;
        }

        ngx_log_error(NGX_LOG_WARN, o->timer.log, 0,
                      "rooms: more than %d items wait for \"%*s\": the "
                      "oldest are dropped", NGX_ROOMS_OUTBOX_MAX,
                      o->server.len, o->server.data);

        o->done = o->nitems;
        ngx_rooms_outbox_put_state(o, c);

        if (ngx_rooms_outbox_remove(o, c, outbox) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_rooms_outbox_replace(o, c, outbox);

        return NGX_OK;

    default:
        ngx_log_error(NGX_LOG_NOTICE, o->timer.log, 0,
                      "rooms: %L items for \"%*s\", with whom nobody may "
                      "federate, are dropped", o->waiting, o->server.len,
                      o->server.data);

        o->failures = 0;
        o->dropped = 0;

        ngx_rooms_commit_delete(c, outbox);
        ngx_rooms_commit_write(c, "ZREM", outboxes, o->server);
        ngx_rooms_outbox_put_state(o, c);

        return NGX_OK;
    }
}


static ngx_int_t
ngx_rooms_outbox_commit(ngx_rooms_outbox_t *o)
{
    ngx_rooms_batch_t  *b;

    if (ngx_rooms_outbox_writes(o) != NGX_OK) {
        return NGX_ERROR;
    }

    b = ngx_rooms_outbox_batch(o);

    if (b == NULL
        || ngx_rooms_commit_build(&o->commit, b, &o->keys, o->whole)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_outbox_ask(o, NGX_ROOMS_O_COMMIT, NGX_ROOMS_LANE_FAST);
}


/* NGX_AGAIN: another round; NGX_DONE: the end. */
ngx_int_t
ngx_rooms_outbox_committed(ngx_rooms_outbox_t *o, ngx_rooms_batch_t *b)
{
    int64_t  guard;

    switch (ngx_rooms_commit_result(b, &guard, o->timer.log)) {

    case NGX_ROOMS_COMMIT_DONE:

        if (o->end == NGX_ROOMS_O_DROPPED
            || (o->end == NGX_ROOMS_O_SENT && !o->empties))
        {
            return NGX_AGAIN;
        }

        return NGX_DONE;

    case NGX_ROOMS_COMMIT_NOSCRIPT:
        o->whole = 1;
        b = ngx_rooms_outbox_batch(o);

        if (b == NULL
            || ngx_rooms_commit_build(&o->commit, b, &o->keys, 1) != NGX_OK)
        {
            return NGX_ERROR;
        }

        return ngx_rooms_outbox_ask(o, NGX_ROOMS_O_COMMIT,
                                    NGX_ROOMS_LANE_FAST);

    case NGX_ROOMS_COMMIT_CONFLICT:

        /* the first guard is the lease */

        if (guard == 2 && o->empties) {
            o->empties = 0;
            return ngx_rooms_outbox_commit(o);
        }

        if (guard > 1) {
            ngx_memzero(&o->snapshot, sizeof(ngx_rooms_pdu_at_t));
            return NGX_AGAIN;
        }

        o->link->until = 0;

        return NGX_DONE;

    default:
        return NGX_ERROR;
    }
}
