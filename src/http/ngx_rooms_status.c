/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_rooms_status.h"
#include "ngx_rooms_request.h"
#include "ngx_rooms_status_html.h"
#include "ngx_rooms_inspect.h"


#define NGX_ROOMS_STATUS_ROWS     (NGX_ROOMS_ROWS + 1)
#define NGX_ROOMS_STATUS_CLASSES    3      /* 2xx and 3xx, 4xx, 5xx */
#define NGX_ROOMS_STATUS_BUCKETS   17
#define NGX_ROOMS_STATUS_WARNED    32      /* nodes remembered for each kind */

typedef struct {
    ngx_atomic_t    classes[NGX_ROOMS_STATUS_CLASSES];
    ngx_atomic_t    buckets[NGX_ROOMS_STATUS_BUCKETS];   /* not cumulative */
    ngx_atomic_t    sum;
} ngx_rooms_status_row_t;

typedef enum {
    NGX_ROOMS_STATUS_PROMETHEUS = 0,
    NGX_ROOMS_STATUS_JSON,
    NGX_ROOMS_STATUS_HTML
} ngx_rooms_status_format_e;

struct ngx_rooms_status_s {
    ngx_rooms_status_row_t  rows[NGX_ROOMS_STATUS_ROWS];
    ngx_rooms_status_row_t  store;         /* classes: ok, -, failed */
    ngx_atomic_t            conflicts;
    ngx_atomic_t            store_down;    /* the last round failed */
    ngx_atomic_t            errors[NGX_ROOMS_E_MAX];
    ngx_atomic_t            gauges[NGX_MAX_PROCESSES][NGX_ROOMS_GAUGE_MAX];

    /* nodes that this worker warns about; and those that were logged */
    ngx_atomic_t            warnings[NGX_MAX_PROCESSES]
                                    [NGX_ROOMS_INSPECT_KINDS];
    ngx_atomic_t            warned[NGX_ROOMS_INSPECT_KINDS]
                                  [NGX_ROOMS_STATUS_WARNED];
};

/* microseconds; the last bucket has all that is slower */
static const uint64_t  ngx_rooms_status_bounds[NGX_ROOMS_STATUS_BUCKETS - 1] =
{
    50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000,
    500000, 1000000, 2500000, 10000000
};

static const char  *ngx_rooms_status_classes[] = { "ok", "refused", "failed" };

static ngx_uint_t ngx_rooms_status_inspected(ngx_str_t *node,
    ngx_uint_t kind, ngx_uint_t was, ngx_uint_t is);

/* of the current cycle's zone; each cycle sets it */
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

    zone = ngx_shared_memory_add(cf, &name, 2 * sizeof(ngx_rooms_status_t)
                                            + 16 * ngx_pagesize,
                                 &ngx_rooms_module);
    if (zone) {
        zone->init = ngx_rooms_status_init;
    }

    return zone;
}


/* A worker that was killed in this slot didn't reset its gauges. */
void
ngx_rooms_status_init_worker(void)
{
    ngx_rooms_status_exit_worker();

    ngx_rooms_inspect_hook = ngx_rooms_status_inspected;
}


void
ngx_rooms_status_exit_worker(void)
{
    if (ngx_rooms_status) {
        ngx_memzero((void *) ngx_rooms_status->gauges[ngx_process_slot],
                    sizeof(ngx_rooms_status->gauges[0]));
        ngx_memzero((void *) ngx_rooms_status->warnings[ngx_process_slot],
                    sizeof(ngx_rooms_status->warnings[0]));
    }
}


/*
 * The worker that adds a node to the list logs the warning; the others don't.
 */
static ngx_uint_t
ngx_rooms_status_inspected(ngx_str_t *node, ngx_uint_t kind, ngx_uint_t was,
    ngx_uint_t is)
{
    ngx_uint_t     i;
    ngx_atomic_t  *warned;

    ngx_atomic_uint_t  name;

    if (ngx_rooms_status == NULL) {
        return is && !was;
    }

    if (was != is) {
        /* only this worker writes to it */
        ngx_rooms_status->warnings[ngx_process_slot][kind] += is ? 1 : -1;
    }

    if (!is || was) {
        return 0;
    }

    name = ngx_crc32_long(node->data, node->len) | 1;
    warned = ngx_rooms_status->warned[kind];

    for (i = 0; i < NGX_ROOMS_STATUS_WARNED; i++) {

        if (ngx_atomic_cmp_set(&warned[i], 0, name)) {
            return 1;
        }

        if (warned[i] == name) {
            return 0;
        }
    }

    return 0;
}


/* The largest number of nodes with this warning that any worker sees. */
static ngx_atomic_uint_t
ngx_rooms_status_warnings(ngx_uint_t kind)
{
    ngx_uint_t         i;
    ngx_atomic_uint_t  n;

    for (n = 0, i = 0; i < NGX_MAX_PROCESSES; i++) {
        n = ngx_max(n, ngx_rooms_status->warnings[i][kind]);
    }

    return n;
}


uint64_t
ngx_rooms_usec(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


static void
ngx_rooms_status_add(ngx_rooms_status_row_t *row, ngx_uint_t class,
    uint64_t took)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_ROOMS_STATUS_BUCKETS - 1; i++) {
        if (took <= ngx_rooms_status_bounds[i]) {
            break;
        }
    }

    (void) ngx_atomic_fetch_add(&row->classes[class], 1);
    (void) ngx_atomic_fetch_add(&row->buckets[i], 1);
    (void) ngx_atomic_fetch_add(&row->sum, took);
}


void
ngx_rooms_status_request(ngx_rooms_req_t *rq, ngx_uint_t status)
{
    ngx_uint_t  i;

    if (ngx_rooms_status == NULL) {
        return;
    }

    /* the last row is for requests that match no endpoint */

    i = rq->endpoint ? ngx_rooms_endpoint_index(rq->endpoint)
                     : NGX_ROOMS_STATUS_ROWS - 1;
    i = ngx_min(i, NGX_ROOMS_STATUS_ROWS - 1);

    ngx_rooms_status_add(&ngx_rooms_status->rows[i],
                         status < 400 ? 0 : status < 500 ? 1 : 2,
                         ngx_rooms_usec() - rq->began);

    if (status >= 400 && rq->error != ROOMS_OK
        && rq->error < (ngx_uint_t) NGX_ROOMS_E_MAX)
    {
        (void) ngx_atomic_fetch_add(&ngx_rooms_status->errors[rq->error], 1);
    }
}


void
ngx_rooms_status_store(uint64_t began, ngx_uint_t ok)
{
    if (ngx_rooms_status) {
        ngx_rooms_status_add(&ngx_rooms_status->store, ok ? 0 : 2,
                             ngx_rooms_usec() - began);
        ngx_rooms_status->store_down = !ok;
    }
}


void
ngx_rooms_status_conflict(void)
{
    if (ngx_rooms_status) {
        (void) ngx_atomic_fetch_add(&ngx_rooms_status->conflicts, 1);
    }
}


void
ngx_rooms_status_doing(ngx_rooms_req_t *rq, ngx_rooms_gauge_e gauge)
{
    ngx_atomic_t  *mine;

    if (ngx_rooms_status == NULL) {
        return;
    }

    /* only this worker writes to them */

    mine = ngx_rooms_status->gauges[ngx_process_slot];

    if (rq->doing != NGX_ROOMS_GAUGE_NONE) {
        mine[rq->doing]--;
    }

    if (gauge != NGX_ROOMS_GAUGE_NONE) {
        mine[gauge]++;
    }

    rq->doing = gauge;
}


void
ngx_rooms_status_move(ngx_rooms_gauge_e gauge, ngx_int_t by)
{
    if (ngx_rooms_status) {
        ngx_rooms_status->gauges[ngx_process_slot][gauge] += by;
    }
}


static ngx_atomic_uint_t
ngx_rooms_status_sum(ngx_rooms_gauge_e gauge)
{
    ngx_uint_t         i;
    ngx_atomic_uint_t  n;

    for (n = 0, i = 0; i < NGX_MAX_PROCESSES; i++) {
        n += ngx_rooms_status->gauges[i][gauge];
    }

    return n;
}


static void
ngx_rooms_status_printf(ngx_rooms_out_t *out, const char *fmt, ...)
{
    va_list       args;
    rooms_buf_t  *b;

    b = ngx_rooms_out_piece(out, 512);

    va_start(args, fmt);
    b->last = ngx_vslprintf(b->last, b->end, fmt, args);
    va_end(args);
}


static void
ngx_rooms_status_metric(ngx_rooms_out_t *out, const char *name,
    const char *type, const char *help)
{
    ngx_rooms_status_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help,
                            name, type);
}


/* A histogram in Prometheus's form: cumulative, in seconds. */
static void
ngx_rooms_status_histogram(ngx_rooms_out_t *out, const char *name,
    const char *labels, ngx_rooms_status_row_t *row)
{
    uint64_t           sum;
    ngx_uint_t         i;
    ngx_atomic_uint_t  n;

    for (n = 0, i = 0; i < NGX_ROOMS_STATUS_BUCKETS; i++) {
        n += row->buckets[i];

        if (i == NGX_ROOMS_STATUS_BUCKETS - 1) {
            ngx_rooms_status_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %uA\n",
                                    name, labels, *labels ? "," : "", n);
            break;
        }

        ngx_rooms_status_printf(out, "%s_bucket{%s%sle=\"%uL.%06uL\"} %uA\n",
                                name, labels, *labels ? "," : "",
                                ngx_rooms_status_bounds[i] / 1000000,
                                ngx_rooms_status_bounds[i] % 1000000, n);
    }

    sum = row->sum;

    ngx_rooms_status_printf(out, "%s_sum%s%s%s %uL.%06uL\n", name,
                            *labels ? "{" : "", labels, *labels ? "}" : "",
                            sum / 1000000, sum % 1000000);
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

    case NGX_HTTP_PATCH:
        return "PATCH";

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
ngx_rooms_status_errors(ngx_rooms_out_t *out, const char *fmt,
    const char *between)
{
    ngx_uint_t          i, j, shown;
    const char         *code;
    ngx_atomic_uint_t   n;

    shown = 0;

    for (i = ROOMS_OK + 1; i < (ngx_uint_t) NGX_ROOMS_E_MAX; i++) {
        code = ngx_rooms_error(i)->code;
        n = ngx_rooms_status->errors[i];

        /*
         * several of our codes have the same name in the contract: add them
         * up
         */

        for (j = ROOMS_OK + 1; j < (ngx_uint_t) NGX_ROOMS_E_MAX; j++) {

            if (j == i || code == NULL || ngx_rooms_error(j)->code == NULL
                || ngx_strcmp(ngx_rooms_error(j)->code, code) != 0)
            {
                continue;
            }

            if (j < i) {
                n = 0;
                break;
            }

            n += ngx_rooms_status->errors[j];
        }

        if (n && code) {
            ngx_rooms_status_printf(out, "%s", shown++ ? between : "");
            ngx_rooms_status_printf(out, fmt, code, n);
        }
    }
}


static void
ngx_rooms_status_prometheus(ngx_rooms_out_t *out)
{
    u_char                   label[192];
    ngx_uint_t               i, c;
    ngx_rooms_status_row_t  *row;

    ngx_rooms_status_metric(out, "rooms_requests_total", "counter",
                            "Requests by endpoint and result (ok: 2xx and "
                            "3xx, refused: 4xx, failed: 5xx).");

    for (i = 0; i < NGX_ROOMS_STATUS_ROWS; i++) {
        row = &ngx_rooms_status->rows[i];

        if (!ngx_rooms_status_used(row)) {
            continue;
        }

        ngx_rooms_status_label(label, sizeof(label), i);

        for (c = 0; c < NGX_ROOMS_STATUS_CLASSES; c++) {
            ngx_rooms_status_printf(out,
                       "rooms_requests_total{%s,result=\"%s\"} %uA\n", label,
                       ngx_rooms_status_classes[c], row->classes[c]);
        }
    }

    ngx_rooms_status_metric(out, "rooms_request_duration_seconds",
                            "histogram",
                            "Time from the first look at a request to its "
                            "answer's header.");

    for (i = 0; i < NGX_ROOMS_STATUS_ROWS; i++) {
        row = &ngx_rooms_status->rows[i];

        if (ngx_rooms_status_used(row)) {
            ngx_rooms_status_label(label, sizeof(label), i);
            ngx_rooms_status_histogram(out, "rooms_request_duration_seconds",
                                       (char *) label, row);
        }
    }

    ngx_rooms_status_metric(out, "rooms_errors_total", "counter",
                            "Errors by their code.");
    ngx_rooms_status_errors(out, "rooms_errors_total{code=\"%s\"} %uA\n",
                            "");

    ngx_rooms_status_metric(out, "rooms_store_round_duration_seconds",
                            "histogram",
                            "Time of one round of commands to the store.");
    ngx_rooms_status_histogram(out, "rooms_store_round_duration_seconds", "",
                               &ngx_rooms_status->store);

    ngx_rooms_status_metric(out, "rooms_store_failures_total", "counter",
                            "Rounds to the store that failed.");
    ngx_rooms_status_printf(out, "rooms_store_failures_total %uA\n",
                            ngx_rooms_status->store.classes[2]);

    ngx_rooms_status_metric(out, "rooms_store_up", "gauge",
                            "Whether the last round to the store was "
                            "answered.");
    ngx_rooms_status_printf(out, "rooms_store_up %d\n",
                            ngx_rooms_status->store_down ? 0 : 1);

    ngx_rooms_status_metric(out, "rooms_store_warnings", "gauge",
                            "Nodes of stores that may lose data or can't be "
                            "written.");

    for (i = 0; i < NGX_ROOMS_INSPECT_KINDS; i++) {
        ngx_rooms_status_printf(out, "rooms_store_warnings{kind=\"%s\"} "
                                "%uA\n", ngx_rooms_inspect_kinds[i],
                                ngx_rooms_status_warnings(i));
    }

    ngx_rooms_status_metric(out, "rooms_commit_conflicts_total", "counter",
                            "Commits that lost a race and were decided "
                            "again.");
    ngx_rooms_status_printf(out, "rooms_commit_conflicts_total %uA\n",
                            ngx_rooms_status->conflicts);

    ngx_rooms_status_metric(out, "rooms_streams", "gauge",
                            "Readers that wait for new events.");
    ngx_rooms_status_printf(out, "rooms_streams{transport=\"poll\"} %uA\n",
                            ngx_rooms_status_sum(NGX_ROOMS_GAUGE_POLLS));
    ngx_rooms_status_printf(out, "rooms_streams{transport=\"sse\"} %uA\n",
                            ngx_rooms_status_sum(NGX_ROOMS_GAUGE_SSE));
    ngx_rooms_status_printf(out,
                            "rooms_streams{transport=\"websocket\"} %uA\n",
                            ngx_rooms_status_sum(NGX_ROOMS_GAUGE_WS));

    ngx_rooms_status_metric(out, "rooms_exports", "gauge",
                            "Exports that are running.");
    ngx_rooms_status_printf(out, "rooms_exports %uA\n",
                            ngx_rooms_status_sum(NGX_ROOMS_GAUGE_EXPORTS));

    ngx_rooms_status_metric(out, "rooms_imports", "gauge",
                            "Imports that are running.");
    ngx_rooms_status_printf(out, "rooms_imports %uA\n",
                            ngx_rooms_status_sum(NGX_ROOMS_GAUGE_IMPORTS));

    ngx_rooms_status_metric(out, "rooms_outbox_pending", "gauge",
                            "Events and snapshots that wait for other "
                            "servers.");
    ngx_rooms_status_printf(out, "rooms_outbox_pending %uA\n",
                            ngx_rooms_status_sum(NGX_ROOMS_GAUGE_OUTBOX));

    ngx_rooms_status_metric(out, "rooms_build_info", "gauge",
                            "The module's version, and NGINX's.");
    ngx_rooms_status_printf(out, "rooms_build_info{version=\"%s\",nginx=\"%s\""
                            "} 1\n", NGX_ROOMS_VERSION, NGINX_VERSION);
}


static void
ngx_rooms_status_json(ngx_rooms_out_t *out)
{
    const char              *comma;
    ngx_uint_t               i, b;
    ngx_rooms_status_row_t  *row;

    ngx_rooms_status_printf(out, "{\"version\":\"%s\",\"nginx\":\"%s\","
                            "\"store\":{\"up\":%s,\"rounds\":%uA,"
                            "\"failed\":%uA,\"us\":%uA,\"conflicts\":%uA},"
                            "\"polls\":%uA,\"sse\":%uA,"
                            "\"websocket\":%uA,"
                            "\"exports\":%uA,\"imports\":%uA,"
                            "\"outbox\":%uA,\"warnings\":{",
                            NGX_ROOMS_VERSION, NGINX_VERSION,
                            ngx_rooms_status->store_down ? "false" : "true",
                            ngx_rooms_status->store.classes[0],
                            ngx_rooms_status->store.classes[2],
                            ngx_rooms_status->store.sum,
                            ngx_rooms_status->conflicts,
                            ngx_rooms_status_sum(NGX_ROOMS_GAUGE_POLLS),
                            ngx_rooms_status_sum(NGX_ROOMS_GAUGE_SSE),
                            ngx_rooms_status_sum(NGX_ROOMS_GAUGE_WS),
                            ngx_rooms_status_sum(NGX_ROOMS_GAUGE_EXPORTS),
                            ngx_rooms_status_sum(NGX_ROOMS_GAUGE_IMPORTS),
                            ngx_rooms_status_sum(NGX_ROOMS_GAUGE_OUTBOX));

    for (i = 0; i < NGX_ROOMS_INSPECT_KINDS; i++) {
        ngx_rooms_status_printf(out, "%s\"%s\":%uA", i ? "," : "",
                                ngx_rooms_inspect_kinds[i],
                                ngx_rooms_status_warnings(i));
    }

    ngx_rooms_status_printf(out, "},\"errors\":{");
    ngx_rooms_status_errors(out, "\"%s\":%uA", ",");
    ngx_rooms_status_printf(out, "},\"bounds_us\":[");

    for (i = 0; i < NGX_ROOMS_STATUS_BUCKETS - 1; i++) {
        ngx_rooms_status_printf(out, "%s%uL", i ? "," : "",
                                ngx_rooms_status_bounds[i]);
    }

    ngx_rooms_status_printf(out, "],\"endpoints\":[");

    comma = "";

    for (i = 0; i < NGX_ROOMS_STATUS_ROWS; i++) {
        row = &ngx_rooms_status->rows[i];

        if (!ngx_rooms_status_used(row)) {
            continue;
        }

        ngx_rooms_status_printf(out, "%s{\"method\":\"%s\",\"path\":\"%s\","
                   "\"ok\":%uA,\"refused\":%uA,\"failed\":%uA,\"us\":%uA,"
                   "\"buckets\":[",
                   comma,
                   i < NGX_ROOMS_STATUS_ROWS - 1
                   ? ngx_rooms_status_method(ngx_rooms_endpoints[i].method)
                   : "",
                   i < NGX_ROOMS_STATUS_ROWS - 1
                   ? ngx_rooms_endpoints[i].path : "none",
                   row->classes[0], row->classes[1], row->classes[2],
                   row->sum);

        for (b = 0; b < NGX_ROOMS_STATUS_BUCKETS; b++) {
            ngx_rooms_status_printf(out, "%s%uA", b ? "," : "",
                                    row->buckets[b]);
        }

        ngx_rooms_status_printf(out, "]}");
        comma = ",";
    }

    ngx_rooms_status_printf(out, "]}\n");
}


/* ?format= decides; without it a browser gets the page. */
static ngx_rooms_status_format_e
ngx_rooms_status_format(ngx_http_request_t *r)
{
    ngx_str_t    format;
    rooms_str_t  accept;

    if (ngx_http_arg(r, (u_char *) "format", 6, &format) == NGX_OK
        && format.len)
    {
        if (format.len == 4 && ngx_strncmp(format.data, "json", 4) == 0) {
            return NGX_ROOMS_STATUS_JSON;
        }

        if (format.len == 4 && ngx_strncmp(format.data, "html", 4) == 0) {
            return NGX_ROOMS_STATUS_HTML;
        }

        return NGX_ROOMS_STATUS_PROMETHEUS;
    }

    accept = ngx_rooms_header_in(r, "Accept");

    return accept.data
           && ngx_strlcasestrn((u_char *) accept.data,
                               (u_char *) accept.data + accept.len,
                               (u_char *) "text/html", 9 - 1)
           ? NGX_ROOMS_STATUS_HTML : NGX_ROOMS_STATUS_PROMETHEUS;
}


ngx_int_t
ngx_rooms_status_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_chain_t                *cl;
    ngx_rooms_out_t             out;
    ngx_rooms_status_format_e   format;

    static ngx_str_t  types[] = {
        ngx_string("text/plain; version=0.0.4; charset=utf-8"),
        ngx_string("application/json"),
        ngx_string("text/html; charset=utf-8")
    };

    if (!(r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    format = ngx_rooms_status_format(r);
    ngx_rooms_out_init(&out, r->pool);

    switch (format) {

    case NGX_ROOMS_STATUS_JSON:
        ngx_rooms_status_json(&out);
        break;

    case NGX_ROOMS_STATUS_HTML:
        ngx_rooms_out_ref(&out, ngx_rooms_s(NGX_ROOMS_STATUS_HTML_PAGE));
        break;

    default:
        ngx_rooms_status_prometheus(&out);
    }

    ngx_rooms_out_close(&out);

    if (out.failed) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = out.size;
    r->headers_out.content_type = types[format];
    r->headers_out.content_type_len = types[format].len;

    if (ngx_rooms_header(r, "Cache-Control", ngx_rooms_s("no-store"))
        != NGX_OK
        || (format == NGX_ROOMS_STATUS_HTML
            && ngx_rooms_header(r, "Content-Security-Policy",
                   ngx_rooms_s("default-src 'none'; connect-src 'self'; "
                               "script-src 'unsafe-inline'; "
                               "style-src 'unsafe-inline'")) != NGX_OK))
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    for (cl = out.first; cl->next; cl = cl->next) { /* void */ }

    cl->buf->last_buf = (r == r->main) ? 1 : 0;
    cl->buf->last_in_chain = 1;

    return ngx_http_output_filter(r, out.first);
}
