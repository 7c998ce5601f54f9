/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* The table's rows for administrators and other servers. */

#include "ngx_rooms_federation_endpoints.h"


static const ngx_rooms_field_t  ngx_rooms_federate_fields[] = {
    { "enabled", NGX_ROOMS_T_BOOL|NGX_ROOMS_T_REQUIRED },
    { NULL, 0 }
};

static const ngx_rooms_field_t  ngx_rooms_fqid_fields[] = {
    { "fqid", NGX_ROOMS_T_STRING|NGX_ROOMS_T_REQUIRED },
    { NULL, 0 }
};

static const ngx_rooms_field_t  ngx_rooms_fedbackfill_fields[] = {
    { "server", NGX_ROOMS_T_STRING|NGX_ROOMS_T_NULL },
    { "limit", NGX_ROOMS_T_INT|NGX_ROOMS_T_NULL },
    { NULL, 0 }
};


const ngx_rooms_endpoint_t  ngx_rooms_federation_rows[] = {

    { .method = NGX_HTTP_GET, .path = "/.well-known/scaiwave/server",
      .part = NGX_ROOMS_PART_FEDERATION, .flags = NGX_ROOMS_OPEN,
      .op = ROOMS_OP_READ,
      .show = ngx_rooms_descriptor_show },

    { .method = NGX_HTTP_GET, .path = "/v1/admin/federation/identity",
      .part = NGX_ROOMS_PART_FEDERATION, .flags = NGX_ROOMS_ADMIN,
      .op = ROOMS_OP_READ,
      .show = ngx_rooms_identity_show },

    { .method = NGX_HTTP_GET, .path = "/v1/admin/federation/policy",
      .part = NGX_ROOMS_PART_FEDERATION, .flags = NGX_ROOMS_ADMIN,
      .op = ROOMS_OP_READ,
      .load = ngx_rooms_policy_load, .show = ngx_rooms_policy_show },

    { .method = NGX_HTTP_PUT, .path = "/v1/admin/federation/policy",
      .part = NGX_ROOMS_PART_FEDERATION,
      .flags = NGX_ROOMS_ADMIN|NGX_ROOMS_BODY, .op = ROOMS_OP_READ,
      .load = ngx_rooms_policy_load, .decide = ngx_rooms_policy_decide,
      .show = ngx_rooms_policy_show },

    { .method = NGX_HTTP_GET, .path = "/v1/admin/federation/peers",
      .part = NGX_ROOMS_PART_FEDERATION,
      .flags = NGX_ROOMS_ADMIN|NGX_ROOMS_BULK, .op = ROOMS_OP_READ,
      .load = ngx_rooms_peers_load, .show = ngx_rooms_peers_show },

    { .method = NGX_HTTP_POST,
      .path = "/v1/admin/federation/peers/{server}/retry",
      .part = NGX_ROOMS_PART_FEDERATION,
      .flags = NGX_ROOMS_ADMIN|NGX_ROOMS_BULK, .op = ROOMS_OP_READ,
      .load = ngx_rooms_retry_load, .decide = ngx_rooms_retry_decide,
      .show = ngx_rooms_retry_show },

    { .method = NGX_HTTP_POST,
      .path = "/v1/admin/federation/foreign/{participant}/refresh",
      .part = NGX_ROOMS_PART_FEDERATION, .flags = NGX_ROOMS_ADMIN,
      .op = ROOMS_OP_READ,
      .load = ngx_rooms_refresh_load, .decide = ngx_rooms_refresh_decide,
      .show = ngx_rooms_refresh_show },

    { .method = NGX_HTTP_GET,
      .path = "/_scaiwave/federation/v1/profile/{local}",
      .part = NGX_ROOMS_PART_FEDERATION, .flags = NGX_ROOMS_PEER,
      .op = ROOMS_OP_READ,
      .load = ngx_rooms_foreign_profile_load,
      .show = ngx_rooms_foreign_profile_show },

    { .method = NGX_HTTP_GET,
      .path = "/_scaiwave/federation/v1/rooms/{room}/members",
      .part = NGX_ROOMS_PART_FEDERATION,
      .flags = NGX_ROOMS_PEER|NGX_ROOMS_BULK, .op = ROOMS_OP_READ,
      .load = ngx_rooms_peer_members_load,
      .show = ngx_rooms_peer_members_show },

    { .method = NGX_HTTP_GET,
      .path = "/_scaiwave/federation/v1/rooms/{room}/backfill",
      .part = NGX_ROOMS_PART_FEDERATION,
      .flags = NGX_ROOMS_PEER|NGX_ROOMS_BULK, .op = ROOMS_OP_READ,
      .load = ngx_rooms_history_load, .show = ngx_rooms_history_show },

    { .method = NGX_HTTP_PUT, .path = "/v1/admin/rooms/{room}/federate",
      .part = NGX_ROOMS_PART_FEDERATION,
      .flags = NGX_ROOMS_ADMIN|NGX_ROOMS_BODY, .op = ROOMS_OP_FEDERATE,
      .load = ngx_rooms_room_load, .decide = ngx_rooms_federate_decide,
      .show = ngx_rooms_room_show, .fields = ngx_rooms_federate_fields },

    { .method = NGX_HTTP_POST,
      .path = "/v1/admin/rooms/{room}/federation/invite",
      .part = NGX_ROOMS_PART_FEDERATION,
      .flags = NGX_ROOMS_ADMIN|NGX_ROOMS_BODY|NGX_ROOMS_CREATES,
      .op = ROOMS_OP_FEDINVITE,
      .load = ngx_rooms_fedinvite_load, .decide = ngx_rooms_fedinvite_decide,
      .show = ngx_rooms_membership_show, .fields = ngx_rooms_fqid_fields },

    { .method = NGX_HTTP_POST, .path = "/v1/rooms/{room}/invitations",
      .part = NGX_ROOMS_PART_FEDERATION,
      .flags = NGX_ROOMS_BODY|NGX_ROOMS_CREATES, .op = ROOMS_OP_INVITATION,
      .load = ngx_rooms_fedinvite_load, .decide = ngx_rooms_fedinvite_decide,
      .show = ngx_rooms_membership_show, .fields = ngx_rooms_fqid_fields },

    { .method = NGX_HTTP_POST, .path = "/v1/me/federated-dms",
      .part = NGX_ROOMS_PART_FEDERATION,
      .flags = NGX_ROOMS_BODY|NGX_ROOMS_CREATES, .op = ROOMS_OP_READ,
      .load = ngx_rooms_feddm_load, .decide = ngx_rooms_dm_decide,
      .show = ngx_rooms_create_show, .fields = ngx_rooms_fqid_fields },

    { .method = NGX_HTTP_POST, .path = "/_scaiwave/federation/v1/send",
      .part = NGX_ROOMS_PART_FEDERATION,
      .flags = NGX_ROOMS_PEER|NGX_ROOMS_BODY|NGX_ROOMS_TEXT,
      .op = ROOMS_OP_READ,
      .load = ngx_rooms_fedsend_load, .decide = ngx_rooms_fedsend_decide,
      .show = ngx_rooms_fedsend_show },

    { .method = NGX_HTTP_POST,
      .path = "/v1/admin/rooms/{room}/federation/backfill",
      .part = NGX_ROOMS_PART_FEDERATION,
      .flags = NGX_ROOMS_ADMIN|NGX_ROOMS_BODY|NGX_ROOMS_OPTIONAL
               |NGX_ROOMS_BULK, .op = ROOMS_OP_BACKFILL,
      .load = ngx_rooms_fedbackfill_load, .show = ngx_rooms_fedbackfill_show,
      .fields = ngx_rooms_fedbackfill_fields },

    { .path = NULL }
};
