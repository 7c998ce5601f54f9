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

typedef struct {
    rooms_buf_t  *b;
    enum {
        ROOMS_FOLD_NONE = 0,
        ROOMS_FOLD_WORD,
        ROOMS_FOLD_ALONE
    }             before;                 /* what is written last */
    size_t        n;
    int32_t       marks[ROOMS_FOLD_MARKS];    /* in canonical order */
} rooms_fold_t;


static int32_t rooms_utf8_next(const unsigned char **p,
    const unsigned char *end);
static long rooms_nfc(rooms_str_t s, int32_t *buf, size_t n);
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
static size_t rooms_decompose(int32_t c, int32_t *dst, size_t size,
    utf8proc_option_t options);
static void rooms_fold_put(rooms_fold_t *f, int32_t c);
static void rooms_fold_marks(rooms_fold_t *f);
static void rooms_fold_write(rooms_fold_t *f, int32_t c);
static int rooms_class(int32_t c);
static int rooms_is_accent(int32_t c);
static int rooms_is_alone(int32_t c);


static const char  rooms_name_length[] =
    "must have 1 to 128 characters";


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
    utf8proc_ssize_t  len;

    len = utf8proc_decompose(s.data, s.len, buf, n,
                             UTF8PROC_STABLE|UTF8PROC_COMPOSE);

    if (len < 0 || (size_t) len > n) {
        return -1;
    }

    return utf8proc_normalize_utf32(buf, len,
                                    UTF8PROC_STABLE|UTF8PROC_COMPOSE);
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
        return "is not valid UTF-8";
    }

    rooms_trim(name);

    return rooms_name_rule(*name);
}


const char *
rooms_name_make(rooms_str_t *name, unsigned char dst[ROOMS_NAME_SIZE])
{
    long         n;
    size_t       i;
    const char  *problem;
    int32_t      text[ROOMS_NFD * ROOMS_NAME_MAX];

    problem = rooms_name_check(name);

    for (i = 0; i < name->len && name->data[i] < 0x80; i++) { /* void */ }

    if (i == name->len) {
        return problem;
    }

    n = rooms_utf8_length(*name);

    if (n <= 0) {
        return problem;
    }

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
        return "is not valid UTF-8";
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
    size_t            len, digits;
    int32_t           text[ROOMS_NFKD * ROOMS_NAME_MAX];
    unsigned char     number[ROOMS_SLUG_NUM];
    utf8proc_ssize_t  count;

    count = 0;

    if (name.len) {
        count = utf8proc_decompose(name.data, name.len, text,
                                   sizeof(text) / sizeof(text[0]),
                                   UTF8PROC_STABLE|UTF8PROC_DECOMPOSE
                                   |UTF8PROC_COMPAT|UTF8PROC_IGNORE);
    }

    if (count < 0 || (size_t) count > sizeof(text) / sizeof(text[0])) {
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
    size_t                i, j, n, m;
    int32_t               c, parts[ROOMS_NFD], folded[ROOMS_NFKD];
    rooms_fold_t          f;
    const unsigned char  *p, *end;

    f.b = b;
    f.before = ROOMS_FOLD_NONE;
    f.n = 0;

    p = s.data;
    end = p + s.len;

    while (p < end && !b->full) {
        c = rooms_utf8_next(&p, end);

        if (c < 0) {
            p++;
            continue;
        }

        if (c < 0x80) {
            rooms_fold_put(&f, rooms_in(c, 'A', 'Z') ? c | 0x20 : c);
            continue;
        }

        n = rooms_decompose(c, parts, ROOMS_NFD, UTF8PROC_DECOMPOSE);

        for (i = 0; i < n; i++) {
            if (rooms_is_accent(parts[i])) {
                continue;
            }

            m = rooms_decompose(parts[i], folded, ROOMS_NFKD,
                                UTF8PROC_DECOMPOSE|UTF8PROC_COMPAT
                                |UTF8PROC_CASEFOLD|UTF8PROC_IGNORE);

            for (j = 0; j < m; j++) {
                if (!rooms_is_accent(folded[j])) {
                    rooms_fold_put(&f, folded[j]);
                }
            }
        }
    }

    rooms_fold_marks(&f);
}


static size_t
rooms_decompose(int32_t c, int32_t *dst, size_t size,
    utf8proc_option_t options)
{
    utf8proc_ssize_t  n;

    n = utf8proc_decompose_char(c, dst, size, options, NULL);

    return n > 0 && (size_t) n <= size ? n : 0;
}


/*
 * Marks wait for the letter after them, since canonical order is that of their
 * classes.  Two of a class are enough for any script; more are left out, so
 * that a run of them has a bound.
 */

static void
rooms_fold_put(rooms_fold_t *f, int32_t c)
{
    int     class;
    size_t  i;

    class = rooms_class(c);

    if (class == 0) {
        rooms_fold_marks(f);
        rooms_fold_write(f, c);
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
        rooms_fold_write(f, f->marks[i]);
    }

    f->n = 0;
}


/*
 * Writes a space before each word, and a tab inside a word wherever another
 * word may begin.
 */

static void
rooms_fold_write(rooms_fold_t *f, int32_t c)
{
    int                alone, mark;
    rooms_buf_t       *b;
    unsigned char      utf8[4];
    utf8proc_ssize_t   len;

    mark = rooms_is_mark(c);
    alone = !mark && rooms_is_alone(c);

    if (!mark && !alone && !rooms_is_letter(c)) {
        f->before = ROOMS_FOLD_NONE;
        return;
    }

    b = f->b;
    len = utf8proc_encode_char(rooms_unstroke(c), utf8);

    if (b->full || b->end - b->last < len + 1) {
        b->full = 1;
        return;
    }

    if (f->before == ROOMS_FOLD_NONE) {
        *b->last++ = ' ';

    } else if (alone || (!mark && f->before == ROOMS_FOLD_ALONE)) {
        *b->last++ = '\t';
    }

    memcpy(b->last, utf8, len);
    b->last += len;

    if (!mark || f->before == ROOMS_FOLD_NONE) {
        f->before = alone ? ROOMS_FOLD_ALONE : ROOMS_FOLD_WORD;
    }
}


static int
rooms_class(int32_t c)
{
    return c < 0x300 ? 0 : utf8proc_get_property(c)->combining_class;
}


/*
 * Marks that readers may leave out, by their combining class: strokes,
 * accents, and vowel signs of Hebrew and Arabic.  Marks of Indic and other scripts are
 * part of the letters.
 */

static int
rooms_is_accent(int32_t c)
{
    int  class;

    if (c < 0x300) {
        return 0;
    }

    if (c == 0x640 || utf8proc_category(c) == UTF8PROC_CATEGORY_ME) {
        /* the Arabic tatweel, which only stretches words; enclosing marks */
        return 1;
    }

    class = rooms_class(c);

    return class == 1 || rooms_in(class, 10, 36) || class >= 200;
}


/*
 * Scripts written without spaces between words (Chinese, Japanese, Thai, Lao,
 * Burmese, Khmer), and pictures.
 */

static int
rooms_is_alone(int32_t c)
{
    if (c < 0xe00) {
        return c >= 0x80 && utf8proc_category(c) == UTF8PROC_CATEGORY_SO;
    }

    return rooms_in(c, 0xe00, 0xeff) || rooms_in(c, 0x1000, 0x109f)
           || rooms_in(c, 0x1780, 0x17ff) || rooms_in(c, 0x2e80, 0x2fdf)
           || rooms_in(c, 0x3005, 0x3007) || rooms_in(c, 0x3041, 0x30ff)
           || rooms_in(c, 0x31f0, 0x31ff) || rooms_in(c, 0x3400, 0x4dbf)
           || rooms_in(c, 0x4e00, 0x9fff) || rooms_in(c, 0xf900, 0xfaff)
           || rooms_in(c, 0x1f3fb, 0x1f3ff) || rooms_in(c, 0x20000, 0x3ffff)
           || utf8proc_category(c) == UTF8PROC_CATEGORY_SO;
}


int
rooms_fold_match(rooms_str_t text, rooms_str_t query)
{
    size_t                len;
    const unsigned char  *p, *end, *q, *last, *word;

    q = query.data;
    last = q + query.len;
    end = text.data + text.len;

    while (q < last) {
        word = ++q;

        while (q < last && *q != ' ') {
            q++;
        }

        len = q - word;

        for (p = text.data; p < end; p++) {

            if ((*p == ' ' || *p == '\t') && (size_t) (end - p) > len
                && memcmp(p + 1, word, len) == 0)
            {
                break;
            }
        }

        if (p >= end) {
            return 0;
        }
    }

    return 1;
}
