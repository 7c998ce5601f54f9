# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# make             build/ngx_rooms_module.so for the installed NGINX
# NGINX_SRC=dir make    ... for a source tree (its own binary is built too)
# make install    puts it where the installed NGINX loads modules from, and
#                 roomsctl, with its manual page, into PREFIX
# make uninstall  takes them away from there
# make picture    docs/picture.png, of the example client in a browser
# make -s federation-key    prints a new key for rooms_federation_key

BUILD       ?= build
NGINX       ?= $(shell command -v nginx || echo /usr/sbin/nginx)
PREFIX      ?= /usr/local
NGINX_DEV   ?= /usr/share/nginx/src
MODULE       = $(BUILD)/ngx_rooms_module.so
SOURCES      = $(wildcard src/*.c src/*/*.c)
HEADERS      = $(wildcard src/*.h src/*/*.h)
CLIENT       = $(wildcard web/*.js) web/app.css web/icon.svg web/index.html
CFLAGS_ROOMS = -Wall -Wextra -Werror -Wno-unused-parameter

.PHONY: all setup setup-test clean install uninstall run picture federation-key deb deb-check \
        matrix

all: $(MODULE)

include t/make/tests.mk

# what building needs, and what testing needs besides; nothing of a package's
# own is installed where an NGINX is built from its source
setup:
	@t/make/setup $(if $(NGINX_SRC),source,build)

setup-test:
	@t/make/setup test

$(MODULE): $(SOURCES) $(HEADERS) config web/status.html \
           $(wildcard src/*/*.lua) | setup
	@t/make/build $(BUILD) "$(NGINX_SRC)" "$(CFLAGS_ROOMS)"

install: $(MODULE)
	install -D -s -m 644 $(MODULE) \
	    $(DESTDIR)$$(t/make/modules-path)/ngx_rooms_module.so
	install -D -m 755 pkg/roomsctl/roomsctl $(DESTDIR)$(PREFIX)/bin/roomsctl
	install -D -m 644 pkg/roomsctl/roomsctl.8 \
	    $(DESTDIR)$(PREFIX)/share/man/man8/roomsctl.8
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/ngx-rooms \
	    $(wildcard pkg/roomsctl/*.lua)
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/ngx-rooms/web $(CLIENT)

uninstall:
	rm -f $(DESTDIR)$$(t/make/modules-path)/ngx_rooms_module.so \
	    $(DESTDIR)$(PREFIX)/bin/roomsctl \
	    $(DESTDIR)$(PREFIX)/share/man/man8/roomsctl.8
	rm -rf $(DESTDIR)$(PREFIX)/share/ngx-rooms

run: $(MODULE)
	@t/make/setup run
	@t/make/run $(MODULE)

# the scenario of the suite, and what it shows at its end
picture: $(MODULE) | setup-test
	@t/make/picture $(MODULE) docs/picture.png

federation-key:
	@openssl rand -base64 32

matrix: | setup setup-test
	@t/make/matrix $(BUILD) $(MATRIX)

deb:
	@t/make/setup build build-essential debhelper dpkg-dev fakeroot
	@t/make/deb $(BUILD)

deb-check: deb
	@t/make/setup debootstrap lintian
	@t/make/deb-check $(BUILD)

clean:
	rm -rf $(BUILD)
