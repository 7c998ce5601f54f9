/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#ifndef NGX_ROOMS_ENDPOINTS_H
#define NGX_ROOMS_ENDPOINTS_H

#include "ngx_rooms_request.h"


/* A room as one viewer sees it: three commands in one round. */
#define NGX_ROOMS_VIEW_COMMANDS  3
ngx_int_t ngx_rooms_view_load(ngx_rooms_batch_t *b, ngx_rooms_keys_t *keys,
    rooms_str_t room, rooms_str_t viewer);
/*
 * NGX_ERROR: the stored row is malformed.  A missing room is NGX_OK; then
 * view->exists is 0.
 */
ngx_int_t ngx_rooms_view_parse(ngx_rooms_batch_t *b, ngx_uint_t at,
    rooms_str_t room, rooms_str_t viewer, ngx_rooms_view_t *view);
/*
 * Whether messages behind the viewer's read marker were redacted.  One more
 * command counts them, and its reply lowers view->unread.  Only messages that
 * view->unread counts: others may come, and be redacted, between the rounds.
 */
ngx_uint_t ngx_rooms_view_redacted(const ngx_rooms_view_t *view);
ngx_int_t ngx_rooms_view_ask_redacted(ngx_rooms_batch_t *b,
    ngx_rooms_keys_t *keys, const ngx_rooms_view_t *view);
void ngx_rooms_view_take_redacted(ngx_rooms_view_t *view, redisReply *reply);
/*
 * The viewer's default notification mode.  One command serves all rooms of an
 * answer: append it behind the commands of the views.
 */
ngx_int_t ngx_rooms_usual_load(ngx_rooms_batch_t *b, ngx_rooms_keys_t *keys,
    rooms_str_t viewer);
ngx_rooms_mode_e ngx_rooms_usual_take(redisReply *reply);
/*
 * The other participant of a DM.  Their name is the room's name for this
 * viewer.
 */
rooms_str_t ngx_rooms_view_other(const ngx_rooms_view_t *view,
    rooms_str_t viewer);
/* The room object; and without "me" and without the closing brace. */
void ngx_rooms_view_json(rooms_buf_t *b, const ngx_rooms_view_t *view,
    const ngx_str_t *server, int64_t now);
void ngx_rooms_view_room(rooms_buf_t *b, const ngx_rooms_view_t *view,
    const ngx_str_t *server);
void ngx_rooms_view_muted(rooms_buf_t *b, const ngx_rooms_view_t *view,
    int64_t now);
/* A version of the room's metadata alone: If-Match is compared with it. */
uint64_t ngx_rooms_view_version(const ngx_rooms_view_t *view);

/* "@local:server". */
void ngx_rooms_fqid_json(rooms_buf_t *b, const ngx_rooms_profile_t *p,
    const ngx_str_t *server);
/* ,"membership":"join","power_level":0,"joined_at":"..." */
void ngx_rooms_standing_json(rooms_buf_t *b, const rooms_member_t *m);
void ngx_rooms_membership_json(rooms_buf_t *b, rooms_str_t room,
    const rooms_member_t *m, const ngx_rooms_profile_t *p,
    const ngx_str_t *server);


/*
 * The tenant's limits: load appends the command, take stores its reply in rq.
 */
ngx_int_t ngx_rooms_tenant_load(ngx_rooms_batch_t *b, ngx_rooms_keys_t *keys);
void ngx_rooms_tenant_take(ngx_rooms_req_t *rq, redisReply *reply);

/* Steps that most rows for rooms share (ngx_rooms_room.c). */
ngx_int_t ngx_rooms_room_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_room_remember(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_room_permit_kept(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_room_put_kept(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_room_decide(ngx_rooms_req_t *rq);
/*
 * Adds rows for invited participants that are new to the tenant to the
 * commit.
 */
void ngx_rooms_room_newcomers(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_room_show(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_membership_show(ngx_rooms_req_t *rq);

/* Fills rq->in for the core, and allocates rq->change for its verdict. */
ngx_int_t ngx_rooms_room_input(ngx_rooms_req_t *rq);
/* The core's verdict on an operation that writes nothing itself. */
ngx_int_t ngx_rooms_room_permit(ngx_rooms_req_t *rq);
/* Answers with the error of a verdict. */
ngx_int_t ngx_rooms_room_refuse(ngx_rooms_req_t *rq,
    const rooms_change_t *change);
/* Turns a change's guards, writes and event into rq->commit. */
ngx_int_t ngx_rooms_room_commit(ngx_rooms_req_t *rq,
    const rooms_room_t *before, rooms_change_t *change);
/* The same, with the given event content. */
ngx_int_t ngx_rooms_room_commit_content(ngx_rooms_req_t *rq,
    const rooms_room_t *before, rooms_change_t *change, rooms_str_t content);
/* Renders rq->view into rq->out, with its ETag. */
ngx_int_t ngx_rooms_room_put(ngx_rooms_req_t *rq);
/* Bytes of the ETag that it sets: two hashes in quotes. */
#define NGX_ROOMS_ROOM_ETAG  35

/* The "content" of the body, in its stored form. */
ngx_int_t ngx_rooms_message_content(ngx_rooms_req_t *rq, rooms_str_t *content);
/* Parses the room and the caller's member row, from the first two replies. */
ngx_int_t ngx_rooms_message_room(ngx_rooms_req_t *rq);
/* In a federated room: checks that the content can be signed. */
ngx_int_t ngx_rooms_message_tellable(ngx_rooms_req_t *rq);
/* Guards that the sender is still a member, and the room still open. */
void ngx_rooms_message_guards(ngx_rooms_req_t *rq);

/* A string member of an object that is being written, with its comma. */
void ngx_rooms_content_key(rooms_buf_t *b, const char *key,
    rooms_str_t value);
/* The event's content, JSON (ngx_rooms_content.c). */
rooms_str_t ngx_rooms_content(ngx_rooms_req_t *rq,
    const rooms_room_t *before, const rooms_change_t *change);
/* The member transition that the change's event is about. */
const rooms_transition_t *ngx_rooms_subject(const rooms_change_t *change);

/*
 * What federation adds to a DM with a participant of another server.  `ask`
 * appends one command, and `allow` judges its reply.  `keep` writes the
 * profile of a participant who is new here.  Call ngx_rooms_dm_with() before
 * ngx_rooms_dm_load(): the room is created with the other side as a member.
 */
typedef struct {
    ngx_int_t  (*ask)(ngx_rooms_batch_t *b, ngx_rooms_keys_t *keys);
    ngx_int_t  (*allow)(ngx_rooms_req_t *rq, redisReply *reply,
                        const rooms_room_t *room, rooms_str_t server);
    void       (*keep)(ngx_rooms_req_t *rq, const ngx_rooms_profile_t *p);
} ngx_rooms_dm_foreign_t;

ngx_int_t ngx_rooms_dm_with(ngx_rooms_req_t *rq,
    const ngx_rooms_profile_t *other,
    const ngx_rooms_dm_foreign_t *federation);

/* Lists: opens and closes the envelope, with meta. */
void ngx_rooms_list_open(ngx_rooms_req_t *rq);
void ngx_rooms_list_close(ngx_rooms_req_t *rq, ngx_uint_t more,
    rooms_str_t cursor);
/* The same, with meta.total, unless `total` is negative. */
void ngx_rooms_list_close_total(ngx_rooms_req_t *rq, ngx_uint_t more,
    rooms_str_t cursor, int64_t total);


/* Steps of the table's rows. */
ngx_int_t ngx_rooms_invite_show(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_create_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_create_decide(ngx_rooms_req_t *rq);
/* Only the verdict, in rq->change. */
ngx_int_t ngx_rooms_create_judge(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_create_show(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_dm_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_dm_decide(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_directory_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_archived_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_alias_take(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_alias_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_alias_decide(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_alias_show(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_directory_show(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_members_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_members_show(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_state_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_state_show(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_mode_decide(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_mute_decide(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_settings_show(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_read_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_read_decide(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_read_show(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_send_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_send_decide(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_send_show(ngx_rooms_req_t *rq);
rooms_str_t ngx_rooms_send_keep(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_send_recall(ngx_rooms_req_t *rq);
ngx_uint_t ngx_rooms_send_proposes(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_edit_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_redact_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_react_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_unreact_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_revise_decide(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_revise_show(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_react_show(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_event_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_event_show(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_messages_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_messages_show(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_workspaces_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_workspaces_show(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_workspace_create_decide(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_workspace_show(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_workspace_get_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_workspace_get_decide(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_workspace_change_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_workspace_change_decide(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_workspace_delete_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_workspace_delete_decide(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_workspace_members_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_workspace_members_show(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_workspace_add_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_workspace_role_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_workspace_remove_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_workspace_role_decide(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_workspace_role_show(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_register_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_register_decide(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_register_show(ngx_rooms_req_t *rq);

#endif /* NGX_ROOMS_ENDPOINTS_H */
