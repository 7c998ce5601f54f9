/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * GET /v1/stream: a stream over a WebSocket (RFC 6455).  NGINX's header
 * filter writes the 101.  From then on the request owns the connection, like
 * an upgraded one in ngx_http_upstream. libwslay parses the client's frames.
 * Our frames go through the same output filters as any answer.
 *
 * Between two frames there is neither a context of libwslay nor a buffer.
 */

#include "ngx_rooms_auth.h"
#include "ngx_rooms_cors.h"
#include "ngx_rooms_stream.h"
#include "ngx_rooms_sync.h"
#include "rooms_ws.h"
#include <ngx_sha1.h>
#include <wslay/wslay.h>


#define NGX_ROOMS_WS_READ     4096        /* bytes at a time */
#define NGX_ROOMS_WS_TURNS      16        /* reads in one turn of the event
                                             loop */
#define NGX_ROOMS_WS_PONGS       2        /* pongs that may be missing */

#define NGX_ROOMS_WS_AUTH     4001
#define NGX_ROOMS_WS_SILENT   4003


typedef struct {
    ngx_rooms_stream_t       *st;
    wslay_frame_context_ptr   frames;     /* NULL: between frames */
    uint64_t                  fed;        /* bytes since it was created ... */
    uint64_t                  used;       /* ... and bytes of complete frames */
    uint64_t                  got;        /* of this frame's payload */
    unsigned                  inside:1;   /* inside of a frame */
    rooms_ws_t                in;
    u_char                   *text;       /* of a message, or NULL */

    const u_char             *data;       /* the bytes being parsed */
    const u_char             *last;

    ngx_uint_t                missing;    /* pongs */
    ngx_uint_t                code;       /* of a close that we decide */
    const char               *why;
    int64_t                   expires;    /* seconds, to be sent; 0: nothing */
    u_char                    pong[125];
    u_char                    npong;
    unsigned                  pongs:1;    /* a ping must be answered */
    unsigned                  answers:1;  /* a message "ping" must be
                                             answered */
} ngx_rooms_ws_t;


static ngx_int_t ngx_rooms_ws_load(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_ws_show(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_ws_refuse(ngx_rooms_req_t *rq);
static ngx_uint_t ngx_rooms_ws_handshake(ngx_http_request_t *r);
static void ngx_rooms_ws_offer(ngx_http_request_t *r);
static void ngx_rooms_ws_reject(ngx_rooms_req_t *rq);
static ngx_int_t ngx_rooms_ws_header(ngx_rooms_req_t *rq);
static ngx_uint_t ngx_rooms_ws_feed(ngx_rooms_ws_t *ws, const u_char *data,
    size_t len);
static ngx_uint_t ngx_rooms_ws_event(ngx_rooms_ws_t *ws,
    rooms_ws_event_e event);
static ngx_uint_t ngx_rooms_ws_message(ngx_rooms_ws_t *ws, rooms_str_t text);
static void ngx_rooms_ws_cleanup(void *data);


const ngx_rooms_endpoint_t  ngx_rooms_ws_rows[] = {

    { .method = NGX_HTTP_GET, .path = "/v1/stream",
      .part = NGX_ROOMS_PART_SYNC, .flags = NGX_ROOMS_BULK|NGX_ROOMS_STREAM,
      .op = ROOMS_OP_READ,
      .load = ngx_rooms_ws_load, .show = ngx_rooms_ws_show,
      .refuse = ngx_rooms_ws_refuse },

    { .path = NULL }
};


static ssize_t
ngx_rooms_ws_recv(uint8_t *buf, size_t len, int flags, void *data)
{
    size_t          n;
    ngx_rooms_ws_t *ws = data;

    n = ngx_min(len, (size_t) (ws->last - ws->data));

    if (n == 0) {
        return -1;
    }

    ngx_memcpy(buf, ws->data, n);
    ws->data += n;
    ws->fed += n;

    return n;
}


static const struct wslay_frame_callbacks  ngx_rooms_ws_callbacks = {
    .recv_callback = ngx_rooms_ws_recv
};


static ngx_int_t
ngx_rooms_ws_load(ngx_rooms_req_t *rq)
{
    rooms_str_t                   format;
    ngx_rooms_ws_t               *ws;
    ngx_rooms_reader_t           *s;
    const ngx_rooms_transport_t  *transport;

    if (rq->round) {
        return ngx_rooms_reader_step(rq, rq->data);
    }

    if (!ngx_rooms_ws_handshake(rq->r)) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_UPGRADE, NULL);
    }

    if (!ngx_rooms_cors_may_connect(rq)) {
        rq->error = NGX_ROOMS_E_AUTH_PERMISSION;
        rq->answer = ngx_rooms_ws_reject;
        rq->state = NGX_ROOMS_SHOW;
        return NGX_OK;
    }

    s = ngx_rooms_reader_create(rq);
    ws = ngx_rooms_owned(rq->pool, sizeof(ngx_rooms_ws_t),
                         ngx_rooms_ws_cleanup);

    if (s == NULL || ws == NULL) {
        return NGX_ERROR;
    }

    rq->data = s;
    transport = &ngx_rooms_ws_flat;

    switch (ngx_rooms_arg(rq, "format", &format)) {

    case NGX_OK:

        if (!rooms_str_eq(format, ngx_rooms_s("event"))) {
            return ngx_rooms_invalid(rq, "format", "must be \"event\"");
        }

        transport = &ngx_rooms_ws_plain;
        break;

    case NGX_DECLINED:
        break;

    default:
        return NGX_ERROR;
    }

    if (ngx_rooms_sync_args(rq, s) != NGX_OK
        || ngx_rooms_stream_create(rq, s, transport) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ws->st = s->owner;
    ws->st->data = ws;

    rq->r->read_event_handler = ngx_http_test_reading;

    return ngx_rooms_reader_step(rq, s);
}


static ngx_int_t
ngx_rooms_ws_show(ngx_rooms_req_t *rq)
{
    rq->answer = ngx_rooms_stream_answer;

    return NGX_OK;
}


/*
 * Reports a bad token, or a deactivated participant, with a close frame,
 * since pages can't read a refused handshake.
 */
static ngx_int_t
ngx_rooms_ws_refuse(ngx_rooms_req_t *rq)
{
    if (rq->error == NGX_ROOMS_E_UPGRADE) {
        ngx_rooms_ws_offer(rq->r);
        return NGX_DECLINED;
    }

    if ((rq->state != NGX_ROOMS_AUTH && rq->error != NGX_ROOMS_E_DEACTIVATED)
        || ngx_rooms_error(rq->error)->status >= NGX_HTTP_INTERNAL_SERVER_ERROR
        || !ngx_rooms_ws_handshake(rq->r))
    {
        return NGX_DECLINED;
    }

    ngx_rooms_ws_reject(rq);

    return NGX_OK;
}


/* Whether a list contains this token (RFC 9110, section 5.6.1). */
static ngx_uint_t
ngx_rooms_ws_has(rooms_str_t list, const char *token)
{
    size_t   len;
    u_char  *p, *last, *end;

    len = ngx_strlen(token);
    p = (u_char *) list.data;
    last = p + list.len;

    while (p < last) {
        end = ngx_strlchr(p, last, ',');

        if (end == NULL) {
            end = last;
        }

        while (p < end && (*p == ' ' || *p == '\t')) {
            p++;
        }

        if ((size_t) (end - p) >= len
            && ngx_strncasecmp(p, (u_char *) token, len) == 0
            && (p + len == end || p[len] == ' ' || p[len] == '\t'))
        {
            return 1;
        }

        p = end + 1;
    }

    return 0;
}


static ngx_uint_t
ngx_rooms_ws_handshake(ngx_http_request_t *r)
{
    rooms_str_t  key, version;

    key = ngx_rooms_header_in(r, "Sec-WebSocket-Key");
    version = ngx_rooms_header_in(r, "Sec-WebSocket-Version");

    return r == r->main && r->method == NGX_HTTP_GET
           && r->http_version == NGX_HTTP_VERSION_11
           && r->headers_in.content_length_n <= 0 && !r->headers_in.chunked
           && ngx_rooms_ws_has(ngx_rooms_header_in(r, "Upgrade"), "websocket")
           && ngx_rooms_ws_has(ngx_rooms_header_in(r, "Connection"), "upgrade")
           && key.len == 24 && rooms_str_eq(version, ngx_rooms_s("13"));
}


/*
 * The headers of 426: RFC 9110, section 15.5.22, RFC 6455, section 4.4.
 * HTTP/2 has no Upgrade.
 */
static void
ngx_rooms_ws_offer(ngx_http_request_t *r)
{
    ngx_str_set(&r->headers_out.status_line, "426 Upgrade Required");

    (void) ngx_rooms_header(r, "Sec-WebSocket-Version", ngx_rooms_s("13"));

    if (r->http_version < NGX_HTTP_VERSION_20) {
        (void) ngx_rooms_header(r, "Upgrade", ngx_rooms_s("websocket"));
        (void) ngx_rooms_header(r, "Connection", ngx_rooms_s("Upgrade"));
    }
}


static ngx_int_t
ngx_rooms_ws_header(ngx_rooms_req_t *rq)
{
    u_char               digest[20];
    ngx_str_t            accept, hash;
    ngx_sha1_t           sha1;
    rooms_str_t          key;
    ngx_http_request_t  *r;

    r = rq->r;
    key = ngx_rooms_header_in(r, "Sec-WebSocket-Key");

    ngx_sha1_init(&sha1);
    ngx_sha1_update(&sha1, key.data, key.len);
    ngx_sha1_update(&sha1, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
    ngx_sha1_final(digest, &sha1);

    hash.data = digest;
    hash.len = sizeof(digest);

    accept.data = ngx_pnalloc(r->pool, ngx_base64_encoded_length(20));
    if (accept.data == NULL) {
        return NGX_ERROR;
    }

    ngx_encode_base64(&accept, &hash);

    r->headers_out.status = NGX_HTTP_SWITCHING_PROTOCOLS;
    ngx_str_set(&r->headers_out.status_line, "101 Switching Protocols");
    r->headers_out.content_length_n = -1;

    if (ngx_rooms_header(r, "Upgrade", ngx_rooms_s("websocket")) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_rooms_header(r, "Sec-WebSocket-Accept", rooms_from_ngx(accept));
}


/* Answers 101, and then a close that says rq->error. */
static void
ngx_rooms_ws_reject(ngx_rooms_req_t *rq)
{
    u_char              *p;
    size_t               len;
    ngx_int_t            rc;
    ngx_buf_t           *b;
    ngx_uint_t           code;
    const char          *why;
    ngx_chain_t          out;
    ngx_http_request_t  *r;

    r = rq->r;
    rq->state = NGX_ROOMS_DONE;
    r->keepalive = 0;

    code = rq->answer == ngx_rooms_ws_reject ? ROOMS_WS_CLOSE_POLICY
                                             : NGX_ROOMS_WS_AUTH;
    why = ngx_rooms_error(rq->error)->code;
    len = ngx_strlen(why);

    b = ngx_create_temp_buf(r->pool, ROOMS_WS_HEAD + 2 + len);

    rc = b && ngx_rooms_ws_header(rq) == NGX_OK ? ngx_http_send_header(r)
                                                : NGX_ERROR;

    if (rc == NGX_ERROR || rc > NGX_OK) {
        ngx_http_finalize_request(r, rc);
        return;
    }

    rq->sent = 1;
    ngx_rooms_status_request(rq, ngx_rooms_error(rq->error)->status);

    p = b->last + rooms_ws_head(b->last, WSLAY_CONNECTION_CLOSE, 2 + len);
    *p++ = code >> 8;
    *p++ = code & 0xff;
    b->last = ngx_cpymem(p, why, len);
    b->last_buf = 1;
    b->last_in_chain = 1;
    b->flush = 1;

    out.buf = b;
    out.next = NULL;
    r->lingering_close = 1;

    ngx_http_finalize_request(r, ngx_http_output_filter(r, &out));
}


/* Writes frames. */


static rooms_buf_t *
ngx_rooms_ws_frame(ngx_rooms_out_t *out, size_t size, u_char **start)
{
    rooms_buf_t  *b;

    b = ngx_rooms_out_piece(out, ROOMS_WS_HEAD + size);

    if ((size_t) (b->end - b->last) < ROOMS_WS_HEAD + size) {
        return NULL;
    }

    *start = b->last;
    b->last += ROOMS_WS_HEAD;

    return b;
}


/* Moves the payload up to its header, whose length is known only now. */
static void
ngx_rooms_ws_frame_end(rooms_buf_t *b, u_char *start, ngx_uint_t opcode)
{
    size_t  len, n;
    u_char  head[ROOMS_WS_HEAD];

    len = b->last - (start + ROOMS_WS_HEAD);
    n = rooms_ws_head(head, opcode, len);

    ngx_memmove(start + n, start + ROOMS_WS_HEAD, len);
    ngx_memcpy(start, head, n);

    b->last = start + n + len;
}


static ngx_int_t
ngx_rooms_ws_stream_header(ngx_rooms_stream_t *st)
{
    return ngx_rooms_ws_header(st->rq);
}


static void
ngx_rooms_ws_hello(ngx_rooms_stream_t *st, ngx_rooms_out_t *out)
{
    u_char       *start;
    rooms_buf_t  *b;

    b = ngx_rooms_ws_frame(out, NGX_ROOMS_STREAM_HELLO + 32, &start);

    if (b) {
        rooms_json_lit(b, "{\"type\":\"hello\",");
        ngx_rooms_stream_hello(st, b);
        rooms_json_lit(b, "}");
        ngx_rooms_ws_frame_end(b, start, WSLAY_TEXT_FRAME);
    }
}


static void
ngx_rooms_ws_flat_event(ngx_rooms_out_t *out, rooms_str_t tenant,
    int64_t position, rooms_str_t json)
{
    u_char       *start;
    unsigned      n, more;
    rooms_buf_t  *b;

    n = 0;

    do {
        b = ngx_rooms_ws_frame(out, ROOMS_WS_FLAT(json.len + tenant.len),
                               &start);
        if (b == NULL) {
            return;
        }

        more = rooms_ws_flat(b, tenant, position, json, n++);

        if (more) {
            ngx_rooms_ws_frame_end(b, start, WSLAY_TEXT_FRAME);

        } else {
            b->last = start;
        }
    } while (more);
}


static void
ngx_rooms_ws_plain_event(ngx_rooms_out_t *out, rooms_str_t tenant,
    int64_t position, rooms_str_t json)
{
    u_char       *start;
    rooms_buf_t  *b;

    b = ngx_rooms_ws_frame(out, json.len, &start);

    if (b) {
        rooms_json_raw(b, json.data, json.len);
        ngx_rooms_ws_frame_end(b, start, WSLAY_TEXT_FRAME);
    }
}


static void
ngx_rooms_ws_caught_up(ngx_rooms_out_t *out, int64_t position)
{
    u_char       *start;
    rooms_buf_t  *b;

    b = ngx_rooms_ws_frame(out, 64, &start);

    if (b) {
        rooms_json_lit(b, "{\"type\":\"caught_up\",\"position\":");
        rooms_json_int(b, position);
        rooms_json_lit(b, "}");
        ngx_rooms_ws_frame_end(b, start, WSLAY_TEXT_FRAME);
    }
}


static void
ngx_rooms_ws_reset(ngx_rooms_out_t *out, const char *why, int64_t position)
{
    u_char       *start;
    rooms_buf_t  *b;

    b = ngx_rooms_ws_frame(out, 96 + ngx_strlen(why), &start);

    if (b) {
        rooms_json_lit(b, "{\"type\":\"reset\",\"reason\":\"");
        rooms_json_raw(b, why, ngx_strlen(why));
        rooms_json_lit(b, "\",\"position\":");
        rooms_json_int(b, position);
        rooms_json_lit(b, "}");
        ngx_rooms_ws_frame_end(b, start, WSLAY_TEXT_FRAME);
    }
}


/* Answers that the client waits for. */
static void
ngx_rooms_ws_more(ngx_rooms_stream_t *st, ngx_rooms_out_t *out)
{
    u_char          *start;
    rooms_buf_t     *b;
    ngx_rooms_ws_t  *ws;

    ws = st->data;

    b = ngx_rooms_ws_frame(out, 512, &start);
    if (b == NULL) {
        return;
    }

    b->last = start;

    if (ws->pongs) {
        ws->pongs = 0;
        b->last += ROOMS_WS_HEAD;
        rooms_json_raw(b, ws->pong, ws->npong);
        ngx_rooms_ws_frame_end(b, start, WSLAY_PONG);
    }

    start = b->last;

    if (ws->answers) {
        ws->answers = 0;
        b->last += ROOMS_WS_HEAD;
        rooms_json_lit(b, "{\"type\":\"pong\"}");
        ngx_rooms_ws_frame_end(b, start, WSLAY_TEXT_FRAME);
    }

    start = b->last;

    if (ws->expires) {
        b->last += ROOMS_WS_HEAD;
        rooms_json_lit(b, "{\"type\":\"auth\",\"expires_at\":");
        rooms_json_time(b, ws->expires * 1000);
        rooms_json_lit(b, "}");
        ws->expires = 0;
        ngx_rooms_ws_frame_end(b, start, WSLAY_TEXT_FRAME);
    }
}


static void
ngx_rooms_ws_end(ngx_rooms_stream_t *st, ngx_rooms_out_t *out,
    ngx_rooms_stream_end_e why)
{
    u_char                           *start;
    ngx_uint_t                        code;
    const char                       *text;
    rooms_buf_t                      *b;
    ngx_rooms_ws_t                   *ws;
    const ngx_rooms_stream_reason_t  *reason;

    ws = st->data;
    code = ws->code;
    text = ws->why ? ws->why : "";

    b = ngx_rooms_ws_frame(out, 512, &start);
    if (b == NULL) {
        return;
    }

    b->last = start;

    if (why != NGX_ROOMS_STREAM_CLOSED) {
        reason = &ngx_rooms_stream_reasons[why];
        code = reason->close;
        text = reason->code;

        b->last += ROOMS_WS_HEAD;
        rooms_json_lit(b, "{\"type\":\"end\",\"code\":\"");
        rooms_json_raw(b, text, ngx_strlen(text));
        rooms_json_lit(b, "\",\"reconnect\":");
        rooms_json_bool(b, reason->reconnect);
        rooms_json_lit(b, ",\"retry\":");
        rooms_json_int(b, ngx_rooms_stream_retry(why));
        rooms_json_lit(b, "}");
        ngx_rooms_ws_frame_end(b, start, WSLAY_TEXT_FRAME);
    }

    start = b->last;
    b->last += ROOMS_WS_HEAD;
    rooms_json_raw(b, (u_char[]) { code >> 8, code & 0xff }, 2);
    rooms_json_raw(b, text, ngx_strlen(text));
    ngx_rooms_ws_frame_end(b, start, WSLAY_CONNECTION_CLOSE);

    /* gives the client time to read it before the connection closes */
    st->rq->r->lingering_close = !ngx_exiting;
}


static ngx_rooms_stream_end_e
ngx_rooms_ws_beat(ngx_rooms_stream_t *st)
{
    ngx_rooms_ws_t  *ws;

    ws = st->data;

    if (ws->missing++ >= NGX_ROOMS_WS_PONGS) {
        ws->code = NGX_ROOMS_WS_SILENT;
        ws->why = "two pings weren't answered";
        return NGX_ROOMS_STREAM_CLOSED;
    }

    return NGX_ROOMS_STREAM_LIVES;
}


/* Reads frames. */


static void
ngx_rooms_ws_reader(ngx_http_request_t *r)
{
    ssize_t              n;
    ngx_uint_t           i, code;
    ngx_event_t         *rev;
    ngx_connection_t    *c;
    ngx_rooms_req_t     *rq;
    ngx_rooms_ws_t      *ws;
    ngx_rooms_reader_t  *s;
    ngx_rooms_stream_t  *st;

    static u_char  buf[NGX_ROOMS_WS_READ];

    c = r->connection;
    rev = c->read;
    rq = ngx_http_get_module_ctx(r, ngx_rooms_module);
    s = rq->data;
    st = s->owner;
    ws = st->data;

    for (i = 0; /* void */ ; i++) {

        if (r->header_in->pos < r->header_in->last) {
            /* the client didn't wait for our 101 */
            n = ngx_min(r->header_in->last - r->header_in->pos,
                        (ssize_t) sizeof(buf));
            ngx_memcpy(buf, r->header_in->pos, n);
            r->header_in->pos += n;

        } else if (i >= NGX_ROOMS_WS_TURNS) {
            ngx_post_event(rev, &ngx_posted_next_events);
            break;

        } else {
            n = c->recv(c, buf, sizeof(buf));
        }

        if (n == NGX_AGAIN) {
            if (ngx_handle_read_event(rev, 0) != NGX_OK) {
                ngx_http_finalize_request(r, NGX_ERROR);
                return;
            }

            break;
        }

        if (n == 0 || n == NGX_ERROR) {
            c->error = 1;
            ngx_http_finalize_request(r, NGX_HTTP_CLIENT_CLOSED_REQUEST);
            return;
        }

        if (st->ending) {
            continue;
        }

        code = ngx_rooms_ws_feed(ws, buf, n);

        if (code) {
            ws->code = code;
            ngx_rooms_stream_end(st, NGX_ROOMS_STREAM_CLOSED);
            return;
        }
    }

    if (ws->pongs || ws->answers || ws->expires) {
        ngx_rooms_stream_say(st);
    }
}


/* Returns the code to close with, or 0. */
static ngx_uint_t
ngx_rooms_ws_feed(ngx_rooms_ws_t *ws, const u_char *data, size_t len)
{
    ssize_t                  n;
    ngx_uint_t               code;
    rooms_ws_event_e         event;
    struct wslay_frame_iocb  io;

    if (ws->frames == NULL) {

        if (wslay_frame_context_init(&ws->frames, &ngx_rooms_ws_callbacks, ws)
            != 0)
        {
            ws->frames = NULL;
            return 1011;
        }

        ws->fed = 0;
        ws->used = 0;
    }

    ws->data = data;
    ws->last = data + len;

    for ( ;; ) {
        ngx_memzero(&io, sizeof(io));

        n = wslay_frame_recv(ws->frames, &io);

        if (n == WSLAY_ERR_WANT_READ || n == WSLAY_ERR_INVALID_CALLBACK) {
            break;
        }

        if (n < 0) {
            return ROOMS_WS_CLOSE_PROTOCOL;
        }

        if (!ws->inside) {
            ws->inside = 1;
            ws->got = 0;
            ws->used += 6 + io.payload_length
                        + (io.payload_length < 126 ? 0
                           : io.payload_length < 65536 ? 2 : 8);

            code = rooms_ws_frame(&ws->in, io.fin, io.rsv, io.opcode, io.mask,
                                  io.payload_length);
            if (code) {
                return code;
            }

            if (ws->text == NULL && ws->in.message == WSLAY_TEXT_FRAME) {
                ws->text = ngx_alloc(ROOMS_WS_FRAME_MAX, ngx_cycle->log);
                if (ws->text == NULL) {
                    return 1011;
                }
            }
        }

        code = rooms_ws_payload(&ws->in, ws->text, io.data, io.data_length);

        if (code) {
            return code;
        }

        ws->got += io.data_length;

        if (ws->got < io.payload_length) {
            continue;
        }

        ws->inside = 0;

        code = rooms_ws_end(&ws->in, &event);

        if (code == 0) {
            code = ngx_rooms_ws_event(ws, event);
        }

        if (code) {
            return code;
        }
    }

    if (!ws->inside && ws->used == ws->fed) {
        wslay_frame_context_free(ws->frames);
        ws->frames = NULL;
    }

    return 0;
}


static ngx_uint_t
ngx_rooms_ws_event(ngx_rooms_ws_t *ws, rooms_ws_event_e event)
{
    ngx_uint_t  code;

    switch (event) {

    case ROOMS_WS_PING:
        /* of several pings only the last must be answered */
        ws->npong = ws->in.control_len;
        ngx_memcpy(ws->pong, ws->in.control, ws->npong);
        ws->pongs = 1;
        return 0;

    case ROOMS_WS_PONG:
        ws->missing = 0;
        return 0;

    case ROOMS_WS_CLOSE:
        return rooms_ws_close_code(&ws->in);

    case ROOMS_WS_TEXT:
        code = ngx_rooms_ws_message(ws, (rooms_str_t) { ws->in.len,
                                                        ws->text });
        ngx_free(ws->text);
        ws->text = NULL;
        return code;

    default:
        return 0;
    }
}


static ngx_uint_t
ngx_rooms_ws_message(ngx_rooms_ws_t *ws, rooms_str_t text)
{
    int64_t       exp;
    rooms_str_t   token;
    const char   *why;

    switch (rooms_ws_says(text, &token)) {

    case ROOMS_WS_SAYS_PING:
        ws->answers = 1;
        return 0;

    case ROOMS_WS_SAYS_AUTH:
        exp = ngx_rooms_auth_again(ws->st->rq, token, &why);

        if (exp == 0) {
            ws->why = why;
            return NGX_ROOMS_WS_AUTH;
        }

        ngx_rooms_stream_extend(ws->st, exp);
        ws->expires = exp;
        return 0;

    default:
        return 0;
    }
}


static void
ngx_rooms_ws_cleanup(void *data)
{
    ngx_rooms_ws_t *ws = data;

    if (ws->frames) {
        wslay_frame_context_free(ws->frames);
    }

    if (ws->text) {
        ngx_free(ws->text);
    }
}


const ngx_rooms_transport_t  ngx_rooms_ws_flat = {
    .number = 1,
    .gauge = NGX_ROOMS_GAUGE_WS,
    .header = ngx_rooms_ws_stream_header,
    .hello = ngx_rooms_ws_hello,
    .event = ngx_rooms_ws_flat_event,
    .caught_up = ngx_rooms_ws_caught_up,
    .reset = ngx_rooms_ws_reset,
    .end = ngx_rooms_ws_end,
    .more = ngx_rooms_ws_more,
    .pings = ngx_rooms_ws_beat,
    .read = ngx_rooms_ws_reader,
    .beat = { 2, (const u_char *) "\x89\x00" }
};

const ngx_rooms_transport_t  ngx_rooms_ws_plain = {
    .number = 2,
    .gauge = NGX_ROOMS_GAUGE_WS,
    .header = ngx_rooms_ws_stream_header,
    .hello = ngx_rooms_ws_hello,
    .event = ngx_rooms_ws_plain_event,
    .caught_up = ngx_rooms_ws_caught_up,
    .reset = ngx_rooms_ws_reset,
    .end = ngx_rooms_ws_end,
    .more = ngx_rooms_ws_more,
    .pings = ngx_rooms_ws_beat,
    .read = ngx_rooms_ws_reader,
    .beat = { 2, (const u_char *) "\x89\x00" }
};
