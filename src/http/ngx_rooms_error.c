/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_rooms_error.h"


/*
 * All codes of the contract, with status and message.  ROOMS_E_NOT_FOUND has
 * one message, whether the room doesn't exist or the caller can't see it.
 */
static const ngx_rooms_error_t  ngx_rooms_errors[NGX_ROOMS_E_MAX] = {
    [ROOMS_OK] = { 200, "", "" },
    [ROOMS_E_VALIDATION] =
        { 400, "SW_VALIDATION_FAILED", "the request is not valid" },
    [ROOMS_E_NOT_FOUND] =
        { 404, "SW_ROOM_NOT_FOUND", "there is no such room" },
    [ROOMS_E_FORBIDDEN] =
        { 403, "SW_ROOM_FORBIDDEN", "not allowed in this room" },
    [ROOMS_E_FROZEN] =
        { 409, "SW_ROOM_FROZEN", "the room is archived or closed" },
    [ROOMS_E_INVARIANT] =
        { 400, "SW_ROOM_TYPE_INVARIANT", "not possible in this type of room" },
    [ROOMS_E_EXPORT_REFUSED] =
        { 400, "SW_ROOM_EXPORT_REFUSED", "this room can't be exported" },
    [ROOMS_E_LAST_ADMIN] =
        { 409, "SW_ROOM_LAST_ADMIN", "the room needs a member at power 100" },
    [ROOMS_E_CAPACITY] =
        { 409, "SW_ROOM_CAPACITY", "the room is full" },
    [ROOMS_E_TENANT_CAPACITY] =
        { 409, "SW_TENANT_CAPACITY", "the tenant can't have more rooms" },
    [ROOMS_E_PARTICIPANT] =
        { 404, "SW_PARTICIPANT_NOT_FOUND", "there is no such participant" },
    [ROOMS_E_WORKSPACE] =
        { 404, "SW_WORKSPACE_NOT_FOUND", "there is no such workspace" },
    [ROOMS_E_WORKSPACE_FORBIDDEN] =
        { 403, "SW_WORKSPACE_FORBIDDEN", "not allowed in this workspace" },
    [ROOMS_E_WORKSPACE_NEEDS_OWNER] =
        { 409, "SW_WORKSPACE_NEEDS_OWNER", "the workspace needs an owner" },
    [ROOMS_E_WORKSPACE_PERSONAL] =
        { 409, "SW_WORKSPACE_PERSONAL",
          "not possible in a personal workspace" },
    [ROOMS_E_WORKSPACE_IN_USE] =
        { 409, "SW_WORKSPACE_IN_USE", "the workspace has open rooms" },
    [ROOMS_E_EVENT] =
        { 404, "SW_EVENT_NOT_FOUND", "there is no such event in this room" },
    [ROOMS_E_TOO_OLD] =
        { 409, "SW_EVENT_TOO_OLD_TO_EDIT",
          "a message can be edited for 24 hours" },
    [ROOMS_E_REDACT] =
        { 403, "SW_REDACT_FORBIDDEN",
          "only its sender, or a member with power 50, can redact a message" },

    [NGX_ROOMS_E_AUTH_INVALID] =
        { 401, "SW_AUTH_INVALID_TOKEN", "a valid bearer token is needed" },
    [NGX_ROOMS_E_AUTH_EXPIRED] =
        { 401, "SW_AUTH_EXPIRED_TOKEN", "the token has expired" },
    [NGX_ROOMS_E_AUTH_TENANT] =
        { 403, "SW_AUTH_TENANT_MISMATCH",
          "the token is for another tenant" },
    [NGX_ROOMS_E_AUTH_PERMISSION] =
        { 403, "SW_AUTH_INSUFFICIENT_PERMISSION",
          "this needs a tenant administrator" },
    [NGX_ROOMS_E_LINK] =
        { 403, "SW_MEDIA_LINK_INVALID", "the link is invalid or has expired" },
    [NGX_ROOMS_E_DEACTIVATED] =
        { 403, "SW_PARTICIPANT_DEACTIVATED",
          "this participant was deactivated" },
    [NGX_ROOMS_E_ACTIVE] =
        { 409, "SW_PARTICIPANT_ACTIVE",
          "only a participant who was deactivated can be erased" },
    [NGX_ROOMS_E_PATH] =
        { 404, "SW_NOT_FOUND", "there is no such path" },
    [NGX_ROOMS_E_METHOD] =
        { 405, "SW_METHOD_NOT_ALLOWED", "this path has no such method" },
    [NGX_ROOMS_E_BODY_TOO_LARGE] =
        { 413, "SW_PAYLOAD_TOO_LARGE", "the body is too large" },
    [NGX_ROOMS_E_CONTENT_TOO_LARGE] =
        { 413, "SW_CONTENT_TOO_LARGE",
          "content is more than 65536 bytes" },
    [NGX_ROOMS_E_LENGTH_REQUIRED] =
        { 411, "SW_VALIDATION_FAILED", "the body's length is needed" },
    [NGX_ROOMS_E_TENANT] =
        { 404, "SW_TENANT_NOT_FOUND", "the tenant is not registered" },
    [NGX_ROOMS_E_CONFLICT] =
        { 409, "SW_CONFLICT",
          "other requests changed the same data; nothing was changed, try "
          "again" },
    [NGX_ROOMS_E_IDEMPOTENCY] =
        { 409, "SW_IDEMPOTENCY_CONFLICT",
          "this Idempotency-Key was used with another request" },
    [NGX_ROOMS_E_PRECONDITION] =
        { 412, "SW_PRECONDITION_FAILED", "the room has changed since it was "
                                         "read" },
    [NGX_ROOMS_E_RATE_LIMIT] =
        { 429, "SW_RATE_LIMIT_EXCEEDED", "too many requests" },
    [NGX_ROOMS_E_UPGRADE] =
        { 426, "SW_UPGRADE_REQUIRED",
          "this needs a WebSocket handshake over HTTP/1.1" },
    [NGX_ROOMS_E_STORE] =
        { 503, "SW_STORE_UNAVAILABLE", "the store can't be reached" },
    [NGX_ROOMS_E_INTERNAL] =
        { 500, "SW_INTERNAL", "an internal error occurred" },
    [NGX_ROOMS_E_GATEWAY] =
        { 502, "SW_INTERNAL", "a server behind this one failed" },
    [NGX_ROOMS_E_GATEWAY_TIMEOUT] =
        { 504, "SW_INTERNAL", "a server behind this one is too slow" },
    [NGX_ROOMS_E_FED_UNKNOWN] =
        { 403, "SW_FED_PEER_UNKNOWN", "the peer is not known here" },
    [NGX_ROOMS_E_FED_POLICY] =
        { 403, "SW_FED_POLICY", "the policy does not allow this peer" },
    [NGX_ROOMS_E_FED_SIGNATURE] =
        { 401, "SW_FED_SIGNATURE_MISMATCH",
          "the request's signature is missing or invalid" },
    [NGX_ROOMS_E_FED_VERSION] =
        { 400, "SW_FED_PROTOCOL_VERSION",
          "the peer supports no protocol version of this server" },
    [NGX_ROOMS_E_FED_UNREACHABLE] =
        { 502, "SW_FED_PEER_UNREACHABLE", "the peer can't be reached" },
    [NGX_ROOMS_E_BUNDLE_INVALID] =
        { 400, "SW_BUNDLE_INVALID", "this is not a valid bundle" },
    [NGX_ROOMS_E_BUNDLE_TOO_LARGE] =
        { 413, "SW_BUNDLE_TOO_LARGE",
          "the bundle exceeds rooms_import_limits" },
    [NGX_ROOMS_E_PARTICIPANT_EXISTS] =
        { 409, "SW_PARTICIPANT_EXISTS",
          "another participant has this local id" },
    [NGX_ROOMS_E_IMPORT_REFUSED] =
        { 400, "SW_ROOM_IMPORT_REFUSED", "this room can't be imported" },
};


const ngx_rooms_error_t *
ngx_rooms_error(ngx_uint_t code)
{
    return &ngx_rooms_errors[code < NGX_ROOMS_E_MAX ? code
                                                    : NGX_ROOMS_E_INTERNAL];
}


ngx_uint_t
ngx_rooms_error_of_status(ngx_uint_t status)
{
    switch (status) {

    case 401:
        return NGX_ROOMS_E_AUTH_INVALID;

    case 403:
        return NGX_ROOMS_E_AUTH_PERMISSION;

    case 404:
        return NGX_ROOMS_E_PATH;

    case 405:
        return NGX_ROOMS_E_METHOD;

    case 411:
        return NGX_ROOMS_E_LENGTH_REQUIRED;

    case 412:
        return NGX_ROOMS_E_PRECONDITION;

    case 413:
        return NGX_ROOMS_E_BODY_TOO_LARGE;

    case 429:
        return NGX_ROOMS_E_RATE_LIMIT;

    case 501:
    case 505:
        /* the client's fault, whatever the number says */
        return ROOMS_E_VALIDATION;

    case 502:
        return NGX_ROOMS_E_GATEWAY;

    case 503:
        return NGX_ROOMS_E_STORE;

    case 504:
        return NGX_ROOMS_E_GATEWAY_TIMEOUT;

    default:
        return status < 500 ? (ngx_uint_t) ROOMS_E_VALIDATION
                            : (ngx_uint_t) NGX_ROOMS_E_INTERNAL;
    }
}


rooms_str_t
ngx_rooms_error_said(ngx_uint_t status)
{
    switch (status) {

    case 403:
        return rooms_cstr("access is denied");

    case 412:
        return rooms_cstr("the resource has changed");

    case 414:
        return rooms_cstr("the URI is too long");

    case 416:
        return rooms_cstr("the content has no such range");

    case 501:
        return rooms_cstr("the transfer encoding is not supported");

    case 505:
        return rooms_cstr("the HTTP version is not supported");

    default:
        return ROOMS_NULL;
    }
}
