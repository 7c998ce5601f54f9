/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* POST /v1/rooms/import: the request's side (see ngx_rooms_import.h). */

#include "ngx_rooms_import.h"
#include "ngx_rooms_auth.h"
#include "ngx_rooms_status.h"


/* What the event loop waits for, or does next. */
typedef enum {
    NGX_ROOMS_IMPORT_P_CHECK = 0,      /* checks the bundle */
    NGX_ROOMS_IMPORT_P_CALLER,         /* checks that the caller is still a
                                          participant */
    NGX_ROOMS_IMPORT_P_ROOM,           /* workspace, alias, number of rooms */
    NGX_ROOMS_IMPORT_P_RESERVE,
    NGX_ROOMS_IMPORT_P_WRITE
} ngx_rooms_import_phase_e;


static ngx_int_t ngx_rooms_import_load(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_import_decide(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_import_show(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_import_take(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_import_start(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_import_taken(ngx_rooms_req_t *rq,
    ngx_rooms_import_t *im);
static ngx_int_t ngx_rooms_import_checking(ngx_rooms_req_t *rq,
    ngx_rooms_import_t *im);
static ngx_int_t ngx_rooms_import_checked(ngx_rooms_req_t *rq,
    ngx_rooms_import_t *im);
static ngx_int_t ngx_rooms_import_caller(ngx_rooms_req_t *rq,
    ngx_rooms_import_t *im);
static ngx_int_t ngx_rooms_import_room(ngx_rooms_req_t *rq,
    ngx_rooms_import_t *im);
static ngx_int_t ngx_rooms_import_writing(ngx_rooms_req_t *rq,
    ngx_rooms_import_t *im);


const ngx_rooms_endpoint_t  ngx_rooms_import_rows[] = {

    { .method = NGX_HTTP_POST, .path = "/v1/rooms/import",
      .part = NGX_ROOMS_PART_ROOMS,
      .flags = NGX_ROOMS_UPLOAD|NGX_ROOMS_IN_FILE|NGX_ROOMS_CREATES
               |NGX_ROOMS_BULK|NGX_ROOMS_ENTERS, .op = ROOMS_OP_READ,
      .load = ngx_rooms_import_load, .decide = ngx_rooms_import_decide,
      .show = ngx_rooms_import_show, .take = ngx_rooms_import_take },

    { .path = NULL }
};


/* The form */


static void
ngx_rooms_import_cleanup(void *data)
{
    ngx_rooms_req_t  *rq = data;

    if (rq->state == NGX_ROOMS_DONE && rq->error == ROOMS_OK
        && !rq->replayed)
    {
        return;
    }

    /* the client has left, or was refused */

    ngx_rooms_import_abandon(rq, rq->work->data);
}


static ngx_int_t
ngx_rooms_import_take(ngx_rooms_req_t *rq)
{
    if (rq->round == 0) {
        rq->round = 1;
        ngx_rooms_status_doing(rq, NGX_ROOMS_GAUGE_IMPORTS);
        return ngx_rooms_import_start(rq);
    }

    return rq->work->rc == NGX_OK
           ? ngx_rooms_import_taken(rq, rq->work->data)
           : ngx_rooms_import_refuse(rq, rq->work->data);
}


static ngx_int_t
ngx_rooms_import_start(ngx_rooms_req_t *rq)
{
    rooms_str_t          type;
    ngx_rooms_work_t    *w;
    ngx_pool_cleanup_t  *mine, *works;
    ngx_rooms_import_t  *im;

    w = ngx_rooms_work_create(sizeof(ngx_rooms_import_t));
    if (w == NULL) {
        return NGX_ERROR;
    }

    rq->work = w;
    im = w->data;
    im->entry = -1;
    w->step = ngx_rooms_import_step;

    works = ngx_pool_cleanup_add(w->pool, 0);
    mine = ngx_pool_cleanup_add(rq->pool, 0);

    if (works == NULL || mine == NULL) {
        return NGX_ERROR;
    }

    works->handler = ngx_rooms_import_close;
    works->data = im;
    mine->handler = ngx_rooms_import_cleanup;
    mine->data = rq;

    type = rq->r->headers_in.content_type
           ? rooms_from_ngx(rq->r->headers_in.content_type->value)
           : ngx_rooms_s("");

    if (rooms_form_init(&im->form, type, ROOMS_FORM_FIELDS) != 0) {
        return ngx_rooms_invalid(rq, "Content-Type", im->form.err);
    }

    /* the thread may outlive the request and its configuration */

    im->root = ngx_from_rooms(ngx_rooms_dup(w->pool,
                              rooms_from_ngx(rq->conf->media_path->name)));
    im->tenant = ngx_rooms_dup(w->pool, rq->principal.tenant);
    im->importer = ngx_rooms_dup(w->pool, rq->principal.sub);
    im->limits = *rq->conf->import_limits;
    im->now = rq->now;
    im->window = ngx_palloc(w->pool, NGX_ROOMS_IMPORT_WINDOW);

    if (im->root.data == NULL || im->tenant.data == NULL
        || im->importer.data == NULL || im->window == NULL)
    {
        return NGX_ERROR;
    }

    if (ngx_rooms_spool_take(&im->body, rq->r, w->pool) != NGX_OK) {
        return ngx_rooms_fail_disk(rq, im->body.err);
    }

    return ngx_rooms_wait_work(rq, w);
}


/*
 * "true" or "false", from the form or the query; a field that is left empty
 * counts as absent, like the others of the form.
 */
static ngx_int_t
ngx_rooms_import_dry(ngx_rooms_req_t *rq, ngx_rooms_import_t *im)
{
    ngx_int_t    rc;
    rooms_str_t  value;

    value = im->form.fields[ROOMS_FORM_DRY_RUN];

    if (value.len == 0) {
        rc = ngx_rooms_arg(rq, "dry_run", &value);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_DECLINED) {
            return NGX_OK;
        }
    }

    if (rooms_str_eq(value, ngx_rooms_s("true"))) {
        im->dry = 1;
        rq->dry_run = 1;
        return NGX_OK;
    }

    return rooms_str_eq(value, ngx_rooms_s("false"))
           ? NGX_OK
           : ngx_rooms_invalid(rq, "dry_run", "must be true or false");
}


static ngx_int_t
ngx_rooms_import_taken(ngx_rooms_req_t *rq, ngx_rooms_import_t *im)
{
    u_char        text[ROOMS_NAME_SIZE];
    const char   *problem;
    rooms_str_t   name;

    im->name = im->form.fields[ROOMS_FORM_NAME];
    im->workspace = im->form.fields[ROOMS_FORM_WORKSPACE];

    if (im->name.len) {
        name = im->name;
        problem = rooms_name_make(&name, text);

        if (problem) {
            return ngx_rooms_invalid(rq, "name", problem);
        }
    }

    rq->digest = ngx_rooms_join(rq->pool,
                                { sizeof(im->sha256), im->sha256 },
                                ngx_rooms_s("\n"), im->name,
                                ngx_rooms_s("\n"), im->workspace);

    if (rq->digest.data == NULL) {
        return NGX_ERROR;
    }

    return ngx_rooms_import_dry(rq, im);
}


/* The bundle, and the store */


static ngx_int_t
ngx_rooms_import_load(ngx_rooms_req_t *rq)
{
    ngx_int_t            rc;
    ngx_rooms_import_t  *im;

    im = rq->work->data;

    for ( ;; ) {

        switch (im->phase) {

        case NGX_ROOMS_IMPORT_P_CHECK:
            rc = ngx_rooms_import_checking(rq, im);
            break;

        case NGX_ROOMS_IMPORT_P_CALLER:
            rc = ngx_rooms_import_caller(rq, im);
            break;

        case NGX_ROOMS_IMPORT_P_ROOM:
            rc = ngx_rooms_import_room(rq, im);

            if (rc == NGX_OK && (im->dry || im->staged)) {
                im->phase = NGX_ROOMS_IMPORT_P_CALLER;
                return NGX_OK;
            }

            break;

        case NGX_ROOMS_IMPORT_P_RESERVE:

            if (rq->round == 0) {
                rq->round = 1;
                return ngx_rooms_import_reserve(rq, im);
            }

            rc = ngx_rooms_import_reserved(rq, im);
            break;

        default:
            rc = ngx_rooms_import_writing(rq, im);

            if (rc == NGX_OK) {
                /* if a guard breaks, these two are asked again */
                im->phase = NGX_ROOMS_IMPORT_P_CALLER;
                return NGX_OK;
            }
        }

        if (rc != NGX_OK) {
            return rc;
        }

        if (im->failure != NGX_ROOMS_IMPORT_OK) {
            /* a dry run shows these faults */
            return NGX_OK;
        }

        im->phase++;
        rq->round = 0;
    }
}


static ngx_int_t
ngx_rooms_import_checking(ngx_rooms_req_t *rq, ngx_rooms_import_t *im)
{
    if (rq->round == 0) {
        rq->round = 1;

        /* from now on notices when the client leaves */
        rq->r->read_event_handler = ngx_http_test_reading;

        return ngx_rooms_wait_work(rq, rq->work);
    }

    if (rq->work->rc != NGX_OK) {

        return im->dry && im->failure < NGX_ROOMS_IMPORT_SYSTEM
               ? NGX_OK : ngx_rooms_import_refuse(rq, im);
    }

    return ngx_rooms_import_checked(rq, im);
}


/* Makes a body like that of a client who creates the new room. */
static ngx_int_t
ngx_rooms_import_checked(ngx_rooms_req_t *rq, ngx_rooms_import_t *im)
{
    json_t      *room, *name;
    const char  *type;

    room = im->check.room;
    type = json_string_value(json_object_get(room, "room_type"));
    name = json_object_get(room, "name");

    rq->body = json_pack("{s:s, s:o?, s:b}",
                         "room_type", ngx_strcmp(type, "public") == 0
                                      ? "public" : "group",
                         "topic", json_deep_copy(json_object_get(room,
                                                                 "topic")),
                         "is_public", ngx_strcmp(type, "public") == 0
                                || (ngx_strcmp(type, "group") == 0
                                    && json_is_true(json_object_get(room,
                                                             "is_public"))));
    if (rq->body == NULL) {
        return NGX_ERROR;
    }

    if (im->name.len) {
        name = json_stringn((const char *) im->name.data, im->name.len);

    } else if (json_is_string(name)) {
        name = json_incref(name);

    } else {
        name = json_string("Imported conversation");
    }

    if (json_object_set_new(rq->body, "name", name) != 0
        || (im->workspace.len
            && json_object_set_new(rq->body, "workspace_id",
                   json_stringn((const char *) im->workspace.data,
                                im->workspace.len)) != 0))
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* Reading the bundle may take minutes, and the store may be empty now. */
static ngx_int_t
ngx_rooms_import_caller(ngx_rooms_req_t *rq, ngx_rooms_import_t *im)
{
    ngx_int_t  rc;

    if (rq->round == 0) {
        /* registration counts its own races */
        im->races = rq->races;
        rq->races = 0;
    }

    rc = ngx_rooms_register(rq);

    if (rc == NGX_OK) {
        rq->races = im->races;
    }

    return rc;
}


/*
 * Asks what creating a room asks: before anything is written, and again at
 * the end.
 */
static ngx_int_t
ngx_rooms_import_room(ngx_rooms_req_t *rq, ngx_rooms_import_t *im)
{
    ngx_int_t  rc;

    rc = ngx_rooms_create_load(rq);

    if (rc == NGX_OK) {
        rc = ngx_rooms_create_judge(rq);
    }

    if (rc != NGX_OK || im->dry || im->staged) {
        return rc;
    }

    im->tables.room = ngx_rooms_dup(rq->work->pool, rq->change->room.id);

    im->events_key = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_EVENTS,
                                   rq->change->room.id);
    im->copies_key = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_COPIES,
                                   rq->change->room.id);
    im->authors_key = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_AUTHORS,
                                    rq->change->room.id);

    im->tally_key = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_TALLY,
                                  rq->change->room.id);
    im->counts_key = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_COUNTS,
                                   rq->change->room.id);

    return im->tables.room.data && im->events_key.data && im->copies_key.data
           && im->authors_key.data && im->tally_key.data
           && im->counts_key.data ? NGX_OK : NGX_ERROR;
}


/*
 * The thread makes the next parcel while the store takes this one, so either
 * of them may call this.
 */
static ngx_int_t
ngx_rooms_import_writing(ngx_rooms_req_t *rq, ngx_rooms_import_t *im)
{
    ngx_int_t  rc;

    if (rq->round == 0) {
        rq->round = 1;
        return ngx_rooms_wait_work(rq, rq->work);
    }

    if (rq->work->running || rq->timer.timer_set) {
        return NGX_AGAIN;
    }

    if (rq->work->rc != NGX_OK) {
        return ngx_rooms_import_refuse(rq, im);
    }

    rc = im->sent ? ngx_rooms_import_sent(rq, im) : NGX_OK;

    if (rc != NGX_OK) {
        return rc;
    }

    if (im->parcel.n) {

        if (ngx_rooms_import_send(rq, im) == NGX_ERROR) {
            return NGX_ERROR;
        }

    } else if (im->state == NGX_ROOMS_IMPORT_DONE) {
        im->staged = 1;
        return NGX_OK;
    }

    return im->state == NGX_ROOMS_IMPORT_DONE
           ? NGX_AGAIN : ngx_rooms_wait_work(rq, rq->work);
}


static ngx_int_t
ngx_rooms_import_decide(ngx_rooms_req_t *rq)
{
    ngx_rooms_import_t  *im;

    im = rq->work->data;

    if (im->dry) {
        return NGX_OK;
    }

    rq->imported = 1;

    if (ngx_rooms_create_decide(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_rooms_import_commit(rq, im);
    ngx_rooms_apply_early(&rq->commit, &rq->keys, rq->change->room.id,
                          im->tables.position);

    return rq->commit.failed ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_rooms_import_show(ngx_rooms_req_t *rq)
{
    ngx_rooms_import_t  *im;

    im = rq->work->data;

    return im->dry ? ngx_rooms_import_report(rq, im)
                   : ngx_rooms_import_made(rq, im);
}
