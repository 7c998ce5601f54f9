/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Directives of federation: reads the keys, and checks what else is required.
 */

#include "ngx_rooms_federation.h"
#include "rooms_peer.h"
#include <sodium.h>


static char *
ngx_rooms_federation_read(ngx_conf_t *cf, ngx_str_t *path,
    rooms_fedkey_pair_t *pair)
{
    int              rc;
    u_char           text[ROOMS_FEDKEY_FILE_MAX + 1];
    ssize_t          n;
    ngx_fd_t         fd;
    ngx_file_info_t  fi;

    fd = ngx_open_file(path->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", path);
        return NGX_CONF_ERROR;
    }

    n = -1;

    if (ngx_fd_info(fd, &fi) != NGX_FILE_ERROR && ngx_is_file(&fi)
        && !(ngx_file_access(&fi) & (S_IROTH|S_IWOTH)))
    {
        n = ngx_read_fd(fd, text, sizeof(text));
        rc = (n > 0 && n <= ROOMS_FEDKEY_FILE_MAX)
             ? rooms_fedkey_read((rooms_str_t) { n, text }, pair) : -1;
        ngx_explicit_memzero(text, sizeof(text));

    } else {
        rc = -1;
    }

    ngx_close_file(fd);

    if (rc == 0) {
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" %s", path,
                       n == -1 ? "must be a regular file that is not readable "
                                 "or writable by everybody (chmod o-rw)"
                               : "must hold 32 bytes in base64");

    return NGX_CONF_ERROR;
}


char *
ngx_rooms_federation_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_array_t  **keys = (ngx_array_t **) ((char *) conf + cmd->offset);

    ngx_str_t            *value;
    ngx_uint_t            i;
    rooms_fedkey_pair_t  *pair;

    if (*keys != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    if (rooms_fedkey_init() != 0) {
        return "can't start libsodium";
    }

    *keys = ngx_array_create(cf->pool, 2, sizeof(rooms_fedkey_pair_t));
    if (*keys == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (i == 2 && cf->args->nelts > 3
            && ngx_strcmp(value[i].data, "old") == 0)
        {
            continue;
        }

        pair = ngx_array_push(*keys);
        if (pair == NULL) {
            return NGX_CONF_ERROR;
        }

        if (ngx_conf_full_name(cf->cycle, &value[i], 1) != NGX_OK
            || ngx_rooms_federation_read(cf, &value[i], pair) != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }

        /* old keys only verify; their secret half is erased */

        if (i > 1) {
            sodium_memzero(pair->secret, sizeof(pair->secret));
        }
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_rooms_federation_check(ngx_conf_t *cf, ngx_rooms_loc_conf_t *conf)
{
    const char  *needs;

    needs = NULL;

    if (conf->federation_keys == NULL) {
        needs = "rooms_federation_key";

    } else if (conf->tenant.len == 0) {
        /* the paths for other servers don't name a tenant */
        needs = "rooms_tenant";

    } else if (!rooms_peer_valid(rooms_from_ngx(conf->server_name))) {
        needs = "a rooms_server_name, in lower case, that other servers can "
                "connect to";
    }

    if (needs) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"rooms_federation on\" also needs %s",
                           needs);
        return NGX_ERROR;
    }

    return NGX_OK;
}
