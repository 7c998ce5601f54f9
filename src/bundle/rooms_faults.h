/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * The faults that a dry run of an import found: the first 1000 with field and
 * problem, as in `details` of an error, and the number of all.  Memory comes
 * from malloc(), 256 bytes for each fault; if there is none, only the number
 * grows.  Both texts are printable ASCII, whatever the bundle contains.
 */

#ifndef ROOMS_FAULTS_H
#define ROOMS_FAULTS_H

#include <stddef.h>
#include <stdint.h>


#define ROOMS_FAULTS_MAX   1000


typedef struct {
    char             field[64];       /* "events[12].sender_id" */
    char             problem[192];
} rooms_fault_t;


/* A zeroed structure is an empty list. */
typedef struct {
    rooms_fault_t   *list;
    size_t           count;           /* in the list */
    size_t           size;
    uint64_t         total;           /* found; total - count aren't listed */
} rooms_faults_t;


void rooms_faults_add(rooms_faults_t *f, const char *field, const char *fmt,
    ...) __attribute__((format(printf, 3, 4)));
void rooms_faults_free(rooms_faults_t *f);

/* A rooms_zip_fault_pt; `ctx` is a rooms_faults_t. */
void rooms_faults_zip(void *ctx, const char *err);

#endif /* ROOMS_FAULTS_H */
