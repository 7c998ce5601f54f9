/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Participants: a row, and what finds it.  Only here are rows written.  The
 * same commit updates the index: it removes the old name's entries and adds
 * the new ones.
 *
 * "words:people" is a zset with entries in bytewise order (all scores are 0):
 *
 *     WORD ID            a prefix of WORD finds ID
 *     =EMAIL ID          the whole address finds ID
 *     *LIST NAME ID      ID is in the list, ordered by folded names
 */

#include "ngx_rooms_apply.h"
#include "rooms_words.h"


typedef struct {
    ngx_pool_t   *pool;
    rooms_str_t  *entries;
    ngx_uint_t    n;
    rooms_str_t   id;
} ngx_rooms_entries_t;


static void
ngx_rooms_person_entry(ngx_rooms_entries_t *e, rooms_str_t kind,
    rooms_str_t text)
{
    e->entries[e->n++] = ngx_rooms_join(e->pool, kind, text,
                                        ngx_rooms_s(" "), e->id);
}


rooms_str_t
ngx_rooms_person_email(ngx_pool_t *pool, rooms_str_t email)
{
    u_char  *p;

    p = ngx_pnalloc(pool, email.len + 1);
    if (p == NULL) {
        return ROOMS_NULL;
    }

    ngx_strlow(p, (u_char *) email.data, email.len);

    return (rooms_str_t) { email.len, p };
}


ngx_int_t
ngx_rooms_person_words(ngx_pool_t *pool, const ngx_rooms_profile_t *p,
    ngx_rooms_person_words_t *words)
{
    size_t        size;
    u_char       *start;
    ngx_uint_t    n;
    rooms_buf_t   b;

    size = ROOMS_FOLD_SIZE(p->local.len + p->name.len) + 2;

    start = ngx_pnalloc(pool, size);
    if (start == NULL) {
        return NGX_ERROR;
    }

    rooms_buf_init(&b, start, size);
    rooms_fold(&b, p->local);
    words->sort.data = b.last;
    rooms_fold(&b, p->name);

    words->sort.len = b.last - words->sort.data;
    words->text = (rooms_str_t) { b.last - start, start };

    n = rooms_words_count(words->text);

    words->words = ngx_palloc(pool, n * sizeof(rooms_str_t) + 1);
    if (words->words == NULL) {
        return NGX_ERROR;
    }

    words->n = rooms_words(words->text, words->words, n);

    return NGX_OK;
}


/* Makes all entries of a row; NGX_ERROR: out of memory. */
static ngx_int_t
ngx_rooms_person_entries(ngx_pool_t *pool, const ngx_rooms_profile_t *p,
    ngx_rooms_entries_t *e)
{
    ngx_uint_t                 i;
    rooms_str_t                sort;
    ngx_rooms_person_words_t   words;

    e->pool = pool;
    e->id = p->id;
    e->n = 0;

    if (ngx_rooms_person_words(pool, p, &words) != NGX_OK) {
        return NGX_ERROR;
    }

    e->entries = ngx_palloc(pool, (words.n + 4) * sizeof(rooms_str_t));
    if (e->entries == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < words.n; i++) {
        ngx_rooms_person_entry(e, ROOMS_NULL, words.words[i]);
    }

    if (p->email.len) {
        ngx_rooms_person_entry(e, ngx_rooms_s("="),
                               ngx_rooms_person_email(pool, p->email));
    }

    sort = rooms_word_cut(words.sort);

    if (p->server.data == NULL) {
        ngx_rooms_person_entry(e, ngx_rooms_s("*"), sort);
    }

    if (!rooms_str_eq(p->type, ngx_rooms_s("human"))) {
        ngx_rooms_person_entry(e, ngx_rooms_join(pool, ngx_rooms_s("*"),
                                                 p->type), sort);
    }

    if (p->deactivated) {
        ngx_rooms_person_entry(e, ngx_rooms_s("*deactivated"), sort);
    }

    for (i = 0; i < e->n; i++) {
        if (e->entries[i].data == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_rooms_entries_has(const ngx_rooms_entries_t *e, rooms_str_t entry)
{
    ngx_uint_t  i;

    for (i = 0; i < e->n; i++) {
        if (rooms_str_eq(e->entries[i], entry)) {
            return 1;
        }
    }

    return 0;
}


/* Writes those entries of `e` that aren't in `other`, in one command. */
static void
ngx_rooms_entries_write(ngx_rooms_commit_t *c, rooms_str_t key,
    const char *command, ngx_rooms_entries_t *e,
    const ngx_rooms_entries_t *other)
{
    ngx_uint_t    i, n;
    rooms_str_t  *argv;

    argv = ngx_palloc(c->pool, 2 * e->n * sizeof(rooms_str_t) + 1);
    if (argv == NULL) {
        c->failed = 1;
        return;
    }

    for (i = 0, n = 0; i < e->n; i++) {

        if (ngx_rooms_entries_has(other, e->entries[i])) {
            continue;
        }

        if (command[1] == 'A') {
            argv[n++] = ngx_rooms_s("0");
        }

        argv[n++] = e->entries[i];
    }

    if (n) {
        ngx_rooms_commit_command(c, 0, rooms_cstr(command), key, argv, n);
    }
}


/*
 * A request of another server may name a participant twice in one commit.
 * Then the second row replaces the first, not the one that was read.
 */
static ngx_rooms_entries_t *
ngx_rooms_person_written(ngx_rooms_commit_t *c, rooms_str_t id)
{
    ngx_uint_t            i;
    ngx_rooms_entries_t  *e;

    e = c->people ? c->people->elts : NULL;

    for (i = 0; c->people && i < c->people->nelts; i++) {
        if (rooms_str_eq(e[i].id, id)) {
            return &e[i];
        }
    }

    return NULL;
}


static ngx_int_t
ngx_rooms_person_note(ngx_rooms_commit_t *c, const ngx_rooms_entries_t *e)
{
    ngx_rooms_entries_t  *written;

    if (c->people == NULL) {
        c->people = ngx_array_create(c->pool, 1, sizeof(ngx_rooms_entries_t));
        if (c->people == NULL) {
            return NGX_ERROR;
        }
    }

    written = ngx_array_push(c->people);
    if (written == NULL) {
        return NGX_ERROR;
    }

    *written = *e;

    return NGX_OK;
}


void
ngx_rooms_apply_person(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    rooms_str_t had, const ngx_rooms_profile_t *p, int64_t now)
{
    ngx_int_t             rc;
    rooms_str_t           rows, index, row;
    ngx_rooms_entries_t   was, is, *written;
    ngx_rooms_profile_t   before;

    rows = ngx_rooms_key(keys, NGX_ROOMS_KEY_PARTICIPANTS, ROOMS_NULL);
    index = ngx_rooms_key(keys, NGX_ROOMS_KEY_WORDS, ngx_rooms_s("people"));
    row = ngx_rooms_format_profile(c->pool, p, now);

    written = ngx_rooms_person_written(c, p->id);
    ngx_memzero(&was, sizeof(ngx_rooms_entries_t));
    rc = NGX_OK;

    if (written) {
        was = *written;

    } else {
        ngx_rooms_commit_guard_field(c, rows, p->id, had);

        if (rooms_str_eq(row, had)) {
            return;
        }

        if (ngx_rooms_parse_profile(c->pool, had, p->id, &before) == NGX_OK) {
            rc = ngx_rooms_person_entries(c->pool, &before, &was);
        }
    }

    if (rc != NGX_OK
        || ngx_rooms_person_entries(c->pool, p, &is) != NGX_OK
        || (written == NULL && ngx_rooms_person_note(c, &is) != NGX_OK))
    {
        c->failed = 1;
        return;
    }

    if (written) {
        *written = is;
    }

    ngx_rooms_commit_write(c, "HSET", rows, p->id, row);
    ngx_rooms_entries_write(c, index, "ZREM", &was, &is);
    ngx_rooms_entries_write(c, index, "ZADD", &is, &was);
}


void
ngx_rooms_apply_local(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const ngx_rooms_profile_t *p, rooms_str_t owner)
{
    rooms_str_t  locals;

    locals = ngx_rooms_key(keys, NGX_ROOMS_KEY_LOCALS, ROOMS_NULL);

    ngx_rooms_commit_guard_field(c, locals, p->local,
                                 rooms_str_eq(owner, p->id) ? owner
                                                            : ROOMS_NULL);
    ngx_rooms_commit_write(c, "HSET", locals, p->local, p->id);
}


void
ngx_rooms_apply_newcomer(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys,
    const ngx_rooms_profile_t *p, rooms_str_t owner, int64_t now)
{
    ngx_rooms_apply_person(c, keys, ROOMS_NULL, p, now);
    ngx_rooms_apply_local(c, keys, p, owner);
    ngx_rooms_apply_workspace(c, keys, p->workspace, ngx_rooms_s("personal"),
                              p->name, p->id, now);
    ngx_rooms_commit_adds(c, NGX_ROOMS_QUOTA_PEOPLE, 1);
}
