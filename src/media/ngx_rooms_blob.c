/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "ngx_rooms_blob.h"
#include "rooms_media.h"
#include <sodium.h>
#include <zlib.h>


#define NGX_ROOMS_BLOB_COPY  (64 * 1024)


static ngx_int_t ngx_rooms_blob_write(ngx_rooms_blob_t *b, ngx_fd_t fd,
    const u_char *p, size_t len);
static ngx_uint_t ngx_rooms_blob_exists(ngx_rooms_blob_t *b,
    const char *path);
static ngx_int_t ngx_rooms_blob_place(ngx_rooms_blob_t *b, const char *path);
static ngx_int_t ngx_rooms_blob_copy(ngx_rooms_blob_t *b, const char *path);
static ngx_int_t ngx_rooms_blob_folders(ngx_rooms_blob_t *b, char *path);
static ngx_int_t ngx_rooms_blob_sync(ngx_rooms_blob_t *b, char *path,
    ngx_uint_t up);


static ngx_int_t
ngx_rooms_blob_fail(ngx_rooms_blob_t *b, const char *what)
{
    b->err = ngx_errno;
    b->failed = what;

    return NGX_ERROR;
}


static void
ngx_rooms_blob_random(u_char *dst)
{
    u_char  bytes[16];

    randombytes_buf(bytes, sizeof(bytes));
    *ngx_hex_dump(dst, bytes, sizeof(bytes)) = '\0';
}


void
ngx_rooms_blob_path(u_char *path, ngx_str_t root, rooms_str_t tenant,
    const u_char *sha256)
{
    path = ngx_cpymem(path, root.data, root.len);
    *path++ = '/';
    path += rooms_media_dir(tenant, path);
    *path++ = '/';
    path = ngx_cpymem(path, sha256, 2);
    *path++ = '/';
    path = ngx_cpymem(path, sha256, NGX_ROOMS_SHA256);
    *path = '\0';
}


ngx_int_t
ngx_rooms_blob_create(ngx_rooms_blob_t *b, ngx_str_t root, rooms_str_t tenant)
{
    u_char  *p;

    ngx_memzero(b, sizeof(ngx_rooms_blob_t));

    b->root = root;
    b->tenant = tenant;
    b->crc32 = crc32(0, NULL, 0);
    ngx_memzero(&b->image, sizeof(rooms_image_t));

    p = ngx_cpymem(b->temp, root.data, root.len);
    p = ngx_cpymem(p, NGX_ROOMS_INCOMING, sizeof(NGX_ROOMS_INCOMING));

    if (mkdir((char *) b->temp, 0700) == -1 && ngx_errno != NGX_EEXIST) {
        b->temp[0] = '\0';
        return ngx_rooms_blob_fail(b, "mkdir()");
    }

    p[-1] = '/';
    ngx_rooms_blob_random(p);

    b->fd = open((char *) b->temp,
                 O_RDWR|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC, 0600);

    if (b->fd == NGX_INVALID_FILE) {
        b->temp[0] = '\0';
        return ngx_rooms_blob_fail(b, "open()");
    }

    b->md = EVP_MD_CTX_new();

    if (b->md == NULL) {
        close(b->fd);
        b->fd = NGX_INVALID_FILE;
    }

    if (b->md == NULL || EVP_DigestInit_ex(b->md, EVP_sha256(), NULL) != 1) {
        ngx_set_errno(NGX_ENOMEM);
        return ngx_rooms_blob_fail(b, "EVP_DigestInit_ex()");
    }

    return NGX_OK;
}


ngx_int_t
ngx_rooms_blob_append(ngx_rooms_blob_t *b, const u_char *p, size_t len)
{
    if (EVP_DigestUpdate(b->md, p, len) != 1) {
        ngx_set_errno(NGX_ENOMEM);
        return ngx_rooms_blob_fail(b, "EVP_DigestUpdate()");
    }

    b->crc32 = crc32_z(b->crc32, p, len);
    b->size += len;
    rooms_image_feed(&b->image, p, len);

    return ngx_rooms_blob_write(b, b->fd, p, len);
}


static ngx_int_t
ngx_rooms_blob_write(ngx_rooms_blob_t *b, ngx_fd_t fd, const u_char *p,
    size_t len)
{
    ssize_t  n;

    while (len) {
        n = write(fd, p, len);

        if (n == -1) {
            if (ngx_errno == NGX_EINTR) {
                continue;
            }

            return ngx_rooms_blob_fail(b, "write()");
        }

        p += n;
        len -= n;
    }

    return NGX_OK;
}


ngx_int_t
ngx_rooms_blob_seal(ngx_rooms_blob_t *b)
{
    u_char  digest[NGX_ROOMS_SHA256 / 2];

    if (EVP_DigestFinal_ex(b->md, digest, NULL) != 1) {
        ngx_set_errno(NGX_ENOMEM);
        return ngx_rooms_blob_fail(b, "EVP_DigestFinal_ex()");
    }

    ngx_hex_dump(b->sha256, digest, sizeof(digest));

    return NGX_OK;
}


/*
 * The order matters: first the content is on the disk, then its name, and
 * only then can anything refer to it.
 */
ngx_int_t
ngx_rooms_blob_keep(ngx_rooms_blob_t *b)
{
    char  path[NGX_ROOMS_BLOB_PATH];

    ngx_rooms_blob_path((u_char *) path, b->root, b->tenant, b->sha256);

    if (ngx_rooms_blob_exists(b, path)) {
        b->existed = 1;

        /* whoever put it there may not have synced it yet */
        return ngx_rooms_blob_sync(b, path, 1);
    }

    if (fsync(b->fd) == -1) {
        return ngx_rooms_blob_fail(b, "fsync()");
    }

    if (ngx_rooms_blob_place(b, path) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_rooms_blob_sync(b, path, 1);
}


/* Sets its time to now first; then the sweep leaves it alone. */
static ngx_uint_t
ngx_rooms_blob_exists(ngx_rooms_blob_t *b, const char *path)
{
    struct stat  st;

    return utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW) == 0
           && lstat(path, &st) == 0
           && S_ISREG(st.st_mode)
           && st.st_size == b->size;
}


static ngx_int_t
ngx_rooms_blob_place(ngx_rooms_blob_t *b, const char *path)
{
    char  folder[NGX_ROOMS_BLOB_PATH];

    if (rename((char *) b->temp, path) == -1) {

        if (ngx_errno == NGX_ENOENT) {
            ngx_memcpy(folder, path, ngx_strlen(path) + 1);

            if (ngx_rooms_blob_folders(b, folder) != NGX_OK) {
                return NGX_ERROR;
            }

            if (rename((char *) b->temp, path) == 0) {
                b->temp[0] = '\0';
                return NGX_OK;
            }
        }

        if (ngx_errno != NGX_EXDEV) {
            return ngx_rooms_blob_fail(b, "rename()");
        }

        return ngx_rooms_blob_copy(b, path);
    }

    b->temp[0] = '\0';

    return NGX_OK;
}


/*
 * A tenant's folder may be on a volume of its own, so rename() fails: copies
 * instead.
 */
static ngx_int_t
ngx_rooms_blob_copy(ngx_rooms_blob_t *b, const char *path)
{
    char      temp[NGX_ROOMS_BLOB_PATH];
    off_t     at;
    size_t    len;
    u_char   *buf;
    ssize_t   n;
    ngx_fd_t  fd;

    len = ngx_strlen(path) - NGX_ROOMS_SHA256;

    ngx_memcpy(temp, path, len);
    temp[len] = '.';
    ngx_rooms_blob_random((u_char *) temp + len + 1);

    buf = malloc(NGX_ROOMS_BLOB_COPY);
    fd = open(temp, O_WRONLY|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC, 0600);

    if (fd == NGX_INVALID_FILE || buf == NULL) {
        (void) ngx_rooms_blob_fail(b, "open()");
        goto failed;
    }

    for (at = 0; at < b->size; at += n) {
        n = pread(b->fd, buf, NGX_ROOMS_BLOB_COPY, at);

        if (n <= 0) {
            (void) ngx_rooms_blob_fail(b, "pread()");
            goto failed;
        }

        if (ngx_rooms_blob_write(b, fd, buf, n) != NGX_OK) {
            goto failed;
        }
    }

    if (fsync(fd) == -1 || rename(temp, path) == -1) {
        (void) ngx_rooms_blob_fail(b, "copying");
        goto failed;
    }

    close(fd);
    free(buf);

    return NGX_OK;

failed:

    if (fd != NGX_INVALID_FILE) {
        (void) unlink(temp);
        close(fd);
    }

    free(buf);

    return NGX_ERROR;
}


/* Creates the folders of a path; changes its text meanwhile. */
static ngx_int_t
ngx_rooms_blob_folders(ngx_rooms_blob_t *b, char *path)
{
    int     rc;
    char   *p;
    size_t  cut[2];
    int     i;

    p = strrchr(path, '/');
    cut[1] = p - path;
    *p = '\0';
    cut[0] = strrchr(path, '/') - path;
    *p = '/';

    for (i = 0; i < 2; i++) {
        path[cut[i]] = '\0';
        rc = mkdir(path, 0700);
        path[cut[i]] = '/';

        if (rc == -1 && ngx_errno != NGX_EEXIST) {
            return ngx_rooms_blob_fail(b, "mkdir()");
        }

        if (rc == 0 && ngx_rooms_blob_sync(b, path, 3 - i) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* Syncs the folder that is `up` levels above a path. */
static ngx_int_t
ngx_rooms_blob_sync(ngx_rooms_blob_t *b, char *path, ngx_uint_t up)
{
    int         rc;
    char        folder[NGX_ROOMS_BLOB_PATH];
    ngx_fd_t    fd;

    ngx_memcpy(folder, path, ngx_strlen(path) + 1);

    while (up--) {
        *strrchr(folder, '/') = '\0';
    }

    fd = open(folder, O_RDONLY|O_DIRECTORY|O_CLOEXEC);
    if (fd == NGX_INVALID_FILE) {
        return ngx_rooms_blob_fail(b, "open()");
    }

    rc = fsync(fd);

    /* some file systems don't support fsync() on a folder */

    if (rc == -1 && ngx_errno != NGX_EINVAL) {
        (void) ngx_rooms_blob_fail(b, "fsync()");
        close(fd);
        return NGX_ERROR;
    }

    close(fd);

    return NGX_OK;
}


void
ngx_rooms_blob_discard(ngx_rooms_blob_t *b)
{
    if (b->temp[0] != '\0') {
        (void) unlink((char *) b->temp);
        b->temp[0] = '\0';
    }

    if (b->md) {
        if (b->fd != NGX_INVALID_FILE) {
            close(b->fd);
            b->fd = NGX_INVALID_FILE;
        }

        EVP_MD_CTX_free(b->md);
        b->md = NULL;
    }
}


ngx_int_t
ngx_rooms_blob_open(ngx_file_t *file, ngx_pool_t *pool, ngx_log_t *log,
    ngx_str_t root, rooms_str_t tenant, const u_char *sha256, off_t size)
{
    u_char                   *path;
    ngx_fd_t                  fd;
    ngx_err_t                 err;
    struct stat               st;
    ngx_pool_cleanup_t       *cln;
    ngx_pool_cleanup_file_t  *clnf;

    path = ngx_pnalloc(pool, NGX_ROOMS_BLOB_PATH);
    cln = ngx_pool_cleanup_add(pool, sizeof(ngx_pool_cleanup_file_t));

    if (path == NULL || cln == NULL) {
        ngx_set_errno(NGX_ENOMEM);
        return NGX_ERROR;
    }

    ngx_rooms_blob_path(path, root, tenant, sha256);

    fd = open((char *) path, O_RDONLY|O_NOFOLLOW|O_NONBLOCK|O_CLOEXEC);

    if (fd == NGX_INVALID_FILE) {
        err = ngx_errno;
        ngx_log_error(NGX_LOG_ERR, log, err, "rooms: open() \"%s\" failed",
                      path);
        ngx_set_errno(err);

        return err == NGX_ENOENT || err == NGX_ENOTDIR ? NGX_DECLINED
                                                       : NGX_ERROR;
    }

    clnf = cln->data;
    clnf->fd = fd;
    clnf->name = path;
    clnf->log = pool->log;
    cln->handler = ngx_pool_cleanup_file;

    if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) || st.st_size != size) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "rooms: \"%s\" no longer has its %O bytes",
                      path, size);
        ngx_pool_run_cleanup_file(pool, fd);

        return NGX_DECLINED;
    }

    ngx_memzero(file, sizeof(ngx_file_t));

    file->fd = fd;
    file->name.data = path;
    file->name.len = ngx_strlen(path);
    file->log = log;

    return NGX_OK;
}
