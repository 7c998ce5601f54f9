/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * Text in any script: UTF-8, names, topics, aliases, and the folded words
 * that searches compare.
 */

#include "rooms_text.h"
#include <utf8proc.h>


#define ROOMS_TOPIC_MAX  1024

/* Code points of the longest decompositions: U+1F82 in NFD, U+FDFA in NFKD. */
#define ROOMS_NFD        4
#define ROOMS_NFKD       18

/* rooms_name_shape() reads at most this many code points. */
#define ROOMS_NAME_READ  512

#define ROOMS_SLUG_NUM   21               /* "-18446744073709551615" */

#define rooms_in(c, from, to)  ((c) >= (from) && (c) <= (to))


#define ROOMS_FOLD_MARKS  32              /* two of each class */

typedef enum {
    ROOMS_FOLD_NONE = 0,                  /* no part of a word */
    ROOMS_FOLD_LETTER,
    ROOMS_FOLD_ALONE,                     /* a word may begin before it */
    ROOMS_FOLD_MARK
} rooms_fold_kind_e;

typedef struct {
    rooms_buf_t        *b;
    rooms_fold_kind_e   before;           /* what is written last */
    unsigned            words;
    unsigned            done:1;           /* there are too many words */
    size_t              n;
    int32_t             marks[ROOMS_FOLD_MARKS];  /* in canonical order */
} rooms_fold_t;


static int32_t rooms_utf8_next(const unsigned char **p,
    const unsigned char *end);
static long rooms_nfc(rooms_str_t s, int32_t *buf, size_t n);
static long rooms_decompose(rooms_str_t s, int32_t *buf, size_t n,
    utf8proc_option_t options);
static void rooms_order(int32_t *marks, size_t n);
static size_t rooms_encode(const int32_t *s, size_t n, unsigned char *dst);
static const char *rooms_name_rule(rooms_str_t name);
static void rooms_trim(rooms_str_t *s);
static int rooms_is_space(int32_t c);
static int rooms_is_dropped(int32_t c);
static int rooms_is_control(int32_t c);
static int rooms_is_override(int32_t c);
static int rooms_is_seen(int32_t c);
static size_t rooms_slug_words(int32_t *s, size_t n);
static int rooms_is_letter(int32_t c);
static int rooms_is_mark(int32_t c);
static int rooms_is_latin(int32_t c);
static int32_t rooms_unstroke(int32_t c);
static int rooms_is_plain(int32_t c);
static void rooms_fold_parts(rooms_fold_t *f, int32_t c);
static void rooms_fold_put(rooms_fold_t *f, int32_t c);
static void rooms_fold_marks(rooms_fold_t *f);
static void rooms_fold_write(rooms_fold_t *f, int32_t c,
    rooms_fold_kind_e kind);
static int rooms_class(int32_t c);
static int rooms_is_accent(int32_t c, const utf8proc_property_t *p);
static rooms_fold_kind_e rooms_kind(int32_t c, const utf8proc_property_t *p);
static int rooms_is_alone(int32_t c, const utf8proc_property_t *p);


static const char  rooms_not_utf8[] = "is not valid UTF-8";
static const char  rooms_name_length[] = "must have 1 to 128 characters";


long
rooms_utf8_length(rooms_str_t s)
{
    long                  n;
    const unsigned char  *p, *end;

    if (s.len == 0) {
        return 0;
    }

    p = s.data;
    end = p + s.len;

    for (n = 0; p < end; n++) {
        if (rooms_utf8_next(&p, end) < 0) {
            return -1;
        }
    }

    return n;
}


/* The next code point, or -1 if it is invalid; *p must be before the end. */

static int32_t
rooms_utf8_next(const unsigned char **p, const unsigned char *end)
{
    int                   i, more;
    int32_t               c, least;
    const unsigned char  *s;

    s = *p;
    c = *s++;

    if (c < 0x80) {
        *p = s;
        return c;
    }

    if (c >= 0xc0 && c < 0xe0) {
        c &= 0x1f;
        more = 1;
        least = 0x80;

    } else if (c >= 0xe0 && c < 0xf0) {
        c &= 0x0f;
        more = 2;
        least = 0x800;

    } else if (c >= 0xf0 && c < 0xf8) {
        c &= 0x07;
        more = 3;
        least = 0x10000;

    } else {
        return -1;
    }

    if (end - s < more) {
        return -1;
    }

    for (i = 0; i < more; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return -1;
        }

        c = (c << 6) | (s[i] & 0x3f);
    }

    if (c < least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
        return -1;
    }

    *p = s + more;

    return c;
}


/*
 * The code points of a valid string in NFC.  Returns their number, or -1 if
 * the decomposed form doesn't fit.
 */

static long
rooms_nfc(rooms_str_t s, int32_t *buf, size_t n)
{
    long  len;

    len = rooms_decompose(s, buf, n, UTF8PROC_DECOMPOSE);

    return len < 0 ? -1
                   : utf8proc_normalize_utf32(buf, len,
                                              UTF8PROC_STABLE
                                              |UTF8PROC_COMPOSE);
}


/*
 * The decomposed code points of a string, marks in canonical order.  Returns
 * their number, or -1 if the string is invalid or they don't fit.
 * utf8proc_decompose() would read the whole string in any case, and takes
 * quadratic time for a run of marks.
 */

static long
rooms_decompose(rooms_str_t s, int32_t *buf, size_t n,
    utf8proc_option_t options)
{
    int32_t               c;
    size_t                i, len, first;
    utf8proc_ssize_t      more;
    const unsigned char  *p, *end;

    p = s.data;
    end = p + s.len;

    for (len = 0, first = 0; p < end; /* void */ ) {
        c = rooms_utf8_next(&p, end);

        if (c < 0) {
            return -1;
        }

        more = utf8proc_decompose_char(c, buf + len, n - len,
                                       UTF8PROC_STABLE|options, NULL);

        if (more < 0 || (size_t) more > n - len) {
            return -1;
        }

        for (i = 0; i < (size_t) more; i++, len++) {
            if (rooms_class(buf[len]) == 0) {
                rooms_order(&buf[first], len - first);
                first = len + 1;
            }
        }
    }

    rooms_order(&buf[first], len - first);

    return len;
}


/* Sorts marks by their classes; those of one class keep their order. */

static void
rooms_order(int32_t *marks, size_t n)
{
    int      class;
    size_t   i, low, high, middle;
    int32_t  c;

    for (i = 1; i < n; i++) {
        c = marks[i];
        class = rooms_class(c);

        if (rooms_class(marks[i - 1]) <= class) {
            continue;
        }

        low = 0;
        high = i - 1;

        while (low < high) {
            middle = (low + high) / 2;

            if (rooms_class(marks[middle]) > class) {
                high = middle;

            } else {
                low = middle + 1;
            }
        }

        memmove(&marks[low + 1], &marks[low], (i - low) * sizeof(int32_t));
        marks[low] = c;
    }
}


static size_t
rooms_encode(const int32_t *s, size_t n, unsigned char *dst)
{
    size_t  i, len;

    for (i = 0, len = 0; i < n; i++) {
        len += utf8proc_encode_char(s[i], dst + len);
    }

    return len;
}


const char *
rooms_name_check(rooms_str_t *name)
{
    if (name->data == NULL) {
        return "is required";
    }

    if (rooms_utf8_length(*name) < 0) {
        return rooms_not_utf8;
    }

    rooms_trim(name);

    return rooms_name_rule(*name);
}


const char *
rooms_name_make(rooms_str_t *name, unsigned char dst[ROOMS_NAME_SIZE])
{
    long     n;
    size_t   i;
    int32_t  text[ROOMS_NFD * ROOMS_NAME_MAX];

    for (i = 0; i < name->len && name->data[i] < 0x80; i++) { /* void */ }

    if (i == name->len) {
        return rooms_name_check(name);
    }

    if (rooms_utf8_length(*name) < 0) {
        return rooms_not_utf8;
    }

    rooms_trim(name);

    /* the limit counts code points in NFC: a longer form may still fit */

    n = rooms_nfc(*name, text, ROOMS_NFD * ROOMS_NAME_MAX);

    if (n < 0 || n > ROOMS_NAME_MAX) {
        return rooms_name_length;
    }

    name->len = rooms_encode(text, n, dst);
    name->data = dst;

    return rooms_name_rule(*name);
}


/*
 * The rules for a name that has been trimmed.  Returns what is wrong, or
 * NULL.
 */

static const char *
rooms_name_rule(rooms_str_t name)
{
    int                   seen;
    long                  length;
    int32_t               c;
    const unsigned char  *p, *end;

    length = rooms_utf8_length(name);

    if (length < 1 || length > ROOMS_NAME_MAX) {
        return rooms_name_length;
    }

    seen = 0;
    p = name.data;
    end = p + name.len;

    while (p < end) {
        c = rooms_utf8_next(&p, end);

        if (rooms_is_override(c)) {
            return "must not have bidirectional overrides";
        }

        if (rooms_is_dropped(c)) {
            return "must not have control characters";
        }

        seen |= rooms_is_seen(c);
    }

    return seen ? NULL : "must have a visible character";
}


size_t
rooms_name_shape(rooms_str_t s, unsigned char dst[ROOMS_NAME_SIZE])
{
    long                  n;
    size_t                len;
    int32_t               c, text[ROOMS_NFD * ROOMS_NAME_READ];
    rooms_str_t           name;
    unsigned char         kept[4 * ROOMS_NAME_READ];
    const unsigned char  *p, *end;

    p = s.data;
    end = p + s.len;

    for (n = 0, len = 0; p < end && n < ROOMS_NAME_READ; /* void */ ) {
        c = rooms_utf8_next(&p, end);

        if (c < 0) {
            p++;
            continue;
        }

        if (rooms_is_dropped(c) || (n == 0 && rooms_is_space(c))) {
            continue;
        }

        len += utf8proc_encode_char(c, &kept[len]);
        n++;
    }

    n = rooms_nfc((rooms_str_t) { len, kept }, text,
                  sizeof(text) / sizeof(text[0]));

    if (n <= 0) {
        return 0;
    }

    n = n < ROOMS_NAME_MAX ? n : ROOMS_NAME_MAX;
    name = (rooms_str_t) { rooms_encode(text, n, dst), dst };

    rooms_trim(&name);

    if (rooms_name_rule(name) != NULL) {
        return 0;
    }

    memmove(dst, name.data, name.len);

    return name.len;
}


int
rooms_name_drops(rooms_str_t s)
{
    const unsigned char  *p;

    p = s.data;

    return s.len > 0 && rooms_is_dropped(rooms_utf8_next(&p, p + s.len));
}


/* A topic may contain line breaks and tabs; NULL: no topic. */

const char *
rooms_topic_check(rooms_str_t *topic)
{
    long                  length;
    int32_t               c;
    const unsigned char  *p, *end;

    if (topic->data == NULL) {
        return NULL;
    }

    length = rooms_utf8_length(*topic);

    if (length < 0) {
        return rooms_not_utf8;
    }

    if (length > ROOMS_TOPIC_MAX) {
        return "must have at most 1024 characters";
    }

    p = topic->data;
    end = p + topic->len;

    while (p < end) {
        c = rooms_utf8_next(&p, end);

        if (rooms_is_control(c) && c != '\n' && c != '\r' && c != '\t') {
            return "must not have control characters";
        }
    }

    return NULL;
}


static void
rooms_trim(rooms_str_t *s)
{
    int32_t               c;
    const unsigned char  *p, *end, *first, *last;

    p = s->data;
    end = p + s->len;
    first = NULL;
    last = p;

    while (p < end) {
        const unsigned char  *at = p;

        c = rooms_utf8_next(&p, end);

        if (c < 0) {
            p++;
        }

        if (rooms_is_space(c)) {
            continue;
        }

        if (first == NULL) {
            first = at;
        }

        last = p;
    }

    if (first == NULL) {
        first = last;
    }

    s->data = first;
    s->len = last - first;
}


static int
rooms_is_space(int32_t c)
{
    switch (c) {

    case ' ':
    case 0x85:
    case 0xa0:
    case 0x1680:
    case 0x2028:
    case 0x2029:
    case 0x202f:
    case 0x205f:
    case 0x3000:
    case 0xfeff:
        return 1;

    default:
        return (c >= '\t' && c <= '\r') || (c >= 0x2000 && c <= 0x200a);
    }
}


static int
rooms_is_control(int32_t c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f);
}


/* What no name may contain. */

static int
rooms_is_dropped(int32_t c)
{
    return rooms_is_control(c) || c == 0x2028 || c == 0x2029
           || rooms_is_override(c);
}


static int
rooms_is_override(int32_t c)
{
    return rooms_in(c, 0x202a, 0x202e) || rooms_in(c, 0x2066, 0x2069);
}


/*
 * Whether a code point is visible by itself.  An unassigned one counts as
 * visible: a newer Unicode may have a character there.
 */

static int
rooms_is_seen(int32_t c)
{
    switch (c) {

    case 0x115f:                          /* Hangul fillers */
    case 0x1160:
    case 0x3164:
    case 0xffa0:
    case 0x2800:                          /* Braille pattern without dots */
    case 0x1d159:                         /* musical note without a head */
        return 0;
    }

    switch (utf8proc_category(c)) {

    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
        return 0;

    case UTF8PROC_CATEGORY_CN:
        return (c & 0xfffe) != 0xfffe && !rooms_in(c, 0xfdd0, 0xfdef)
               && c != 0x2065 && !rooms_in(c, 0xfff0, 0xfff8)
               && !rooms_in(c, 0xe0000, 0xe0fff);

    default:
        return 1;
    }
}


size_t
rooms_slug(rooms_str_t name, uint64_t n, unsigned char dst[ROOMS_SLUG_SIZE])
{
    long           count;
    size_t         len, digits;
    int32_t        text[ROOMS_NFKD * ROOMS_NAME_MAX];
    unsigned char  number[ROOMS_SLUG_NUM];

    count = rooms_decompose(name, text, sizeof(text) / sizeof(text[0]),
                            UTF8PROC_DECOMPOSE|UTF8PROC_COMPAT
                            |UTF8PROC_IGNORE);

    if (count < 0) {
        /* not UTF-8, or longer than any name */
        count = 0;
    }

    len = rooms_encode(text, rooms_slug_words(text, count), dst);

    if (len == 0) {
        memcpy(dst, "room", 4);
        len = 4;
    }

    if (n < 2) {
        return len;
    }

    dst[len++] = '-';

    for (digits = 0; n > 0; n /= 10) {
        number[digits++] = '0' + n % 10;
    }

    while (digits > 0) {
        dst[len++] = number[--digits];
    }

    return len;
}


/*
 * Makes an alias's words in place, from a decomposed name: letters and digits
 * in lower case, with single hyphens between them.  Marks are kept only after
 * letters that aren't Latin.
 */

static size_t
rooms_slug_words(int32_t *s, size_t n)
{
    int      marks;
    size_t   i, len;
    int32_t  c;

    marks = 0;

    for (i = 0, len = 0; i < n; i++) {
        c = utf8proc_tolower(s[i]);

        if (rooms_is_mark(c)) {

            if (marks) {
                s[len++] = c;
            }

        } else if (rooms_is_letter(c)) {
            marks = c >= 0x80 && !rooms_is_latin(c);
            s[len++] = rooms_unstroke(c);

        } else {
            marks = 0;

            if (len > 0 && s[len - 1] != '-') {
                s[len++] = '-';
            }
        }
    }

    len = utf8proc_normalize_utf32(s, len, UTF8PROC_STABLE|UTF8PROC_COMPOSE);

    if (len > ROOMS_SLUG_MAX) {
        len = ROOMS_SLUG_MAX;
    }

    if (len > 0 && s[len - 1] == '-') {
        len--;
    }

    return len;
}


size_t
rooms_slug_read(rooms_str_t alias, unsigned char dst[ROOMS_SLUG_SIZE])
{
    long     n;
    int32_t  text[ROOMS_NFD * (ROOMS_SLUG_MAX + ROOMS_SLUG_NUM)];

    if (rooms_utf8_length(alias) <= 0) {
        return 0;
    }

    n = rooms_nfc(alias, text, sizeof(text) / sizeof(text[0]));

    if (n <= 0 || n > ROOMS_SLUG_MAX + ROOMS_SLUG_NUM) {
        return 0;
    }

    return rooms_encode(text, n, dst);
}


static int
rooms_is_letter(int32_t c)
{
    if (c < 0x80) {
        return rooms_in(c, 'a', 'z') || rooms_in(c, '0', '9')
               || rooms_in(c, 'A', 'Z');
    }

    switch (utf8proc_category(c)) {

    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return 1;

    default:
        return 0;
    }
}


static int
rooms_is_mark(int32_t c)
{
    utf8proc_category_t  category;

    if (c < 0x300) {
        return 0;
    }

    category = utf8proc_category(c);

    return category == UTF8PROC_CATEGORY_MN
           || category == UTF8PROC_CATEGORY_MC
           || category == UTF8PROC_CATEGORY_ME;
}


static int
rooms_is_latin(int32_t c)
{
    return rooms_in(c, 'a', 'z') || rooms_in(c, 0xaa, 0x2af)
           || rooms_in(c, 0x1d00, 0x1dbf) || rooms_in(c, 0x1e00, 0x1eff)
           || rooms_in(c, 0x2c60, 0x2c7f) || rooms_in(c, 0xa722, 0xa7ff)
           || rooms_in(c, 0xab30, 0xab6f);
}


/* Strokes are accents too, but Unicode doesn't decompose them. */

static int32_t
rooms_unstroke(int32_t c)
{
    switch (c) {

    case 0x00f0:                          /* eth */
    case 0x0111:
        return 'd';

    case 0x00f8:
        return 'o';

    case 0x0127:
        return 'h';

    case 0x0131:                          /* dotless */
        return 'i';

    case 0x0142:
        return 'l';

    case 0x0167:
        return 't';

    default:
        return c;
    }
}


/*
 * Folding is NFKD of the case folding of NFD, without accents (Unicode 3.13,
 * D145).  Accents fall before case is folded: it makes a letter of the iota
 * subscript, which is one of them.
 */

void
rooms_fold(rooms_buf_t *b, rooms_str_t s)
{
    int32_t               c;
    rooms_fold_t          f;
    const unsigned char  *p, *end;

    f.b = b;
    f.before = ROOMS_FOLD_NONE;
    f.words = 0;
    f.done = 0;
    f.n = 0;

    p = s.data;
    end = p + s.len;

    while (p < end && !b->full && !f.done) {
        c = rooms_utf8_next(&p, end);

        if (c < 0) {
            p++;

        } else if (c < 0x80) {
            rooms_fold_put(&f, rooms_in(c, 'A', 'Z') ? c | 0x20 : c);

        } else if (rooms_is_plain(c)) {
            rooms_fold_put(&f, c);

        } else {
            rooms_fold_parts(&f, c);
        }
    }

    rooms_fold_marks(&f);
}


/* Whether a code point folds to itself, as most do. */

static int
rooms_is_plain(int32_t c)
{
    const utf8proc_property_t  *p;

    if (rooms_in(c, 0xac00, 0xd7a3)) {
        /* Hangul is decomposed by a rule */
        return 0;
    }

    p = utf8proc_get_property(c);

    return p->decomp_seqindex == UINT16_MAX
           && p->casefold_seqindex == UINT16_MAX && !p->ignorable;
}


static void
rooms_fold_parts(rooms_fold_t *f, int32_t c)
{
    int32_t           parts[ROOMS_NFD], folded[ROOMS_NFKD];
    utf8proc_ssize_t  i, j, n, m;

    n = utf8proc_decompose_char(c, parts, ROOMS_NFD, UTF8PROC_DECOMPOSE,
                                NULL);

    for (i = 0; i < n && n <= ROOMS_NFD; i++) {

        if (rooms_is_plain(parts[i])) {
            rooms_fold_put(f, parts[i]);
            continue;
        }

        if (rooms_is_accent(parts[i], utf8proc_get_property(parts[i]))) {
            continue;
        }

        m = utf8proc_decompose_char(parts[i], folded, ROOMS_NFKD,
                                    UTF8PROC_DECOMPOSE|UTF8PROC_COMPAT
                                    |UTF8PROC_CASEFOLD|UTF8PROC_IGNORE,
                                    NULL);

        for (j = 0; j < m && m <= ROOMS_NFKD; j++) {
            rooms_fold_put(f, folded[j]);
        }
    }
}


/*
 * Marks wait for the letter after them, since canonical order is that of their
 * classes.  Two of a class are enough for any script; more are left out, so
 * that a run of them has a bound.
 */

static void
rooms_fold_put(rooms_fold_t *f, int32_t c)
{
    int                         class;
    size_t                      i;
    const utf8proc_property_t  *p;

    p = utf8proc_get_property(c);

    if (rooms_is_accent(c, p)) {
        return;
    }

    class = p->combining_class;

    if (class == 0) {
        rooms_fold_marks(f);
        rooms_fold_write(f, c, rooms_kind(c, p));
        return;
    }

    for (i = f->n; i > 0 && rooms_class(f->marks[i - 1]) > class; i--) {
        /* void */
    }

    if (f->n == ROOMS_FOLD_MARKS
        || (i > 1 && rooms_class(f->marks[i - 2]) == class))
    {
        return;
    }

    memmove(&f->marks[i + 1], &f->marks[i], (f->n - i) * sizeof(int32_t));
    f->marks[i] = c;
    f->n++;
}


static void
rooms_fold_marks(rooms_fold_t *f)
{
    size_t  i;

    for (i = 0; i < f->n; i++) {
        rooms_fold_write(f, f->marks[i], ROOMS_FOLD_MARK);
    }

    f->n = 0;
}


/*
 * Writes a space before each word, and a tab inside a word wherever another
 * word may begin.
 */

static void
rooms_fold_write(rooms_fold_t *f, int32_t c, rooms_fold_kind_e kind)
{
    rooms_buf_t       *b;
    unsigned char      utf8[4], space;
    utf8proc_ssize_t   len;

    if (f->done || kind == ROOMS_FOLD_NONE) {
        f->before = ROOMS_FOLD_NONE;
        return;
    }

    b = f->b;
    len = utf8proc_encode_char(rooms_unstroke(c), utf8);

    if (b->full || b->end - b->last < len + 1) {
        b->full = 1;
        return;
    }

    space = f->before == ROOMS_FOLD_NONE ? ' '
            : kind == ROOMS_FOLD_ALONE
              || (kind == ROOMS_FOLD_LETTER
                  && f->before == ROOMS_FOLD_ALONE) ? '\t' : '\0';

    if (space && f->words++ == ROOMS_FOLD_WORDS) {
        f->done = 1;
        return;
    }

    if (space) {
        *b->last++ = space;
    }

    memcpy(b->last, utf8, len);
    b->last += len;

    if (kind != ROOMS_FOLD_MARK || f->before == ROOMS_FOLD_NONE) {
        f->before = kind;
    }
}


static int
rooms_class(int32_t c)
{
    return c < 0x300 ? 0 : utf8proc_get_property(c)->combining_class;
}


/*
 * Marks that readers may leave out, by their combining class: strokes,
 * accents, and vowel signs of Hebrew and Arabic.  Marks of Indic and other
 * scripts are part of the letters.
 */

static int
rooms_is_accent(int32_t c, const utf8proc_property_t *p)
{
    int  class;

    if (c < 0x300) {
        return 0;
    }

    if (c == 0x640 || p->category == UTF8PROC_CATEGORY_ME) {
        /* the Arabic tatweel, which only stretches words; enclosing marks */
        return 1;
    }

    class = p->combining_class;

    return class == 1 || rooms_in(class, 10, 36) || class >= 200;
}


static rooms_fold_kind_e
rooms_kind(int32_t c, const utf8proc_property_t *p)
{
    if (c >= 0x300 && rooms_in(p->category, UTF8PROC_CATEGORY_MN,
                               UTF8PROC_CATEGORY_ME))
    {
        return ROOMS_FOLD_MARK;
    }

    if (rooms_is_alone(c, p)) {
        return ROOMS_FOLD_ALONE;
    }

    return rooms_is_letter(c) ? ROOMS_FOLD_LETTER : ROOMS_FOLD_NONE;
}


/*
 * Scripts written without spaces between words (Chinese, Japanese, Thai, Lao,
 * Burmese, Khmer), and pictures.
 */

static int
rooms_is_alone(int32_t c, const utf8proc_property_t *p)
{
    if (c < 0xe00) {
        return c >= 0x80 && p->category == UTF8PROC_CATEGORY_SO;
    }

    return rooms_in(c, 0xe00, 0xeff) || rooms_in(c, 0x1000, 0x109f)
           || rooms_in(c, 0x1780, 0x17ff) || rooms_in(c, 0x2e80, 0x2fdf)
           || rooms_in(c, 0x3005, 0x3007) || rooms_in(c, 0x3041, 0x30ff)
           || rooms_in(c, 0x31f0, 0x31ff) || rooms_in(c, 0x3400, 0x4dbf)
           || rooms_in(c, 0x4e00, 0x9fff) || rooms_in(c, 0xf900, 0xfaff)
           || rooms_in(c, 0x1f3fb, 0x1f3ff) || rooms_in(c, 0x20000, 0x3ffff)
           || p->category == UTF8PROC_CATEGORY_SO;
}
