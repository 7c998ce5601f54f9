# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Every change appends exactly one event, which tells it; nothing else does.
# After each call the room's history is read: how many events it has tells
# whether there was one more, and the first one is the one that tells.

use strict;
use warnings;

use Test::More ();

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls ();
use Test::Nginx::Socket 'no_plan';

default_config(<<'END');
        rooms on;
        rooms_auth mock;
        rooms_server_name rooms.test;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
END

# origin_ts is of now
save(a_minute_ago => time() - 60, in_some_minutes => time() + 600);

# Of the whole tenant, as the store has them.
sub events_in_order {
    my (%ids, $events);

    for my $key (@{RoomsTest::redis('KEYS', 'sw:{acme}:r:*:events')}) {
        my @rows = @{RoomsTest::redis('ZRANGE', $key, 0, -1, 'WITHSCORES')};

        while (my ($text, $position) = splice @rows, 0, 2) {
            my ($id) = $text =~ /^([0-9a-f]{29}) / or return "no id: $text";

            return "$position is there twice" if $ids{$position};
            $ids{$position} = $id;
            $events++;
        }
    }

    my @in_order = map { $ids{$_} } sort { $a <=> $b } keys %ids;
    my %different = map { $_ => 1 } @in_order;

    return "@in_order" if "@in_order" ne join ' ', sort keys %different;
    return "$events events in order";
}

no_shuffle();
run_tests();

__DATA__

=== TEST 1: participants
--- calls
ann,bob,cy,dan,eve POST /v1/auth/register -> 200
ann POST /v1/auth/register -> 200
    save personal: json data.workspace_id
--- store
KEYS sw:{acme}:r:*:events =



=== TEST 2: what isn't made isn't told
--- calls
ann POST /v1/rooms {"room_type":"group"} -> 400 SW_VALIDATION_FAILED
ann POST /v1/rooms {"room_type":"dm"} -> 400 SW_ROOM_TYPE_INVARIANT
ann POST /v1/rooms {"room_type":"group","name":"x","workspace_id":"ws-x"} -> 404 SW_WORKSPACE_NOT_FOUND
--- store
KEYS sw:{acme}:r:*:events =
EXISTS sw:{acme}:position = 0



=== TEST 3: a room is made
--- calls
ann POST /v1/rooms {"room_type":"group","name":"First","topic":"T","is_public":true} -> 201
    save room: json data.id



=== TEST 4: its first event says all of it; each takes the tenant's next position
--- calls
ann GET /v1/rooms/{{room}}/messages?limit=200 -> 200
    save position: json data[0].stream_position
    data # 1
    data[0].event_type = swp.room.create
    data[0].sender_id = ann
    data[0].room_id = {{room}}
    data[0].content.room_type = group
    data[0].content.name = First
    data[0].content.topic = T
    data[0].content.scope_kind null
    data[0].content.is_public = true
    data[0].content.workspace_id = {{personal}}
    data[0].content.creator_id = ann
    data[0].edited_at null
    data[0].redacted_at null
    data[0].created_at ~ Z$
    data[0].origin_ts >= {{a_minute_ago}}
    data[0].origin_ts < {{in_some_minutes}}
--- store
GET sw:{acme}:position = {{position}}
HGET sw:{acme}:r:{{room}} position = {{position}}
ZCOUNT sw:{acme}:r:{{room}}:events {{position}} {{position}} = 1



=== TEST 5: a join, once
--- calls
bob POST /v1/rooms/{{room}}/join -> 200 x2
ann GET /v1/rooms/{{room}}/messages?limit=200 -> 200
    data # 2
    data[0].event_type = swp.room.member
    data[0].sender_id = bob
    data[0].content.participant_id = bob
    data[0].content.membership = join
    data[0].content.previous = leave
    data[0].stream_position > {{position}}
    data[0].edited_at null
    data[0].redacted_at null
    data[0].origin_ts >= {{a_minute_ago}}
    data[0].origin_ts < {{in_some_minutes}}



=== TEST 6: an invite, once; of who is no participant or a member, never
--- calls
bob POST /v1/rooms/{{room}}/invite {"participant_id":"cy"} -> 200
ann POST /v1/rooms/{{room}}/invite {"participant_id":"<cy|bob>"} -> 200
ann POST /v1/rooms/{{room}}/invite {"participant_id":"nobody"} -> 404 SW_PARTICIPANT_NOT_FOUND
ann GET /v1/rooms/{{room}}/messages?limit=200 -> 200
    data # 3
    data[0].event_type = swp.room.member
    data[0].sender_id = bob
    data[0].content.participant_id = cy
    data[0].content.membership = invite
    data[0].content.previous = leave
cy POST /v1/rooms/{{room}}/join -> 200
ann GET /v1/rooms/{{room}}/messages?limit=200 -> 200
    data # 4
    data[0].sender_id = cy
    data[0].content.participant_id = cy
    data[0].content.membership = join
    data[0].content.previous = invite



=== TEST 7: many are invited by one event, which names those it changed
--- calls
cy POST /v1/rooms/{{room}}/invite {"participant_ids":["dan","bob","eve","nobody","dan"]} -> 200
cy POST /v1/rooms/{{room}}/invite {"participant_ids":["dan","bob"]} -> 200
ann GET /v1/rooms/{{room}}/messages?limit=200 -> 200
    data # 5
    data[0].event_type = swp.room.member
    data[0].sender_id = cy
    data[0].content.membership = invite
    data[0].content.participant_ids = ["dan","eve"]
    data[0].content.participant_id !



=== TEST 8: declining, and a kick of who is invited, with its reason
--- calls
eve POST /v1/rooms/{{room}}/leave -> 200
ann GET /v1/rooms/{{room}}/messages?limit=200 -> 200
    data # 6
    data[0].sender_id = eve
    data[0].content.participant_id = eve
    data[0].content.membership = leave
    data[0].content.previous = invite
ann POST /v1/rooms/{{room}}/kick {"participant_id":"dan","reason":"why"} -> 200
ann POST /v1/rooms/{{room}}/kick {"participant_id":"dan"} -> 404 SW_PARTICIPANT_NOT_FOUND
bob POST /v1/rooms/{{room}}/kick {"participant_id":"<cy|nobody>"} -> 403 SW_ROOM_FORBIDDEN
ann GET /v1/rooms/{{room}}/messages?limit=200 -> 200
    data # 7
    data[0].event_type = swp.room.member
    data[0].sender_id = ann
    data[0].content.participant_id = dan
    data[0].content.membership = leave
    data[0].content.previous = invite
    data[0].content.reason = why



=== TEST 9: a kick of a member, without a reason
--- calls
ann POST /v1/rooms/{{room}}/kick {"participant_id":"bob"} -> 200
ann GET /v1/rooms/{{room}}/messages?limit=200 -> 200
    save position: json data[0].stream_position
    data # 8
    data[0].event_type = swp.room.member
    data[0].sender_id = ann
    data[0].content.participant_id = bob
    data[0].content.membership = leave
    data[0].content.previous = join
    data[0].content.reason !
--- store
GET sw:{acme}:position = {{position}}
HGET sw:{acme}:r:{{room}} position = {{position}}
ZCOUNT sw:{acme}:r:{{room}}:events {{position}} {{position}} = 1



=== TEST 10: a ban, once, of a member and of who is none
--- calls
ann POST /v1/rooms/{{room}}/ban {"participant_id":"cy","reason":"\""} -> 200
ann POST /v1/rooms/{{room}}/ban {"participant_id":"cy"} -> 200
cy POST /v1/rooms/{{room}}/join -> 403 SW_ROOM_FORBIDDEN
ann GET /v1/rooms/{{room}}/messages?limit=200 -> 200
    data # 9
    data[0].event_type = swp.room.member
    data[0].sender_id = ann
    data[0].content.participant_id = cy
    data[0].content.membership = ban
    data[0].content.previous = join
    data[0].content.reason = "\""
ann POST /v1/rooms/{{room}}/ban {"participant_id":"eve"} -> 200
ann GET /v1/rooms/{{room}}/messages?limit=200 -> 200
    data # 10
    data[0].content.participant_id = eve
    data[0].content.membership = ban
    data[0].content.previous = leave



=== TEST 11: a ban is lifted, once
--- calls
ann POST /v1/rooms/{{room}}/unban {"participant_id":"cy"} -> 200 x2
ann GET /v1/rooms/{{room}}/messages?limit=200 -> 200
    data # 11
    data[0].event_type = swp.room.member
    data[0].sender_id = ann
    data[0].content.participant_id = cy
    data[0].content.membership = leave
    data[0].content.previous = ban
bob,cy POST /v1/rooms/{{room}}/join -> 200
ann GET /v1/rooms/{{room}}/messages?limit=200 -> 200
    data # 13



=== TEST 12: a level of power, once; by an administrator, too
--- calls
ann PUT /v1/rooms/{{room}}/members/bob/power-level {"power_level":60} -> 200 x2
ann PUT /v1/rooms/{{room}}/members/ann/power-level {"power_level":6} -> 409 SW_ROOM_LAST_ADMIN
cy PUT /v1/rooms/{{room}}/members/bob/power-level {"power_level":6} -> 403 SW_ROOM_FORBIDDEN
ann GET /v1/rooms/{{room}}/messages?limit=200 -> 200
    data # 14
    data[0].event_type = swp.room.power_level
    data[0].sender_id = ann
    data[0].content.participant_id = bob
    data[0].content.power_level = 60
    data[0].content.previous = 0
eve! PUT /v1/rooms/{{room}}/members/cy/power-level {"power_level":5} -> 200
ann GET /v1/rooms/{{room}}/messages?limit=200 -> 200
    save position: json data[0].stream_position
    data # 15
    data[0].event_type = swp.room.power_level
    data[0].sender_id = eve
    data[0].content.participant_id = cy
    data[0].content.power_level = 5
    data[0].content.previous = 0
--- store
GET sw:{acme}:position = {{position}}
HGET sw:{acme}:r:{{room}} position = {{position}}



=== TEST 13: a name, as it is kept
--- calls
bob PUT /v1/rooms/{{room}}/name {"name":" Second "} -> 200
bob PUT /v1/rooms/{{room}}/name {"name":"Second"} -> 200
cy PUT /v1/rooms/{{room}}/name {"name":"x"} -> 403 SW_ROOM_FORBIDDEN
bob PUT /v1/rooms/{{room}}/name {"name":""} -> 400 SW_VALIDATION_FAILED name
ann GET /v1/rooms/{{room}}/messages?limit=200 -> 200
    data # 16
    data[0].event_type = swp.room.name
    data[0].sender_id = bob
    data[0].content.name = Second



=== TEST 14: a topic, and that there is none
--- calls
bob PUT /v1/rooms/{{room}}/topic {"topic":"New"} -> 200 x2
ann GET /v1/rooms/{{room}}/messages?limit=200 -> 200
    data # 17
    data[0].event_type = swp.room.topic
    data[0].sender_id = bob
    data[0].content.topic = New
bob PUT /v1/rooms/{{room}}/topic {"topic":null} -> 200 x2
ann GET /v1/rooms/{{room}}/messages?limit=200 -> 200
    data # 18
    data[0].event_type = swp.room.topic
    data[0].content.topic null
ann POST /v1/workspaces {"name":"W"} -> 201
    save workspace: json data.id
ann POST /v1/workspaces {"name":"W2"} -> 201



=== TEST 15: another workspace
--- calls
ann PUT /v1/rooms/{{room}}/workspace {"workspace_id":"{{workspace}}"} -> 200 x2
ann PUT /v1/rooms/{{room}}/workspace {"workspace_id":"ws-x"} -> 404 SW_WORKSPACE_NOT_FOUND
ann GET /v1/rooms/{{room}}/messages?limit=200 -> 200
    save position: json data[0].stream_position
    data # 19
    data[0].event_type = swp.room.workspace
    data[0].sender_id = ann
    data[0].content.workspace_id = {{workspace}}
--- store
GET sw:{acme}:position = {{position}}
HGET sw:{acme}:r:{{room}} position = {{position}}



=== TEST 16: what is one's own is no change of the room
--- calls
bob PUT /v1/rooms/{{room}}/notification-mode {"mode":"none"} -> 200
bob PUT /v1/rooms/{{room}}/mute {"muted":true} -> 200
ann GET /v1/rooms/{{room}}/messages?limit=200 -> 200
    data # 19
--- store
GET sw:{acme}:position = {{position}}



=== TEST 17: a message
--- calls
bob POST /v1/rooms/{{room}}/send {"content":{"a":1,"b":[1,2]}} -> 201
    save message: json data.id
ann GET /v1/rooms/{{room}}/messages?limit=200 -> 200
    save position: json data[0].stream_position
    data # 20
    data[0].event_type = swp.room.message
    data[0].sender_id = bob
    data[0].content.a = 1
    data[0].content.b = [1,2]



=== TEST 18: a read marker takes a position, which only its reader's devices see, and is no event of the room
--- calls
cy PUT /v1/rooms/{{room}}/read {"event_id":"{{message}}"} -> 200
cy GET /v1/sync?timeout=0&since={{position}} -> 200
    data.events # 1
    data.events[0].event_type ~ read_marker$
    data.events[0].stream_position > {{position}}
    save marker_position: json data.events[0].stream_position
ann GET /v1/rooms/{{room}}/messages?limit=200 -> 200
    data # 20
    data[0].id = {{message}}
--- store
ZCOUNT sw:{acme}:r:{{room}}:events ({{position}} +inf = 0
GET sw:{acme}:position = {{marker_position}}



=== TEST 19: a message with a uuid of its client's, once
--- calls
bob POST /v1/rooms/{{room}}/send {"content":{},"event_uuid":"u"} -> 201
bob POST /v1/rooms/{{room}}/send {"content":{"x":1},"event_uuid":"u"} -> 201
bob POST /v1/rooms/{{room}}/send {"content":1} -> 400 SW_VALIDATION_FAILED content
ann GET /v1/rooms/{{room}}/messages?limit=200 -> 200
    data # 21
    data[0].event_type = swp.room.message
    data[0].sender_id = bob
    data[0].content # 0



=== TEST 20: reading is no change, nor a register
--- calls
bob GET /v1/rooms/{{room}}<|/messages> -> 200
bob POST /v1/auth/register {} -> 200
ann GET /v1/rooms/{{room}}/messages?limit=200 -> 200
    data # 21



=== TEST 21: succession is told with the leave that made it
--- calls
ann POST /v1/rooms/{{room}}/leave -> 200
bob GET /v1/rooms/{{room}}/messages?limit=200 -> 200
    data # 22
    data[0].event_type = swp.room.member
    data[0].sender_id = ann
    data[0].content.participant_id = ann
    data[0].content.membership = leave
    data[0].content.previous = join
    data[0].content.successor.participant_id = bob
    data[0].content.successor.power_level = 100
    data[0].content.state !



=== TEST 22: archived, once, and open again
--- calls
bob POST /v1/rooms/{{room}}/archive -> 200 x2
bob PUT /v1/rooms/{{room}}/name {"name":"x"} -> 409 SW_ROOM_FROZEN
bob GET /v1/rooms/{{room}}/messages?limit=200 -> 200
    data # 23
    data[0].event_type = swp.room.state
    data[0].sender_id = bob
    data[0].content.state = archived
    data[0].content.previous = open
    data[0].content.participant_id !
bob POST /v1/rooms/{{room}}/rejoin -> 200 x2
bob GET /v1/rooms/{{room}}/messages?limit=200 -> 200
    data # 24
    data[0].event_type = swp.room.state
    data[0].content.state = open
    data[0].content.previous = archived
cy POST /v1/rooms/{{room}}/leave -> 200
bob GET /v1/rooms/{{room}}/messages?limit=200 -> 200
    data # 25
    data[0].sender_id = cy
    data[0].content.participant_id = cy
    data[0].content.membership = leave
    data[0].content.previous = join
    data[0].content.successor !



=== TEST 23: the last leave empties the room: one event tells both
--- calls
bob POST /v1/rooms/{{room}}/leave -> 200
--- store
ZCARD sw:{acme}:r:{{room}}:events = 26



=== TEST 24: ... and one the return
--- calls
bob POST /v1/rooms/{{room}}/rejoin -> 200
bob GET /v1/rooms/{{room}}/messages?limit=200 -> 200
    data # 27
    data[0].event_type = swp.room.state
    data[0].sender_id = bob
    data[0].content.state = open
    data[0].content.previous = archived
    data[0].content.participant_id = bob
    data[0].content.membership = join
    data[1].event_type = swp.room.member
    data[1].sender_id = bob
    data[1].content.participant_id = bob
    data[1].content.membership = leave
    data[1].content.previous = join
    data[1].content.state = archived
    data[1].content.successor !



=== TEST 25: closed, once; who leaves a closed room is told alone
--- calls
bob POST /v1/rooms/{{room}}/close -> 200 x2
bob GET /v1/rooms/{{room}}/messages?limit=200 -> 200
    data # 28
    data[0].event_type = swp.room.state
    data[0].content.state = closed
    data[0].content.previous = open
bob POST /v1/rooms/{{room}}/leave -> 200
--- store
ZCARD sw:{acme}:r:{{room}}:events = 29
ZREVRANGE sw:{acme}:r:{{room}}:events 0 0 ~ ^\w+ member bob
ZREVRANGE sw:{acme}:r:{{room}}:events 0 0 ~ "membership":"leave","previous":"join"}
GET sw:{acme}:position -> position



=== TEST 26: a DM is made once
--- calls
ann POST /v1/rooms/dm {"participant_id":"bob"} -> 201
    save dm: json data.id
bob POST /v1/rooms/dm {"participant_id":"ann"} -> 200
    data.id = {{dm}}
bob POST /v1/rooms/dm {"participant_id":"x"} -> 404 SW_PARTICIPANT_NOT_FOUND
bob POST /v1/rooms/dm {"participant_id":"bob"} -> 400 SW_ROOM_TYPE_INVARIANT
--- store
HGET sw:{acme}:r:{{room}} position = {{position}}



=== TEST 27: its events
--- calls
ann GET /v1/rooms/{{dm}}/messages?limit=200 -> 200
    data # 1
    data[0].event_type = swp.room.create
    data[0].sender_id = ann
    data[0].content.room_type = dm
    data[0].content.name null
    data[0].content.creator_id = ann
bob POST /v1/rooms/{{dm}}/archive -> 200
ann GET /v1/rooms/{{dm}}/messages?limit=200 -> 200
    data # 2
    data[0].event_type = swp.room.state
    data[0].sender_id = bob
    data[0].content.state = archived
ann POST /v1/rooms/dm {"participant_id":"bob"} -> 200
ann GET /v1/rooms/{{dm}}/messages?limit=200 -> 200
    data # 3
    data[0].event_type = swp.room.state
    data[0].sender_id = ann
    data[0].content.state = open
    data[0].content.previous = archived
    data[0].content.participant_id !
ann POST /v1/rooms {"room_type":"incognito"} -> 201
    save dark: json data.id



=== TEST 28: an incognito room
--- calls
ann POST /v1/rooms/{{dark}}/invite {"participant_id":"bob"} -> 200
bob POST /v1/rooms/{{dark}}/join -> 200
ann GET /v1/rooms/{{dark}}/messages?limit=200 -> 200
    data # 3
    data[2].event_type = swp.room.create
    data[2].sender_id = ann
    data[2].content.room_type = incognito
    data[2].content.scope_kind = incognito
    data[1].event_type = swp.room.member
    data[1].sender_id = ann
    data[1].content.participant_id = bob
    data[1].content.membership = invite
    data[1].content.previous = leave
    data[0].sender_id = bob
    data[0].content.membership = join
    data[0].content.previous = invite



=== TEST 29: the leave of its creator takes it along, and its events, but for the one that tells
--- calls
ann POST /v1/rooms/{{dark}}/leave -> 200
bob GET /v1/rooms/{{dark}}/messages?limit=200 -> 200
    save position: json data[0].stream_position
    data # 1
    data[0].event_type = swp.room.state
    data[0].sender_id = ann
    data[0].content.state = closed
    data[0].content.previous = open
    data[0].content.participant_id = ann
    data[0].content.membership = leave
--- store
GET sw:{acme}:position = {{position}}
HGET sw:{acme}:r:{{dark}} position = {{position}}



=== TEST 30: positions and ids are there once, and the ids are in the order of the positions
--- request
GET /v1/rooms/archived
--- more_headers eval
main::as('ann')
--- response_body_filters eval
\&main::events_in_order
--- response_body chomp
33 events in order



=== TEST 31: another tenant has positions of its own
--- calls
zoe@other POST /v1/rooms {"room_type":"group","name":"Theirs"} -> 201
    save theirs: json data.id
    save their_position: json data.last_event_position
--- store
GET sw:{other}:position = {{their_position}}
GET sw:{acme}:position = {{position}}
KEYS sw:{other}:r:*:events = sw:{other}:r:{{theirs}}:events
ZCARD sw:{other}:r:{{theirs}}:events = 1
