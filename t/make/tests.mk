# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# make test      suites on a real NGINX and a private Redis, then unit tests
# make unit      unit tests only
# make laws      checks includes and the length of files
# make asan      suites and unit tests, under AddressSanitizer and UBSan
# make valgrind  the suites under valgrind
# make fuzz      every fuzz target, FUZZ_SECONDS each
# make chaos     faults under load, CHAOS_SECONDS each, and their figures
# make bench     the benchmark table
# make growth    what requests cost in a tenant a thousand times as large
# make plot      docs/performance.svg, of the table in BENCH_JSON

PURE         = $(wildcard src/base/*.c src/zip/*.c src/rooms/*.c src/scim/rooms_*.c src/auth/rooms_*.c src/bundle/rooms_*.c \
                          src/media/rooms_*.c src/federation/rooms_*.c src/live/rooms_*.c)
PURE_HEADERS = $(wildcard src/base/*.h src/zip/*.h src/rooms/*.h src/scim/rooms_*.h src/auth/rooms_*.h src/bundle/rooms_*.h \
                          src/media/rooms_*.h src/federation/rooms_*.h src/live/rooms_*.h)
PURE_INCS    = -Isrc/base -Isrc/zip -Isrc/rooms -Isrc/scim -Isrc/auth -Isrc/bundle -Isrc/media -Isrc/federation -Isrc/live
SANITIZE     =
PURE_CFLAGS  = -std=gnu11 -g -O2 -Wall -Wextra -Werror $(SANITIZE) $(PURE_INCS)
PURE_LIBS    = -ljansson -lsodium -lutf8proc -lcrypto -lz -lpthread

UNIT_TESTS   = $(patsubst t/unit/%.c, $(BUILD)/unit/%, \
                          $(wildcard t/unit/*_test.c))
FUZZERS      = $(patsubst t/fuzz/%.c, $(BUILD)/fuzz/%, \
                          $(filter-out %_seeds.c, $(wildcard t/fuzz/fuzz_*.c)))
FUZZ_SECONDS ?= 60
TESTS        ?= $(sort $(wildcard t/*.t t/chaos/*.t))

# these measure time and memory, which valgrind distorts
TIMED        = 16-media-disk 21-sync-races 24-import-faults 36-status-workers \
               44-fed-backfill 50-fed-topology 51-fed-under-way

.PHONY: test laws suites unit asan valgrind fuzz bench growth plot chaos

test: $(MODULE) $(UNIT_TESTS) | setup-test
	@t/make/laws
	@t/make/suites $(MODULE) $(TESTS)
	@t/make/units $(UNIT_TESTS)

laws:
	@t/make/laws

suites: $(MODULE) | setup-test
	@t/make/suites $(MODULE) $(TESTS)

chaos: $(MODULE) | setup-test
	@t/make/chaos $(MODULE) $(or $(CHAOS_SECONDS),60) \
	    $(sort $(wildcard t/chaos/*.t))

unit: $(UNIT_TESTS) | setup-test
	@t/make/units $(UNIT_TESTS)

asan: | setup setup-test
	@$(MAKE) --no-print-directory unit BUILD=$(BUILD)-asan \
	    SANITIZE="-fsanitize=address,undefined -fno-omit-frame-pointer \
	    -fno-sanitize-recover=undefined"
	@t/make/asan $(BUILD)-asan "$(NGINX_SRC)" $(TESTS)

valgrind: $(MODULE)
	@t/make/setup test valgrind
	@t/make/valgrind $(BUILD) $(MODULE) $(if $(filter file, \
	    $(origin TESTS)), $(filter-out $(TIMED:%=t/%.t), $(TESTS)), \
	    $(TESTS))

$(BUILD)/unit/%: t/unit/%.c $(wildcard t/unit/*.h) $(BUILD)/libpure.a | setup-test
	@mkdir -p $(@D)
	$(CC) $(PURE_CFLAGS) -Wno-unused-parameter -It/unit -o $@ $< \
	    $(BUILD)/libpure.a $(PURE_LIBS) -lcmocka

PURE_OBJS = $(patsubst src/%.c, $(BUILD)/pure/%.o, $(PURE))

$(BUILD)/libpure.a: $(PURE_OBJS)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/pure/%.o: src/%.c $(PURE_HEADERS) | setup
	@mkdir -p $(@D)
	$(CC) $(PURE_CFLAGS) -c -o $@ $<

fuzz:
	@t/make/setup test clang libclang-rt-dev
	@$(MAKE) --no-print-directory $(FUZZERS) $(BUILD)/fuzz_seeds
	@t/make/fuzz $(FUZZ_SECONDS) $(BUILD)/fuzz_seeds $(FUZZERS)

FUZZ_CFLAGS = -std=gnu11 -g -O1 -fsanitize=fuzzer-no-link,address,undefined \
              -fno-sanitize-recover=undefined $(PURE_INCS) -It/fuzz
FUZZ_OBJS   = $(patsubst src/%.c, $(BUILD)/fuzz/pure/%.o, $(PURE))

# compile the core once for all unit tests
$(BUILD)/fuzz/%: t/fuzz/%.c $(BUILD)/fuzz/libpure.a
	clang $(FUZZ_CFLAGS) -fsanitize=fuzzer -o $@ $< \
	    $(BUILD)/fuzz/libpure.a $(PURE_LIBS) -lwslay

$(BUILD)/fuzz/libpure.a: $(FUZZ_OBJS)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/fuzz/pure/%.o: src/%.c $(PURE_HEADERS)
	@mkdir -p $(@D)
	clang $(FUZZ_CFLAGS) -c -o $@ $<

$(BUILD)/fuzz_seeds: t/fuzz/fuzz_seeds.c $(BUILD)/libpure.a
	$(CC) $(PURE_CFLAGS) -Wno-unused-parameter -It/unit -o $@ $< \
	    $(BUILD)/libpure.a $(PURE_LIBS) -lcmocka

bench: $(MODULE) $(BUILD)/bundle_bench $(BUILD)/stream_client
	@t/make/setup test wrk
	@t/bench/bench $(MODULE)
	@t/bench/streams $(MODULE) $(BUILD)/stream_client
	@$(BUILD)/bundle_bench
	@t/bench/export $(MODULE)
	@for n in 10000 100000 1000000 1000+20000; do t/bench/import $(MODULE) $$n; done

growth: $(MODULE) | setup-test
	@t/bench/growth $(MODULE)

plot:
	@t/make/setup gnuplot-nox
	@t/bench/plot $(BENCH_JSON) docs/performance.svg

$(BUILD)/stream_client: t/bench/stream_client.c
	@mkdir -p $(@D)
	$(CC) -O2 -Wall -Wextra -Werror -o $@ $<

$(BUILD)/bundle_bench: t/bench/bundle_bench.c $(BUILD)/libpure.a
	$(CC) $(PURE_CFLAGS) -Wno-unused-parameter -It/unit -o $@ $< \
	    $(BUILD)/libpure.a $(PURE_LIBS) -lcmocka
