/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The commit by which one of a peer's leaves a room of ours, as if kicked; or
 * by which a room that is at home with the peer becomes one of our own.
 */

#include "ngx_rooms_endings_step.h"


static void
ngx_rooms_endings_key(rooms_buf_t *b, const char *key, rooms_str_t value)
{
    rooms_json_raw(b, b->last[-1] == '{' ? "\"" : ",\"",
                   b->last[-1] == '{' ? 1 : 2);
    rooms_json_raw(b, key, ngx_strlen(key));
    rooms_json_lit(b, "\":");
    rooms_json_str(b, value);
}


/* As the event of a kick is. */
static rooms_str_t
ngx_rooms_endings_content(ngx_rooms_endings_t *e,
    const rooms_change_t *change)
{
    size_t        size;
    u_char       *start;
    rooms_buf_t   b;

    size = 512 + 6 * (e->target.member.participant.len + change->reason.len
                      + change->successor.participant.len);

    start = ngx_pnalloc(e->pool, size);
    if (start == NULL) {
        return ROOMS_NULL;
    }

    rooms_buf_init(&b, start, size);

    rooms_json_lit(&b, "{");
    ngx_rooms_endings_key(&b, "participant_id",
                          e->target.member.participant);
    ngx_rooms_endings_key(&b, "membership", ngx_rooms_s("leave"));
    ngx_rooms_endings_key(&b, "previous",
                 rooms_cstr(rooms_membership_name(
                                             e->target.member.membership)));
    ngx_rooms_endings_key(&b, "reason", change->reason);

    if (change->write & ROOMS_F_STATE) {
        ngx_rooms_endings_key(&b, "state",
                              rooms_cstr(rooms_state_name(
                                                       change->room.state)));
    }

    if (change->successor.participant.data) {
        rooms_json_lit(&b, ",\"successor\":{");
        ngx_rooms_endings_key(&b, "participant_id",
                              change->successor.participant);
        rooms_json_lit(&b, ",\"power_level\":");
        rooms_json_int(&b, ROOMS_POWER_MAX);
        rooms_json_lit(&b, "}");
    }

    rooms_json_lit(&b, "}");

    return b.full ? ROOMS_NULL : (rooms_str_t) { b.last - start, start };
}


static int64_t
ngx_rooms_endings_now(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return (int64_t) tp->sec * 1000 + tp->msec;
}


/* Guards, writes and event of a change, fenced by the lease. */
static ngx_int_t
ngx_rooms_endings_change(ngx_rooms_endings_t *e, rooms_change_t *change,
    rooms_str_t content)
{
    rooms_str_t          who;
    ngx_rooms_apply_t    a;
    ngx_rooms_commit_t  *c;

    c = &e->commit;

    if (content.data == NULL
        || ngx_rooms_lease_fence(&e->link->lease, c, e->pool, &e->keys)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    c->server = rooms_from_ngx(e->link->conf->server_name);

    /* what makes it end: the room is as it was, or the policy is */

    ngx_rooms_commit_guard_field(c, ngx_rooms_key(&e->keys,
                                                  NGX_ROOMS_KEY_ROOM, e->id),
                                 ngx_rooms_s("federated"),
                                 e->room.federated ? ngx_rooms_s("1")
                                                   : ROOMS_NULL);
    ngx_rooms_commit_guard_field(c, ngx_rooms_key(&e->keys,
                                                  NGX_ROOMS_KEY_FEDERATION,
                                                  ROOMS_NULL),
                                 ngx_rooms_s("policy"), e->text);

    ngx_memzero(&a, sizeof(ngx_rooms_apply_t));

    a.before = &e->room;
    a.change = change;
    a.top[0] = e->top[0];
    a.top[1] = e->top[1];
    a.ntop = e->ntop;
    a.max_rooms = -1;

    ngx_rooms_apply(c, &e->keys, &a);

    ngx_rooms_random_hex(e->random, sizeof(e->random));
    who = e->who;

    /* "@:server": that server has ended it, and nobody of ours */

    if (who.len > 1 && who.data[0] == '@' && who.data[1] == ':') {
        who = e->target.member.participant;
    }

    ngx_rooms_apply_event(c, &e->keys, &change->room, change->event, who,
                          (rooms_str_t) { sizeof(e->random), e->random },
                          content, ngx_rooms_endings_now());

    return c->failed ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_rooms_endings_heirs(ngx_rooms_endings_t *e, ngx_rooms_batch_t *b)
{
    ngx_uint_t       i;
    rooms_input_t    in;
    rooms_change_t  *change;

    for (i = 0; i < e->ntop; i++) {

        if (ngx_rooms_parse_member(ngx_rooms_reply_str(b->replies[1 + i]),
                                   e->top[i].participant, &e->top[i])
            != NGX_OK)
        {
            return ngx_rooms_endings_drop(e, 1);
        }

        /* left between two questions: the guards will find out */

        e->top[i].membership = ROOMS_JOIN;
    }

    change = ngx_palloc(e->pool, sizeof(rooms_change_t));
    if (change == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&in, sizeof(rooms_input_t));

    in.op = ROOMS_OP_EXPEL;
    in.room = &e->room;
    in.actor.participant = e->who;
    in.tenant_admin = 1;
    in.targets = &e->target;
    in.ntargets = 1;
    in.top[0] = e->top[0];
    in.top[1] = e->top[1];
    in.ntop = e->ntop;
    in.text = ngx_rooms_s("federation has ended");
    in.now = ngx_rooms_endings_now();

    rooms_decide(&in, change);

    if (change->code != ROOMS_OK) {
        ngx_log_error(NGX_LOG_ERR, e->timer.log, 0,
                      "rooms: \"%*s\" can't be expelled from \"%*s\": %s",
                      e->target.member.participant.len,
                      e->target.member.participant.data, e->id.len,
                      e->id.data, change->message);
        return ngx_rooms_endings_drop(e, 1);
    }

    if (change->noop) {
        /* they have left since, and the room has changed; or never will */
        return ngx_rooms_endings_drop(e, 1);
    }

    if (ngx_rooms_endings_change(e, change,
                                 ngx_rooms_endings_content(e, change))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_endings_send(e);
}


/*
 * The room is at home with a peer that is off the policy, and a room of our
 * own from now on: of all others of other servers we know by that peer alone.
 * It may be archived, or closed; federation is no part of that.
 */
ngx_int_t
ngx_rooms_endings_alone(ngx_rooms_endings_t *e)
{
    rooms_change_t  *change;

    change = ngx_pcalloc(e->pool, sizeof(rooms_change_t));
    if (change == NULL) {
        return NGX_ERROR;
    }

    change->room = e->room;
    change->room.federated = 0;
    change->room.updated_at = ngx_rooms_endings_now();
    change->guard = ROOMS_F_FEDERATED|ROOMS_F_STATE;
    change->write = ROOMS_F_FEDERATED|ROOMS_F_UPDATED;
    change->event = ROOMS_EV_FEDERATION;

    e->ntop = 0;

    if (ngx_rooms_endings_change(e, change,
                                 ngx_rooms_s("{\"federated\":false}"))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_rooms_endings_add(&e->commit, &e->keys, &e->room, e->who,
                          change->room.updated_at);

    return ngx_rooms_endings_send(e);
}
