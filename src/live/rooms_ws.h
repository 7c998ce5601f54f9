/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * WebSocket, as far as it needs neither NGINX nor a socket: what a client's
 * frames make together (RFC 6455, sections 5 and 8.1), what a message says,
 * and how an event is told as a flat object.
 */

#ifndef ROOMS_WS_H
#define ROOMS_WS_H

#include "rooms_json.h"
#include <stdint.h>


#define ROOMS_WS_FRAME_MAX  8192           /* bytes of a message, too */

/* Codes of a close, RFC 6455, section 7.4.1. */
#define ROOMS_WS_CLOSE_PROTOCOL  1002
#define ROOMS_WS_CLOSE_UTF8      1007
#define ROOMS_WS_CLOSE_POLICY    1008
#define ROOMS_WS_CLOSE_SIZE      1009

typedef enum {
    ROOMS_WS_NOTHING = 0,                  /* a part of a message */
    ROOMS_WS_TEXT,
    ROOMS_WS_BINARY,
    ROOMS_WS_CLOSE,
    ROOMS_WS_PING,
    ROOMS_WS_PONG
} rooms_ws_event_e;

/* All zero when a connection begins. */
typedef struct {
    unsigned char   opcode;                /* of this frame */
    unsigned char   message;               /* of the message, 0: none */
    unsigned char   fin;
    unsigned char   need;                  /* bytes of a character */
    uint32_t        point;                 /* as far as it is known */
    uint32_t        least;                 /* shorter would have done */
    size_t          len;                   /* of the message */
    size_t          control_len;
    unsigned char   control[125];
} rooms_ws_t;


/* A frame's header.  0, or the code of the close that it deserves. */
unsigned rooms_ws_frame(rooms_ws_t *ws, unsigned fin, unsigned rsv,
    unsigned opcode, unsigned masked, uint64_t len);

/*
 * Some of its payload, unmasked.  What is of a text goes to `text`, which has
 * room for ROOMS_WS_FRAME_MAX bytes; ws->len says how much of it there is.
 */
unsigned rooms_ws_payload(rooms_ws_t *ws, unsigned char *text,
    const unsigned char *data, size_t len);

/* The frame is whole. */
unsigned rooms_ws_end(rooms_ws_t *ws, rooms_ws_event_e *event);

/*
 * What to answer to a close of the client's: its code, or the code that it
 * deserves.  The payload is in ws->control.
 */
unsigned rooms_ws_close_code(const rooms_ws_t *ws);

/* The header of a frame of ours, with opcode and FIN; its length. */
#define ROOMS_WS_HEAD  10
size_t rooms_ws_head(unsigned char *dst, unsigned opcode, uint64_t len);


typedef enum {
    ROOMS_WS_SAYS_NOTHING = 0,             /* that we know */
    ROOMS_WS_SAYS_PING,
    ROOMS_WS_SAYS_AUTH
} rooms_ws_says_e;

/* *token: into `text`. */
rooms_ws_says_e rooms_ws_says(rooms_str_t text, rooms_str_t *token);


/*
 * An event as flat objects, one for each participant whom it names; n counts
 * from 0.  0: there is no such one, or the event isn't told in this way.
 * Nothing else than the event's bytes and the tenant's are copied, so
 * ROOMS_WS_FLAT(json.len + tenant.len) bytes are enough.
 */
#define ROOMS_WS_FLAT(len)  ((len) + 512)
int rooms_ws_flat(rooms_buf_t *b, rooms_str_t tenant, int64_t position,
    rooms_str_t json, unsigned n);

#endif /* ROOMS_WS_H */
