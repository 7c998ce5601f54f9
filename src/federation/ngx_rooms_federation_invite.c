/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Invites a participant of another server: POST
 * /v1/admin/rooms/{room}/federation/invite, and POST
 * /v1/rooms/{room}/invitations for members.
 *
 * The invite takes effect with the commit; the outbox sends it to the other
 * server.  If the participant is new here, the same commit creates a profile.
 */

#include "ngx_rooms_inbox.h"
#include "ngx_rooms_endings.h"
#include "ngx_rooms_fedpolicy.h"
#include "ngx_rooms_peer_call.h"
#include "ngx_rooms_profiles.h"
#include "rooms_peer.h"


/* Fills in a profile from the fqid. */
static ngx_int_t
ngx_rooms_fqid_check(ngx_rooms_req_t *rq, rooms_str_t fqid,
    ngx_rooms_profile_t *p)
{
    rooms_str_t  local, server;

    if (fqid.data == NULL || rooms_fqid_parse(fqid, &local, &server) != 0) {
        return ngx_rooms_invalid(rq, "fqid", "must be \"@local:server\"");
    }

    if (!rooms_participant_valid(fqid)) {
        return ngx_rooms_invalid(rq, "fqid", "must be at most 128 characters,"
                                 " and its server a name or an IPv4 address");
    }

    if (rooms_str_eq(server, rooms_from_ngx(rq->conf->server_name))) {
        return ngx_rooms_invalid(rq, "fqid", "belongs to this server: use "
                                 "participant_id");
    }

    ngx_memzero(p, sizeof(ngx_rooms_profile_t));

    p->id = fqid;
    p->local = local;
    p->server = server;
    p->name = local;
    p->type = ngx_rooms_s("federated");

    return NGX_OK;
}


/* Judges by the policy, a reply, whether the room has a place. */
static ngx_int_t
ngx_rooms_fqid_allow(ngx_rooms_req_t *rq, redisReply *reply,
    const rooms_room_t *room, rooms_str_t server)
{
    rooms_policy_t  *policy;

    policy = ngx_rooms_fedpolicy_take(rq, reply);
    if (policy == NULL) {
        return NGX_ERROR;
    }

    if (!rooms_policy_allows(policy, server, 1)
        || ngx_rooms_peer_forbidden(rq->conf, server))
    {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_POLICY, NULL);
    }

    return room ? ngx_rooms_foreign_seat(rq, policy, room) : NGX_OK;
}


/* Exact, since the commit guards the list of peers that is counted here. */
ngx_int_t
ngx_rooms_foreign_seat(ngx_rooms_req_t *rq, const rooms_policy_t *policy,
    const rooms_room_t *room)
{
    if (rooms_peers_total(room->peers) < policy->foreign) {
        return NGX_OK;
    }

    return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_POLICY,
                          "the room has as many participants of other "
                          "servers as the policy allows");
}


/* Writes the profile of a participant who is new here. */
static void
ngx_rooms_fqid_keep(ngx_rooms_req_t *rq, const ngx_rooms_profile_t *p)
{
    ngx_rooms_apply_person(&rq->commit, &rq->keys, ROOMS_NULL, p, rq->now);
    ngx_rooms_profiles_want(&rq->commit, &rq->keys, p->id, rq->now, 0);
}


static ngx_int_t
ngx_rooms_fedinvite_ask(ngx_rooms_req_t *rq)
{
    ngx_rooms_profile_t  p;

    if (ngx_rooms_fqid_check(rq, ngx_rooms_body_str(rq, "fqid"), &p) != NGX_OK
        || ngx_rooms_fedpolicy_ask(rq->batch, &rq->keys) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_fedpolicy_ask_invited(rq->batch, &rq->keys, p.server);
}


/*
 * Whether a foreign member's invite would admit a server that the policy
 * doesn't allow yet.  Only invites by our own members may do so.
 */
static ngx_uint_t
ngx_rooms_fedinvite_widens(ngx_rooms_req_t *rq, rooms_str_t server)
{
    ngx_rooms_fedsend_t  *s;

    if (rq->enclosing == NULL) {
        return 0;
    }

    s = rq->parts;

    return !rooms_policy_allows(s->policy, server,
                       ngx_rooms_reply_int(
                           rq->asked_batch->replies[rq->at_own + 1], 0) > 0);
}


ngx_int_t
ngx_rooms_fedinvite_load(ngx_rooms_req_t *rq)
{
    ngx_int_t            rc;
    ngx_rooms_profile_t  p;

    if (rq->round == 0
        && ngx_rooms_fqid_check(rq, ngx_rooms_body_str(rq, "fqid"), &p)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    rq->ask = ngx_rooms_fedinvite_ask;

    rc = ngx_rooms_room_load(rq);

    if (rc == NGX_OK && !rq->targets[0].known) {
        (void) ngx_rooms_fqid_check(rq, rq->targets[0].member.participant,
                                    &rq->profiles[0]);
    }

    return rc;
}


ngx_int_t
ngx_rooms_fedinvite_decide(ngx_rooms_req_t *rq)
{
    ngx_uint_t            known;
    rooms_room_t          before;
    rooms_target_t       *t;
    ngx_rooms_profile_t  *p;

    t = &rq->targets[0];
    p = &rq->profiles[0];
    known = t->known;

    /* an invited participant is known from now on */

    t->known = 1;

    if (ngx_rooms_room_permit(rq) != NGX_OK) {
        t->known = known;
        return NGX_ERROR;
    }

    t->known = known;

    if (p->server.data == NULL) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_CONFLICT,
                              "a participant of this server has that id");
    }

    if (rq->change->noop) {
        return NGX_OK;
    }

    if (ngx_rooms_fqid_allow(rq, rq->asked_batch->replies[rq->at_own],
                             &rq->view.room, p->server) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_rooms_fedinvite_widens(rq, p->server)) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_FED_POLICY, NULL);
    }

    before = rq->view.room;

    if (ngx_rooms_room_commit(rq, &before, rq->change) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!known) {
        ngx_rooms_fqid_keep(rq, p);
    }

    return rq->commit.failed ? NGX_ERROR : NGX_OK;
}


/*
 * PUT .../federate: when it ends federation, foreign participants leave the
 * room.
 */
ngx_int_t
ngx_rooms_federate_decide(ngx_rooms_req_t *rq)
{
    rooms_room_t  before;

    before = rq->view.room;

    if (ngx_rooms_room_decide(rq) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!rq->committing || rq->change->room.federated) {
        return NGX_OK;
    }

    ngx_rooms_endings_add(&rq->commit, &rq->keys, &before,
                          rq->principal.sub, rq->now);

    return rq->commit.failed ? NGX_ERROR : NGX_OK;
}


/* POST /v1/me/federated-dms. */
ngx_int_t
ngx_rooms_feddm_load(ngx_rooms_req_t *rq)
{
    ngx_rooms_profile_t  other;

    static const ngx_rooms_dm_foreign_t  federation = {
        .ask = ngx_rooms_fedpolicy_ask,
        .allow = ngx_rooms_fqid_allow,
        .keep = ngx_rooms_fqid_keep
    };

    if (rq->round == 0
        && (ngx_rooms_fqid_check(rq, ngx_rooms_body_str(rq, "fqid"),
                                 &other) != NGX_OK
            || ngx_rooms_dm_with(rq, &other, &federation) != NGX_OK))
    {
        return NGX_ERROR;
    }

    return ngx_rooms_dm_load(rq);
}
