/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms.h"
#include "rooms_jwt.h"


static const rooms_str_t  rooms_mock_prefix = rooms_string("mock:");
static const rooms_str_t  rooms_mock_admin = rooms_string(":admin");
static const rooms_str_t  rooms_mock_user = rooms_string("mock-user");
static const rooms_str_t  rooms_mock_tenant = rooms_string("mock-tenant");


/*
 * "<participant>@<tenant>[:admin]".  A tenant contains neither "@" nor ":",
 * but a participant may contain both.  So the last "@" divides, and only the
 * suffix can follow the tenant.
 */
static int
rooms_mock_parse(rooms_str_t s, rooms_principal_t *out)
{
    size_t  n;

    if (s.len > rooms_mock_admin.len
        && memcmp(s.data + s.len - rooms_mock_admin.len,
                  rooms_mock_admin.data, rooms_mock_admin.len)
           == 0)
    {
        out->admin = 1;
        s.len -= rooms_mock_admin.len;
    }

    for (n = s.len; n && s.data[n - 1] != '@'; n--);

    if (n == 0) {
        return -1;
    }

    out->sub = (rooms_str_t) { n - 1, s.data };
    out->tenant = (rooms_str_t) { s.len - n, s.data + n };

    return (rooms_participant_valid(out->sub)
            && rooms_tenant_valid(out->tenant)) ? 0 : -1;
}


rooms_jwt_e
rooms_mock_principal(rooms_str_t token, rooms_principal_t *out,
    unsigned char *buf, size_t buflen, const char **why)
{
    memset(out, 0, sizeof(rooms_principal_t));

    if (token.len == 0 || token.len > ROOMS_JWT_MAX
        || buflen < ROOMS_JWT_BUF)
    {
        goto invalid;
    }

    if (token.len >= rooms_mock_prefix.len
        && memcmp(token.data, rooms_mock_prefix.data, rooms_mock_prefix.len)
           == 0)
    {
        token.data += rooms_mock_prefix.len;
        token.len -= rooms_mock_prefix.len;

        if (rooms_mock_parse(token, out) != 0) {
            goto invalid;
        }

    } else {
        out->sub = rooms_mock_user;
        out->tenant = rooms_mock_tenant;
    }

    memcpy(buf, out->sub.data, out->sub.len);
    memcpy(buf + out->sub.len, out->tenant.data, out->tenant.len);

    out->sub.data = buf;
    out->tenant.data = buf + out->sub.len;
    out->exp = ROOMS_JWT_TIME_MAX;

    return ROOMS_JWT_OK;

invalid:

    memset(out, 0, sizeof(rooms_principal_t));

    if (why) {
        *why = "not a mock token, which is "
               "mock:<participant>@<tenant>[:admin]";
    }

    return ROOMS_JWT_INVALID;
}
