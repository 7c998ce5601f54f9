/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>
#include <openssl/err.h>

#include "rooms_jwks.h"


static void __attribute__((format(printf, 3, 4)))
rooms_jwks_error(char *err, size_t errlen, const char *fmt, ...)
{
    va_list  args;

    if (errlen) {
        va_start(args, fmt);
        (void) vsnprintf(err, errlen, fmt, args);
        va_end(args);
    }
}


/*
 * Appends a skipped key, and why, to the one line in err.  The line ends
 * where the buffer does.
 */
static void
rooms_jwks_passed(char *err, size_t errlen, unsigned n, size_t i,
    const char *why)
{
    size_t  len;

    len = errlen ? strlen(err) : 0;

    if (len + 1 >= errlen) {
        return;
    }

    rooms_jwks_error(err + len, errlen - len, "%skeys[%zu]: %s",
                     n ? ", " : "", i, why);
}


static rooms_jwks_t *
rooms_jwks_read(const json_t *keys, char *err, size_t errlen)
{
    size_t         i, n;
    unsigned       passed;
    const char    *why;
    const json_t  *jwk;
    rooms_jwks_t  *set;

    if (!json_is_array(keys)) {
        rooms_jwks_error(err, errlen, "\"keys\" is not an array");
        return NULL;
    }

    n = json_array_size(keys);
    n = n < ROOMS_JWKS_MAX_KEYS ? n : ROOMS_JWKS_MAX_KEYS;

    set = calloc(1, sizeof(rooms_jwks_t) + n * sizeof(rooms_jwk_t));

    if (set == NULL) {
        rooms_jwks_error(err, errlen, "no memory");
        return NULL;
    }

    passed = 0;

    json_array_foreach(keys, i, jwk) {
        why = "no memory";

        if (set->nkeys == ROOMS_JWKS_MAX_KEYS) {
            rooms_jwks_passed(err, errlen, passed, i,
                              "only the first 64 keys are used");
            break;
        }

        if (rooms_jwk_read(jwk, &set->keys[set->nkeys], &why) == 0) {
            set->nkeys++;

        } else {
            rooms_jwks_passed(err, errlen, passed++, i, why);
        }
    }

    if (set->nkeys == 0) {
        rooms_jwks_free(set);

        if (passed == 0) {
            rooms_jwks_error(err, errlen, "\"keys\" is empty");
        }

        return NULL;
    }

    return set;
}


rooms_jwks_t *
rooms_jwks_parse(const unsigned char *json, size_t len, char *err,
    size_t errlen)
{
    json_t        *root;
    json_error_t   error;
    rooms_jwks_t  *set;

    if (errlen) {
        *err = '\0';
    }

    if (len > ROOMS_JWKS_MAX_SIZE) {
        rooms_jwks_error(err, errlen, "key set is larger than %d bytes",
                         ROOMS_JWKS_MAX_SIZE);
        return NULL;
    }

    if (len >= 3 && memcmp(json, "\xEF\xBB\xBF", 3) == 0) {
        /* a byte order mark, as editors write */
        json += 3;
        len -= 3;
    }

    root = json_loadb((const char *) json, len, JSON_REJECT_DUPLICATES,
                      &error);

    /* jansson's error text quotes the input, which may be a secret */

    if (root == NULL) {
        rooms_jwks_error(err, errlen, "%s in line %d, column %d",
                         json_error_code(&error) == json_error_duplicate_key
                         ? "duplicate member" : "not JSON", error.line,
                         error.column);
        return NULL;
    }

    /*
     * What OpenSSL says about a bad key must not stay in the thread's error
     * queue: NGINX would log it for an unrelated connection.
     */
    (void) ERR_set_mark();
    set = rooms_jwks_read(json_object_get(root, "keys"), err, errlen);
    (void) ERR_pop_to_mark();

    json_decref(root);

    return set;
}


rooms_jwks_t *
rooms_jwks_secret(const unsigned char *secret, size_t len, char *err,
    size_t errlen)
{
    const char    *why;
    rooms_jwks_t  *set;

    if (errlen) {
        *err = '\0';
    }

    if (len && secret[len - 1] == '\n') {
        len--;

        if (len && secret[len - 1] == '\r') {
            len--;
        }
    }

    why = "no memory";
    set = calloc(1, sizeof(rooms_jwks_t) + sizeof(rooms_jwk_t));

    if (set == NULL
        || rooms_jwk_set_secret(&set->keys[0], secret, len, &why) != 0)
    {
        rooms_jwks_error(err, errlen, "%s", why);
        free(set);
        return NULL;
    }

    set->nkeys = 1;

    return set;
}


void
rooms_jwks_free(rooms_jwks_t *set)
{
    if (set == NULL) {
        return;
    }

    while (set->nkeys) {
        rooms_jwk_clear(&set->keys[--set->nkeys]);
    }

    free(set);
}
