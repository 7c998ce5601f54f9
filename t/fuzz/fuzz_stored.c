/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* libFuzzer: stored rows of events, of any content. */

#include <stdint.h>
#include <stdlib.h>

#include "rooms_stored.h"


#define ROOM  "room-0123456789"


static void
check(int good)
{
    if (!good) {
        abort();
    }
}


/*
 * Each row is shown as valid JSON, and a readable one is written again
 * unchanged.
 */

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t           len;
    rooms_buf_t      b;
    rooms_str_t      row, room;
    rooms_stored_t   e, again;
    unsigned char   *p;

    room = (rooms_str_t) rooms_string(ROOM);
    row = (rooms_str_t) { size, data };

    rooms_stored_read(row, 0, &e);

    len = rooms_stored_shown(&e, room);
    p = malloc(len);
    rooms_buf_init(&b, p, len);
    rooms_stored_show(&b, &e, room, ROOMS_NULL);

    check(!b.full && rooms_json_valid(e.json));
    check(e.id.data == NULL || rooms_stored_is(&e, e.id));
    free(p);

    if (!e.readable) {
        return 0;
    }

    len = rooms_stored_size(&e);
    p = malloc(len);
    rooms_buf_init(&b, p, len);
    rooms_stored_write(&b, &e);

    check(!b.full);

    rooms_stored_read((rooms_str_t) { b.last - p, p }, e.position, &again);

    check(again.readable && rooms_str_eq(again.digits, e.digits)
          && rooms_str_eq(again.type, e.type)
          && rooms_str_eq(again.sender, e.sender)
          && rooms_str_eq(again.content, e.content)
          && rooms_str_eq(again.original, e.original)
          && rooms_str_eq(again.origin_id, e.origin_id)
          && rooms_str_eq(again.origin_server, e.origin_server)
          && again.created_at == e.created_at && again.number == e.number
          && again.edited_at == e.edited_at
          && again.redacted_at == e.redacted_at
          && again.origin_ts == e.origin_ts && again.unlisted == e.unlisted
          && again.edit == e.edit);

    free(p);

    return 0;
}
