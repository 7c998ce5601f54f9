/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_manifest.h"
#include "rooms_json.h"

#include <stdio.h>
#include <stdlib.h>


static int rooms_manifest_begin(rooms_manifest_t *m, const u_char **p,
    const u_char *end);
static int rooms_manifest_value(rooms_manifest_t *m, const u_char *p);
static int rooms_manifest_list(rooms_manifest_t *m, u_char ch);
static rooms_manifest_item_e rooms_manifest_value_end(rooms_manifest_t *m,
    const u_char *p);
static int rooms_manifest_key_end(rooms_manifest_t *m, const u_char *p);
static int rooms_manifest_member(rooms_manifest_t *m);
static int rooms_manifest_keep(rooms_manifest_t *m, const u_char *p);


static const struct {
    const char             *name;
    rooms_manifest_item_e   section;
} rooms_manifest_lists[] = {
    { "events", ROOMS_MANIFEST_EVENT },
    { "participants", ROOMS_MANIFEST_PARTICIPANT },
    { "media", ROOMS_MANIFEST_MEDIUM },
    { "missing_media", ROOMS_MANIFEST_MISSING },
    { NULL, ROOMS_MANIFEST_MEMBER }
};


static int
rooms_manifest_fail(rooms_manifest_t *m, const char *reason)
{
    m->failed = 1;

    snprintf(m->err, sizeof(m->err), "manifest.json, byte %llu: %s",
             (unsigned long long) m->scan.offset, reason);

    return ROOMS_MANIFEST_ERROR;
}


static int
rooms_manifest_too_long(rooms_manifest_t *m)
{
    switch (m->limit) {

    case ROOMS_MANIFEST_EVENT_MAX:
        return rooms_manifest_fail(m, "an event is longer than 256 KiB");

    case ROOMS_MANIFEST_SMALL_MAX:
        return rooms_manifest_fail(m, "a value is longer than 64 KiB");

    default:
        return rooms_manifest_fail(m, "a key is longer than 256 bytes");
    }
}


void
rooms_manifest_init(rooms_manifest_t *m, uint64_t elements_max)
{
    memset(m, 0, sizeof(rooms_manifest_t));

    rooms_json_scan_init(&m->scan);

    m->elements_max = elements_max;
    m->scan.report = 1;
}


void
rooms_manifest_cleanup(rooms_manifest_t *m)
{
    free(m->buf);

    m->buf = NULL;
    m->size = 0;
    m->failed = 1;
}


rooms_manifest_item_e
rooms_manifest_next(rooms_manifest_t *m, const u_char **p, const u_char *end)
{
    int  rc;

    if (m->failed) {
        return ROOMS_MANIFEST_ERROR;
    }

    if (!m->begun && rooms_manifest_begin(m, p, end) != 0) {
        return ROOMS_MANIFEST_ERROR;
    }

    m->begin = *p;

    for ( ;; ) {

        switch (rooms_json_scan(&m->scan, p, end)) {

        case ROOMS_JSON_ERROR:
            return rooms_manifest_fail(m, m->scan.error);

        case ROOMS_JSON_AGAIN:
            return m->slicing ? rooms_manifest_keep(m, *p)
                              : ROOMS_MANIFEST_AGAIN;

        case ROOMS_JSON_VALUE:
            rc = rooms_manifest_value(m, *p);
            break;

        case ROOMS_JSON_VALUE_END:
            rc = rooms_manifest_value_end(m, *p);
            break;

        case ROOMS_JSON_KEY:
            m->begin = *p;
            m->len = 0;
            m->limit = 6 * ROOMS_MANIFEST_KEY_MAX + 2;
            m->slicing = 1;
            continue;

        default:                      /* ROOMS_JSON_KEY_END */
            rc = rooms_manifest_key_end(m, *p);
            break;
        }

        if (rc != 0) {
            return rc;
        }
    }
}


/* Skips a byte order mark, which windows may cut anywhere. */

static int
rooms_manifest_begin(rooms_manifest_t *m, const u_char **p, const u_char *end)
{
    static const u_char  mark[] = { 0xef, 0xbb, 0xbf };

    while (*p < end && m->mark < sizeof(mark) && **p == mark[m->mark]) {
        (*p)++;
        m->mark++;
        m->scan.offset++;
    }

    if (*p < end) {
        m->begun = 1;

        if (m->mark != 0 && m->mark != sizeof(mark)) {
            return rooms_manifest_fail(m, "it is not JSON");
        }
    }

    return 0;
}


int
rooms_manifest_finish(rooms_manifest_t *m)
{
    if (m->failed) {
        return -1;
    }

    return rooms_json_scan_done(&m->scan)
           ? 0 : rooms_manifest_fail(m, "the JSON text is truncated");
}


int
rooms_manifest_seen(const rooms_manifest_t *m, const char *key)
{
    unsigned  i;

    for (i = 0; i < m->members; i++) {
        if (rooms_str_eq(rooms_cstr(key), (rooms_str_t) { m->seen_len[i],
                                                          m->seen[i] }))
        {
            return 1;
        }
    }

    return 0;
}


static int
rooms_manifest_value(rooms_manifest_t *m, const u_char *p)
{
    if (m->scan.depth == 0) {
        return *p == '{' ? 0 : rooms_manifest_fail(m, "it is not an object");
    }

    if (m->scan.depth == 1 && m->section != ROOMS_MANIFEST_MEMBER) {
        return rooms_manifest_list(m, *p);
    }

    if (m->listing) {
        if (m->index == m->elements_max
            && m->section != ROOMS_MANIFEST_EVENT)
        {
            return rooms_manifest_fail(m, "there are more participants or "
                                          "media than rooms_import_limits "
                                          "allows entries");
        }

        if (m->listing == '[') {
            m->key = ROOMS_NULL;
        }
    }

    m->begin = p;
    m->len = 0;
    m->at = m->scan.offset;
    m->slicing = 1;
    m->limit = m->section == ROOMS_MANIFEST_EVENT ? ROOMS_MANIFEST_EVENT_MAX
                                                  : ROOMS_MANIFEST_SMALL_MAX;
    return 0;
}


static int
rooms_manifest_list(rooms_manifest_t *m, u_char ch)
{
    if (ch != '[' && (ch != '{' || m->section == ROOMS_MANIFEST_EVENT)) {
        return rooms_manifest_fail(m, m->section == ROOMS_MANIFEST_EVENT
                                      ? "events is not an array"
                                      : "participants, media or missing_media "
                                        "is not a list");
    }

    m->listing = ch;
    m->index = 0;
    m->scan.report = 2;

    return 0;
}


static rooms_manifest_item_e
rooms_manifest_value_end(rooms_manifest_t *m, const u_char *p)
{
    if (m->scan.depth == 0) {
        return ROOMS_MANIFEST_AGAIN;
    }

    if (m->scan.depth == 1 && m->listing) {
        m->listing = 0;
        m->scan.report = 1;
        return ROOMS_MANIFEST_AGAIN;
    }

    if ((size_t) (p - m->begin) > m->limit - m->len) {
        return rooms_manifest_too_long(m);
    }

    if (m->len) {
        if (rooms_manifest_keep(m, p) != 0) {
            return ROOMS_MANIFEST_ERROR;
        }

        m->slice.data = m->buf;
        m->slice.len = m->len;

    } else {
        m->slice.data = m->begin;
        m->slice.len = p - m->begin;
    }

    m->slicing = 0;

    if (m->listing) {
        m->index++;
    }

    return m->section;
}


static int
rooms_manifest_key_end(rooms_manifest_t *m, const u_char *p)
{
    ptrdiff_t    n;
    rooms_str_t  raw;

    if (m->len) {
        if (rooms_manifest_keep(m, p) != 0) {
            return ROOMS_MANIFEST_ERROR;
        }

        raw.data = m->buf;
        raw.len = m->len;

    } else {
        raw.data = m->begin;
        raw.len = p - m->begin;
    }

    m->slicing = 0;

    /* keys are compared decoded, however they are spelled */

    raw.data++;
    raw.len -= 2;

    n = rooms_json_unescape(raw, m->key_buf, sizeof(m->key_buf));
    if (n == -1) {
        m->limit = ROOMS_MANIFEST_KEY_MAX;
        return rooms_manifest_too_long(m);
    }

    m->key.data = m->key_buf;
    m->key.len = n;

    return m->scan.depth == 1 ? rooms_manifest_member(m) : 0;
}


/* A key of the top object: must be new; tells what its value is. */

static int
rooms_manifest_member(rooms_manifest_t *m)
{
    unsigned  i;

    if (m->key.len > sizeof(m->seen[0])) {
        return rooms_manifest_fail(m, "an unknown member's key is longer "
                                      "than 64 bytes");
    }

    for (i = 0; i < m->members; i++) {
        if (m->seen_len[i] == m->key.len
            && memcmp(m->seen[i], m->key_buf, m->key.len) == 0)
        {
            return rooms_manifest_fail(m, "a key occurs twice");
        }
    }

    if (m->members == ROOMS_MANIFEST_MEMBERS_MAX) {
        return rooms_manifest_fail(m, "there are more than 32 members");
    }

    memcpy(m->seen[m->members], m->key_buf, m->key.len);
    m->seen_len[m->members++] = (uint16_t) m->key.len;

    for (i = 0; rooms_manifest_lists[i].name; i++) {
        if (rooms_str_eq(m->key, rooms_cstr(rooms_manifest_lists[i].name))) {
            break;
        }
    }

    m->section = rooms_manifest_lists[i].section;
    m->index = 0;

    return 0;
}


/* The window ends inside a slice: copies this part of it into the buffer. */

static int
rooms_manifest_keep(rooms_manifest_t *m, const u_char *p)
{
    size_t   n, size;
    u_char  *buf;

    n = p - m->begin;

    if (n > m->limit - m->len) {
        return rooms_manifest_too_long(m);
    }

    if (m->size < m->len + n) {
        size = m->size ? m->size : 4096;

        while (size < m->len + n) {
            size *= 2;
        }

        buf = realloc(m->buf, size);

        if (buf == NULL) {
            return rooms_manifest_fail(m, "no memory");
        }

        m->buf = buf;
        m->size = size;
    }

    if (n) {
        memcpy(m->buf + m->len, m->begin, n);
    }

    m->len += n;

    return 0;
}
