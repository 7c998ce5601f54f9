/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* The endpoints of federation: steps of their rows, and shared parts. */

#ifndef NGX_ROOMS_FEDERATION_ENDPOINTS_H
#define NGX_ROOMS_FEDERATION_ENDPOINTS_H

#include "ngx_rooms_endpoints.h"


/*
 * Every row for other servers calls this.  It appends to rq->batch that the
 * signer was active, which ends a backoff.  It does so at intervals, not for
 * each request.
 */
void ngx_rooms_peer_note(ngx_rooms_req_t *rq);


/* Steps of the table's rows. */
ngx_int_t ngx_rooms_descriptor_show(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_fedbackfill_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_fedbackfill_show(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_federate_decide(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_feddm_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_fedinvite_decide(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_fedinvite_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_fedsend_decide(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_fedsend_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_fedsend_show(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_foreign_profile_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_foreign_profile_show(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_history_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_history_show(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_identity_show(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_peer_members_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_peer_members_show(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_peers_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_peers_show(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_policy_decide(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_policy_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_policy_show(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_refresh_decide(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_refresh_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_refresh_show(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_retry_decide(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_retry_load(ngx_rooms_req_t *rq);
ngx_int_t ngx_rooms_retry_show(ngx_rooms_req_t *rq);

#endif /* NGX_ROOMS_FEDERATION_ENDPOINTS_H */
