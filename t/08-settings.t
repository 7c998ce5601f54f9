# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# One's own settings: notification mode, mute, read marker, unread counts.

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

# the time of an event of the room, and the rest of a foreign one's id
save(forged => sub { substr(saved('evt2'), 0, 17) . substr(saved('foreign'), 17) });

no_shuffle();
run_tests();

__DATA__

=== TEST 1: participants exist after their first request
--- calls
ann,bob,cy,dan,eve POST /v1/auth/register -> 200
ann POST /v1/rooms {"name":"Engineering","room_type":"group"} -> 201
    save room: json data.id



=== TEST 2: ... participants exist after their first request
--- calls
ann POST /v1/rooms/{{room}}/invite {"participant_id":"bob"} -> 200
bob POST /v1/rooms/{{room}}/join -> 200
ann POST /v1/rooms/{{room}}/invite {"participant_id":"cy"} -> 200



=== TEST 3: notification mode
--- calls
bob PUT /v1/rooms/{{room}}/notification-mode {"notification_mode":"all"} -> 200
    data # 3
    data.room_id = {{room}}
    data.notification_mode = all
    data.muted_until null
bob GET /v1/rooms/{{room}} -> 200
    save position: json data.last_event_position
    data.me.notification_mode = all
bob PUT /v1/rooms/{{room}}/notification-mode {"mode":"all"} -> 200
    data # 3
    data.room_id = {{room}}
    data.notification_mode = all
    data.muted_until null
bob GET /v1/rooms/{{room}} -> 200
    data.me.notification_mode = all
bob PUT /v1/rooms/{{room}}/notification-mode {"notification_mode":"mentions"} -> 200
    data # 3
    data.room_id = {{room}}
    data.notification_mode = mentions
    data.muted_until null
bob GET /v1/rooms/{{room}} -> 200
    data.me.notification_mode = mentions
bob PUT /v1/rooms/{{room}}/notification-mode {"mode":"mentions"} -> 200
    data # 3
    data.room_id = {{room}}
    data.notification_mode = mentions
    data.muted_until null
bob GET /v1/rooms/{{room}} -> 200
    data.me.notification_mode = mentions
bob PUT /v1/rooms/{{room}}/notification-mode {"notification_mode":"none"} -> 200
    data # 3
    data.room_id = {{room}}
    data.notification_mode = none
    data.muted_until null
bob GET /v1/rooms/{{room}} -> 200
    data.me.notification_mode = none
bob PUT /v1/rooms/{{room}}/notification-mode {"mode":"none"} -> 200
    data # 3
    data.room_id = {{room}}
    data.notification_mode = none
    data.muted_until null
bob GET /v1/rooms/{{room}} -> 200
    data.me.notification_mode = none
bob PUT /v1/rooms/{{room}}/notification-mode {"notification_mode":"inherit"} -> 200
    data # 3
    data.room_id = {{room}}
    data.notification_mode = inherit
    data.muted_until null
bob GET /v1/rooms/{{room}} -> 200
    data.me.notification_mode = inherit
bob PUT /v1/rooms/{{room}}/notification-mode {"mode":"inherit"} -> 200
    data # 3
    data.room_id = {{room}}
    data.notification_mode = inherit
    data.muted_until null
bob GET /v1/rooms/{{room}} -> 200
    data.me.notification_mode = inherit
bob PUT /v1/rooms/{{room}}/notification-mode {"mode":"none","notification_mode":"all"} -> 200
    data.notification_mode = all
ann GET /v1/rooms/{{room}} -> 200
    data.me.notification_mode = inherit
bob GET /v1/rooms/{{room}}/members?limit=1000 -> 200
    data[participant_id=bob].notification_mode = all
ann GET /v1/rooms/{{room}}/members?limit=1000 -> 200
    data[participant_id=bob].power_level = 0
    data[participant_id=bob].notification_mode !
bob PUT /v1/rooms/{{room}}/notification-mode {<|"mode":"loud"|"mode":""|"mode":"ALL"|"notification_mode":null|"notification_mode":1>} -> 400 SW_VALIDATION_FAILED
bob PUT /v1/rooms/{{room}}/notification-mode {"notification_mode":["all"]} -> 400 SW_VALIDATION_FAILED
bob PUT /v1/rooms/{{room}}/notification-mode {"mode":"x"} -> 400 SW_VALIDATION_FAILED mode
bob PUT /v1/rooms/{{room}}/notification-mode {"notification_mode":"x"} -> 400 SW_VALIDATION_FAILED notification_mode
bob GET /v1/rooms/{{room}} -> 200
    data.me.notification_mode = all



=== TEST 4: mute: four forms
--- calls
bob PUT /v1/rooms/{{room}}/mute {"muted_until":"2099-12-31T23:59:59.000Z"} -> 200
    save muted_until: json data.muted_until
    data # 3
    data.muted_until = "2099-12-31T23:59:59.000Z"
    data.notification_mode = all
    data.room_id = {{room}}
bob GET /v1/rooms/{{room}} -> 200
    save muted_until_in_room: json data.me.muted_until
    data.me.muted_until = {{muted_until}}
bob GET /v1/rooms/{{room}}/members?limit=1000 -> 200
    data[1].muted_until = {{muted_until_in_room}}
ann GET /v1/rooms/{{room}}/members?limit=1000 -> 200
    data[participant_id=bob].power_level = 0
    data[participant_id=bob].muted_until !
ann GET /v1/rooms/{{room}} -> 200
    data.me.muted_until null
bob PUT /v1/rooms/{{room}}/mute {"muted_until":"2099-12-31T23:59:59.5+01:00"} -> 200
    data.muted_until = "2099-12-31T22:59:59.500Z"
bob PUT /v1/rooms/{{room}}/mute {"muted":false} -> 200
    data.muted_until null
bob GET /v1/rooms/{{room}} -> 200
    data.me.muted_until null
bob PUT /v1/rooms/{{room}}/mute {"duration":3600} -> 200
    data.muted_until ~ ^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$
bob PUT /v1/rooms/{{room}}/mute {"muted":true} -> 200
    data.muted_until ~ ^9999-|^[3-9]\d{3}-
bob PUT /v1/rooms/{{room}}/mute {"muted":false} -> 200
    data.muted_until null



=== TEST 5: an expired mute reads as none
--- calls
bob PUT /v1/rooms/{{room}}/mute {"muted_until":"2001-01-01T00:00:00Z"} -> 200
    data.muted_until null
bob GET /v1/rooms/{{room}} -> 200
    data.me.muted_until null
bob GET /v1/rooms/{{room}} -> 200
    data.me.notification_mode = all
bob PUT /v1/rooms/{{room}}/mute {<|"muted_until":"soon"|"muted_until":"2099-02-30T00:00:00Z"|"muted_until":"2099-01-01">} -> 400 SW_VALIDATION_FAILED muted_until
bob PUT /v1/rooms/{{room}}/mute {"muted_until":<"2099-01-01T00:00:00"|4102444800|"">} -> 400 SW_VALIDATION_FAILED muted_until
bob PUT /v1/rooms/{{room}}/mute {"duration":<0|-1|1.5|"60"|9e+15|5,"muted_until":"2099-12-31T23:59:59.000Z">} -> 400 SW_VALIDATION_FAILED duration
bob PUT /v1/rooms/{{room}}/mute {<"muted":1|"muted":"true"|"duration":5,"muted":false>} -> 400 SW_VALIDATION_FAILED muted



=== TEST 6: joined members only
--- calls
cy PUT /v1/rooms/{{room}}/notification-mode {"mode":"all"} -> 403 SW_ROOM_FORBIDDEN
dan PUT /v1/rooms/{{room}}/notification-mode {"mode":"all"} -> 404 SW_ROOM_NOT_FOUND
cy PUT /v1/rooms/{{room}}/mute {"muted":true} -> 403 SW_ROOM_FORBIDDEN
dan PUT /v1/rooms/{{room}}/mute {"muted":true} -> 404 SW_ROOM_NOT_FOUND
cy PUT /v1/rooms/{{room}}/read {"event_id":"evt-x"} -> 403 SW_ROOM_FORBIDDEN
dan PUT /v1/rooms/{{room}}/read {"event_id":"evt-x"} -> 404 SW_ROOM_NOT_FOUND
--- store
GET sw:{acme}:position = {{position}}



=== TEST 7: the read marker
--- calls
ann POST /v1/rooms/{{room}}/send {"content":{"n":1}} -> 201
    save evt2: json data.id
ann POST /v1/rooms/{{room}}/send {"content":{"n":2}} -> 201
    save evt: json data.id
    save position2: json data.stream_position
ann POST /v1/rooms/{{room}}/send {"content":{"n":3}} -> 201
ann POST /v1/rooms/{{room}}/send {"content":{"n":4}} -> 201
    save evt5: json data.id
ann POST /v1/rooms/{{room}}/send {"content":{"n":5}} -> 201
    save evt3: json data.id
bob GET /v1/rooms/{{room}} -> 200
    data.me.unread_count = 5
bob GET /v1/rooms/{{room}} -> 200
    data.me.last_read_event_id null



=== TEST 8: ... the read marker
--- calls
bob PUT /v1/rooms/{{room}}/read {"event_id":"{{evt}}"} -> 200
    data # 4
    data.event_id = {{evt}}
    data.stream_position = {{position2}}
    data.unread_count = 3
    data.advanced = true
bob GET /v1/rooms/{{room}} -> 200
    data.me.last_read_event_id = {{evt}}
    data.me.unread_count = 3
bob GET /v1/directory/rooms -> 200
    data[0].me.unread_count = 3



=== TEST 9: never back
--- calls
bob PUT /v1/rooms/{{room}}/read {"event_id":"<{{evt2}}|{{evt}}>"} -> 200
    data.event_id = {{evt}}
    data.unread_count = 3
    data.stream_position = {{position2}}
    data.advanced = false
bob GET /v1/rooms/{{room}} -> 200
    data.me.last_read_event_id = {{evt}}
bob PUT /v1/rooms/{{room}}/read {"event_id":"{{evt3}}"} -> 200
    data.unread_count = 0
    data.advanced = true
ann GET /v1/rooms/{{room}}/messages?direction=forward&limit=200 -> 200
    data # 9
--- store
ZCARD sw:{acme}:r:{{room}}:events = 9



=== TEST 10: any event may be read, not only messages
--- calls
ann PUT /v1/rooms/{{room}}/topic {"topic":"T"} -> 200
bob GET /v1/rooms/{{room}}/messages?limit=1 -> 200
    save topic_evt: json data[0].id
bob GET /v1/rooms/{{room}} -> 200
    data.me.unread_count = 0



=== TEST 11: ... any event may be read, not only messages
--- calls
bob PUT /v1/rooms/{{room}}/read {"event_id":"{{topic_evt}}"} -> 200
    data.unread_count = 0
    data.advanced = true



=== TEST 12: unknown events
--- calls
ann POST /v1/rooms {"name":"Elsewhere","room_type":"group"} -> 201
    save elsewhere: json data.id



=== TEST 13: ... unknown events
--- calls
ann POST /v1/rooms/{{elsewhere}}/send {"content":{}} -> 201
    save foreign: json data.id
bob PUT /v1/rooms/{{room}}/read {"event_id":<"evt-x"|"x"|""|"{{room}}">} -> 404 SW_EVENT_NOT_FOUND



=== TEST 14: ... unknown events
--- calls
bob PUT /v1/rooms/{{room}}/read {"event_id":<"{{foreign}}"|"{{forged}}"|"{{uc:evt2}}"|"evt-fffffffffffffffffffffffffffff">} -> 404 SW_EVENT_NOT_FOUND
bob PUT /v1/rooms/{{room}}/read {"event_id":<"{{evt2}}0"|"evt-00000000000000000000000000000">} -> 404 SW_EVENT_NOT_FOUND
bob PUT /v1/rooms/{{room}}/read {<|"event_id":null|"event_id":5|"event_id":["{{evt2}}"]>} -> 400 SW_VALIDATION_FAILED event_id



=== TEST 15: what was before the join is not unread
--- calls
ann POST /v1/rooms/{{room}}/send {"content":{}} -> 201
ann POST /v1/rooms/{{room}}/send {"content":{}} -> 201
ann POST /v1/rooms/{{room}}/send {"content":{}} -> 201
cy POST /v1/rooms/{{room}}/join -> 200
cy GET /v1/rooms/{{room}} -> 200
    data.me.unread_count = 0
ann POST /v1/rooms/{{room}}/send {"content":{}} -> 201
    save evt4: json data.id
ann POST /v1/rooms/{{room}}/send {"content":{}} -> 201
cy GET /v1/rooms/{{room}} -> 200
    data.me.unread_count = 2
cy GET /v1/rooms/{{room}}/messages?direction=forward&limit=200 -> 200
cy PUT /v1/rooms/{{room}}/read {"event_id":"{{evt2}}"} -> 200
    data.advanced = true
    data.unread_count = 2
cy GET /v1/rooms/{{room}} -> 200
    data.me.unread_count = 2
cy GET /v1/rooms/{{room}} -> 200
    data.me.last_read_event_id = {{evt2}}



=== TEST 16: ... what was before the join is not unread
--- calls
cy PUT /v1/rooms/{{room}}/read {"event_id":"{{evt4}}"} -> 200
    data.advanced = true
    data.unread_count = 1
cy PUT /v1/rooms/{{room}}/read {"event_id":"{{evt5}}"} -> 200
    data.advanced = false
    data.unread_count = 1



=== TEST 17: one's own messages: bob counts them as others do
--- calls
bob GET /v1/rooms/{{room}} -> 200
    data.me.unread_count = 5



=== TEST 18: many markers at one place don't count as messages
--- calls
ann POST /v1/rooms/{{room}}/invite {"participant_id":"dan"} -> 200
dan POST /v1/rooms/{{room}}/join -> 200
ann POST /v1/rooms/{{room}}/invite {"participant_id":"eve"} -> 200
eve POST /v1/rooms/{{room}}/join -> 200
ann POST /v1/rooms/{{room}}/send {"content":{}} -> 201
    save evt6: json data.id
ann GET /v1/rooms/{{room}}/messages?limit=1 -> 200



=== TEST 19: ... many markers at one place don't count as messages
--- calls
bob,cy,dan PUT /v1/rooms/{{room}}/read {"event_id":"{{evt6}}"} -> 200
bob,cy,dan GET /v1/rooms/{{room}} -> 200
    data.me.unread_count = 0
eve GET /v1/rooms/{{room}} -> 200
    data.me.unread_count = 1
ann POST /v1/rooms/{{room}}/send {"content":{}} -> 201
bob,cy,dan GET /v1/rooms/{{room}} -> 200
    data.me.unread_count = 1
eve GET /v1/rooms/{{room}} -> 200
    data.me.unread_count = 2
eve PUT /v1/rooms/{{room}}/read {"event_id":"{{evt6}}"} -> 200
    data.unread_count = 1



=== TEST 20: settings end with the membership
--- calls
eve PUT /v1/rooms/{{room}}/mute {"muted":true} -> 200
eve PUT /v1/rooms/{{room}}/notification-mode {"mode":"none"} -> 200
eve POST /v1/rooms/{{room}}/leave -> 200
--- store
HMGET sw:{acme}:r:{{room}}:own "mode eve" "mute eve" "read eve" = null null null



=== TEST 21: ... and a new one begins anew
--- calls
ann POST /v1/rooms/{{room}}/invite {"participant_id":"eve"} -> 200
eve POST /v1/rooms/{{room}}/join -> 200
eve GET /v1/rooms/{{room}} -> 200
    data.me = {"membership":"join","power_level":0,"notification_mode":"inherit","effective_notification_mode":"mentions","muted_until":null,"last_read_event_id":null,"unread_count":0}
ann POST /v1/rooms/{{room}}/send {"content":{}} -> 201
    save evt7: json data.id
eve GET /v1/rooms/{{room}} -> 200
    data.me.unread_count = 1



=== TEST 22: who leaves takes their marker along
--- calls
bob GET /v1/rooms/{{room}} -> 200
eve GET /v1/rooms/{{room}}/messages?limit=1 -> 200
eve PUT /v1/rooms/{{room}}/read {"event_id":"{{evt7}}"} -> 200
eve POST /v1/rooms/{{room}}/leave -> 200
bob GET /v1/rooms/{{room}} -> 200
    data.me.unread_count = 2
