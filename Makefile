# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# make             build/ngx_rooms_module.so for the installed NGINX
# NGINX_SRC=dir make    ... for a source tree (its own binary is built too)
# make -s federation-key    prints a new key for rooms_federation_key

BUILD       ?= build
NGINX       ?= $(shell command -v nginx || echo /usr/sbin/nginx)
NGINX_DEV   ?= /usr/share/nginx/src
MODULE       = $(BUILD)/ngx_rooms_module.so
SOURCES      = $(wildcard src/*.c src/*/*.c)
HEADERS      = $(wildcard src/*.h src/*/*.h)
CFLAGS_ROOMS = -Wall -Wextra -Werror -Wno-unused-parameter

.PHONY: all setup clean install run federation-key deb deb-check \
        matrix

all: $(MODULE)

include t/make/tests.mk

setup:
	@t/make/setup

$(MODULE): $(SOURCES) $(HEADERS) config | setup
	@t/make/build $(BUILD) "$(NGINX_SRC)" "$(CFLAGS_ROOMS)"

install: $(MODULE)
	install -D -m 644 $(MODULE) \
	    $(DESTDIR)$$(t/make/modules-path)/ngx_rooms_module.so

run: $(MODULE)
	@t/make/run $(MODULE)

federation-key:
	@openssl rand -base64 32

matrix: | setup
	@t/make/matrix $(BUILD) $(MATRIX)

deb:
	@t/make/setup "build-essential debhelper dpkg-dev fakeroot libutf8proc-dev"
	@t/make/deb $(BUILD)

deb-check: deb
	@t/make/setup "debootstrap"
	@t/make/deb-check $(BUILD)

clean:
	rm -rf $(BUILD)
