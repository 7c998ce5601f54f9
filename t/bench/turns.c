/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * To be preloaded: how long an event loop works between two epoll_wait().
 * The longest turn, in microseconds of time and of CPU, is in the file
 * ROOMS_TURNS.<pid>; it counts from when that file is removed.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>


static int64_t  wall, cpu, max_wall, max_cpu;


static int64_t
us(clockid_t clock)
{
    struct timespec  t;

    clock_gettime(clock, &t);

    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}


static void
turned(void)
{
    int64_t   w, c;
    char      name[512];
    FILE     *out;

    w = us(CLOCK_MONOTONIC) - wall;
    c = us(CLOCK_THREAD_CPUTIME_ID) - cpu;

    if (getenv("ROOMS_TURNS") == NULL || wall == 0) {
        return;
    }

    snprintf(name, sizeof(name), "%s.%d", getenv("ROOMS_TURNS"),
             (int) getpid());

    if (access(name, F_OK) != 0) {
        max_wall = 0;
        max_cpu = 0;

    } else if (w <= max_wall && c <= max_cpu) {
        return;
    }

    max_wall = w > max_wall ? w : max_wall;
    max_cpu = c > max_cpu ? c : max_cpu;

    out = fopen(name, "w");

    if (out) {
        fprintf(out, "%lld %lld\n", (long long) max_wall,
                (long long) max_cpu);
        fclose(out);
    }
}


int
epoll_wait(int fd, struct epoll_event *events, int n, int timeout)
{
    int          rc;
    static int  (*real)(int, struct epoll_event *, int, int);

    if (real == NULL) {
        real = (int (*)(int, struct epoll_event *, int, int))
               dlsym(RTLD_NEXT, "epoll_wait");
    }

    turned();

    rc = real(fd, events, n, timeout);

    wall = us(CLOCK_MONOTONIC);
    cpu = us(CLOCK_THREAD_CPUTIME_ID);

    return rc;
}
