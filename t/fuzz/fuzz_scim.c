/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * libFuzzer target for src/scim.  The first byte selects what the rest is: a
 * filter, a body of PATCH, or a User.
 */

#include <stdlib.h>

#include "rooms_scim.h"


static const char  user[] =
    "{\"userName\":\"a\",\"name\":{\"familyName\":\"b\"},\"emails\":["
    "{\"value\":\"a@b\",\"type\":\"work\"},{\"value\":\"c\"}],\"title\":\"t\"}";


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t              *tree, *body;
    json_error_t         error;
    rooms_str_t          text;
    rooms_scim_key_t     key;
    rooms_scim_user_t    u;
    rooms_scim_fault_t   fault;

    if (size == 0) {
        return 0;
    }

    text = (rooms_str_t) { size - 1, data + 1 };
    tree = json_loads(user, 0, &error);

    switch (data[0] % 3) {

    case 0:

        /* it is a valid filter both with and without a resource, or neither */

        if ((rooms_scim_match(text, tree) < 0)
            != (rooms_scim_match(text, NULL) < 0)
            || (rooms_scim_key(text, &key) < 0)
               != (rooms_scim_match(text, NULL) < 0))
        {
            abort();
        }

        break;

    case 1:
        body = json_loadb((const char *) text.data, text.len,
                          JSON_REJECT_DUPLICATES, &error);

        if (json_is_object(body)
            && rooms_scim_patch(tree, body, &fault) == 0
            && rooms_scim_normalize(tree, &fault) == 0)
        {
            (void) rooms_scim_user(tree, &u, &fault);
        }

        json_decref(body);
        break;

    default:
        body = json_loadb((const char *) text.data, text.len,
                          JSON_REJECT_DUPLICATES, &error);

        if (json_is_object(body)
            && rooms_scim_normalize(body, &fault) == 0
            && rooms_scim_user(body, &u, &fault) == 0
            && u.user_name.len == 0)
        {
            abort();
        }

        json_decref(body);
    }

    json_decref(tree);

    return 0;
}
