/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_rooms_status.h"


#define NGX_ROOMS_STATUS_ROWS      64
#define NGX_ROOMS_STATUS_CLASSES    4      /* 2xx and 3xx, 4xx, 5xx */
#define NGX_ROOMS_STATUS_BUCKETS    8

typedef struct {
    ngx_atomic_t    classes[NGX_ROOMS_STATUS_CLASSES];
    ngx_atomic_t    buckets[NGX_ROOMS_STATUS_BUCKETS];   /* not cumulated */
    ngx_atomic_t    sum;
} ngx_rooms_status_row_t;

struct ngx_rooms_status_s {
    ngx_rooms_status_row_t  rows[NGX_ROOMS_STATUS_ROWS];
    ngx_rooms_status_row_t  store;         /* classes: ok, -, failed */
    ngx_atomic_t            conflicts;
};

static const ngx_msec_t  ngx_rooms_status_bounds[] = {
    1, 5, 10, 50, 100, 500, 1000, NGX_MAX_UINT32_VALUE
};

/* of the current cycle's zone, which every cycle sets anew */
static ngx_rooms_status_t  *ngx_rooms_status;


static ngx_int_t
ngx_rooms_status_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t  *shpool;

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    if (data) {
        zone->data = data;

    } else if (zone->shm.exists) {
        zone->data = shpool->data;

    } else {
        zone->data = ngx_slab_calloc(shpool, sizeof(ngx_rooms_status_t));
        if (zone->data == NULL) {
            return NGX_ERROR;
        }

        shpool->data = zone->data;
    }

    ngx_rooms_status = zone->data;

    return NGX_OK;
}


ngx_shm_zone_t *
ngx_rooms_status_zone(ngx_conf_t *cf)
{
    ngx_shm_zone_t  *zone;

    static ngx_str_t  name = ngx_string("ngx_rooms_status");

    zone = ngx_shared_memory_add(cf, &name, 16 * ngx_pagesize,
                                 &ngx_rooms_module);
    if (zone) {
        zone->init = ngx_rooms_status_init;
    }

    return zone;
}


static void
ngx_rooms_status_add(ngx_rooms_status_row_t *row, ngx_uint_t class,
    ngx_msec_t took)
{
    ngx_uint_t  i;

    for (i = 0; took > ngx_rooms_status_bounds[i]; i++) { /* void */ }

    (void) ngx_atomic_fetch_add(&row->classes[class], 1);
    (void) ngx_atomic_fetch_add(&row->buckets[i], 1);
    (void) ngx_atomic_fetch_add(&row->sum, took);
}


void
ngx_rooms_status_request(const ngx_rooms_endpoint_t *e, ngx_uint_t status,
    ngx_msec_t took)
{
    ngx_uint_t  i;

    if (ngx_rooms_status == NULL) {
        return;
    }

    /* the last row is for what is no endpoint */

    i = e ? ngx_rooms_endpoint_index(e) : NGX_ROOMS_STATUS_ROWS - 1;
    i = ngx_min(i, NGX_ROOMS_STATUS_ROWS - 1);

    ngx_rooms_status_add(&ngx_rooms_status->rows[i],
                         status < 400 ? 0 : status < 500 ? 1 : 2, took);
}


void
ngx_rooms_status_store(ngx_msec_t took, ngx_uint_t ok)
{
    if (ngx_rooms_status) {
        ngx_rooms_status_add(&ngx_rooms_status->store, ok ? 0 : 2, took);
    }
}


void
ngx_rooms_status_conflict(void)
{
    if (ngx_rooms_status) {
        (void) ngx_atomic_fetch_add(&ngx_rooms_status->conflicts, 1);
    }
}


static void
ngx_rooms_status_printf(ngx_rooms_out_t *out, const char *fmt, ...)
{
    va_list       args;
    rooms_buf_t  *b;

    b = ngx_rooms_out(out, 512);

    va_start(args, fmt);
    b->last = ngx_vslprintf(b->last, b->end, fmt, args);
    va_end(args);
}


/* A histogram as Prometheus has it: cumulated, in seconds. */
static void
ngx_rooms_status_histogram(ngx_rooms_out_t *out, const char *name,
    const char *labels, ngx_rooms_status_row_t *row)
{
    ngx_uint_t         i;
    ngx_atomic_uint_t  n;

    for (n = 0, i = 0; i < NGX_ROOMS_STATUS_BUCKETS; i++) {
        n += row->buckets[i];

        if (i == NGX_ROOMS_STATUS_BUCKETS - 1) {
            ngx_rooms_status_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %uA\n",
                                    name, labels, *labels ? "," : "", n);
            break;
        }

        ngx_rooms_status_printf(out, "%s_bucket{%s%sle=\"%M.%03M\"} %uA\n",
                                name, labels, *labels ? "," : "",
                                ngx_rooms_status_bounds[i] / 1000,
                                ngx_rooms_status_bounds[i] % 1000, n);
    }

    ngx_rooms_status_printf(out, "%s_sum%s%s%s %uA.%03uA\n", name,
                            *labels ? "{" : "", labels, *labels ? "}" : "",
                            row->sum / 1000, row->sum % 1000);
    ngx_rooms_status_printf(out, "%s_count%s%s%s %uA\n", name,
                            *labels ? "{" : "", labels, *labels ? "}" : "", n);
}


static const char *
ngx_rooms_status_method(ngx_uint_t method)
{
    switch (method) {

    case NGX_HTTP_GET:
        return "GET";

    case NGX_HTTP_PUT:
        return "PUT";

    case NGX_HTTP_DELETE:
        return "DELETE";

    default:
        return "POST";
    }
}


static void
ngx_rooms_status_label(u_char *dst, size_t size, ngx_uint_t i)
{
    const ngx_rooms_endpoint_t  *e;

    e = &ngx_rooms_endpoints[i];

    if (i == NGX_ROOMS_STATUS_ROWS - 1) {
        *ngx_snprintf(dst, size - 1, "endpoint=\"none\"") = '\0';
        return;
    }

    *ngx_snprintf(dst, size - 1, "endpoint=\"%s %s\"",
                  ngx_rooms_status_method(e->method), e->path) = '\0';
}


static ngx_uint_t
ngx_rooms_status_used(ngx_rooms_status_row_t *row)
{
    return row->classes[0] + row->classes[1] + row->classes[2] > 0;
}


static void
ngx_rooms_status_prometheus(ngx_rooms_out_t *out)
{
    u_char                   label[192];
    ngx_uint_t               i, c;
    ngx_rooms_status_row_t  *row;

    static const char  *classes[] = { "ok", "refused", "failed" };

    ngx_rooms_status_printf(out, "# TYPE rooms_requests_total counter\n");

    for (i = 0; i < NGX_ROOMS_STATUS_ROWS; i++) {
        row = &ngx_rooms_status->rows[i];

        if (!ngx_rooms_status_used(row)) {
            continue;
        }

        ngx_rooms_status_label(label, sizeof(label), i);

        for (c = 0; c < 3; c++) {
            ngx_rooms_status_printf(out,
                       "rooms_requests_total{%s,result=\"%s\"} %uA\n",
                       label, classes[c], row->classes[c]);
        }
    }

    ngx_rooms_status_printf(out, "# TYPE rooms_request_seconds histogram\n");

    for (i = 0; i < NGX_ROOMS_STATUS_ROWS; i++) {
        row = &ngx_rooms_status->rows[i];

        if (ngx_rooms_status_used(row)) {
            ngx_rooms_status_label(label, sizeof(label), i);
            ngx_rooms_status_histogram(out, "rooms_request_seconds",
                                       (char *) label, row);
        }
    }

    ngx_rooms_status_printf(out, "# TYPE rooms_store_seconds histogram\n");
    ngx_rooms_status_histogram(out, "rooms_store_seconds", "",
                               &ngx_rooms_status->store);

    ngx_rooms_status_printf(out, "# TYPE rooms_store_failures_total counter\n"
                            "rooms_store_failures_total %uA\n"
                            "# TYPE rooms_commit_conflicts_total counter\n"
                            "rooms_commit_conflicts_total %uA\n",
                            ngx_rooms_status->store.classes[2],
                            ngx_rooms_status->conflicts);
}


static void
ngx_rooms_status_json(ngx_rooms_out_t *out)
{
    const char              *comma;
    ngx_uint_t               i;
    ngx_rooms_status_row_t  *row;

    ngx_rooms_status_printf(out, "{\"store\":{\"rounds\":%uA,\"failed\":%uA,"
                            "\"ms\":%uA,\"conflicts\":%uA},\"endpoints\":[",
                            ngx_rooms_status->store.classes[0],
                            ngx_rooms_status->store.classes[2],
                            ngx_rooms_status->store.sum,
                            ngx_rooms_status->conflicts);

    comma = "";

    for (i = 0; i < NGX_ROOMS_STATUS_ROWS; i++) {
        row = &ngx_rooms_status->rows[i];

        if (!ngx_rooms_status_used(row)) {
            continue;
        }

        ngx_rooms_status_printf(out, "%s{\"method\":\"%s\",\"path\":\"%s\","
                   "\"ok\":%uA,\"refused\":%uA,\"failed\":%uA,\"ms\":%uA}",
                   comma,
                   i < NGX_ROOMS_STATUS_ROWS - 1
                   ? ngx_rooms_status_method(ngx_rooms_endpoints[i].method)
                   : "",
                   i < NGX_ROOMS_STATUS_ROWS - 1
                   ? ngx_rooms_endpoints[i].path : "none",
                   row->classes[0], row->classes[1], row->classes[2],
                   row->sum);
        comma = ",";
    }

    ngx_rooms_status_printf(out, "]}\n");
}


ngx_int_t
ngx_rooms_status_handler(ngx_http_request_t *r)
{
    ngx_int_t        rc;
    ngx_str_t        format;
    ngx_uint_t       json;
    ngx_rooms_out_t  out;

    if (!(r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    json = ngx_http_arg(r, (u_char *) "format", 6, &format) == NGX_OK
           && format.len == 4 && ngx_strncmp(format.data, "json", 4) == 0;

    ngx_rooms_out_init(&out, r->pool);

    if (json) {
        ngx_rooms_status_json(&out);

    } else {
        ngx_rooms_status_prometheus(&out);
    }

    ngx_rooms_out_close(&out);

    if (out.failed) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = out.size;

    if (json) {
        ngx_str_set(&r->headers_out.content_type, "application/json");

    } else {
        ngx_str_set(&r->headers_out.content_type,
                    "text/plain; version=0.0.4");
    }

    r->headers_out.content_type_len = r->headers_out.content_type.len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    {
        ngx_chain_t  *cl;

        for (cl = out.first; cl->next; cl = cl->next) { /* void */ }

        cl->buf->last_buf = (r == r->main) ? 1 : 0;
        cl->buf->last_in_chain = 1;
    }

    return ngx_http_output_filter(r, out.first);
}
