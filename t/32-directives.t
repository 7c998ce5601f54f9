# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Directives: what NGINX says of a wrong one, and where; and which are right.
# Where the line of the error matters, the directives are in a file of their
# own.  What a right one does is in t/32-serve.t;
# files and locations that directives name are in t/32-files.t and
# t/32-missing.t.

use strict;
use warnings;

use Cwd ();
use Test::More ();

use lib 't/lib';
use RoomsTest;
use Test::Nginx::Socket 'no_plan';

$ENV{TEST_NGINX_DATA} = Cwd::cwd() . '/t/data';

no_root_location();
no_shuffle();
run_tests();

__DATA__

=== TEST 1: rooms is on or off
--- config: rooms maybe;
--- must_die
--- error_log: must be "on" or "off"



=== TEST 2: ... and says which
--- config: rooms;
--- must_die
--- error_log: invalid number of arguments in "rooms"



=== TEST 3: ... once
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms on;
rooms on;
--- must_die
--- error_log
"rooms" directive is duplicate
html/rooms.conf:2



=== TEST 4: ... in a location, too
--- config
        rooms_auth mock;
        location /a { rooms on; rooms off; }
--- must_die
--- error_log: "rooms" directive is duplicate



=== TEST 5: a location has one handler: rooms_status after another
--- config: location /a { rooms on; proxy_pass http://127.0.0.1; rooms_status; }
--- must_die
--- error_log: another handler



=== TEST 6: a location has one handler: rooms after another
--- config
        rooms_auth mock;
        location /a { stub_status; rooms on; }
--- must_die
--- error_log: another handler



=== TEST 7: a location has one handler: another after rooms, found at the end
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms_auth mock;
location /a {
rooms on; proxy_pass http://127.0.0.1; }
--- must_die
--- error_log
"rooms on" conflicts with another handler in location "/a" in
html/rooms.conf:3



=== TEST 8: rooms_serve names parts of the tree, and the error all of them
--- config: rooms_serve room;
--- must_die
--- error_log
"rooms_serve" directive has the invalid value "room": it takes "rooms", "directory", 
"media" in



=== TEST 9: ... each of which is one
--- config: rooms_serve rooms nothing;
--- must_die
--- error_log: invalid value "nothing": it takes "rooms"



=== TEST 10: ... at least one
--- config: rooms_serve;
--- must_die
--- error_log: invalid number of arguments in "rooms_serve"



=== TEST 11: rooms_serve is of a server
--- config: location /a { rooms_serve rooms; }
--- must_die
--- error_log: "rooms_serve" directive is not allowed here



=== TEST 12: rooms_fallback is a named location
--- config: rooms_fallback name;
--- must_die
--- error_log: must name a location, "@name"



=== TEST 13: ... of a name
--- config: rooms_fallback @;
--- must_die
--- error_log: must name a location



=== TEST 14: ... one
--- config
        rooms_fallback @a;
        rooms_fallback @b;
--- must_die
--- error_log: "rooms_fallback" directive is duplicate



=== TEST 15: rooms_status is of a location
--- config: rooms_status;
--- must_die
--- error_log: "rooms_status" directive is not allowed here



=== TEST 16: rooms_redis http://127.0.0.1: must begin with redis://
--- config: rooms_redis http://127.0.0.1;
--- must_die
--- error_log
rooms_redis
must begin with "redis://"



=== TEST 17: rooms_redis 127.0.0.1:6379: must begin with
--- config: rooms_redis 127.0.0.1:6379;
--- must_die
--- error_log
rooms_redis
must begin with



=== TEST 18: rooms_redis redis://: has no host
--- config: rooms_redis redis://;
--- must_die
--- error_log
rooms_redis
has no host



=== TEST 19: rooms_redis redis:///0: has no host
--- config: rooms_redis redis:///0;
--- must_die
--- error_log
rooms_redis
has no host



=== TEST 20: rooms_redis redis://127.0.0.1:0/0: invalid port
--- config: rooms_redis redis://127.0.0.1:0/0;
--- must_die
--- error_log
rooms_redis
invalid port



=== TEST 21: rooms_redis redis://127.0.0.1:99999/0: invalid port
--- config: rooms_redis redis://127.0.0.1:99999/0;
--- must_die
--- error_log
rooms_redis
invalid port



=== TEST 22: rooms_redis redis://127.0.0.1:x/0: invalid port
--- config: rooms_redis redis://127.0.0.1:x/0;
--- must_die
--- error_log
rooms_redis
invalid port



=== TEST 23: rooms_redis redis://127.0.0.1/x: invalid database number
--- config: rooms_redis redis://127.0.0.1/x;
--- must_die
--- error_log
rooms_redis
invalid database number



=== TEST 24: rooms_redis redis://127.0.0.1/-1: invalid database number
--- config: rooms_redis redis://127.0.0.1/-1;
--- must_die
--- error_log
rooms_redis
invalid database number



=== TEST 25: rooms_redis redis://127.0.0.1/0/1: invalid database number
--- config: rooms_redis redis://127.0.0.1/0/1;
--- must_die
--- error_log
rooms_redis
invalid database number



=== TEST 26: rooms_redis redis://user@127.0.0.1/0: user:password
--- config: rooms_redis redis://user@127.0.0.1/0;
--- must_die
--- error_log
rooms_redis
user:password



=== TEST 27: rooms_redis redis://no.such.host.invalid/0: host not found
--- config: rooms_redis redis://no.such.host.invalid/0;
--- must_die
--- error_log
rooms_redis
host not found



=== TEST 28: rooms_redis redis+unix://: absolute path
--- config: rooms_redis redis+unix://;
--- must_die
--- error_log
rooms_redis
absolute path



=== TEST 29: rooms_redis redis+unix://redis.sock: absolute path
--- config: rooms_redis redis+unix://redis.sock;
--- must_die
--- error_log
rooms_redis
absolute path



=== TEST 30: rooms_redis redis+unix:///xxx...: too long a path
--- config
        rooms_redis redis+unix:///xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx;
--- must_die
--- error_log
rooms_redis
too long a path



=== TEST 31: rooms_redis redis+unix:///a?db=x: invalid database number
--- config: rooms_redis redis+unix:///a?db=x;
--- must_die
--- error_log
rooms_redis
invalid database number



=== TEST 32: rooms_redis redis+unix:///a?x=1: no such query
--- config: rooms_redis redis+unix:///a?x=1;
--- must_die
--- error_log
rooms_redis
supports only the query



=== TEST 33: rooms_redis redis-sentinel://127.0.0.1:1: must end in /name
--- config: rooms_redis redis-sentinel://127.0.0.1:1;
--- must_die
--- error_log
rooms_redis
must end in "/name"



=== TEST 34: rooms_redis rediss:///0: a host, as without TLS
--- config: rooms_redis rediss:///0;
--- must_die
--- error_log
rooms_redis
no host



=== TEST 35: rooms_redis is one
--- config
        rooms_redis redis://127.0.0.1/0;
        rooms_redis redis://127.0.0.1/1;
--- must_die
--- error_log: "rooms_redis" directive is duplicate



=== TEST 36: rooms_redis_timeout is a time
--- config: rooms_redis_timeout soon;
--- must_die
--- error_log: invalid value in



=== TEST 37: rooms_redis_connect_timeout is no negative one
--- config: rooms_redis_connect_timeout -1s;
--- must_die
--- error_log: invalid value in



=== TEST 38: rooms_redis_wait: at least one replica
--- config: rooms_redis_wait 0;
--- must_die
--- error_log: number of replicas



=== TEST 39: rooms_redis_wait: a number
--- config: rooms_redis_wait two;
--- must_die
--- error_log: number of replicas



=== TEST 40: rooms_redis_wait: no time where it is off
--- config: rooms_redis_wait off 1s;
--- must_die
--- error_log: time after "off"



=== TEST 41: rooms_redis_wait: a time behind the number
--- config: rooms_redis_wait 1 soon;
--- must_die
--- error_log: needs a time



=== TEST 42: rooms_redis_wait is shorter than a round to the store
--- config: rooms on; rooms_auth mock; rooms_redis_wait 1 2s;
--- must_die
--- error_log: waits 2000ms, which must be less than



=== TEST 43: rooms_key_prefix is not empty
--- config: rooms_key_prefix "";
--- must_die
--- error_log: must be 1 to 64 bytes



=== TEST 44: ... has no braces
--- config: rooms_key_prefix "a{b}c";
--- must_die
--- error_log: without braces



=== TEST 45: ... and at most 64 bytes
--- config: rooms_key_prefix xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx;
--- must_die
--- error_log: must be 1 to 64 bytes



=== TEST 46: rooms_auth is one of three
--- config: rooms_auth none;
--- must_die
--- error_log: "rooms_auth" directive has the invalid value "none": it takes "jwt", "mock", "hybrid" in



=== TEST 47: rooms_import_limits has names
--- config: rooms_import_limits entry=5;
--- must_die
--- error_log
"rooms_import_limits" directive has the invalid value "entry=5": it takes "unpacked=SIZE", "entries=N", 



=== TEST 48: ... and numbers above 0
--- config: rooms_import_limits ratio=0;
--- must_die
--- error_log: invalid value "ratio=0"



=== TEST 49: rooms_auth_jwks_request is a path
--- config: rooms_auth_jwks_request keys;
--- must_die
--- error_log: must be a path



=== TEST 50: rooms_auth_leeway is a time
--- config: rooms_auth_leeway long;
--- must_die
--- error_log: invalid value in



=== TEST 51: rooms_auth_claim begins with what is claimed
--- config: rooms_auth_claim sub a;
--- must_die
--- error_log: must begin with "participant", "tenant", "name", "local" or "roles"



=== TEST 52: ... and goes on with a path
--- config: rooms_auth_claim roles;
--- must_die
--- error_log: invalid number of arguments in "rooms_auth_claim"



=== TEST 53: ... of words
--- config: rooms_auth_claim roles a "";
--- must_die
--- error_log: has an empty word



=== TEST 54: ... once for each
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms_auth_claim roles a b;
rooms_auth_claim roles c;
--- must_die
--- error_log
"rooms_auth_claim" directive is duplicate
html/rooms.conf:2



=== TEST 55: rooms_auth_admin has roles
--- config: rooms_auth_admin;
--- must_die
--- error_log: invalid number of arguments in "rooms_auth_admin"



=== TEST 56: ... that are words
--- config: rooms_auth_admin "";
--- must_die
--- error_log: has an empty word



=== TEST 57: ... once
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms_auth_admin a b;
rooms_auth_admin a;
--- must_die
--- error_log
"rooms_auth_admin" directive is duplicate
html/rooms.conf:2



=== TEST 58: rooms_tenant is a tenant id
--- config: rooms_tenant a/b;
--- must_die
--- error_log: must be 1 to 64 of



=== TEST 59: ... not an empty one
--- config: rooms_tenant "";
--- must_die
--- error_log: must be 1 to 64 of



=== TEST 60: rooms_tenants is one of two
--- config: rooms_tenants some;
--- must_die
--- error_log: "rooms_tenants" directive has the invalid value "some": it takes "open", "strict" in



=== TEST 61: rooms_server_name is a host name
--- config: rooms_server_name "a b";
--- must_die
--- error_log: must be a host name



=== TEST 62: ... not an empty one
--- config: rooms_server_name "";
--- must_die
--- error_log: must be a host name



=== TEST 63: rooms_max_participants is at least 1
--- config: rooms_max_participants 0;
--- must_die
--- error_log: must be between 1 and



=== TEST 64: ... and a number
--- config: rooms_max_participants many;
--- must_die
--- error_log: invalid number



=== TEST 65: rooms_max_rooms is a number or unlimited
--- config: rooms_max_rooms -1;
--- must_die
--- error_log: must be a number or "unlimited"



=== TEST 66: ... once
--- config
        rooms_max_rooms 1;
        rooms_max_rooms unlimited;
--- must_die
--- error_log: "rooms_max_rooms" directive is duplicate



=== TEST 67: ... in the other order
--- config
        rooms_max_rooms unlimited;
        rooms_max_rooms 1;
--- must_die
--- error_log: "rooms_max_rooms" directive is duplicate



=== TEST 68: rooms_redis_timeout is one
--- config
        rooms_redis_timeout 1s;
        rooms_redis_timeout 2s;
--- must_die
--- error_log: "rooms_redis_timeout" directive is duplicate



=== TEST 69: rooms_redis_connect_timeout is one
--- config
        rooms_redis_connect_timeout 1s;
        rooms_redis_connect_timeout 2s;
--- must_die
--- error_log: "rooms_redis_connect_timeout" directive is duplicate



=== TEST 70: rooms_auth_leeway is one
--- config
        rooms_auth_leeway 1s;
        rooms_auth_leeway 2s;
--- must_die
--- error_log: "rooms_auth_leeway" directive is duplicate



=== TEST 71: rooms_key_prefix is one
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms_key_prefix a;
rooms_key_prefix a;
--- must_die
--- error_log
"rooms_key_prefix" directive is duplicate
html/rooms.conf:2



=== TEST 72: ... and has a value
--- config: rooms_key_prefix;
--- must_die
--- error_log: invalid number of arguments in "rooms_key_prefix"



=== TEST 73: rooms_auth is one
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms_auth mock;
rooms_auth mock;
--- must_die
--- error_log
"rooms_auth" directive is duplicate
html/rooms.conf:2



=== TEST 74: ... and has a value
--- config: rooms_auth;
--- must_die
--- error_log: invalid number of arguments in "rooms_auth"



=== TEST 75: rooms_tenant is one
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms_tenant a;
rooms_tenant a;
--- must_die
--- error_log
"rooms_tenant" directive is duplicate
html/rooms.conf:2



=== TEST 76: ... and has a value
--- config: rooms_tenant;
--- must_die
--- error_log: invalid number of arguments in "rooms_tenant"



=== TEST 77: rooms_auth_issuer is one
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms_auth_issuer a;
rooms_auth_issuer a;
--- must_die
--- error_log
"rooms_auth_issuer" directive is duplicate
html/rooms.conf:2



=== TEST 78: ... and has a value
--- config: rooms_auth_issuer;
--- must_die
--- error_log: invalid number of arguments in "rooms_auth_issuer"



=== TEST 79: rooms_auth_audience is one
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms_auth_audience a;
rooms_auth_audience a;
--- must_die
--- error_log
"rooms_auth_audience" directive is duplicate
html/rooms.conf:2



=== TEST 80: ... and has a value
--- config: rooms_auth_audience;
--- must_die
--- error_log: invalid number of arguments in "rooms_auth_audience"



=== TEST 81: rooms_auth_jwks_request is one
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms_auth_jwks_request /a;
rooms_auth_jwks_request /a;
--- must_die
--- error_log
"rooms_auth_jwks_request" directive is duplicate
html/rooms.conf:2



=== TEST 82: ... and has a value
--- config: rooms_auth_jwks_request;
--- must_die
--- error_log: invalid number of arguments in "rooms_auth_jwks_request"



=== TEST 83: rooms_auth_jwks_file is one
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms_auth_jwks_file $TEST_NGINX_DATA/jwks.json;
rooms_auth_jwks_file $TEST_NGINX_DATA/jwks.json;
--- must_die
--- error_log
"rooms_auth_jwks_file" directive is duplicate
html/rooms.conf:2



=== TEST 84: ... and has a value
--- config: rooms_auth_jwks_file;
--- must_die
--- error_log: invalid number of arguments in "rooms_auth_jwks_file"



=== TEST 85: rooms_auth_secret_file is one
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms_auth_secret_file $TEST_NGINX_DATA/secret;
rooms_auth_secret_file $TEST_NGINX_DATA/secret;
--- must_die
--- error_log
"rooms_auth_secret_file" directive is duplicate
html/rooms.conf:2



=== TEST 86: ... and has a value
--- config: rooms_auth_secret_file;
--- must_die
--- error_log: invalid number of arguments in "rooms_auth_secret_file"



=== TEST 87: rooms_tenants is one
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms_tenants open;
rooms_tenants open;
--- must_die
--- error_log
"rooms_tenants" directive is duplicate
html/rooms.conf:2



=== TEST 88: ... and has a value
--- config: rooms_tenants;
--- must_die
--- error_log: invalid number of arguments in "rooms_tenants"



=== TEST 89: rooms_server_name is one
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms_server_name a;
rooms_server_name a;
--- must_die
--- error_log
"rooms_server_name" directive is duplicate
html/rooms.conf:2



=== TEST 90: ... and has a value
--- config: rooms_server_name;
--- must_die
--- error_log: invalid number of arguments in "rooms_server_name"



=== TEST 91: rooms_max_participants is one
--- config: include $TEST_NGINX_SERVER_ROOT/html/rooms.conf;
--- user_files
>>> rooms.conf
rooms_max_participants 1;
rooms_max_participants 1;
--- must_die
--- error_log
"rooms_max_participants" directive is duplicate
html/rooms.conf:2



=== TEST 92: ... and has a value
--- config: rooms_max_participants;
--- must_die
--- error_log: invalid number of arguments in "rooms_max_participants"



=== TEST 93: tokens need keys
--- config: rooms on;
--- must_die
--- error_log: rooms_auth "jwt" needs rooms_auth_jwks_file, rooms_auth_jwks_request or rooms_auth_secret_file



=== TEST 94: what is accepted: times to wait, words with blanks, many words
--- http_config
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s1;
        rooms on; rooms_auth mock; rooms_redis_wait 2 300ms;
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s2;
        rooms_auth_claim roles a b c d e f g h i j k l;
        rooms_auth_claim name "a b"; rooms_auth_admin "a b" c;
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s3;
        rooms off;
    }
--- config
        
--- request
GET /



=== TEST 95: ... every form of a store's address
--- http_config
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s1;
        rooms on; rooms_auth_secret_file $TEST_NGINX_DATA/secret;
        rooms_redis redis://127.0.0.1;
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s2;
        rooms on; rooms_auth_secret_file $TEST_NGINX_DATA/secret;
        rooms_redis redis://127.0.0.1/;
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s3;
        rooms on; rooms_auth_secret_file $TEST_NGINX_DATA/secret;
        rooms_redis redis://127.0.0.1:1/15;
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s4;
        rooms on; rooms_auth_secret_file $TEST_NGINX_DATA/secret;
        rooms_redis redis://localhost;
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s5;
        rooms on; rooms_auth_secret_file $TEST_NGINX_DATA/secret;
        rooms_redis redis://:p%40ss@127.0.0.1/1;
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s6;
        rooms on; rooms_auth_secret_file $TEST_NGINX_DATA/secret;
        rooms_redis redis://[::1]/0;
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s7;
        rooms on; rooms_auth_secret_file $TEST_NGINX_DATA/secret;
        rooms_redis redis://user:p@127.0.0.1:1/0;
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s8;
        rooms on; rooms_auth_secret_file $TEST_NGINX_DATA/secret;
        rooms_redis redis+unix:///no/such.sock;
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s9;
        rooms on; rooms_auth_secret_file $TEST_NGINX_DATA/secret;
        rooms_redis redis+unix:///a?db=3;
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s10;
        rooms on; rooms_auth_secret_file $TEST_NGINX_DATA/secret;
        rooms_redis REDIS://127.0.0.1/0;
    }
--- config
        
--- request
GET /



=== TEST 96: ... directives of http, and rooms in some locations
--- http_config
    rooms_auth mock; rooms_redis_timeout 1s; rooms_max_rooms 5;
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s1;
        location /v1/sync { rooms on; }
        location /b { rooms off; }
    }
    server {
        listen $TEST_NGINX_SERVER_PORT;
        server_name s2;
        location /v1/sync {
            if ($arg_x) { set $y 1; }
            limit_except GET { deny all; }
            rooms on;
        }
    }
--- config
        
--- request
GET /



=== TEST 97: rooms is not allowed in an "if"
--- config: location / { if ($arg_x) { rooms on; } }
--- must_die
--- error_log: "rooms" directive is not allowed here



=== TEST 98: mock warns
--- config
        rooms on; rooms_auth mock;
--- request
GET /
--- error_log
for development only



=== TEST 99: jwt does not
--- config
        rooms on; rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_auth_secret_file $TEST_NGINX_DATA/secret;
--- request
GET /
--- no_error_log
for development only
rooms_auth is



=== TEST 100: whom a participant finds is one of three
--- config: rooms_directory_participants some;
--- must_die
--- error_log: the invalid value "some": it takes "all", "shared", "off" in
