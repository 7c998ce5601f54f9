/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * libFuzzer: a client's input on a WebSocket: frames as libwslay splits them,
 * the messages they form, and the content of these.  Also events as flat
 * objects.  The first byte is the length of the pieces in which the input
 * arrives.
 */

#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>
#include "rooms_ws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


typedef struct {
    const uint8_t  *data;
    size_t          len;
} fuzz_source_t;


static ssize_t
fuzz_recv(uint8_t *buf, size_t len, int flags, void *user)
{
    size_t          n;
    fuzz_source_t  *s = user;

    (void) flags;

    n = len < s->len ? len : s->len;

    if (n == 0) {
        return -1;
    }

    memcpy(buf, s->data, n);
    s->data += n;
    s->len -= n;

    return n;
}


/* Returns 1 to go on. */
static int
fuzz_frame(rooms_ws_t *ws, struct wslay_frame_iocb *io, uint64_t *got,
    int *inside, unsigned char *text)
{
    rooms_str_t        token;
    rooms_ws_event_e   event;

    if (!*inside) {
        *inside = 1;
        *got = 0;

        if (rooms_ws_frame(ws, io->fin, io->rsv, io->opcode, io->mask,
                           io->payload_length))
        {
            return 0;
        }
    }

    if (rooms_ws_payload(ws, text, io->data, io->data_length)) {
        return 0;
    }

    if (ws->len > ROOMS_WS_FRAME_MAX) {
        abort();
    }

    *got += io->data_length;

    if (*got < io->payload_length) {
        return 1;
    }

    *inside = 0;

    if (rooms_ws_end(ws, &event)) {
        return 0;
    }

    if (event == ROOMS_WS_CLOSE) {

        if (rooms_ws_close_code(ws) < 1000
            || rooms_ws_close_code(ws) > 4999)
        {
            abort();
        }

        return 0;
    }

    if (event == ROOMS_WS_TEXT) {
        (void) rooms_ws_says((rooms_str_t) { ws->len, text }, &token);
    }

    return 1;
}


static void
fuzz_flat(const uint8_t *data, size_t size)
{
    unsigned        n;
    rooms_str_t     json;
    rooms_buf_t     b;
    unsigned char  *buf;

    json = (rooms_str_t) { size, data };

    if (!rooms_json_valid(json) || size == 0 || data[0] != '{') {
        return;
    }

    buf = malloc(ROOMS_WS_FLAT(size + 4));
    if (buf == NULL) {
        return;
    }

    for (n = 0; n < 1000; n++) {
        rooms_buf_init(&b, buf, ROOMS_WS_FLAT(size + 4));

        if (!rooms_ws_flat(&b, rooms_cstr("acme"), 1, json, n)) {
            break;
        }

        if (b.full
            || !rooms_json_valid((rooms_str_t) { b.last - b.start, b.start }))
        {
            abort();
        }
    }

    free(buf);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                      inside;
    size_t                   piece, n;
    ssize_t                  rc;
    uint64_t                 got;
    rooms_ws_t               ws;
    unsigned char           *text;
    fuzz_source_t            source;
    struct wslay_frame_iocb  io;
    wslay_frame_context_ptr  ctx;

    struct wslay_frame_callbacks  callbacks = { NULL, fuzz_recv, NULL };

    if (size == 0) {
        return 0;
    }

    fuzz_flat(data, size);

    piece = data[0] + 1;
    data++;
    size--;

    text = malloc(ROOMS_WS_FRAME_MAX);
    if (text == NULL || wslay_frame_context_init(&ctx, &callbacks, &source)) {
        free(text);
        return 0;
    }

    memset(&ws, 0, sizeof(ws));
    inside = 0;
    got = 0;

    while (size) {
        n = piece < size ? piece : size;
        source.data = data;
        source.len = n;
        data += n;
        size -= n;

        for ( ;; ) {
            memset(&io, 0, sizeof(io));
            rc = wslay_frame_recv(ctx, &io);

            if (rc == WSLAY_ERR_WANT_READ
                || rc == WSLAY_ERR_INVALID_CALLBACK)
            {
                break;
            }

            if (rc < 0 || !fuzz_frame(&ws, &io, &got, &inside, text)) {
                size = 0;
                break;
            }
        }
    }

    wslay_frame_context_free(ctx);
    free(text);

    return 0;
}
