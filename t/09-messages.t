# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# POST send and GET messages

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

# seconds of Unix, with some for a slow machine; and where an id says the time
save(began => time() - 30, by_then => sub { time() + 30 },
     place => sub { hex substr saved('evt1'), 4, 13 },
     other => sub { saved('evt9') =~ s/(.)$/$1 eq '0' ? 1 : 0/er });

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
ann POST /v1/rooms {"name":"Engineering","room_type":"group"} -> 201
    save room: json data.id



=== TEST 2: ... participants exist after their first request
--- calls
ann POST /v1/rooms/{{room}}/invite {"participant_id":"bob"} -> 200
bob POST /v1/rooms/{{room}}/join -> 200
ann POST /v1/rooms/{{room}}/invite {"participant_id":"cy"} -> 200



=== TEST 3: an event
--- calls
bob POST /v1/rooms/{{room}}/send {"content":{"body":"hi"}} -> 201
    save sent_fields: "data":\{(.*)\}\}$
    save evt1: json data.id
    data.origin_ts >= {{began}}
    data.origin_ts <= {{by_then}}
    save position: json data.stream_position
    data # 10
    data.id ~ ^evt-[0-9a-f]{29}$
    data.room_id = {{room}}
    data.sender_id = bob
    data.event_type = swp.room.message
    data.content = {"body":"hi"}
    data.stream_position : number
    data.origin_ts : number
    data.created_at ~ ^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$
    data.edited_at null
    data.redacted_at null
    data.do_not_index !
ann GET /v1/rooms/{{room}}/messages?limit=1 -> 200
    ~ {{sent_fields}},"reactions":\[\]
    data[0].stream_position = {{position}}
    data[0].stream_position = {{place}}
ann GET /v1/rooms/{{room}} -> 200
    data.last_event_position = {{position}}
--- store
GET sw:{acme}:position = {{position}}



=== TEST 4: who may
--- calls
cy POST /v1/rooms/{{room}}/send {"content":{}} -> 403 SW_ROOM_FORBIDDEN
dan POST /v1/rooms/{{room}}/send {"content":{}} -> 404 SW_ROOM_NOT_FOUND
bob@other POST /v1/rooms/{{room}}/send {"content":{}} -> 404 SW_ROOM_NOT_FOUND
bob POST /v1/rooms/x/send {"content":{}} -> 404 SW_ROOM_NOT_FOUND
bob GET /v1/rooms/x/messages -> 404 SW_ROOM_NOT_FOUND
bob POST /v1/rooms/room-/send {"content":{}} -> 404 SW_ROOM_NOT_FOUND
bob GET /v1/rooms/room-/messages -> 404 SW_ROOM_NOT_FOUND
bob POST /v1/rooms/room-00000000000000000000000000/send {"content":{}} -> 404 SW_ROOM_NOT_FOUND
bob GET /v1/rooms/room-00000000000000000000000000/messages -> 404 SW_ROOM_NOT_FOUND
bob POST /v1/rooms/ws-x/send {"content":{}} -> 404 SW_ROOM_NOT_FOUND
bob GET /v1/rooms/ws-x/messages -> 404 SW_ROOM_NOT_FOUND
bob POST /v1/rooms/{{room}}x/send {"content":{}} -> 404 SW_ROOM_NOT_FOUND
bob GET /v1/rooms/{{room}}x/messages -> 404 SW_ROOM_NOT_FOUND
bob POST /v1/rooms/{{uc:room}}/send {"content":{}} -> 404 SW_ROOM_NOT_FOUND
bob GET /v1/rooms/{{uc:room}}/messages -> 404 SW_ROOM_NOT_FOUND
ann POST /v1/rooms {"name":"Public","room_type":"public"} -> 201
    save public: json data.id



=== TEST 5: ... who may
--- calls
dan POST /v1/rooms/{{public}}/send {"content":{}} -> 403 SW_ROOM_FORBIDDEN
dan GET /v1/rooms/{{public}}/messages -> 403 SW_ROOM_FORBIDDEN



=== TEST 6: what is not valid
--- calls
bob POST /v1/rooms/{{room}}/send {} -> 400 SW_VALIDATION_FAILED content
bob POST /v1/rooms/{{room}}/send {"content":null} -> 400 SW_VALIDATION_FAILED content
bob POST /v1/rooms/{{room}}/send {"content":"text"} -> 400 SW_VALIDATION_FAILED content
bob POST /v1/rooms/{{room}}/send {"content":[]} -> 400 SW_VALIDATION_FAILED content
bob POST /v1/rooms/{{room}}/send {"content":1} -> 400 SW_VALIDATION_FAILED content
bob POST /v1/rooms/{{room}}/send {"content":true} -> 400 SW_VALIDATION_FAILED content
bob POST /v1/rooms/{{room}}/send {"content":{"a":1,"a":2}} -> 400 SW_VALIDATION_FAILED content
bob POST /v1/rooms/{{room}}/send {"content":{"a":"\u0000"}} -> 400 SW_VALIDATION_FAILED content
bob POST /v1/rooms/{{room}}/send {"content":{"a":"{{\xff}}"}} -> 400 SW_VALIDATION_FAILED content
bob POST /v1/rooms/{{room}}/send {"content":{"a":"\ud800"}} -> 400 SW_VALIDATION_FAILED content
bob POST /v1/rooms/{{room}}/send {"content":{"a":1e999}} -> 400 SW_VALIDATION_FAILED content
bob POST /v1/rooms/{{room}}/send {"content":{"a":01}} -> 400 SW_VALIDATION_FAILED content
bob POST /v1/rooms/{{room}}/send {"content":{"a":NaN}} -> 400 SW_VALIDATION_FAILED content
bob POST /v1/rooms/{{room}}/send {"content":{"a":"{{\x0a}}"}} -> 400 SW_VALIDATION_FAILED content
bob POST /v1/rooms/{{room}}/send {"content":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":1{{}*3001}} -> 400 SW_VALIDATION_FAILED content
bob POST /v1/rooms/{{room}}/send {"content":{},"event_uuid":""} -> 400 SW_VALIDATION_FAILED event_uuid
bob POST /v1/rooms/{{room}}/send {"content":{},"event_uuid":"a b"} -> 400 SW_VALIDATION_FAILED event_uuid
bob POST /v1/rooms/{{room}}/send {"content":{},"event_uuid":"{{x*129}}"} -> 400 SW_VALIDATION_FAILED event_uuid
bob POST /v1/rooms/{{room}}/send {"content":{},"event_uuid":"a\u007f"} -> 400 SW_VALIDATION_FAILED event_uuid
bob POST /v1/rooms/{{room}}/send {"content":{},"event_uuid":"é"} -> 400 SW_VALIDATION_FAILED event_uuid
bob POST /v1/rooms/{{room}}/send {"content":{},"event_uuid":1} -> 400 SW_VALIDATION_FAILED event_uuid
bob POST /v1/rooms/{{room}}/send {"content":{},"event_uuid":true} -> 400 SW_VALIDATION_FAILED event_uuid
bob POST /v1/rooms/{{room}}/send {"content":{},"event_uuid":{}} -> 400 SW_VALIDATION_FAILED event_uuid



=== TEST 7: content is kept as it was written, but for white space between its tokens
--- calls
bob POST /v1/rooms/{{room}}/send {"content":{}} -> 201
    ~ "content":\{},"origin_ts"
ann GET /v1/rooms/{{room}}/messages?limit=1 -> 200
    ~ "content":\{},"origin_ts"
bob POST /v1/rooms/{{room}}/send {"content":{"a":1.10,"b":1e5,"c":-0.0,"d":1E+2}} -> 201
    ~ "content":\{"a":1\.10,"b":1e5,"c":-0\.0,"d":1E\+2},"origin_ts"
ann GET /v1/rooms/{{room}}/messages?limit=1 -> 200
    ~ "content":\{"a":1\.10,"b":1e5,"c":-0\.0,"d":1E\+2},"origin_ts"
bob POST /v1/rooms/{{room}}/send {"content":{"big":123456789012345678,"neg":-9007199254740993}} -> 201
    ~ "content":\{"big":123456789012345678,"neg":-9007199254740993},"origin_ts"
ann GET /v1/rooms/{{room}}/messages?limit=1 -> 200
    ~ "content":\{"big":123456789012345678,"neg":-9007199254740993},"origin_ts"
bob POST /v1/rooms/{{room}}/send {"content":{"z":1,"a":2,"m":{"z":1,"a":2}}} -> 201
    ~ "content":\{"z":1,"a":2,"m":\{"z":1,"a":2}},"origin_ts"
ann GET /v1/rooms/{{room}}/messages?limit=1 -> 200
    ~ "content":\{"z":1,"a":2,"m":\{"z":1,"a":2}},"origin_ts"
bob POST /v1/rooms/{{room}}/send {"content":{"s":"a  b\n\u00e9\/\"","t":"\ud83d\ude00"}} -> 201
    ~ "content":\{"s":"a  b\\n\\u00e9\\/\\"","t":"\\ud83d\\ude00"},"origin_ts"
ann GET /v1/rooms/{{room}}/messages?limit=1 -> 200
    ~ "content":\{"s":"a  b\\n\\u00e9\\/\\"","t":"\\ud83d\\ude00"},"origin_ts"
bob POST /v1/rooms/{{room}}/send {"content":{"e":"é😀"}} -> 201
    ~ "content":\{"e":"é😀"},"origin_ts"
ann GET /v1/rooms/{{room}}/messages?limit=1 -> 200
    ~ "content":\{"e":"é😀"},"origin_ts"
bob POST /v1/rooms/{{room}}/send {"content":{"x":[],"y":[{}],"n":null,"t":true,"f":false}} -> 201
    ~ "content":\{"x":\[\],"y":\[\{}\],"n":null,"t":true,"f":false},"origin_ts"
ann GET /v1/rooms/{{room}}/messages?limit=1 -> 200
    ~ "content":\{"x":\[\],"y":\[\{}\],"n":null,"t":true,"f":false},"origin_ts"
bob POST /v1/rooms/{{room}}/send {"content":{ "a" :{{\x09}}1 ,{{\x0a}}"b":[ 1 , 2 ] }} -> 201
    ~ "content":\{"a":1,"b":\[1,2\]},"origin_ts"
ann GET /v1/rooms/{{room}}/messages?limit=1 -> 200
    ~ "content":\{"a":1,"b":\[1,2\]},"origin_ts"
bob POST /v1/rooms/{{room}}/send {"content":{"content":{"content":1},"event_uuid":"x"}} -> 201
    ~ "content":\{"content":\{"content":1},"event_uuid":"x"},"origin_ts"
ann GET /v1/rooms/{{room}}/messages?limit=1 -> 200
    ~ "content":\{"content":\{"content":1},"event_uuid":"x"},"origin_ts"
bob POST /v1/rooms/{{room}}/send {"content":{"":"empty key"}} -> 201
    ~ "content":\{"":"empty key"},"origin_ts"
ann GET /v1/rooms/{{room}}/messages?limit=1 -> 200
    ~ "content":\{"":"empty key"},"origin_ts"
bob POST /v1/rooms/{{room}}/send {"content":{"a":"{\"content\":{}}"}} -> 201
    ~ "content":\{"a":"\{\\"content\\":\{}}"},"origin_ts"
ann GET /v1/rooms/{{room}}/messages?limit=1 -> 200
    ~ "content":\{"a":"\{\\"content\\":\{}}"},"origin_ts"



=== TEST 8: other members of the body, before and behind, are not mistaken for it
--- calls
bob POST /v1/rooms/{{room}}/send {"x":{"content":{"no":1}},"content":{"yes":1}} -> 201
    data.content = {"yes":1}
bob POST /v1/rooms/{{room}}/send {"y":"\"content\":{}","content":{"yes":1},"z":[{"content":2}]} -> 201
    data.content = {"yes":1}
bob POST /v1/rooms/{{room}}/send {"\u0063ontent":{"yes":1}} -> 201
    data.content = {"yes":1}
bob POST /v1/rooms/{{room}}/send {{\x20}}{"event_uuid":null , "content" : {"yes":1} }{{\x20}} -> 201
    data.content = {"yes":1}



=== TEST 9: 64 KiB of content, and one byte more; white space doesn't count
--- calls
bob POST /v1/rooms/{{room}}/send {"content":{"a":"{{x*65528}}"}} -> 201
bob POST /v1/rooms/{{room}}/send {"content":{"a":"{{x*65529}}"}} -> 413 SW_CONTENT_TOO_LARGE content
bob POST /v1/rooms/{{room}}/send {"content": {  "a"  :  "{{x*65528}}"  }  } -> 201
ann GET /v1/rooms/{{room}}/messages?limit=1 -> 200
    data[0].content.a = {{x*65528}}
bob POST /v1/rooms/{{room}}/send {"content":{"a":"{{x*131072}}"}} -> 413 SW_PAYLOAD_TOO_LARGE



=== TEST 10: event_uuid: a replay returns the first
--- calls
bob POST /v1/rooms/{{room}}/send {"content":{"n":1},"event_uuid":"u-1"} -> 201
    save replayed: ^(.*)$
    save evt: json data.id
    save position2: json data.stream_position
bob POST /v1/rooms/{{room}}/send {"content":{"n":2},"event_uuid":"u-1"} -> 201
    data.id = {{evt}}
    data.content.n = 1
--- store
GET sw:{acme}:position = {{position2}}



=== TEST 11: ... event_uuid: a replay returns the first
--- calls
bob POST /v1/rooms/{{room}}/send {"content":{"n":3},"event_uuid":"u-1"} -> 201
    ~ ^{{replayed}}$
ann POST /v1/rooms/{{room}}/send {"content":{"n":4},"event_uuid":"u-1"} -> 201
    data.id != {{evt}}
bob POST /v1/rooms {"name":"Two","room_type":"group"} -> 201
    save room2: json data.id



=== TEST 12: ... event_uuid: a replay returns the first
--- calls
bob POST /v1/rooms/{{room2}}/send {"content":{"n":5},"event_uuid":"u-1"} -> 201
    data.id != {{evt}}
bob POST /v1/rooms/{{room}}/send {"content":{},"event_uuid":"{{x*128}}"} -> 201
bob POST /v1/rooms/{{room}}/send {"content":{},"event_uuid":null} -> 201
    save first: json data.id
bob POST /v1/rooms/{{room}}/send {"content":{},"event_uuid":null} -> 201
    data.id != {{first}}
bob POST /v1/rooms/{{room2}}/archive {} -> 200
bob POST /v1/rooms/{{room2}}/send {"content":{"n":6},"event_uuid":"u-1"} -> 201
    data.content.n = 5
bob POST /v1/rooms/{{room2}}/send {"content":{"n":6},"event_uuid":"u-2"} -> 409 SW_ROOM_FROZEN



=== TEST 13: replays tell nothing to who is out of the room
--- calls
ann POST /v1/rooms/{{room}}/kick {"participant_id":"bob"} -> 200
bob POST /v1/rooms/{{room}}/send {"content":{},"event_uuid":"u-1"} -> 404 SW_ROOM_NOT_FOUND



=== TEST 14: paging
--- calls
ann POST /v1/rooms {"name":"Log","room_type":"group"} -> 201
    save log: json data.id
    save log2: json data.last_event_position



=== TEST 15: ... paging
--- calls
ann POST /v1/rooms/{{log}}/send {"content":{"n":1}} -> 201
    save evt3: json data.id
    save position3: json data.stream_position
ann POST /v1/rooms/{{log}}/send {"content":{"n":2}} -> 201
    save evt4: json data.id
    save position4: json data.stream_position
ann POST /v1/rooms/{{log}}/send {"content":{"n":3}} -> 201
    save evt5: json data.id
    save position5: json data.stream_position
ann POST /v1/rooms/{{log}}/send {"content":{"n":4}} -> 201
    save evt6: json data.id
    save position6: json data.stream_position
ann POST /v1/rooms/{{log}}/send {"content":{"n":5}} -> 201
    save evt7: json data.id
    save position7: json data.stream_position
ann POST /v1/rooms/{{log}}/send {"content":{"n":6}} -> 201
    save evt8: json data.id
    save position8: json data.stream_position
ann POST /v1/rooms/{{log}}/send {"content":{"n":7}} -> 201
    save evt9: json data.id
    save position9: json data.stream_position
ann POST /v1/rooms/{{log}}/send {"content":{"n":8}} -> 201
    save evt10: json data.id
    save position10: json data.stream_position
ann POST /v1/rooms/{{log}}/send {"content":{"n":9}} -> 201
    save evt11: json data.id
    save position11: json data.stream_position
ann POST /v1/rooms/{{log}}/send {"content":{"n":10}} -> 201
    save evt12: json data.id
    save position12: json data.stream_position
ann POST /v1/rooms/{{log}}/send {"content":{"n":11}} -> 201
    save evt13: json data.id
    save position13: json data.stream_position
ann POST /v1/rooms/{{log}}/send {"content":{"n":12}} -> 201
    save evt14: json data.id
    save position14: json data.stream_position
ann POST /v1/rooms/{{log}}/send {"content":{"n":13}} -> 201
    save evt15: json data.id
    save position15: json data.stream_position
ann POST /v1/rooms/{{log}}/send {"content":{"n":14}} -> 201
    save evt16: json data.id
    save position16: json data.stream_position
ann POST /v1/rooms/{{log}}/send {"content":{"n":15}} -> 201
    save evt17: json data.id
    save position17: json data.stream_position
ann POST /v1/rooms/{{log}}/send {"content":{"n":16}} -> 201
    save evt18: json data.id
    save position18: json data.stream_position
ann POST /v1/rooms/{{log}}/send {"content":{"n":17}} -> 201
    save evt19: json data.id
    save position19: json data.stream_position
ann POST /v1/rooms/{{log}}/send {"content":{"n":18}} -> 201
    save evt20: json data.id
    save position20: json data.stream_position
ann POST /v1/rooms/{{log}}/send {"content":{"n":19}} -> 201
    save evt21: json data.id
    save position21: json data.stream_position
ann POST /v1/rooms/{{log}}/send {"content":{"n":20}} -> 201
    save evt22: json data.id
    save position22: json data.stream_position
ann POST /v1/rooms/{{log}}/send {"content":{"n":21}} -> 201
    save evt23: json data.id
    save position23: json data.stream_position
ann POST /v1/rooms/{{log}}/send {"content":{"n":22}} -> 201
    save evt24: json data.id
    save position24: json data.stream_position
ann POST /v1/rooms/{{log}}/send {"content":{"n":23}} -> 201
    save evt25: json data.id
    save position25: json data.stream_position



=== TEST 16: ... paging
--- calls
ann POST /v1/rooms/{{log}}/send {"content":{"n":24}} -> 201
    save evt26: json data.id
    save position26: json data.stream_position
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=200 -> 200
    save evt2: json data[0].id
    save position_first: json data[0].stream_position
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=1 -> 200
    data[*].id = ["{{evt2}}"]
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=1&from={{log2}} -> 200
    data[*].id = ["{{evt3}}"]
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=1&from={{position3}} -> 200
    data[*].id = ["{{evt4}}"]
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=1&from={{position4}} -> 200
    data[*].id = ["{{evt5}}"]
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=1&from={{position5}} -> 200
    data[*].id = ["{{evt6}}"]
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=1&from={{position6}} -> 200
    data[*].id = ["{{evt7}}"]
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=1&from={{position7}} -> 200
    data[*].id = ["{{evt8}}"]
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=1&from={{position8}} -> 200
    data[*].id = ["{{evt9}}"]
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=1&from={{position9}} -> 200
    data[*].id = ["{{evt10}}"]
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=1&from={{position10}} -> 200
    data[*].id = ["{{evt11}}"]
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=1&from={{position11}} -> 200
    data[*].id = ["{{evt12}}"]
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=1&from={{position12}} -> 200
    data[*].id = ["{{evt13}}"]
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=1&from={{position13}} -> 200
    data[*].id = ["{{evt14}}"]
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=1&from={{position14}} -> 200
    data[*].id = ["{{evt15}}"]
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=1&from={{position15}} -> 200
    data[*].id = ["{{evt16}}"]
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=1&from={{position16}} -> 200
    data[*].id = ["{{evt17}}"]
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=1&from={{position17}} -> 200
    data[*].id = ["{{evt18}}"]
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=1&from={{position18}} -> 200
    data[*].id = ["{{evt19}}"]
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=1&from={{position19}} -> 200
    data[*].id = ["{{evt20}}"]
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=1&from={{position20}} -> 200
    data[*].id = ["{{evt21}}"]
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=1&from={{position21}} -> 200
    data[*].id = ["{{evt22}}"]



=== TEST 17: ... paging
--- calls
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=1&from={{position22}} -> 200
    data[*].id = ["{{evt23}}"]
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=1&from={{position23}} -> 200
    data[*].id = ["{{evt24}}"]
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=1&from={{position24}} -> 200
    data[*].id = ["{{evt25}}"]
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=1&from={{position25}} -> 200
    data[*].id = ["{{evt26}}"]
ann GET /v1/rooms/{{log}}/messages?direction=back&limit=1 -> 200
    data[*].id = ["{{evt26}}"]
ann GET /v1/rooms/{{log}}/messages?direction=back&limit=1&from={{position26}} -> 200
    data[*].id = ["{{evt25}}"]
ann GET /v1/rooms/{{log}}/messages?direction=back&limit=1&from={{position25}} -> 200
    data[*].id = ["{{evt24}}"]
ann GET /v1/rooms/{{log}}/messages?direction=back&limit=1&from={{position24}} -> 200
    data[*].id = ["{{evt23}}"]
ann GET /v1/rooms/{{log}}/messages?direction=back&limit=1&from={{position23}} -> 200
    data[*].id = ["{{evt22}}"]
ann GET /v1/rooms/{{log}}/messages?direction=back&limit=1&from={{position22}} -> 200
    data[*].id = ["{{evt21}}"]
ann GET /v1/rooms/{{log}}/messages?direction=back&limit=1&from={{position21}} -> 200
    data[*].id = ["{{evt20}}"]
ann GET /v1/rooms/{{log}}/messages?direction=back&limit=1&from={{position20}} -> 200
    data[*].id = ["{{evt19}}"]
ann GET /v1/rooms/{{log}}/messages?direction=back&limit=1&from={{position19}} -> 200
    data[*].id = ["{{evt18}}"]
ann GET /v1/rooms/{{log}}/messages?direction=back&limit=1&from={{position18}} -> 200
    data[*].id = ["{{evt17}}"]
ann GET /v1/rooms/{{log}}/messages?direction=back&limit=1&from={{position17}} -> 200
    data[*].id = ["{{evt16}}"]
ann GET /v1/rooms/{{log}}/messages?direction=back&limit=1&from={{position16}} -> 200
    data[*].id = ["{{evt15}}"]
ann GET /v1/rooms/{{log}}/messages?direction=back&limit=1&from={{position15}} -> 200
    data[*].id = ["{{evt14}}"]
ann GET /v1/rooms/{{log}}/messages?direction=back&limit=1&from={{position14}} -> 200
    data[*].id = ["{{evt13}}"]
ann GET /v1/rooms/{{log}}/messages?direction=back&limit=1&from={{position13}} -> 200
    data[*].id = ["{{evt12}}"]
ann GET /v1/rooms/{{log}}/messages?direction=back&limit=1&from={{position12}} -> 200
    data[*].id = ["{{evt11}}"]
ann GET /v1/rooms/{{log}}/messages?direction=back&limit=1&from={{position11}} -> 200
    data[*].id = ["{{evt10}}"]
ann GET /v1/rooms/{{log}}/messages?direction=back&limit=1&from={{position10}} -> 200
    data[*].id = ["{{evt9}}"]
ann GET /v1/rooms/{{log}}/messages?direction=back&limit=1&from={{position9}} -> 200
    data[*].id = ["{{evt8}}"]



=== TEST 18: ... paging
--- calls
ann GET /v1/rooms/{{log}}/messages?direction=back&limit=1&from={{position8}} -> 200
    data[*].id = ["{{evt7}}"]
ann GET /v1/rooms/{{log}}/messages?direction=back&limit=1&from={{position7}} -> 200
    data[*].id = ["{{evt6}}"]
ann GET /v1/rooms/{{log}}/messages?direction=back&limit=1&from={{position6}} -> 200
    data[*].id = ["{{evt5}}"]
ann GET /v1/rooms/{{log}}/messages?direction=back&limit=1&from={{position5}} -> 200
    data[*].id = ["{{evt4}}"]
ann GET /v1/rooms/{{log}}/messages?direction=back&limit=1&from={{position4}} -> 200
    data[*].id = ["{{evt3}}"]
ann GET /v1/rooms/{{log}}/messages?direction=back&limit=1&from={{position3}} -> 200
    data[*].id = ["{{evt2}}"]
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=7 -> 200
    data[*].id = ["{{evt2}}","{{evt3}}","{{evt4}}","{{evt5}}","{{evt6}}","{{evt7}}","{{evt8}}"]
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=7&from={{position8}} -> 200
    data[*].id = ["{{evt9}}","{{evt10}}","{{evt11}}","{{evt12}}","{{evt13}}","{{evt14}}","{{evt15}}"]
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=7&from={{position15}} -> 200
    data[*].id = ["{{evt16}}","{{evt17}}","{{evt18}}","{{evt19}}","{{evt20}}","{{evt21}}","{{evt22}}"]
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=7&from={{position22}} -> 200
    data[*].id = ["{{evt23}}","{{evt24}}","{{evt25}}","{{evt26}}"]
ann GET /v1/rooms/{{log}}/messages?direction=back&limit=7 -> 200
    data[*].id = ["{{evt26}}","{{evt25}}","{{evt24}}","{{evt23}}","{{evt22}}","{{evt21}}","{{evt20}}"]
ann GET /v1/rooms/{{log}}/messages?direction=back&limit=7&from={{position20}} -> 200
    data[*].id = ["{{evt19}}","{{evt18}}","{{evt17}}","{{evt16}}","{{evt15}}","{{evt14}}","{{evt13}}"]
ann GET /v1/rooms/{{log}}/messages?direction=back&limit=7&from={{position13}} -> 200
    data[*].id = ["{{evt12}}","{{evt11}}","{{evt10}}","{{evt9}}","{{evt8}}","{{evt7}}","{{evt6}}"]
ann GET /v1/rooms/{{log}}/messages?direction=back&limit=7&from={{position6}} -> 200
    data[*].id = ["{{evt5}}","{{evt4}}","{{evt3}}","{{evt2}}"]
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=24 -> 200
    data[*].id = ["{{evt2}}","{{evt3}}","{{evt4}}","{{evt5}}","{{evt6}}","{{evt7}}","{{evt8}}","{{evt9}}","{{evt10}}","{{evt11}}","{{evt12}}","{{evt13}}","{{evt14}}","{{evt15}}","{{evt16}}","{{evt17}}","{{evt18}}","{{evt19}}","{{evt20}}","{{evt21}}","{{evt22}}","{{evt23}}","{{evt24}}","{{evt25}}"]
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=24&from={{position25}} -> 200
    data[*].id = ["{{evt26}}"]
ann GET /v1/rooms/{{log}}/messages?direction=back&limit=24 -> 200
    data[*].id = ["{{evt26}}","{{evt25}}","{{evt24}}","{{evt23}}","{{evt22}}","{{evt21}}","{{evt20}}","{{evt19}}","{{evt18}}","{{evt17}}","{{evt16}}","{{evt15}}","{{evt14}}","{{evt13}}","{{evt12}}","{{evt11}}","{{evt10}}","{{evt9}}","{{evt8}}","{{evt7}}","{{evt6}}","{{evt5}}","{{evt4}}","{{evt3}}"]
ann GET /v1/rooms/{{log}}/messages?direction=back&limit=24&from={{position3}} -> 200
    data[*].id = ["{{evt2}}"]
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=25 -> 200
    data[*].id = ["{{evt2}}","{{evt3}}","{{evt4}}","{{evt5}}","{{evt6}}","{{evt7}}","{{evt8}}","{{evt9}}","{{evt10}}","{{evt11}}","{{evt12}}","{{evt13}}","{{evt14}}","{{evt15}}","{{evt16}}","{{evt17}}","{{evt18}}","{{evt19}}","{{evt20}}","{{evt21}}","{{evt22}}","{{evt23}}","{{evt24}}","{{evt25}}","{{evt26}}"]
ann GET /v1/rooms/{{log}}/messages?direction=back&limit=25 -> 200
    data[*].id = ["{{evt26}}","{{evt25}}","{{evt24}}","{{evt23}}","{{evt22}}","{{evt21}}","{{evt20}}","{{evt19}}","{{evt18}}","{{evt17}}","{{evt16}}","{{evt15}}","{{evt14}}","{{evt13}}","{{evt12}}","{{evt11}}","{{evt10}}","{{evt9}}","{{evt8}}","{{evt7}}","{{evt6}}","{{evt5}}","{{evt4}}","{{evt3}}","{{evt2}}"]
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=26 -> 200
    data[*].id = ["{{evt2}}","{{evt3}}","{{evt4}}","{{evt5}}","{{evt6}}","{{evt7}}","{{evt8}}","{{evt9}}","{{evt10}}","{{evt11}}","{{evt12}}","{{evt13}}","{{evt14}}","{{evt15}}","{{evt16}}","{{evt17}}","{{evt18}}","{{evt19}}","{{evt20}}","{{evt21}}","{{evt22}}","{{evt23}}","{{evt24}}","{{evt25}}","{{evt26}}"]
ann GET /v1/rooms/{{log}}/messages?direction=back&limit=26 -> 200
    data[*].id = ["{{evt26}}","{{evt25}}","{{evt24}}","{{evt23}}","{{evt22}}","{{evt21}}","{{evt20}}","{{evt19}}","{{evt18}}","{{evt17}}","{{evt16}}","{{evt15}}","{{evt14}}","{{evt13}}","{{evt12}}","{{evt11}}","{{evt10}}","{{evt9}}","{{evt8}}","{{evt7}}","{{evt6}}","{{evt5}}","{{evt4}}","{{evt3}}","{{evt2}}"]
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=200 -> 200
    data[*].id = ["{{evt2}}","{{evt3}}","{{evt4}}","{{evt5}}","{{evt6}}","{{evt7}}","{{evt8}}","{{evt9}}","{{evt10}}","{{evt11}}","{{evt12}}","{{evt13}}","{{evt14}}","{{evt15}}","{{evt16}}","{{evt17}}","{{evt18}}","{{evt19}}","{{evt20}}","{{evt21}}","{{evt22}}","{{evt23}}","{{evt24}}","{{evt25}}","{{evt26}}"]



=== TEST 19: ... paging
--- calls
ann GET /v1/rooms/{{log}}/messages?direction=back&limit=200 -> 200
    data[*].id = ["{{evt26}}","{{evt25}}","{{evt24}}","{{evt23}}","{{evt22}}","{{evt21}}","{{evt20}}","{{evt19}}","{{evt18}}","{{evt17}}","{{evt16}}","{{evt15}}","{{evt14}}","{{evt13}}","{{evt12}}","{{evt11}}","{{evt10}}","{{evt9}}","{{evt8}}","{{evt7}}","{{evt6}}","{{evt5}}","{{evt4}}","{{evt3}}","{{evt2}}"]
ann GET /v1/rooms/{{log}}/messages?limit=10 -> 200
    data[*].id = ["{{evt26}}","{{evt25}}","{{evt24}}","{{evt23}}","{{evt22}}","{{evt21}}","{{evt20}}","{{evt19}}","{{evt18}}","{{evt17}}"]
ann GET /v1/rooms/{{log}}/messages?limit=10&from={{position17}} -> 200
    data[*].id = ["{{evt16}}","{{evt15}}","{{evt14}}","{{evt13}}","{{evt12}}","{{evt11}}","{{evt10}}","{{evt9}}","{{evt8}}","{{evt7}}"]
ann GET /v1/rooms/{{log}}/messages?limit=10&from={{position7}} -> 200
    data[*].id = ["{{evt6}}","{{evt5}}","{{evt4}}","{{evt3}}","{{evt2}}"]
ann GET /v1/rooms/{{log}}/messages?limit=25 -> 200
    data # 25
    meta.has_more = false
    meta.next_cursor null
ann GET /v1/rooms/{{log}}/messages?limit=10 -> 200
    meta.has_more = true
    ~ "next_cursor":"\d+"
    meta.next_cursor = "{{position17}}"



=== TEST 20: from the same place in the other direction
--- calls
ann GET /v1/rooms/{{log}}/messages?limit=5&direction=forward&from={{position17}} -> 200
    data[*].id = ["{{evt18}}","{{evt19}}","{{evt20}}","{{evt21}}","{{evt22}}"]



=== TEST 21: positions: of an event, of none, of the end and behind it
--- calls
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=200 -> 200
    save seen0: json meta
ann GET /v1/rooms/{{log}}/messages?from={{position12}}&limit=3 -> 200
    data[*].id = ["{{evt11}}","{{evt10}}","{{evt9}}"]
    meta.has_more = true
    meta.next_cursor = "{{position9}}"
ann GET /v1/rooms/{{log}}/messages?from={{position12}}&limit=3&direction=forward -> 200
    data[*].id = ["{{evt13}}","{{evt14}}","{{evt15}}"]
    meta.has_more = true
    meta.next_cursor = "{{position15}}"
ann GET /v1/rooms/{{log}}/messages?from=0&direction=forward&limit=1 -> 200
    data[*].id = ["{{evt2}}"]
    meta.has_more = true
    meta.next_cursor = "{{position_first}}"
ann GET /v1/rooms/{{log}}/messages?from=0 -> 200
    data[*].id = []
    meta.has_more = false
    meta.next_cursor null
ann GET /v1/rooms/{{log}}/messages?from=9999999999999999&limit=1 -> 200
    data[*].id = ["{{evt26}}"]
    meta.has_more = true
    meta.next_cursor = "{{position26}}"
ann GET /v1/rooms/{{log}}/messages?from=&limit=1 -> 200
    data[*].id = ["{{evt26}}"]
    meta.has_more = true
    meta.next_cursor = "{{position26}}"
ann GET /v1/rooms/{{log}}/messages?limit=1 -> 200
    data[*].id = ["{{evt26}}"]
    meta.has_more = true
    meta.next_cursor = "{{position26}}"



=== TEST 22: the last page forward has a cursor, from which one goes on later
--- calls
ann GET /v1/rooms/{{log}}/messages?from={{position25}}&direction=forward -> 200
    data[*].id = ["{{evt26}}"]
    meta.has_more = false
    meta.next_cursor = "{{position26}}"
    meta = {{seen0}}
ann GET /v1/rooms/{{log}}/messages?from={{position26}}&direction=forward -> 200
    data[*].id = []
    meta.has_more = false
    meta.next_cursor = "{{position26}}"



=== TEST 23: what is written meanwhile
--- calls
ann POST /v1/rooms/{{log}}/send {"content":{}} -> 201
    save new1: json data.id
ann POST /v1/rooms/{{log}}/send {"content":{}} -> 201
    save new2: json data.id
ann POST /v1/rooms/{{log}}/send {"content":{}} -> 201
    save new3: json data.id
ann GET /v1/rooms/{{log}}/messages?limit=10&from={{position17}} -> 200
    data[*].id = ["{{evt16}}","{{evt15}}","{{evt14}}","{{evt13}}","{{evt12}}","{{evt11}}","{{evt10}}","{{evt9}}","{{evt8}}","{{evt7}}"]
ann GET /v1/rooms/{{log}}/messages?limit=10&from={{position7}} -> 200
    data[*].id = ["{{evt6}}","{{evt5}}","{{evt4}}","{{evt3}}","{{evt2}}"]
ann GET /v1/rooms/{{log}}/messages?from={{position26}}&direction=forward -> 200
    data[*].id = ["{{new1}}","{{new2}}","{{new3}}"]
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=200 -> 200
    data # 28
    data[25].id = {{new1}}
    data[27].id = {{new3}}
ann POST /v1/rooms {"name":"Default","room_type":"group"} -> 201
    save default: json data.id



=== TEST 24: ... what is written meanwhile
--- calls
ann POST /v1/rooms/{{default}}/send {"content":{}} -> 201 x50
ann GET /v1/rooms/{{default}}/messages -> 200
    data # 50
ann GET /v1/rooms/{{log}}/messages?limit=0 -> 400 SW_VALIDATION_FAILED limit
ann GET /v1/rooms/{{log}}/messages?limit=201 -> 400 SW_VALIDATION_FAILED limit
ann GET /v1/rooms/{{log}}/messages?limit=x -> 400 SW_VALIDATION_FAILED limit
ann GET /v1/rooms/{{log}}/messages?direction=up -> 400 SW_VALIDATION_FAILED direction
ann GET /v1/rooms/{{log}}/messages?direction=BACK -> 400 SW_VALIDATION_FAILED direction
ann GET /v1/rooms/{{log}}/messages?from=x -> 400 SW_VALIDATION_FAILED from
ann GET /v1/rooms/{{log}}/messages?from=-1 -> 400 SW_VALIDATION_FAILED from
ann GET /v1/rooms/{{log}}/messages?from=1.5 -> 400 SW_VALIDATION_FAILED from
ann GET /v1/rooms/{{log}}/messages?from=1e3 -> 400 SW_VALIDATION_FAILED from
ann GET /v1/rooms/{{log}}/messages?from=12345678901234567 -> 400 SW_VALIDATION_FAILED from
ann GET /v1/rooms/{{log}}/messages?from={{evt2}} -> 400 SW_VALIDATION_FAILED from



=== TEST 25: a cursor of another list
--- calls
ann GET /v1/directory/rooms?limit=1 -> 200
    save cursor: json meta.next_cursor



=== TEST 26: ... a cursor of another list
--- calls
ann GET /v1/rooms/{{log}}/messages?from={{cursor}} -> 400 SW_VALIDATION_FAILED from



=== TEST 27: one event
--- calls
ann GET /v1/rooms/{{log}}/messages?direction=forward&limit=200 -> 200
    save seen1: json data[7]
ann GET /v1/rooms/{{log}}/events/{{evt9}} -> 200
    data = {{seen1}}
ann HEAD /v1/rooms/{{log}}/events/{{evt9}} -> 200
ann GET /v1/rooms/{{log}}/events/evt- -> 404 SW_EVENT_NOT_FOUND
ann GET /v1/rooms/{{log}}/events/x -> 404 SW_EVENT_NOT_FOUND
ann GET /v1/rooms/{{log}}/events/{{evt9}}0 -> 404 SW_EVENT_NOT_FOUND
ann GET /v1/rooms/{{log}}/events/evt-00000000000000000000000000000 -> 404 SW_EVENT_NOT_FOUND
ann GET /v1/rooms/{{log}}/events/{{log}} -> 404 SW_EVENT_NOT_FOUND
ann GET /v1/rooms/{{log}}/events/{{other}} -> 404 SW_EVENT_NOT_FOUND
ann GET /v1/rooms/{{room}}/events/{{evt9}} -> 404 SW_EVENT_NOT_FOUND
dan GET /v1/rooms/{{log}}/events/{{evt9}} -> 404 SW_ROOM_NOT_FOUND
cy GET /v1/rooms/{{room}}/events/{{evt}} -> 403 SW_ROOM_FORBIDDEN



=== TEST 28: what isn't there yet is refused rather than ignored
--- calls
bob POST /v1/rooms/{{room}}/send {"as_participant_id":"ann","content":{}} -> 400 SW_VALIDATION_FAILED as_participant_id
bob POST /v1/rooms/{{room}}/send {"as_participant_id":"bob","content":{}} -> 400 SW_VALIDATION_FAILED as_participant_id
bob POST /v1/rooms/{{room}}/send {"as_participant_id":5,"content":{}} -> 400 SW_VALIDATION_FAILED as_participant_id
ann POST /v1/rooms/{{room}}/send {"as_participant_id":null,"content":{}} -> 201



=== TEST 29: who may read
--- calls
cy GET /v1/rooms/{{room}}/messages -> 403 SW_ROOM_FORBIDDEN
dan GET /v1/rooms/{{room}}/messages -> 404 SW_ROOM_NOT_FOUND
bob GET /v1/rooms/{{room}}/messages -> 404 SW_ROOM_NOT_FOUND
ann HEAD /v1/rooms/{{room}}/messages -> 200



=== TEST 30: incognito
--- calls
ann POST /v1/rooms {"room_type":"incognito"} -> 201
    save secret: json data.id



=== TEST 31: ... incognito
--- calls
ann POST /v1/rooms/{{secret}}/send {"content":{"a":1}} -> 201
    save hidden_fields: "data":\{(.*)\}\}$
    data.do_not_index = true
    data # 11
ann GET /v1/rooms/{{secret}}/messages?direction=forward&limit=200 -> 200
    data[*].do_not_index = [true,true]
    ~ {{hidden_fields}},"reactions":\[\]
ann POST /v1/rooms {"name":"S","room_type":"group","scope_kind":"incognito"} -> 201
    save scoped: json data.id



=== TEST 32: ... incognito
--- calls
ann POST /v1/rooms/{{scoped}}/send {"content":{}} -> 201
    data.do_not_index = true
