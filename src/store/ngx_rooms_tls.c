/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * TLS to the store, as NGINX speaks it on its connections.
 */

#include "ngx_rooms_tls.h"

#if (NGX_ROOMS_TLS)

#include <openssl/x509v3.h>


typedef struct {
    ngx_ssl_t   ssl;
    u_char     *host;                      /* NUL ended */
} ngx_rooms_tls_t;


static void ngx_rooms_tls_cleanup(void *data);
static char *ngx_rooms_tls_settings(SSL_CTX *ctx, char *ca, char *cert,
    char *key);
static int ngx_rooms_tls_verify(int ok, X509_STORE_CTX *store);
static ngx_int_t ngx_rooms_tls_name(SSL *ssl, u_char *host);


/* The value of "name=value" in a query, unescaped; NULL: it isn't there. */
static char *
ngx_rooms_tls_argument(ngx_conf_t *cf, u_char *p, u_char *last,
    const char *name)
{
    u_char  *end, *dst, *src, *value;
    size_t   len;

    len = ngx_strlen(name);

    for ( /* void */ ; p < last; p = end + 1) {
        end = ngx_strlchr(p, last, '&');
        end = end ? end : last;

        if ((size_t) (end - p) <= len || p[len] != '='
            || ngx_strncmp(p, name, len) != 0)
        {
            continue;
        }

        src = p + len + 1;
        value = ngx_pnalloc(cf->pool, end - src + 1);
        if (value == NULL) {
            return NULL;
        }

        dst = value;
        ngx_unescape_uri(&dst, &src, end - src, 0);
        *dst = '\0';

        return (char *) value;
    }

    return NULL;
}


char *
ngx_rooms_tls_parse(ngx_conf_t *cf, u_char *p, u_char *last, ngx_str_t *host,
    ngx_rooms_node_t *node)
{
    char                *ca, *cert, *key;
    ngx_rooms_tls_t     *tls;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(cf->pool, sizeof(ngx_rooms_tls_t));
    if (cln == NULL) {
        return "is out of memory";
    }

    tls = cln->data;
    ngx_memzero(tls, sizeof(ngx_rooms_tls_t));
    cln->handler = ngx_rooms_tls_cleanup;

    tls->host = ngx_pnalloc(cf->pool, host->len + 1);
    if (tls->host == NULL) {
        return "is out of memory";
    }

    *ngx_cpymem(tls->host, host->data, host->len) = '\0';

    ca = ngx_rooms_tls_argument(cf, p, last, "ca");
    cert = ngx_rooms_tls_argument(cf, p, last, "cert");
    key = ngx_rooms_tls_argument(cf, p, last, "key");

    tls->ssl.log = cf->log;

    if (ngx_ssl_create(&tls->ssl, NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3, NULL)
        != NGX_OK)
    {
        return "can't use TLS";
    }

    node->tls = tls;

    return ngx_rooms_tls_settings(tls->ssl.ctx, ca, cert, key);
}


static void
ngx_rooms_tls_cleanup(void *data)
{
    ngx_rooms_tls_t  *tls = data;

    if (tls->ssl.ctx) {
        SSL_CTX_free(tls->ssl.ctx);
    }
}


static char *
ngx_rooms_tls_settings(SSL_CTX *ctx, char *ca, char *cert, char *key)
{
    if (ca ? SSL_CTX_load_verify_locations(ctx, ca, NULL) != 1
           : SSL_CTX_set_default_verify_paths(ctx) != 1)
    {
        ERR_clear_error();
        return "names a \"ca\" that can't be read";
    }

    if (cert && SSL_CTX_use_certificate_chain_file(ctx, cert) != 1) {
        ERR_clear_error();
        return "names a \"cert\" that can't be read";
    }

    if (cert
        && (SSL_CTX_use_PrivateKey_file(ctx, key ? key : cert,
                                        SSL_FILETYPE_PEM) != 1
            || SSL_CTX_check_private_key(ctx) != 1))
    {
        ERR_clear_error();
        return "names a \"key\" that can't be read, or isn't the "
               "certificate's";
    }

    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, ngx_rooms_tls_verify);

    /*
     * What OpenSSL couldn't write is given to it again from a buffer that may
     * have grown, and moved, by then
     */
    SSL_CTX_set_mode(ctx, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                          |SSL_MODE_ENABLE_PARTIAL_WRITE);

    return NULL;
}


/* NGINX logs that a handshake failed, and not why. */
static int
ngx_rooms_tls_verify(int ok, X509_STORE_CTX *store)
{
    if (!ok) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "rooms: the certificate of redis is refused: %s",
                      X509_verify_cert_error_string(
                                          X509_STORE_CTX_get_error(store)));
    }

    return ok;
}


/*
 * Sets the host that the certificate must be for; it may also be an IP
 * address.
 */
static ngx_int_t
ngx_rooms_tls_name(SSL *ssl, u_char *host)
{
    X509_VERIFY_PARAM  *param;

    param = SSL_get0_param(ssl);

    if (X509_VERIFY_PARAM_set1_ip_asc(param, (char *) host) == 1) {
        return NGX_OK;
    }

    ERR_clear_error();

    return SSL_set_tlsext_host_name(ssl, (char *) host) == 1
           && X509_VERIFY_PARAM_set1_host(param, (char *) host, 0) == 1
           ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_rooms_tls_handshake(ngx_connection_t *c, ngx_rooms_node_t *node,
    void (*done)(ngx_connection_t *c))
{
    ngx_int_t         rc;
    ngx_rooms_tls_t  *tls;

    tls = node->tls;

    if (tls == NULL) {
        return NGX_OK;
    }

    /* NGINX keeps its TLS state in the connection's pool */

    if (c->pool == NULL) {
        c->pool = ngx_create_pool(512, c->log);
        if (c->pool == NULL) {
            return NGX_ERROR;
        }
    }

    tls->ssl.log = c->log;

    if (ngx_ssl_create_connection(&tls->ssl, c,
                                  NGX_SSL_BUFFER|NGX_SSL_CLIENT) != NGX_OK
        || ngx_rooms_tls_name(c->ssl->connection, tls->host) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_ssl_handshake(c);

    if (rc == NGX_AGAIN) {
        c->ssl->handler = done;
    }

    return rc == NGX_OK && !c->ssl->handshaked ? NGX_ERROR : rc;
}


ngx_uint_t
ngx_rooms_tls_stands(ngx_connection_t *c)
{
    return c->ssl == NULL || c->ssl->handshaked;
}


void
ngx_rooms_tls_close(ngx_connection_t *c)
{
    ngx_pool_t  *pool;

    if (c->ssl) {
        c->ssl->no_wait_shutdown = 1;
        c->ssl->no_send_shutdown = 1;
        (void) ngx_ssl_shutdown(c);
    }

    pool = c->pool;
    c->pool = NULL;

    ngx_close_connection(c);

    if (pool) {
        ngx_destroy_pool(pool);
    }
}

#else

char *
ngx_rooms_tls_parse(ngx_conf_t *cf, u_char *p, u_char *last, ngx_str_t *host,
    ngx_rooms_node_t *node)
{
    return "needs TLS, which this NGINX doesn't have";
}


ngx_int_t
ngx_rooms_tls_handshake(ngx_connection_t *c, ngx_rooms_node_t *node,
    void (*done)(ngx_connection_t *c))
{
    return NGX_OK;
}


ngx_uint_t
ngx_rooms_tls_stands(ngx_connection_t *c)
{
    return 1;
}


void
ngx_rooms_tls_close(ngx_connection_t *c)
{
    ngx_close_connection(c);
}

#endif
