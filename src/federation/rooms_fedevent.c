/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include <sodium.h>

#include "rooms_fedevent.h"
#include "rooms_peer.h"


static const char *
rooms_fedevent_text(json_t *event, rooms_buf_t *work, rooms_str_t *text)
{
    const char  *problem;

    if (!json_is_object(event)) {
        return "is not an object";
    }

    work->last = work->start;
    problem = rooms_canonical(work, event, "signatures");

    if (problem) {
        return problem;
    }

    *text = (rooms_str_t) { work->last - work->start, work->start };

    return work->full ? "is too large" : NULL;
}


/* jansson's keys are C strings; server names have no NUL. */

static void
rooms_fedevent_key(char *dst, rooms_str_t server)
{
    memcpy(dst, server.data, server.len);
    dst[server.len] = '\0';
}


const char *
rooms_fedevent_sign(json_t *event, rooms_str_t server,
    const rooms_fedkey_pair_t *pair, rooms_buf_t *work)
{
    char            name[ROOMS_PEER_MAX + 1], base64[ROOMS_FEDKEY_SIG_TEXT];
    json_t         *signatures;
    const char     *problem;
    rooms_str_t     text;
    unsigned char   raw[ROOMS_FEDKEY_SIGNATURE];

    if (server.len > ROOMS_PEER_MAX) {
        return "has no valid server";
    }

    problem = rooms_fedevent_text(event, work, &text);

    if (problem) {
        return problem;
    }

    rooms_fedkey_sign(pair, text, raw);
    sodium_bin2base64(base64, sizeof(base64), raw, sizeof(raw),
                      sodium_base64_VARIANT_ORIGINAL);
    rooms_fedevent_key(name, server);

    signatures = json_pack("{s:{s:s}}", name, pair->key.id, base64);

    if (signatures == NULL
        || json_object_set_new(event, "signatures", signatures) != 0)
    {
        return "can't be held in memory";
    }

    return NULL;
}


const char *
rooms_fedevent_verify(json_t *event, rooms_str_t server,
    const rooms_fedkey_t *keys, unsigned nkeys, rooms_buf_t *work)
{
    char            name[ROOMS_PEER_MAX + 1];
    json_t         *by, *signature;
    unsigned        i;
    const char     *problem;
    rooms_str_t     text, base64;
    unsigned char   raw[ROOMS_FEDKEY_SIGNATURE];

    if (server.len > ROOMS_PEER_MAX) {
        return "has no valid server";
    }

    problem = rooms_fedevent_text(event, work, &text);

    if (problem) {
        return problem;
    }

    rooms_fedevent_key(name, server);
    by = json_object_get(json_object_get(event, "signatures"), name);

    for (i = 0; i < nkeys; i++) {
        signature = json_object_get(by, keys[i].id);

        if (!json_is_string(signature)) {
            continue;
        }

        base64.data = (const unsigned char *) json_string_value(signature);
        base64.len = json_string_length(signature);

        if (rooms_fedkey_base64(base64, raw, sizeof(raw)) == 0
            && rooms_fedkey_verify(&keys[i], text, raw) == 0)
        {
            return NULL;
        }
    }

    return "is not signed by its server";
}
