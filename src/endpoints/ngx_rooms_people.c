/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Searching participants: GET /v1/directory/participants, and GET
 * /v1/admin/participants.
 *
 * The walk covers a range of the index "words:people"
 * (ngx_rooms_apply_person.c): the entries that start with a word, those of an
 * email address, or a list sorted by name.  If several ranges would do (the
 * words of a query, a type), the walk asks for their lengths and takes the
 * shortest.  It reads the rows that the entries name, and each row must match
 * the rest of the query.  So a word without entries costs one command,
 * however many participants there are.
 *
 * A participant with several words that start alike is shown only at the
 * first of them.  An entry that doesn't follow from its row is skipped: the
 * row has changed after the entry was read.
 */

#include "ngx_rooms_endpoints.h"
#include "ngx_rooms_person.h"
#include "rooms_words.h"


#define NGX_ROOMS_PEOPLE_QUERY    128      /* code points */
#define NGX_ROOMS_PEOPLE_WORDS     16      /* words of a query that are
                                              counted */
#define NGX_ROOMS_PEOPLE_LOOK     256      /* rows in one round, at most */
#define NGX_ROOMS_PEOPLE_MAX     2000      /* rows in one request */
#define NGX_ROOMS_PEOPLE_FOLD   16384      /* bytes of folded text, after which
                                              other requests run */

#define PEOPLE    NGX_ROOMS_PART_PEOPLE
#define NULLABLE  NGX_ROOMS_T_NULL


typedef struct {
    rooms_str_t           prefix;          /* of its entries */
    u_char                kind;            /* letter that marks the range in
                                              a cursor */
} ngx_rooms_people_range_t;

typedef struct {
    int64_t                    limit;
    int64_t                    offset;
    rooms_str_t                q;          /* folded */
    rooms_str_t                email;      /* the query as an address; or
                                              NULL */
    rooms_str_t                type;       /* or NULL */
    ngx_int_t                  deactivated;  /* -1: any */
    unsigned                   admin:1;
    unsigned                   federated:1;  /* also participants of other
                                                servers */

    /* the candidates; the shortest is walked, after `mail` */
    ngx_rooms_people_range_t   ranges[NGX_ROOMS_PEOPLE_WORDS + 2];
    ngx_uint_t                 nranges;
    ngx_rooms_people_range_t   mail;
    ngx_rooms_people_range_t   foreign;    /* walked after it */
    ngx_rooms_people_range_t  *range;      /* the range being walked */

    rooms_str_t                after;      /* the last entry looked at */
    ngx_uint_t                 look;       /* entries to ask for in the next
                                              round */
    ngx_uint_t                 looked;
    ngx_uint_t                 most;       /* end the page after this many */
    ngx_pool_t                *pool;       /* for comparing, freed after each
                                              round */
    redisReply                *entries;
    rooms_str_t               *ids;
    ngx_rooms_profile_t       *found;      /* matching rows of the round */
    rooms_str_t               *found_at;   /* their entries */
    ngx_uint_t                 nfound;
    ngx_uint_t                 next;       /* the row to compare next */
    size_t                     folded;     /* bytes in this turn */
    ngx_uint_t                 checked;    /* of `found`, whether they share
                                              a room */

    ngx_rooms_profile_t       *people;
    ngx_uint_t                 n;
    unsigned                   more:1;
    unsigned                   end:1;      /* of the range */
    ngx_uint_t                 at_rows;    /* an administrator's details:
                                              first reply */
} ngx_rooms_people_t;

typedef enum {
    NGX_ROOMS_PEOPLE_BEGIN = 0,
    NGX_ROOMS_PEOPLE_COUNTED,
    NGX_ROOMS_PEOPLE_ENTRIES,
    NGX_ROOMS_PEOPLE_ROWS,
    NGX_ROOMS_PEOPLE_SHARES,
    NGX_ROOMS_PEOPLE_DETAILS
} ngx_rooms_people_round_e;


static ngx_int_t ngx_rooms_people_next(ngx_rooms_req_t *rq,
    ngx_rooms_people_t *p);
static ngx_int_t ngx_rooms_people_walk(ngx_rooms_req_t *rq,
    ngx_rooms_people_t *p);
static ngx_int_t ngx_rooms_people_done(ngx_rooms_req_t *rq,
    ngx_rooms_people_t *p);


static const ngx_rooms_field_t  ngx_rooms_person_fields[] = {
    { "local_id", NGX_ROOMS_T_STRING|NULLABLE },
    { "display_name", NGX_ROOMS_T_STRING|NULLABLE },
    { "email", NGX_ROOMS_T_STRING|NULLABLE },
    { "avatar_url", NGX_ROOMS_T_STRING|NULLABLE },
    { "participant_type", NGX_ROOMS_T_STRING|NULLABLE },
    { NULL, 0 }
};


static const ngx_rooms_field_t  ngx_rooms_me_fields[] = {
    { "display_name", NGX_ROOMS_T_STRING|NULLABLE },
    { "avatar_url", NGX_ROOMS_T_STRING|NULLABLE },
    { "avatar_media_id", NGX_ROOMS_T_STRING|NULLABLE },
    { "bio", NGX_ROOMS_T_STRING|NULLABLE },
    { NULL, 0 }
};

static const ngx_rooms_field_t  ngx_rooms_preferences_fields[] = {
    { "default_mode", NGX_ROOMS_T_STRING|NULLABLE },
    { NULL, 0 }
};


static ngx_int_t
ngx_rooms_people_flag(ngx_rooms_req_t *rq, const char *name, ngx_int_t *value)
{
    ngx_int_t    rc;
    rooms_str_t  s;

    rc = ngx_rooms_arg(rq, name, &s);

    if (rc == NGX_DECLINED) {
        return NGX_OK;
    }

    if (rc == NGX_OK && rooms_str_eq(s, ngx_rooms_s("true"))) {
        *value = 1;
        return NGX_OK;
    }

    if (rc == NGX_OK && rooms_str_eq(s, ngx_rooms_s("false"))) {
        *value = 0;
        return NGX_OK;
    }

    return rc == NGX_OK ? ngx_rooms_invalid(rq, name, "must be true or false")
                        : NGX_ERROR;
}


static void
ngx_rooms_people_range(ngx_rooms_people_t *p, rooms_str_t prefix)
{
    ngx_rooms_people_range_t  *range;

    if (p->nranges == sizeof(p->ranges) / sizeof(p->ranges[0])) {
        return;
    }

    range = &p->ranges[p->nranges];
    range->prefix = prefix;
    range->kind = 'a' + p->nranges++;
}


/*
 * Splits the query into words, and takes it as an address too if it may be
 * one.
 */
static ngx_int_t
ngx_rooms_people_query(ngx_rooms_req_t *rq, ngx_rooms_people_t *p,
    rooms_str_t q)
{
    size_t        size;
    u_char       *start;
    ngx_uint_t    i;
    rooms_buf_t   b;
    rooms_str_t   rest, word;

    if (rooms_utf8_length(q) > NGX_ROOMS_PEOPLE_QUERY) {
        return ngx_rooms_invalid(rq, "q", "must be at most 128 characters");
    }

    size = ROOMS_FOLD_SIZE(NGX_ROOMS_PEOPLE_QUERY);

    start = ngx_palloc(rq->pool, size);
    if (start == NULL) {
        return NGX_ERROR;
    }

    rooms_buf_init(&b, start, size);
    rooms_fold(&b, q);

    p->q = (rooms_str_t) { b.last - start, start };
    rest = p->q;

    for (i = 0; i < NGX_ROOMS_PEOPLE_WORDS; i++) {
        word = rooms_words_next(&rest);

        if (word.data == NULL) {
            break;
        }

        ngx_rooms_people_range(p, word);
    }

    while (q.len && q.data[0] == ' ') {
        q.data++;
        q.len--;
    }

    while (q.len && q.data[q.len - 1] == ' ') {
        q.len--;
    }

    if (q.len && memchr(q.data, '@', q.len) && !memchr(q.data, ' ', q.len)) {
        p->email = ngx_rooms_person_email(rq->pool, q);
        p->mail.prefix = ngx_rooms_join(rq->pool, ngx_rooms_s("="), p->email,
                                        ngx_rooms_s(" "));
        p->mail.kind = '=';

        return p->mail.prefix.data ? NGX_OK : NGX_ERROR;
    }

    return NGX_OK;
}


/* Ranges for the filters other than words. */
static ngx_int_t
ngx_rooms_people_lists(ngx_rooms_req_t *rq, ngx_rooms_people_t *p)
{
    rooms_str_t  federated;

    federated = ngx_rooms_s("federated");

    if (p->type.data && !rooms_str_eq(p->type, ngx_rooms_s("human"))) {
        ngx_rooms_people_range(p, ngx_rooms_join(rq->pool, ngx_rooms_s("*"),
                                                 p->type, ngx_rooms_s(" ")));
    }

    if (p->deactivated == 1) {
        ngx_rooms_people_range(p, ngx_rooms_s("*deactivated "));
    }

    if (p->nranges == 0) {
        ngx_rooms_people_range(p, ngx_rooms_s("* "));

        if (p->federated && p->type.data == NULL) {
            p->foreign.prefix = ngx_rooms_s("*federated ");
            p->foreign.kind = '+';
        }
    }

    if (rooms_str_eq(p->type, federated)) {
        p->federated = 1;
    }

    return p->ranges[p->nranges - 1].prefix.data ? NGX_OK : NGX_ERROR;
}


/* Reads the range and the entry from the cursor. */
static ngx_int_t
ngx_rooms_people_resume(ngx_rooms_req_t *rq, ngx_rooms_people_t *p)
{
    u_char       kind;
    ngx_int_t    rc;
    ngx_uint_t   i;
    rooms_str_t  s;

    rc = ngx_rooms_arg_cursor(rq, "cursor", 'p', &s);

    if (rc != NGX_OK) {
        return rc == NGX_DECLINED ? NGX_OK : NGX_ERROR;
    }

    kind = s.data[0];
    s.data++;
    s.len--;

    if (kind == p->mail.kind) {
        p->range = &p->mail;

    } else if (kind == p->foreign.kind) {
        p->range = &p->foreign;
    }

    for (i = 0; i < p->nranges; i++) {
        if (kind == p->ranges[i].kind) {
            p->range = &p->ranges[i];
        }
    }

    if (p->range == NULL || s.len == 0) {
        return ngx_rooms_invalid(rq, "cursor", "is not a cursor of this list");
    }

    p->after = ngx_rooms_join(rq->pool, p->range->prefix, s);

    return p->after.data ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_rooms_people_arguments(ngx_rooms_req_t *rq, ngx_rooms_people_t *p)
{
    ngx_int_t    rc, federated;
    rooms_str_t  s;

    federated = 0;
    p->deactivated = -1;

    if (ngx_rooms_arg_int(rq, "limit", 1, 200, 50, &p->limit) != NGX_OK
        || ngx_rooms_arg_int(rq, "offset", 0, 10000, 0, &p->offset) != NGX_OK
        || (p->admin && ngx_rooms_people_flag(rq, "deactivated",
                                              &p->deactivated) != NGX_OK)
        || (!p->admin && ngx_rooms_people_flag(rq, "include_federated",
                                               &federated) != NGX_OK))
    {
        return NGX_ERROR;
    }

    p->federated = federated;
    p->most = NGX_ROOMS_PEOPLE_MAX + p->offset;
    rc = ngx_rooms_arg(rq, "type", &s);

    if (rc == NGX_OK) {
        p->type = ngx_rooms_person_type(s);

        if (p->type.data == NULL) {
            return ngx_rooms_invalid(rq, "type", "must be \"human\", "
                                     "\"model\", \"agent\", \"helper\", "
                                     "\"bridge\" or \"federated\"");
        }

    } else if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    rc = ngx_rooms_arg(rq, "q", &s);

    if (rc == NGX_ERROR
        || (rc == NGX_OK && ngx_rooms_people_query(rq, p, s) != NGX_OK)
        || ngx_rooms_people_lists(rq, p) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_people_resume(rq, p);
}


static ngx_int_t
ngx_rooms_people_begin(ngx_rooms_req_t *rq, ngx_uint_t admin)
{
    ngx_rooms_people_t  *p;

    p = ngx_pcalloc(rq->pool, sizeof(ngx_rooms_people_t));
    if (p == NULL) {
        return NGX_ERROR;
    }

    p->admin = admin;
    rq->data = p;

    if (ngx_rooms_people_arguments(rq, p) != NGX_OK) {
        return NGX_ERROR;
    }

    p->people = ngx_palloc(rq->pool, p->limit * sizeof(ngx_rooms_profile_t));
    p->ids = ngx_palloc(rq->pool, (NGX_ROOMS_PEOPLE_LOOK + 2)
                                  * sizeof(rooms_str_t));
    p->found = ngx_palloc(rq->pool, NGX_ROOMS_PEOPLE_LOOK
                                    * sizeof(ngx_rooms_profile_t));
    p->found_at = ngx_palloc(rq->pool, NGX_ROOMS_PEOPLE_LOOK
                                       * sizeof(rooms_str_t));

    if (p->people == NULL || p->ids == NULL || p->found == NULL
        || p->found_at == NULL)
    {
        return NGX_ERROR;
    }

    p->look = ngx_min((ngx_uint_t) p->limit + 1, NGX_ROOMS_PEOPLE_LOOK);

    if (p->range == NULL && p->mail.kind) {
        p->range = &p->mail;
    }

    return p->range ? ngx_rooms_people_walk(rq, p)
                    : ngx_rooms_people_next(rq, p);
}


static rooms_str_t
ngx_rooms_people_last(ngx_pool_t *pool, rooms_str_t prefix)
{
    return ngx_rooms_join(pool, ngx_rooms_s("("), prefix,
                          ngx_rooms_s("\xff"));
}


/*
 * Goes on with the next range.  If there are several candidates, asks for
 * their lengths first.
 */
static ngx_int_t
ngx_rooms_people_next(ngx_rooms_req_t *rq, ngx_rooms_people_t *p)
{
    ngx_uint_t   i;
    rooms_str_t  key;

    p->after = ROOMS_NULL;

    if (p->range == &p->foreign
        || (p->range && p->range != &p->mail && p->foreign.kind == 0))
    {
        return ngx_rooms_people_done(rq, p);
    }

    if (p->range && p->range != &p->mail) {
        p->range = &p->foreign;
        return ngx_rooms_people_walk(rq, p);
    }

    if (p->nranges == 1) {
        p->range = &p->ranges[0];
        return ngx_rooms_people_walk(rq, p);
    }

    if (ngx_rooms_batch(rq) == NULL) {
        return NGX_ERROR;
    }

    key = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_WORDS, ngx_rooms_s("people"));

    for (i = 0; i < p->nranges; i++) {
        (void) ngx_rooms_command(rq->batch, ngx_rooms_s("ZLEXCOUNT"), key,
                       ngx_rooms_join(rq->pool, ngx_rooms_s("["),
                                      p->ranges[i].prefix),
                       ngx_rooms_people_last(rq->pool, p->ranges[i].prefix));
    }

    if (rq->batch->failed) {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, NGX_ROOMS_PEOPLE_COUNTED);
}


static ngx_int_t
ngx_rooms_people_choose(ngx_rooms_req_t *rq, ngx_rooms_people_t *p)
{
    int64_t     n, least;
    ngx_uint_t  i;

    least = INT64_MAX;

    for (i = 0; i < p->nranges; i++) {
        n = ngx_rooms_reply_int(ngx_rooms_reply(rq, i), 0);

        if (n < least) {
            least = n;
            p->range = &p->ranges[i];
        }
    }

    return least ? ngx_rooms_people_walk(rq, p) : ngx_rooms_people_done(rq, p);
}


static ngx_int_t
ngx_rooms_people_walk(ngx_rooms_req_t *rq, ngx_rooms_people_t *p)
{
    rooms_str_t  from;

    from = p->after.data ? ngx_rooms_join(rq->pool, ngx_rooms_s("("), p->after)
                         : ngx_rooms_join(rq->pool, ngx_rooms_s("["),
                                          p->range->prefix);

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_ask(rq->batch, &rq->keys,
                         "ZRANGEBYLEX %k %s %s LIMIT 0 %d",
                         NGX_ROOMS_KEY_WORDS, ngx_rooms_s("people"), from,
                         ngx_rooms_people_last(rq->pool, p->range->prefix),
                         (int64_t) p->look) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_rooms_send_round(rq, NGX_ROOMS_PEOPLE_ENTRIES);
}


/* The id of an entry follows its last space. */
static rooms_str_t
ngx_rooms_people_id(rooms_str_t entry)
{
    size_t  i;

    for (i = entry.len; i > 0 && entry.data[i - 1] != ' '; i--) { /* void */ }

    return (rooms_str_t) { entry.len - i, entry.data + i };
}


static ngx_int_t
ngx_rooms_people_read(ngx_rooms_req_t *rq, ngx_rooms_people_t *p)
{
    ngx_uint_t  i, n;

    p->entries = ngx_rooms_reply(rq, 0);
    n = ngx_min(p->entries->elements, NGX_ROOMS_PEOPLE_LOOK);
    p->end = p->entries->elements < p->look;

    if (n == 0) {
        return ngx_rooms_people_next(rq, p);
    }

    p->ids[0] = ngx_rooms_s("HMGET");
    p->ids[1] = ngx_rooms_key(&rq->keys, NGX_ROOMS_KEY_PARTICIPANTS,
                              ROOMS_NULL);

    for (i = 0; i < n; i++) {
        p->ids[i + 2] = ngx_rooms_people_id(ngx_rooms_reply_str(
                                                  p->entries->element[i]));
    }

    if (ngx_rooms_batch(rq) == NULL
        || ngx_rooms_batch_add(rq->batch, p->ids, n + 2) != NGX_OK)
    {
        return NGX_ERROR;
    }

    p->next = 0;
    p->nfound = 0;
    p->checked = 0;

    return ngx_rooms_send_round(rq, NGX_ROOMS_PEOPLE_ROWS);
}


/*
 * Whether the entry follows from the row, and is the one to show the row at.
 */
static ngx_int_t
ngx_rooms_people_at(ngx_rooms_people_t *p, const ngx_rooms_profile_t *row,
    rooms_str_t entry)
{
    rooms_str_t                want, email;
    ngx_rooms_person_words_t   words;

    if (ngx_rooms_person_words(p->pool, row, &words) != NGX_OK) {
        return NGX_ERROR;
    }

    p->folded += words.text.len;
    email = ngx_rooms_person_email(p->pool, row->email);

    if (p->range == &p->mail) {
        return rooms_str_eq(email, p->email) ? NGX_OK : NGX_DECLINED;
    }

    if (p->q.len && !rooms_fold_match(words.text, p->q)) {
        return NGX_DECLINED;
    }

    if (p->email.data && rooms_str_eq(email, p->email)) {
        /* already shown in the range of the address */
        return NGX_DECLINED;
    }

    want = p->range->prefix.data[0] == '*'
           ? ngx_rooms_join(p->pool,
                            (rooms_str_t) { p->range->prefix.len - 1,
                                            p->range->prefix.data },
                            rooms_word_cut(words.sort))
           : rooms_words_first(words.words, words.n, p->range->prefix);

    want = ngx_rooms_join(p->pool, want, ngx_rooms_s(" "), row->id);

    return rooms_str_eq(want, entry) ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_rooms_people_passes(ngx_rooms_people_t *p, const ngx_rooms_profile_t *row,
    rooms_str_t entry)
{
    if ((row->server.data && !p->federated)
        || (p->type.data && !rooms_str_eq(p->type, row->type))
        || (p->deactivated >= 0
            && p->deactivated != (ngx_int_t) row->deactivated))
    {
        return NGX_DECLINED;
    }

    return ngx_rooms_people_at(p, row, entry);
}


/* Adds a match to the page.  NGX_DONE: the page is full. */
static ngx_int_t
ngx_rooms_people_take(ngx_rooms_people_t *p, ngx_uint_t i)
{
    if (p->offset > 0) {
        p->offset--;

    } else if ((int64_t) p->n == p->limit) {
        p->more = 1;
        return NGX_DONE;

    } else {
        p->people[p->n++] = p->found[i];
    }

    p->after = p->found_at[i];

    return NGX_OK;
}


/* Continues after the round, until enough rows were looked at. */
static ngx_int_t
ngx_rooms_people_on(ngx_rooms_req_t *rq, ngx_rooms_people_t *p)
{
    ngx_uint_t  n;

    n = p->entries->elements;
    p->after = ngx_rooms_reply_str(p->entries->element[n - 1]);
    p->looked += n;

    if (p->end) {
        return ngx_rooms_people_next(rq, p);
    }

    if (p->looked >= p->most) {
        p->more = 1;
        return ngx_rooms_people_done(rq, p);
    }

    p->look = ngx_min(2 * p->look, NGX_ROOMS_PEOPLE_LOOK);

    return ngx_rooms_people_walk(rq, p);
}


/*
 * Collects the matching rows of the round in p->found.  NGX_AGAIN: there are
 * more, for another turn.
 */
static ngx_int_t
ngx_rooms_people_match(ngx_rooms_req_t *rq, ngx_rooms_people_t *p)
{
    ngx_int_t             rc;
    ngx_uint_t            i;
    redisReply           *rows;
    rooms_str_t           entry, id;
    ngx_rooms_profile_t  *row;

    rows = ngx_rooms_reply(rq, 0);
    p->folded = 0;

    while (p->next < rows->elements) {

        if (p->folded >= NGX_ROOMS_PEOPLE_FOLD) {
            return NGX_AGAIN;
        }

        i = p->next++;
        entry = ngx_rooms_reply_str(p->entries->element[i]);
        id = p->ids[i + 2];
        row = &p->found[p->nfound];

        rc = ngx_rooms_parse_profile(rq->pool,
                        ngx_rooms_reply_str(rows->element[i]), id, row);

        if (rc == NGX_ERROR) {
            ngx_rooms_unreadable(rq->r->connection->log, "profile of", id);
            continue;
        }

        if (rc == NGX_OK) {
            rc = ngx_rooms_people_passes(p, row, entry);
        }

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_OK) {
            p->found_at[p->nfound++] = entry;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_rooms_people_matched(ngx_rooms_req_t *rq, ngx_rooms_people_t *p)
{
    ngx_int_t   rc;
    ngx_uint_t  i;

    rq->paused = 0;

    p->pool = ngx_create_pool(16384, rq->r->connection->log);
    if (p->pool == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_rooms_people_match(rq, p);
    ngx_destroy_pool(p->pool);

    if (rc != NGX_OK) {
        return rc == NGX_AGAIN ? ngx_rooms_pause(rq, 0) : NGX_ERROR;
    }

    if (!p->admin && rq->conf->people == NGX_ROOMS_PEOPLE_SHARED && p->nfound)
    {
        rq->round = NGX_ROOMS_PEOPLE_SHARES;
        return ngx_rooms_people_shares_ask(rq, p->found, p->nfound);
    }

    for (i = 0; i < p->nfound; i++) {
        if (ngx_rooms_people_take(p, i) == NGX_DONE) {
            return ngx_rooms_people_done(rq, p);
        }
    }

    return ngx_rooms_people_on(rq, p);
}


/*
 * The script may stop before the last participant; then ask again for the
 * rest.
 */
static ngx_int_t
ngx_rooms_people_shared(ngx_rooms_req_t *rq, ngx_rooms_people_t *p)
{
    ngx_uint_t   i;
    redisReply  *shares;

    shares = ngx_rooms_reply(rq, 0);

    if (shares->type != REDIS_REPLY_ARRAY || shares->elements == 0) {
        return NGX_ERROR;
    }

    for (i = 0; i < shares->elements && p->checked < p->nfound; i++) {

        if (ngx_rooms_reply_int(shares->element[i], 0)
            && ngx_rooms_people_take(p, p->checked) == NGX_DONE)
        {
            return ngx_rooms_people_done(rq, p);
        }

        p->checked++;
    }

    if (p->checked < p->nfound) {
        return ngx_rooms_people_shares_ask(rq, p->found + p->checked,
                                           p->nfound - p->checked);
    }

    return ngx_rooms_people_on(rq, p);
}


/* Administrators see more of each participant: reads the details. */
static ngx_int_t
ngx_rooms_people_done(ngx_rooms_req_t *rq, ngx_rooms_people_t *p)
{
    ngx_uint_t  i;

    if (!p->admin || p->n == 0) {
        return NGX_OK;
    }

    if (ngx_rooms_batch(rq) == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < p->n; i++) {
        if (ngx_rooms_person_ask(rq, p->people[i].id) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return ngx_rooms_send_round(rq, NGX_ROOMS_PEOPLE_DETAILS);
}


static ngx_int_t
ngx_rooms_people_round(ngx_rooms_req_t *rq)
{
    ngx_rooms_people_t  *p;

    p = rq->data;

    switch (rq->round) {

    case NGX_ROOMS_PEOPLE_COUNTED:
        return ngx_rooms_people_choose(rq, p);

    case NGX_ROOMS_PEOPLE_ENTRIES:
        return ngx_rooms_people_read(rq, p);

    case NGX_ROOMS_PEOPLE_ROWS:
        return ngx_rooms_people_matched(rq, p);

    case NGX_ROOMS_PEOPLE_SHARES:
        return ngx_rooms_people_shared(rq, p);

    default:
        return NGX_OK;
    }
}


static ngx_int_t
ngx_rooms_people_load(ngx_rooms_req_t *rq)
{
    if (rq->conf->people == NGX_ROOMS_PEOPLE_OFF) {
        return ngx_rooms_fail(rq, NGX_ROOMS_E_PATH, NULL);
    }

    return rq->round ? ngx_rooms_people_round(rq)
                     : ngx_rooms_people_begin(rq, 0);
}


static ngx_int_t
ngx_rooms_people_admin_load(ngx_rooms_req_t *rq)
{
    return rq->round ? ngx_rooms_people_round(rq)
                     : ngx_rooms_people_begin(rq, 1);
}


/*
 * The cursor: the range's letter, and the last entry without the range's
 * prefix.
 */
static rooms_str_t
ngx_rooms_people_cursor(ngx_rooms_req_t *rq, ngx_rooms_people_t *p)
{
    size_t       n;
    rooms_str_t  rest;

    n = p->range->prefix.len;
    rest = (rooms_str_t) { p->after.len - n, p->after.data + n };

    if (p->after.data == NULL) {
        /* sorts before all entries of the range */
        rest = ngx_rooms_s("\x01");
    }

    return ngx_rooms_cursor(rq->pool, 'p',
                            ngx_rooms_join(rq->pool,
                                    (rooms_str_t) { 1, &p->range->kind },
                                    rest));
}


static ngx_int_t
ngx_rooms_people_show(ngx_rooms_req_t *rq)
{
    ngx_uint_t            i;
    rooms_buf_t          *b;
    redisReply          **more;
    ngx_rooms_people_t   *p;
    ngx_rooms_profile_t  *row;

    p = rq->data;
    ngx_rooms_list_open(rq);

    b = ngx_rooms_out(&rq->out);

    for (i = 0; i < p->n; i++) {
        row = &p->people[i];

        rooms_json_raw(b, ",", i > 0);

        if (p->admin) {
            more = &rq->batch->replies[i * NGX_ROOMS_PERSON_COMMANDS];
            ngx_rooms_person_admin_json(rq, b, row, more[1], more[2]);

        } else {
            ngx_rooms_person_json(rq, b, row);
            rooms_json_lit(b, "}");
        }
    }

    ngx_rooms_list_close(rq, p->more, p->more ? ngx_rooms_people_cursor(rq, p)
                                              : ROOMS_NULL);

    return NGX_OK;
}


const ngx_rooms_endpoint_t  ngx_rooms_people_rows[] = {

    { .method = NGX_HTTP_GET, .path = "/v1/directory/participants",
      .part = NGX_ROOMS_PART_DIRECTORY, .flags = NGX_ROOMS_BULK,
      .op = ROOMS_OP_READ,
      .load = ngx_rooms_people_load, .show = ngx_rooms_people_show },

    { .method = NGX_HTTP_GET, .path = "/v1/participants/{participant}",
      .part = PEOPLE, .op = ROOMS_OP_READ,
      .load = ngx_rooms_person_load, .show = ngx_rooms_person_show },

    { .method = NGX_HTTP_GET, .path = "/v1/me",
      .part = PEOPLE, .flags = NGX_ROOMS_ENTERS, .op = ROOMS_OP_READ,
      .load = ngx_rooms_me_load, .show = ngx_rooms_me_show },

    { .method = NGX_HTTP_PUT, .path = "/v1/me",
      .part = PEOPLE, .flags = NGX_ROOMS_BODY|NGX_ROOMS_ENTERS,
      .op = ROOMS_OP_READ,
      .load = ngx_rooms_me_load, .decide = ngx_rooms_me_decide,
      .show = ngx_rooms_me_show, .fields = ngx_rooms_me_fields },

    { .method = NGX_HTTP_GET, .path = "/v1/me/preferences",
      .part = PEOPLE, .op = ROOMS_OP_READ,
      .load = ngx_rooms_preferences_load,
      .show = ngx_rooms_preferences_show },

    { .method = NGX_HTTP_PUT, .path = "/v1/me/preferences",
      .part = PEOPLE, .flags = NGX_ROOMS_BODY|NGX_ROOMS_ENTERS,
      .op = ROOMS_OP_READ,
      .load = ngx_rooms_preferences_load,
      .decide = ngx_rooms_preferences_decide,
      .show = ngx_rooms_preferences_show,
      .fields = ngx_rooms_preferences_fields },

    { .method = NGX_HTTP_GET, .path = "/v1/admin/participants",
      .part = PEOPLE, .flags = NGX_ROOMS_ADMIN|NGX_ROOMS_BULK,
      .op = ROOMS_OP_READ,
      .load = ngx_rooms_people_admin_load, .show = ngx_rooms_people_show },

    { .method = NGX_HTTP_PUT, .path = "/v1/admin/participants/{participant}",
      .part = PEOPLE, .flags = NGX_ROOMS_ADMIN|NGX_ROOMS_BODY,
      .op = ROOMS_OP_READ,
      .load = ngx_rooms_person_put_load,
      .decide = ngx_rooms_person_put_decide,
      .show = ngx_rooms_person_put_show, .fields = ngx_rooms_person_fields },

    { .path = NULL }
};
