/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/* What a request to another server dials, and what it must not. */

#include "ngx_rooms_peer_call.h"
#include "rooms_peer.h"


static void ngx_rooms_peer_resolve(ngx_rooms_peer_call_t *call);
static void ngx_rooms_peer_resolved(ngx_resolver_ctx_t *ctx);


void
ngx_rooms_peer_call_start(ngx_rooms_peer_call_t *call)
{
    u_char       address[16];
    rooms_str_t  peer;

    peer = rooms_from_ngx(call->peer);

    if (ngx_rooms_peer_forbidden(call->conf, peer)) {
        ngx_rooms_peer_call_fail(call, "the address is not a public one");
        return;
    }

    if (call->conf->federation_private || rooms_peer_address(peer, address)) {
        ngx_rooms_peer_call_send(call);
        return;
    }

    ngx_rooms_peer_resolve(call);
}


ngx_uint_t
ngx_rooms_peer_forbidden(ngx_rooms_loc_conf_t *conf, rooms_str_t peer)
{
    int     len;
    u_char  address[16];

    if (conf->federation_private) {
        return 0;
    }

    len = rooms_peer_address(peer, address);

    return len ? rooms_address_special(address, len) : rooms_peer_local(peer);
}


/*
 * A name may resolve to any address.  We look at it before NGINX does, and
 * have it dial what we have seen: another answer can't slip in between.
 */
static void
ngx_rooms_peer_resolve(ngx_rooms_peer_call_t *call)
{
    ngx_resolver_ctx_t        *ctx, name;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(call->request, ngx_http_core_module);

    ngx_memzero(&name, sizeof(ngx_resolver_ctx_t));
    name.name = call->host;

    ctx = ngx_resolve_start(clcf->resolver, &name);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        ngx_rooms_peer_call_fail(call, "the server has no \"resolver\"");
        return;
    }

    ctx->name = call->host;
    ctx->handler = ngx_rooms_peer_resolved;
    ctx->data = call;
    ctx->timeout = clcf->resolver_timeout;

    call->resolving = ctx;

    if (ngx_resolve_name(ctx) != NGX_OK) {
        call->resolving = NULL;
        ngx_rooms_peer_call_fail(call, "the name can't be resolved");
    }
}


static ngx_uint_t
ngx_rooms_peer_public(struct sockaddr *sa)
{
    switch (sa->sa_family) {

    case AF_INET:
        return !rooms_address_special(
                      (u_char *) &((struct sockaddr_in *) sa)->sin_addr, 4);

#if (NGX_HAVE_INET6)
    case AF_INET6:
        return !rooms_address_special(
                      (u_char *) &((struct sockaddr_in6 *) sa)->sin6_addr, 16);
#endif
    }

    return 0;
}


/* With what the resolver has said: "Host not found" isn't "timed out". */
static const char *
ngx_rooms_peer_unresolved(ngx_rooms_peer_call_t *call, ngx_int_t state)
{
    size_t   size;
    char    *why, *text;

    why = ngx_resolver_strerror(state);
    size = sizeof("the name can't be resolved: ") + ngx_strlen(why);

    text = ngx_pnalloc(call->detached.connection->pool, size);
    if (text == NULL) {
        return "the name can't be resolved";
    }

    *ngx_snprintf((u_char *) text, size - 1, "the name can't be resolved: %s",
                  why) = '\0';

    return text;
}


static void
ngx_rooms_peer_resolved(ngx_resolver_ctx_t *ctx)
{
    u_char                 *p;
    ngx_str_t               port;
    ngx_uint_t              i;
    ngx_rooms_peer_call_t  *call;

    call = ctx->data;
    call->resolving = NULL;

    for (i = 0; ctx->state == NGX_OK && i < ctx->naddrs; i++) {
        if (ngx_rooms_peer_public(ctx->addrs[i].sockaddr)) {
            break;
        }
    }

    if (ctx->state != NGX_OK || i == ctx->naddrs) {
        ngx_rooms_peer_call_fail(call, ctx->state != NGX_OK
                                       ? ngx_rooms_peer_unresolved(call,
                                                                   ctx->state)
                                       : "the name has no public address");
        ngx_resolve_name_done(ctx);
        return;
    }

    port.data = call->host.data + call->host.len;
    port.len = call->peer.len - call->host.len;

    p = ngx_pnalloc(call->detached.connection->pool, NGX_SOCKADDR_STRLEN + port.len);

    if (p) {
        call->address.data = p;
        call->address.len = ngx_sock_ntop(ctx->addrs[i].sockaddr,
                                          ctx->addrs[i].socklen, p,
                                          NGX_SOCKADDR_STRLEN, 0);

        if (ctx->addrs[i].sockaddr->sa_family != AF_INET) {
            ngx_memmove(p + 1, p, call->address.len);
            p[0] = '[';
            p[call->address.len + 1] = ']';
            call->address.len += 2;
        }

        ngx_memcpy(p + call->address.len, port.data, port.len);
        call->address.len += port.len;
    }

    ngx_resolve_name_done(ctx);

    if (p == NULL) {
        ngx_rooms_peer_call_fail(call, "no memory");
        return;
    }

    ngx_rooms_peer_call_send(call);
}
