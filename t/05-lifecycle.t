# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Open, archived, closed; what is frozen; rooms that empty; incognito leave.

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

# how many keys hold the text of a message that is to be gone
save(count_secrets => <<'END' =~ s/\n/ /gr);
local n = 0
for _, key in ipairs(redis.call([[KEYS]], [[*]])) do
    local type = redis.call([[TYPE]], key).ok
    local all = type == [[string]] and { redis.call([[GET]], key) }
                or type == [[hash]] and redis.call([[HVALS]], key)
                or type == [[zset]] and redis.call([[ZRANGE]], key, 0, -1)
                or {}
    for _, value in ipairs(all) do
        if string.find(value, [[SECRET-TEXT]]) then n = n + 1 end
    end
end
return n
END

no_shuffle();
run_tests();

__DATA__

=== TEST 1: participants exist after their first request
--- calls
ann POST /v1/auth/register -> 200
    save ws: json data.workspace_id
bob POST /v1/auth/register -> 200
cy POST /v1/auth/register -> 200
dan POST /v1/auth/register -> 200
eve POST /v1/auth/register -> 200
mod POST /v1/auth/register -> 200
low POST /v1/auth/register -> 200



=== TEST 2: who may archive, rejoin and close
--- calls
ann POST /v1/rooms {"name":"States","room_type":"group"} -> 201
    save room: json data.id



=== TEST 3: ... who may archive, rejoin and close
--- calls
ann POST /v1/rooms/{{room}}/invite {"participant_id":"mod"} -> 200
mod POST /v1/rooms/{{room}}/join -> 200
ann PUT /v1/rooms/{{room}}/members/mod/power-level {"power_level":50} -> 200
ann POST /v1/rooms/{{room}}/invite {"participant_id":"low"} -> 200
low POST /v1/rooms/{{room}}/join -> 200
ann PUT /v1/rooms/{{room}}/members/low/power-level {"power_level":49} -> 200
ann POST /v1/rooms/{{room}}/invite {"participant_id":"bob"} -> 200
bob POST /v1/rooms/{{room}}/join -> 200
ann POST /v1/rooms/{{room}}/invite {"participant_id":"cy"} -> 200
low POST /v1/rooms/{{room}}/archive -> 403 SW_ROOM_FORBIDDEN
cy POST /v1/rooms/{{room}}/archive -> 403 SW_ROOM_FORBIDDEN
eve POST /v1/rooms/{{room}}/archive -> 404 SW_ROOM_NOT_FOUND
mod POST /v1/rooms/{{room}}/archive -> 200
    data.state = archived
    data.id = {{room}}
    data.me.power_level = 50
    data.members_count = 4
--- store
ZREVRANGE sw:{acme}:r:{{room}}:events 0 0 WITHSCORES -> last0



=== TEST 4: ... who may archive, rejoin and close
--- calls
ann POST /v1/rooms/{{room}}/archive -> 200
    data.state = archived
--- store
ZREVRANGE sw:{acme}:r:{{room}}:events 0 0 WITHSCORES = {{last0}}



=== TEST 5: ... who may archive, rejoin and close
--- calls
low POST /v1/rooms/{{room}}/archive -> 403 SW_ROOM_FORBIDDEN
low POST /v1/rooms/{{room}}/rejoin -> 403 SW_ROOM_FORBIDDEN
cy POST /v1/rooms/{{room}}/rejoin -> 403 SW_ROOM_FORBIDDEN
eve POST /v1/rooms/{{room}}/rejoin -> 404 SW_ROOM_NOT_FOUND
mod POST /v1/rooms/{{room}}/rejoin -> 200
    data.state = open
    data.me.power_level = 50
    data.room_alias = "#states:rooms.test"
--- store
ZREVRANGE sw:{acme}:r:{{room}}:events 0 0 WITHSCORES -> last1



=== TEST 6: ... who may archive, rejoin and close
--- calls
ann POST /v1/rooms/{{room}}/rejoin -> 200
    data.state = open
--- store
ZREVRANGE sw:{acme}:r:{{room}}:events 0 0 WITHSCORES = {{last1}}



=== TEST 7: ... who may archive, rejoin and close
--- calls
mod POST /v1/rooms/{{room}}/close -> 403 SW_ROOM_FORBIDDEN
cy POST /v1/rooms/{{room}}/close -> 403 SW_ROOM_FORBIDDEN
eve POST /v1/rooms/{{room}}/close -> 404 SW_ROOM_NOT_FOUND
ann POST /v1/rooms/{{room}}/close -> 200
    data.state = closed
    data.room_alias null
--- store
ZREVRANGE sw:{acme}:r:{{room}}:events 0 0 WITHSCORES -> last2



=== TEST 8: ... who may archive, rejoin and close
--- calls
ann POST /v1/rooms/{{room}}/close -> 200
    data.state = closed
    data.room_alias null
--- store
ZREVRANGE sw:{acme}:r:{{room}}:events 0 0 WITHSCORES = {{last2}}



=== TEST 9: ... who may archive, rejoin and close
--- calls
bob POST /v1/rooms/{{room}}/close -> 403 SW_ROOM_FORBIDDEN
ann POST /v1/rooms/{{room}}/rejoin -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room}}/archive -> 409 SW_ROOM_FROZEN
ann GET /v1/rooms/%23states -> 404 SW_ROOM_NOT_FOUND
ann GET /v1/rooms/{{room}} -> 200
    data.state = closed
--- verify_room
{{room}}



=== TEST 10: the creator closes whatever their power is; another needs 100
--- calls
ann POST /v1/rooms {"name":"Engineering","room_type":"group"} -> 201
    save room2: json data.id



=== TEST 11: ... the creator closes whatever their power is; another needs 100
--- calls
ann POST /v1/rooms/{{room2}}/invite {"participant_id":"bob"} -> 200
bob POST /v1/rooms/{{room2}}/join -> 200
ann PUT /v1/rooms/{{room2}}/members/bob/power-level {"power_level":100} -> 200
ann POST /v1/rooms/{{room2}}/invite {"participant_id":"mod"} -> 200
mod POST /v1/rooms/{{room2}}/join -> 200
ann PUT /v1/rooms/{{room2}}/members/mod/power-level {"power_level":99} -> 200
ann PUT /v1/rooms/{{room2}}/members/ann/power-level {"power_level":0} -> 200
mod POST /v1/rooms/{{room2}}/close -> 403 SW_ROOM_FORBIDDEN
ann POST /v1/rooms/{{room2}}/archive -> 403 SW_ROOM_FORBIDDEN
ann POST /v1/rooms/{{room2}}/close -> 200
    data.state = closed
ann POST /v1/rooms {"name":"Engineering","room_type":"group"} -> 201
    save room3: json data.id



=== TEST 12: ... the creator closes whatever their power is; another needs 100
--- calls
ann POST /v1/rooms/{{room3}}/invite {"participant_id":"bob"} -> 200
bob POST /v1/rooms/{{room3}}/join -> 200
ann PUT /v1/rooms/{{room3}}/members/bob/power-level {"power_level":100} -> 200
bob POST /v1/rooms/{{room3}}/archive -> 200
    data.state = archived
bob POST /v1/rooms/{{room3}}/close -> 200
    data.state = closed



=== TEST 13: what is frozen
--- calls
ann POST /v1/rooms {"name":"Engineering","room_type":"group"} -> 201
    save room4: json data.id



=== TEST 14: ... what is frozen
--- calls
ann POST /v1/rooms/{{room4}}/invite {"participant_id":"bob"} -> 200
bob POST /v1/rooms/{{room4}}/join -> 200
ann POST /v1/rooms/{{room4}}/invite {"participant_id":"cy"} -> 200
ann POST /v1/rooms/{{room4}}/ban {"participant_id":"dan"} -> 200
bob POST /v1/rooms/{{room4}}/send {"content":{}} -> 201
    save event: json data.id
ann POST /v1/rooms/{{room4}}/archive -> 200
--- store
ZREVRANGE sw:{acme}:r:{{room4}}:events 0 0 WITHSCORES -> last3



=== TEST 15: ... what is frozen
--- calls
ann POST /v1/rooms/{{room4}}/ban {"participant_id":"bob"} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room4}}/invite {"participant_id":"eve"} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room4}}/kick {"participant_id":"bob"} -> 409 SW_ROOM_FROZEN
ann PUT /v1/rooms/{{room4}}/name {"name":"x"} -> 409 SW_ROOM_FROZEN
ann PUT /v1/rooms/{{room4}}/members/bob/power-level {"power_level":1} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room4}}/send {"content":{}} -> 409 SW_ROOM_FROZEN
ann PUT /v1/rooms/{{room4}}/topic {"topic":"x"} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room4}}/unban {"participant_id":"dan"} -> 409 SW_ROOM_FROZEN
ann PUT /v1/rooms/{{room4}}/workspace {"workspace_id":"{{ws}}"} -> 409 SW_ROOM_FROZEN
cy POST /v1/rooms/{{room4}}/join -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room4}}/join -> 409 SW_ROOM_FROZEN
--- store
ZREVRANGE sw:{acme}:r:{{room4}}:events 0 0 WITHSCORES = {{last3}}



=== TEST 16: what goes on
--- calls
cy GET /v1/rooms/{{room4}} -> 200
bob GET /v1/rooms/{{room4}}/messages -> 200
    meta.has_more = false
bob GET /v1/rooms/{{room4}}/members -> 200
    data # 3
bob PUT /v1/rooms/{{room4}}/notification-mode {"mode":"none"} -> 200
bob PUT /v1/rooms/{{room4}}/mute {"muted":true} -> 200
ann PUT /v1/rooms/{{room4}}/read {"event_id":"{{event}}"} -> 200
    data.advanced = true
--- store
ZREVRANGE sw:{acme}:r:{{room4}}:events 0 0 WITHSCORES = {{last3}}



=== TEST 17: ... what goes on
--- calls
eve GET /v1/rooms/{{room4}} -> 404 SW_ROOM_NOT_FOUND
eve POST /v1/rooms/{{room4}}/join -> 404 SW_ROOM_NOT_FOUND
cy POST /v1/rooms/{{room4}}/leave -> 200
    data.membership = leave
bob POST /v1/rooms/{{room4}}/leave -> 200
    data.membership = leave
bob GET /v1/rooms/{{room4}} -> 404 SW_ROOM_NOT_FOUND
--- verify_room
{{room4}}



=== TEST 18: ... what goes on
--- calls
ann POST /v1/rooms/{{room4}}/close -> 200
    data.state = closed



=== TEST 19: what is frozen
--- calls
ann POST /v1/rooms {"name":"Engineering","room_type":"public"} -> 201
    save room5: json data.id



=== TEST 20: ... what is frozen
--- calls
ann POST /v1/rooms/{{room5}}/invite {"participant_id":"bob"} -> 200
bob POST /v1/rooms/{{room5}}/join -> 200
ann POST /v1/rooms/{{room5}}/invite {"participant_id":"cy"} -> 200
ann POST /v1/rooms/{{room5}}/ban {"participant_id":"dan"} -> 200
bob POST /v1/rooms/{{room5}}/send {"content":{}} -> 201
    save event2: json data.id
ann POST /v1/rooms/{{room5}}/archive -> 200
--- store
ZREVRANGE sw:{acme}:r:{{room5}}:events 0 0 WITHSCORES -> last4



=== TEST 21: ... what is frozen
--- calls
ann POST /v1/rooms/{{room5}}/ban {"participant_id":"bob"} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room5}}/invite {"participant_id":"eve"} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room5}}/kick {"participant_id":"bob"} -> 409 SW_ROOM_FROZEN
ann PUT /v1/rooms/{{room5}}/name {"name":"x"} -> 409 SW_ROOM_FROZEN
ann PUT /v1/rooms/{{room5}}/members/bob/power-level {"power_level":1} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room5}}/send {"content":{}} -> 409 SW_ROOM_FROZEN
ann PUT /v1/rooms/{{room5}}/topic {"topic":"x"} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room5}}/unban {"participant_id":"dan"} -> 409 SW_ROOM_FROZEN
ann PUT /v1/rooms/{{room5}}/workspace {"workspace_id":"{{ws}}"} -> 409 SW_ROOM_FROZEN
cy POST /v1/rooms/{{room5}}/join -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room5}}/join -> 409 SW_ROOM_FROZEN
--- store
ZREVRANGE sw:{acme}:r:{{room5}}:events 0 0 WITHSCORES = {{last4}}



=== TEST 22: what goes on
--- calls
cy GET /v1/rooms/{{room5}} -> 200
bob GET /v1/rooms/{{room5}}/messages -> 200
    meta.has_more = false
bob GET /v1/rooms/{{room5}}/members -> 200
    data # 3
bob PUT /v1/rooms/{{room5}}/notification-mode {"mode":"none"} -> 200
bob PUT /v1/rooms/{{room5}}/mute {"muted":true} -> 200
ann PUT /v1/rooms/{{room5}}/read {"event_id":"{{event2}}"} -> 200
    data.advanced = true
--- store
ZREVRANGE sw:{acme}:r:{{room5}}:events 0 0 WITHSCORES = {{last4}}



=== TEST 23: ... what goes on
--- calls
eve GET /v1/rooms/{{room5}} -> 404 SW_ROOM_NOT_FOUND
eve POST /v1/rooms/{{room5}}/join -> 404 SW_ROOM_NOT_FOUND
cy POST /v1/rooms/{{room5}}/leave -> 200
    data.membership = leave
bob POST /v1/rooms/{{room5}}/leave -> 200
    data.membership = leave
bob GET /v1/rooms/{{room5}} -> 404 SW_ROOM_NOT_FOUND
--- verify_room
{{room5}}



=== TEST 24: ... what goes on
--- calls
ann POST /v1/rooms/{{room5}}/close -> 200
    data.state = closed



=== TEST 25: what is frozen
--- calls
ann POST /v1/rooms {"room_type":"incognito"} -> 201
    save room6: json data.id



=== TEST 26: ... what is frozen
--- calls
ann POST /v1/rooms/{{room6}}/invite {"participant_id":"bob"} -> 200
bob POST /v1/rooms/{{room6}}/join -> 200
ann POST /v1/rooms/{{room6}}/invite {"participant_id":"cy"} -> 200
ann POST /v1/rooms/{{room6}}/ban {"participant_id":"dan"} -> 200
bob POST /v1/rooms/{{room6}}/send {"content":{}} -> 201
    save event3: json data.id
ann POST /v1/rooms/{{room6}}/archive -> 200
--- store
ZREVRANGE sw:{acme}:r:{{room6}}:events 0 0 WITHSCORES -> last5



=== TEST 27: ... what is frozen
--- calls
ann POST /v1/rooms/{{room6}}/ban {"participant_id":"bob"} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room6}}/invite {"participant_id":"eve"} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room6}}/kick {"participant_id":"bob"} -> 409 SW_ROOM_FROZEN
ann PUT /v1/rooms/{{room6}}/name {"name":"x"} -> 409 SW_ROOM_FROZEN
ann PUT /v1/rooms/{{room6}}/members/bob/power-level {"power_level":1} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room6}}/send {"content":{}} -> 409 SW_ROOM_FROZEN
ann PUT /v1/rooms/{{room6}}/topic {"topic":"x"} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room6}}/unban {"participant_id":"dan"} -> 409 SW_ROOM_FROZEN
ann PUT /v1/rooms/{{room6}}/workspace {"workspace_id":"{{ws}}"} -> 409 SW_ROOM_FROZEN
cy POST /v1/rooms/{{room6}}/join -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room6}}/join -> 409 SW_ROOM_FROZEN
--- store
ZREVRANGE sw:{acme}:r:{{room6}}:events 0 0 WITHSCORES = {{last5}}



=== TEST 28: what goes on
--- calls
cy GET /v1/rooms/{{room6}} -> 200
bob GET /v1/rooms/{{room6}}/messages -> 200
    meta.has_more = false
bob GET /v1/rooms/{{room6}}/members -> 200
    data # 3
bob PUT /v1/rooms/{{room6}}/notification-mode {"mode":"none"} -> 200
bob PUT /v1/rooms/{{room6}}/mute {"muted":true} -> 200
ann PUT /v1/rooms/{{room6}}/read {"event_id":"{{event3}}"} -> 200
    data.advanced = true
--- store
ZREVRANGE sw:{acme}:r:{{room6}}:events 0 0 WITHSCORES = {{last5}}



=== TEST 29: ... what goes on
--- calls
eve GET /v1/rooms/{{room6}} -> 404 SW_ROOM_NOT_FOUND
eve POST /v1/rooms/{{room6}}/join -> 404 SW_ROOM_NOT_FOUND
cy POST /v1/rooms/{{room6}}/leave -> 200
    data.membership = leave
bob POST /v1/rooms/{{room6}}/leave -> 200
    data.membership = leave
bob GET /v1/rooms/{{room6}} -> 404 SW_ROOM_NOT_FOUND
--- verify_room
{{room6}}



=== TEST 30: ... what goes on
--- calls
ann POST /v1/rooms/{{room6}}/close -> 200
    data.state = closed



=== TEST 31: what is frozen
--- calls
ann POST /v1/rooms {"name":"Engineering","room_type":"group"} -> 201
    save room7: json data.id



=== TEST 32: ... what is frozen
--- calls
ann POST /v1/rooms/{{room7}}/invite {"participant_id":"bob"} -> 200
bob POST /v1/rooms/{{room7}}/join -> 200
ann POST /v1/rooms/{{room7}}/invite {"participant_id":"cy"} -> 200
ann POST /v1/rooms/{{room7}}/ban {"participant_id":"dan"} -> 200
bob POST /v1/rooms/{{room7}}/send {"content":{}} -> 201
    save event4: json data.id
ann POST /v1/rooms/{{room7}}/close -> 200
--- store
ZREVRANGE sw:{acme}:r:{{room7}}:events 0 0 WITHSCORES -> last6



=== TEST 33: ... what is frozen
--- calls
ann POST /v1/rooms/{{room7}}/ban {"participant_id":"bob"} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room7}}/invite {"participant_id":"eve"} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room7}}/kick {"participant_id":"bob"} -> 409 SW_ROOM_FROZEN
ann PUT /v1/rooms/{{room7}}/name {"name":"x"} -> 409 SW_ROOM_FROZEN
ann PUT /v1/rooms/{{room7}}/members/bob/power-level {"power_level":1} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room7}}/send {"content":{}} -> 409 SW_ROOM_FROZEN
ann PUT /v1/rooms/{{room7}}/topic {"topic":"x"} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room7}}/unban {"participant_id":"dan"} -> 409 SW_ROOM_FROZEN
ann PUT /v1/rooms/{{room7}}/workspace {"workspace_id":"{{ws}}"} -> 409 SW_ROOM_FROZEN
cy POST /v1/rooms/{{room7}}/join -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room7}}/join -> 409 SW_ROOM_FROZEN
--- store
ZREVRANGE sw:{acme}:r:{{room7}}:events 0 0 WITHSCORES = {{last6}}



=== TEST 34: what goes on
--- calls
cy GET /v1/rooms/{{room7}} -> 200
bob GET /v1/rooms/{{room7}}/messages -> 200
    meta.has_more = false
bob GET /v1/rooms/{{room7}}/members -> 200
    data # 3
bob PUT /v1/rooms/{{room7}}/notification-mode {"mode":"none"} -> 200
bob PUT /v1/rooms/{{room7}}/mute {"muted":true} -> 200
ann PUT /v1/rooms/{{room7}}/read {"event_id":"{{event4}}"} -> 200
    data.advanced = true
--- store
ZREVRANGE sw:{acme}:r:{{room7}}:events 0 0 WITHSCORES = {{last6}}



=== TEST 35: ... what goes on
--- calls
eve GET /v1/rooms/{{room7}} -> 404 SW_ROOM_NOT_FOUND
eve POST /v1/rooms/{{room7}}/join -> 404 SW_ROOM_NOT_FOUND
cy POST /v1/rooms/{{room7}}/leave -> 200
    data.membership = leave
bob POST /v1/rooms/{{room7}}/leave -> 200
    data.membership = leave
bob GET /v1/rooms/{{room7}} -> 404 SW_ROOM_NOT_FOUND
--- verify_room
{{room7}}



=== TEST 36: ... what goes on
--- calls
ann POST /v1/rooms/{{room7}}/close -> 200
    data.state = closed



=== TEST 37: what is frozen
--- calls
ann POST /v1/rooms {"name":"Engineering","room_type":"public"} -> 201
    save room8: json data.id



=== TEST 38: ... what is frozen
--- calls
ann POST /v1/rooms/{{room8}}/invite {"participant_id":"bob"} -> 200
bob POST /v1/rooms/{{room8}}/join -> 200
ann POST /v1/rooms/{{room8}}/invite {"participant_id":"cy"} -> 200
ann POST /v1/rooms/{{room8}}/ban {"participant_id":"dan"} -> 200
bob POST /v1/rooms/{{room8}}/send {"content":{}} -> 201
    save event5: json data.id
ann POST /v1/rooms/{{room8}}/close -> 200
--- store
ZREVRANGE sw:{acme}:r:{{room8}}:events 0 0 WITHSCORES -> last7



=== TEST 39: ... what is frozen
--- calls
ann POST /v1/rooms/{{room8}}/ban {"participant_id":"bob"} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room8}}/invite {"participant_id":"eve"} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room8}}/kick {"participant_id":"bob"} -> 409 SW_ROOM_FROZEN
ann PUT /v1/rooms/{{room8}}/name {"name":"x"} -> 409 SW_ROOM_FROZEN
ann PUT /v1/rooms/{{room8}}/members/bob/power-level {"power_level":1} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room8}}/send {"content":{}} -> 409 SW_ROOM_FROZEN
ann PUT /v1/rooms/{{room8}}/topic {"topic":"x"} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room8}}/unban {"participant_id":"dan"} -> 409 SW_ROOM_FROZEN
ann PUT /v1/rooms/{{room8}}/workspace {"workspace_id":"{{ws}}"} -> 409 SW_ROOM_FROZEN
cy POST /v1/rooms/{{room8}}/join -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room8}}/join -> 409 SW_ROOM_FROZEN
--- store
ZREVRANGE sw:{acme}:r:{{room8}}:events 0 0 WITHSCORES = {{last7}}



=== TEST 40: what goes on
--- calls
cy GET /v1/rooms/{{room8}} -> 200
bob GET /v1/rooms/{{room8}}/messages -> 200
    meta.has_more = false
bob GET /v1/rooms/{{room8}}/members -> 200
    data # 3
bob PUT /v1/rooms/{{room8}}/notification-mode {"mode":"none"} -> 200
bob PUT /v1/rooms/{{room8}}/mute {"muted":true} -> 200
ann PUT /v1/rooms/{{room8}}/read {"event_id":"{{event5}}"} -> 200
    data.advanced = true
--- store
ZREVRANGE sw:{acme}:r:{{room8}}:events 0 0 WITHSCORES = {{last7}}



=== TEST 41: ... what goes on
--- calls
eve GET /v1/rooms/{{room8}} -> 404 SW_ROOM_NOT_FOUND
eve POST /v1/rooms/{{room8}}/join -> 404 SW_ROOM_NOT_FOUND
cy POST /v1/rooms/{{room8}}/leave -> 200
    data.membership = leave
bob POST /v1/rooms/{{room8}}/leave -> 200
    data.membership = leave
bob GET /v1/rooms/{{room8}} -> 404 SW_ROOM_NOT_FOUND
--- verify_room
{{room8}}



=== TEST 42: ... what goes on
--- calls
ann POST /v1/rooms/{{room8}}/close -> 200
    data.state = closed



=== TEST 43: what is frozen
--- calls
ann POST /v1/rooms {"room_type":"incognito"} -> 201
    save room9: json data.id



=== TEST 44: ... what is frozen
--- calls
ann POST /v1/rooms/{{room9}}/invite {"participant_id":"bob"} -> 200
bob POST /v1/rooms/{{room9}}/join -> 200
ann POST /v1/rooms/{{room9}}/invite {"participant_id":"cy"} -> 200
ann POST /v1/rooms/{{room9}}/ban {"participant_id":"dan"} -> 200
bob POST /v1/rooms/{{room9}}/send {"content":{}} -> 201
    save event6: json data.id
ann POST /v1/rooms/{{room9}}/close -> 200
--- store
ZREVRANGE sw:{acme}:r:{{room9}}:events 0 0 WITHSCORES -> last8



=== TEST 45: ... what is frozen
--- calls
ann POST /v1/rooms/{{room9}}/ban {"participant_id":"bob"} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room9}}/invite {"participant_id":"eve"} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room9}}/kick {"participant_id":"bob"} -> 409 SW_ROOM_FROZEN
ann PUT /v1/rooms/{{room9}}/name {"name":"x"} -> 409 SW_ROOM_FROZEN
ann PUT /v1/rooms/{{room9}}/members/bob/power-level {"power_level":1} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room9}}/send {"content":{}} -> 409 SW_ROOM_FROZEN
ann PUT /v1/rooms/{{room9}}/topic {"topic":"x"} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room9}}/unban {"participant_id":"dan"} -> 409 SW_ROOM_FROZEN
ann PUT /v1/rooms/{{room9}}/workspace {"workspace_id":"{{ws}}"} -> 409 SW_ROOM_FROZEN
cy POST /v1/rooms/{{room9}}/join -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room9}}/join -> 409 SW_ROOM_FROZEN
--- store
ZREVRANGE sw:{acme}:r:{{room9}}:events 0 0 WITHSCORES = {{last8}}



=== TEST 46: what goes on
--- calls
cy GET /v1/rooms/{{room9}} -> 200
bob GET /v1/rooms/{{room9}}/messages -> 200
    meta.has_more = false
bob GET /v1/rooms/{{room9}}/members -> 200
    data # 3
bob PUT /v1/rooms/{{room9}}/notification-mode {"mode":"none"} -> 200
bob PUT /v1/rooms/{{room9}}/mute {"muted":true} -> 200
ann PUT /v1/rooms/{{room9}}/read {"event_id":"{{event6}}"} -> 200
    data.advanced = true
--- store
ZREVRANGE sw:{acme}:r:{{room9}}:events 0 0 WITHSCORES = {{last8}}



=== TEST 47: ... what goes on
--- calls
eve GET /v1/rooms/{{room9}} -> 404 SW_ROOM_NOT_FOUND
eve POST /v1/rooms/{{room9}}/join -> 404 SW_ROOM_NOT_FOUND
cy POST /v1/rooms/{{room9}}/leave -> 200
    data.membership = leave
bob POST /v1/rooms/{{room9}}/leave -> 200
    data.membership = leave
bob GET /v1/rooms/{{room9}} -> 404 SW_ROOM_NOT_FOUND
--- verify_room
{{room9}}



=== TEST 48: ... what goes on
--- calls
ann POST /v1/rooms/{{room9}}/close -> 200
    data.state = closed



=== TEST 49: a public room that isn't open is seen by its members alone
--- calls
ann POST /v1/rooms {"name":"Hidden","room_type":"public"} -> 201
    save room10: json data.id



=== TEST 50: ... a public room that isn't open is seen by its members alone
--- calls
bob GET /v1/rooms/{{room10}} -> 200
ann POST /v1/rooms/{{room10}}/archive -> 200
bob GET /v1/rooms/{{room10}} -> 404 SW_ROOM_NOT_FOUND
bob GET /v1/rooms/%23hidden -> 404 SW_ROOM_NOT_FOUND
ann POST /v1/rooms/{{room10}}/rejoin -> 200
bob GET /v1/rooms/{{room10}} -> 200



=== TEST 51: the last member leaves: archived, and theirs to bring back, at 100
--- calls
ann POST /v1/rooms {"name":"Empty","room_type":"public"} -> 201
    save room11: json data.id



=== TEST 52: ... the last member leaves: archived, and theirs to bring back, at 100
--- calls
bob POST /v1/rooms/{{room11}}/join -> 200
ann POST /v1/rooms/{{room11}}/leave -> 200
bob PUT /v1/rooms/{{room11}}/members/bob/power-level {"power_level":100} -> 200
bob POST /v1/rooms/{{room11}}/leave -> 200
    data.membership = leave
--- store
HMGET sw:{acme}:r:{{room11}} state joined admins = archived 0 0



=== TEST 53: ... the last member leaves: archived, and theirs to bring back, at 100
--- calls
bob GET /v1/rooms/{{room11}} -> 200
    data.state = archived
    data.me null
    data.members_count = 0
ann GET /v1/rooms/{{room11}} -> 404 SW_ROOM_NOT_FOUND
cy GET /v1/rooms/{{room11}} -> 404 SW_ROOM_NOT_FOUND
cy! GET /v1/rooms/{{room11}} -> 200
    data.state = archived
bob GET /v1/rooms/{{room11}}/messages -> 403 SW_ROOM_FORBIDDEN
ann POST /v1/rooms/{{room11}}/rejoin -> 404 SW_ROOM_NOT_FOUND
cy POST /v1/rooms/{{room11}}/rejoin -> 404 SW_ROOM_NOT_FOUND
bob POST /v1/rooms/{{room11}}/leave -> 403 SW_ROOM_FORBIDDEN
bob POST /v1/rooms/{{room11}}/rejoin -> 200
    data.state = open
    data.me.membership = join
    data.me.power_level = 100
    data.members_count = 1
bob GET /v1/rooms/{{room11}}/messages?direction=forward&limit=200 -> 200
    data[4].event_type = swp.room.state
--- verify_room
{{room11}}



=== TEST 54: once brought back, the one who left it last has no claim to it any more
--- calls
cy POST /v1/rooms/{{room11}}/join -> 200
bob POST /v1/rooms/{{room11}}/leave -> 200
cy POST /v1/rooms/{{room11}}/archive -> 200
bob GET /v1/rooms/{{room11}} -> 404 SW_ROOM_NOT_FOUND
dan! GET /v1/rooms/{{room11}} -> 404 SW_ROOM_NOT_FOUND
--- verify_room
{{room11}}



=== TEST 55: ... once brought back, the one who left it last has no claim to it any more
--- calls
dan! POST /v1/rooms/{{room11}}/rejoin -> 404 SW_ROOM_NOT_FOUND



=== TEST 56: an archived room that empties; a tenant admin brings it back
--- calls
cy POST /v1/rooms/{{room11}}/leave -> 200
cy GET /v1/rooms/{{room11}} -> 200
    data.state = archived
dan! POST /v1/rooms/{{room11}}/rejoin -> 200
    data.state = open
    data.me.power_level = 100
    data.me.membership = join
cy GET /v1/rooms/{{room11}} -> 200
dan POST /v1/rooms/{{room11}}/leave -> 200
cy GET /v1/rooms/{{room11}} -> 404 SW_ROOM_NOT_FOUND
--- verify_room
{{room11}}



=== TEST 57: unless banned from it
--- calls
ann POST /v1/rooms {"name":"Engineering","room_type":"group"} -> 201
    save room12: json data.id



=== TEST 58: ... unless banned from it
--- calls
ann POST /v1/rooms/{{room12}}/ban {"participant_id":"dan"} -> 200
ann POST /v1/rooms/{{room12}}/leave -> 200
dan! GET /v1/rooms/{{room12}} -> 404 SW_ROOM_NOT_FOUND
dan! POST /v1/rooms/{{room12}}/rejoin -> 404 SW_ROOM_NOT_FOUND
eve! GET /v1/rooms/{{room12}} -> 200



=== TEST 59: kicked out as the last but the kicker: nobody else
--- calls
ann POST /v1/rooms {"name":"Engineering","room_type":"group"} -> 201
    save room13: json data.id



=== TEST 60: ... kicked out as the last but the kicker: nobody else
--- calls
ann POST /v1/rooms/{{room13}}/invite {"participant_id":"bob"} -> 200
bob POST /v1/rooms/{{room13}}/join -> 200
ann POST /v1/rooms/{{room13}}/kick {"participant_id":"bob"} -> 200
ann GET /v1/rooms/{{room13}} -> 200
    data.state = open
    data.members_count = 1



=== TEST 61: a closed room that empties is nobody's
--- calls
ann POST /v1/rooms {"name":"Engineering","room_type":"group"} -> 201
    save room14: json data.id



=== TEST 62: ... a closed room that empties is nobody's
--- calls
ann POST /v1/rooms/{{room14}}/close -> 200
ann POST /v1/rooms/{{room14}}/leave -> 200
ann GET /v1/rooms/{{room14}} -> 404 SW_ROOM_NOT_FOUND
ann! GET /v1/rooms/{{room14}} -> 404 SW_ROOM_NOT_FOUND
--- store
ZSCORE sw:{acme}:p:ann:rooms {{room14}} null



=== TEST 63: rejoining an emptied room takes a seat, whoever is invited
--- calls
ann@seats POST /v1/auth/register -> 200
bob@seats POST /v1/auth/register -> 200
cy@seats POST /v1/auth/register -> 200
ann@seats POST /v1/rooms {"name":"Engineering","room_type":"group"} -> 201
    save room15: json data.id



=== TEST 64: ... rejoining an emptied room takes a seat, whoever is invited
--- calls
ann@seats POST /v1/rooms/{{room15}}/invite {"participant_id":"bob"} -> 200
ann@seats POST /v1/rooms/{{room15}}/invite {"participant_id":"cy"} -> 200
ann@seats POST /v1/rooms/{{room15}}/leave -> 200



=== TEST 65: ... rejoining an emptied room takes a seat, whoever is invited
--- init
RoomsTest::redis('HSET', 'sw:{seats}:tenant', 'max_participants', '2');
--- calls
ann@seats POST /v1/rooms/{{room15}}/rejoin -> 409 SW_ROOM_CAPACITY
cy@seats POST /v1/rooms/{{room15}}/leave -> 200
ann@seats POST /v1/rooms/{{room15}}/rejoin -> 200
    data.invited_count = 1
    data.members_count = 1



=== TEST 66: the creator leaves an incognito room
--- calls
ann POST /v1/rooms {"room_type":"incognito"} -> 201
    save room16: json data.id



=== TEST 67: ... the creator leaves an incognito room
--- calls
ann POST /v1/rooms/{{room16}}/invite {"participant_id":"bob"} -> 200
bob POST /v1/rooms/{{room16}}/join -> 200
ann POST /v1/rooms/{{room16}}/invite {"participant_id":"cy"} -> 200
bob POST /v1/rooms/{{room16}}/send {"content":{"body":"VERY-SECRET-TEXT"},"event_uuid":"u1"} -> 201
    > Idempotency-Key: key-{{room16}}
ann PUT /v1/rooms/{{room16}}/topic {"topic":"SECRET-TOPIC"} -> 200
ann POST /v1/rooms/{{room16}}/leave -> 200
    data.membership = leave
    data.participant_id = ann
--- store
ZCARD sw:{acme}:r:{{room16}}:events = 1
ZRANGE sw:{acme}:r:{{room16}}:events 0 -1 ~ "event_type":"swp\.room\.state"
ZRANGE sw:{acme}:r:{{room16}}:events 0 -1 ~ "state":"closed"
EVAL "{{count_secrets}}" 0 = 0



=== TEST 68: ... of which nothing is left but that it was closed, in no key
--- calls
bob GET /v1/rooms/{{room16}} -> 200
    data.state = closed
bob GET /v1/rooms/{{room16}}/messages -> 200
    data # 1
ann GET /v1/rooms/{{room16}} -> 404 SW_ROOM_NOT_FOUND
cy POST /v1/rooms/{{room16}}/join -> 409 SW_ROOM_FROZEN
bob POST /v1/rooms/{{room16}}/leave -> 200
--- verify_room
{{room16}}



=== TEST 69: ... the creator leaves an incognito room
--- calls
ann POST /v1/rooms {"close_on_leave":true,"room_type":"incognito"} -> 201
    save room17: json data.id



=== TEST 70: ... the creator leaves an incognito room
--- calls
ann POST /v1/rooms/{{room17}}/invite {"participant_id":"bob"} -> 200
bob POST /v1/rooms/{{room17}}/join -> 200
ann POST /v1/rooms/{{room17}}/invite {"participant_id":"cy"} -> 200
bob POST /v1/rooms/{{room17}}/send {"content":{"body":"VERY-SECRET-TEXT"},"event_uuid":"u1"} -> 201
    > Idempotency-Key: key-{{room17}}
ann PUT /v1/rooms/{{room17}}/topic {"topic":"SECRET-TOPIC"} -> 200
ann POST /v1/rooms/{{room17}}/leave -> 200
    data.membership = leave
    data.participant_id = ann
--- store
ZCARD sw:{acme}:r:{{room17}}:events = 1
ZRANGE sw:{acme}:r:{{room17}}:events 0 -1 ~ "event_type":"swp\.room\.state"
ZRANGE sw:{acme}:r:{{room17}}:events 0 -1 ~ "state":"closed"
EVAL "{{count_secrets}}" 0 = 0



=== TEST 71: ... of which nothing is left but that it was closed, in no key
--- calls
bob GET /v1/rooms/{{room17}} -> 200
    data.state = closed
bob GET /v1/rooms/{{room17}}/messages -> 200
    data # 1
ann GET /v1/rooms/{{room17}} -> 404 SW_ROOM_NOT_FOUND
cy POST /v1/rooms/{{room17}}/join -> 409 SW_ROOM_FROZEN
bob POST /v1/rooms/{{room17}}/leave -> 200
--- verify_room
{{room17}}



=== TEST 72: unless it was made otherwise
--- calls
ann POST /v1/rooms {"close_on_leave":false,"room_type":"incognito"} -> 201
    save room18: json data.id



=== TEST 73: ... unless it was made otherwise
--- calls
ann POST /v1/rooms/{{room18}}/invite {"participant_id":"bob"} -> 200
bob POST /v1/rooms/{{room18}}/join -> 200
bob POST /v1/rooms/{{room18}}/send {"content":{"body":"kept"}} -> 201
ann POST /v1/rooms/{{room18}}/leave -> 200
bob GET /v1/rooms/{{room18}} -> 200
    data.state = open
    data.me.power_level = 100
bob GET /v1/rooms/{{room18}}/messages?direction=forward&limit=200 -> 200
    data[3].content.body = kept



=== TEST 74: others leave it as any room
--- calls
ann POST /v1/rooms {"room_type":"incognito"} -> 201
    save room19: json data.id



=== TEST 75: ... others leave it as any room
--- calls
ann POST /v1/rooms/{{room19}}/invite {"participant_id":"bob"} -> 200
bob POST /v1/rooms/{{room19}}/join -> 200
bob POST /v1/rooms/{{room19}}/leave -> 200
ann GET /v1/rooms/{{room19}} -> 200
    data.state = open
    data.members_count = 1



=== TEST 76: a group with that scope is one of them
--- calls
ann POST /v1/rooms {"name":"Engineering","room_type":"group","scope_kind":"incognito"} -> 201
    save room20: json data.id



=== TEST 77: ... a group with that scope is one of them
--- calls
ann POST /v1/rooms/{{room20}}/invite {"participant_id":"bob"} -> 200
bob POST /v1/rooms/{{room20}}/join -> 200
ann POST /v1/rooms/{{room20}}/leave -> 200
bob GET /v1/rooms/{{room20}} -> 200
    data.state = closed



=== TEST 78: other types don't know close_on_leave
--- calls
ann POST /v1/rooms {"close_on_leave":true,"name":"Engineering","room_type":"group"} -> 201
    save room21: json data.id



=== TEST 79: ... other types don't know close_on_leave
--- calls
ann POST /v1/rooms/{{room21}}/invite {"participant_id":"bob"} -> 200
bob POST /v1/rooms/{{room21}}/join -> 200
ann POST /v1/rooms/{{room21}}/leave -> 200
bob GET /v1/rooms/{{room21}} -> 200
    data.state = open
