/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * stream_client PORT sse|ws STREAMS PARTICIPANTS: opens streams, those of
 * p0@bench, p1@bench and so on in turn, says "open" when all have caught up,
 * and then for each line of its input, a request to send, sends it and says in
 * how many milliseconds every stream has had something.
 */

#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>


static int                 ep;
static struct sockaddr_in  server;


static double
now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec * 1000.0 + ts.tv_nsec / 1000000.0;
}


static int
dial(void)
{
    int  fd;

    fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *) &server, sizeof(server))) {
        perror("connect");
        exit(1);
    }

    return fd;
}


static void
put(int fd, const char *text, size_t len)
{
    if (write(fd, text, len) != (ssize_t) len) {
        perror("write");
        exit(1);
    }
}


/* Until so many streams have had bytes with that text in them. */
static void
await(size_t n, char *had, const char *text)
{
    int                 i, k;
    ssize_t             len;
    static char         buf[65536];
    struct epoll_event  events[256];

    while (n) {
        k = epoll_wait(ep, events, 256, 30000);

        if (k <= 0) {
            fprintf(stderr, "%zu streams have heard nothing\n", n);
            exit(1);
        }

        for (i = 0; i < k; i++) {
            len = read(events[i].data.u64 >> 32, buf, sizeof(buf) - 1);

            if (len <= 0) {
                fprintf(stderr, "a stream has ended\n");
                exit(1);
            }

            if (!had[events[i].data.u64 & 0xffffffff]
                && memmem(buf, len, text, strlen(text)))
            {
                had[events[i].data.u64 & 0xffffffff] = 1;
                n--;
            }
        }
    }
}


int
main(int argc, char **argv)
{
    int                 fd, len, ws;
    char                line[65536], answer[65536], *had;
    double              began;
    size_t              i, n;
    struct epoll_event  ev;

    if (argc != 5) {
        return 2;
    }

    server.sin_family = AF_INET;
    server.sin_port = htons(atoi(argv[1]));
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ws = strcmp(argv[2], "ws") == 0;
    n = atoi(argv[3]);
    had = calloc(n, 1);
    ep = epoll_create1(0);

    for (i = 0; i < n; i++) {
        fd = dial();
        len = snprintf(line, sizeof(line),
                       "GET %s?since=now HTTP/1.1\r\nHost: localhost\r\n"
                       "Authorization: Bearer mock:p%zu@bench\r\n%s\r\n",
                       ws ? "/v1/stream" : "/v1/sync", i % atoi(argv[4]),
                       ws ? "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                            "Sec-WebSocket-Version: 13\r\n"
                            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                          : "Accept: text/event-stream\r\n");
        put(fd, line, len);

        ev.events = EPOLLIN;
        ev.data.u64 = (uint64_t) fd << 32 | i;
        epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);

        if (i % 100 == 99) {
            /* not faster than they can be taken */
            memset(had + i - 99, 0, 100);
            await(100, had, "caught_up");
        }
    }

    if (n % 100) {
        await(n % 100, had, "caught_up");
    }

    printf("open\n");
    fflush(stdout);

    fd = dial();

    while (fgets(line, sizeof(line), stdin)) {
        len = strcspn(line, "\n");
        memset(had, 0, n);
        began = now();
        len = snprintf(answer, sizeof(answer),
                       "POST %.*s HTTP/1.1\r\nHost: localhost\r\n"
                       "Authorization: Bearer mock:p0@bench\r\n"
                       "Content-Length: 37\r\n\r\n"
                       "{\"content\":{\"body\":\"of some length\"}}",
                       len, line);
        put(fd, answer, len);
        await(n, had, "swp.room.message");
        printf("%.1f\n", now() - began);
        fflush(stdout);

        if (read(fd, answer, sizeof(answer)) <= 0) {
            return 1;
        }
    }

    return 0;
}
