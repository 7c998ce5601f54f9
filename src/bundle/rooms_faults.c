/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

#include "rooms_faults.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


static void
rooms_faults_printable(char *s)
{
    for ( /* void */ ; *s; s++) {
        if (*s < 0x20 || *s > 0x7e) {
            *s = '?';
        }
    }
}


void
rooms_faults_add(rooms_faults_t *f, const char *field, const char *fmt, ...)
{
    size_t          size;
    va_list         args;
    rooms_fault_t  *list, *fault;

    f->total++;

    if (f->count == ROOMS_FAULTS_MAX) {
        return;
    }

    if (f->count == f->size) {
        size = f->size ? f->size * 2 : 16;
        list = realloc(f->list, size * sizeof(rooms_fault_t));

        if (list == NULL) {
            return;
        }

        f->list = list;
        f->size = size;
    }

    fault = &f->list[f->count++];

    snprintf(fault->field, sizeof(fault->field), "%s", field);

    va_start(args, fmt);
    vsnprintf(fault->problem, sizeof(fault->problem), fmt, args);
    va_end(args);

    rooms_faults_printable(fault->field);
    rooms_faults_printable(fault->problem);
}


void
rooms_faults_free(rooms_faults_t *f)
{
    free(f->list);
    memset(f, 0, sizeof(rooms_faults_t));
}


void
rooms_faults_zip(void *ctx, const char *err)
{
    rooms_faults_add(ctx, "file", "%s", err);
}
