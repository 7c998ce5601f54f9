/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The table's rows for rooms, messages, people and workspaces.  A row has all
 * that is special about one endpoint; no other place knows its path.  A path
 * with a fixed word comes before one that has a parameter in its place.
 */

#include "ngx_rooms_endpoints.h"


#define GET   NGX_HTTP_GET
#define POST  NGX_HTTP_POST
#define PUT   NGX_HTTP_PUT
#define PATCH  NGX_HTTP_PATCH
#define DELETE  NGX_HTTP_DELETE

#define ROOMS  NGX_ROOMS_PART_ROOMS
#define BODY   NGX_ROOMS_BODY

#define REQUIRED  NGX_ROOMS_T_REQUIRED
#define NULLABLE  NGX_ROOMS_T_NULL


static const ngx_rooms_field_t  ngx_rooms_create_fields[] = {
    { "room_type", NGX_ROOMS_T_STRING|REQUIRED },
    { "name", NGX_ROOMS_T_STRING|NULLABLE },
    { "topic", NGX_ROOMS_T_STRING|NULLABLE },
    { "is_public", NGX_ROOMS_T_BOOL|NULLABLE },
    { "workspace_id", NGX_ROOMS_T_STRING|NULLABLE },
    { "scope_kind", NGX_ROOMS_T_STRING|NULLABLE },
    { "close_on_leave", NGX_ROOMS_T_BOOL|NULLABLE },
    { "visibility", NGX_ROOMS_T_STRING|NULLABLE },
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


const ngx_rooms_endpoint_t  ngx_rooms_endpoint_rows[] = {

    { .method = GET, .path = "/v1/directory/rooms",
      .part = NGX_ROOMS_PART_DIRECTORY, .flags = NGX_ROOMS_BULK,
      .op = ROOMS_OP_READ,
      .load = ngx_rooms_directory_load, .show = ngx_rooms_directory_show },

    { .method = GET, .path = "/v1/directory/alias/{alias}",
      .part = NGX_ROOMS_PART_DIRECTORY, .op = ROOMS_OP_READ,
      .load = ngx_rooms_alias_load, .decide = ngx_rooms_alias_decide,
      .show = ngx_rooms_alias_show, .take = ngx_rooms_alias_take },

    { .method = GET, .path = "/v1/rooms/archived",
      .part = ROOMS, .flags = NGX_ROOMS_BULK, .op = ROOMS_OP_READ,
      .load = ngx_rooms_archived_load, .show = ngx_rooms_directory_show },

    { .method = POST, .path = "/v1/rooms",
      .part = ROOMS,
      .flags = BODY|NGX_ROOMS_CREATES|NGX_ROOMS_JOINS|NGX_ROOMS_PLAIN,
      .op = ROOMS_OP_READ,
      .load = ngx_rooms_create_load, .decide = ngx_rooms_create_decide,
      .show = ngx_rooms_create_show, .fields = ngx_rooms_create_fields },

    { .method = POST, .path = "/v1/rooms/dm",
      .part = ROOMS, .flags = BODY|NGX_ROOMS_CREATES|NGX_ROOMS_JOINS,
      .op = ROOMS_OP_READ,
      .load = ngx_rooms_dm_load, .decide = ngx_rooms_dm_decide,
      .show = ngx_rooms_create_show, .fields = ngx_rooms_dm_fields },

    { .method = GET, .path = "/v1/rooms/{room}",
      .part = ROOMS, .op = ROOMS_OP_READ,
      .load = ngx_rooms_room_remember, .decide = ngx_rooms_room_permit_kept,
      .show = ngx_rooms_room_put_kept },

    { .method = GET, .path = "/v1/rooms/{room}/members",
      .part = ROOMS, .flags = NGX_ROOMS_BULK, .op = ROOMS_OP_READ_MEMBER,
      .load = ngx_rooms_members_load, .show = ngx_rooms_members_show },

    { .method = GET, .path = "/v1/rooms/{room}/state",
      .part = ROOMS, .flags = NGX_ROOMS_BULK, .op = ROOMS_OP_READ_MEMBER,
      .load = ngx_rooms_state_load, .show = ngx_rooms_state_show },

    { .method = POST, .path = "/v1/rooms/{room}/join",
      .part = ROOMS, .flags = NGX_ROOMS_JOINS, .op = ROOMS_OP_JOIN,
      .load = ngx_rooms_room_load, .decide = ngx_rooms_room_decide,
      .show = ngx_rooms_membership_show },

    { .method = POST, .path = "/v1/rooms/{room}/leave",
      .part = ROOMS, .op = ROOMS_OP_LEAVE,
      .load = ngx_rooms_room_load, .decide = ngx_rooms_room_decide,
      .show = ngx_rooms_membership_show },

    { .method = POST, .path = "/v1/rooms/{room}/close",
      .part = ROOMS, .op = ROOMS_OP_CLOSE,
      .load = ngx_rooms_room_load, .decide = ngx_rooms_room_decide,
      .show = ngx_rooms_room_show },

    { .method = POST, .path = "/v1/rooms/{room}/archive",
      .part = ROOMS, .op = ROOMS_OP_ARCHIVE,
      .load = ngx_rooms_room_load, .decide = ngx_rooms_room_decide,
      .show = ngx_rooms_room_show },

    { .method = POST, .path = "/v1/rooms/{room}/rejoin",
      .part = ROOMS, .op = ROOMS_OP_REJOIN,
      .load = ngx_rooms_room_load, .decide = ngx_rooms_room_decide,
      .show = ngx_rooms_room_show },

    { .method = POST, .path = "/v1/rooms/{room}/invite",
      .part = ROOMS, .flags = BODY, .op = ROOMS_OP_INVITE,
      .load = ngx_rooms_room_load, .decide = ngx_rooms_room_decide,
      .show = ngx_rooms_invite_show, .fields = ngx_rooms_invite_fields },

    { .method = POST, .path = "/v1/rooms/{room}/kick",
      .part = ROOMS, .flags = BODY, .op = ROOMS_OP_KICK,
      .load = ngx_rooms_room_load, .decide = ngx_rooms_room_decide,
      .show = ngx_rooms_membership_show, .fields = ngx_rooms_remove_fields },

    { .method = POST, .path = "/v1/rooms/{room}/ban",
      .part = ROOMS, .flags = BODY, .op = ROOMS_OP_BAN,
      .load = ngx_rooms_room_load, .decide = ngx_rooms_room_decide,
      .show = ngx_rooms_membership_show, .fields = ngx_rooms_remove_fields },

    { .method = POST, .path = "/v1/rooms/{room}/unban",
      .part = ROOMS, .flags = BODY, .op = ROOMS_OP_UNBAN,
      .load = ngx_rooms_room_load, .decide = ngx_rooms_room_decide,
      .show = ngx_rooms_membership_show, .fields = ngx_rooms_remove_fields },

    { .method = PUT,
      .path = "/v1/rooms/{room}/members/{participant}/power-level",
      .part = ROOMS, .flags = BODY, .op = ROOMS_OP_POWER,
      .load = ngx_rooms_room_load, .decide = ngx_rooms_room_decide,
      .show = ngx_rooms_membership_show, .fields = ngx_rooms_power_fields },

    { .method = PUT, .path = "/v1/rooms/{room}/name",
      .part = ROOMS, .flags = BODY, .op = ROOMS_OP_NAME,
      .load = ngx_rooms_room_load, .decide = ngx_rooms_room_decide,
      .show = ngx_rooms_room_show, .fields = ngx_rooms_name_fields },

    { .method = PUT, .path = "/v1/rooms/{room}/topic",
      .part = ROOMS, .flags = BODY, .op = ROOMS_OP_TOPIC,
      .load = ngx_rooms_room_load, .decide = ngx_rooms_room_decide,
      .show = ngx_rooms_room_show, .fields = ngx_rooms_topic_fields },

    { .method = PUT, .path = "/v1/rooms/{room}/workspace",
      .part = ROOMS, .flags = BODY, .op = ROOMS_OP_WORKSPACE,
      .load = ngx_rooms_room_load, .decide = ngx_rooms_room_decide,
      .show = ngx_rooms_room_show, .fields = ngx_rooms_workspace_fields },

    { .method = PUT, .path = "/v1/rooms/{room}/notification-mode",
      .part = ROOMS, .flags = BODY, .op = ROOMS_OP_SETTINGS,
      .load = ngx_rooms_room_load, .decide = ngx_rooms_mode_decide,
      .show = ngx_rooms_settings_show, .fields = ngx_rooms_mode_fields },

    { .method = PUT, .path = "/v1/rooms/{room}/mute",
      .part = ROOMS, .flags = BODY, .op = ROOMS_OP_SETTINGS,
      .load = ngx_rooms_room_load, .decide = ngx_rooms_mute_decide,
      .show = ngx_rooms_settings_show, .fields = ngx_rooms_mute_fields },

    { .method = PUT, .path = "/v1/rooms/{room}/read",
      .part = ROOMS, .flags = BODY, .op = ROOMS_OP_SETTINGS,
      .load = ngx_rooms_read_load, .decide = ngx_rooms_read_decide,
      .show = ngx_rooms_read_show, .fields = ngx_rooms_read_fields },

    { .method = POST, .path = "/v1/rooms/{room}/send",
      .part = NGX_ROOMS_PART_MESSAGES,
      .flags = BODY|NGX_ROOMS_CREATES|NGX_ROOMS_PLAIN,
      .op = ROOMS_OP_SEND,
      .load = ngx_rooms_send_load, .decide = ngx_rooms_send_decide,
      .show = ngx_rooms_send_show, .fields = ngx_rooms_send_fields,
      .keep = ngx_rooms_send_keep, .recall = ngx_rooms_send_recall,
      .proposes = ngx_rooms_send_proposes },

    { .method = GET, .path = "/v1/rooms/{room}/messages",
      .part = NGX_ROOMS_PART_MESSAGES, .flags = NGX_ROOMS_BULK,
      .op = ROOMS_OP_READ_MEMBER,
      .load = ngx_rooms_messages_load, .show = ngx_rooms_messages_show },

    { .method = GET, .path = "/v1/rooms/{room}/events/{event}",
      .part = NGX_ROOMS_PART_MESSAGES, .op = ROOMS_OP_READ_MEMBER,
      .load = ngx_rooms_event_load, .show = ngx_rooms_event_show },

    { .method = POST, .path = "/v1/rooms/{room}/events/{event}/edit",
      .part = NGX_ROOMS_PART_MESSAGES, .flags = BODY, .op = ROOMS_OP_SEND,
      .load = ngx_rooms_edit_load, .decide = ngx_rooms_revise_decide,
      .show = ngx_rooms_revise_show, .fields = ngx_rooms_edit_fields },

    { .method = POST, .path = "/v1/rooms/{room}/events/{event}/redact",
      .part = NGX_ROOMS_PART_MESSAGES,
      .flags = BODY|NGX_ROOMS_OPTIONAL|NGX_ROOMS_BULK, .op = ROOMS_OP_SEND,
      .load = ngx_rooms_redact_load, .decide = ngx_rooms_revise_decide,
      .show = ngx_rooms_revise_show, .fields = ngx_rooms_redact_fields },

    { .method = POST, .path = "/v1/rooms/{room}/events/{event}/reaction",
      .part = NGX_ROOMS_PART_MESSAGES, .flags = BODY, .op = ROOMS_OP_SEND,
      .load = ngx_rooms_react_load, .decide = ngx_rooms_revise_decide,
      .show = ngx_rooms_react_show, .fields = ngx_rooms_react_fields },

    { .method = DELETE, .path = "/v1/rooms/{room}/events/{event}/reaction",
      .part = NGX_ROOMS_PART_MESSAGES, .flags = BODY|NGX_ROOMS_OPTIONAL,
      .op = ROOMS_OP_SEND,
      .load = ngx_rooms_unreact_load, .decide = ngx_rooms_revise_decide,
      .show = ngx_rooms_react_show, .fields = ngx_rooms_unreact_fields },

    { .method = GET, .path = "/v1/workspaces",
      .part = NGX_ROOMS_PART_WORKSPACES, .flags = NGX_ROOMS_ENTERS,
      .op = ROOMS_OP_READ,
      .load = ngx_rooms_workspaces_load, .show = ngx_rooms_workspaces_show },

    { .method = POST, .path = "/v1/workspaces",
      .part = NGX_ROOMS_PART_WORKSPACES,
      .flags = BODY|NGX_ROOMS_CREATES|NGX_ROOMS_ENTERS, .op = ROOMS_OP_READ,
      .decide = ngx_rooms_workspace_create_decide,
      .show = ngx_rooms_workspace_show, .fields = ngx_rooms_found_fields },

    { .method = GET, .path = "/v1/workspaces/{workspace}",
      .part = NGX_ROOMS_PART_WORKSPACES, .op = ROOMS_OP_READ,
      .load = ngx_rooms_workspace_get_load,
      .decide = ngx_rooms_workspace_get_decide,
      .show = ngx_rooms_workspace_show },

    { .method = PATCH, .path = "/v1/workspaces/{workspace}",
      .part = NGX_ROOMS_PART_WORKSPACES, .flags = BODY, .op = ROOMS_OP_READ,
      .load = ngx_rooms_workspace_change_load,
      .decide = ngx_rooms_workspace_change_decide,
      .show = ngx_rooms_workspace_show, .fields = ngx_rooms_describe_fields },

    { .method = DELETE, .path = "/v1/workspaces/{workspace}",
      .part = NGX_ROOMS_PART_WORKSPACES, .op = ROOMS_OP_READ,
      .load = ngx_rooms_workspace_delete_load,
      .decide = ngx_rooms_workspace_delete_decide,
      .show = ngx_rooms_workspace_show },

    { .method = GET, .path = "/v1/workspaces/{workspace}/members",
      .part = NGX_ROOMS_PART_WORKSPACES, .op = ROOMS_OP_READ,
      .load = ngx_rooms_workspace_members_load,
      .show = ngx_rooms_workspace_members_show },

    { .method = POST, .path = "/v1/workspaces/{workspace}/members",
      .part = NGX_ROOMS_PART_WORKSPACES, .flags = BODY, .op = ROOMS_OP_READ,
      .load = ngx_rooms_workspace_add_load,
      .decide = ngx_rooms_workspace_role_decide,
      .show = ngx_rooms_workspace_role_show, .fields = ngx_rooms_seat_fields },

    { .method = PATCH,
      .path = "/v1/workspaces/{workspace}/members/{participant}",
      .part = NGX_ROOMS_PART_WORKSPACES, .flags = BODY, .op = ROOMS_OP_READ,
      .load = ngx_rooms_workspace_role_load,
      .decide = ngx_rooms_workspace_role_decide,
      .show = ngx_rooms_workspace_role_show, .fields = ngx_rooms_role_fields },

    { .method = DELETE,
      .path = "/v1/workspaces/{workspace}/members/{participant}",
      .part = NGX_ROOMS_PART_WORKSPACES, .op = ROOMS_OP_READ,
      .load = ngx_rooms_workspace_remove_load,
      .decide = ngx_rooms_workspace_role_decide,
      .show = ngx_rooms_workspace_role_show },

    { .method = POST, .path = "/v1/auth/register",
      .part = NGX_ROOMS_PART_AUTH, .flags = NGX_ROOMS_ENTERS,
      .op = ROOMS_OP_READ,
      .load = ngx_rooms_register_load, .decide = ngx_rooms_register_decide,
      .show = ngx_rooms_register_show },

    { .path = NULL }
};
