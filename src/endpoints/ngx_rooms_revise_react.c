/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* Reactions: who has answered a message with which emoji. */

#include "ngx_rooms_revise.h"


/* A DELETE may have no body, so its emoji may stand in the query. */
ngx_int_t
ngx_rooms_revise_emoji(ngx_rooms_req_t *rq, ngx_rooms_revision_t *v)
{
    ngx_int_t    rc;
    const char  *problem;

    v->emoji = ngx_rooms_body_str(rq, "emoji");

    if (v->emoji.data == NULL) {
        rc = ngx_rooms_arg(rq, "emoji", &v->emoji);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_DECLINED) {
            return ngx_rooms_invalid(rq, "emoji", "is required");
        }
    }

    problem = rooms_emoji_check(v->emoji);

    if (problem) {
        return ngx_rooms_invalid(rq, "emoji", problem);
    }

    v->reaction = ngx_rooms_join(rq->pool, v->id, ngx_rooms_s(" "),
                                 rq->principal.sub, ngx_rooms_s(" "),
                                 v->emoji);

    v->counted = ngx_rooms_join(rq->pool, v->id, ngx_rooms_s(" "), v->emoji);

    return v->reaction.data && v->counted.data ? NGX_OK : NGX_ERROR;
}


/*
 * How many there are of each emoji of a message is counted, so that a page of
 * messages costs by its emojis, and not by all who have answered.  It is
 * counted downwards, since guards bound from above: with two or more left
 * nobody who takes one back disturbs another, and the last one is the last.
 */
static void
ngx_rooms_revise_count(ngx_rooms_req_t *rq, ngx_rooms_revision_t *v)
{
    rooms_str_t  room;

    room = rq->view.room.id;

    ngx_rooms_commit_write(&rq->commit, "HINCRBY",
                           ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_COUNTS,
                                         room),
                           v->counted, ngx_rooms_s("-1"));
    ngx_rooms_commit_write(&rq->commit, "ZADD",
                           ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_TALLY,
                                         room),
                           ngx_rooms_s("0"), v->counted);
}


static void
ngx_rooms_revise_discount(ngx_rooms_req_t *rq, ngx_rooms_revision_t *v)
{
    rooms_str_t  room, counts;

    room = rq->view.room.id;
    counts = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_COUNTS, room);

    if (v->count > 1) {
        ngx_rooms_commit_guard_bound(&rq->commit, counts, v->counted,
                                     ngx_rooms_s("/"), 1, -1);
        ngx_rooms_commit_write(&rq->commit, "HINCRBY", counts, v->counted,
                               ngx_rooms_s("1"));
        return;
    }

    ngx_rooms_commit_guard_field(&rq->commit, counts, v->counted,
                                 v->count ? ngx_rooms_s("-1") : ROOMS_NULL);
    ngx_rooms_commit_write(&rq->commit, "HDEL", counts, v->counted);
    ngx_rooms_commit_write(&rq->commit, "ZREM",
                           ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_TALLY,
                                         room),
                           v->counted);
}


ngx_int_t
ngx_rooms_revise_react(ngx_rooms_req_t *rq)
{
    size_t                 size;
    u_char                *start;
    rooms_buf_t            b;
    rooms_str_t            key;
    ngx_rooms_commit_t    *c;
    ngx_rooms_revision_t  *v;

    v = rq->data;
    c = &rq->commit;
    key = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_REACTIONS,
                        rq->view.room.id);

    if (v->op == ROOMS_MESSAGE_REACT) {
        ngx_rooms_revise_guard(rq, v);
        ngx_rooms_commit_guard_no_member(c, key, v->reaction);
        ngx_rooms_commit_write(c, "ZADD", key, ngx_rooms_s("0"), v->reaction);
        ngx_rooms_revise_count(rq, v);

    } else if (v->listed) {
        ngx_rooms_commit_guard_member(c, key, v->reaction);
        ngx_rooms_commit_write(c, "ZREM", key, v->reaction);
        ngx_rooms_revise_discount(rq, v);

    } else {
        /* of the past of a replica */
        ngx_rooms_commit_guard_no_member(c, key, v->reaction);
    }

    size = 128 + v->id.len + ROOMS_JSON_STR(v->emoji.len);

    start = ngx_pnalloc(rq->pool, size);
    if (start == NULL) {
        return NGX_ERROR;
    }

    rooms_buf_init(&b, start, size);
    rooms_json_lit(&b, "{\"event_id\":");
    rooms_json_str(&b, v->id);
    rooms_json_lit(&b, ",\"emoji\":");
    rooms_json_str(&b, v->emoji);
    rooms_json_lit(&b, ",\"action\":");
    rooms_json_str(&b, v->op == ROOMS_MESSAGE_REACT ? ngx_rooms_s("add")
                                                    : ngx_rooms_s("remove"));
    rooms_json_lit(&b, "}");

    return ngx_rooms_revise_append(rq,
                                   (rooms_str_t) { b.last - start, start });
}


ngx_int_t
ngx_rooms_react_show(ngx_rooms_req_t *rq)
{
    rooms_buf_t           *b;
    ngx_rooms_revision_t  *v;

    v = rq->data;

    b = ngx_rooms_out(&rq->out, 128 + v->id.len
                      + ROOMS_JSON_STR(v->emoji.len)
                      + ROOMS_JSON_STR(rq->principal.sub.len));

    rooms_json_lit(b, "{\"data\":{\"event_id\":");
    rooms_json_str(b, v->id);
    rooms_json_lit(b, ",\"emoji\":");
    rooms_json_str(b, v->emoji);
    rooms_json_lit(b, ",\"sender_id\":");
    rooms_json_str(b, rq->principal.sub);
    rooms_json_lit(b, ",\"active\":");
    rooms_json_bool(b, v->op == ROOMS_MESSAGE_REACT);
    rooms_json_lit(b, "}}\n");

    return NGX_OK;
}
