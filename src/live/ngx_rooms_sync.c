/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * GET /v1/sync: one page of a reader (ngx_rooms_reader.c), as soon as there
 * is something.  Or, if the client accepts that, a stream of events for a
 * browser's EventSource (HTML standard, "Server-sent events").
 */

#include "ngx_rooms_sync.h"
#include "ngx_rooms_stream.h"


#define NGX_ROOMS_SYNC_WAIT      30000       /* ms */
#define NGX_ROOMS_SYNC_WAIT_MAX  60000
#define NGX_ROOMS_SYNC_AHEAD     (INT64_C(1) << 53)   /* above all positions */
#define NGX_ROOMS_SYNC_DIGITS    15                   /* they have fewer */


static ngx_int_t ngx_rooms_sync_load(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_sync_show(ngx_rooms_req_t *rq);


const ngx_rooms_endpoint_t  ngx_rooms_sync_rows[] = {

    { .method = NGX_HTTP_GET, .path = "/v1/sync",
      .part = NGX_ROOMS_PART_SYNC, .flags = NGX_ROOMS_BULK|NGX_ROOMS_STREAM,
      .op = ROOMS_OP_READ,
      .load = ngx_rooms_sync_load, .show = ngx_rooms_sync_show },

    { .path = NULL }
};


/* Whether Accept has "text/event-stream" without "q=0". */
static ngx_uint_t
ngx_rooms_sync_wants_stream(ngx_rooms_req_t *rq)
{
    u_char       *p, *last, *end;
    rooms_str_t   accept;

    static u_char  type[] = "text/event-stream";

    accept = ngx_rooms_header_in(rq->r, "Accept");

    if (rq->r != rq->r->main || accept.data == NULL) {
        return 0;
    }

    p = (u_char *) accept.data;
    last = p + accept.len;

    p = ngx_strlcasestrn(p, last, type, sizeof(type) - 2);

    if (p == NULL) {
        return 0;
    }

    p += sizeof(type) - 1;
    end = ngx_strlchr(p, last, ',');

    if (end == NULL) {
        end = last;
    }

    while (p < end && (*p == ' ' || *p == ';')) {
        p++;
    }

    return !(end - p >= 3 && ngx_strncasecmp(p, (u_char *) "q=0", 3) == 0
             && (end - p == 3 || ngx_strlchr(p, end, '1') == NULL));
}


/* A number that is larger than any position is ahead of the store, too. */
static ngx_uint_t
ngx_rooms_sync_ahead(rooms_str_t since)
{
    size_t  i, zeros;

    for (zeros = 0; zeros < since.len && since.data[zeros] == '0'; zeros++) {
        /* void */
    }

    for (i = zeros; i < since.len; i++) {
        if (since.data[i] < '0' || since.data[i] > '9') {
            return 0;
        }
    }

    return i - zeros > NGX_ROOMS_SYNC_DIGITS;
}


/* A position, or "now". */
static ngx_int_t
ngx_rooms_sync_since(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    off_t        n;
    rooms_str_t  since;

    since = s->stream ? ngx_rooms_header_in(rq->r, "Last-Event-ID")
                      : ROOMS_NULL;

    if (since.len) {
        /* a browser that reconnects says where it was */
        n = ngx_rooms_sync_ahead(since)
            ? NGX_ROOMS_SYNC_AHEAD
            : ngx_atoof((u_char *) since.data, since.len);

        if (n == NGX_ERROR) {
            return ngx_rooms_invalid(rq, "Last-Event-ID",
                                     "is not a valid position");
        }

        s->from = n;
        return NGX_OK;
    }

    if (ngx_rooms_arg(rq, "since", &since) == NGX_OK) {

        if (rooms_str_eq(since, ngx_rooms_s("now"))) {
            s->now = 1;
            return NGX_OK;
        }

        if (ngx_rooms_sync_ahead(since)) {
            s->from = NGX_ROOMS_SYNC_AHEAD;
            return NGX_OK;
        }
    }

    return ngx_rooms_arg_int(rq, "since", 0, NGX_ROOMS_SYNC_AHEAD, 0,
                             &s->from);
}


/* A poll ends when its token does. */
static ngx_int_t
ngx_rooms_sync_wait(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    int64_t     wait, left;
    ngx_msec_t  ms;

    if (ngx_rooms_arg_int(rq, "timeout", 0, INT32_MAX, NGX_ROOMS_SYNC_WAIT,
                          &wait) != NGX_OK)
    {
        return NGX_ERROR;
    }

    left = rq->principal.exp * 1000 - rq->now;
    wait = ngx_min(wait, NGX_ROOMS_SYNC_WAIT_MAX);
    ms = ngx_max(ngx_min(wait, left), 0);

    s->waits = ms > 0;
    s->until = ngx_current_msec + ms;

    return NGX_OK;
}


ngx_int_t
ngx_rooms_sync_args(ngx_rooms_req_t *rq, ngx_rooms_reader_t *s)
{
    if (ngx_rooms_sync_since(rq, s) != NGX_OK
        || ngx_rooms_arg_int(rq, "limit", 1, 500, 100, &s->limit) != NGX_OK
        || ngx_rooms_arg(rq, "epoch", &s->expects) == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    if (s->expects.len == 0) {
        s->expects = ROOMS_NULL;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_sync_begin(ngx_rooms_req_t *rq)
{
    ngx_int_t            rc;
    ngx_rooms_reader_t  *s;

    s = ngx_rooms_reader_create(rq);
    if (s == NULL) {
        return NGX_ERROR;
    }

    rq->data = s;
    s->stream = ngx_rooms_sync_wants_stream(rq);

    if (ngx_rooms_sync_args(rq, s) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = s->stream ? ngx_rooms_stream_create(rq, s, &ngx_rooms_sse)
                   : ngx_rooms_sync_wait(rq, s);

    if (rc != NGX_OK) {
        return rc;
    }

    if (rq->r == rq->r->main) {
        /* notices immediately when the client leaves */
        rq->r->read_event_handler = ngx_http_test_reading;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_sync_load(ngx_rooms_req_t *rq)
{
    if (rq->round == 0 && ngx_rooms_sync_begin(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_rooms_reader_step(rq, rq->data);
}


static ngx_int_t
ngx_rooms_sync_show(ngx_rooms_req_t *rq)
{
    ngx_uint_t           i;
    rooms_buf_t         *b;
    ngx_rooms_reader_t  *s;

    s = rq->data;

    if (s->stream) {
        rq->answer = ngx_rooms_stream_answer;
        return NGX_OK;
    }

    ngx_rooms_reader_stop(s);

    rooms_json_lit(ngx_rooms_out(&rq->out), "{\"data\":{\"events\":[");

    for (i = 0; i < s->nevents; i++) {

        rooms_json_raw(ngx_rooms_out(&rq->out), ",", i > 0);

        if (s->events[i].authored) {
            ngx_rooms_out_event(&rq->out, s->events[i].json);

        } else {
            ngx_rooms_out_ref(&rq->out, s->events[i].json);
        }
    }

    b = ngx_rooms_out(&rq->out);

    rooms_json_put(b, "],\"next_cursor\":\"%d\",\"has_more\":",
                   (int64_t) s->cursor);
    rooms_json_bool(b, s->more);
    rooms_json_lit(b, ",\"epoch\":");
    rooms_json_str(b, s->epoch);

    if (s->reset) {
        rooms_json_lit(b, ",\"reset\":");
        rooms_json_str(b, rooms_cstr(s->reset));
    }

    rooms_json_lit(b, "}}\n");

    return NGX_OK;
}


/*
 * Server-sent events.  An event without "event:" goes to the page's
 * onmessage.
 */


static ngx_int_t
ngx_rooms_sse_header(ngx_rooms_stream_t *st)
{
    ngx_http_request_t  *r;

    r = st->rq->r;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = -1;
    ngx_str_set(&r->headers_out.content_type, "text/event-stream");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    /* proxies must not cache, change or delay it */

    if (ngx_rooms_header(r, "Cache-Control",
                         ngx_rooms_s("no-store, no-transform")) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_header(r, "X-Accel-Buffering", ngx_rooms_s("no"));
}


static void
ngx_rooms_sse_hello(ngx_rooms_stream_t *st, ngx_rooms_out_t *out)
{
    rooms_buf_t  *b;

    b = ngx_rooms_out(out);

    rooms_json_lit(b, "retry: 2000\n\nevent: hello\ndata: {");
    ngx_rooms_stream_hello(st, b);
    rooms_json_lit(b, "}\n\n");
}


/* A field's value must be one line. */
static void
ngx_rooms_sse_json(ngx_rooms_out_t *out, rooms_str_t json)
{
    rooms_buf_t  *b;

    b = ngx_rooms_out_piece(out, json.len + 2);

    if ((size_t) (b->end - b->last) < json.len + 2) {
        return;
    }

    if (ngx_strlchr((u_char *) json.data, (u_char *) json.data + json.len, LF)
        || ngx_strlchr((u_char *) json.data, (u_char *) json.data + json.len,
                       CR))
    {
        b->last += rooms_json_minify(json, b->last);

    } else {
        rooms_json_raw(b, json.data, json.len);
    }

    rooms_json_lit(b, "\n\n");
}


static void
ngx_rooms_sse_event(ngx_rooms_out_t *out, rooms_str_t tenant,
    int64_t position, rooms_str_t json)
{
    rooms_buf_t  *b;

    b = ngx_rooms_out(out);
    rooms_json_put(b, "id: %d\ndata: ", (int64_t) position);
    ngx_rooms_sse_json(out, json);
}


static void
ngx_rooms_sse_caught_up(ngx_rooms_out_t *out, int64_t position)
{
    rooms_buf_t  *b;

    b = ngx_rooms_out(out);

    rooms_json_put(b, "event: caught_up\nid: %d\ndata: {\"position\":%d}\n\n",
                   (int64_t) position, (int64_t) position);
}


static void
ngx_rooms_sse_reset(ngx_rooms_out_t *out, const char *why, int64_t position)
{
    rooms_buf_t  *b;

    b = ngx_rooms_out(out);

    rooms_json_put(b, "event: reset\nid: %d\ndata: {\"reason\":\"",
                   (int64_t) position);
    rooms_json_raw(b, why, ngx_strlen(why));
    rooms_json_put(b, "\",\"position\":%d}\n\n", (int64_t) position);
}


static void
ngx_rooms_sse_end(ngx_rooms_stream_t *st, ngx_rooms_out_t *out,
    ngx_rooms_stream_end_e why)
{
    rooms_buf_t                      *b;
    const ngx_rooms_stream_reason_t  *reason;

    reason = &ngx_rooms_stream_reasons[why];

    b = ngx_rooms_out(out);

    if (why == NGX_ROOMS_STREAM_RELOAD) {
        /* all streams of the worker end now, but should not return together */
        rooms_json_put(b, "retry: %d\n",
                       (int64_t) ngx_rooms_stream_retry(why));
    }

    rooms_json_lit(b, "event: end\ndata: {\"code\":\"");
    rooms_json_raw(b, reason->code, ngx_strlen(reason->code));
    rooms_json_lit(b, "\",\"reconnect\":");
    rooms_json_bool(b, reason->reconnect);
    rooms_json_lit(b, "}\n\n");
}


const ngx_rooms_transport_t  ngx_rooms_sse = {
    .number = 0,
    .gauge = NGX_ROOMS_GAUGE_SSE,
    .header = ngx_rooms_sse_header,
    .hello = ngx_rooms_sse_hello,
    .event = ngx_rooms_sse_event,
    .caught_up = ngx_rooms_sse_caught_up,
    .reset = ngx_rooms_sse_reset,
    .end = ngx_rooms_sse_end,
    .beat = { 3, (const u_char *) ":\n\n" }
};
