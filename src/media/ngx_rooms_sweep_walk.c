/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The sweep's part in the thread: it lists and removes files; it doesn't
 * decide which.
 */

#include "ngx_rooms_sweep.h"
#include "rooms_zip_name.h"
#include <sodium.h>


#define NGX_ROOMS_SWEEP_ENTRIES  256   /* read in one step */


static ngx_int_t ngx_rooms_sweep_walk_incoming(ngx_rooms_sweep_walk_t *walk);
static ngx_int_t ngx_rooms_sweep_walk_tenant(ngx_rooms_sweep_walk_t *walk);
static ngx_int_t ngx_rooms_sweep_walk_files(ngx_rooms_sweep_walk_t *walk);
static ngx_int_t ngx_rooms_sweep_walk_remove(ngx_rooms_sweep_walk_t *walk);
static void ngx_rooms_sweep_walk_bury(ngx_rooms_sweep_walk_t *walk,
    const u_char *sha256);


ngx_int_t
ngx_rooms_sweep_walk_step(ngx_rooms_work_t *w)
{
    ngx_rooms_sweep_walk_t  *walk;

    walk = w->data;

    if (ngx_rooms_work_abandoned(w)) {
        return NGX_ERROR;
    }

    switch (walk->doing) {

    case NGX_ROOMS_SWEEP_INCOMING:
        return ngx_rooms_sweep_walk_incoming(walk);

    case NGX_ROOMS_SWEEP_TENANT:
        return ngx_rooms_sweep_walk_tenant(walk);

    case NGX_ROOMS_SWEEP_FILES:
        return ngx_rooms_sweep_walk_files(walk);

    default:
        return ngx_rooms_sweep_walk_remove(walk);
    }
}


void
ngx_rooms_sweep_walk_close(ngx_rooms_sweep_walk_t *walk)
{
    if (walk->folder) {
        closedir(walk->folder);
        walk->folder = NULL;
    }

    if (walk->top) {
        closedir(walk->top);
        walk->top = NULL;
    }
}


static ngx_uint_t
ngx_rooms_sweep_walk_old(ngx_rooms_sweep_walk_t *walk, const char *name)
{
    struct stat  st;

    return fstatat(dirfd(walk->folder), name, &st, AT_SYMLINK_NOFOLLOW) == 0
           && S_ISREG(st.st_mode)
           && st.st_mtime < walk->old;
}


static ngx_int_t
ngx_rooms_sweep_walk_incoming(ngx_rooms_sweep_walk_t *walk)
{
    u_char          path[NGX_ROOMS_BLOB_PATH];
    ngx_uint_t      n;
    struct dirent  *e;

    if (walk->folder == NULL) {
        ngx_sprintf(path, "%V" NGX_ROOMS_INCOMING "%Z", &walk->root);
        walk->folder = opendir((char *) path);
    }

    for (n = 0; walk->folder && n < NGX_ROOMS_SWEEP_ENTRIES; n++) {
        e = readdir(walk->folder);

        if (e == NULL) {
            closedir(walk->folder);
            walk->folder = NULL;
            break;
        }

        if (ngx_rooms_sweep_walk_old(walk, e->d_name)
            && unlinkat(dirfd(walk->folder), e->d_name, 0) == 0)
        {
            walk->removed++;
        }
    }

    if (walk->folder == NULL) {
        walk->doing = NGX_ROOMS_SWEEP_TENANT;
    }

    return NGX_AGAIN;
}


/*
 * Turns a folder's name back into the tenant, as ngx_rooms_blob_path() made
 * it.
 */
static ngx_uint_t
ngx_rooms_sweep_walk_is_tenant(ngx_rooms_sweep_walk_t *walk, const char *name)
{
    u_char       dir[ROOMS_MEDIA_DIR_MAX];
    size_t       len;
    rooms_str_t  tenant;

    len = ngx_strlen(name);

    if (len > ROOMS_MEDIA_DIR_MAX) {
        return 0;
    }

    if (ngx_strncmp(name, "%2E", 3) == 0) {
        walk->tenant[0] = '.';
        ngx_memcpy(walk->tenant + 1, name + 3, len - 3);
        walk->tenant_len = len - 2;

    } else {
        ngx_memcpy(walk->tenant, name, len);
        walk->tenant_len = len;
    }

    tenant = (rooms_str_t) { walk->tenant_len, walk->tenant };

    return rooms_tenant_valid(tenant)
           && rooms_media_dir(tenant, dir) == len
           && ngx_memcmp(dir, name, len) == 0;
}


static ngx_int_t
ngx_rooms_sweep_walk_tenant(ngx_rooms_sweep_walk_t *walk)
{
    ngx_uint_t      n;
    struct dirent  *e;

    walk->shard = 0;

    if (walk->top == NULL) {
        walk->top = opendir((char *) walk->root.data);
    }

    for (n = 0; n < NGX_ROOMS_SWEEP_ENTRIES; n++) {
        e = walk->top ? readdir(walk->top) : NULL;

        if (e == NULL) {
            walk->tenant_len = 0;
            return NGX_OK;
        }

        if (ngx_rooms_sweep_walk_is_tenant(walk, e->d_name)) {
            return NGX_OK;
        }
    }

    return NGX_AGAIN;
}


/* Returns at the tenant's end with no files and shard 256. */
static ngx_int_t
ngx_rooms_sweep_walk_files(ngx_rooms_sweep_walk_t *walk)
{
    u_char          path[NGX_ROOMS_BLOB_PATH], *p;
    ngx_uint_t      n;
    rooms_str_t     tenant, name;
    struct dirent  *e;

    tenant = (rooms_str_t) { walk->tenant_len, walk->tenant };

    for (n = 0; n < NGX_ROOMS_SWEEP_ENTRIES; n++) {

        if (walk->nfiles == NGX_ROOMS_SWEEP_MAX) {
            return NGX_OK;
        }

        if (walk->folder == NULL) {

            if (walk->shard == 256) {
                return NGX_OK;
            }

            p = ngx_sprintf(path, "%V/", &walk->root);
            p += rooms_media_dir(tenant, p);
            ngx_sprintf(p, "/%02xi%Z", walk->shard++);

            walk->folder = opendir((char *) path);
            continue;
        }

        e = readdir(walk->folder);

        if (e == NULL) {
            closedir(walk->folder);
            walk->folder = NULL;
            continue;
        }

        name = rooms_cstr(e->d_name);

        if (!ngx_rooms_sweep_walk_old(walk, e->d_name)) {
            continue;
        }

        if (rooms_sha256_hex_valid(name)) {
            ngx_memcpy(walk->files[walk->nfiles++], name.data, name.len);

        } else if (name.data[0] == '.'
                   && unlinkat(dirfd(walk->folder), e->d_name, 0) == 0)
        {
            /* an unfinished copy */
            walk->removed++;
        }
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_rooms_sweep_walk_remove(ngx_rooms_sweep_walk_t *walk)
{
    while (walk->nfiles) {

        if (walk->marked[--walk->nfiles]) {
            ngx_rooms_sweep_walk_bury(walk, walk->files[walk->nfiles]);
            return NGX_AGAIN;
        }
    }

    walk->doing = NGX_ROOMS_SWEEP_FILES;

    return NGX_OK;
}


/*
 * Somebody may be adding the same content right now.  They set its time to
 * now before they rely on the file, and place their own if it is gone.  So
 * the file is renamed first, and only then its time is checked once more.
 */
static void
ngx_rooms_sweep_walk_bury(ngx_rooms_sweep_walk_t *walk, const u_char *sha256)
{
    u_char       path[NGX_ROOMS_BLOB_PATH], grave[NGX_ROOMS_BLOB_PATH], *p;
    u_char       random[16];
    struct stat  st;

    ngx_rooms_blob_path(path, walk->root,
                        (rooms_str_t) { walk->tenant_len, walk->tenant },
                        sha256);

    p = ngx_cpymem(grave, path, ngx_strlen(path) - NGX_ROOMS_SHA256);
    *p++ = '.';
    randombytes_buf(random, sizeof(random));
    *ngx_hex_dump(p, random, sizeof(random)) = '\0';

    if (rename((char *) path, (char *) grave) == -1) {
        return;
    }

    if (lstat((char *) grave, &st) == -1 || st.st_mtime >= walk->old) {
        (void) rename((char *) grave, (char *) path);
        return;
    }

    if (unlink((char *) grave) == 0) {
        walk->removed++;
    }
}
