/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Numbers and positions of commits.
 *
 * A lost reply.  The script identifies a commit by its number, and records
 * the position under it.  A worker that lost the reply looks there, and bars
 * the commit if it isn't there: if the script arrives later, it changes
 * nothing.  16 numbers share a hash.  When 8,192 more numbers were given, a
 * commit removes the hash; when 4,096 were, the worker doesn't ask any more.
 * A hash in which a commit may be barred stays until it expires, since that
 * commit may still be on its way, and nothing else refuses it.
 *
 * A hash expires after three minutes.  Once a minute one of its commits sets
 * this.  The worker knows that from the answer, so until an answer is here
 * each commit does it.
 *
 * A position is higher than the last one, and not below a floor that follows
 * the clock.  So a store that lost its last writes (FLUSHALL, a backup, a
 * replica that was behind) never gives out the same positions again.
 */

#include "ngx_rooms_commit_internal.h"
#include "ngx_rooms_resolve_lua.h"


#define NGX_ROOMS_POSITIONS_LEAD   30000   /* ms */

#define NGX_ROOMS_COMMIT_EXPIRE  "180"     /* s */
#define NGX_ROOMS_COMMIT_RENEW   60000     /* ms */
#define NGX_ROOMS_COMMIT_RING     4096
#define NGX_ROOMS_COMMIT_HASH       16     /* numbers in one hash, since
                                              Redis scans small hashes */
#define NGX_ROOMS_COMMIT_KEY       512     /* bytes of a remembered key */


/* The hash whose time to live this worker knows to be set, and when. */
static struct {
    u_char      key[NGX_ROOMS_COMMIT_KEY];
    size_t      len;
    ngx_msec_t  at;                    /* no clock that may be set back */
} ngx_rooms_commit_renewed;

static uint64_t  ngx_rooms_commit_numbers;

/* Hashes that aren't removed: those of the last 8,192 numbers have a place. */
#define NGX_ROOMS_COMMIT_HASHES                                               \
    (2 * NGX_ROOMS_COMMIT_RING / NGX_ROOMS_COMMIT_HASH)

static u_char  ngx_rooms_commit_bars[NGX_ROOMS_COMMIT_HASHES];

/* When this worker last expected to write to another Redis; 0: not yet. */
static ngx_msec_t  ngx_rooms_commit_began;


static u_char *
ngx_rooms_commit_bar(uint64_t number)
{
    return &ngx_rooms_commit_bars[number / NGX_ROOMS_COMMIT_HASH
                                  % NGX_ROOMS_COMMIT_HASHES];
}


/* The key of the hash that records the commit with this number. */
static rooms_str_t
ngx_rooms_commit_hash(ngx_rooms_keys_t *keys, uint64_t number)
{
    u_char           name[64], *p;
    static u_char    worker[16];
    static ngx_pid_t pid;

    if (pid != ngx_pid) {
        pid = ngx_pid;
        ngx_rooms_random_hex(worker, sizeof(worker));
    }

    p = ngx_cpymem(name, worker, sizeof(worker));
    *p++ = ':';
    p = ngx_sprintf(p, "%uL", number / NGX_ROOMS_COMMIT_HASH);

    return ngx_rooms_key(keys, NGX_ROOMS_KEY_COMMIT,
                         (rooms_str_t) { p - name, name });
}


ngx_int_t
ngx_rooms_commit_record(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys)
{
    c->number = ++ngx_rooms_commit_numbers;
    c->id = ngx_rooms_commit_hash(keys, c->number);
    c->place = ngx_rooms_number(c->pool, c->number % NGX_ROOMS_COMMIT_HASH);

    return c->id.data && c->place.data ? NGX_OK : NGX_ERROR;
}


void
ngx_rooms_commit_renew(ngx_rooms_commit_t *c, ngx_rooms_keys_t *keys)
{
    u_char  *bar;

    if (c->id.len != ngx_rooms_commit_renewed.len
        || ngx_memcmp(c->id.data, ngx_rooms_commit_renewed.key, c->id.len) != 0
        || ngx_current_msec - ngx_rooms_commit_renewed.at
           >= NGX_ROOMS_COMMIT_RENEW)
    {
        c->expires = 1;
        ngx_rooms_commit_write(c, "EXPIRE", c->id,
                               ngx_rooms_s(NGX_ROOMS_COMMIT_EXPIRE));
    }

    if (c->number % NGX_ROOMS_COMMIT_HASH == 0
        && c->number >= 2 * NGX_ROOMS_COMMIT_RING)
    {
        /* the hash of 8,192 numbers ago has the same place */

        bar = ngx_rooms_commit_bar(c->number);

        if (*bar) {
            *bar = 0;
            return;
        }

        ngx_rooms_commit_delete(c, ngx_rooms_commit_hash(keys,
                                        c->number
                                        - 2 * NGX_ROOMS_COMMIT_RING));
    }
}


ngx_int_t
ngx_rooms_commit_build_resolve(ngx_rooms_commit_t *c, ngx_rooms_batch_t *b)
{
    /* too late: its hash may be gone though its change was made */

    if (ngx_rooms_commit_numbers - c->number >= NGX_ROOMS_COMMIT_RING) {
        return NGX_DECLINED;
    }

    *ngx_rooms_commit_bar(c->number) = 1;

    return ngx_rooms_command(b, ngx_rooms_s("EVAL"),
                             ngx_rooms_s(NGX_ROOMS_RESOLVE_LUA),
                             ngx_rooms_s("1"), c->id, c->place);
}


/* The length of the first word. */
static size_t
ngx_rooms_commit_first(rooms_str_t s)
{
    u_char  *p, *last;

    last = (u_char *) s.data + s.len;
    p = ngx_strlchr((u_char *) s.data, last, ' ');

    return (p ? p : last) - s.data;
}


void
ngx_rooms_commit_took(ngx_rooms_commit_t *c, ngx_rooms_batch_t *b)
{
    off_t        ms;
    size_t       n;
    rooms_str_t  time;

    if (c->expires && c->id.len <= NGX_ROOMS_COMMIT_KEY) {
        ngx_memcpy(ngx_rooms_commit_renewed.key, c->id.data, c->id.len);
        ngx_rooms_commit_renewed.len = c->id.len;
        ngx_rooms_commit_renewed.at = ngx_current_msec;
    }

    if (b->replies[0]->type == REDIS_REPLY_ARRAY) {
        time = ngx_rooms_reply_str_at(b->replies[0], 2);

    } else {
        time = ngx_rooms_reply_str(b->replies[0]);
        n = ngx_min(ngx_rooms_commit_first(time) + 1, time.len);
        time.data += n;
        time.len -= n;
    }

    ms = time.len ? ngx_atoof((u_char *) time.data, time.len) : NGX_ERROR;

    /* an event of another server keeps its own time */

    if (ms != NGX_ERROR && c->source_id.data == NULL) {
        c->event.created_at = ms;
        c->event.origin_ts = ms / 1000;
    }
}


ngx_rooms_commit_e
ngx_rooms_commit_resolved(ngx_rooms_batch_t *b, int64_t *position)
{
    rooms_str_t  value;

    value = ngx_rooms_reply_str(b->replies[0]);

    /* a time may follow the position */

    *position = value.data ? ngx_atoof((u_char *) value.data,
                                       ngx_rooms_commit_first(value)) : 0;

    if (value.data == NULL || *position > ROOMS_POSITION_MASK) {
        return NGX_ROOMS_COMMIT_ERROR;
    }

    return *position >= 0 ? NGX_ROOMS_COMMIT_DONE : NGX_ROOMS_COMMIT_CONFLICT;
}


void
ngx_rooms_store_begins(void)
{
    ngx_rooms_commit_began = ngx_current_msec ? ngx_current_msec : 1;
}


/*
 * The lowest position that a commit may get.  A millisecond has 8 positions.
 * If more are needed, positions run ahead of the clock, until fewer are
 * needed again.  A clock that is far off moves all positions, but never
 * beyond 44 bits.
 *
 * For some seconds after a failover, workers that haven't noticed it may
 * still write to the old primary, and followers read there.  What the new
 * primary gets must come after those followers' cursors.  So for that time a
 * worker that has just connected uses positions some seconds ahead; the old
 * primary never gets that far.  A commit may wait for the new primary, and
 * proposes its position before that: so they are ahead from the moment that
 * the connection is lost, or a sentinel leads a failover.
 */
static int64_t
ngx_rooms_commit_floor(void)
{
    int64_t      ms;
    ngx_time_t  *tp;

    tp = ngx_timeofday();
    ms = (int64_t) tp->sec * 1000 + tp->msec;

    if (ngx_rooms_commit_began
        && ngx_current_msec - ngx_rooms_commit_began
           < NGX_ROOMS_POSITIONS_LEAD)
    {
        ms += NGX_ROOMS_POSITIONS_LEAD;
    }

    return rooms_position_at(ms);
}


int64_t
ngx_rooms_commit_propose(int64_t n, int64_t least)
{
    int64_t         floor;
    static int64_t  last;

    floor = ngx_max(ngx_rooms_commit_floor(), ngx_max(least, 1));

    if (n != 1) {
        return floor - 1 + n;
    }

    /*
     * This worker has proposed that position already: it sends commits faster
     * than the floor rises.  A gap does no harm, so one counter serves all
     * tenants.  It is at most ten seconds ahead of the clock, a third of the
     * lead that positions get after a failover.
     */

    if (floor <= last && last - floor < ROOMS_POSITIONS_MS * 10000) {
        floor = last + 1;
    }

    last = floor;

    return floor;
}
