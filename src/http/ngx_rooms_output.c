/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_rooms_request.h"


#define NGX_ROOMS_OUT_MIN   2048
#define NGX_ROOMS_OUT_REF   1024      /* longer strings aren't copied */
#define NGX_ROOMS_OUT_REST  256       /* less memory isn't used again */


static ngx_buf_t *ngx_rooms_out_link(ngx_rooms_out_t *out);
static int ngx_rooms_out_grow(rooms_buf_t *b, size_t len);


void
ngx_rooms_out_init(ngx_rooms_out_t *out, ngx_pool_t *pool)
{
    ngx_memzero(out, sizeof(ngx_rooms_out_t));

    out->pool = pool;
    out->next = &out->first;
    out->b.grow = ngx_rooms_out_grow;
}


/*
 * Ends the buffer that is being written.  The rest of its memory is for the
 * next one.
 */
void
ngx_rooms_out_close(ngx_rooms_out_t *out)
{
    if (out->buf == NULL) {
        return;
    }

    out->buf->pos = out->b.start;
    out->buf->last = out->b.last;
    out->size += out->b.last - out->b.start;
    out->rest = out->b.end - out->b.last;
    out->buf = NULL;

    out->b.start = out->b.end;
    out->b.last = out->b.end;
}


static ngx_buf_t *
ngx_rooms_out_link(ngx_rooms_out_t *out)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    b = ngx_calloc_buf(out->pool);
    cl = ngx_alloc_chain_link(out->pool);

    if (b == NULL || cl == NULL) {
        out->failed = 1;
        return NULL;
    }

    cl->buf = b;
    cl->next = NULL;
    *out->next = cl;
    out->next = &cl->next;

    return b;
}


/*
 * Begins another buffer of at least len bytes.  After a failed allocation,
 * writers write nothing more; whoever reads the output checks `failed`.
 */
static int
ngx_rooms_out_grow(rooms_buf_t *b, size_t len)
{
    size_t            size;
    u_char           *start;
    ngx_rooms_out_t  *out;

    out = (ngx_rooms_out_t *) ((u_char *) b - offsetof(ngx_rooms_out_t, b));

    if (out->failed) {
        return 0;
    }

    ngx_rooms_out_close(out);

    if (out->rest >= ngx_max(len, NGX_ROOMS_OUT_REST)) {
        size = out->rest;
        start = b->end - size;

    } else {
        size = ngx_max(len, NGX_ROOMS_OUT_MIN);
        size = ngx_max(size, ngx_min(out->size, 65536));
        start = ngx_pnalloc(out->pool, size);
    }

    out->rest = 0;
    out->buf = start ? ngx_rooms_out_link(out) : NULL;

    if (out->buf == NULL) {
        out->failed = 1;
        return 0;
    }

    out->buf->memory = 1;

    b->start = start;
    b->last = start;
    b->end = start + size;

    return 1;
}


rooms_buf_t *
ngx_rooms_out_piece(ngx_rooms_out_t *out, size_t size)
{
    if (out->buf == NULL || (size_t) (out->b.end - out->b.last) < size) {
        (void) ngx_rooms_out_grow(&out->b, size);
    }

    return &out->b;
}


void
ngx_rooms_out_ref(ngx_rooms_out_t *out, rooms_str_t s)
{
    if (s.len < NGX_ROOMS_OUT_REF) {
        rooms_json_raw(&out->b, s.data, s.len);
        return;
    }

    (void) ngx_rooms_out_place(out, s);
}


void
ngx_rooms_out_event(ngx_rooms_out_t *out, rooms_str_t event)
{
    if (ngx_rooms_out_imported(out, event) != NGX_OK) {
        ngx_rooms_out_ref(out, event);
    }
}


ngx_buf_t *
ngx_rooms_out_place(ngx_rooms_out_t *out, rooms_str_t s)
{
    ngx_buf_t  *b;

    ngx_rooms_out_close(out);

    b = ngx_rooms_out_link(out);
    if (b == NULL) {
        return NULL;
    }

    b->memory = 1;
    b->pos = (u_char *) s.data;
    b->last = b->pos + s.len;
    out->size += s.len;

    return b;
}


rooms_str_t
ngx_rooms_out_flat(ngx_rooms_out_t *out)
{
    u_char       *p, *start;
    ngx_chain_t  *cl;

    ngx_rooms_out_close(out);

    start = ngx_pnalloc(out->pool, out->size + 1);
    if (start == NULL || out->failed) {
        return ROOMS_NULL;
    }

    p = start;

    for (cl = out->first; cl; cl = cl->next) {
        p = ngx_cpymem(p, cl->buf->pos, cl->buf->last - cl->buf->pos);
    }

    return (rooms_str_t) { p - start, start };
}
