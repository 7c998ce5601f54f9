/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_ws.h"
#include <string.h>


#define ROOMS_WS_OP_TEXT    0x1
#define ROOMS_WS_OP_BINARY  0x2
#define ROOMS_WS_OP_CLOSE   0x8
#define ROOMS_WS_OP_PING    0x9
#define ROOMS_WS_OP_PONG    0xa


unsigned
rooms_ws_frame(rooms_ws_t *ws, unsigned fin, unsigned rsv, unsigned opcode,
    unsigned masked, uint64_t len)
{
    if (rsv || !masked) {
        return ROOMS_WS_CLOSE_PROTOCOL;
    }

    ws->opcode = opcode;
    ws->fin = fin != 0;

    switch (opcode) {

    case ROOMS_WS_OP_CLOSE:
    case ROOMS_WS_OP_PING:
    case ROOMS_WS_OP_PONG:

        if (!fin || len > sizeof(ws->control)) {
            return ROOMS_WS_CLOSE_PROTOCOL;
        }

        ws->control_len = 0;
        return 0;

    case 0:

        if (ws->message == 0) {
            return ROOMS_WS_CLOSE_PROTOCOL;
        }

        break;

    case ROOMS_WS_OP_TEXT:
    case ROOMS_WS_OP_BINARY:

        if (ws->message) {
            return ROOMS_WS_CLOSE_PROTOCOL;
        }

        ws->message = opcode;
        ws->len = 0;
        ws->need = 0;
        break;

    default:
        return ROOMS_WS_CLOSE_PROTOCOL;
    }

    return len > ROOMS_WS_FRAME_MAX - ws->len ? ROOMS_WS_CLOSE_SIZE : 0;
}


/* Checks UTF-8; a character may continue in the next frame. */
static int
rooms_ws_utf8(rooms_ws_t *ws, const unsigned char *p, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {

        if (ws->need == 0) {

            if (p[i] < 0x80) {
                continue;
            }

            if (p[i] >= 0xc2 && p[i] <= 0xdf) {
                ws->need = 1;
                ws->point = p[i] & 0x1f;
                ws->least = 0x80;

            } else if (p[i] >= 0xe0 && p[i] <= 0xef) {
                ws->need = 2;
                ws->point = p[i] & 0x0f;
                ws->least = 0x800;

            } else if (p[i] >= 0xf0 && p[i] <= 0xf4) {
                ws->need = 3;
                ws->point = p[i] & 0x07;
                ws->least = 0x10000;

            } else {
                return 0;
            }

            continue;
        }

        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }

        ws->point = ws->point << 6 | (p[i] & 0x3f);

        if (--ws->need == 0
            && (ws->point < ws->least || ws->point > 0x10ffff
                || (ws->point >= 0xd800 && ws->point <= 0xdfff)))
        {
            return 0;
        }
    }

    return 1;
}


unsigned
rooms_ws_payload(rooms_ws_t *ws, unsigned char *text,
    const unsigned char *data, size_t len)
{
    if (ws->opcode >= ROOMS_WS_OP_CLOSE) {

        if (len > sizeof(ws->control) - ws->control_len) {
            return ROOMS_WS_CLOSE_PROTOCOL;
        }

        memcpy(ws->control + ws->control_len, data, len);
        ws->control_len += len;

        return 0;
    }

    if (len > ROOMS_WS_FRAME_MAX - ws->len) {
        return ROOMS_WS_CLOSE_SIZE;
    }

    if (ws->message == ROOMS_WS_OP_TEXT) {

        if (!rooms_ws_utf8(ws, data, len)) {
            return ROOMS_WS_CLOSE_UTF8;
        }

        memcpy(text + ws->len, data, len);
    }

    ws->len += len;

    return 0;
}


unsigned
rooms_ws_end(rooms_ws_t *ws, rooms_ws_event_e *event)
{
    *event = ROOMS_WS_NOTHING;

    switch (ws->opcode) {

    case ROOMS_WS_OP_CLOSE:
        *event = ROOMS_WS_CLOSE;
        return 0;

    case ROOMS_WS_OP_PING:
        *event = ROOMS_WS_PING;
        return 0;

    case ROOMS_WS_OP_PONG:
        *event = ROOMS_WS_PONG;
        return 0;
    }

    if (!ws->fin) {
        return 0;
    }

    *event = ws->message == ROOMS_WS_OP_TEXT ? ROOMS_WS_TEXT
                                             : ROOMS_WS_BINARY;
    ws->message = 0;

    return *event == ROOMS_WS_TEXT && ws->need ? ROOMS_WS_CLOSE_UTF8 : 0;
}


unsigned
rooms_ws_close_code(const rooms_ws_t *ws)
{
    unsigned    code;
    rooms_ws_t  reason;

    if (ws->control_len == 0) {
        return 1000;
    }

    if (ws->control_len == 1) {
        return ROOMS_WS_CLOSE_PROTOCOL;
    }

    code = ws->control[0] << 8 | ws->control[1];

    /* codes that may be sent: the RFC's, registered and private ones */

    if (!((code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014)
          || (code >= 3000 && code <= 4999)))
    {
        return ROOMS_WS_CLOSE_PROTOCOL;
    }

    memset(&reason, 0, sizeof(reason));

    if (!rooms_ws_utf8(&reason, ws->control + 2, ws->control_len - 2)
        || reason.need)
    {
        return ROOMS_WS_CLOSE_UTF8;
    }

    return code;
}


size_t
rooms_ws_head(unsigned char *dst, unsigned opcode, uint64_t len)
{
    int     i;
    size_t  n;

    dst[0] = 0x80 | opcode;

    if (len < 126) {
        dst[1] = len;
        return 2;
    }

    n = len < 65536 ? 2 : 8;
    dst[1] = n == 2 ? 126 : 127;

    for (i = n - 1; i >= 0; i--) {
        dst[2 + i] = len & 0xff;
        len >>= 8;
    }

    return 2 + n;
}


rooms_ws_says_e
rooms_ws_says(rooms_str_t text, rooms_str_t *token)
{
    rooms_str_t  type;

    if (!rooms_json_valid(text)) {
        return ROOMS_WS_SAYS_NOTHING;
    }

    while (text.len && strchr(" \t\r\n", text.data[0])) {
        text.data++;
        text.len--;
    }

    if (text.data[0] != '{') {
        return ROOMS_WS_SAYS_NOTHING;
    }

    type = rooms_json_member_str(text, "type");

    if (rooms_str_eq(type, rooms_cstr("ping"))) {
        return ROOMS_WS_SAYS_PING;
    }

    if (!rooms_str_eq(type, rooms_cstr("auth"))) {
        return ROOMS_WS_SAYS_NOTHING;
    }

    *token = rooms_json_member_str(text, "token");

    return token->len ? ROOMS_WS_SAYS_AUTH : ROOMS_WS_SAYS_NOTHING;
}


/*
 * A member of a flat object, and the member of the event, or of its content,
 * that it is copied from.
 */
typedef struct {
    const char  *key;
    const char  *from;
    int          content;
} rooms_ws_member_t;

typedef struct {
    const char               *type;
    const rooms_ws_member_t  *members;
} rooms_ws_type_t;

static const rooms_ws_member_t  rooms_ws_message[] = {
    { "sender_id", "sender_id", 0 },
    { "content", "content", 0 },
    { "origin_ts", "origin_ts", 0 },
    { NULL, NULL, 0 }
};

static const rooms_ws_member_t  rooms_ws_redaction[] = {
    { "event_id", "event_id", 1 },
    { "redacted_by", "sender_id", 0 },
    { "reason", "reason", 1 },
    { NULL, NULL, 0 }
};

static const rooms_ws_member_t  rooms_ws_reaction[] = {
    { "event_id", "event_id", 1 },
    { "sender_id", "sender_id", 0 },
    { "emoji", "emoji", 1 },
    { "action", "action", 1 },
    { NULL, NULL, 0 }
};

static const rooms_ws_member_t  rooms_ws_member[] = {
    { "membership", "membership", 1 },
    { "changed_by", "sender_id", 0 },
    { NULL, NULL, 0 }
};

static const rooms_ws_member_t  rooms_ws_name[] = {
    { "name", "name", 1 },
    { "changed_by", "sender_id", 0 },
    { NULL, NULL, 0 }
};

static const rooms_ws_member_t  rooms_ws_topic[] = {
    { "topic", "topic", 1 },
    { "changed_by", "sender_id", 0 },
    { NULL, NULL, 0 }
};

static const rooms_ws_member_t  rooms_ws_marker[] = {
    { "event_id", "event_id", 1 },
    { NULL, NULL, 0 }
};

static const rooms_ws_type_t  rooms_ws_types[] = {
    { "swp.room.message", rooms_ws_message },
    { "swp.room.redaction", rooms_ws_redaction },
    { "swp.room.reaction", rooms_ws_reaction },
    { "swp.room.member", rooms_ws_member },
    { "swp.room.name", rooms_ws_name },
    { "swp.room.topic", rooms_ws_topic },
    { "swp.room.read_marker", rooms_ws_marker },
    { NULL, NULL }
};


static void
rooms_ws_put(rooms_buf_t *b, const char *key, rooms_str_t value)
{
    rooms_json_lit(b, ",\"");
    rooms_json_raw(b, key, strlen(key));
    rooms_json_lit(b, "\":");

    if (value.data) {
        rooms_json_raw(b, value.data, value.len);

    } else {
        rooms_json_lit(b, "null");
    }
}


/*
 * The participant whom a change of membership is about; for an invite of
 * many, the n-th.
 */
static rooms_str_t
rooms_ws_whom(rooms_str_t content, unsigned n)
{
    rooms_str_t  id, ids;

    id = rooms_json_member(content, "participant_id");

    if (id.data) {
        return n == 0 ? id : ROOMS_NULL;
    }

    ids = rooms_json_member(content, "participant_ids");

    if (ids.data == NULL) {
        return ROOMS_NULL;
    }

    do {
        id = rooms_json_element(&ids);
    } while (id.data && n--);

    return id;
}


int
rooms_ws_flat(rooms_buf_t *b, rooms_str_t tenant, int64_t position,
    rooms_str_t json, unsigned n)
{
    rooms_str_t               type, content, whom;
    const rooms_ws_type_t    *t;
    const rooms_ws_member_t  *m;

    type = rooms_json_member_str(json, "event_type");
    content = rooms_json_member(json, "content");

    for (t = rooms_ws_types; t->type; t++) {

        if (rooms_str_eq(type, rooms_cstr(t->type))) {
            break;
        }
    }

    if (t->type == NULL || content.len == 0 || content.data[0] != '{') {
        return 0;
    }

    whom = ROOMS_NULL;

    if (t->members == rooms_ws_member) {
        whom = rooms_ws_whom(content, n);

        if (whom.data == NULL) {
            return 0;
        }

    } else if (n) {
        return 0;
    }

    rooms_json_lit(b, "{\"type\":\"");
    rooms_json_raw(b, type.data, type.len);
    rooms_json_lit(b, "\"");
    rooms_ws_put(b, "id", rooms_json_member(json, "id"));
    rooms_ws_put(b, "room_id", rooms_json_member(json, "room_id"));
    rooms_json_lit(b, ",\"tenant_id\":");
    rooms_json_str(b, tenant);
    rooms_ws_put(b, "ts", rooms_json_member(json, "created_at"));
    rooms_json_lit(b, ",\"stream_position\":");
    rooms_json_int(b, position);

    if (whom.data) {
        rooms_ws_put(b, "participant_id", whom);
    }

    for (m = t->members; m->key; m++) {
        rooms_ws_put(b, m->key,
                     rooms_json_member(m->content ? content : json, m->from));
    }

    rooms_json_lit(b, "}");

    return 1;
}
