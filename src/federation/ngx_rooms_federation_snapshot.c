/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * A snapshot names everybody, if need be in several parts: who isn't named is
 * gone.  Whom the parts have named is kept beside the room meanwhile, and
 * which part was the last: one that is missing makes the whole incomplete.
 *
 * What ours do is decided here before the home hears of it, so a snapshot may
 * be older than that, and says nothing of it then.  If it is the answer to
 * what the home has refused, it says so, and has the last word.
 */

#include "ngx_rooms_federation_replica.h"


/* Between two parts of a snapshot, with all the backoff there may be. */
#define NGX_ROOMS_SNAPSHOT_TTL  "180000"       /* ms */

/* A snapshot that was under way when somebody joined is older than that. */
#define NGX_ROOMS_SNAPSHOT_AGE  (10 * 1000)    /* ms */


static ngx_int_t ngx_rooms_replica_ask_unheard(ngx_rooms_req_t *rq,
    ngx_rooms_replica_t *replica);


/* Of each snapshot by itself: two may be told at once. */
rooms_str_t
ngx_rooms_replica_key(ngx_rooms_req_t *rq)
{
    ngx_rooms_fedsend_t  *s;

    s = rq->several;

    return ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_TOLD,
                         ngx_rooms_join(rq->pool, s->told.room,
                                        ngx_rooms_s(":"), s->told.of));
}


/* No participant's id begins with a space. */
static ngx_int_t
ngx_rooms_replica_name(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica,
    rooms_str_t key)
{
    ngx_uint_t            i, n;
    rooms_str_t          *argv;
    ngx_rooms_fedsend_t  *s;

    s = rq->several;

    argv = ngx_palloc(rq->pool, (4 + 2 * replica->n) * sizeof(rooms_str_t));
    if (argv == NULL) {
        return NGX_ERROR;
    }

    argv[0] = ngx_rooms_s("ZADD");
    argv[1] = key;
    argv[2] = ngx_rooms_number(rq->pool, s->told.part);
    argv[3] = ngx_rooms_join(rq->pool, ngx_rooms_s(" "), s->told.of);

    for (n = 4, i = 0; i < replica->n; i++) {
        argv[n++] = ngx_rooms_s("0");
        argv[n++] = replica->ids[i];
    }

    return argv[2].data && argv[3].data
           ? ngx_rooms_batch_add(rq->batch, argv, n) : NGX_ERROR;
}


ngx_int_t
ngx_rooms_replica_snapshot_ask(ngx_rooms_req_t *rq,
    ngx_rooms_replica_t *replica, int64_t marker)
{
    ngx_uint_t            i;
    rooms_str_t           key, at, room;
    ngx_rooms_batch_t    *b;
    ngx_rooms_fedsend_t  *s;

    s = rq->several;
    b = rq->batch;
    room = s->told.room;

    if (s->told.refused.data) {
        replica->at_refused = b->commands.nelts;

        at = ngx_rooms_number(rq->pool, rooms_event_position(s->told.refused));
        (void) ngx_rooms_command(b, ngx_rooms_s("ZRANGEBYSCORE"),
                                 ngx_rooms_key(&rq->keys,
                                               NGX_ROOMS_KEY_EVENTS, room),
                                 at, at);

        /* what became of each of ours since */

        for (i = 0; i < replica->n; i++) {
            (void) ngx_rooms_command(b, ngx_rooms_s("ZSCORE"),
                                     ngx_rooms_key(&rq->keys,
                                                   NGX_ROOMS_KEY_USER_NEWS,
                                                   replica->ids[i]),
                                     ngx_rooms_join(rq->pool,
                                                    ngx_rooms_s("m "),
                                                    room));
        }
    }

    if (s->told.of.data == NULL
        || (s->told.part && marker + 1 < (int64_t) s->told.part))
    {
        return NGX_OK;
    }

    key = ngx_rooms_replica_key(rq);

    if (s->told.part == 0) {
        (void) ngx_rooms_command(b, ngx_rooms_s("DEL"), key);
    }

    if (ngx_rooms_replica_name(rq, replica, key) != NGX_OK) {
        return NGX_ERROR;
    }

    (void) ngx_rooms_command(b, ngx_rooms_s("PEXPIRE"), key,
                             ngx_rooms_s(NGX_ROOMS_SNAPSHOT_TTL));

    if (!s->told.complete) {
        return NGX_OK;
    }

    replica->at_gone = b->commands.nelts;

    (void) ngx_rooms_command(b, ngx_rooms_s("ZDIFF"), ngx_rooms_s("2"),
                             ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_LIST,
                                           room), key);
    (void) ngx_rooms_command(b, ngx_rooms_s("ZDIFF"), ngx_rooms_s("2"),
                             ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_BANS,
                                           room), key);

    return b->failed ? NGX_ERROR : NGX_OK;
}


/*
 * In the order of their ids, as many as one commit takes: those behind the
 * last one that was looked at before.
 */
static ngx_int_t
ngx_rooms_replica_missing(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica,
    redisReply *list, rooms_str_t *last)
{
    ngx_uint_t            i, n;
    rooms_str_t           id;
    ngx_rooms_fedsend_t  *s;

    s = rq->several;
    n = replica->nrows;

    for (i = 0; i < list->elements; i++) {
        id = ngx_rooms_reply_str(list->element[i]);

        if (last->data && !rooms_str_before(*last, id)) {
            continue;
        }

        if (replica->nrows == replica->n + NGX_ROOMS_REPLICA_GONE) {
            s->again = 1;
            break;
        }

        replica->ids[replica->nrows++] = id;
    }

    if (replica->nrows == n) {
        return NGX_OK;
    }

    *last = ngx_rooms_dup(rq->pool, replica->ids[replica->nrows - 1]);

    return last->data ? NGX_OK : NGX_ERROR;
}


/*
 * One of ours that was removed by one of ours, which the home has refused:
 * that the home says they are in is not against their will, unless they have
 * come and gone since.
 */
static ngx_int_t
ngx_rooms_replica_returns(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica)
{
    json_t               *event, *content;
    int64_t               at;
    ngx_uint_t            i;
    rooms_str_t           text, who, was;
    rooms_mirror_row_t   *row;
    ngx_rooms_fedsend_t  *s;

    s = rq->several;

    text = ngx_rooms_reply_str(ngx_rooms_reply_element(
                        ngx_rooms_reply(rq, replica->at_refused), 0));

    event = text.data ? json_loadb((const char *) text.data, text.len, 0,
                                   NULL)
                      : NULL;

    content = json_object_get(event, "content");
    who = rooms_told_str(content, "participant_id");
    was = rooms_told_str(content, "previous");
    at = rooms_event_position(s->told.refused);

    if (who.data && json_object_get(event, "origin_id") == NULL
        && rooms_str_eq(rooms_told_str(event, "id"), s->told.refused)
        && rooms_str_eq(rooms_told_str(event, "event_type"),
                        rooms_cstr(rooms_event_name(ROOMS_EV_MEMBER)))
        && rooms_str_eq(was, rooms_cstr(rooms_membership_name(ROOMS_JOIN)))
        && !rooms_str_eq(who, rooms_told_str(event, "sender_id")))
    {
        for (i = 0; i < replica->n; i++) {
            row = &replica->rows[i];

            if (rooms_str_eq(replica->ids[i], who)
                && ngx_rooms_reply_int(
                         ngx_rooms_reply(rq, replica->at_refused + 1 + i), 0)
                   == at
                && (row->before.membership == ROOMS_LEAVE
                    || row->before.membership == ROOMS_BAN))
            {
                row->ours = 0;
            }
        }
    }

    json_decref(event);

    return NGX_OK;
}


ngx_int_t
ngx_rooms_replica_snapshot(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica)
{
    ngx_uint_t            i;
    redisReply          **r;
    ngx_rooms_fedsend_t  *s;

    s = rq->several;
    s->again = 0;

    /* what a commit that was in vain has looked at is looked at again */

    s->comparing = s->compared;

    if (replica->at_refused
        && ngx_rooms_replica_returns(rq, replica) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (replica->at_gone) {
        r = rq->batch->replies + replica->at_gone;

        if (ngx_rooms_replica_missing(rq, replica, r[0], &s->comparing.gone)
            != NGX_OK
            || ngx_rooms_replica_missing(rq, replica, r[1],
                                         &s->comparing.unbanned)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (replica->nrows == replica->n) {
        return ngx_rooms_replica_ask_unheard(rq, replica);
    }

    if (ngx_rooms_batch(rq) == NULL) {
        return NGX_ERROR;
    }

    for (i = replica->n; i < replica->nrows; i++) {
        (void) ngx_rooms_command(rq->batch, ngx_rooms_s("HGET"),
                                 ngx_rooms_key(&rq->keys,
                                               NGX_ROOMS_KEY_MEMBERS,
                                               s->told.room),
                                 replica->ids[i]);
    }

    if (rq->batch->failed) {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_L_GONE;

    return ngx_rooms_send(rq);
}


ngx_int_t
ngx_rooms_replica_gone(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica)
{
    ngx_uint_t            i;
    rooms_str_t           server;
    rooms_mirror_row_t   *row;
    ngx_rooms_fedsend_t  *s;

    s = rq->several;

    for (i = replica->n; i < replica->nrows; i++) {
        row = &replica->rows[i];
        row->membership = ROOMS_LEAVE;
        row->ours = !rooms_foreign(replica->ids[i], s->self, &server);

        if (ngx_rooms_parse_member(
                   ngx_rooms_reply_str(ngx_rooms_reply(rq, i - replica->n)),
                   replica->ids[i], &row->before) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_rooms_replica_ask_unheard(rq, replica);
}


/* One of ours has joined, and the home doesn't say so. */
static ngx_uint_t
ngx_rooms_replica_doubt(ngx_rooms_replica_t *replica, ngx_uint_t i)
{
    rooms_mirror_row_t  *row;

    row = &replica->rows[i];

    return row->ours && row->before.membership == ROOMS_JOIN
           && (i >= replica->n || row->membership == ROOMS_INVITE);
}


/* Whether the join still waits to be told. */
static ngx_int_t
ngx_rooms_replica_ask_unheard(ngx_rooms_req_t *rq,
    ngx_rooms_replica_t *replica)
{
    ngx_uint_t            i;
    rooms_str_t           outbox, at;
    ngx_rooms_fedsend_t  *s;

    s = rq->several;

    if (ngx_rooms_batch(rq) == NULL) {
        return NGX_ERROR;
    }

    outbox = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_OUTBOX, s->peer);

    for (i = 0; i < replica->nrows; i++) {

        if (ngx_rooms_replica_doubt(replica, i)) {
            at = ngx_rooms_number(rq->pool,
                                  replica->rows[i].before.position);
            (void) ngx_rooms_command(rq->batch, ngx_rooms_s("ZCOUNT"),
                                     outbox, at, at);
        }
    }

    if (rq->batch->failed) {
        return NGX_ERROR;
    }

    rq->round = NGX_ROOMS_L_UNHEARD;

    return rq->batch->commands.nelts ? ngx_rooms_send(rq) : NGX_OK;
}


/*
 * If it does, or was told so lately that the snapshot may be older, the home
 * says nothing of it.  If not, or if it has refused that very join, or ours
 * have left it as federation ended, the home has the last word.
 */
ngx_int_t
ngx_rooms_replica_unheard(ngx_rooms_req_t *rq, ngx_rooms_replica_t *replica)
{
    int64_t               refused;
    ngx_uint_t            i, n, waits;
    rooms_mirror_row_t   *row;
    ngx_rooms_fedsend_t  *s;

    s = rq->several;
    refused = s->told.refused.data ? rooms_event_position(s->told.refused)
                                   : -1;

    for (i = 0, n = 0; i < replica->nrows; i++) {
        row = &replica->rows[i];

        if (!ngx_rooms_replica_doubt(replica, i)) {
            continue;
        }

        waits = ngx_rooms_reply_int(ngx_rooms_reply(rq, n++), 0) > 0;

        if (row->before.position == refused || !replica->room.federated
            || (!waits && row->before.joined_at + NGX_ROOMS_SNAPSHOT_AGE
                          < rq->now))
        {
            row->ours = 0;

        } else {
            row->membership = row->before.membership;
            row->power = row->before.power;
        }
    }

    return NGX_OK;
}
