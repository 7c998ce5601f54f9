/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The parts of an export around its events: the rest of the manifest, and
 * media.
 */

#include "ngx_rooms_export.h"
#include "ngx_rooms_fault.h"
#include "rooms_manifest_check.h"
#include "rooms_zip_name.h"


#define NGX_ROOMS_EXPORT_PEOPLE   64       /* profiles in one batch */
#define NGX_ROOMS_EXPORT_RECHECK  1000     /* ms between two checks that the
                                              caller is a member */

/*
 * A manifest with at most this many events can't reach 4 GiB, which would
 * need ZIP64.
 */
#define NGX_ROOMS_EXPORT_SMALL    12000
#define NGX_ROOMS_EXPORT_BOUND    UINT64_C(0xff000000)


static ngx_int_t ngx_rooms_export_head(ngx_rooms_export_t *x);
static ngx_int_t ngx_rooms_export_look(ngx_rooms_export_t *x,
    ngx_rooms_medium_t *m);
static ngx_int_t ngx_rooms_export_open(ngx_rooms_export_t *x,
    ngx_rooms_medium_t *m);


/* Marks a lost content: it isn't listed under media, and has no entry. */
static ngx_rooms_medium_t  ngx_rooms_export_lost;


ngx_int_t
ngx_rooms_export_begin(ngx_rooms_export_t *x)
{
    ssize_t            n;
    ngx_int_t          rc;
    rooms_zip_entry_t  e;

    rc = ngx_rooms_export_room(x, ROOMS_ZIP_HEADER_MAX);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_memzero(&e, sizeof(rooms_zip_entry_t));

    e.name = ngx_rooms_s("manifest.json");
    e.mtime = x->rq->now;
    e.method = ROOMS_ZIP_DEFLATE;
    e.level = x->rq->conf->export_level;
    e.size = x->total <= NGX_ROOMS_EXPORT_SMALL ? NGX_ROOMS_EXPORT_BOUND
                                                : ROOMS_ZIP_UNBOUNDED;

    n = rooms_zip_begin(&x->zip, &e, x->buf->last,
                        x->buf->end - x->buf->last);
    if (n == -1) {
        return ngx_rooms_export_zip_fail(x);
    }

    x->buf->last += n;
    x->state = NGX_ROOMS_X_ASK_PAGE;

    return ngx_rooms_export_head(x);
}


/* Writes the members that are known before any event is read. */
static ngx_int_t
ngx_rooms_export_head(ngx_rooms_export_t *x)
{
    rooms_buf_t      *b;
    rooms_str_t       server;
    ngx_rooms_req_t  *rq;
    ngx_rooms_json_t  text;

    rq = x->rq;
    server = rooms_from_ngx(rq->conf->server_name);

    b = ngx_rooms_json(&text, rq->pool);

    rooms_json_lit(b, "{\"format\":\"" ROOMS_BUNDLE_FORMAT "\",\"version\":");
    rooms_json_put(b, "%d,\n\"exported_at\":%t,\"exported_by\":%s,"
                   "\"server_name\":%s,\n\"room\":",
                   (int64_t) ROOMS_BUNDLE_VERSION, (int64_t) rq->now,
                   rq->principal.sub, server);
    ngx_rooms_view_room(b, &rq->view, &rq->conf->server_name);
    rooms_json_lit(b, "}");

    if (x->from) {
        rooms_json_lit(b, ",\n\"from\":");
        rooms_json_time(b, x->from);
    }

    if (x->to != INT64_MAX) {
        rooms_json_lit(b, ",\n\"to\":");
        rooms_json_time(b, x->to);
    }

    rooms_json_lit(b, ",\n\"events\":[");

    if (b->full) {
        return ngx_rooms_export_fail(x, "no memory");
    }

    ngx_rooms_export_put(x, ngx_rooms_json_end(&text));

    return NGX_OK;
}


/* People */


ngx_int_t
ngx_rooms_export_ask_people(ngx_rooms_export_t *x)
{
    rooms_id_t          *id;
    rooms_str_t          ids[NGX_ROOMS_EXPORT_PEOPLE];
    ngx_rooms_batch_t   *b;

    if (x->next == NULL) {
        ngx_rooms_export_put(x, ngx_rooms_s("\n},\"media\":["));

        x->next = x->media.first;
        x->any = 0;
        x->state = NGX_ROOMS_X_MEDIA;

        return NGX_OK;
    }

    b = ngx_rooms_export_ask(x);
    if (b == NULL) {
        return ngx_rooms_export_fail(x, "no memory");
    }

    for (id = x->next, x->npeople = 0;
         id && x->npeople < NGX_ROOMS_EXPORT_PEOPLE;
         id = id->next)
    {
        ids[x->npeople++] = rooms_id_str(id);
    }

    (void) ngx_rooms_ask_many(b, &x->rq->keys, "HMGET",
                              NGX_ROOMS_KEY_PARTICIPANTS, ROOMS_NULL, ids,
                              x->npeople);

    x->person = 0;
    x->state = NGX_ROOMS_X_PEOPLE;

    return ngx_rooms_export_asked(x);
}


/* Writes the next "id":{"display_name","fqid","avatar_url"} */
ngx_int_t
ngx_rooms_export_people(ngx_rooms_export_t *x)
{
    ngx_int_t            rc;
    rooms_buf_t         *b;
    rooms_str_t          id;
    ngx_pool_t          *pool;
    redisReply          *reply;
    ngx_rooms_json_t     text;
    ngx_rooms_profile_t  p;

    if (x->person == x->npeople) {
        x->state = NGX_ROOMS_X_ASK_PEOPLE;
        return NGX_OK;
    }

    pool = x->rq->batch->pool;
    reply = ngx_rooms_reply_element(x->rq->batch->replies[0], x->person++);
    id = rooms_id_str(x->next);

    rc = ngx_rooms_show_profile(pool, x->rq->r->connection->log,
                                ngx_rooms_reply_str(reply), id, &p);

    b = ngx_rooms_json(&text, pool);

    rooms_json_raw(b, x->any ? ",\n" : "\n", x->any ? 2 : 1);
    rooms_json_put(b, "%s:{\"display_name\":%s,\"fqid\":", id, p.name);

    if (rc == NGX_OK) {
        ngx_rooms_fqid_json(b, &p, &x->rq->conf->server_name);

    } else {
        rooms_json_lit(b, "null");
    }

    rooms_json_put(b, ",\"avatar_url\":%s}", p.avatar);

    if (b->full) {
        return ngx_rooms_export_fail(x, "no memory");
    }

    ngx_rooms_export_put(x, ngx_rooms_json_end(&text));

    x->next = x->next->next;
    x->any = 1;

    return NGX_OK;
}


/* Media */


/*
 * Checks a content now, since the manifest comes before the contents and must
 * say which are lost.  If one disappears later, the export ends.
 * NGX_DECLINED: it is lost.  A temporary error ends the export as well.
 */
static ngx_int_t
ngx_rooms_export_look(ngx_rooms_export_t *x, ngx_rooms_medium_t *m)
{
    ngx_int_t    rc;
    ngx_uint_t   after;
    rooms_id_t  *content;

    content = rooms_id_set_add(&x->contents, m->sha256);
    if (content == NULL) {
        return ngx_rooms_export_fail(x, "no memory");
    }

    if (content->data == NULL) {
        content->data = m;
        rc = ngx_rooms_export_open(x, m);

        if (rc == NGX_ERROR && ngx_rooms_fault_disk(ngx_errno, &after)
                               != NGX_ROOMS_FAULT_OURS)
        {
            return ngx_rooms_export_fail(x, "a medium can't be read now");
        }

        if (rc != NGX_OK) {
            content->data = &ngx_rooms_export_lost;
        }

        if (x->file_pool) {
            ngx_destroy_pool(x->file_pool);
            x->file_pool = NULL;
        }
    }

    return content->data == &ngx_rooms_export_lost ? NGX_DECLINED : NGX_OK;
}


static ngx_int_t
ngx_rooms_export_open(ngx_rooms_export_t *x, ngx_rooms_medium_t *m)
{
    ngx_log_t  *log;

    log = x->rq->r->connection->log;

    x->file_pool = ngx_create_pool(NGX_ROOMS_BLOB_PATH + 512, log);
    if (x->file_pool == NULL) {
        ngx_set_errno(NGX_ENOMEM);
        return NGX_ERROR;
    }

    return ngx_rooms_blob_open(&x->file, x->file_pool, log,
                               x->rq->conf->media_path->name,
                               x->rq->principal.tenant, m->sha256.data,
                               m->size);
}


static void
ngx_rooms_export_medium(ngx_rooms_export_t *x, rooms_str_t id,
    ngx_rooms_medium_t *m)
{
    rooms_buf_t  *b;

    b = &x->aside;

    rooms_buf_init(b, b->start, NGX_ROOMS_EXPORT_ASIDE);

    rooms_json_raw(b, x->any ? ",\n" : "\n", x->any ? 2 : 1);
    rooms_json_lit(b, "{\"media_id\":");
    rooms_json_str(b, id);

    if (m) {
        rooms_json_put(b, ",\"sha256\":%s,\"size\":%d,\"name\":%s,"
                       "\"mime_type\":%s", m->sha256, (int64_t) m->size,
                       m->name, m->mime);
    }

    rooms_json_lit(b, "}");

    ngx_rooms_export_put_aside(x);

    x->any = 1;
}


ngx_int_t
ngx_rooms_export_media(ngx_rooms_export_t *x)
{
    ngx_int_t            rc;
    rooms_id_t          *id;
    ngx_rooms_medium_t  *m;

    id = x->next;

    if (id == NULL) {
        ngx_rooms_export_put(x, ngx_rooms_s("\n],\"missing_media\":["));

        x->next = x->media.first;
        x->any = 0;
        x->state = NGX_ROOMS_X_MISSING;

        return NGX_OK;
    }

    x->next = id->next;
    m = id->data;

    rc = m ? ngx_rooms_export_look(x, m) : NGX_DECLINED;

    if (rc == NGX_OK) {
        ngx_rooms_export_medium(x, rooms_id_str(id), m);
    }

    return rc == NGX_ERROR ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_rooms_export_missing(ngx_rooms_export_t *x)
{
    rooms_id_t          *id, *content;
    rooms_buf_t         *b;
    ngx_rooms_medium_t  *m;

    id = x->next;

    if (id) {
        x->next = id->next;
        m = id->data;

        content = m ? rooms_id_set_find(&x->contents, m->sha256) : NULL;

        if (content == NULL || content->data == &ngx_rooms_export_lost) {
            ngx_rooms_export_medium(x, rooms_id_str(id), m);
        }

        return NGX_OK;
    }

    b = &x->aside;

    rooms_buf_init(b, b->start, NGX_ROOMS_EXPORT_ASIDE);
    rooms_json_lit(b, "\n]");

    if (x->unlisted) {
        rooms_json_lit(b, ",\"missing_media_unlisted\":");
        rooms_json_int(b, x->unlisted);
    }

    rooms_json_lit(b, "}\n");

    ngx_rooms_export_put_aside(x);

    x->state = NGX_ROOMS_X_MANIFEST_END;

    return NGX_OK;
}


ngx_int_t
ngx_rooms_export_manifest_end(ngx_rooms_export_t *x)
{
    size_t         len;
    ssize_t        n;
    ngx_int_t      rc;
    const u_char  *p;

    rc = ngx_rooms_export_room(x, ROOMS_ZIP_DESCRIPTOR_LEN);

    if (rc != NGX_OK) {
        return rc;
    }

    if (!rooms_zip_deflated(&x->zip)) {
        p = NULL;
        len = 0;
        n = rooms_zip_deflate(&x->zip, &p, &len, x->buf->last,
                              x->buf->end - x->buf->last, 1);

    } else {
        n = rooms_zip_end(&x->zip, x->buf->last, x->buf->end - x->buf->last);

        x->next = x->contents.first;
        x->state = NGX_ROOMS_X_ASK_FILE;
    }

    if (n == -1) {
        return ngx_rooms_export_zip_fail(x);
    }

    x->buf->last += n;

    return NGX_OK;
}


/* A caller who has been removed from the room gets no more media. */
ngx_int_t
ngx_rooms_export_ask_file(ngx_rooms_export_t *x)
{
    while (x->next && x->next->data == &ngx_rooms_export_lost) {
        x->next = x->next->next;
    }

    if (x->next == NULL) {
        x->state = NGX_ROOMS_X_DIRECTORY;
        return NGX_OK;
    }

    x->state = NGX_ROOMS_X_FILE;

    if (ngx_current_msec - x->checked < NGX_ROOMS_EXPORT_RECHECK) {
        return NGX_OK;
    }

    if (ngx_rooms_export_ask(x) == NULL) {
        return ngx_rooms_export_fail(x, "no memory");
    }

    return ngx_rooms_export_asked(x);
}


ngx_int_t
ngx_rooms_export_file(ngx_rooms_export_t *x)
{
    u_char               name[ROOMS_ZIP_NAME_MAX];
    ssize_t              n;
    ngx_int_t            rc;
    ngx_buf_t           *b;
    rooms_zip_entry_t    e;
    ngx_rooms_medium_t  *m;

    m = x->next->data;

    rc = ngx_rooms_export_room(x, ROOMS_ZIP_HEADER_MAX);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_rooms_export_open(x, m) != NGX_OK) {
        return ngx_rooms_export_fail(x, "a medium has vanished");
    }

    ngx_memzero(&e, sizeof(rooms_zip_entry_t));

    e.name.data = name;
    e.name.len = rooms_bundle_media_name(m->sha256.data, m->name, name);
    e.mtime = m->created_at;
    e.method = ROOMS_ZIP_STORE;
    e.known = 1;
    e.crc = m->crc32;
    e.size = m->size;

    n = rooms_zip_begin(&x->zip, &e, x->buf->last,
                        x->buf->end - x->buf->last);
    if (n == -1) {
        return ngx_rooms_export_zip_fail(x);
    }

    x->buf->last += n;
    x->state = NGX_ROOMS_X_FILE_SENT;

    if (m->size == 0) {
        return NGX_OK;
    }

    b = &x->file_buf;

    ngx_memzero(b, sizeof(ngx_buf_t));

    b->file = &x->file;
    b->file_last = m->size;
    b->in_file = 1;

    return ngx_rooms_export_send(x, b, 0);
}


/* The client has the file, so at most one file is open. */
ngx_int_t
ngx_rooms_export_file_sent(ngx_rooms_export_t *x)
{
    u_char  none[ROOMS_ZIP_DESCRIPTOR_LEN];

    ngx_destroy_pool(x->file_pool);
    x->file_pool = NULL;

    if (rooms_zip_end(&x->zip, none, sizeof(none)) == -1) {
        return ngx_rooms_export_zip_fail(x);
    }

    x->next = x->next->next;
    x->state = NGX_ROOMS_X_ASK_FILE;

    return NGX_OK;
}


ngx_int_t
ngx_rooms_export_directory(ngx_rooms_export_t *x)
{
    ssize_t    n;
    ngx_int_t  rc;

    rc = ngx_rooms_export_room(x, 1);

    if (rc != NGX_OK) {
        return rc;
    }

    n = rooms_zip_finish(&x->zip, x->buf->last, x->buf->end - x->buf->last);

    if (n == -1) {
        return ngx_rooms_export_zip_fail(x);
    }

    if (n == 0) {
        return NGX_DONE;
    }

    x->buf->last += n;

    return NGX_OK;
}
