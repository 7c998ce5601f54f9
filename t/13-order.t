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
ann POST /v1/auth/register -> 200
bob POST /v1/auth/register -> 200
cy POST /v1/auth/register -> 200
dan POST /v1/auth/register -> 200
eve POST /v1/auth/register -> 200
low POST /v1/auth/register -> 200
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
- POST /v1/rooms/{{group}}/invite { -> 401 SW_AUTH_INVALID_TOKEN
- POST /v1/rooms/{{group}}/kick { -> 401 SW_AUTH_INVALID_TOKEN
- POST /v1/rooms/{{group}}/ban { -> 401 SW_AUTH_INVALID_TOKEN
- POST /v1/rooms/{{group}}/unban { -> 401 SW_AUTH_INVALID_TOKEN
- PUT /v1/rooms/{{group}}/members/nobody/power-level { -> 401 SW_AUTH_INVALID_TOKEN
- PUT /v1/rooms/{{group}}/name { -> 401 SW_AUTH_INVALID_TOKEN
- PUT /v1/rooms/{{group}}/topic { -> 401 SW_AUTH_INVALID_TOKEN
- PUT /v1/rooms/{{group}}/workspace { -> 401 SW_AUTH_INVALID_TOKEN
- PUT /v1/rooms/{{group}}/notification-mode { -> 401 SW_AUTH_INVALID_TOKEN
- PUT /v1/rooms/{{group}}/mute { -> 401 SW_AUTH_INVALID_TOKEN
- PUT /v1/rooms/{{group}}/read { -> 401 SW_AUTH_INVALID_TOKEN
- POST /v1/rooms/{{group}}/send { -> 401 SW_AUTH_INVALID_TOKEN
- POST /v1/rooms { -> 401 SW_AUTH_INVALID_TOKEN



=== TEST 6: body, seen: the fault of a body is told to whoever sends it
--- calls
dan POST /v1/rooms/{{group}}/invite {"participant_id":[]} -> 400 SW_VALIDATION_FAILED participant_id
dan POST /v1/rooms/{{group}}/invite [] -> 400 SW_VALIDATION_FAILED body
dan POST /v1/rooms/room-00000000000000000000000000/invite {"participant_id":[]} -> 400 SW_VALIDATION_FAILED participant_id
dan POST /v1/rooms/room-00000000000000000000000000/invite [] -> 400 SW_VALIDATION_FAILED body
dan POST /v1/rooms/x/invite {"participant_id":[]} -> 400 SW_VALIDATION_FAILED participant_id
dan POST /v1/rooms/x/invite [] -> 400 SW_VALIDATION_FAILED body
dan POST /v1/rooms/{{group}}/kick {"participant_id":[]} -> 400 SW_VALIDATION_FAILED participant_id
dan POST /v1/rooms/{{group}}/kick [] -> 400 SW_VALIDATION_FAILED body
dan POST /v1/rooms/room-00000000000000000000000000/kick {"participant_id":[]} -> 400 SW_VALIDATION_FAILED participant_id
dan POST /v1/rooms/room-00000000000000000000000000/kick [] -> 400 SW_VALIDATION_FAILED body
dan POST /v1/rooms/x/kick {"participant_id":[]} -> 400 SW_VALIDATION_FAILED participant_id
dan POST /v1/rooms/x/kick [] -> 400 SW_VALIDATION_FAILED body
dan POST /v1/rooms/{{group}}/ban {"participant_id":[]} -> 400 SW_VALIDATION_FAILED participant_id
dan POST /v1/rooms/{{group}}/ban [] -> 400 SW_VALIDATION_FAILED body
dan POST /v1/rooms/room-00000000000000000000000000/ban {"participant_id":[]} -> 400 SW_VALIDATION_FAILED participant_id
dan POST /v1/rooms/room-00000000000000000000000000/ban [] -> 400 SW_VALIDATION_FAILED body
dan POST /v1/rooms/x/ban {"participant_id":[]} -> 400 SW_VALIDATION_FAILED participant_id
dan POST /v1/rooms/x/ban [] -> 400 SW_VALIDATION_FAILED body
dan POST /v1/rooms/{{group}}/unban {"participant_id":[]} -> 400 SW_VALIDATION_FAILED participant_id
dan POST /v1/rooms/{{group}}/unban [] -> 400 SW_VALIDATION_FAILED body
dan POST /v1/rooms/room-00000000000000000000000000/unban {"participant_id":[]} -> 400 SW_VALIDATION_FAILED participant_id
dan POST /v1/rooms/room-00000000000000000000000000/unban [] -> 400 SW_VALIDATION_FAILED body
dan POST /v1/rooms/x/unban {"participant_id":[]} -> 400 SW_VALIDATION_FAILED participant_id



=== TEST 7: ... body, seen: the fault of a body is told to whoever sends it
--- calls
dan POST /v1/rooms/x/unban [] -> 400 SW_VALIDATION_FAILED body
dan PUT /v1/rooms/{{group}}/members/nobody/power-level {"power_level":[]} -> 400 SW_VALIDATION_FAILED power_level
dan PUT /v1/rooms/{{group}}/members/nobody/power-level [] -> 400 SW_VALIDATION_FAILED body
dan PUT /v1/rooms/room-00000000000000000000000000/members/nobody/power-level {"power_level":[]} -> 400 SW_VALIDATION_FAILED power_level
dan PUT /v1/rooms/room-00000000000000000000000000/members/nobody/power-level [] -> 400 SW_VALIDATION_FAILED body
dan PUT /v1/rooms/x/members/nobody/power-level {"power_level":[]} -> 400 SW_VALIDATION_FAILED power_level
dan PUT /v1/rooms/x/members/nobody/power-level [] -> 400 SW_VALIDATION_FAILED body
dan PUT /v1/rooms/{{group}}/name {"name":[]} -> 400 SW_VALIDATION_FAILED name
dan PUT /v1/rooms/{{group}}/name [] -> 400 SW_VALIDATION_FAILED body
dan PUT /v1/rooms/room-00000000000000000000000000/name {"name":[]} -> 400 SW_VALIDATION_FAILED name
dan PUT /v1/rooms/room-00000000000000000000000000/name [] -> 400 SW_VALIDATION_FAILED body
dan PUT /v1/rooms/x/name {"name":[]} -> 400 SW_VALIDATION_FAILED name
dan PUT /v1/rooms/x/name [] -> 400 SW_VALIDATION_FAILED body
dan PUT /v1/rooms/{{group}}/topic {"topic":[]} -> 400 SW_VALIDATION_FAILED topic
dan PUT /v1/rooms/{{group}}/topic [] -> 400 SW_VALIDATION_FAILED body
dan PUT /v1/rooms/room-00000000000000000000000000/topic {"topic":[]} -> 400 SW_VALIDATION_FAILED topic
dan PUT /v1/rooms/room-00000000000000000000000000/topic [] -> 400 SW_VALIDATION_FAILED body
dan PUT /v1/rooms/x/topic {"topic":[]} -> 400 SW_VALIDATION_FAILED topic
dan PUT /v1/rooms/x/topic [] -> 400 SW_VALIDATION_FAILED body
dan PUT /v1/rooms/{{group}}/workspace {"workspace_id":[]} -> 400 SW_VALIDATION_FAILED workspace_id
dan PUT /v1/rooms/{{group}}/workspace [] -> 400 SW_VALIDATION_FAILED body
dan PUT /v1/rooms/room-00000000000000000000000000/workspace {"workspace_id":[]} -> 400 SW_VALIDATION_FAILED workspace_id
dan PUT /v1/rooms/room-00000000000000000000000000/workspace [] -> 400 SW_VALIDATION_FAILED body



=== TEST 8: ... body, seen: the fault of a body is told to whoever sends it
--- calls
dan PUT /v1/rooms/x/workspace {"workspace_id":[]} -> 400 SW_VALIDATION_FAILED workspace_id
dan PUT /v1/rooms/x/workspace [] -> 400 SW_VALIDATION_FAILED body
dan PUT /v1/rooms/{{group}}/notification-mode {"notification_mode":[]} -> 400 SW_VALIDATION_FAILED notification_mode
dan PUT /v1/rooms/{{group}}/notification-mode [] -> 400 SW_VALIDATION_FAILED body
dan PUT /v1/rooms/room-00000000000000000000000000/notification-mode {"notification_mode":[]} -> 400 SW_VALIDATION_FAILED notification_mode
dan PUT /v1/rooms/room-00000000000000000000000000/notification-mode [] -> 400 SW_VALIDATION_FAILED body
dan PUT /v1/rooms/x/notification-mode {"notification_mode":[]} -> 400 SW_VALIDATION_FAILED notification_mode
dan PUT /v1/rooms/x/notification-mode [] -> 400 SW_VALIDATION_FAILED body
dan PUT /v1/rooms/{{group}}/mute {"muted":[]} -> 400 SW_VALIDATION_FAILED muted
dan PUT /v1/rooms/{{group}}/mute [] -> 400 SW_VALIDATION_FAILED body
dan PUT /v1/rooms/room-00000000000000000000000000/mute {"muted":[]} -> 400 SW_VALIDATION_FAILED muted
dan PUT /v1/rooms/room-00000000000000000000000000/mute [] -> 400 SW_VALIDATION_FAILED body
dan PUT /v1/rooms/x/mute {"muted":[]} -> 400 SW_VALIDATION_FAILED muted
dan PUT /v1/rooms/x/mute [] -> 400 SW_VALIDATION_FAILED body
dan PUT /v1/rooms/{{group}}/read {"event_id":[]} -> 400 SW_VALIDATION_FAILED event_id
dan PUT /v1/rooms/{{group}}/read [] -> 400 SW_VALIDATION_FAILED body
dan PUT /v1/rooms/room-00000000000000000000000000/read {"event_id":[]} -> 400 SW_VALIDATION_FAILED event_id
dan PUT /v1/rooms/room-00000000000000000000000000/read [] -> 400 SW_VALIDATION_FAILED body
dan PUT /v1/rooms/x/read {"event_id":[]} -> 400 SW_VALIDATION_FAILED event_id
dan PUT /v1/rooms/x/read [] -> 400 SW_VALIDATION_FAILED body
dan POST /v1/rooms/{{group}}/send {"content":[]} -> 400 SW_VALIDATION_FAILED content
dan POST /v1/rooms/{{group}}/send [] -> 400 SW_VALIDATION_FAILED body
dan POST /v1/rooms/room-00000000000000000000000000/send {"content":[]} -> 400 SW_VALIDATION_FAILED content



=== TEST 9: ... body, seen: the fault of a body is told to whoever sends it
--- calls
dan POST /v1/rooms/room-00000000000000000000000000/send [] -> 400 SW_VALIDATION_FAILED body
dan POST /v1/rooms/x/send {"content":[]} -> 400 SW_VALIDATION_FAILED content
dan POST /v1/rooms/x/send [] -> 400 SW_VALIDATION_FAILED body
dan PUT /v1/rooms/{{group}}/name {"name":""} -> 400 SW_VALIDATION_FAILED name
dan PUT /v1/rooms/{{group}}/topic {"topic":"{{x*1025}}"} -> 400 SW_VALIDATION_FAILED topic
dan PUT /v1/rooms/{{group}}/members/bob/power-level {"power_level":101} -> 400 SW_VALIDATION_FAILED power_level
dan POST /v1/rooms/{{group}}/send {"content":{"a":"{{x*65536}}"}} -> 413 SW_CONTENT_TOO_LARGE
dan POST /v1/rooms/{{group}}/invite {"participant_ids":[]} -> 400 SW_VALIDATION_FAILED participant_ids
dan POST /v1/rooms/{{group}}/kick {"participant_id":"bob","reason":"{{x*1025}}"} -> 400 SW_VALIDATION_FAILED reason
dan PUT /v1/rooms/{{group}}/notification-mode {"notification_mode":"x"} -> 400 SW_VALIDATION_FAILED notification_mode
dan PUT /v1/rooms/{{group}}/mute {"muted_until":"x"} -> 400 SW_VALIDATION_FAILED muted_until
dan GET /v1/rooms/{{group}}/members?limit=0 -> 400 SW_VALIDATION_FAILED limit
dan GET /v1/rooms/{{group}}/messages?limit=0 -> 400 SW_VALIDATION_FAILED limit



=== TEST 10: seen, joined: who doesn't see it is told 404 by every row, with the body that an unknown room has
--- calls
dan POST /v1/rooms/{{group}}/invite {"participant_id":"nobody"} -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
dan POST /v1/rooms/room-00000000000000000000000000/invite {"participant_id":"nobody"} -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
eve POST /v1/rooms/{{group}}/invite {"participant_id":"nobody"} -> 404 SW_ROOM_NOT_FOUND
dan POST /v1/rooms/{{dm}}/invite {"participant_id":"nobody"} -> 404 SW_ROOM_NOT_FOUND
dan POST /v1/rooms/{{group}}/kick {"participant_id":"nobody"} -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
dan POST /v1/rooms/room-00000000000000000000000000/kick {"participant_id":"nobody"} -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
eve POST /v1/rooms/{{group}}/kick {"participant_id":"nobody"} -> 404 SW_ROOM_NOT_FOUND
dan POST /v1/rooms/{{dm}}/kick {"participant_id":"nobody"} -> 404 SW_ROOM_NOT_FOUND
dan POST /v1/rooms/{{group}}/ban {"participant_id":"nobody"} -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
dan POST /v1/rooms/room-00000000000000000000000000/ban {"participant_id":"nobody"} -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
eve POST /v1/rooms/{{group}}/ban {"participant_id":"nobody"} -> 404 SW_ROOM_NOT_FOUND
dan POST /v1/rooms/{{dm}}/ban {"participant_id":"nobody"} -> 404 SW_ROOM_NOT_FOUND
dan POST /v1/rooms/{{group}}/unban {"participant_id":"nobody"} -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
dan POST /v1/rooms/room-00000000000000000000000000/unban {"participant_id":"nobody"} -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
eve POST /v1/rooms/{{group}}/unban {"participant_id":"nobody"} -> 404 SW_ROOM_NOT_FOUND
dan POST /v1/rooms/{{dm}}/unban {"participant_id":"nobody"} -> 404 SW_ROOM_NOT_FOUND
dan PUT /v1/rooms/{{group}}/members/nobody/power-level {"power_level":5} -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
dan PUT /v1/rooms/room-00000000000000000000000000/members/nobody/power-level {"power_level":5} -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
eve PUT /v1/rooms/{{group}}/members/nobody/power-level {"power_level":5} -> 404 SW_ROOM_NOT_FOUND
dan PUT /v1/rooms/{{dm}}/members/nobody/power-level {"power_level":5} -> 404 SW_ROOM_NOT_FOUND
dan PUT /v1/rooms/{{group}}/name {"name":"x"} -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
dan PUT /v1/rooms/room-00000000000000000000000000/name {"name":"x"} -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
eve PUT /v1/rooms/{{group}}/name {"name":"x"} -> 404 SW_ROOM_NOT_FOUND



=== TEST 11: ... seen, joined: who doesn't see it is told 404 by every row, with the body that an unknown room has
--- calls
dan PUT /v1/rooms/{{dm}}/name {"name":"x"} -> 404 SW_ROOM_NOT_FOUND
dan PUT /v1/rooms/{{group}}/topic {"topic":"x"} -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
dan PUT /v1/rooms/room-00000000000000000000000000/topic {"topic":"x"} -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
eve PUT /v1/rooms/{{group}}/topic {"topic":"x"} -> 404 SW_ROOM_NOT_FOUND
dan PUT /v1/rooms/{{dm}}/topic {"topic":"x"} -> 404 SW_ROOM_NOT_FOUND
dan PUT /v1/rooms/{{group}}/workspace {"workspace_id":"ws-x"} -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
dan PUT /v1/rooms/room-00000000000000000000000000/workspace {"workspace_id":"ws-x"} -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
eve PUT /v1/rooms/{{group}}/workspace {"workspace_id":"ws-x"} -> 404 SW_ROOM_NOT_FOUND
dan PUT /v1/rooms/{{dm}}/workspace {"workspace_id":"ws-x"} -> 404 SW_ROOM_NOT_FOUND
dan PUT /v1/rooms/{{group}}/notification-mode {"notification_mode":"all"} -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
dan PUT /v1/rooms/room-00000000000000000000000000/notification-mode {"notification_mode":"all"} -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
eve PUT /v1/rooms/{{group}}/notification-mode {"notification_mode":"all"} -> 404 SW_ROOM_NOT_FOUND
dan PUT /v1/rooms/{{dm}}/notification-mode {"notification_mode":"all"} -> 404 SW_ROOM_NOT_FOUND
dan PUT /v1/rooms/{{group}}/mute {"muted":true} -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
dan PUT /v1/rooms/room-00000000000000000000000000/mute {"muted":true} -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
eve PUT /v1/rooms/{{group}}/mute {"muted":true} -> 404 SW_ROOM_NOT_FOUND
dan PUT /v1/rooms/{{dm}}/mute {"muted":true} -> 404 SW_ROOM_NOT_FOUND
dan PUT /v1/rooms/{{group}}/read {"event_id":"evt-x"} -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
dan PUT /v1/rooms/room-00000000000000000000000000/read {"event_id":"evt-x"} -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
eve PUT /v1/rooms/{{group}}/read {"event_id":"evt-x"} -> 404 SW_ROOM_NOT_FOUND
dan PUT /v1/rooms/{{dm}}/read {"event_id":"evt-x"} -> 404 SW_ROOM_NOT_FOUND
dan POST /v1/rooms/{{group}}/send {"content":{}} -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
dan POST /v1/rooms/room-00000000000000000000000000/send {"content":{}} -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"



=== TEST 12: ... seen, joined: who doesn't see it is told 404 by every row, with the body that an unknown room has
--- calls
eve POST /v1/rooms/{{group}}/send {"content":{}} -> 404 SW_ROOM_NOT_FOUND
dan POST /v1/rooms/{{dm}}/send {"content":{}} -> 404 SW_ROOM_NOT_FOUND
dan POST /v1/rooms/{{group}}/join -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
dan POST /v1/rooms/room-00000000000000000000000000/join -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
eve POST /v1/rooms/{{group}}/join -> 404 SW_ROOM_NOT_FOUND
dan POST /v1/rooms/{{dm}}/join -> 404 SW_ROOM_NOT_FOUND
dan POST /v1/rooms/{{group}}/leave -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
dan POST /v1/rooms/room-00000000000000000000000000/leave -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
eve POST /v1/rooms/{{group}}/leave -> 404 SW_ROOM_NOT_FOUND
dan POST /v1/rooms/{{dm}}/leave -> 404 SW_ROOM_NOT_FOUND
dan POST /v1/rooms/{{group}}/close -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
dan POST /v1/rooms/room-00000000000000000000000000/close -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
eve POST /v1/rooms/{{group}}/close -> 404 SW_ROOM_NOT_FOUND
dan POST /v1/rooms/{{dm}}/close -> 404 SW_ROOM_NOT_FOUND
dan POST /v1/rooms/{{group}}/archive -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
dan POST /v1/rooms/room-00000000000000000000000000/archive -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
eve POST /v1/rooms/{{group}}/archive -> 404 SW_ROOM_NOT_FOUND
dan POST /v1/rooms/{{dm}}/archive -> 404 SW_ROOM_NOT_FOUND
dan POST /v1/rooms/{{group}}/rejoin -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
dan POST /v1/rooms/room-00000000000000000000000000/rejoin -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
eve POST /v1/rooms/{{group}}/rejoin -> 404 SW_ROOM_NOT_FOUND
dan POST /v1/rooms/{{dm}}/rejoin -> 404 SW_ROOM_NOT_FOUND
dan GET /v1/rooms/{{group}}/members -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"



=== TEST 13: ... seen, joined: who doesn't see it is told 404 by every row, with the body that an unknown room has
--- calls
dan GET /v1/rooms/room-00000000000000000000000000/members -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
eve GET /v1/rooms/{{group}}/members -> 404 SW_ROOM_NOT_FOUND
dan GET /v1/rooms/{{dm}}/members -> 404 SW_ROOM_NOT_FOUND
dan GET /v1/rooms/{{group}}/messages -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
dan GET /v1/rooms/room-00000000000000000000000000/messages -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
eve GET /v1/rooms/{{group}}/messages -> 404 SW_ROOM_NOT_FOUND
dan GET /v1/rooms/{{dm}}/messages -> 404 SW_ROOM_NOT_FOUND
dan GET /v1/rooms/{{group}}/state -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
dan GET /v1/rooms/room-00000000000000000000000000/state -> 404 SW_ROOM_NOT_FOUND
    error # 3
    error.message = "there is no such room"
eve GET /v1/rooms/{{group}}/state -> 404 SW_ROOM_NOT_FOUND
dan GET /v1/rooms/{{dm}}/state -> 404 SW_ROOM_NOT_FOUND



=== TEST 14: who sees it without being in it: 403, before anything else is wrong
--- calls
cy POST /v1/rooms/{{group}}/invite {"participant_id":"nobody"} -> 403 SW_ROOM_FORBIDDEN
dan POST /v1/rooms/{{public}}/invite {"participant_id":"nobody"} -> 403 SW_ROOM_FORBIDDEN
cy POST /v1/rooms/{{group}}/kick {"participant_id":"nobody"} -> 403 SW_ROOM_FORBIDDEN
dan POST /v1/rooms/{{public}}/kick {"participant_id":"nobody"} -> 403 SW_ROOM_FORBIDDEN
cy POST /v1/rooms/{{group}}/ban {"participant_id":"nobody"} -> 403 SW_ROOM_FORBIDDEN
dan POST /v1/rooms/{{public}}/ban {"participant_id":"nobody"} -> 403 SW_ROOM_FORBIDDEN
cy POST /v1/rooms/{{group}}/unban {"participant_id":"nobody"} -> 403 SW_ROOM_FORBIDDEN
dan POST /v1/rooms/{{public}}/unban {"participant_id":"nobody"} -> 403 SW_ROOM_FORBIDDEN
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



=== TEST 15: ... who sees it without being in it: 403, before anything else is wrong
--- calls
dan POST /v1/rooms/{{public}}/send {"content":{}} -> 403 SW_ROOM_FORBIDDEN
cy GET /v1/rooms/{{group}}/members -> 403 SW_ROOM_FORBIDDEN
dan GET /v1/rooms/{{public}}/members -> 403 SW_ROOM_FORBIDDEN
cy GET /v1/rooms/{{group}}/messages -> 403 SW_ROOM_FORBIDDEN
dan GET /v1/rooms/{{public}}/messages -> 403 SW_ROOM_FORBIDDEN
cy GET /v1/rooms/{{group}}/state -> 403 SW_ROOM_FORBIDDEN
dan GET /v1/rooms/{{public}}/state -> 403 SW_ROOM_FORBIDDEN



=== TEST 16: joined, type invariant: somebody who was invited to a DM
--- init
RoomsTest::redis('HSET', 'sw:{acme}:r:{{dm}}:members', 'cy', 'invite 0 0 0');
RoomsTest::redis('ZADD', 'sw:{acme}:r:{{dm}}:list', '0', 'cy');
RoomsTest::redis('HINCRBY', 'sw:{acme}:r:{{dm}}', 'invited', '1');
--- calls
cy POST /v1/rooms/{{dm}}/invite {"participant_id":"nobody"} -> 403 SW_ROOM_FORBIDDEN
ann POST /v1/rooms/{{dm}}/invite {"participant_id":"nobody"} -> 400 SW_ROOM_TYPE_INVARIANT
cy POST /v1/rooms/{{dm}}/kick {"participant_id":"nobody"} -> 403 SW_ROOM_FORBIDDEN
ann POST /v1/rooms/{{dm}}/kick {"participant_id":"nobody"} -> 400 SW_ROOM_TYPE_INVARIANT
cy POST /v1/rooms/{{dm}}/ban {"participant_id":"nobody"} -> 403 SW_ROOM_FORBIDDEN
ann POST /v1/rooms/{{dm}}/ban {"participant_id":"nobody"} -> 400 SW_ROOM_TYPE_INVARIANT
cy POST /v1/rooms/{{dm}}/unban {"participant_id":"nobody"} -> 403 SW_ROOM_FORBIDDEN
ann POST /v1/rooms/{{dm}}/unban {"participant_id":"nobody"} -> 400 SW_ROOM_TYPE_INVARIANT
cy PUT /v1/rooms/{{dm}}/members/nobody/power-level {"power_level":5} -> 403 SW_ROOM_FORBIDDEN
ann PUT /v1/rooms/{{dm}}/members/nobody/power-level {"power_level":5} -> 400 SW_ROOM_TYPE_INVARIANT
cy PUT /v1/rooms/{{dm}}/name {"name":"x"} -> 403 SW_ROOM_FORBIDDEN
ann PUT /v1/rooms/{{dm}}/name {"name":"x"} -> 400 SW_ROOM_TYPE_INVARIANT
cy PUT /v1/rooms/{{dm}}/workspace {"workspace_id":"ws-x"} -> 403 SW_ROOM_FORBIDDEN
ann PUT /v1/rooms/{{dm}}/workspace {"workspace_id":"ws-x"} -> 400 SW_ROOM_TYPE_INVARIANT



=== TEST 17: type invariant, frozen
--- calls
ann POST /v1/rooms/{{dm}}/archive -> 200
ann POST /v1/rooms/{{dm}}/invite {"participant_id":"nobody"} -> 400 SW_ROOM_TYPE_INVARIANT
ann POST /v1/rooms/{{dm}}/kick {"participant_id":"nobody"} -> 400 SW_ROOM_TYPE_INVARIANT
ann POST /v1/rooms/{{dm}}/ban {"participant_id":"nobody"} -> 400 SW_ROOM_TYPE_INVARIANT
ann POST /v1/rooms/{{dm}}/unban {"participant_id":"nobody"} -> 400 SW_ROOM_TYPE_INVARIANT
ann PUT /v1/rooms/{{dm}}/members/nobody/power-level {"power_level":5} -> 400 SW_ROOM_TYPE_INVARIANT
ann PUT /v1/rooms/{{dm}}/name {"name":"x"} -> 400 SW_ROOM_TYPE_INVARIANT
ann PUT /v1/rooms/{{dm}}/workspace {"workspace_id":"ws-x"} -> 400 SW_ROOM_TYPE_INVARIANT
ann POST /v1/rooms/{{dm}}/join -> 400 SW_ROOM_TYPE_INVARIANT
ann POST /v1/rooms/{{dm}}/leave -> 400 SW_ROOM_TYPE_INVARIANT



=== TEST 18: an emptied incognito room is seen by who left it last, and is frozen
--- calls
ann POST /v1/rooms {"close_on_leave":false,"room_type":"incognito"} -> 201
    save secret: json data.id



=== TEST 19: ... an emptied incognito room is seen by who left it last, and is frozen
--- calls
ann POST /v1/rooms/{{secret}}/leave -> 200
ann GET /v1/rooms/{{secret}} -> 200
ann POST /v1/rooms/{{secret}}/join -> 400 SW_ROOM_TYPE_INVARIANT



=== TEST 20: joined, frozen
--- calls
ann POST /v1/rooms {"name":"Engineering","room_type":"group"} -> 201
    save room: json data.id



=== TEST 21: ... joined, frozen
--- calls
ann POST /v1/rooms/{{room}}/invite {"participant_id":"low"} -> 200
low POST /v1/rooms/{{room}}/join -> 200
ann POST /v1/rooms/{{room}}/invite {"participant_id":"cy"} -> 200
ann POST /v1/rooms/{{room}}/archive -> 200
cy POST /v1/rooms/{{room}}/invite {"participant_id":"nobody"} -> 403 SW_ROOM_FORBIDDEN



=== TEST 22: frozen, power; and frozen, target
--- calls
low POST /v1/rooms/{{room}}/invite {"participant_id":"nobody"} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room}}/invite {"participant_id":"nobody"} -> 409 SW_ROOM_FROZEN



=== TEST 23: joined, frozen
--- calls
cy POST /v1/rooms/{{room}}/kick {"participant_id":"nobody"} -> 403 SW_ROOM_FORBIDDEN



=== TEST 24: frozen, power; and frozen, target
--- calls
low POST /v1/rooms/{{room}}/kick {"participant_id":"nobody"} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room}}/kick {"participant_id":"nobody"} -> 409 SW_ROOM_FROZEN



=== TEST 25: joined, frozen
--- calls
cy POST /v1/rooms/{{room}}/ban {"participant_id":"nobody"} -> 403 SW_ROOM_FORBIDDEN



=== TEST 26: frozen, power; and frozen, target
--- calls
low POST /v1/rooms/{{room}}/ban {"participant_id":"nobody"} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room}}/ban {"participant_id":"nobody"} -> 409 SW_ROOM_FROZEN



=== TEST 27: joined, frozen
--- calls
cy POST /v1/rooms/{{room}}/unban {"participant_id":"nobody"} -> 403 SW_ROOM_FORBIDDEN



=== TEST 28: frozen, power; and frozen, target
--- calls
low POST /v1/rooms/{{room}}/unban {"participant_id":"nobody"} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room}}/unban {"participant_id":"nobody"} -> 409 SW_ROOM_FROZEN



=== TEST 29: joined, frozen
--- calls
cy PUT /v1/rooms/{{room}}/members/nobody/power-level {"power_level":5} -> 403 SW_ROOM_FORBIDDEN



=== TEST 30: frozen, power; and frozen, target
--- calls
low PUT /v1/rooms/{{room}}/members/nobody/power-level {"power_level":5} -> 409 SW_ROOM_FROZEN
ann PUT /v1/rooms/{{room}}/members/nobody/power-level {"power_level":5} -> 409 SW_ROOM_FROZEN



=== TEST 31: joined, frozen
--- calls
cy PUT /v1/rooms/{{room}}/name {"name":"x"} -> 403 SW_ROOM_FORBIDDEN



=== TEST 32: frozen, power; and frozen, target
--- calls
low PUT /v1/rooms/{{room}}/name {"name":"x"} -> 409 SW_ROOM_FROZEN
ann PUT /v1/rooms/{{room}}/name {"name":"x"} -> 409 SW_ROOM_FROZEN



=== TEST 33: joined, frozen
--- calls
cy PUT /v1/rooms/{{room}}/topic {"topic":"x"} -> 403 SW_ROOM_FORBIDDEN



=== TEST 34: frozen, power; and frozen, target
--- calls
low PUT /v1/rooms/{{room}}/topic {"topic":"x"} -> 409 SW_ROOM_FROZEN
ann PUT /v1/rooms/{{room}}/topic {"topic":"x"} -> 409 SW_ROOM_FROZEN



=== TEST 35: joined, frozen
--- calls
cy PUT /v1/rooms/{{room}}/workspace {"workspace_id":"ws-x"} -> 403 SW_ROOM_FORBIDDEN



=== TEST 36: frozen, power; and frozen, target
--- calls
low PUT /v1/rooms/{{room}}/workspace {"workspace_id":"ws-x"} -> 409 SW_ROOM_FROZEN
ann PUT /v1/rooms/{{room}}/workspace {"workspace_id":"ws-x"} -> 409 SW_ROOM_FROZEN



=== TEST 37: joined, frozen
--- calls
cy POST /v1/rooms/{{room}}/send {"content":{}} -> 403 SW_ROOM_FORBIDDEN



=== TEST 38: frozen, power; and frozen, target
--- calls
low POST /v1/rooms/{{room}}/send {"content":{}} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room}}/send {"content":{}} -> 409 SW_ROOM_FROZEN



=== TEST 39: joined, frozen
--- calls
ann POST /v1/rooms {"name":"Engineering","room_type":"group"} -> 201
    save room2: json data.id



=== TEST 40: ... joined, frozen
--- calls
ann POST /v1/rooms/{{room2}}/invite {"participant_id":"low"} -> 200
low POST /v1/rooms/{{room2}}/join -> 200
ann POST /v1/rooms/{{room2}}/invite {"participant_id":"cy"} -> 200
ann POST /v1/rooms/{{room2}}/close -> 200
cy POST /v1/rooms/{{room2}}/invite {"participant_id":"nobody"} -> 403 SW_ROOM_FORBIDDEN



=== TEST 41: frozen, power; and frozen, target
--- calls
low POST /v1/rooms/{{room2}}/invite {"participant_id":"nobody"} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room2}}/invite {"participant_id":"nobody"} -> 409 SW_ROOM_FROZEN



=== TEST 42: joined, frozen
--- calls
cy POST /v1/rooms/{{room2}}/kick {"participant_id":"nobody"} -> 403 SW_ROOM_FORBIDDEN



=== TEST 43: frozen, power; and frozen, target
--- calls
low POST /v1/rooms/{{room2}}/kick {"participant_id":"nobody"} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room2}}/kick {"participant_id":"nobody"} -> 409 SW_ROOM_FROZEN



=== TEST 44: joined, frozen
--- calls
cy POST /v1/rooms/{{room2}}/ban {"participant_id":"nobody"} -> 403 SW_ROOM_FORBIDDEN



=== TEST 45: frozen, power; and frozen, target
--- calls
low POST /v1/rooms/{{room2}}/ban {"participant_id":"nobody"} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room2}}/ban {"participant_id":"nobody"} -> 409 SW_ROOM_FROZEN



=== TEST 46: joined, frozen
--- calls
cy POST /v1/rooms/{{room2}}/unban {"participant_id":"nobody"} -> 403 SW_ROOM_FORBIDDEN



=== TEST 47: frozen, power; and frozen, target
--- calls
low POST /v1/rooms/{{room2}}/unban {"participant_id":"nobody"} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room2}}/unban {"participant_id":"nobody"} -> 409 SW_ROOM_FROZEN



=== TEST 48: joined, frozen
--- calls
cy PUT /v1/rooms/{{room2}}/members/nobody/power-level {"power_level":5} -> 403 SW_ROOM_FORBIDDEN



=== TEST 49: frozen, power; and frozen, target
--- calls
low PUT /v1/rooms/{{room2}}/members/nobody/power-level {"power_level":5} -> 409 SW_ROOM_FROZEN
ann PUT /v1/rooms/{{room2}}/members/nobody/power-level {"power_level":5} -> 409 SW_ROOM_FROZEN



=== TEST 50: joined, frozen
--- calls
cy PUT /v1/rooms/{{room2}}/name {"name":"x"} -> 403 SW_ROOM_FORBIDDEN



=== TEST 51: frozen, power; and frozen, target
--- calls
low PUT /v1/rooms/{{room2}}/name {"name":"x"} -> 409 SW_ROOM_FROZEN
ann PUT /v1/rooms/{{room2}}/name {"name":"x"} -> 409 SW_ROOM_FROZEN



=== TEST 52: joined, frozen
--- calls
cy PUT /v1/rooms/{{room2}}/topic {"topic":"x"} -> 403 SW_ROOM_FORBIDDEN



=== TEST 53: frozen, power; and frozen, target
--- calls
low PUT /v1/rooms/{{room2}}/topic {"topic":"x"} -> 409 SW_ROOM_FROZEN
ann PUT /v1/rooms/{{room2}}/topic {"topic":"x"} -> 409 SW_ROOM_FROZEN



=== TEST 54: joined, frozen
--- calls
cy PUT /v1/rooms/{{room2}}/workspace {"workspace_id":"ws-x"} -> 403 SW_ROOM_FORBIDDEN



=== TEST 55: frozen, power; and frozen, target
--- calls
low PUT /v1/rooms/{{room2}}/workspace {"workspace_id":"ws-x"} -> 409 SW_ROOM_FROZEN
ann PUT /v1/rooms/{{room2}}/workspace {"workspace_id":"ws-x"} -> 409 SW_ROOM_FROZEN



=== TEST 56: joined, frozen
--- calls
cy POST /v1/rooms/{{room2}}/send {"content":{}} -> 403 SW_ROOM_FORBIDDEN



=== TEST 57: frozen, power; and frozen, target
--- calls
low POST /v1/rooms/{{room2}}/send {"content":{}} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room2}}/send {"content":{}} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms {"name":"Engineering","room_type":"group"} -> 201
    save closed: json data.id



=== TEST 58: ... frozen, power; and frozen, target
--- calls
ann POST /v1/rooms/{{closed}}/invite {"participant_id":"low"} -> 200
low POST /v1/rooms/{{closed}}/join -> 200
ann POST /v1/rooms/{{closed}}/close -> 200
low POST /v1/rooms/{{closed}}/archive -> 409 SW_ROOM_FROZEN
low POST /v1/rooms/{{closed}}/rejoin -> 409 SW_ROOM_FROZEN



=== TEST 59: frozen, capacity
--- init
RoomsTest::redis('HSET', 'sw:{acme}:tenant', 'max_participants', '2');
--- calls
ann POST /v1/rooms {"name":"Full","room_type":"public"} -> 201
    save full: json data.id



=== TEST 60: ... frozen, capacity
--- calls
low POST /v1/rooms/{{full}}/join -> 200
ann POST /v1/rooms/{{full}}/archive -> 200
ann POST /v1/rooms/{{full}}/invite {"participant_id":"bob"} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{full}}/rejoin -> 200



=== TEST 61: power, target
--- calls
low POST /v1/rooms/{{full}}/kick {"participant_id":"nobody"} -> 403 SW_ROOM_FORBIDDEN
ann POST /v1/rooms/{{full}}/kick {"participant_id":"nobody"} -> 404 SW_PARTICIPANT_NOT_FOUND
low POST /v1/rooms/{{full}}/ban {"participant_id":"nobody"} -> 403 SW_ROOM_FORBIDDEN
ann POST /v1/rooms/{{full}}/ban {"participant_id":"nobody"} -> 404 SW_PARTICIPANT_NOT_FOUND
low POST /v1/rooms/{{full}}/unban {"participant_id":"nobody"} -> 403 SW_ROOM_FORBIDDEN
ann POST /v1/rooms/{{full}}/unban {"participant_id":"nobody"} -> 404 SW_PARTICIPANT_NOT_FOUND
low PUT /v1/rooms/{{full}}/members/nobody/power-level {"power_level":5} -> 403 SW_ROOM_FORBIDDEN
ann PUT /v1/rooms/{{full}}/members/nobody/power-level {"power_level":5} -> 404 SW_PARTICIPANT_NOT_FOUND
low PUT /v1/rooms/{{full}}/workspace {"workspace_id":"ws-x"} -> 403 SW_ROOM_FORBIDDEN
ann PUT /v1/rooms/{{full}}/workspace {"workspace_id":"ws-x"} -> 404 SW_WORKSPACE_NOT_FOUND
low GET /v1/rooms/{{full}}/members?membership=ban -> 403 SW_ROOM_FORBIDDEN



=== TEST 62: power, precondition
--- calls
low PUT /v1/rooms/{{full}}/name {"name":"x"} -> 403 SW_ROOM_FORBIDDEN
    > If-Match: "x"



=== TEST 63: target, capacity
--- calls
low POST /v1/rooms/{{full}}/invite {"participant_id":"dan"} -> 409 SW_ROOM_CAPACITY
low POST /v1/rooms/{{full}}/invite {"participant_id":"nobody"} -> 404 SW_PARTICIPANT_NOT_FOUND
ann POST /v1/rooms/{{full}}/ban {"participant_id":"dan"} -> 200
low POST /v1/rooms/{{full}}/invite {"participant_id":"dan"} -> 403 SW_ROOM_FORBIDDEN
dan POST /v1/rooms/{{full}}/join -> 403 SW_ROOM_FORBIDDEN
cy POST /v1/rooms/{{full}}/join -> 409 SW_ROOM_CAPACITY



=== TEST 64: the same for what is made: body, invariant, target, capacity of the tenant
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
