/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Looks up the people and media that a page's events name and no earlier page
 * did.  So an event of somebody from elsewhere can say who that is, and only
 * media of the tenant are remembered.  Authors of imported events are looked
 * up for each page, and then forgotten.
 */

#include "ngx_rooms_export.h"
#include "rooms_media.h"


static ngx_int_t ngx_rooms_export_collect_people(ngx_rooms_export_t *x,
    const rooms_stored_t *e);
static ngx_int_t ngx_rooms_export_person(ngx_rooms_export_t *x,
    rooms_str_t id);
static ngx_int_t ngx_rooms_export_collect_media(ngx_rooms_export_t *x,
    const rooms_stored_t *e);
static ngx_int_t ngx_rooms_export_collect_refs(ngx_rooms_export_t *x,
    rooms_str_t content);
static ngx_int_t ngx_rooms_export_collect_authors(ngx_rooms_export_t *x,
    ngx_rooms_export_event_t *e);
static ngx_int_t ngx_rooms_export_ask_refs(ngx_rooms_export_t *x);
static ngx_int_t ngx_rooms_export_take_people(ngx_rooms_export_t *x,
    redisReply *reply);
static ngx_int_t ngx_rooms_export_take_media(ngx_rooms_export_t *x,
    redisReply *reply);
static rooms_str_t *ngx_rooms_export_stranger(ngx_rooms_export_t *x,
    const ngx_rooms_profile_t *p, ngx_uint_t known);


/* Marks participants of this server, who need no introduction. */
static rooms_str_t  ngx_rooms_export_own = { 0, (u_char *) "" };


ngx_int_t
ngx_rooms_export_collect(ngx_rooms_export_t *x)
{
    ngx_uint_t                 i;
    ngx_rooms_export_event_t  *e;

    rooms_id_set_cleanup(&x->fresh);
    rooms_id_set_init(&x->fresh, x->people.key, ngx_rooms_export_alloc,
                      x->page->pool);
    rooms_id_set_cleanup(&x->numbers);
    rooms_id_set_init(&x->numbers, x->people.key, ngx_rooms_export_alloc,
                      x->page->pool);

    if (ngx_array_init(&x->strangers, x->page->pool, 16, sizeof(rooms_id_t *))
        != NGX_OK)
    {
        return ngx_rooms_export_fail(x, "no memory");
    }

    for (i = 0; i < x->nevents; i++) {
        e = &x->events[i];

        if (ngx_rooms_export_collect_people(x, &e->stored) != NGX_OK
            || ngx_rooms_export_collect_authors(x, e) != NGX_OK
            || (x->with_media
                && ngx_rooms_export_collect_media(x, &e->stored) != NGX_OK))
        {
            return ngx_rooms_export_fail(x, "no memory");
        }
    }

    if (x->strangers.nelts == 0 && x->fresh.n == 0 && x->numbers.n == 0) {
        x->state = NGX_ROOMS_X_EVENTS;
        return NGX_OK;
    }

    return ngx_rooms_export_ask_refs(x);
}


/* The sender, and participants who are invited, removed or given power. */
static ngx_int_t
ngx_rooms_export_collect_people(ngx_rooms_export_t *x,
    const rooms_stored_t *e)
{
    rooms_str_t  ids, id;

    if (ngx_rooms_export_person(x, e->sender) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!rooms_str_eq(e->type, ngx_rooms_s("member"))
        && !rooms_str_eq(e->type, ngx_rooms_s("power_level")))
    {
        return NGX_OK;
    }

    id = rooms_json_member(e->content, "participant_id");

    if (ngx_rooms_export_person(x, ngx_rooms_json_id(x->page->pool, id))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ids = rooms_json_member(e->content, "participant_ids");

    for ( ;; ) {
        id = rooms_json_element(&ids);

        if (id.data == NULL) {
            return NGX_OK;
        }

        if (ngx_rooms_export_person(x, ngx_rooms_json_id(x->page->pool, id))
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }
}


static ngx_int_t
ngx_rooms_export_person(ngx_rooms_export_t *x, rooms_str_t id)
{
    size_t        n;
    rooms_id_t   *who, **stranger;

    if (id.data == NULL) {
        return NGX_OK;
    }

    n = x->people.n;
    who = rooms_id_set_add(&x->people, id);

    if (who == NULL) {
        return NGX_ERROR;
    }

    if (x->people.n == n) {
        return NGX_OK;
    }

    stranger = ngx_array_push(&x->strangers);
    if (stranger == NULL) {
        return NGX_ERROR;
    }

    *stranger = who;

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_export_collect_authors(ngx_rooms_export_t *x,
    ngx_rooms_export_event_t *e)
{
    unsigned  i;

    (void) rooms_authors_find(&e->authors, e->json);

    for (i = 0; i < e->authors.n; i++) {

        if (rooms_id_set_add(&x->numbers, e->authors.numbers[i]) == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * References in the content, in the body of an edit, and in the original
 * content.
 */
static ngx_int_t
ngx_rooms_export_collect_media(ngx_rooms_export_t *x, const rooms_stored_t *e)
{
    if (ngx_rooms_export_collect_refs(x, e->content) != NGX_OK
        || ngx_rooms_export_collect_refs(x, e->original) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return e->edit ? ngx_rooms_export_collect_refs(x,
                                      rooms_json_member(e->content, "content"))
                   : NGX_OK;
}


static ngx_int_t
ngx_rooms_export_collect_refs(ngx_rooms_export_t *x, rooms_str_t content)
{
    rooms_str_t          id;
    rooms_media_refs_t   refs;

    if (content.data == NULL || content.data[0] != '{') {
        return NGX_OK;
    }

    rooms_media_refs_init(&refs, content);

    for ( ;; ) {
        id = rooms_media_refs_next(&refs);

        if (id.data == NULL) {
            break;
        }

        if (rooms_id_set_find(&x->media, id) == NULL
            && rooms_id_set_add(&x->fresh, id) == NULL)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_export_ask_refs(ngx_rooms_export_t *x)
{
    rooms_id_t         *id, **strangers;
    ngx_uint_t          i, n;
    rooms_str_t        *ids;
    ngx_rooms_keys_t   *keys;
    ngx_rooms_batch_t  *b;

    b = ngx_rooms_export_ask(x);
    if (b == NULL) {
        return ngx_rooms_export_fail(x, "no memory");
    }

    keys = &x->rq->keys;

    n = ngx_max(x->strangers.nelts, x->fresh.n);
    n = ngx_max(n, x->numbers.n);

    ids = ngx_palloc(b->pool, n * sizeof(rooms_str_t));
    if (ids == NULL) {
        return ngx_rooms_export_fail(x, "no memory");
    }

    strangers = x->strangers.elts;

    if (x->strangers.nelts) {

        for (i = 0; i < x->strangers.nelts; i++) {
            ids[i] = rooms_id_str(strangers[i]);
        }

        (void) ngx_rooms_ask_many(b, keys, "HMGET", NGX_ROOMS_KEY_PARTICIPANTS,
                                  ROOMS_NULL, ids, i);
    }

    if (x->fresh.n) {

        for (i = 0, id = x->fresh.first; id; id = id->next) {
            ids[i++] = rooms_id_str(id);
        }

        (void) ngx_rooms_media_load(b, keys, ids, i);
    }

    if (x->numbers.n) {

        for (i = 0, id = x->numbers.first; id; id = id->next) {
            ids[i++] = rooms_id_str(id);
        }

        (void) ngx_rooms_ask_many(b, keys, "HMGET", NGX_ROOMS_KEY_AUTHORS,
                                  x->rq->view.room.id, ids, i);
    }

    x->state = NGX_ROOMS_X_REFS;

    return ngx_rooms_export_asked(x);
}


ngx_int_t
ngx_rooms_export_refs(ngx_rooms_export_t *x)
{
    rooms_id_t  *id;
    ngx_uint_t   i, n;

    n = 0;

    if (x->strangers.nelts
        && ngx_rooms_export_take_people(x, x->rq->batch->replies[n++])
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (x->fresh.n
        && ngx_rooms_export_take_media(x, x->rq->batch->replies[n++])
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0, id = x->numbers.first; id; id = id->next) {
        id->data = ngx_rooms_reply_element(x->rq->batch->replies[n], i++);
    }

    x->state = NGX_ROOMS_X_EVENTS;

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_export_take_people(ngx_rooms_export_t *x, redisReply *reply)
{
    ngx_int_t              rc;
    rooms_id_t           **who;
    ngx_uint_t             i;
    ngx_rooms_profile_t    profile;

    who = x->strangers.elts;

    for (i = 0; i < x->strangers.nelts; i++) {

        rc = ngx_rooms_show_profile(x->page->pool, x->rq->r->connection->log,
                      ngx_rooms_reply_str_at(reply, i),
                      rooms_id_str(who[i]), &profile);

        who[i]->data = rc == NGX_OK && profile.server.data == NULL
                       ? &ngx_rooms_export_own
                       : ngx_rooms_export_stranger(x, &profile, rc == NGX_OK);

        if (who[i]->data == NULL) {
            return ngx_rooms_export_fail(x, "no memory");
        }
    }

    return NGX_OK;
}


/* Makes {display_name, avatar_url, fqid}, which lives as long as the export */
static rooms_str_t *
ngx_rooms_export_stranger(ngx_rooms_export_t *x, const ngx_rooms_profile_t *p,
    ngx_uint_t known)
{
    rooms_buf_t      *b;
    rooms_str_t      *json;
    ngx_rooms_json_t  text;

    b = ngx_rooms_json(&text, x->page->pool);

    rooms_json_put(b, "{\"display_name\":%s,\"avatar_url\":%s,\"fqid\":",
                   p->name, p->avatar);

    if (known) {
        ngx_rooms_fqid_json(b, p, &x->rq->conf->server_name);

    } else {
        rooms_json_lit(b, "null");
    }

    rooms_json_lit(b, "}");

    json = ngx_palloc(x->rq->pool, sizeof(rooms_str_t));
    if (json == NULL || b->full) {
        return NULL;
    }

    *json = ngx_rooms_dup(x->rq->pool, ngx_rooms_json_end(&text));

    return json->data ? json : NULL;
}


/*
 * Media that the store doesn't know are listed too.  But anybody can write
 * any number of such ids, so only a limited number is kept.
 */
static ngx_int_t
ngx_rooms_export_take_media(ngx_rooms_export_t *x, redisReply *reply)
{
    ngx_uint_t            i;
    rooms_id_t           *id, *kept;
    rooms_str_t           json;
    ngx_rooms_medium_t   *m;

    for (i = 0, id = x->fresh.first; id; id = id->next, i++) {
        json = ngx_rooms_reply_str_at(reply, i);
        m = NULL;

        if (json.data) {
            m = ngx_palloc(x->rq->pool, sizeof(ngx_rooms_medium_t));
            if (m == NULL) {
                return ngx_rooms_export_fail(x, "no memory");
            }

            if (ngx_rooms_media_parse(x->rq->pool, json, rooms_id_str(id), m)
                != NGX_OK)
            {
                /* what can't be parsed counts as lost */
                ngx_rooms_unreadable(x->rq->r->connection->log, "medium",
                                     rooms_id_str(id));
                m = NULL;
            }
        }

        if (m == NULL && x->lost >= NGX_ROOMS_EXPORT_LOST) {
            x->unlisted++;
            continue;
        }

        kept = rooms_id_set_add(&x->media, rooms_id_str(id));
        if (kept == NULL) {
            return ngx_rooms_export_fail(x, "no memory");
        }

        if (m == NULL) {
            x->lost++;
            continue;
        }

        m->id = rooms_id_str(kept);
        kept->data = m;
    }

    return NGX_OK;
}
