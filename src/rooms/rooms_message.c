/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_internal.h"


#define ROOMS_EMOJI_MAX  32


static void rooms_edit(const rooms_input_t *in,
    const rooms_message_t *message, rooms_change_t *out);
static void rooms_redact(const rooms_input_t *in,
    const rooms_message_t *message, rooms_change_t *out);
static void rooms_react(const rooms_message_t *message, int active,
    rooms_change_t *out);
static rooms_code_e rooms_is_message(const rooms_message_t *message,
    rooms_change_t *out);
static rooms_code_e rooms_is_intact(const rooms_message_t *message,
    rooms_change_t *out);
static int rooms_is_sender(const rooms_input_t *in,
    const rooms_message_t *message);


/*
 * First the checks for sending.  Then the event must exist.  This comes
 * before the check of power, since the power needed depends on who sent it.
 */

void
rooms_decide_message(const rooms_input_t *in, rooms_message_op_e op,
    const rooms_message_t *message, rooms_change_t *out)
{
    rooms_decide(in, out);

    if (out->code != ROOMS_OK) {
        return;
    }

    if (message == NULL) {
        rooms_fail(out, ROOMS_E_EVENT, NULL, "The event does not exist.");
        return;
    }

    switch (op) {

    case ROOMS_MESSAGE_EDIT:
        rooms_edit(in, message, out);
        break;

    case ROOMS_MESSAGE_REDACT:
        rooms_redact(in, message, out);
        break;

    case ROOMS_MESSAGE_REACT:
        rooms_react(message, 1, out);
        break;

    case ROOMS_MESSAGE_UNREACT:
        rooms_react(message, 0, out);
        break;
    }
}


/* Only the sender may edit, whatever power others have. */

static void
rooms_edit(const rooms_input_t *in, const rooms_message_t *message,
    rooms_change_t *out)
{
    if (!rooms_is_sender(in, message)) {
        rooms_fail(out, ROOMS_E_FORBIDDEN, NULL,
                   "Only its sender may edit a message.");
        return;
    }

    if (in->now - message->created_at > ROOMS_EDIT_WINDOW) {
        rooms_fail(out, ROOMS_E_TOO_OLD, NULL,
                   "A message may be edited for 24 hours.");
        return;
    }

    if (rooms_is_intact(message, out) != ROOMS_OK) {
        return;
    }

    if (message->edits >= ROOMS_EDITS_MAX) {
        rooms_fail(out, ROOMS_E_FORBIDDEN, NULL,
                   "The message was edited too often.");
        return;
    }

    out->event = ROOMS_EV_MESSAGE;
}


static void
rooms_redact(const rooms_input_t *in, const rooms_message_t *message,
    rooms_change_t *out)
{
    if (in->op != ROOMS_OP_ERASE && !rooms_is_sender(in, message)
        && in->actor.power < ROOMS_POWER_MODERATE)
    {
        rooms_fail(out, ROOMS_E_REDACT, NULL,
                   "Your power level in this room is too low.");
        return;
    }

    if (rooms_is_message(message, out) != ROOMS_OK) {
        return;
    }

    if (message->redacted) {
        rooms_noop(out);
        return;
    }

    out->event = ROOMS_EV_REDACTION;
}


/* A reaction can be taken back whatever happened to the message. */

static void
rooms_react(const rooms_message_t *message, int active, rooms_change_t *out)
{
    if (message->reacted == active) {
        rooms_noop(out);
        return;
    }

    if (active) {

        if (rooms_is_intact(message, out) != ROOMS_OK) {
            return;
        }

        if (message->emojis >= ROOMS_EMOJIS_MAX) {
            rooms_fail(out, ROOMS_E_FORBIDDEN, NULL,
                       "The message has too many different reactions.");
            return;
        }
    }

    out->event = ROOMS_EV_REACTION;
}


static rooms_code_e
rooms_is_message(const rooms_message_t *message, rooms_change_t *out)
{
    if (message->is_message) {
        return ROOMS_OK;
    }

    return rooms_fail(out, ROOMS_E_VALIDATION, "event_id",
                      "is not a message");
}


static rooms_code_e
rooms_is_intact(const rooms_message_t *message, rooms_change_t *out)
{
    if (rooms_is_message(message, out) != ROOMS_OK) {
        return out->code;
    }

    return message->redacted
           ? rooms_fail(out, ROOMS_E_VALIDATION, "event_id",
                        "was redacted")
           : ROOMS_OK;
}


static int
rooms_is_sender(const rooms_input_t *in, const rooms_message_t *message)
{
    return rooms_str_eq(message->sender, in->actor.participant);
}


const char *
rooms_emoji_check(rooms_str_t emoji)
{
    long                  length;
    const unsigned char  *p, *end;

    length = rooms_utf8_length(emoji);

    if (length < 1 || length > ROOMS_EMOJI_MAX) {
        return "must have 1 to 32 characters";
    }

    end = emoji.data + emoji.len;

    for (p = emoji.data; p < end; p++) {

        /* C0, DEL, and C1 controls, which begin with 0xc2 */

        if (*p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0)) {
            return "must not have control characters";
        }
    }

    return NULL;
}
