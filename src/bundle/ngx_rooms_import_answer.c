/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* An import's answers: refusals, the report of a dry run, the new room. */

#include "ngx_rooms_import.h"


static ngx_int_t ngx_rooms_import_refuse_bundle(ngx_rooms_req_t *rq,
    ngx_rooms_import_t *im, ngx_uint_t code);
static ngx_int_t ngx_rooms_import_system_failed(ngx_rooms_req_t *rq,
    ngx_rooms_import_t *im);


ngx_int_t
ngx_rooms_import_refuse(ngx_rooms_req_t *rq, ngx_rooms_import_t *im)
{
    switch (im->failure) {

    case NGX_ROOMS_IMPORT_FORM_FAULT:
        return ngx_rooms_invalid(rq, im->form.where, im->form.err);

    case NGX_ROOMS_IMPORT_INVALID:
        return ngx_rooms_import_refuse_bundle(rq, im,
                                              NGX_ROOMS_E_BUNDLE_INVALID);

    case NGX_ROOMS_IMPORT_TOO_LARGE:
        return ngx_rooms_import_refuse_bundle(rq, im,
                                              NGX_ROOMS_E_BUNDLE_TOO_LARGE);

    case NGX_ROOMS_IMPORT_REFUSED:
        return ngx_rooms_import_refuse_bundle(rq, im,
                                              NGX_ROOMS_E_IMPORT_REFUSED);

    default:
        return ngx_rooms_import_system_failed(rq, im);
    }
}


/* The message and the details show the first fault. */
static ngx_int_t
ngx_rooms_import_refuse_bundle(ngx_rooms_req_t *rq, ngx_rooms_import_t *im,
    ngx_uint_t code)
{
    rooms_str_t  field, problem;

    field = ngx_rooms_s("file");
    problem = ngx_rooms_s("it could not be read");

    if (im->faults.count) {
        field = ngx_rooms_dup(rq->pool, rooms_cstr(im->faults.list[0].field));
        problem = ngx_rooms_dup(rq->pool,
                                rooms_cstr(im->faults.list[0].problem));
    }

    rq->error_field = field;
    rq->error_problem = problem;

    (void) ngx_rooms_fail(rq, code, NULL);

    rq->message = ngx_rooms_join(rq->pool,
                                 rooms_cstr(ngx_rooms_error(code)->message),
                                 ngx_rooms_s(": "), field, ngx_rooms_s(": "),
                                 problem);
    return NGX_ERROR;
}


static ngx_int_t
ngx_rooms_import_system_failed(ngx_rooms_req_t *rq, ngx_rooms_import_t *im)
{
    ngx_log_error(NGX_LOG_CRIT, rq->r->connection->log, im->err,
                  "rooms: %s failed in an import", im->what);

    return ngx_rooms_fail_disk(rq, im->err);
}


static void
ngx_rooms_import_put_room(ngx_rooms_req_t *rq)
{
    rooms_buf_t         *b;
    const rooms_room_t  *room;

    room = &rq->change->room;

    b = ngx_rooms_out(&rq->out);

    rooms_json_put(b, ",\"room\":{\"room_type\":%s,\"name\":%s,\"topic\":%s,"
                   "\"is_public\":", rooms_cstr(rooms_type_name(room->type)),
                   room->name, room->topic);
    rooms_json_bool(b, room->is_public);
    rooms_json_put(b, ",\"workspace_id\":%s}", room->workspace);
}


/* Shows the report of a dry run. */
ngx_int_t
ngx_rooms_import_report(ngx_rooms_req_t *rq, ngx_rooms_import_t *im)
{
    size_t          i, media;
    rooms_str_t     field, problem;
    rooms_buf_t    *b;
    rooms_fault_t  *fault;

    for (media = 0, i = 0; i < im->tables.nmedia; i++) {
        media += rooms_import_kept(&im->tables, i);
    }

    b = ngx_rooms_out(&rq->out);

    rooms_json_lit(b, "{\"data\":{\"valid\":");
    rooms_json_bool(b, im->faults.total == 0);
    rooms_json_put(b, ",\"events\":%d,\"media\":%d",
                   (int64_t) im->tables.events, (int64_t) media);

    if (rq->change) {
        ngx_rooms_import_put_room(rq);

    } else {
        rooms_json_lit(b, ",\"room\":null");
    }

    rooms_json_put(b, ",\"faults_total\":%d,\"faults\":[",
                   (int64_t) im->faults.total);

    for (i = 0; i < im->faults.count; i++) {
        fault = &im->faults.list[i];
        field = rooms_cstr(fault->field);
        problem = rooms_cstr(fault->problem);

        rooms_json_raw(b, ",", i > 0);

        rooms_json_put(b, "{\"field\":%s,\"problem\":%s}", field, problem);
    }

    rooms_json_lit(b, "]}}\n");

    return NGX_OK;
}


ngx_int_t
ngx_rooms_import_made(ngx_rooms_req_t *rq, ngx_rooms_import_t *im)
{
    rooms_buf_t         *b;
    const rooms_room_t  *room;

    room = &rq->change->room;

    b = ngx_rooms_out(&rq->out);

    rooms_json_put(b, "{\"data\":{\"id\":%s,\"room_alias\":\"#", room->id);
    rooms_json_escape(b, room->alias);
    rooms_json_lit(b, ":");
    rooms_json_escape(b, rooms_from_ngx(rq->conf->server_name));
    rooms_json_put(b, "\",\"events_imported\":%d,\"media_imported\":%d}}\n",
                   (int64_t) im->tables.events, (int64_t) im->media);

    return NGX_OK;
}
