/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_pack.h"


#define ROOMS_PACK_BITS    12         /* a window of 4 KiB ... */
#define ROOMS_PACK_MEMORY   5         /* ... and 12 bits of a hash */
#define ROOMS_PACK_LEVEL    6


/*
 * Answers as they are written, the most frequent last: what is near takes
 * fewer bits.  If they change, answers that are kept can't be read any more.
 */
static const char  rooms_pack_words[] =
    "201 \n{\"data\":{\"id\":\"room-01\",\"room_alias\":\"#imported:\","
    "\"events_imported\":10,\"media_imported\":0}}\n"
    "201 \n{\"data\":{\"media_id\":\"med-01\",\"sha256\":\"\",\"size\":1,"
    "\"mime_type\":\"image/png\",\"image/jpeg\",\"application/pdf\","
    "\"text/plain\",\"name\":\".txt\",\".pdf\",\".jpg\",\".png\","
    "\"width\":null,\"height\":null,\"thumbnail_id\":null,"
    "\"scan_status\":\"clean\"}}\n"
    "200 \n{\"data\":{\"room_id\":\"room-01\",\"participant_id\":\"@\","
    "\"fqid\":\"@:\",\"membership\":\"invite\",\"power_level\":0,"
    "\"joined_at\":null}}\n"
    "201 \n{\"data\":{\"id\":\"ws-01\",\"name\":\"\",\"description\":null,"
    "\"kind\":\"shared\",\"owner_id\":\"\",\"role\":\"owner\","
    "\"created_at\":\"20T00:00:00.000Z\"}}\n"
    "200 \",\"room_alias\":null,\"room_type\":\"incognito\","
    "\"scope_kind\":\"incognito\",\"name\":null,\"topic\":\"\","
    "\"is_public\":true,\"state\":\"archived\",\"federated\":true,"
    "\"room_type\":\"public\",\"scope_kind\":null,\"name\":\"\","
    "\"topic\":\"\",\"is_public\":true,\"state\":\"open\","
    "\",\"room_alias\":null,\"room_type\":\"dm\",\"scope_kind\":null,"
    "\"name\":\"\",\"topic\":null,\"is_public\":false,\"state\":\"open\","
    "\"federated\":false,\"workspace_id\":null,\"creator_id\":\"\","
    "201 room-01\n{\"data\":{\"id\":\"room-01\",\"room_alias\":\"#:\","
    "\"room_type\":\"group\",\"scope_kind\":null,\"name\":\"\","
    "\"topic\":null,\"is_public\":false,\"state\":\"open\","
    "\"federated\":false,\"workspace_id\":\"ws-01\",\"creator_id\":\"\","
    "\"created_at\":\"20T00:00:00.000Z\",\"updated_at\":\"20Z\","
    "\"members_count\":1,\"invited_count\":0,"
    "\"last_event_position\":\2,\"me\":{\"membership\":\"join\","
    "\"power_level\":100,\"notification_mode\":\"inherit\","
    "\"effective_notification_mode\":\"mentions\",\"muted_until\":null,"
    "\"last_read_event_id\":null,\"unread_count\":0}}}\n";

/* zlib uses no more of a dictionary */
_Static_assert(ROOMS_PACK_WORDS + ROOMS_PACK_HINT
               <= (1 << ROOMS_PACK_BITS) - 262, "the window is too small");
_Static_assert(sizeof(rooms_pack_words) - 1 <= ROOMS_PACK_WORDS,
               "too many words");


static int
rooms_packer_ready(rooms_packer_t *p)
{
    if (p->ready) {
        return 1;
    }

    memcpy(p->dictionary, rooms_pack_words, sizeof(rooms_pack_words) - 1);

    if (deflateInit2(&p->pack, ROOMS_PACK_LEVEL, Z_DEFLATED, ROOMS_PACK_BITS,
                     ROOMS_PACK_MEMORY, Z_DEFAULT_STRATEGY)
        != Z_OK)
    {
        return 0;
    }

    if (inflateInit2(&p->unpack, ROOMS_PACK_BITS) != Z_OK) {
        deflateEnd(&p->pack);
        return 0;
    }

    p->ready = 1;

    return 1;
}


/* The words with the hint behind them.  Returns their length. */
static size_t
rooms_pack_dictionary(rooms_packer_t *p, rooms_str_t hint)
{
    size_t  n;

    n = hint.len < ROOMS_PACK_HINT ? hint.len : ROOMS_PACK_HINT;

    if (n) {
        memcpy(p->dictionary + sizeof(rooms_pack_words) - 1, hint.data, n);
    }

    return sizeof(rooms_pack_words) - 1 + n;
}


size_t
rooms_pack(rooms_packer_t *p, rooms_str_t text, rooms_str_t hint,
    unsigned char *dst)
{
    size_t     n;
    z_stream  *z;

    if (text.len > ROOMS_PACK_MAX || !rooms_packer_ready(p)) {
        return 0;
    }

    z = &p->pack;
    n = rooms_pack_dictionary(p, hint);

    if (deflateReset(z) != Z_OK
        || deflateSetDictionary(z, p->dictionary, n) != Z_OK)
    {
        return 0;
    }

    z->next_in = (unsigned char *) text.data;
    z->avail_in = text.len;
    z->next_out = dst;
    z->avail_out = rooms_pack_size(text.len);

    return deflate(z, Z_FINISH) == Z_STREAM_END ? z->total_out : 0;
}


int
rooms_unpack(rooms_packer_t *p, rooms_str_t packed, rooms_str_t hint,
    unsigned char *dst, size_t len)
{
    size_t     n;
    z_stream  *z;

    if (len > ROOMS_PACK_MAX || packed.len > rooms_pack_size(len)
        || !rooms_packer_ready(p))
    {
        return 0;
    }

    z = &p->unpack;

    if (inflateReset(z) != Z_OK) {
        return 0;
    }

    z->next_in = (unsigned char *) packed.data;
    z->avail_in = packed.len;
    z->next_out = dst;
    z->avail_out = len;

    if (inflate(z, Z_FINISH) != Z_NEED_DICT) {
        return 0;
    }

    n = rooms_pack_dictionary(p, hint);

    return inflateSetDictionary(z, p->dictionary, n) == Z_OK
           && inflate(z, Z_FINISH) == Z_STREAM_END
           && z->avail_in == 0 && z->avail_out == 0;
}


void
rooms_packer_free(rooms_packer_t *p)
{
    if (p->ready) {
        deflateEnd(&p->pack);
        inflateEnd(&p->unpack);
        p->ready = 0;
    }
}
