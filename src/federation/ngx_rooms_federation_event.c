/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* An event of another server: its form, its signature, whom it is about. */

#include "ngx_rooms_federation_send.h"
#include "rooms_fedevent.h"


/* Whom an event is about, and which other event: named in its content. */
static ngx_int_t
ngx_rooms_fedsend_mentions(ngx_rooms_req_t *rq, ngx_rooms_fedsend_t *s)
{
    rooms_str_t  fqid, ref;

    s->ref_id = ROOMS_NULL;
    s->ref = ROOMS_NULL;
    s->subject_id = ROOMS_NULL;
    ngx_memzero(&s->subject, sizeof(rooms_told_member_t));

    fqid = rooms_told_str(s->told.content, "fqid");

    if (fqid.data) {

        if (!rooms_participant_valid(fqid)
            || rooms_fqid_parse(fqid, &s->subject.local, &s->subject.server)
               != 0)
        {
            return ngx_rooms_invalid(rq, "content.fqid",
                                     "must be \"@local:server\"");
        }

        s->subject.fqid = fqid;

        if (!rooms_str_eq(s->subject.server, s->self)) {
            s->subject_id = fqid;
        }
    }

    ref = rooms_told_str(s->told.content,
                         s->told.type == ROOMS_EV_MESSAGE ? "replaces"
                                                          : "event_id");

    if (ref.data) {

        if (rooms_told_ref(ref, &s->ref_id, &s->ref_server) != 0) {
            return ngx_rooms_invalid(rq, "content.event_id",
                                     "must be \"<event id>:<server>\"");
        }

        if (rooms_str_eq(s->ref_server, s->self)) {
            s->ref = s->ref_id;
        }
    }

    return NGX_OK;
}


/* Form, signature, and whether the peer may speak for the sender. */
ngx_int_t
ngx_rooms_fedsend_read(ngx_rooms_req_t *rq, ngx_rooms_fedsend_t *s)
{
    json_t       *event;
    rooms_buf_t   work;
    const char   *problem;

    if (s->events[s->i] == NULL) {
        s->events[s->i] = json_loadb((const char *) s->texts[s->i].data,
                                     s->texts[s->i].len,
                                     JSON_REJECT_DUPLICATES, NULL);
    }

    event = s->events[s->i];

    if (event == NULL) {
        ngx_memzero(&s->told, sizeof(rooms_told_t));
        s->results[s->i].id = rooms_told_id(s->texts[s->i]);

        return ngx_rooms_invalid(rq, "events", "is no valid JSON object");
    }

    problem = rooms_told_read(event, rq->now, &s->told);

    s->results[s->i].id = s->told.id;

    if (problem) {
        return ngx_rooms_invalid(rq, "events", problem);
    }

    rooms_told_own(s->peer, s->told.sender.server, &s->told.sender.name,
                   &s->told.sender.avatar);

    /* canonical text is never longer than the one that was parsed */

    if (s->work == NULL) {
        s->work = ngx_palloc(rq->pool, s->size);
        if (s->work == NULL) {
            return NGX_ERROR;
        }
    }

    rooms_buf_init(&work, s->work, s->size);

    problem = rooms_fedevent_verify(event, s->peer, &s->key, 1, &work);

    if (problem) {
        rq->error_field = ngx_rooms_s("signatures");
        rq->error_problem = rooms_cstr(problem);
        return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_SIGNATURE, problem);
    }

    if (rooms_str_eq(s->told.sender.server, s->self)) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_POLICY,
                              "nobody else speaks for participants of ours");
    }

    return ngx_rooms_fedsend_mentions(rq, s);
}
