/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * What the peer says to the events of a request, for the log and the admin;
 * and whether it has judged them, so that they needn't be told again.
 */

#include "ngx_rooms_outbox.h"


#define NGX_ROOMS_OUTBOX_SAID  200         /* bytes of a peer's words */


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


ngx_int_t
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


/*
 * A room of ours, and the peer has none like it: it has parted, or lost its
 * store.  Then none of its who came before what it was told is in the room,
 * whatever we thought; who was invited later is still to be told of.
 */
static ngx_int_t
ngx_rooms_outbox_parted(ngx_rooms_outbox_t *o, ngx_uint_t n)
{
    int64_t                   position;
    ngx_uint_t                i;
    rooms_str_t               id;
    ngx_rooms_outbox_room_t  *room;

    id = rooms_json_member_str(o->texts[n], "room_id");
    position = o->pdu ? o->items[0].position : o->positions[n];

    if (o->gone == NULL) {
        o->gone = ngx_palloc(o->round, o->nrooms
                                       * sizeof(ngx_rooms_outbox_gone_t));
        if (o->gone == NULL) {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < o->ngone; i++) {
        if (rooms_str_eq(o->gone[i].id, id)) {
            o->gone[i].position = position;
            return NGX_OK;
        }
    }

    for (i = 0; i < o->nrooms; i++) {
        room = &o->rooms[i];

        if (room->exists && rooms_str_eq(room->id, id)
            && room->room.origin.data == NULL
            && rooms_peers_has(room->room.peers, o->server))
        {
            o->gone[o->ngone].id = room->id;
            o->gone[o->ngone++].position = position;
            break;
        }
    }

    return NGX_OK;
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

    return rooms_str_eq(code,
                        rooms_cstr(ngx_rooms_error(ROOMS_E_NOT_FOUND)->code))
           ? ngx_rooms_outbox_parted(o, o->told + n) : NGX_OK;
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


ngx_int_t
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
