/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The table of endpoints.  A row says all that is special about one: nothing
 * else knows a path.  Rows with words stand before those with braces.
 */

#include "ngx_rooms_endpoints.h"
#include "ngx_rooms_sync.h"


#define GET   NGX_HTTP_GET
#define POST  NGX_HTTP_POST
#define PUT   NGX_HTTP_PUT
#define PATCH  NGX_HTTP_PATCH
#define DELETE  NGX_HTTP_DELETE

#define ROOMS  NGX_ROOMS_PART_ROOMS
#define BODY   NGX_ROOMS_BODY

#define FEDERATION  NGX_ROOMS_PART_FEDERATION

#define REQUIRED  NGX_ROOMS_T_REQUIRED
#define NULLABLE  NGX_ROOMS_T_NULL

/* only an upload's row says how it is taken in */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"


static const ngx_rooms_field_t  ngx_rooms_create_fields[] = {
    { "room_type", NGX_ROOMS_T_STRING|REQUIRED },
    { "name", NGX_ROOMS_T_STRING|NULLABLE },
    { "topic", NGX_ROOMS_T_STRING|NULLABLE },
    { "is_public", NGX_ROOMS_T_BOOL|NULLABLE },
    { "workspace_id", NGX_ROOMS_T_STRING|NULLABLE },
    { "scope_kind", NGX_ROOMS_T_STRING|NULLABLE },
    { "close_on_leave", NGX_ROOMS_T_BOOL|NULLABLE },
    { "visibility", NGX_ROOMS_T_REFUSED|NULLABLE },
    { "read_role_slugs", NGX_ROOMS_T_REFUSED|NULLABLE },
    { "permissions", NGX_ROOMS_T_REFUSED|NULLABLE },
    { NULL, 0 }
};

static const ngx_rooms_field_t  ngx_rooms_dm_fields[] = {
    { "participant_id", NGX_ROOMS_T_STRING|REQUIRED },
    { NULL, 0 }
};

static const ngx_rooms_field_t  ngx_rooms_invite_fields[] = {
    { "participant_id", NGX_ROOMS_T_STRING|NULLABLE },
    { "participant_ids", NGX_ROOMS_T_ARRAY|NULLABLE },
    { NULL, 0 }
};

static const ngx_rooms_field_t  ngx_rooms_remove_fields[] = {
    { "reason", NGX_ROOMS_T_STRING|NULLABLE },
    { "participant_id", NGX_ROOMS_T_STRING|REQUIRED },
    { NULL, 0 }
};

static const ngx_rooms_field_t  ngx_rooms_power_fields[] = {
    { "power_level", NGX_ROOMS_T_INT|REQUIRED },
    { NULL, 0 }
};

static const ngx_rooms_field_t  ngx_rooms_name_fields[] = {
    { "name", NGX_ROOMS_T_STRING|REQUIRED },
    { NULL, 0 }
};

static const ngx_rooms_field_t  ngx_rooms_topic_fields[] = {
    { "topic", NGX_ROOMS_T_STRING|REQUIRED|NULLABLE },
    { NULL, 0 }
};

static const ngx_rooms_field_t  ngx_rooms_workspace_fields[] = {
    { "workspace_id", NGX_ROOMS_T_STRING|REQUIRED },
    { NULL, 0 }
};

static const ngx_rooms_field_t  ngx_rooms_mode_fields[] = {
    { "notification_mode", NGX_ROOMS_T_STRING },
    { "mode", NGX_ROOMS_T_STRING },
    { NULL, 0 }
};

static const ngx_rooms_field_t  ngx_rooms_mute_fields[] = {
    { "muted_until", NGX_ROOMS_T_STRING|NULLABLE },
    { "duration", NGX_ROOMS_T_INT|NULLABLE },
    { "muted", NGX_ROOMS_T_BOOL|NULLABLE },
    { NULL, 0 }
};

static const ngx_rooms_field_t  ngx_rooms_read_fields[] = {
    { "event_id", NGX_ROOMS_T_STRING|REQUIRED },
    { NULL, 0 }
};

static const ngx_rooms_field_t  ngx_rooms_send_fields[] = {
    { "content", NGX_ROOMS_T_OBJECT|REQUIRED },
    { "event_uuid", NGX_ROOMS_T_STRING|NULLABLE },
    { "as_participant_id", NGX_ROOMS_T_REFUSED|NULLABLE },
    { NULL, 0 }
};

static const ngx_rooms_field_t  ngx_rooms_edit_fields[] = {
    { "content", NGX_ROOMS_T_OBJECT|REQUIRED },
    { NULL, 0 }
};

static const ngx_rooms_field_t  ngx_rooms_redact_fields[] = {
    { "reason", NGX_ROOMS_T_STRING|NULLABLE },
    { NULL, 0 }
};

static const ngx_rooms_field_t  ngx_rooms_react_fields[] = {
    { "emoji", NGX_ROOMS_T_STRING|REQUIRED },
    { NULL, 0 }
};

static const ngx_rooms_field_t  ngx_rooms_unreact_fields[] = {
    { "emoji", NGX_ROOMS_T_STRING|NULLABLE },
    { NULL, 0 }
};

static const ngx_rooms_field_t  ngx_rooms_found_fields[] = {
    { "name", NGX_ROOMS_T_STRING|REQUIRED },
    { "description", NGX_ROOMS_T_STRING|NULLABLE },
    { NULL, 0 }
};

static const ngx_rooms_field_t  ngx_rooms_describe_fields[] = {
    { "name", NGX_ROOMS_T_STRING },
    { "description", NGX_ROOMS_T_STRING|NULLABLE },
    { NULL, 0 }
};

static const ngx_rooms_field_t  ngx_rooms_seat_fields[] = {
    { "participant_id", NGX_ROOMS_T_STRING|REQUIRED },
    { "role", NGX_ROOMS_T_STRING|REQUIRED },
    { NULL, 0 }
};

static const ngx_rooms_field_t  ngx_rooms_role_fields[] = {
    { "role", NGX_ROOMS_T_STRING|REQUIRED },
    { NULL, 0 }
};

static const ngx_rooms_field_t  ngx_rooms_federate_fields[] = {
    { "enabled", NGX_ROOMS_T_BOOL|REQUIRED },
    { NULL, 0 }
};

static const ngx_rooms_field_t  ngx_rooms_fqid_fields[] = {
    { "fqid", NGX_ROOMS_T_STRING|REQUIRED },
    { NULL, 0 }
};

static const ngx_rooms_field_t  ngx_rooms_fedbackfill_fields[] = {
    { "server", NGX_ROOMS_T_STRING|NULLABLE },
    { "limit", NGX_ROOMS_T_INT|NULLABLE },
    { NULL, 0 }
};


const ngx_rooms_endpoint_t  ngx_rooms_endpoints[] = {

    { GET, "/v1/directory/rooms", NGX_ROOMS_PART_DIRECTORY, NGX_ROOMS_BULK,
      ROOMS_OP_READ, ngx_rooms_directory_load, NULL,
      ngx_rooms_directory_show, NULL },

    { GET, "/v1/directory/alias/{alias}", NGX_ROOMS_PART_DIRECTORY, 0,
      ROOMS_OP_READ, ngx_rooms_alias_load, ngx_rooms_alias_decide,
      ngx_rooms_alias_show, NULL, ngx_rooms_alias_take },

    { GET, "/v1/rooms/archived", ROOMS, NGX_ROOMS_BULK,
      ROOMS_OP_READ, ngx_rooms_archived_load, NULL,
      ngx_rooms_directory_show, NULL },

    { POST, "/v1/rooms", ROOMS, BODY|NGX_ROOMS_CREATES|NGX_ROOMS_ENTERS,
      ROOMS_OP_READ, ngx_rooms_create_load, ngx_rooms_create_decide,
      ngx_rooms_create_show, ngx_rooms_create_fields },

    { POST, "/v1/rooms/dm", ROOMS, BODY|NGX_ROOMS_CREATES|NGX_ROOMS_ENTERS,
      ROOMS_OP_READ, ngx_rooms_dm_load, ngx_rooms_dm_decide,
      ngx_rooms_create_show, ngx_rooms_dm_fields },

    { POST, "/v1/rooms/import", ROOMS,
      NGX_ROOMS_UPLOAD|NGX_ROOMS_IN_FILE|NGX_ROOMS_CREATES|NGX_ROOMS_BULK
      |NGX_ROOMS_ENTERS,
      ROOMS_OP_READ, ngx_rooms_import_load, ngx_rooms_import_decide,
      ngx_rooms_import_show, NULL, ngx_rooms_import_take },

    { GET, "/v1/rooms/{room}", ROOMS, 0,
      ROOMS_OP_READ, ngx_rooms_room_load, ngx_rooms_room_permit,
      ngx_rooms_room_put, NULL },

    { GET, "/v1/rooms/{room}/members", ROOMS, NGX_ROOMS_BULK,
      ROOMS_OP_READ_MEMBER, ngx_rooms_members_load, NULL,
      ngx_rooms_members_show, NULL },

    { GET, "/v1/rooms/{room}/state", ROOMS, NGX_ROOMS_BULK,
      ROOMS_OP_READ_MEMBER, ngx_rooms_state_load, NULL,
      ngx_rooms_state_show, NULL },

    { GET, "/v1/rooms/{room}/export", ROOMS, NGX_ROOMS_BULK,
      ROOMS_OP_EXPORT, ngx_rooms_export_load, ngx_rooms_room_permit,
      ngx_rooms_export_show, NULL, NULL },

    { POST, "/v1/rooms/{room}/join", ROOMS, NGX_ROOMS_ENTERS,
      ROOMS_OP_JOIN, ngx_rooms_room_load, ngx_rooms_room_decide,
      ngx_rooms_membership_show, NULL },

    { POST, "/v1/rooms/{room}/leave", ROOMS, 0,
      ROOMS_OP_LEAVE, ngx_rooms_room_load, ngx_rooms_room_decide,
      ngx_rooms_membership_show, NULL },

    { POST, "/v1/rooms/{room}/close", ROOMS, 0,
      ROOMS_OP_CLOSE, ngx_rooms_room_load, ngx_rooms_room_decide,
      ngx_rooms_room_show, NULL },

    { POST, "/v1/rooms/{room}/archive", ROOMS, 0,
      ROOMS_OP_ARCHIVE, ngx_rooms_room_load, ngx_rooms_room_decide,
      ngx_rooms_room_show, NULL },

    { POST, "/v1/rooms/{room}/rejoin", ROOMS, 0,
      ROOMS_OP_REJOIN, ngx_rooms_room_load, ngx_rooms_room_decide,
      ngx_rooms_room_show, NULL },

    { POST, "/v1/rooms/{room}/invite", ROOMS, BODY,
      ROOMS_OP_INVITE, ngx_rooms_room_load, ngx_rooms_room_decide,
      ngx_rooms_invite_show, ngx_rooms_invite_fields },

    { POST, "/v1/rooms/{room}/kick", ROOMS, BODY,
      ROOMS_OP_KICK, ngx_rooms_room_load, ngx_rooms_room_decide,
      ngx_rooms_membership_show, ngx_rooms_remove_fields },

    { POST, "/v1/rooms/{room}/ban", ROOMS, BODY,
      ROOMS_OP_BAN, ngx_rooms_room_load, ngx_rooms_room_decide,
      ngx_rooms_membership_show, ngx_rooms_remove_fields },

    { POST, "/v1/rooms/{room}/unban", ROOMS, BODY,
      ROOMS_OP_UNBAN, ngx_rooms_room_load, ngx_rooms_room_decide,
      ngx_rooms_membership_show, ngx_rooms_remove_fields },

    { PUT, "/v1/rooms/{room}/members/{participant}/power-level", ROOMS, BODY,
      ROOMS_OP_POWER, ngx_rooms_room_load, ngx_rooms_room_decide,
      ngx_rooms_membership_show, ngx_rooms_power_fields },

    { PUT, "/v1/rooms/{room}/name", ROOMS, BODY,
      ROOMS_OP_NAME, ngx_rooms_room_load, ngx_rooms_room_decide,
      ngx_rooms_room_show, ngx_rooms_name_fields },

    { PUT, "/v1/rooms/{room}/topic", ROOMS, BODY,
      ROOMS_OP_TOPIC, ngx_rooms_room_load, ngx_rooms_room_decide,
      ngx_rooms_room_show, ngx_rooms_topic_fields },

    { PUT, "/v1/rooms/{room}/workspace", ROOMS, BODY,
      ROOMS_OP_WORKSPACE, ngx_rooms_room_load, ngx_rooms_room_decide,
      ngx_rooms_room_show, ngx_rooms_workspace_fields },

    { PUT, "/v1/rooms/{room}/notification-mode", ROOMS, BODY,
      ROOMS_OP_SETTINGS, ngx_rooms_room_load, ngx_rooms_settings_decide,
      ngx_rooms_settings_show, ngx_rooms_mode_fields },

    { PUT, "/v1/rooms/{room}/mute", ROOMS, BODY,
      ROOMS_OP_SETTINGS, ngx_rooms_room_load, ngx_rooms_settings_decide,
      ngx_rooms_settings_show, ngx_rooms_mute_fields },

    { PUT, "/v1/rooms/{room}/read", ROOMS, BODY,
      ROOMS_OP_SETTINGS, ngx_rooms_read_load, ngx_rooms_read_decide,
      ngx_rooms_read_show, ngx_rooms_read_fields },

    { POST, "/v1/rooms/{room}/send", NGX_ROOMS_PART_MESSAGES,
      BODY|NGX_ROOMS_CREATES,
      ROOMS_OP_SEND, ngx_rooms_send_load, ngx_rooms_send_decide,
      ngx_rooms_send_show, ngx_rooms_send_fields },

    { GET, "/v1/rooms/{room}/messages", NGX_ROOMS_PART_MESSAGES,
      NGX_ROOMS_BULK,
      ROOMS_OP_READ_MEMBER, ngx_rooms_messages_load, NULL,
      ngx_rooms_messages_show, NULL },

    { GET, "/v1/rooms/{room}/events/{event}", NGX_ROOMS_PART_MESSAGES, 0,
      ROOMS_OP_READ_MEMBER, ngx_rooms_event_load, NULL,
      ngx_rooms_event_show, NULL },

    { POST, "/v1/rooms/{room}/events/{event}/edit", NGX_ROOMS_PART_MESSAGES,
      BODY,
      ROOMS_OP_SEND, ngx_rooms_edit_load, ngx_rooms_revise_decide,
      ngx_rooms_revise_show, ngx_rooms_edit_fields },

    { POST, "/v1/rooms/{room}/events/{event}/redact", NGX_ROOMS_PART_MESSAGES,
      BODY|NGX_ROOMS_OPTIONAL|NGX_ROOMS_BULK,
      ROOMS_OP_SEND, ngx_rooms_redact_load, ngx_rooms_revise_decide,
      ngx_rooms_revise_show, ngx_rooms_redact_fields },

    { POST, "/v1/rooms/{room}/events/{event}/reaction",
      NGX_ROOMS_PART_MESSAGES, BODY,
      ROOMS_OP_SEND, ngx_rooms_react_load, ngx_rooms_revise_decide,
      ngx_rooms_react_show, ngx_rooms_react_fields },

    { DELETE, "/v1/rooms/{room}/events/{event}/reaction",
      NGX_ROOMS_PART_MESSAGES, BODY|NGX_ROOMS_OPTIONAL,
      ROOMS_OP_SEND, ngx_rooms_unreact_load, ngx_rooms_revise_decide,
      ngx_rooms_react_show, ngx_rooms_unreact_fields },

    { GET, "/v1/sync", NGX_ROOMS_PART_SYNC, NGX_ROOMS_BULK,
      ROOMS_OP_READ, ngx_rooms_sync_load, NULL, ngx_rooms_sync_show, NULL },

    { GET, "/v1/workspaces", NGX_ROOMS_PART_WORKSPACES, NGX_ROOMS_ENTERS,
      ROOMS_OP_READ, ngx_rooms_workspaces_load, NULL,
      ngx_rooms_workspaces_show, NULL },

    { POST, "/v1/workspaces", NGX_ROOMS_PART_WORKSPACES,
      BODY|NGX_ROOMS_CREATES|NGX_ROOMS_ENTERS,
      ROOMS_OP_READ, NULL, ngx_rooms_workspace_create_decide,
      ngx_rooms_workspace_show, ngx_rooms_found_fields },

    { GET, "/v1/workspaces/{workspace}", NGX_ROOMS_PART_WORKSPACES, 0,
      ROOMS_OP_READ, ngx_rooms_workspace_get_load,
      ngx_rooms_workspace_get_decide, ngx_rooms_workspace_show, NULL },

    { PATCH, "/v1/workspaces/{workspace}", NGX_ROOMS_PART_WORKSPACES, BODY,
      ROOMS_OP_READ, ngx_rooms_workspace_change_load,
      ngx_rooms_workspace_change_decide, ngx_rooms_workspace_show,
      ngx_rooms_describe_fields },

    { DELETE, "/v1/workspaces/{workspace}", NGX_ROOMS_PART_WORKSPACES, 0,
      ROOMS_OP_READ, ngx_rooms_workspace_delete_load,
      ngx_rooms_workspace_delete_decide, ngx_rooms_workspace_show, NULL },

    { GET, "/v1/workspaces/{workspace}/members", NGX_ROOMS_PART_WORKSPACES, 0,
      ROOMS_OP_READ, ngx_rooms_workspace_members_load, NULL,
      ngx_rooms_workspace_members_show, NULL },

    { POST, "/v1/workspaces/{workspace}/members", NGX_ROOMS_PART_WORKSPACES,
      BODY,
      ROOMS_OP_READ, ngx_rooms_workspace_add_load,
      ngx_rooms_workspace_role_decide, ngx_rooms_workspace_role_show,
      ngx_rooms_seat_fields },

    { PATCH, "/v1/workspaces/{workspace}/members/{participant}",
      NGX_ROOMS_PART_WORKSPACES, BODY,
      ROOMS_OP_READ, ngx_rooms_workspace_role_load,
      ngx_rooms_workspace_role_decide, ngx_rooms_workspace_role_show,
      ngx_rooms_role_fields },

    { DELETE, "/v1/workspaces/{workspace}/members/{participant}",
      NGX_ROOMS_PART_WORKSPACES, 0,
      ROOMS_OP_READ, ngx_rooms_workspace_remove_load,
      ngx_rooms_workspace_role_decide, ngx_rooms_workspace_role_show, NULL },

    { POST, "/v1/media/upload", NGX_ROOMS_PART_MEDIA,
      NGX_ROOMS_UPLOAD|NGX_ROOMS_CREATES|NGX_ROOMS_ENTERS,
      ROOMS_OP_READ, NULL, ngx_rooms_upload_decide,
      ngx_rooms_upload_show, NULL, ngx_rooms_upload_take },

    { GET, "/v1/media/download/{media}", NGX_ROOMS_PART_MEDIA, 0,
      ROOMS_OP_READ, ngx_rooms_medium_load, NULL,
      ngx_rooms_download_show, NULL },

    { GET, "/v1/media/{media}/info", NGX_ROOMS_PART_MEDIA, 0,
      ROOMS_OP_READ, ngx_rooms_medium_load, NULL,
      ngx_rooms_medium_show, NULL },

    { POST, "/v1/auth/register", NGX_ROOMS_PART_AUTH, NGX_ROOMS_ENTERS,
      ROOMS_OP_READ, ngx_rooms_register_load, ngx_rooms_register_decide,
      ngx_rooms_register_show, NULL },

    { GET, "/.well-known/scaiwave/server", FEDERATION, NGX_ROOMS_OPEN,
      ROOMS_OP_READ, NULL, NULL, ngx_rooms_descriptor_show, NULL },

    { GET, "/v1/admin/federation/identity", FEDERATION, NGX_ROOMS_ADMIN,
      ROOMS_OP_READ, NULL, NULL, ngx_rooms_identity_show, NULL },

    { GET, "/v1/admin/federation/policy", FEDERATION, NGX_ROOMS_ADMIN,
      ROOMS_OP_READ, ngx_rooms_policy_load, NULL, ngx_rooms_policy_show,
      NULL },

    { PUT, "/v1/admin/federation/policy", FEDERATION, NGX_ROOMS_ADMIN|BODY,
      ROOMS_OP_READ, ngx_rooms_policy_load, ngx_rooms_policy_decide,
      ngx_rooms_policy_show, NULL },

    { GET, "/v1/admin/federation/peers", FEDERATION,
      NGX_ROOMS_ADMIN|NGX_ROOMS_BULK,
      ROOMS_OP_READ, ngx_rooms_peers_load, NULL, ngx_rooms_peers_show, NULL },

    { POST, "/v1/admin/federation/peers/{server}/retry", FEDERATION,
      NGX_ROOMS_ADMIN|NGX_ROOMS_BULK,
      ROOMS_OP_READ, ngx_rooms_retry_load, ngx_rooms_retry_decide,
      ngx_rooms_retry_show, NULL },

    { POST, "/v1/admin/federation/foreign/{participant}/refresh", FEDERATION,
      NGX_ROOMS_ADMIN,
      ROOMS_OP_READ, ngx_rooms_refresh_load, ngx_rooms_refresh_decide,
      ngx_rooms_refresh_show, NULL },

    { GET, "/_scaiwave/federation/v1/profile/{local}", FEDERATION,
      NGX_ROOMS_PEER,
      ROOMS_OP_READ, ngx_rooms_foreign_profile_load, NULL,
      ngx_rooms_foreign_profile_show, NULL },

    { GET, "/_scaiwave/federation/v1/rooms/{room}/members", FEDERATION,
      NGX_ROOMS_PEER|NGX_ROOMS_BULK,
      ROOMS_OP_READ, ngx_rooms_peer_members_load, NULL,
      ngx_rooms_peer_members_show, NULL },

    { GET, "/_scaiwave/federation/v1/rooms/{room}/backfill", FEDERATION,
      NGX_ROOMS_PEER|NGX_ROOMS_BULK,
      ROOMS_OP_READ, ngx_rooms_history_load, NULL, ngx_rooms_history_show,
      NULL },

    { PUT, "/v1/admin/rooms/{room}/federate", FEDERATION,
      NGX_ROOMS_ADMIN|BODY,
      ROOMS_OP_FEDERATE, ngx_rooms_room_load, ngx_rooms_room_decide,
      ngx_rooms_room_show, ngx_rooms_federate_fields },

    { POST, "/v1/admin/rooms/{room}/federation/invite", FEDERATION,
      NGX_ROOMS_ADMIN|BODY|NGX_ROOMS_CREATES,
      ROOMS_OP_FEDINVITE, ngx_rooms_fedinvite_load,
      ngx_rooms_fedinvite_decide, ngx_rooms_membership_show,
      ngx_rooms_fqid_fields },

    { POST, "/v1/rooms/{room}/invitations", FEDERATION,
      BODY|NGX_ROOMS_CREATES,
      ROOMS_OP_FEDINVITE, ngx_rooms_fedinvite_load,
      ngx_rooms_fedinvite_decide, ngx_rooms_membership_show,
      ngx_rooms_fqid_fields },

    { POST, "/v1/me/federated-dms", FEDERATION, BODY|NGX_ROOMS_CREATES,
      ROOMS_OP_READ, ngx_rooms_feddm_load, ngx_rooms_dm_decide,
      ngx_rooms_create_show, ngx_rooms_fqid_fields },

    { POST, "/_scaiwave/federation/v1/send", FEDERATION,
      NGX_ROOMS_PEER|BODY|NGX_ROOMS_TEXT,
      ROOMS_OP_READ, ngx_rooms_fedsend_load, ngx_rooms_fedsend_decide,
      ngx_rooms_fedsend_show, NULL },

    { POST, "/v1/admin/rooms/{room}/federation/backfill", FEDERATION,
      NGX_ROOMS_ADMIN|BODY|NGX_ROOMS_OPTIONAL|NGX_ROOMS_BULK,
      ROOMS_OP_FEDERATE, ngx_rooms_fedbackfill_load, NULL,
      ngx_rooms_fedbackfill_show, ngx_rooms_fedbackfill_fields },

    { 0, NULL, 0, 0, 0, NULL, NULL, NULL, NULL }
};
