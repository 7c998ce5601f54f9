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

# how many keys hold a text that is to be gone
save(count_secrets => <<'END' =~ s/\n/ /gr);
local n = 0
for _, key in ipairs(redis.call([[KEYS]], [[*]])) do
    local type = redis.call([[TYPE]], key).ok
    local all = type == [[string]] and { redis.call([[GET]], key) }
                or type == [[hash]] and redis.call([[HVALS]], key)
                or type == [[zset]] and redis.call([[ZRANGE]], key, 0, -1)
                or {}
    for _, value in ipairs(all) do
        if string.find(value, [[SECRET-TEXT]], 1, true) then n = n + 1 end
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
bob,cy,dan,eve,mod,low POST /v1/auth/register -> 200



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
low,cy POST /v1/rooms/{{room}}/archive -> 403 SW_ROOM_FORBIDDEN
eve POST /v1/rooms/{{room}}/archive -> 404 SW_ROOM_NOT_FOUND
mod POST /v1/rooms/{{room}}/archive -> 200
    data.state = archived
    data.id = {{room}}
    data.me.power_level = 50
    data.members_count = 4
--- store
ZREVRANGE sw:{acme}:r:{{room}}:events 0 0 WITHSCORES -> last_event



=== TEST 4: ... who may archive, rejoin and close
--- calls
ann POST /v1/rooms/{{room}}/archive -> 200
    data.state = archived
--- store
ZREVRANGE sw:{acme}:r:{{room}}:events 0 0 WITHSCORES = {{last_event}}



=== TEST 5: ... who may archive, rejoin and close
--- calls
low POST /v1/rooms/{{room}}/<archive|rejoin> -> 403 SW_ROOM_FORBIDDEN
cy POST /v1/rooms/{{room}}/rejoin -> 403 SW_ROOM_FORBIDDEN
eve POST /v1/rooms/{{room}}/rejoin -> 404 SW_ROOM_NOT_FOUND
mod POST /v1/rooms/{{room}}/rejoin -> 200
    data.state = open
    data.me.power_level = 50
    data.room_alias = "#states:rooms.test"
--- store
ZREVRANGE sw:{acme}:r:{{room}}:events 0 0 WITHSCORES -> last_event



=== TEST 6: ... who may archive, rejoin and close
--- calls
ann POST /v1/rooms/{{room}}/rejoin -> 200
    data.state = open
--- store
ZREVRANGE sw:{acme}:r:{{room}}:events 0 0 WITHSCORES = {{last_event}}



=== TEST 7: ... who may archive, rejoin and close
--- calls
mod,cy POST /v1/rooms/{{room}}/close -> 403 SW_ROOM_FORBIDDEN
eve POST /v1/rooms/{{room}}/close -> 404 SW_ROOM_NOT_FOUND
ann POST /v1/rooms/{{room}}/close -> 200
    data.state = closed
    data.room_alias null
--- store
ZREVRANGE sw:{acme}:r:{{room}}:events 0 0 WITHSCORES -> last_event



=== TEST 8: ... who may archive, rejoin and close
--- calls
ann POST /v1/rooms/{{room}}/close -> 200
    data.state = closed
    data.room_alias null
--- store
ZREVRANGE sw:{acme}:r:{{room}}:events 0 0 WITHSCORES = {{last_event}}



=== TEST 9: ... who may archive, rejoin and close
--- calls
bob POST /v1/rooms/{{room}}/close -> 403 SW_ROOM_FORBIDDEN
ann POST /v1/rooms/{{room}}/<rejoin|archive> -> 409 SW_ROOM_FROZEN
ann GET /v1/rooms/%23states -> 404 SW_ROOM_NOT_FOUND
ann GET /v1/rooms/{{room}} -> 200
    data.state = closed
--- verify_room
{{room}}



=== TEST 10: the creator closes whatever their power is; another needs 100
--- calls
ann POST /v1/rooms {"name":"Engineering","room_type":"group"} -> 201
    save two_at_100: json data.id



=== TEST 11: ... the creator closes whatever their power is; another needs 100
--- calls
ann POST /v1/rooms/{{two_at_100}}/invite {"participant_id":"bob"} -> 200
bob POST /v1/rooms/{{two_at_100}}/join -> 200
ann PUT /v1/rooms/{{two_at_100}}/members/bob/power-level {"power_level":100} -> 200
ann POST /v1/rooms/{{two_at_100}}/invite {"participant_id":"mod"} -> 200
mod POST /v1/rooms/{{two_at_100}}/join -> 200
ann PUT /v1/rooms/{{two_at_100}}/members/mod/power-level {"power_level":99} -> 200
ann PUT /v1/rooms/{{two_at_100}}/members/ann/power-level {"power_level":0} -> 200
mod POST /v1/rooms/{{two_at_100}}/close -> 403 SW_ROOM_FORBIDDEN
ann POST /v1/rooms/{{two_at_100}}/archive -> 403 SW_ROOM_FORBIDDEN
ann POST /v1/rooms/{{two_at_100}}/close -> 200
    data.state = closed
ann POST /v1/rooms {"name":"Engineering","room_type":"group"} -> 201
    save bobs_at_100: json data.id



=== TEST 12: ... the creator closes whatever their power is; another needs 100
--- calls
ann POST /v1/rooms/{{bobs_at_100}}/invite {"participant_id":"bob"} -> 200
bob POST /v1/rooms/{{bobs_at_100}}/join -> 200
ann PUT /v1/rooms/{{bobs_at_100}}/members/bob/power-level {"power_level":100} -> 200
bob POST /v1/rooms/{{bobs_at_100}}/archive -> 200
    data.state = archived
bob POST /v1/rooms/{{bobs_at_100}}/close -> 200
    data.state = closed



=== TEST 13: rooms of each type, to be archived and to be closed
--- calls
ann POST /v1/rooms {"name":"Engineering","room_type":"group"} -> 201
    save group: json data.id
ann POST /v1/rooms {"name":"Engineering","room_type":"public"} -> 201
    save public: json data.id
ann POST /v1/rooms {"room_type":"incognito"} -> 201
    save dark: json data.id
ann POST /v1/rooms {"name":"Engineering","room_type":"group"} -> 201
    save closed_group: json data.id
ann POST /v1/rooms {"name":"Engineering","room_type":"public"} -> 201
    save closed_public: json data.id
ann POST /v1/rooms {"room_type":"incognito"} -> 201
    save closed_dark: json data.id



=== TEST 14: ... with bob, cy who is invited, dan who is banned, and a message of bob's
--- calls
ann POST /v1/rooms/<{{group}}|{{public}}|{{dark}}|{{closed_group}}|{{closed_public}}|{{closed_dark}}>/invite {"participant_id":"<bob|cy>"} -> 200
bob POST /v1/rooms/<{{group}}|{{public}}|{{dark}}|{{closed_group}}|{{closed_public}}|{{closed_dark}}>/join -> 200
ann POST /v1/rooms/<{{group}}|{{public}}|{{dark}}|{{closed_group}}|{{closed_public}}|{{closed_dark}}>/ban {"participant_id":"dan"} -> 200
bob POST /v1/rooms/{{group}}/send {"content":{}} -> 201
    save event_of_group: json data.id
bob POST /v1/rooms/{{public}}/send {"content":{}} -> 201
    save event_of_public: json data.id
bob POST /v1/rooms/{{dark}}/send {"content":{}} -> 201
    save event_of_dark: json data.id
bob POST /v1/rooms/{{closed_group}}/send {"content":{}} -> 201
    save event_of_closed_group: json data.id
bob POST /v1/rooms/{{closed_public}}/send {"content":{}} -> 201
    save event_of_closed_public: json data.id
bob POST /v1/rooms/{{closed_dark}}/send {"content":{}} -> 201
    save event_of_closed_dark: json data.id
ann POST /v1/rooms/<{{group}}|{{public}}|{{dark}}>/archive -> 200
ann POST /v1/rooms/<{{closed_group}}|{{closed_public}}|{{closed_dark}}>/close -> 200
--- store
ZREVRANGE sw:{acme}:r:{{group}}:events 0 0 WITHSCORES -> last_of_group
ZREVRANGE sw:{acme}:r:{{public}}:events 0 0 WITHSCORES -> last_of_public
ZREVRANGE sw:{acme}:r:{{dark}}:events 0 0 WITHSCORES -> last_of_dark
ZREVRANGE sw:{acme}:r:{{closed_group}}:events 0 0 WITHSCORES -> last_of_closed_group
ZREVRANGE sw:{acme}:r:{{closed_public}}:events 0 0 WITHSCORES -> last_of_closed_public
ZREVRANGE sw:{acme}:r:{{closed_dark}}:events 0 0 WITHSCORES -> last_of_closed_dark



=== TEST 15: what is frozen: whatever changes the room
--- calls
ann POST /v1/rooms/<{{group}}|{{public}}|{{dark}}|{{closed_group}}|{{closed_public}}|{{closed_dark}}>/<ban|kick> {"participant_id":"bob"} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/<{{group}}|{{public}}|{{dark}}|{{closed_group}}|{{closed_public}}|{{closed_dark}}>/invite {"participant_id":"eve"} -> 409 SW_ROOM_FROZEN
ann PUT /v1/rooms/<{{group}}|{{public}}|{{dark}}|{{closed_group}}|{{closed_public}}|{{closed_dark}}>/name {"name":"x"} -> 409 SW_ROOM_FROZEN
ann PUT /v1/rooms/<{{group}}|{{public}}|{{dark}}|{{closed_group}}|{{closed_public}}|{{closed_dark}}>/members/bob/power-level {"power_level":1} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/<{{group}}|{{public}}|{{dark}}|{{closed_group}}|{{closed_public}}|{{closed_dark}}>/send {"content":{}} -> 409 SW_ROOM_FROZEN
ann PUT /v1/rooms/<{{group}}|{{public}}|{{dark}}|{{closed_group}}|{{closed_public}}|{{closed_dark}}>/topic {"topic":"x"} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/<{{group}}|{{public}}|{{dark}}|{{closed_group}}|{{closed_public}}|{{closed_dark}}>/unban {"participant_id":"dan"} -> 409 SW_ROOM_FROZEN
ann PUT /v1/rooms/<{{group}}|{{public}}|{{dark}}|{{closed_group}}|{{closed_public}}|{{closed_dark}}>/workspace {"workspace_id":"{{ws}}"} -> 409 SW_ROOM_FROZEN
cy,ann POST /v1/rooms/<{{group}}|{{public}}|{{dark}}|{{closed_group}}|{{closed_public}}|{{closed_dark}}>/join -> 409 SW_ROOM_FROZEN
--- store
ZREVRANGE sw:{acme}:r:{{group}}:events 0 0 WITHSCORES = {{last_of_group}}
ZREVRANGE sw:{acme}:r:{{public}}:events 0 0 WITHSCORES = {{last_of_public}}
ZREVRANGE sw:{acme}:r:{{dark}}:events 0 0 WITHSCORES = {{last_of_dark}}
ZREVRANGE sw:{acme}:r:{{closed_group}}:events 0 0 WITHSCORES = {{last_of_closed_group}}
ZREVRANGE sw:{acme}:r:{{closed_public}}:events 0 0 WITHSCORES = {{last_of_closed_public}}
ZREVRANGE sw:{acme}:r:{{closed_dark}}:events 0 0 WITHSCORES = {{last_of_closed_dark}}



=== TEST 16: what goes on: reading, and one's own settings
--- calls
cy GET /v1/rooms/<{{group}}|{{public}}|{{dark}}|{{closed_group}}|{{closed_public}}|{{closed_dark}}> -> 200
bob GET /v1/rooms/<{{group}}|{{public}}|{{dark}}|{{closed_group}}|{{closed_public}}|{{closed_dark}}>/messages -> 200
    meta.has_more = false
bob GET /v1/rooms/<{{group}}|{{public}}|{{dark}}|{{closed_group}}|{{closed_public}}|{{closed_dark}}>/members -> 200
    data # 3
bob PUT /v1/rooms/<{{group}}|{{public}}|{{dark}}|{{closed_group}}|{{closed_public}}|{{closed_dark}}>/notification-mode {"mode":"none"} -> 200
bob PUT /v1/rooms/<{{group}}|{{public}}|{{dark}}|{{closed_group}}|{{closed_public}}|{{closed_dark}}>/mute {"muted":true} -> 200
ann PUT /v1/rooms/{{group}}/read {"event_id":"{{event_of_group}}"} -> 200
    data.advanced = true
ann PUT /v1/rooms/{{public}}/read {"event_id":"{{event_of_public}}"} -> 200
    data.advanced = true
ann PUT /v1/rooms/{{dark}}/read {"event_id":"{{event_of_dark}}"} -> 200
    data.advanced = true
ann PUT /v1/rooms/{{closed_group}}/read {"event_id":"{{event_of_closed_group}}"} -> 200
    data.advanced = true
ann PUT /v1/rooms/{{closed_public}}/read {"event_id":"{{event_of_closed_public}}"} -> 200
    data.advanced = true
ann PUT /v1/rooms/{{closed_dark}}/read {"event_id":"{{event_of_closed_dark}}"} -> 200
    data.advanced = true
--- store
ZREVRANGE sw:{acme}:r:{{group}}:events 0 0 WITHSCORES = {{last_of_group}}
ZREVRANGE sw:{acme}:r:{{public}}:events 0 0 WITHSCORES = {{last_of_public}}
ZREVRANGE sw:{acme}:r:{{dark}}:events 0 0 WITHSCORES = {{last_of_dark}}
ZREVRANGE sw:{acme}:r:{{closed_group}}:events 0 0 WITHSCORES = {{last_of_closed_group}}
ZREVRANGE sw:{acme}:r:{{closed_public}}:events 0 0 WITHSCORES = {{last_of_closed_public}}
ZREVRANGE sw:{acme}:r:{{closed_dark}}:events 0 0 WITHSCORES = {{last_of_closed_dark}}



=== TEST 17: ... leaving and declining; nobody else sees it
--- calls
eve GET /v1/rooms/<{{group}}|{{public}}|{{dark}}|{{closed_group}}|{{closed_public}}|{{closed_dark}}> -> 404 SW_ROOM_NOT_FOUND
eve POST /v1/rooms/<{{group}}|{{public}}|{{dark}}|{{closed_group}}|{{closed_public}}|{{closed_dark}}>/join -> 404 SW_ROOM_NOT_FOUND
cy,bob POST /v1/rooms/<{{group}}|{{public}}|{{dark}}|{{closed_group}}|{{closed_public}}|{{closed_dark}}>/leave -> 200
    data.membership = leave
bob GET /v1/rooms/<{{group}}|{{public}}|{{dark}}|{{closed_group}}|{{closed_public}}|{{closed_dark}}> -> 404 SW_ROOM_NOT_FOUND
--- verify_room
{{group}}
{{public}}
{{dark}}
{{closed_group}}
{{closed_public}}
{{closed_dark}}



=== TEST 18: ... and closing
--- calls
ann POST /v1/rooms/<{{group}}|{{public}}|{{dark}}|{{closed_group}}|{{closed_public}}|{{closed_dark}}>/close -> 200
    data.state = closed



=== TEST 19: a public room that isn't open is seen by its members alone
--- calls
ann POST /v1/rooms {"name":"Hidden","room_type":"public"} -> 201
    save hidden: json data.id



=== TEST 20: ... a public room that isn't open is seen by its members alone
--- calls
bob GET /v1/rooms/{{hidden}} -> 200
ann POST /v1/rooms/{{hidden}}/archive -> 200
bob GET /v1/rooms/<{{hidden}}|%23hidden> -> 404 SW_ROOM_NOT_FOUND
ann POST /v1/rooms/{{hidden}}/rejoin -> 200
bob GET /v1/rooms/{{hidden}} -> 200



=== TEST 21: the last member leaves: archived, and theirs to bring back, at 100
--- calls
ann POST /v1/rooms {"name":"Empty","room_type":"public"} -> 201
    save emptied: json data.id



=== TEST 22: ... the last member leaves: archived, and theirs to bring back, at 100
--- calls
bob POST /v1/rooms/{{emptied}}/join -> 200
ann POST /v1/rooms/{{emptied}}/leave -> 200
bob PUT /v1/rooms/{{emptied}}/members/bob/power-level {"power_level":100} -> 200
bob POST /v1/rooms/{{emptied}}/leave -> 200
    data.membership = leave
--- store
HMGET sw:{acme}:r:{{emptied}} state joined admins = archived 0 0



=== TEST 23: ... the last member leaves: archived, and theirs to bring back, at 100
--- calls
bob GET /v1/rooms/{{emptied}} -> 200
    data.state = archived
    data.me null
    data.members_count = 0
ann,cy GET /v1/rooms/{{emptied}} -> 404 SW_ROOM_NOT_FOUND
cy! GET /v1/rooms/{{emptied}} -> 200
    data.state = archived
bob GET /v1/rooms/{{emptied}}/messages -> 403 SW_ROOM_FORBIDDEN
ann,cy POST /v1/rooms/{{emptied}}/rejoin -> 404 SW_ROOM_NOT_FOUND
bob POST /v1/rooms/{{emptied}}/leave -> 403 SW_ROOM_FORBIDDEN
bob POST /v1/rooms/{{emptied}}/rejoin -> 200
    data.state = open
    data.me.membership = join
    data.me.power_level = 100
    data.members_count = 1
bob GET /v1/rooms/{{emptied}}/messages?direction=forward&limit=200 -> 200
    data[4].event_type = swp.room.state
--- verify_room
{{emptied}}



=== TEST 24: once brought back, the one who left it last has no claim to it any more
--- calls
cy POST /v1/rooms/{{emptied}}/join -> 200
bob POST /v1/rooms/{{emptied}}/leave -> 200
cy POST /v1/rooms/{{emptied}}/archive -> 200
bob,dan! GET /v1/rooms/{{emptied}} -> 404 SW_ROOM_NOT_FOUND
--- verify_room
{{emptied}}



=== TEST 25: ... once brought back, the one who left it last has no claim to it any more
--- calls
dan! POST /v1/rooms/{{emptied}}/rejoin -> 404 SW_ROOM_NOT_FOUND



=== TEST 26: an archived room that empties; a tenant admin brings it back
--- calls
cy POST /v1/rooms/{{emptied}}/leave -> 200
cy GET /v1/rooms/{{emptied}} -> 200
    data.state = archived
dan! POST /v1/rooms/{{emptied}}/rejoin -> 200
    data.state = open
    data.me.power_level = 100
    data.me.membership = join
cy GET /v1/rooms/{{emptied}} -> 200
dan POST /v1/rooms/{{emptied}}/leave -> 200
cy GET /v1/rooms/{{emptied}} -> 404 SW_ROOM_NOT_FOUND
--- verify_room
{{emptied}}



=== TEST 27: unless banned from it
--- calls
ann POST /v1/rooms {"name":"Engineering","room_type":"group"} -> 201
    save left_by_banned: json data.id



=== TEST 28: ... unless banned from it
--- calls
ann POST /v1/rooms/{{left_by_banned}}/ban {"participant_id":"dan"} -> 200
ann POST /v1/rooms/{{left_by_banned}}/leave -> 200
dan! GET /v1/rooms/{{left_by_banned}} -> 404 SW_ROOM_NOT_FOUND
dan! POST /v1/rooms/{{left_by_banned}}/rejoin -> 404 SW_ROOM_NOT_FOUND
eve! GET /v1/rooms/{{left_by_banned}} -> 200



=== TEST 29: kicked out as the last but the kicker: nobody else
--- calls
ann POST /v1/rooms {"name":"Engineering","room_type":"group"} -> 201
    save kicked_out: json data.id



=== TEST 30: ... kicked out as the last but the kicker: nobody else
--- calls
ann POST /v1/rooms/{{kicked_out}}/invite {"participant_id":"bob"} -> 200
bob POST /v1/rooms/{{kicked_out}}/join -> 200
ann POST /v1/rooms/{{kicked_out}}/kick {"participant_id":"bob"} -> 200
ann GET /v1/rooms/{{kicked_out}} -> 200
    data.state = open
    data.members_count = 1



=== TEST 31: a closed room that empties is nobody's
--- calls
ann POST /v1/rooms {"name":"Engineering","room_type":"group"} -> 201
    save closed_empty: json data.id



=== TEST 32: ... a closed room that empties is nobody's
--- calls
ann POST /v1/rooms/{{closed_empty}}/<close|leave> -> 200
ann,ann! GET /v1/rooms/{{closed_empty}} -> 404 SW_ROOM_NOT_FOUND
--- store
ZSCORE sw:{acme}:p:ann:rooms {{closed_empty}} null



=== TEST 33: rejoining an emptied room takes a seat, whoever is invited
--- calls
ann@seats,bob@seats,cy@seats POST /v1/auth/register -> 200
ann@seats POST /v1/rooms {"name":"Engineering","room_type":"group"} -> 201
    save last_seat: json data.id



=== TEST 34: ... rejoining an emptied room takes a seat, whoever is invited
--- calls
ann@seats POST /v1/rooms/{{last_seat}}/invite {"participant_id":<"bob"|"cy">} -> 200
ann@seats POST /v1/rooms/{{last_seat}}/leave -> 200



=== TEST 35: ... rejoining an emptied room takes a seat, whoever is invited
--- init
RoomsTest::redis('HSET', 'sw:{seats}:tenant', 'max_participants', '2');
--- calls
ann@seats POST /v1/rooms/{{last_seat}}/rejoin -> 409 SW_ROOM_CAPACITY
cy@seats POST /v1/rooms/{{last_seat}}/leave -> 200
ann@seats POST /v1/rooms/{{last_seat}}/rejoin -> 200
    data.invited_count = 1
    data.members_count = 1



=== TEST 36: the creator leaves an incognito room
--- calls
ann POST /v1/rooms {"room_type":"incognito","topic":"SECRET-TEXT, too"} -> 201 x2
    > Idempotency-Key: key-dark
    save dark_of_creator: json data.id
--- store
HLEN sw:{acme}:r:{{dark_of_creator}}:answers = 1



=== TEST 37: ... the creator leaves an incognito room
--- calls
ann POST /v1/rooms/{{dark_of_creator}}/invite {"participant_id":"bob"} -> 200
bob POST /v1/rooms/{{dark_of_creator}}/join -> 200
ann POST /v1/rooms/{{dark_of_creator}}/invite {"participant_id":"cy"} -> 200
bob POST /v1/rooms/{{dark_of_creator}}/send {"content":{"body":"VERY-SECRET-TEXT"},"event_uuid":"u1"} -> 201
    > Idempotency-Key: key-{{dark_of_creator}}
ann PUT /v1/rooms/{{dark_of_creator}}/topic {"topic":"SECRET-TOPIC"} -> 200
ann POST /v1/rooms/{{dark_of_creator}}/leave -> 200
    data.membership = leave
    data.participant_id = ann
--- store
ZCARD sw:{acme}:r:{{dark_of_creator}}:events = 1
ZRANGE sw:{acme}:r:{{dark_of_creator}}:events 0 -1 ~ ^\w+ state 
ZRANGE sw:{acme}:r:{{dark_of_creator}}:events 0 -1 ~ "state":"closed"
EXISTS sw:{acme}:r:{{dark_of_creator}}:answers = 0
EVAL "{{count_secrets}}" 0 = 0



=== TEST 38: ... of which nothing is left but that it was closed, in no key
--- calls
bob GET /v1/rooms/{{dark_of_creator}} -> 200
    data.state = closed
bob GET /v1/rooms/{{dark_of_creator}}/messages -> 200
    data # 1
ann GET /v1/rooms/{{dark_of_creator}} -> 404 SW_ROOM_NOT_FOUND
cy POST /v1/rooms/{{dark_of_creator}}/join -> 409 SW_ROOM_FROZEN
bob POST /v1/rooms/{{dark_of_creator}}/leave -> 200
--- verify_room
{{dark_of_creator}}



=== TEST 39: ... the creator leaves an incognito room
--- calls
ann POST /v1/rooms {"close_on_leave":true,"room_type":"incognito"} -> 201
    save dark_with_guest: json data.id



=== TEST 40: ... the creator leaves an incognito room
--- calls
ann POST /v1/rooms/{{dark_with_guest}}/invite {"participant_id":"bob"} -> 200
bob POST /v1/rooms/{{dark_with_guest}}/join -> 200
ann POST /v1/rooms/{{dark_with_guest}}/invite {"participant_id":"cy"} -> 200
bob POST /v1/rooms/{{dark_with_guest}}/send {"content":{"body":"VERY-SECRET-TEXT"},"event_uuid":"u1"} -> 201
    > Idempotency-Key: key-{{dark_with_guest}}
ann PUT /v1/rooms/{{dark_with_guest}}/topic {"topic":"SECRET-TOPIC"} -> 200
ann POST /v1/rooms/{{dark_with_guest}}/leave -> 200
    data.membership = leave
    data.participant_id = ann
--- store
ZCARD sw:{acme}:r:{{dark_with_guest}}:events = 1
ZRANGE sw:{acme}:r:{{dark_with_guest}}:events 0 -1 ~ ^\w+ state 
ZRANGE sw:{acme}:r:{{dark_with_guest}}:events 0 -1 ~ "state":"closed"
EXISTS sw:{acme}:r:{{dark_with_guest}}:answers = 0
EVAL "{{count_secrets}}" 0 = 0



=== TEST 41: ... of which nothing is left but that it was closed, in no key
--- calls
bob GET /v1/rooms/{{dark_with_guest}} -> 200
    data.state = closed
bob GET /v1/rooms/{{dark_with_guest}}/messages -> 200
    data # 1
ann GET /v1/rooms/{{dark_with_guest}} -> 404 SW_ROOM_NOT_FOUND
cy POST /v1/rooms/{{dark_with_guest}}/join -> 409 SW_ROOM_FROZEN
bob POST /v1/rooms/{{dark_with_guest}}/leave -> 200
--- verify_room
{{dark_with_guest}}



=== TEST 42: unless it was made otherwise
--- calls
ann POST /v1/rooms {"close_on_leave":false,"room_type":"incognito"} -> 201
    save dark_that_stays: json data.id



=== TEST 43: ... unless it was made otherwise
--- calls
ann POST /v1/rooms/{{dark_that_stays}}/invite {"participant_id":"bob"} -> 200
bob POST /v1/rooms/{{dark_that_stays}}/join -> 200
bob POST /v1/rooms/{{dark_that_stays}}/send {"content":{"body":"kept"}} -> 201
ann POST /v1/rooms/{{dark_that_stays}}/leave -> 200
bob GET /v1/rooms/{{dark_that_stays}} -> 200
    data.state = open
    data.me.power_level = 100
bob GET /v1/rooms/{{dark_that_stays}}/messages?direction=forward&limit=200 -> 200
    data[3].content.body = kept



=== TEST 44: others leave it as any room
--- calls
ann POST /v1/rooms {"room_type":"incognito"} -> 201
    save dark_of_others: json data.id



=== TEST 45: ... others leave it as any room
--- calls
ann POST /v1/rooms/{{dark_of_others}}/invite {"participant_id":"bob"} -> 200
bob POST /v1/rooms/{{dark_of_others}}/<join|leave> -> 200
ann GET /v1/rooms/{{dark_of_others}} -> 200
    data.state = open
    data.members_count = 1



=== TEST 46: a group with that scope is one of them
--- calls
ann POST /v1/rooms {"name":"Engineering","room_type":"group","scope_kind":"incognito"} -> 201
    save group_in_dark: json data.id



=== TEST 47: ... a group with that scope is one of them
--- calls
ann POST /v1/rooms/{{group_in_dark}}/invite {"participant_id":"bob"} -> 200
bob POST /v1/rooms/{{group_in_dark}}/join -> 200
ann POST /v1/rooms/{{group_in_dark}}/leave -> 200
bob GET /v1/rooms/{{group_in_dark}} -> 200
    data.state = closed



=== TEST 48: other types don't know close_on_leave
--- calls
ann POST /v1/rooms {"close_on_leave":true,"name":"Engineering","room_type":"group"} -> 201
    save plain: json data.id



=== TEST 49: ... other types don't know close_on_leave
--- calls
ann POST /v1/rooms/{{plain}}/invite {"participant_id":"bob"} -> 200
bob POST /v1/rooms/{{plain}}/join -> 200
ann POST /v1/rooms/{{plain}}/leave -> 200
bob GET /v1/rooms/{{plain}} -> 200
    data.state = open
