/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Passes a manifest.json through all readings of an import, for the unit
 * tests and the fuzzer.  What the first two readings accept, the third must
 * be able to write.  What it writes must be accepted again, in the form of an
 * export.
 */

#ifndef BUNDLE_IMPORT_H
#define BUNDLE_IMPORT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rooms_import.h"
#include "rooms_manifest.h"
#include "rooms_manifest_check.h"


#define IMPORT_BUF  ROOMS_IMPORT_JSON(ROOMS_MANIFEST_EVENT_MAX)


typedef struct {
    rooms_faults_t           faults;
    rooms_import_t           im;
    rooms_manifest_check_t   check;

    int                      good;
    const char              *broken;   /* the promise that was broken */

    u_char                  *out;      /* a manifest of the written rows */
    size_t                   len;
    uint64_t                 written;
} import_t;


static int
import_element(import_t *t, rooms_manifest_t *m, int kind)
{
    int                   rc;
    json_t               *o;
    rooms_check_event_t   e;

    rc = 0;
    o = NULL;

    switch (kind) {

    case ROOMS_MANIFEST_EVENT:
        rc = rooms_check_event(&t->check, m->slice, &e) == 0
             ? rooms_import_event(&t->im, m->slice, &e, m->index - 1) : 0;
        break;

    case ROOMS_MANIFEST_PARTICIPANT:
        o = rooms_check_participant(&t->check, m->key, m->slice);
        rc = o ? rooms_import_participant(&t->im, m->key, o) : 0;
        break;

    case ROOMS_MANIFEST_MEDIUM:
        o = rooms_check_medium(&t->check, m->key, m->slice);
        rc = o ? rooms_import_medium(&t->im, m->key, o, m->index - 1) : 0;
        break;

    case ROOMS_MANIFEST_MISSING:
        rc = rooms_import_missing(&t->im, m->slice);
        break;

    default:
        (void) rooms_check_member(&t->check, m->key, m->slice);
        break;
    }

    json_decref(o);

    return rc;
}


/* The first reading: 0 if it accepts the manifest. */
static int
import_scan(import_t *t, const u_char *data, size_t len)
{
    int                kind, rc;
    const u_char      *p;
    rooms_manifest_t   m;

    rooms_manifest_init(&m, 1000);
    p = data;
    rc = 0;

    while (rc == 0 && (kind = rooms_manifest_next(&m, &p, data + len)) > 0) {
        rc = import_element(t, &m, kind);
    }

    if (rc != 0 || rooms_manifest_finish(&m) != 0
        || rooms_check_finish(&t->check, rooms_manifest_seen(&m, "events"))
           != ROOMS_CHECK_OK)
    {
        rc = -1;
    }

    rooms_manifest_cleanup(&m);

    return rc;
}


/* Shows a row as an export does: as JSON, with its authors. */
static void
import_show(import_t *t, rooms_str_t row)
{
    size_t            size;
    u_char           *buf, *json;
    unsigned          i;
    rooms_buf_t       b;
    rooms_str_t       event;
    rooms_stored_t    e;
    rooms_authors_t   a;

    buf = NULL;

    rooms_stored_read(row, 0, &e);

    if (!e.readable) {
        t->broken = "what was written is no row";
    }

    size = rooms_stored_shown(&e, t->im.room);
    json = malloc(size);
    rooms_buf_init(&b, json, size);
    rooms_stored_show(&b, &e, t->im.room, ROOMS_NULL);
    event = e.json;

    if (rooms_authors_find(&a, event)) {

        for (i = 0; i < a.n; i++) {
            a.authors[i] = rooms_import_author_json(&t->im,
                             strtoul((char *) a.numbers[i].data, NULL, 10));
        }

        size = rooms_authors_size(&a, event);
        buf = malloc(size);
        event = rooms_authors_put(&a, event, buf, size);

        if (event.data == NULL) {
            t->broken = "an event with its authors doesn't fit";
        }
    }

    t->out = realloc(t->out, t->len + event.len + 1);
    memcpy(t->out + t->len, event.data, event.len);
    t->len += event.len;
    t->out[t->len++] = ',';
    free(buf);
    free(json);
}


/* Another reading; returns the bytes written, or -1. */
static int64_t
import_write(import_t *t, const u_char *data, size_t len, int keep)
{
    int                kind;
    u_char            *buf;
    int64_t            position, last, sum;
    rooms_buf_t        b;
    const u_char      *p;
    rooms_manifest_t   m;

    buf = malloc(IMPORT_BUF);
    rooms_manifest_init(&m, 1000);
    p = data;
    sum = 0;
    last = 0;

    while (sum != -1 && (kind = rooms_manifest_next(&m, &p, data + len)) > 0) {

        if (kind != ROOMS_MANIFEST_EVENT) {
            continue;
        }

        rooms_buf_init(&b, buf, IMPORT_BUF);

        switch (rooms_import_write(&t->im, m.slice, &b, &position)) {

        case 0:
            break;

        case 1:
            t->broken = b.last != buf ? "an event that stays was written"
                                      : t->broken;
            continue;

        default:
            sum = -1;
            continue;
        }

        if (position <= last) {
            t->broken = "positions don't grow";
        }

        last = position;
        sum += b.last - buf;

        if (keep) {
            import_show(t, (rooms_str_t) { b.last - buf, buf });
        }
    }

    rooms_manifest_cleanup(&m);
    free(buf);

    return sum;
}


static void
import_cleanup(import_t *t)
{
    rooms_import_cleanup(&t->im);
    rooms_check_cleanup(&t->check);
    rooms_faults_free(&t->faults);
    free(t->out);
}


static void
import_run(import_t *t, const u_char *data, size_t len)
{
    size_t   i;
    int64_t  measured;

    static const char  head[] = "{\"format\":\"scaiwave.room-export\","
                                "\"version\":1,\"room\":{\"room_type\":"
                                "\"group\"},\"events\":[";

    memset(t, 0, sizeof(import_t));

    if (rooms_import_init(&t->im, &t->faults) != 0) {
        abort();
    }

    memset(t->im.key, 7, sizeof(t->im.key));
    t->im.sender = rooms_cstr("ina");
    t->im.media_max = 1000;
    rooms_check_init(&t->check, &t->faults);

    if (import_scan(t, data, len) != 0) {
        return;
    }

    for (i = 0; i < t->im.nmedia; i++) {
        t->im.media[t->im.media[i].content].found = 1;
        memset(t->im.media[i].id + 4, '0', sizeof(t->im.media[i].id) - 4);
    }

    rooms_import_finish(&t->im);

    if (t->faults.total) {
        return;
    }

    t->im.room = rooms_cstr("room-00000000000000000000000000");
    t->im.position = INT64_C(10000000000000);
    measured = import_write(t, data, len, 0);

    if (measured == -1) {
        return;
    }

    t->good = 1;

    t->out = malloc(sizeof(head));
    memcpy(t->out, head, sizeof(head) - 1);
    t->len = sizeof(head) - 1;

    t->im.room = rooms_cstr("room-01m86gx3f9p8q4xhk2nnaxeajd");
    t->im.position = INT64_C(1700000000000);
    t->written = import_write(t, data, len, 1);

    if ((int64_t) t->written > measured) {
        t->broken = "more was written than measured, or not all";
    }

    t->len -= t->im.events != 0;
    t->out = realloc(t->out, t->len + 3);
    memcpy(t->out + t->len, "]}", 3);
    t->len += 2;
}


/* Runs everything, and then again with its own output. */
static void
import_twice(import_t *t, const u_char *data, size_t len)
{
    json_t    *v;
    import_t   again;

    import_run(t, data, len);

    if (!t->good || t->broken) {
        return;
    }

    v = json_loadb((const char *) t->out, t->len, JSON_REJECT_DUPLICATES,
                   NULL);

    if (v == NULL) {
        t->broken = "what was written is no JSON";
        return;
    }

    json_decref(v);
    import_run(&again, t->out, t->len);

    if (!again.good || again.broken || again.im.events != t->im.events) {
        t->broken = "what was written can't be imported again";
    }

    import_cleanup(&again);
}

#endif /* BUNDLE_IMPORT_H */
