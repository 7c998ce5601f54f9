/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * An export's events: reads them in pages, and shows each as it was when the
 * export began.
 *
 * Events sent since then have a higher position.  An edit made since then has
 * changed its event in place.  But each edit is also an event of its own with
 * the new body, so the store still has the older body: in the last edit
 * before the snapshot, or in the original content.  So a snapshot costs
 * writers nothing.  One thing isn't undone: a body that was redacted
 * meanwhile is missing here too.
 */

#include "ngx_rooms_export.h"


static ngx_int_t ngx_rooms_export_list(ngx_rooms_export_t *x);
static ngx_uint_t ngx_rooms_export_within(ngx_rooms_export_t *x,
    ngx_rooms_export_event_t *e);
static ngx_uint_t ngx_rooms_export_edited(ngx_rooms_export_t *x,
    ngx_rooms_export_event_t *e);
static ngx_int_t ngx_rooms_export_older(ngx_rooms_export_t *x,
    ngx_rooms_export_event_t *e, rooms_str_t edit);
static ngx_int_t ngx_rooms_export_revert(ngx_rooms_export_t *x,
    ngx_rooms_export_event_t *e, rooms_str_t edit);
static ngx_int_t ngx_rooms_export_rewrite(ngx_rooms_export_t *x,
    rooms_str_t *json, const rooms_json_set_t *set, ngx_uint_t n);
static ngx_int_t ngx_rooms_export_authors(ngx_rooms_export_t *x,
    ngx_rooms_export_event_t *e);
static ngx_int_t ngx_rooms_export_sender(ngx_rooms_export_t *x,
    ngx_rooms_export_event_t *e);
static ngx_int_t ngx_rooms_export_insert(ngx_rooms_export_t *x,
    rooms_str_t *json, rooms_str_t object, rooms_str_t name,
    rooms_str_t value);


/*
 * Reads as many events as the plain command may (ngx_rooms_pager.h).  If it
 * met one that needs the script, the script reads a whole page from there.
 * An edit may make an event larger than all before, so the room's largest
 * size is asked with each page.
 */
ngx_int_t
ngx_rooms_export_ask_page(ngx_rooms_export_t *x)
{
    ngx_uint_t          n;
    ngx_rooms_batch_t  *b;

    if (x->after >= x->upto) {
        rooms_buf_init(&x->aside, x->aside.start, NGX_ROOMS_EXPORT_ASIDE);
        rooms_json_lit(&x->aside, "\n],\"participants\":{");
        ngx_rooms_export_put_aside(x);

        x->next = x->people.first;
        x->any = 0;
        x->state = NGX_ROOMS_X_ASK_PEOPLE;

        return NGX_OK;
    }

    b = ngx_rooms_export_ask(x);

    /* the page lives in its first batch's pool */

    if (b == NULL || ngx_rooms_pager_next(&x->pager, b->pool) != NGX_OK) {
        return ngx_rooms_export_fail(x, "no memory");
    }

    n = NGX_ROOMS_EXPORT_PLAIN / x->pager.big;

    x->pager.exact = x->exact || n < NGX_ROOMS_EXPORT_FEW;
    x->pager.limit = x->pager.exact ? NGX_ROOMS_EXPORT_EVENTS : n - 1;
    x->pager.bytes = x->pager.exact ? NGX_ROOMS_EXPORT_PAGE
                                    : NGX_ROOMS_EXPORT_PLAIN;
    x->exact = 0;

    if (ngx_rooms_pager_ask(&x->pager, b) != NGX_OK) {
        return ngx_rooms_export_fail(x, "no memory");
    }

    (void) ngx_rooms_command(b, ngx_rooms_s("HGET"), x->key_room,
                             ngx_rooms_field_big);

    x->state = NGX_ROOMS_X_PAGE;

    return ngx_rooms_export_asked(x);
}


ngx_int_t
ngx_rooms_export_page(ngx_rooms_export_t *x)
{
    ngx_int_t                  rc;
    ngx_uint_t                 i, asked;
    rooms_str_t                at;
    ngx_rooms_batch_t         *b;
    ngx_rooms_export_event_t  *e;

    x->page = x->rq->batch;

    rc = ngx_rooms_export_list(x);

    if (rc != NGX_OK) {
        return rc == NGX_AGAIN ? NGX_OK : NGX_ERROR;
    }

    b = NULL;
    asked = 0;

    for (i = 0; i < x->nevents; i++) {
        e = &x->events[i];

        if (!ngx_rooms_export_edited(x, e)) {
            continue;
        }

        if (e->edit.data == NULL) {
            rc = ngx_rooms_export_older(x, e, ROOMS_NULL);

            if (rc != NGX_OK) {
                return rc;
            }

            continue;
        }

        if (b == NULL) {
            b = ngx_rooms_export_ask(x);
        }

        if (b == NULL) {
            return ngx_rooms_export_fail(x, "no memory");
        }

        at = ngx_rooms_number(b->pool, rooms_event_position(e->edit));

        (void) ngx_rooms_command(b, ngx_rooms_s("ZRANGEBYSCORE"),
                                 x->key_events, at, at);
        asked++;
    }

    if (asked == 0) {
        return ngx_rooms_export_collect(x);
    }

    x->state = NGX_ROOMS_X_EDITS;

    return ngx_rooms_export_asked(x);
}


/*
 * The page without events outside of the requested times.  NGX_AGAIN: the
 * script has to read it.
 */
static ngx_int_t
ngx_rooms_export_list(ngx_rooms_export_t *x)
{
    int64_t                    big;
    ngx_int_t                  rc;
    ngx_uint_t                 i, n;
    ngx_rooms_paged_t         *paged;
    ngx_rooms_export_event_t  *e;

    big = ngx_rooms_reply_int(x->page->replies[1], 0);

    if (big > x->pager.big && big <= UINT32_MAX) {
        x->pager.big = big;
    }

    rc = ngx_rooms_pager_take(&x->pager, x->page->replies[0]);

    if (rc == NGX_AGAIN && x->pager.page.nelts == 0) {
        x->page = NULL;
        x->exact = 1;
        x->state = NGX_ROOMS_X_ASK_PAGE;

        return NGX_AGAIN;
    }

    if (rc == NGX_AGAIN) {
        /* what came before it is a page of its own */
        x->pager.more = 1;
        x->exact = 1;

    } else if (rc != NGX_OK) {
        return ngx_rooms_export_fail(x, "no memory");
    }

    n = x->pager.page.nelts;
    paged = x->pager.page.elts;

    x->event = 0;
    x->nevents = 0;
    x->events = ngx_palloc(x->page->pool,
                           (n + 1) * sizeof(ngx_rooms_export_event_t));

    if (x->events == NULL) {
        return ngx_rooms_export_fail(x, "no memory");
    }

    /* if nothing is left, the rest was removed: this is the end */

    x->after = x->pager.more ? x->pager.from : x->upto;

    for (i = 0; i < n; i++) {
        e = &x->events[x->nevents];

        e->stored = paged[i].stored;
        e->json = e->stored.json;
        e->copies = paged[i].copies;
        e->edit = ROOMS_NULL;
        e->ready = 0;

        x->nevents += ngx_rooms_export_within(x, e);
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_rooms_export_within(ngx_rooms_export_t *x, ngx_rooms_export_event_t *e)
{
    if (x->from == 0 && x->to == INT64_MAX) {
        return 1;
    }

    return e->stored.readable && e->stored.created_at >= x->from
           && e->stored.created_at < x->to;
}


/*
 * Whether the event was edited since the snapshot.  If so, sets `edit` to the
 * last edit before it, if there was one.
 */
static ngx_uint_t
ngx_rooms_export_edited(ngx_rooms_export_t *x, ngx_rooms_export_event_t *e)
{
    int64_t       position;
    u_char       *p, *last;
    ngx_uint_t    since;
    rooms_str_t   word, left;

    since = 0;
    left = e->copies;

    while (left.len) {
        last = (u_char *) left.data + left.len;
        p = ngx_strlchr((u_char *) left.data, last, ' ');

        word.data = left.data;
        word.len = (p ? p : last) - left.data;

        left.data = p ? p + 1 : last;
        left.len = last - left.data;

        if (!rooms_id_valid(word, "evt-")) {
            continue;
        }

        position = rooms_event_position(word);

        if (position > x->upto) {
            since = 1;

        } else if (e->edit.data == NULL
                   || position > rooms_event_position(e->edit))
        {
            e->edit = word;
        }
    }

    return since;
}


ngx_int_t
ngx_rooms_export_edits(ngx_rooms_export_t *x)
{
    ngx_uint_t                 i, n;
    redisReply                *reply;
    ngx_rooms_export_event_t  *e;

    for (i = 0, n = 0; i < x->nevents; i++) {
        e = &x->events[i];

        if (!ngx_rooms_export_edited(x, e) || e->edit.data == NULL) {
            continue;
        }

        reply = ngx_rooms_reply_element(x->rq->batch->replies[n++], 0);

        if (ngx_rooms_export_older(x, e, ngx_rooms_reply_str(reply))
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_rooms_export_collect(x);
}


/* Makes the event as it was when the export began. */
static ngx_int_t
ngx_rooms_export_older(ngx_rooms_export_t *x, ngx_rooms_export_event_t *e,
    rooms_str_t edit)
{
    if (ngx_rooms_export_revert(x, e, edit) != NGX_OK) {
        return NGX_ERROR;
    }

    e->stored.content = rooms_json_member(e->json, "content");
    e->stored.original = rooms_json_member(e->json, "original_content");

    return NGX_OK;
}


/* Its JSON with the body of that edit, or with the original one. */
static ngx_int_t
ngx_rooms_export_revert(ngx_rooms_export_t *x, ngx_rooms_export_event_t *e,
    rooms_str_t edit)
{
    rooms_str_t     original, body;
    rooms_stored_t  s;

    original = e->stored.original;

    if (e->edit.data == NULL) {

        if (original.data == NULL) {
            return NGX_OK;
        }

        return ngx_rooms_export_rewrite(x, &e->json, (rooms_json_set_t[]) {
                                            { "content", original },
                                            { "edited_at",
                                              ngx_rooms_s("null") },
                                            { "original_content",
                                              ROOMS_NULL } }, 3);
    }

    if (ngx_rooms_parse_event(x->page->pool, x->pager.log, edit, x->pager.room,
                              0, &s) != NGX_OK)
    {
        return ngx_rooms_export_fail(x, "no memory");
    }

    body = s.readable ? rooms_json_member(s.content, "content") : ROOMS_NULL;

    if (body.data == NULL) {
        /* it was redacted a moment ago, together with its edits */

        body = rooms_json_member(s.json, "redacted_at");

        return ngx_rooms_export_rewrite(x, &e->json, (rooms_json_set_t[]) {
                                            { "content", ngx_rooms_s("{}") },
                                            { "redacted_at", body },
                                            { "original_content",
                                              ROOMS_NULL } }, 3);
    }

    return ngx_rooms_export_rewrite(x, &e->json, (rooms_json_set_t[]) {
                                        { "content", body },
                                        { "edited_at",
                                          rooms_json_member(s.json,
                                                            "created_at") } },
                                    2);
}


/* Makes a copy with other values, in the page's pool. */
static ngx_int_t
ngx_rooms_export_rewrite(ngx_rooms_export_t *x, rooms_str_t *json,
    const rooms_json_set_t *set, ngx_uint_t n)
{
    rooms_buf_t      *b;
    ngx_rooms_json_t  text;

    b = ngx_rooms_json(&text, x->page->pool);

    rooms_json_rewrite(b, *json, set, n);

    *json = ngx_rooms_json_end(&text);

    return json->data ? NGX_OK : ngx_rooms_export_fail(x, "no memory");
}


/*
 * Writes the next events of the page.  Writes short ones together, since each
 * call of zlib and of the checksum costs as much as some hundred bytes.
 */
ngx_int_t
ngx_rooms_export_events(ngx_rooms_export_t *x)
{
    rooms_buf_t               *b;
    rooms_str_t                comma;
    ngx_rooms_export_event_t  *e;

    if (x->event == x->nevents) {

        if (x->rq->batch == x->page) {
            x->rq->batch = NULL;
        }

        ngx_rooms_batch_free(x->page);
        x->page = NULL;

        x->state = NGX_ROOMS_X_ASK_PAGE;

        return NGX_OK;
    }

    b = &x->aside;
    rooms_buf_init(b, b->start, NGX_ROOMS_EXPORT_ASIDE);

    while (x->event < x->nevents) {
        e = &x->events[x->event];

        if (!e->ready) {

            if (ngx_rooms_export_authors(x, e) != NGX_OK
                || ngx_rooms_export_sender(x, e) != NGX_OK)
            {
                return NGX_ERROR;
            }

            e->ready = 1;
        }

        comma = x->written ? ngx_rooms_s(",\n") : ngx_rooms_s("\n");

        if (comma.len + e->json.len > (size_t) (b->end - b->last)) {

            if (b->last == b->start) {
                ngx_rooms_export_put(x, comma);
                ngx_rooms_export_put(x, e->json);

                x->written++;
                x->event++;
            }

            break;
        }

        rooms_json_raw(b, comma.data, comma.len);
        rooms_json_raw(b, e->json.data, e->json.len);

        x->written++;
        x->event++;
    }

    ngx_rooms_export_put_aside(x);

    return NGX_OK;
}


/* Replaces the authors' numbers of an imported event by the authors. */
static ngx_int_t
ngx_rooms_export_authors(ngx_rooms_export_t *x, ngx_rooms_export_event_t *e)
{
    size_t       size;
    u_char      *p;
    unsigned     i;
    rooms_id_t  *id;

    if (e->authors.n == 0) {
        return NGX_OK;
    }

    for (i = 0; i < e->authors.n; i++) {
        id = rooms_id_set_find(&x->numbers, e->authors.numbers[i]);
        e->authors.authors[i] = id ? ngx_rooms_reply_str(id->data)
                                   : ROOMS_NULL;
    }

    size = rooms_authors_size(&e->authors, e->json);

    p = ngx_pnalloc(x->page->pool, size);
    if (p == NULL) {
        return ngx_rooms_export_fail(x, "no memory");
    }

    e->json = rooms_authors_put(&e->authors, e->json, p, size);

    return e->json.data ? NGX_OK : ngx_rooms_export_fail(x, "no memory");
}


/*
 * Adds who wrote it, if the sender isn't a participant of this server
 * (docs/export-import.md).
 */
static ngx_int_t
ngx_rooms_export_sender(ngx_rooms_export_t *x, ngx_rooms_export_event_t *e)
{
    rooms_id_t   *who;
    rooms_str_t   content, *profile;

    who = e->stored.readable ? rooms_id_set_find(&x->people, e->stored.sender)
                             : NULL;
    profile = who ? who->data : NULL;

    if (profile == NULL || profile->len == 0) {
        return NGX_OK;
    }

    /* nearly always the event and its content are as they were read */

    content = e->stored.content;

    if (content.data < e->json.data
        || content.data >= e->json.data + e->json.len)
    {
        content = rooms_json_member(e->json, "content");
    }

    if (content.data == NULL
        || rooms_json_member(content, "_imported_sender").data)
    {
        return NGX_OK;
    }

    return ngx_rooms_export_insert(x, &e->json, content,
                                   ngx_rooms_s("\"_imported_sender\":"),
                                   *profile);
}


/* Adds a member at the end of an object inside the event. */
static ngx_int_t
ngx_rooms_export_insert(ngx_rooms_export_t *x, rooms_str_t *json,
    rooms_str_t object, rooms_str_t name, rooms_str_t value)
{
    rooms_buf_t      *b;
    rooms_str_t       key, first;
    ngx_rooms_json_t  text;

    b = ngx_rooms_json(&text, x->page->pool);

    rooms_json_raw(b, json->data,
                   object.data + object.len - 1 - json->data);

    first = ROOMS_NULL;

    if (rooms_json_next(object, &key, &first)) {
        rooms_json_lit(b, ",");
    }

    rooms_json_raw(b, name.data, name.len);
    rooms_json_raw(b, value.data, value.len);
    rooms_json_raw(b, object.data + object.len - 1,
                   json->data + json->len - (object.data + object.len - 1));

    *json = ngx_rooms_json_end(&text);

    return json->data ? NGX_OK : ngx_rooms_export_fail(x, "no memory");
}
