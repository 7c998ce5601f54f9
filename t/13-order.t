# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# The order of checks: token, path and method, admin role, body, room seen,
# joined, type invariant, frozen, power, target, capacity.  Each request here
# breaks two rules, and is told of the first.

use strict;
use warnings;

use Test::More ();

use lib 't/lib';
use RoomsTest;
use Test::Nginx::Socket 'no_plan';

default_config(<<'END');
        rooms on;
        rooms_auth mock;
        rooms_server_name rooms.test;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
END

no_shuffle();
run_tests();

__DATA__

=== TEST 1: participants exist after their first request
--- calls
ann,bob,cy,dan,eve,low POST /v1/auth/register -> 200
ann POST /v1/rooms {"name":"Engineering","room_type":"group"} -> 201
    save group: json data.id
ann POST /v1/rooms {"name":"Public","room_type":"public"} -> 201
    save public: json data.id
ann POST /v1/rooms/dm {"participant_id":"bob"} -> 201
    save dm: json data.id



=== TEST 2: ... participants exist after their first request
--- calls
ann POST /v1/rooms/{{group}}/invite {"participant_id":"low"} -> 200
low POST /v1/rooms/{{group}}/join -> 200
ann POST /v1/rooms/{{group}}/invite {"participant_id":"bob"} -> 200
bob POST /v1/rooms/{{group}}/join -> 200
ann PUT /v1/rooms/{{group}}/members/bob/power-level {"power_level":50} -> 200
ann POST /v1/rooms/{{group}}/invite {"participant_id":"cy"} -> 200
ann POST /v1/rooms/{{group}}/ban {"participant_id":"eve"} -> 200



=== TEST 3: token, path and method
--- calls
- GET /v1/directory/nothing -> 401 SW_AUTH_INVALID_TOKEN
- GET /v1/directory/nothing { -> 401 SW_AUTH_INVALID_TOKEN
- GET /v1/rooms/a/b/c/d/e/f/g -> 401 SW_AUTH_INVALID_TOKEN
- GET /v1/rooms/a/b/c/d/e/f/g { -> 401 SW_AUTH_INVALID_TOKEN
- DELETE /v1/rooms -> 401 SW_AUTH_INVALID_TOKEN
- DELETE /v1/rooms { -> 401 SW_AUTH_INVALID_TOKEN
- PATCH /v1/rooms/{{group}}/name -> 401 SW_AUTH_INVALID_TOKEN
- PATCH /v1/rooms/{{group}}/name { -> 401 SW_AUTH_INVALID_TOKEN
- POST /v1/rooms/{{group}}/nothing -> 401 SW_AUTH_INVALID_TOKEN
- POST /v1/rooms/{{group}}/nothing { -> 401 SW_AUTH_INVALID_TOKEN



=== TEST 4: path and method, body
--- calls
ann POST /v1/auth/nothing { -> 404 SW_NOT_FOUND
ann POST /v1/rooms/{{group}}/nothing { -> 404 SW_NOT_FOUND
ann PUT /v1/rooms { -> 405 SW_METHOD_NOT_ALLOWED
    < Allow: POST
ann POST /v1/rooms/{{group}}/name { -> 405 SW_METHOD_NOT_ALLOWED
    < Allow: PUT
ann GET /v1/rooms/{{group}}/join { -> 405 SW_METHOD_NOT_ALLOWED
    < Allow: POST
ann POST /v1/rooms/{{group}}/messages { -> 405 SW_METHOD_NOT_ALLOWED
    < Allow: GET, HEAD
ann PUT /v1/rooms/{{group}} { -> 405 SW_METHOD_NOT_ALLOWED
    < Allow: GET, HEAD
ann PUT /v1/workspaces { -> 405 SW_METHOD_NOT_ALLOWED
    < Allow: GET, HEAD, POST



=== TEST 5: token, body
--- calls
- POST /v1/rooms/{{group}}/<invite|kick|ban|unban|send> { -> 401 SW_AUTH_INVALID_TOKEN
- PUT /v1/rooms/{{group}}/members/nobody/power-level { -> 401 SW_AUTH_INVALID_TOKEN
- PUT /v1/rooms/{{group}}/<name|topic|workspace|notification-mode|mute|read> { -> 401 SW_AUTH_INVALID_TOKEN
- POST /v1/rooms { -> 401 SW_AUTH_INVALID_TOKEN



=== TEST 6: body, seen: the fault of a body is told to whoever sends it
--- calls
dan POST /v1/rooms/<{{group}}|room-00000000000000000000000000|x>/<invite|kick|ban|unban> {"participant_id":[]} -> 400 SW_VALIDATION_FAILED participant_id
dan POST /v1/rooms/<{{group}}|room-00000000000000000000000000|x>/<invite|kick|ban|unban|send> [] -> 400 SW_VALIDATION_FAILED body
dan PUT /v1/rooms/<{{group}}|room-00000000000000000000000000|x>/members/nobody/power-level {"power_level":[]} -> 400 SW_VALIDATION_FAILED power_level
dan PUT /v1/rooms/<{{group}}|room-00000000000000000000000000|x>/members/nobody/power-level [] -> 400 SW_VALIDATION_FAILED body
dan PUT /v1/rooms/{{group}}/name {"name":<[]|"">} -> 400 SW_VALIDATION_FAILED name
dan PUT /v1/rooms/<{{group}}|room-00000000000000000000000000|x>/<name|topic|workspace|notification-mode|mute|read> [] -> 400 SW_VALIDATION_FAILED body
dan PUT /v1/rooms/<room-00000000000000000000000000|x>/name {"name":[]} -> 400 SW_VALIDATION_FAILED name
dan PUT /v1/rooms/{{group}}/topic {"topic":<[]|"{{x*1025}}">} -> 400 SW_VALIDATION_FAILED topic
dan PUT /v1/rooms/<room-00000000000000000000000000|x>/topic {"topic":[]} -> 400 SW_VALIDATION_FAILED topic
dan PUT /v1/rooms/<{{group}}|room-00000000000000000000000000|x>/workspace {"workspace_id":[]} -> 400 SW_VALIDATION_FAILED workspace_id
dan PUT /v1/rooms/{{group}}/notification-mode {"notification_mode":<[]|"x">} -> 400 SW_VALIDATION_FAILED notification_mode
dan PUT /v1/rooms/<room-00000000000000000000000000|x>/notification-mode {"notification_mode":[]} -> 400 SW_VALIDATION_FAILED notification_mode
dan PUT /v1/rooms/<{{group}}|room-00000000000000000000000000|x>/mute {"muted":[]} -> 400 SW_VALIDATION_FAILED muted
dan PUT /v1/rooms/<{{group}}|room-00000000000000000000000000|x>/read {"event_id":[]} -> 400 SW_VALIDATION_FAILED event_id
dan POST /v1/rooms/<{{group}}|room-00000000000000000000000000|x>/send {"content":[]} -> 400 SW_VALIDATION_FAILED content
dan PUT /v1/rooms/{{group}}/members/bob/power-level {"power_level":101} -> 400 SW_VALIDATION_FAILED power_level
dan POST /v1/rooms/{{group}}/send {"content":{"a":"{{x*65536}}"}} -> 413 SW_CONTENT_TOO_LARGE
dan POST /v1/rooms/{{group}}/invite {"participant_ids":[]} -> 400 SW_VALIDATION_FAILED participant_ids
dan POST /v1/rooms/{{group}}/kick {"participant_id":"bob","reason":"{{x*1025}}"} -> 400 SW_VALIDATION_FAILED reason
dan PUT /v1/rooms/{{group}}/mute {"muted_until":"x"} -> 400 SW_VALIDATION_FAILED muted_until
dan GET /v1/rooms/{{group}}/<members|messages>?limit=0 -> 400 SW_VALIDATION_FAILED limit



=== TEST 7: seen, joined: who doesn't see it is told 404 by every row, with the body that an unknown room has
--- calls
dan POST /v1/rooms/<{{group}}|room-00000000000000000000000000>/<invite|kick|ban|unban> {"participant_id":"nobody"} -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
eve POST /v1/rooms/{{group}}/<invite|kick|ban|unban> {"participant_id":"nobody"} -> 404 SW_ROOM_NOT_FOUND
dan POST /v1/rooms/{{dm}}/<invite|kick|ban|unban> {"participant_id":"nobody"} -> 404 SW_ROOM_NOT_FOUND
dan PUT /v1/rooms/<{{group}}|room-00000000000000000000000000>/members/nobody/power-level {"power_level":5} -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
eve PUT /v1/rooms/{{group}}/members/nobody/power-level {"power_level":5} -> 404 SW_ROOM_NOT_FOUND
dan PUT /v1/rooms/{{dm}}/members/nobody/power-level {"power_level":5} -> 404 SW_ROOM_NOT_FOUND
dan PUT /v1/rooms/<{{group}}|room-00000000000000000000000000>/name {"name":"x"} -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
eve PUT /v1/rooms/{{group}}/name {"name":"x"} -> 404 SW_ROOM_NOT_FOUND
dan PUT /v1/rooms/{{dm}}/name {"name":"x"} -> 404 SW_ROOM_NOT_FOUND
dan PUT /v1/rooms/<{{group}}|room-00000000000000000000000000>/topic {"topic":"x"} -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
eve PUT /v1/rooms/{{group}}/topic {"topic":"x"} -> 404 SW_ROOM_NOT_FOUND
dan PUT /v1/rooms/{{dm}}/topic {"topic":"x"} -> 404 SW_ROOM_NOT_FOUND
dan PUT /v1/rooms/<{{group}}|room-00000000000000000000000000>/workspace {"workspace_id":"ws-x"} -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
eve PUT /v1/rooms/{{group}}/workspace {"workspace_id":"ws-x"} -> 404 SW_ROOM_NOT_FOUND
dan PUT /v1/rooms/{{dm}}/workspace {"workspace_id":"ws-x"} -> 404 SW_ROOM_NOT_FOUND
dan PUT /v1/rooms/<{{group}}|room-00000000000000000000000000>/notification-mode {"notification_mode":"all"} -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
eve PUT /v1/rooms/{{group}}/notification-mode {"notification_mode":"all"} -> 404 SW_ROOM_NOT_FOUND
dan PUT /v1/rooms/{{dm}}/notification-mode {"notification_mode":"all"} -> 404 SW_ROOM_NOT_FOUND
dan PUT /v1/rooms/<{{group}}|room-00000000000000000000000000>/mute {"muted":true} -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
eve PUT /v1/rooms/{{group}}/mute {"muted":true} -> 404 SW_ROOM_NOT_FOUND
dan PUT /v1/rooms/{{dm}}/mute {"muted":true} -> 404 SW_ROOM_NOT_FOUND
dan PUT /v1/rooms/<{{group}}|room-00000000000000000000000000>/read {"event_id":"evt-x"} -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
eve PUT /v1/rooms/{{group}}/read {"event_id":"evt-x"} -> 404 SW_ROOM_NOT_FOUND
dan PUT /v1/rooms/{{dm}}/read {"event_id":"evt-x"} -> 404 SW_ROOM_NOT_FOUND
dan POST /v1/rooms/<{{group}}|room-00000000000000000000000000>/send {"content":{}} -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
eve POST /v1/rooms/{{group}}/send {"content":{}} -> 404 SW_ROOM_NOT_FOUND
dan POST /v1/rooms/{{dm}}/send {"content":{}} -> 404 SW_ROOM_NOT_FOUND
dan POST /v1/rooms/<{{group}}|room-00000000000000000000000000>/<join|leave|close|archive|rejoin> -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
eve POST /v1/rooms/{{group}}/<join|leave|close|archive|rejoin> -> 404 SW_ROOM_NOT_FOUND
dan POST /v1/rooms/{{dm}}/<join|leave|close|archive|rejoin> -> 404 SW_ROOM_NOT_FOUND
dan GET /v1/rooms/<{{group}}|room-00000000000000000000000000>/<members|messages|state> -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
eve GET /v1/rooms/{{group}}/<members|messages|state> -> 404 SW_ROOM_NOT_FOUND
dan GET /v1/rooms/{{dm}}/<members|messages|state> -> 404 SW_ROOM_NOT_FOUND



=== TEST 8: who sees it without being in it: 403, before anything else is wrong
--- calls
cy POST /v1/rooms/{{group}}/<invite|kick|ban|unban> {"participant_id":"nobody"} -> 403 SW_ROOM_FORBIDDEN
dan POST /v1/rooms/{{public}}/<invite|kick|ban|unban> {"participant_id":"nobody"} -> 403 SW_ROOM_FORBIDDEN
cy PUT /v1/rooms/{{group}}/members/nobody/power-level {"power_level":5} -> 403 SW_ROOM_FORBIDDEN
dan PUT /v1/rooms/{{public}}/members/nobody/power-level {"power_level":5} -> 403 SW_ROOM_FORBIDDEN
cy PUT /v1/rooms/{{group}}/name {"name":"x"} -> 403 SW_ROOM_FORBIDDEN
dan PUT /v1/rooms/{{public}}/name {"name":"x"} -> 403 SW_ROOM_FORBIDDEN
cy PUT /v1/rooms/{{group}}/topic {"topic":"x"} -> 403 SW_ROOM_FORBIDDEN
dan PUT /v1/rooms/{{public}}/topic {"topic":"x"} -> 403 SW_ROOM_FORBIDDEN
cy PUT /v1/rooms/{{group}}/workspace {"workspace_id":"ws-x"} -> 403 SW_ROOM_FORBIDDEN
dan PUT /v1/rooms/{{public}}/workspace {"workspace_id":"ws-x"} -> 403 SW_ROOM_FORBIDDEN
cy PUT /v1/rooms/{{group}}/notification-mode {"notification_mode":"all"} -> 403 SW_ROOM_FORBIDDEN
dan PUT /v1/rooms/{{public}}/notification-mode {"notification_mode":"all"} -> 403 SW_ROOM_FORBIDDEN
cy PUT /v1/rooms/{{group}}/mute {"muted":true} -> 403 SW_ROOM_FORBIDDEN
dan PUT /v1/rooms/{{public}}/mute {"muted":true} -> 403 SW_ROOM_FORBIDDEN
cy PUT /v1/rooms/{{group}}/read {"event_id":"evt-x"} -> 403 SW_ROOM_FORBIDDEN
dan PUT /v1/rooms/{{public}}/read {"event_id":"evt-x"} -> 403 SW_ROOM_FORBIDDEN
cy POST /v1/rooms/{{group}}/send {"content":{}} -> 403 SW_ROOM_FORBIDDEN
dan POST /v1/rooms/{{public}}/send {"content":{}} -> 403 SW_ROOM_FORBIDDEN
cy GET /v1/rooms/{{group}}/<members|messages|state> -> 403 SW_ROOM_FORBIDDEN
dan GET /v1/rooms/{{public}}/<members|messages|state> -> 403 SW_ROOM_FORBIDDEN



=== TEST 9: joined, type invariant: somebody who was invited to a DM
--- init
RoomsTest::redis('HSET', 'sw:{acme}:r:{{dm}}:members', 'cy', 'invite 0 0 0');
RoomsTest::redis('ZADD', 'sw:{acme}:r:{{dm}}:list', '0', 'cy');
RoomsTest::redis('HINCRBY', 'sw:{acme}:r:{{dm}}', 'invited', '1');
--- calls
cy POST /v1/rooms/{{dm}}/<invite|kick|ban|unban> {"participant_id":"nobody"} -> 403 SW_ROOM_FORBIDDEN
ann POST /v1/rooms/{{dm}}/<invite|kick|ban|unban> {"participant_id":"nobody"} -> 400 SW_ROOM_TYPE_INVARIANT
cy PUT /v1/rooms/{{dm}}/members/nobody/power-level {"power_level":5} -> 403 SW_ROOM_FORBIDDEN
ann PUT /v1/rooms/{{dm}}/members/nobody/power-level {"power_level":5} -> 400 SW_ROOM_TYPE_INVARIANT
cy PUT /v1/rooms/{{dm}}/name {"name":"x"} -> 403 SW_ROOM_FORBIDDEN
ann PUT /v1/rooms/{{dm}}/name {"name":"x"} -> 400 SW_ROOM_TYPE_INVARIANT
cy PUT /v1/rooms/{{dm}}/workspace {"workspace_id":"ws-x"} -> 403 SW_ROOM_FORBIDDEN
ann PUT /v1/rooms/{{dm}}/workspace {"workspace_id":"ws-x"} -> 400 SW_ROOM_TYPE_INVARIANT



=== TEST 10: type invariant, frozen
--- calls
ann POST /v1/rooms/{{dm}}/archive -> 200
ann POST /v1/rooms/{{dm}}/<invite|kick|ban|unban> {"participant_id":"nobody"} -> 400 SW_ROOM_TYPE_INVARIANT
ann PUT /v1/rooms/{{dm}}/members/nobody/power-level {"power_level":5} -> 400 SW_ROOM_TYPE_INVARIANT
ann PUT /v1/rooms/{{dm}}/name {"name":"x"} -> 400 SW_ROOM_TYPE_INVARIANT
ann PUT /v1/rooms/{{dm}}/workspace {"workspace_id":"ws-x"} -> 400 SW_ROOM_TYPE_INVARIANT
ann POST /v1/rooms/{{dm}}/<join|leave> -> 400 SW_ROOM_TYPE_INVARIANT



=== TEST 11: an emptied incognito room is seen by who left it last, and is frozen
--- calls
ann POST /v1/rooms {"close_on_leave":false,"room_type":"incognito"} -> 201
    save secret: json data.id



=== TEST 12: ... an emptied incognito room is seen by who left it last, and is frozen
--- calls
ann POST /v1/rooms/{{secret}}/leave -> 200
ann GET /v1/rooms/{{secret}} -> 200
ann POST /v1/rooms/{{secret}}/join -> 400 SW_ROOM_TYPE_INVARIANT



=== TEST 13: a room that gets frozen
--- calls
ann POST /v1/rooms {"name":"Engineering","room_type":"group"} -> 201
    save room: json data.id



=== TEST 14: ... with members
--- calls
ann POST /v1/rooms/{{room}}/invite {"participant_id":"low"} -> 200
low POST /v1/rooms/{{room}}/join -> 200
ann POST /v1/rooms/{{room}}/invite {"participant_id":"cy"} -> 200
ann POST /v1/rooms/{{room}}/archive -> 200



=== TEST 15: joined, frozen
--- calls
cy POST /v1/rooms/{{room}}/<invite|kick|ban|unban> {"participant_id":"nobody"} -> 403 SW_ROOM_FORBIDDEN
cy PUT /v1/rooms/{{room}}/members/nobody/power-level {"power_level":5} -> 403 SW_ROOM_FORBIDDEN
cy PUT /v1/rooms/{{room}}/name {"name":"x"} -> 403 SW_ROOM_FORBIDDEN
cy PUT /v1/rooms/{{room}}/topic {"topic":"x"} -> 403 SW_ROOM_FORBIDDEN
cy PUT /v1/rooms/{{room}}/workspace {"workspace_id":"ws-x"} -> 403 SW_ROOM_FORBIDDEN
cy POST /v1/rooms/{{room}}/send {"content":{}} -> 403 SW_ROOM_FORBIDDEN



=== TEST 16: frozen, power; and frozen, target
--- calls
low,ann POST /v1/rooms/{{room}}/<invite|kick|ban|unban> {"participant_id":"nobody"} -> 409 SW_ROOM_FROZEN
low,ann PUT /v1/rooms/{{room}}/members/nobody/power-level {"power_level":5} -> 409 SW_ROOM_FROZEN
low,ann PUT /v1/rooms/{{room}}/name {"name":"x"} -> 409 SW_ROOM_FROZEN
low,ann PUT /v1/rooms/{{room}}/topic {"topic":"x"} -> 409 SW_ROOM_FROZEN
low,ann PUT /v1/rooms/{{room}}/workspace {"workspace_id":"ws-x"} -> 409 SW_ROOM_FROZEN
low,ann POST /v1/rooms/{{room}}/send {"content":{}} -> 409 SW_ROOM_FROZEN



=== TEST 17: a room that gets frozen
--- calls
ann POST /v1/rooms {"name":"Engineering","room_type":"group"} -> 201
    save frozen: json data.id



=== TEST 18: ... with members
--- calls
ann POST /v1/rooms/{{frozen}}/invite {"participant_id":"low"} -> 200
low POST /v1/rooms/{{frozen}}/join -> 200
ann POST /v1/rooms/{{frozen}}/invite {"participant_id":"cy"} -> 200
ann POST /v1/rooms/{{frozen}}/close -> 200



=== TEST 19: joined, frozen
--- calls
cy POST /v1/rooms/{{frozen}}/<invite|kick|ban|unban> {"participant_id":"nobody"} -> 403 SW_ROOM_FORBIDDEN
cy PUT /v1/rooms/{{frozen}}/members/nobody/power-level {"power_level":5} -> 403 SW_ROOM_FORBIDDEN
cy PUT /v1/rooms/{{frozen}}/name {"name":"x"} -> 403 SW_ROOM_FORBIDDEN
cy PUT /v1/rooms/{{frozen}}/topic {"topic":"x"} -> 403 SW_ROOM_FORBIDDEN
cy PUT /v1/rooms/{{frozen}}/workspace {"workspace_id":"ws-x"} -> 403 SW_ROOM_FORBIDDEN
cy POST /v1/rooms/{{frozen}}/send {"content":{}} -> 403 SW_ROOM_FORBIDDEN



=== TEST 20: frozen, power; and frozen, target
--- calls
low,ann POST /v1/rooms/{{frozen}}/<invite|kick|ban|unban> {"participant_id":"nobody"} -> 409 SW_ROOM_FROZEN
low,ann PUT /v1/rooms/{{frozen}}/members/nobody/power-level {"power_level":5} -> 409 SW_ROOM_FROZEN
low,ann PUT /v1/rooms/{{frozen}}/name {"name":"x"} -> 409 SW_ROOM_FROZEN
low,ann PUT /v1/rooms/{{frozen}}/topic {"topic":"x"} -> 409 SW_ROOM_FROZEN
low,ann PUT /v1/rooms/{{frozen}}/workspace {"workspace_id":"ws-x"} -> 409 SW_ROOM_FROZEN
low,ann POST /v1/rooms/{{frozen}}/send {"content":{}} -> 409 SW_ROOM_FROZEN



=== TEST 21: a closed room
--- calls
ann POST /v1/rooms {"name":"Engineering","room_type":"group"} -> 201
    save closed: json data.id



=== TEST 22: ... what is closed stays so
--- calls
ann POST /v1/rooms/{{closed}}/invite {"participant_id":"low"} -> 200
low POST /v1/rooms/{{closed}}/join -> 200
ann POST /v1/rooms/{{closed}}/close -> 200
low POST /v1/rooms/{{closed}}/<archive|rejoin> -> 409 SW_ROOM_FROZEN



=== TEST 23: frozen, capacity
--- init
RoomsTest::redis('HSET', 'sw:{acme}:tenant', 'max_participants', '2');
--- calls
ann POST /v1/rooms {"name":"Full","room_type":"public"} -> 201
    save full: json data.id



=== TEST 24: ... frozen, capacity
--- calls
low POST /v1/rooms/{{full}}/join -> 200
ann POST /v1/rooms/{{full}}/archive -> 200
ann POST /v1/rooms/{{full}}/invite {"participant_id":"bob"} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{full}}/rejoin -> 200



=== TEST 25: power, target
--- calls
low POST /v1/rooms/{{full}}/<kick|ban|unban> {"participant_id":"nobody"} -> 403 SW_ROOM_FORBIDDEN
ann POST /v1/rooms/{{full}}/<kick|ban|unban> {"participant_id":"nobody"} -> 404 SW_PARTICIPANT_NOT_FOUND
low PUT /v1/rooms/{{full}}/members/nobody/power-level {"power_level":5} -> 403 SW_ROOM_FORBIDDEN
ann PUT /v1/rooms/{{full}}/members/nobody/power-level {"power_level":5} -> 404 SW_PARTICIPANT_NOT_FOUND
low PUT /v1/rooms/{{full}}/workspace {"workspace_id":"ws-x"} -> 403 SW_ROOM_FORBIDDEN
ann PUT /v1/rooms/{{full}}/workspace {"workspace_id":"ws-x"} -> 404 SW_WORKSPACE_NOT_FOUND
low GET /v1/rooms/{{full}}/members?membership=ban -> 403 SW_ROOM_FORBIDDEN



=== TEST 26: power, precondition
--- calls
low PUT /v1/rooms/{{full}}/name {"name":"x"} -> 403 SW_ROOM_FORBIDDEN
    > If-Match: "x"



=== TEST 27: target, capacity
--- calls
low POST /v1/rooms/{{full}}/invite {"participant_id":"dan"} -> 409 SW_ROOM_CAPACITY
low POST /v1/rooms/{{full}}/invite {"participant_id":"nobody"} -> 404 SW_PARTICIPANT_NOT_FOUND
ann POST /v1/rooms/{{full}}/ban {"participant_id":"dan"} -> 200
low POST /v1/rooms/{{full}}/invite {"participant_id":"dan"} -> 403 SW_ROOM_FORBIDDEN
dan POST /v1/rooms/{{full}}/join -> 403 SW_ROOM_FORBIDDEN
cy POST /v1/rooms/{{full}}/join -> 409 SW_ROOM_CAPACITY



=== TEST 28: the same for what is made: body, invariant, target, capacity of the tenant
--- init
RoomsTest::redis('HSET', 'sw:{acme}:tenant', 'max_rooms', '1');
--- calls
ann POST /v1/rooms {"room_type":"dm","topic":"{{x*1025}}"} -> 400 SW_VALIDATION_FAILED topic
ann POST /v1/rooms {"is_public":false,"name":"x","room_type":"public","workspace_id":"ws-x"} -> 400 SW_ROOM_TYPE_INVARIANT
ann POST /v1/rooms {"name":"x","room_type":"group","workspace_id":"ws-x"} -> 404 SW_WORKSPACE_NOT_FOUND
ann POST /v1/rooms {"name":"x","room_type":"group"} -> 409 SW_TENANT_CAPACITY
ann POST /v1/rooms/dm {"participant_id":""} -> 400 SW_VALIDATION_FAILED participant_id
ann POST /v1/rooms/dm {"participant_id":"ann"} -> 400 SW_ROOM_TYPE_INVARIANT
ann POST /v1/rooms/dm {"participant_id":"nobody"} -> 404 SW_PARTICIPANT_NOT_FOUND
ann POST /v1/rooms/dm {"participant_id":"cy"} -> 409 SW_TENANT_CAPACITY
