/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The part of WebSocket that needs neither NGINX nor a socket: checks a
 * client's frames (RFC 6455, sections 5 and 8.1), reads its messages, and
 * writes an event as a flat object.
 */

#ifndef ROOMS_WS_H
#define ROOMS_WS_H

#include "rooms_json.h"
#include <stdint.h>


#define ROOMS_WS_FRAME_MAX  8192           /* bytes of a frame, and of a
                                              message */

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

/* Must be zeroed when a connection begins. */
typedef struct {
    unsigned char   opcode;                /* of the current frame */
    unsigned char   message;               /* opcode of the message; 0: none */
    unsigned char   fin;
    unsigned char   need;                  /* bytes still missing of a
                                              character */
    uint32_t        point;                 /* the character so far */
    uint32_t        least;                 /* the least that needs this
                                              length */
    size_t          len;                   /* of the message */
    size_t          control_len;
    unsigned char   control[125];
} rooms_ws_t;


/* Checks a frame's header.  Returns 0, or the code to close with. */
unsigned rooms_ws_frame(rooms_ws_t *ws, unsigned fin, unsigned rsv,
    unsigned opcode, unsigned masked, uint64_t len);

/*
 * Takes a part of the frame's payload, unmasked.  Text is appended to `text`,
 * which has ROOMS_WS_FRAME_MAX bytes; ws->len is its length so far.
 */
unsigned rooms_ws_payload(rooms_ws_t *ws, unsigned char *text,
    const unsigned char *data, size_t len);

/* Call it when the frame is complete. */
unsigned rooms_ws_end(rooms_ws_t *ws, rooms_ws_event_e *event);

/*
 * The code to answer a client's close with: its own, or the one for its
 * fault.  The payload is in ws->control.
 */
unsigned rooms_ws_close_code(const rooms_ws_t *ws);

/* Writes the header of a frame with opcode and FIN; returns its length. */
#define ROOMS_WS_HEAD  10
size_t rooms_ws_head(unsigned char *dst, unsigned opcode, uint64_t len);


typedef enum {
    ROOMS_WS_SAYS_NOTHING = 0,             /* nothing that we know */
    ROOMS_WS_SAYS_PING,
    ROOMS_WS_SAYS_AUTH
} rooms_ws_says_e;

/* Reads a message. *token points into `text`. */
rooms_ws_says_e rooms_ws_says(rooms_str_t text, rooms_str_t *token);


/*
 * Writes an event as a flat object.  An event that names several participants
 * has one object for each; n counts them from 0.  Returns 0 if there is no
 * n-th, or if this form doesn't have such events.  It copies nothing but the
 * event's and the tenant's bytes, so ROOMS_WS_FLAT(json.len + tenant.len)
 * bytes are enough.
 */
#define ROOMS_WS_FLAT(len)  ((len) + 512)
int rooms_ws_flat(rooms_buf_t *b, rooms_str_t tenant, int64_t position,
    rooms_str_t json, unsigned n);

#endif /* ROOMS_WS_H */
