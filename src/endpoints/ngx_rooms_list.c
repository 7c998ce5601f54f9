/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_rooms_endpoints.h"


void
ngx_rooms_list_open(ngx_rooms_req_t *rq)
{
    rooms_json_lit(ngx_rooms_out(&rq->out), "{\"data\":[");
}


void
ngx_rooms_list_close(ngx_rooms_req_t *rq, ngx_uint_t more, rooms_str_t cursor)
{
    ngx_rooms_list_close_total(rq, more, cursor, -1);
}


void
ngx_rooms_list_close_total(ngx_rooms_req_t *rq, ngx_uint_t more,
    rooms_str_t cursor, int64_t total)
{
    rooms_buf_t  *b;

    b = ngx_rooms_out(&rq->out);

    rooms_json_lit(b, "],\"meta\":{");

    if (total >= 0) {
        rooms_json_put(b, "\"total\":%d,", (int64_t) total);
    }

    rooms_json_lit(b, "\"has_more\":");
    rooms_json_bool(b, more);
    rooms_json_put(b, ",\"next_cursor\":%s}}\n", cursor);
}
