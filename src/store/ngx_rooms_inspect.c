/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Reads the settings of a Redis when a worker has connected to it, and warns
 * of those that may lose an operator's data.  Nothing waits for it.  If a
 * provider hides INFO, there is no warning.
 */

#include "ngx_rooms_inspect.h"
#include "ngx_rooms_store.h"


static void ngx_rooms_inspected(ngx_rooms_batch_t *b);
static ngx_uint_t ngx_rooms_inspect_info(rooms_str_t info);
static void ngx_rooms_inspect_log(ngx_rooms_node_t *node, ngx_uint_t kind,
    rooms_str_t info, ngx_log_t *log);


ngx_rooms_inspect_pt  ngx_rooms_inspect_hook;

const char  *ngx_rooms_inspect_kinds[NGX_ROOMS_INSPECT_KINDS] = {
    [NGX_ROOMS_INSPECT_OLD] = "old",
    [NGX_ROOMS_INSPECT_EVICTION] = "eviction",
    [NGX_ROOMS_INSPECT_NO_AOF] = "no_aof",
    [NGX_ROOMS_INSPECT_REPLICA] = "replica"
};


void
ngx_rooms_inspect(ngx_rooms_lane_t *lane)
{
    ngx_rooms_node_t   *node;
    ngx_rooms_batch_t  *b;

    node = lane->node;

    /* of several lanes that connect together, one asks */

    if (!node->inspected || node->looking || ngx_exiting) {
        return;
    }

    b = ngx_rooms_batch_create(lane->timer.log);
    if (b == NULL) {
        return;
    }

    /* a worker that ends frees the batches whose data is the lane */

    b->handler = ngx_rooms_inspected;
    b->data = lane;

    if (ngx_rooms_command(b, ngx_rooms_s("INFO")) != NGX_OK) {
        ngx_rooms_batch_free(b);
        return;
    }

    node->looking = 1;

    ngx_rooms_lane_send(lane, b);
}


static void
ngx_rooms_inspected(ngx_rooms_batch_t *b)
{
    ngx_uint_t         kind, is, was;
    rooms_str_t        info;
    ngx_rooms_lane_t  *lane;

    lane = b->data;
    lane->node->looking = 0;

    info = b->status == NGX_ROOMS_BATCH_OK ? ngx_rooms_reply_str(b->replies[0])
                                           : ROOMS_NULL;

    if (info.data && ngx_rooms_inspect_hook) {
        is = ngx_rooms_inspect_info(info);
        was = lane->node->warnings;
        lane->node->warnings = is;

        for (kind = 0; kind < NGX_ROOMS_INSPECT_KINDS; kind++) {

            if (ngx_rooms_inspect_hook(&lane->node->name, kind,
                                       was >> kind & 1, is >> kind & 1))
            {
                ngx_rooms_inspect_log(lane->node, kind, info,
                                      lane->timer.log);
            }
        }
    }

    ngx_rooms_batch_free(b);
}


/* The value of a line "name:value" of INFO; NULL: there is none. */
static rooms_str_t
ngx_rooms_inspect_line(rooms_str_t info, const char *name)
{
    u_char       *p, *last;
    size_t        len;
    rooms_str_t   value;

    len = ngx_strlen(name);
    p = (u_char *) info.data;
    last = p + info.len;

    while (p && (size_t) (last - p) > len) {

        if (ngx_strncmp(p, name, len) == 0 && p[len] == ':') {
            p += len + 1;

            for (value.data = p; p < last && *p != '\r' && *p != '\n'; p++) {
                /* void */
            }

            value.len = p - value.data;

            return value;
        }

        p = ngx_strlchr(p, last, '\n');
        p = p ? p + 1 : NULL;
    }

    return ROOMS_NULL;
}


static ngx_uint_t
ngx_rooms_inspect_old(rooms_str_t version)
{
    u_char     *dot, *last;
    ngx_int_t   major, minor;

    last = (u_char *) version.data + version.len;
    dot = ngx_strlchr((u_char *) version.data, last, '.');

    if (dot == NULL) {
        return 0;
    }

    major = ngx_atoi((u_char *) version.data, dot - version.data);
    minor = dot + 1 < last && dot[1] >= '0' && dot[1] <= '9'
            ? dot[1] - '0' : 0;

    return major != NGX_ERROR && (major < 6 || (major == 6 && minor < 2));
}


static ngx_uint_t
ngx_rooms_inspect_info(rooms_str_t info)
{
    ngx_uint_t   is;
    rooms_str_t  s;

    is = 0;
    s = ngx_rooms_inspect_line(info, "redis_version");

    if (s.data && ngx_rooms_inspect_old(s)) {
        is |= 1 << NGX_ROOMS_INSPECT_OLD;
    }

    s = ngx_rooms_inspect_line(info, "maxmemory_policy");

    if (s.data && !rooms_str_eq(s, ngx_rooms_s("noeviction"))) {
        is |= 1 << NGX_ROOMS_INSPECT_EVICTION;
    }

    s = ngx_rooms_inspect_line(info, "aof_enabled");

    if (s.data && rooms_str_eq(s, ngx_rooms_s("0"))) {
        is |= 1 << NGX_ROOMS_INSPECT_NO_AOF;
    }

    s = ngx_rooms_inspect_line(info, "role");

    if (rooms_str_eq(s, ngx_rooms_s("slave"))) {
        s = ngx_rooms_inspect_line(info, "slave_read_only");

        if (!rooms_str_eq(s, ngx_rooms_s("0"))) {
            is |= 1 << NGX_ROOMS_INSPECT_REPLICA;
        }
    }

    return is;
}


static void
ngx_rooms_inspect_log(ngx_rooms_node_t *node, ngx_uint_t kind,
    rooms_str_t info, ngx_log_t *log)
{
    ngx_str_t  s;

    switch (kind) {

    case NGX_ROOMS_INSPECT_OLD:
        s = ngx_from_rooms(ngx_rooms_inspect_line(info, "redis_version"));
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "rooms: redis \"%V\" is %V, older than 6.2",
                      &node->name, &s);
        break;

    case NGX_ROOMS_INSPECT_EVICTION:
        s = ngx_from_rooms(ngx_rooms_inspect_line(info, "maxmemory_policy"));
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "rooms: redis \"%V\" has maxmemory-policy %V and "
                      "deletes rooms when it is full: it must be noeviction",
                      &node->name, &s);
        break;

    case NGX_ROOMS_INSPECT_NO_AOF:
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "rooms: redis \"%V\" has no AOF (appendonly yes): a "
                      "crash loses what came after the last snapshot",
                      &node->name);
        break;

    case NGX_ROOMS_INSPECT_REPLICA:
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "rooms: redis \"%V\" is a read-only replica",
                      &node->name);
        break;
    }
}
