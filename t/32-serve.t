# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# What right directives do: which part of the tree is served, an operator's own
# locations and settings, the fallback, databases, prefixes, tenants, limits.

use strict;
use warnings;

use Test::More ();

use lib 't/lib';
use RoomsTest;
use Test::Nginx::Socket 'no_plan';

# Of each part a path, and two that are none.
our @paths = map { "GET $_" } '/v1/rooms/archived', '/v1/directory/rooms',
             '/v1/workspaces', '/v1/rooms/room-0/messages', '/v1/auth/nothing',
             '/elsewhere';

# Every server has these.
default_config('        rooms on;');

add_block_preprocessor(sub {
    my ($block) = @_;
    my $config = $block->config // default_config();

    $block->set_value(config => $config . <<'END');

        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
END
    $block->set_value(more_headers => scalar as('ada'))
        if !defined $block->more_headers && !defined $block->calls;
});

no_root_location();
no_shuffle();
run_tests();

__DATA__

=== TEST 1: the whole tree
--- request eval: [@::paths]
--- error_code eval
[200, 200, 200, 404, 404, 404]
--- response_body_like eval
['data', 'data', 'data', 'SW_ROOM_NOT_FOUND', 'SW_NOT_FOUND', '(?s)\A(?!.*SW_)']



=== TEST 2: off, none of it is there
--- config
        rooms off;
--- request eval: [@::paths]
--- error_code eval
[(404) x 6]
--- response_body_unlike eval
[('SW_') x 6]



=== TEST 3: parts of it; the rest is not ours
--- config
        rooms on;
        rooms_serve directory workspaces;
--- request eval: [@::paths]
--- error_code eval
[404, 200, 200, 404, 404, 404]
--- response_body_unlike eval
[('SW_') x 6]



=== TEST 4: ... whichever directive comes first
--- config
        rooms_serve workspaces directory;
        rooms on;
--- request eval: [@::paths]
--- error_code eval
[404, 200, 200, 404, 404, 404]
--- response_body_unlike eval
[('SW_') x 6]



=== TEST 5: ... and in more than one directive
--- config
        rooms on;
        rooms_serve directory;
        rooms_serve workspaces;
--- request eval: [@::paths]
--- error_code eval
[404, 200, 200, 404, 404, 404]
--- response_body_unlike eval
[('SW_') x 6]



=== TEST 6: a part that shares its location with another answers for both
--- config
        rooms on;
        rooms_serve messages;
--- request eval
["GET /v1/rooms/archived", "GET /v1/rooms/room-0/messages"]
--- error_code eval
[404, 404]
--- json eval
["error.code = SW_NOT_FOUND", "error.code = SW_ROOM_NOT_FOUND"]



=== TEST 7: rooms in a location serves what is in it, and nothing around it
--- config
        location /v1/rooms/ { rooms on; }
        location = /api { rooms on; rewrite ^ /v1/directory break; }
--- request eval
[@::paths, "POST /v1/rooms\n{}"]
--- error_code eval
[200, 404, 404, 404, 404, 404, 404]



=== TEST 8: a location of one's own, with its settings, behind rooms
--- config
        rooms on;
        location = /v1/rooms { rooms on; client_max_body_size 100; add_header X-Mine yes; }
--- request eval
[::sent(POST => '/v1/rooms', { room_type => 'group', name => 'a', x => 'x' x 100 }),
 ::sent(POST => '/v1/rooms', { room_type => 'group', name => 'a' }), "GET /v1/directory/rooms"]
--- error_code eval
[413, 201, 200]
--- response_headers eval
['', 'X-Mine: yes', '! X-Mine']



=== TEST 9: ... and before it
--- config
        location = /v1/rooms { rooms on; client_max_body_size 100; add_header X-Mine yes; }
        rooms on;
--- request eval
[::sent(POST => '/v1/rooms', { room_type => 'group', name => 'a', x => 'x' x 100 }),
 ::sent(POST => '/v1/rooms', { room_type => 'group', name => 'a' }), "GET /v1/directory/rooms"]
--- error_code eval
[413, 201, 200]
--- response_headers eval
['', 'X-Mine: yes', '! X-Mine']



=== TEST 10: ... which may be larger than the server's, which stay elsewhere
--- http_config
    client_max_body_size 1m;
--- config
        rooms on;
        location /v1/rooms/ { rooms on; client_max_body_size 10; }
        location = /v1/rooms { rooms on; client_max_body_size 1m; }
--- request eval
[::sent(POST => '/v1/rooms', { room_type => 'group', name => 'a' }),
 ::sent(POST => '/v1/rooms/dm', { participant_id => 'bob' })]
--- error_code eval
[201, 413]



=== TEST 11: a location of the same name that is none of ours goes first
--- config
        rooms on;
        location /v1/rooms/ { return 200 "mine"; }
--- request eval
["GET /v1/rooms/archived", "GET /v1/directory/rooms"]
--- response_body_like eval
['^mine$', '^\{"data":']



=== TEST 12: ... before rooms
--- config
        location /v1/rooms/ { return 200 "mine"; }
        rooms on;
--- request eval
["GET /v1/rooms/archived", "GET /v1/directory/rooms"]
--- response_body_like eval
['^mine$', '^\{"data":']



=== TEST 13: ... with "rooms off"
--- config
        rooms on;
        location /v1/rooms/ { rooms off; return 200 "mine"; }
--- request eval
["GET /v1/rooms/archived", "GET /v1/directory/rooms"]
--- response_body_like eval
['^mine$', '^\{"data":']



=== TEST 14: ... with a prefix that ends the search
--- config
        rooms on;
        location ^~ /v1/rooms/ { return 200 "mine"; }
--- request eval
["GET /v1/rooms/archived", "GET /v1/directory/rooms"]
--- response_body_like eval
['^mine$', '^\{"data":']



=== TEST 15: ... an exact one
--- config
        rooms on;
        location = /v1/rooms/archived { return 200 "mine"; }
--- request eval
["GET /v1/rooms/archived", "GET /v1/directory/rooms"]
--- response_body_like eval
['^mine$', '^\{"data":']



=== TEST 16: ... a regular expression
--- config
        rooms on;
        location ~ archived { return 200 "mine"; }
--- request eval
["GET /v1/rooms/archived", "GET /v1/directory/rooms"]
--- response_body_like eval
['^mine$', '^\{"data":']



=== TEST 17: a nested location
--- config
        location /v1/ {
            location /v1/rooms/ { rooms on; }
            return 418;
        }
--- request eval
["GET /v1/rooms/archived", "GET /v1/x"]
--- error_code eval
[200, 418]



=== TEST 18: conditions and limit_except of a location
--- config
        location /v1/ {
            rooms on;
            if ($arg_x) { set $y 1; }
            if ($http_x_no) { return 403; }
            limit_except GET { deny all; }
        }
--- request eval
["GET /v1/rooms/archived?x=1", "GET /v1/rooms/archived", "POST /v1/rooms\n{}"]
--- more_headers eval
[scalar ::as('ada'), ::as('ada') . "\nX-No: 1", scalar ::as('ada')]
--- error_code eval
[200, 403, 403]



=== TEST 19: what isn't ours goes to the fallback as it came, without a token, and with a body
--- config
        rooms on;
        rooms_fallback @old;
        location @old { return 299 "old $request_method $request_uri $http_authorization"; }
--- request eval
["GET /v1/rooms/a/b/c/d?x=1", "GET /v1/auth/x", "POST /v1/rooms/x/y/z/w\n" . 'x' x 200_000]
--- more_headers eval
[scalar ::as('ada'), '', '']
--- error_code eval
[299, 299, 299]
--- response_body_like eval
['^old GET /v1/rooms/a/b/c/d\?x=1 Bearer mock:ada@acme$', '^old GET /v1/auth/x $', '^old POST /v1/rooms/x/y/z/w $']



=== TEST 20: what is ours stays; so do a method and a room that are missing
--- config
        rooms on;
        rooms_fallback @old;
        location @old { return 299 "old"; }
--- request eval
["GET /v1/rooms/archived", "DELETE /v1/rooms", "GET /v1/rooms/room-0"]
--- error_code eval
[200, 405, 404]



=== TEST 21: ... whichever directive comes first
--- config
        rooms_fallback @old;
        rooms on;
        location @old { return 299 "old $request_method $request_uri $http_authorization"; }
--- request eval
["GET /v1/rooms/a/b/c/d?x=1", "GET /v1/rooms/archived", "DELETE /v1/rooms", "GET /v1/rooms/room-0",
 "POST /v1/rooms/x/y/z/w\n" . 'x' x 200_000]
--- error_code eval
[299, 200, 405, 404, 299]



=== TEST 22: in front of a backend: a path that is escaped, and a part that isn't served, are the backend's
--- http_config
    server {
        listen unix:$TEST_NGINX_SERVER_ROOT/backend.sock;
        location / { return 200 "old $request_uri"; }
    }
--- config
        rooms on;
        rooms_serve directory;
        rooms_fallback @old;
        location / { proxy_pass http://unix:$TEST_NGINX_SERVER_ROOT/backend.sock; }
        location @old { proxy_pass http://unix:$TEST_NGINX_SERVER_ROOT/backend.sock; }
--- request eval
["GET /v1/directory/rooms", "GET /v1/directory/x%2Fy", "GET /v1/rooms/archived"]
--- error_code eval
[200, 200, 200]
--- response_body_like eval
['^\{"data":', '^old /v1/directory/x%2Fy$', '^old /v1/rooms/archived$']



=== TEST 23: servers with other databases and prefixes don't know each other's participants
--- http_config
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name other;
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/1;
    }
--- config
        rooms on;
        rooms_key_prefix pre;
--- request eval
["POST /v1/auth/register", "POST /v1/auth/register", "POST /v1/rooms/dm\n" . '{"participant_id": "ada"}']
--- more_headers eval
[scalar ::as('ada'), (::as('bob') . "\nHost: other") x 2]
--- error_code eval
[200, 200, 404]
--- store
HEXISTS pre:{acme}:participants ada = 1
HEXISTS pre:{acme}:participants bob = 0
EVAL "local n = 0 for _, key in ipairs(redis.call('KEYS', '*')) do if not key:find('^sw:') and not key:find('^pre:{acme}:') then n = n + 1 end end return n" 0 = 0
HEXISTS sw:{acme}:participants bob = 0
SELECT 1 = OK
HKEYS sw:{acme}:participants = bob
SELECT 0 = OK
FLUSHALL = OK



=== TEST 24: a tenant that isn't registered is none, and nothing is written for it
--- config
        rooms on;
        rooms_tenants strict;
--- request eval
["GET /v1/rooms/archived", "POST /v1/rooms\n" . '{"room_type": "group", "name": "a"}']
--- error_code eval
[404, 404]
--- json eval
[("error.code = SW_TENANT_NOT_FOUND") x 2]
--- store
EVAL "return #redis.call('KEYS', '*{*')" 0 = 0
HSET sw:{acme}:tenant registered 1 = 1



=== TEST 25: ... until it is; another still isn't
--- config
        rooms on;
        rooms_tenants strict;
--- request eval
["GET /v1/rooms/archived", "GET /v1/rooms/archived"]
--- more_headers eval
[scalar ::as('ada'), scalar ::as('ada@globex')]
--- error_code eval
[200, 404]
--- store
FLUSHALL = OK



=== TEST 26: rooms_max_participants and rooms_max_rooms
--- config
        rooms on;
        rooms_max_participants 3;
        rooms_max_rooms 2;
--- calls
ada POST /v1/rooms {"room_type": "public", "name": "a"} -> 201
    save room: json data.id
ada POST /v1/rooms {"room_type": "group", "name": "b"} -> 201
ada POST /v1/rooms {"room_type": "group", "name": "c"} -> 409 SW_TENANT_CAPACITY



=== TEST 27: ... the third participant is the last
--- config
        rooms on;
        rooms_max_participants 3;
        rooms_max_rooms 2;
--- calls
u1 POST /v1/rooms/{{room}}/join -> 200
u2 POST /v1/rooms/{{room}}/join -> 200
u3 POST /v1/rooms/{{room}}/join -> 409
--- store
HSET sw:{acme}:tenant max_participants 4 -> limit



=== TEST 28: a limit of the tenant's own goes before: a larger one
--- config
        rooms on;
        rooms_max_participants 3;
        rooms_max_rooms 2;
--- calls
u3 POST /v1/rooms/{{room}}/join -> 200
u4 POST /v1/rooms/{{room}}/join -> 409
--- store
HSET sw:{acme}:tenant max_participants 1 -> limit



=== TEST 29: ... or a smaller one
--- config
        rooms on;
        rooms_max_participants 3;
        rooms_max_rooms 2;
--- calls
u4 POST /v1/rooms/{{room}}/join -> 409
--- store
HSET sw:{acme}:tenant max_rooms 3 -> limit



=== TEST 30: ... of rooms, too
--- config
        rooms on;
        rooms_max_participants 3;
        rooms_max_rooms 2;
--- calls
ada POST /v1/rooms {"room_type": "group", "name": "d"} -> 201
ada POST /v1/rooms {"room_type": "group", "name": "e"} -> 409 SW_TENANT_CAPACITY



=== TEST 31: a server may have no limit inside of one
--- http_config
    rooms_max_rooms 1;
--- config
        rooms on;
        rooms_max_rooms unlimited;
        rooms_key_prefix free;
--- calls
ada POST /v1/rooms {"room_type": "group", "name": "a"} -> 201
ada POST /v1/rooms {"room_type": "group", "name": "b"} -> 201
