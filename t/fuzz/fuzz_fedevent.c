/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * libFuzzer: what another server says of its key, in the first line, and an
 * event that it has signed.  An event that we sign is verified, until anything
 * in it changes.
 */

#include <stdlib.h>

#include "rooms_fedevent.h"
#include "rooms_json.h"


#define check(cond)  do { if (!(cond)) abort(); } while (0)

static const rooms_str_t    server = rooms_string("b.test");
static rooms_fedkey_pair_t  own;


static void
fuzz_key(rooms_str_t s, rooms_fedkey_t *key)
{
    char  text[ROOMS_FEDKEY_TEXT];

    if (rooms_fedkey_parse(s, key) != 0) {
        *key = own.key;
        return;
    }

    /* there is one way to write it */

    check(rooms_fedkey_text(key, text) == s.len);
    check(memcmp(text, s.data, s.len) == 0);
}


static void
fuzz_sign(json_t *event, rooms_buf_t *work)
{
    if (rooms_fedevent_sign(event, server, &own, work) != NULL) {
        return;
    }

    check(rooms_fedevent_verify(event, server, &own.key, 1, work) == NULL);
    check(rooms_fedevent_verify(event, rooms_cstr("c.test"), &own.key, 1, work)
          != NULL);

    if (json_object_del(event, "another") != 0) {
        check(json_object_set_new(event, "another", json_true()) == 0);
    }

    check(rooms_fedevent_verify(event, server, &own.key, 1, work) != NULL);
}


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    size_t           n;
    json_t          *event;
    rooms_buf_t      work;
    rooms_fedkey_t   keys[2];
    unsigned char   *space;

    if (own.key.id[0] == '\0') {
        check(rooms_fedkey_init() == 0);
        check(rooms_fedkey_read(rooms_cstr("AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
                                           "GBkaGxwdHh8="), &own) == 0);
    }

    for (n = 0; n < size && data[n] != '\n'; n++) { /* void */ }

    fuzz_key((rooms_str_t) { n, data }, &keys[0]);
    keys[1] = own.key;
    n += n < size;

    event = json_loadb((const char *) data + n, size - n,
                       JSON_REJECT_DUPLICATES, NULL);
    if (event == NULL) {
        return 0;
    }

    space = malloc(size + 1);
    check(space);
    rooms_buf_init(&work, space, size);

    (void) rooms_fedevent_verify(event, server, keys, 2, &work);

    if (json_is_object(event)) {
        fuzz_sign(event, &work);
    }

    free(space);
    json_decref(event);

    return 0;
}
