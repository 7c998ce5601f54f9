/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * libFuzzer: what other servers send: events, events of the history, server
 * lists.
 */

#include <stdint.h>
#include <stdlib.h>

#include "rooms_past.h"
#include "rooms_remote.h"


#define NOW  INT64_C(1700000000000)


static void
valid(rooms_str_t s)
{
    if (s.data && rooms_utf8_length(s) < 0) {
        abort();
    }
}


static void
peers(rooms_str_t s)
{
    size_t          len;
    uint64_t        before;
    rooms_str_t     all, server;
    unsigned char  *dst;

    server = (rooms_str_t) rooms_string("a.example");
    dst = malloc(s.len + server.len + 17);

    len = rooms_peers_move(s, server, 3, dst);

    if (len > s.len + server.len + 16) {
        abort();
    }

    all = (rooms_str_t) { len, dst };
    before = rooms_peers_total(all);

    if (before < 3 || !rooms_peers_has(all, server)) {
        abort();
    }

    free(dst);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                 i;
    json_t                *event, *names, *content;
    rooms_str_t            room, id, server, text, array, value;
    rooms_past_t           past;
    rooms_remote_t         remote;
    rooms_remote_member_t  m;

    peers((rooms_str_t) { size, data });
    (void) rooms_remote_ref((rooms_str_t) { size, data }, &id, &server);

    /* splitting unparsed text must stay inside it */

    text = (rooms_str_t) { size, data };
    (void) rooms_remote_id(text);

    if (rooms_remote_find(text, "events", &array) == 1) {
        while (rooms_remote_piece(&array, &value) == 1) {
            if (value.data < data || value.data + value.len > data + size) {
                abort();
            }
        }
    }

    event = json_loadb((const char *) data, size, JSON_REJECT_DUPLICATES,
                       NULL);

    if (event == NULL) {
        return 0;
    }

    room = (rooms_str_t) rooms_string("room-1");

    if (rooms_remote_read(event, NOW, &remote) == NULL) {

        if (!rooms_id_valid(remote.id, "evt-") || remote.created_at < 0
            || remote.created_at > NOW + 300000
            || !json_is_object(remote.content))
        {
            abort();
        }

        valid(remote.name);
        valid(remote.topic);
        valid(remote.sender.name);

        for (i = 0; i < json_array_size(remote.members); i++) {

            if (rooms_remote_member(json_array_get(remote.members, i), &m)
                == NULL
                && (m.power < 0 || m.power > ROOMS_POWER_MAX
                    || !rooms_participant_valid(m.fqid)))
            {
                abort();
            }
        }
    }

    if (rooms_past_read(event, room, NOW, &past) == NULL) {
        names = json_object();

        if (rooms_past_mentions(&past, names) == 0) {
            content = rooms_past_content(&past, names, ROOMS_NULL);
            json_decref(content);
        }

        json_decref(names);
    }

    (void) rooms_past_id(event);

    json_decref(event);

    return 0;
}
