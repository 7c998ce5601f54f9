# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# A room that is at home on another server, with participants of ours.

use strict;
use warnings;

use File::Temp ();
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use Test::More ();

use lib 't/lib';
use RoomsTest;
use RoomsTest::Process qw(write_file);
use RoomsTest::Stranger qw(member);
use Test::Nginx::Socket 'no_plan';

my $dir = File::Temp->newdir('rooms-fed-XXXXXXXX', TMPDIR => 1);

write_file("$dir/own.key", encode_base64('a' x 32, ''));
chmod 0640, "$dir/own.key";
$ENV{TEST_NGINX_DIR} = "$dir";

# We are a.example; others sign what they tell us.  An event in a block has
# what matters: its id, its times, the sender's server and profile, the signature, and
# what else a room and its members have to say are added.
my ($b, $c) = map { RoomsTest::Stranger->new("$_.example", $_ x 32,
                                             'a.example') } qw(b c);

signs(map { $_->name => $_->signer_of_calls } $b, $c);

default_config(<<'END');
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_server_name a.example;
        rooms_tenant t;
        rooms_federation on;
        rooms_federation_key $TEST_NGINX_DIR/own.key;
        rooms_federation_allow_private on;
        location = /_rooms_peer {
            internal;
            proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT$rooms_peer_uri;
            proxy_set_header Host $rooms_peer;
        }
END

add_block_preprocessor(sub {
    $_[0]->set_value(http_config => join '', map { $_->virtual } $b, $c);
});

# Rooms of bob's, events that others refer to, and crowds.
save(room => 'room-01111111111111111111111111',
     none => 'room-02222222222222222222222222',
     full => 'room-03333333333333333333333333',
     declined => 'room-04444444444444444444444444',
     dm => 'room-05555555555555555555555555',
     late => 'room-0555555555555555555555555z',
     invite => 'evt-00000000003e90000000000000001',
     hello => 'evt-00000000003ea0000000000000001',
     one => 'evt-0000000001b590000000000001b59',
     two => 'evt-0000000001b5a0000000000001b5a',
     map { my $n = $_;
           ("crowd_of_$n" => JSON::PP->new->canonical->encode(
                [map { member($b->fqid("m$_"), 'join') } 1 .. $n])) }
         50, 101);

no_shuffle();
run_tests();

__DATA__

=== TEST 1: who is not on the policy invites nobody
--- calls
ann@t,al@t POST /v1/auth/register -> 200
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{room}}", "sender": "bob", "event_type": "swp.room.member",
        "content": {"fqid": "@ann:a.example", "membership": "invite"},
        "room": {"name": "Of bob"},
        "members": [{"fqid": "@ann:a.example", "membership": "invite"},
                    {"fqid": "@bob:b.example", "membership": "join", "power_level": 100}]
    }]} -> 403 SW_FED_POLICY
root@t! PUT /v1/admin/federation/policy {"allowed_peers":["b.example","c.example"]} -> 200



=== TEST 2: an invite for nobody makes no room
--- calls
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{room}}", "sender": "bob", "event_type": "swp.room.member",
        "content": {"fqid": "@nobody:a.example", "membership": "invite"},
        "room": {"name": "Of bob"},
        "members": [{"fqid": "@nobody:a.example", "membership": "invite"},
                    {"fqid": "@bob:b.example", "membership": "join", "power_level": 100}]
    }]} -> 200
    data.results[*].status = ["rejected"]
    data.results[*].code = ["SW_PARTICIPANT_NOT_FOUND"]
ann@t GET /v1/rooms/{{room}} -> 404 SW_ROOM_NOT_FOUND



=== TEST 3: an invite makes a replica, once
--- calls
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "id": "{{invite}}", "room_id": "{{room}}", "sender": "bob", "event_type": "swp.room.member",
        "content": {"fqid": "@ann:a.example", "membership": "invite"},
        "room": {"name": "Of bob"},
        "members": [{"fqid": "@ann:a.example", "membership": "invite"},
                    {"fqid": "@bob:b.example", "membership": "join", "power_level": 100}]
    }]} -> 200
    data.results[*].status = ["applied"]
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "id": "{{invite}}", "room_id": "{{room}}", "sender": "bob", "event_type": "swp.room.member",
        "content": {"fqid": "@ann:a.example", "membership": "invite"},
        "room": {"name": "Of bob"},
        "members": [{"fqid": "@ann:a.example", "membership": "invite"},
                    {"fqid": "@bob:b.example", "membership": "join", "power_level": 100}]
    }]} -> 200
    data.results[*].status = ["duplicate"]
ann@t GET /v1/rooms/{{room}} -> 200
    data.name = Of bob
    data.creator_id = @bob:b.example
    data.federated = true
    data.me.membership = invite
    data.members_count = 1
    data.invited_count = 1



=== TEST 4: ... which others do not see, and the directory and sync tell of
--- calls
al@t GET /v1/rooms/{{room}} -> 404 SW_ROOM_NOT_FOUND
ann@t GET /v1/directory/rooms?membership=invite -> 200
    data[0].id = "{{room}}"
ann@t GET /v1/sync?timeout=0 -> 200
    data.events[room_id={{room}}].content.membership = invite
    data.events[room_id={{room}}].sender_id = @bob:b.example



=== TEST 5: it is accepted, whether its home is there or not
--- calls
ann@t POST /v1/rooms/{{room}}/join -> 200
    data.membership = join
--- store
ZCARD sw:{t}:outbox:b.example = 1



=== TEST 6: ... and written in, by nobody else
--- calls
ann@t POST /v1/rooms/{{room}}/send {"content":{"body":"hi"}} -> 201
al@t POST /v1/rooms/{{room}}/join -> 404 SW_ROOM_NOT_FOUND
--- store
ZCARD sw:{t}:outbox:b.example = 2



=== TEST 7: its home tells who is there; that isn't sent back, nor to others: it is its home's business
--- calls
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{room}}", "sender": "bob", "event_type": "swp.room.members", "content": {},
        "complete": true,
        "room": {"name": "Of bob"},
        "members": [{"fqid": "@bob:b.example", "membership": "join", "power_level": 100},
                    {"fqid": "@ann:a.example", "membership": "join"},
                    {"fqid": "@carl:c.example", "membership": "join", "power_level": 10},
                    {"fqid": "@eve:b.example", "membership": "invite"}]
    }]} -> 200
    data.results[*].status = ["applied"]
ann@t GET /v1/rooms/{{room}}/members -> 200
    data # 4
    data[participant_id=@bob:b.example].membership = join
    data[participant_id=@bob:b.example].power_level = 100
    data[participant_id=@carl:c.example].membership = join
    data[participant_id=@carl:c.example].power_level = 10
    data[participant_id=@eve:b.example].membership = invite
    data[participant_id=@eve:b.example].power_level = 0
    data[participant_id=ann].membership = join
    data[participant_id=ann].power_level = 0
ann@t GET /v1/rooms/{{room}} -> 200
    data.members_count = 3
--- store
ZCARD sw:{t}:outbox:b.example = 2
ZCARD sw:{t}:outbox:c.example = 0



=== TEST 8: messages: once each; the home tells of others, and does not speak for ours
--- calls
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "id": "{{hello}}", "room_id": "{{room}}", "sender": "bob", "event_type": "swp.room.message",
        "content": {"body": "hello"}
    }]} -> 200
    data.results[*].status = ["applied"]
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "id": "{{hello}}", "room_id": "{{room}}", "sender": "bob", "event_type": "swp.room.message",
        "content": {"body": "hello"}
    }]} -> 200
    data.results[*].status = ["duplicate"]
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{room}}", "sender": "@carl:c.example", "event_type": "swp.room.message",
        "content": {"body": "of carl"}
    }]} -> 200
    data.results[*].status = ["applied"]
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{room}}", "sender": "@ann:a.example", "event_type": "swp.room.message",
        "content": {"body": "forged"}
    }]} -> 200
    data.results[*].status = ["rejected"]
    data.results[*].code = ["SW_FED_POLICY"]
ann@t GET /v1/rooms/{{room}}/messages?limit=4 -> 200
    save here: json data[1].id
    data[*].sender_id = ["@carl:c.example","@bob:b.example","@bob:b.example","ann"]
    data[*].content.body = ["of carl","hello","hi"]
ann@t GET /v1/rooms/{{room}} -> 200
    data.me.unread_count = 2



=== TEST 9: an edit; a reaction of ours; a redaction that takes more power than we have
--- calls
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{room}}", "sender": "bob", "event_type": "swp.room.message",
        "content": {"replaces": "{{hello}}:b.example", "content": {"body": "hallo"}}
    }]} -> 200
    data.results[*].status = ["applied"]
ann@t GET /v1/rooms/{{room}}/messages -> 200
    data[id={{here}}].content.body = hallo
ann@t POST /v1/rooms/{{room}}/events/{{here}}/reaction {"emoji":"+1"} -> 200
ann@t POST /v1/rooms/{{room}}/events/{{here}}/redact {} -> 403 SW_REDACT_FORBIDDEN



=== TEST 10: a reaction of the past ends, which is told here; a redaction wipes
--- calls
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{room}}", "sender": "bob", "event_type": "swp.room.reaction",
        "content": {"event_id": "{{hello}}:b.example", "emoji": "x", "action": "remove"}
    }]} -> 200
    data.results[*].status = ["applied"]
ann@t GET /v1/rooms/{{room}}/messages?limit=1 -> 200
    data[0].content.action = remove
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{room}}", "sender": "bob", "event_type": "swp.room.redaction",
        "content": {"event_id": "{{hello}}:b.example"}
    }]} -> 200
    data.results[*].status = ["applied"]
ann@t GET /v1/rooms/{{room}}/messages -> 200
    data[id={{here}}].content = {}



=== TEST 11: a name is shown, with its event; we may not change it without power
--- calls
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{room}}", "sender": "bob", "event_type": "swp.room.name", "content": {"name": "New"},
        "room": {"name": "New"}, "members": []
    }]} -> 200
    data.results[*].status = ["applied"]
ann@t GET /v1/rooms/{{room}} -> 200
    data.name = New
ann@t GET /v1/rooms/{{room}}/messages?limit=1 -> 200
    data[0].event_type = swp.room.name
ann@t PUT /v1/rooms/{{room}}/name {"name":"Mine"} -> 403 SW_ROOM_FORBIDDEN



=== TEST 12: ours get power, use it, and invite from a third server
--- calls
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{room}}", "sender": "bob", "event_type": "swp.room.power_level",
        "content": {"fqid": "@ann:a.example", "power_level": 60},
        "room": {"name": "New"},
        "members": [{"fqid": "@ann:a.example", "membership": "join", "power_level": 60}]
    }]} -> 200
    data.results[*].status = ["applied"]
ann@t PUT /v1/rooms/{{room}}/name {"name":"Mine"} -> 200
ann@t POST /v1/rooms/{{room}}/invitations {"fqid":"@cid:c.example"} -> 200



=== TEST 13: one of ours doesn't join by another's word
--- calls
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{room}}", "sender": "bob", "event_type": "swp.room.member",
        "content": {"fqid": "@al:a.example", "membership": "join"},
        "room": {"name": "Mine"},
        "members": [{"fqid": "@al:a.example", "membership": "join"}]
    }]} -> 200
    data.results[*].status = ["applied"]
ann@t GET /v1/rooms/{{room}}/members -> 200
    data[participant_id=ann] ?
    data[participant_id=al] !



=== TEST 14: another server than its home is not heard; what that calls so, as a home, is another room
--- calls
c.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{room}}", "sender": "carl", "event_type": "swp.room.message",
        "content": {"body": "by c"}
    }]} -> 200
    data.results[*].status = ["rejected"]
    data.results[*].code = ["SW_ROOM_NOT_FOUND"]
c.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{room}}", "sender": "carl", "event_type": "swp.room.member",
        "content": {"fqid": "@al:a.example", "membership": "invite"},
        "room": {"name": "Of carl"},
        "members": [{"fqid": "@al:a.example", "membership": "invite"}]
    }]} -> 200
    data.results[*].status = ["applied"]
ann@t GET /v1/rooms/{{room}}/members -> 200
    data[participant_id=ann] ?
    data[participant_id=al] !



=== TEST 15: a room of ours
--- calls
ann@t POST /v1/rooms {"room_type":"group","name":"Ours"} -> 201
    save ours: json data.id



=== TEST 16: ... stays ours
--- calls
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{ours}}", "sender": "bob", "event_type": "swp.room.member",
        "content": {"fqid": "@al:a.example", "membership": "invite"},
        "room": {"name": "Of bob"},
        "members": [{"fqid": "@al:a.example", "membership": "invite"},
                    {"fqid": "@bob:b.example", "membership": "join", "power_level": 100}]
    }]} -> 200
    data.results[*].status = ["rejected"]
    data.results[*].code = ["SW_ROOM_NOT_FOUND"]



=== TEST 17: no replica of a room that is none, or may not be shared
--- calls
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{none}}", "sender": "bob", "event_type": "swp.room.member",
        "content": {"fqid": "@al:a.example", "membership": "invite"},
        "members": [{"fqid": "@al:a.example", "membership": "invite"},
                    {"fqid": "@bob:b.example", "membership": "join", "power_level": 100}]
    }]} -> 200
    data.results[*].status = ["rejected"]
    data.results[0].code ~ ^SW_
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{none}}", "sender": "bob", "event_type": "swp.room.member",
        "content": {"fqid": "@al:a.example", "membership": "invite"},
        "room": {"name": "x", "room_type": "<incognito|sidekick|public>"},
        "members": [{"fqid": "@al:a.example", "membership": "invite"},
                    {"fqid": "@bob:b.example", "membership": "join", "power_level": 100}]
    }]} -> 200
    data.results[*].status = ["rejected"]
    data.results[0].code ~ ^SW_
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{none}}", "sender": "bob", "event_type": "swp.room.member",
        "content": {"fqid": "@al:a.example", "membership": "invite"},
        "room": {"name": <null|"a\nb">},
        "members": [{"fqid": "@al:a.example", "membership": "invite"},
                    {"fqid": "@bob:b.example", "membership": "join", "power_level": 100}]
    }]} -> 200
    data.results[*].status = ["rejected"]
    data.results[0].code ~ ^SW_
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{none}}", "sender": "bob", "event_type": "swp.room.member",
        "content": {"fqid": "@al:a.example", "membership": "invite"},
        "room": {"name": "x", <"creator": null|"federated": false|"state": "closed">},
        "members": [{"fqid": "@al:a.example", "membership": "invite"},
                    {"fqid": "@bob:b.example", "membership": "join", "power_level": 100}]
    }]} -> 200
    data.results[*].status = ["rejected"]
    data.results[0].code ~ ^SW_



=== TEST 18: no replica without somebody of ours who is invited, or with members that are none
--- calls
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{none}}", "sender": "bob", "event_type": "swp.room.member",
        "content": {"fqid": "@al:a.example", "membership": "invite"},
        "room": {"name": "Of bob"},
        "members": [<{"fqid": "@bob:b.example", "membership": "join", "power_level": 100}|{"fqid": "@al:a.example", "membership": "join"}>]
    }]} -> 200
    data.results[*].status = ["rejected"]
    data.results[0].code ~ ^SW_
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{none}}", "sender": "bob", "event_type": "swp.room.member",
        "content": {"fqid": "@al:a.example", "membership": "invite"},
        "room": {"name": "Of bob"},
        "members": <{{crowd_of_101}}|{"a": 1}>
    }]} -> 200
    data.results[*].status = ["rejected"]
    data.results[0].code ~ ^SW_
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{none}}", "sender": "bob", "event_type": "swp.room.member",
        "content": {"fqid": "@al:a.example", "membership": "invite"},
        "room": {"name": "Of bob"},
        "members": [<{"membership": "join"}|{"fqid": "@al:a.example", "membership": "invite"},
                    {"fqid": "@bob:b.example", "membership": "join", "power_level": 101}>]
    }]} -> 200
    data.results[*].status = ["rejected"]
    data.results[0].code ~ ^SW_
al@t GET /v1/rooms/{{none}} -> 404 SW_ROOM_NOT_FOUND



=== TEST 19: a replica does not grow past our limit
--- init
RoomsTest::redis('HSET', 'sw:{t}:tenant', 'max_participants', 8);
--- calls
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{room}}", "sender": "bob", "event_type": "swp.room.members", "content": {},
        "room": {"name": "Mine"},
        "members": {{crowd_of_50}}
    }]} -> 200
    data.results[*].status = ["rejected"]
    data.results[*].code = ["SW_ROOM_CAPACITY"]
--- store
HDEL sw:{t}:tenant max_participants = 1



=== TEST 20: an invite takes no place in the tenant, which does not grow past its limit
--- init
RoomsTest::redis('HSET', 'sw:{t}:tenant', 'max_rooms', 1);
--- calls
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{full}}", "sender": "bob", "event_type": "swp.room.member",
        "content": {"fqid": "@al:a.example", "membership": "invite"},
        "room": {"name": "Of bob"},
        "members": [{"fqid": "@al:a.example", "membership": "invite"},
                    {"fqid": "@bob:b.example", "membership": "join", "power_level": 100}]
    }]} -> 200
    data.results[*].status = ["applied"]
al@t POST /v1/rooms/{{full}}/join -> 409 SW_TENANT_CAPACITY
--- store
HDEL sw:{t}:tenant max_rooms = 1



=== TEST 21: a snapshot that is older than one before it changes nothing
--- calls
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{late}}", "sender": "bob", "event_type": "swp.room.member",
        "content": {"fqid": "@ann:a.example", "membership": "invite"},
        "room": {"name": "Of bob"},
        "members": [{"fqid": "@ann:a.example", "membership": "invite"},
                    {"fqid": "@bob:b.example", "membership": "join", "power_level": 100}],
        "as_of": 100
    }]} -> 200
    data.results[*].status = ["applied"]
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{late}}", "sender": "bob", "event_type": "swp.room.members", "content": {},
        "complete": true,
        "room": {"name": "Thirty"},
        "members": [{"fqid": "@ann:a.example", "membership": "invite"},
                    {"fqid": "@bob:b.example", "membership": "join", "power_level": 100},
                    {"fqid": "@eve:b.example", "membership": "join"}],
        "as_of": 130
    }]} -> 200
    data.results[*].status = ["applied"]
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{late}}", "sender": "bob", "event_type": "swp.room.members", "content": {},
        "complete": true,
        "room": {"name": "Twenty"},
        "members": [{"fqid": "@ann:a.example", "membership": "invite"},
                    {"fqid": "@bob:b.example", "membership": "join", "power_level": 100},
                    {"fqid": "@carl:b.example", "membership": "join"}],
        "as_of": 120
    }]} -> 200
    data.results[*].status = ["duplicate"]
ann@t GET /v1/rooms/{{late}} -> 200
    data.name = Thirty
--- store
HEXISTS sw:{t}:r:{{late}}:members @bob:b.example = 1
HEXISTS sw:{t}:r:{{late}}:members @carl:b.example = 0
HEXISTS sw:{t}:r:{{late}}:members @eve:b.example = 1
HLEN sw:{t}:r:{{late}}:members = 3
ZSCORE sw:{t}:early {{late}} = 0



=== TEST 22: ... nor one that is older than one that said nothing new, or than an event
--- calls
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{late}}", "sender": "bob", "event_type": "swp.room.members", "content": {},
        "complete": true,
        "room": {"name": "Thirty"},
        "members": [{"fqid": "@ann:a.example", "membership": "invite"},
                    {"fqid": "@bob:b.example", "membership": "join", "power_level": 100},
                    {"fqid": "@eve:b.example", "membership": "join"}],
        "as_of": 140
    }]} -> 200
    data.results[*].status = ["applied"]
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{late}}", "sender": "bob", "event_type": "swp.room.members", "content": {},
        "complete": true,
        "room": {"name": "Thirties"},
        "members": [{"fqid": "@ann:a.example", "membership": "invite"},
                    {"fqid": "@bob:b.example", "membership": "join", "power_level": 100},
                    {"fqid": "@eve:b.example", "membership": "join"}],
        "as_of": 135
    }]} -> 200
    data.results[*].status = ["duplicate"]
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{late}}", "sender": "bob", "event_type": "swp.room.name", "content": {"name": "Fifty"},
        "as_of": 150,
        "room": {"name": "Fifty"}
    }]} -> 200
    data.results[*].status = ["applied"]
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{late}}", "sender": "bob", "event_type": "swp.room.members", "content": {},
        "complete": true,
        "room": {"name": "Forty"},
        "members": [{"fqid": "@ann:a.example", "membership": "invite"},
                    {"fqid": "@bob:b.example", "membership": "join", "power_level": 100},
                    {"fqid": "@carl:b.example", "membership": "join"}],
        "as_of": 145
    }]} -> 200
    data.results[*].status = ["duplicate"]
ann@t GET /v1/rooms/{{late}} -> 200
    data.name = Fifty
--- store
HEXISTS sw:{t}:r:{{late}}:members @bob:b.example = 1
HEXISTS sw:{t}:r:{{late}}:members @carl:b.example = 0
HEXISTS sw:{t}:r:{{late}}:members @eve:b.example = 1
HLEN sw:{t}:r:{{late}}:members = 3



=== TEST 23: one as new as that event sets who is there
--- calls
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{late}}", "sender": "bob", "event_type": "swp.room.members", "content": {},
        "complete": true,
        "room": {"name": "Fifty"},
        "members": [{"fqid": "@ann:a.example", "membership": "invite"},
                    {"fqid": "@bob:b.example", "membership": "join", "power_level": 100},
                    {"fqid": "@carl:b.example", "membership": "join"}],
        "as_of": 150
    }]} -> 200
    data.results[*].status = ["applied"]
ann@t GET /v1/rooms/{{late}} -> 200
    data.name = Fifty
--- store
HEXISTS sw:{t}:r:{{late}}:members @bob:b.example = 1
HEXISTS sw:{t}:r:{{late}}:members @carl:b.example = 1
HEXISTS sw:{t}:r:{{late}}:members @eve:b.example = 0
HLEN sw:{t}:r:{{late}}:members = 3



=== TEST 24: one that says nothing of its age is taken as it comes
--- calls
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{late}}", "sender": "bob", "event_type": "swp.room.members", "content": {},
        "complete": true,
        "room": {"name": "Any"},
        "members": [{"fqid": "@ann:a.example", "membership": "invite"},
                    {"fqid": "@bob:b.example", "membership": "join", "power_level": 100},
                    {"fqid": "@eve:b.example", "membership": "join"}]
    }]} -> 200
    data.results[*].status = ["applied"]
ann@t GET /v1/rooms/{{late}} -> 200
    data.name = Any
--- store
HEXISTS sw:{t}:r:{{late}}:members @bob:b.example = 1
HEXISTS sw:{t}:r:{{late}}:members @carl:b.example = 0
HEXISTS sw:{t}:r:{{late}}:members @eve:b.example = 1
HLEN sw:{t}:r:{{late}}:members = 3



=== TEST 25: two snapshots in parts, one between the other's: each is complete by itself
--- calls
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "id": "{{one}}", "room_id": "{{late}}", "sender": "bob", "event_type": "swp.room.members",
        "content": {}, "part": {"of": "{{one}}", "n": 0},
        "room": {"name": "One"},
        "members": [{"fqid": "@bob:b.example", "membership": "join", "power_level": 100},
                    {"fqid": "@eve:b.example", "membership": "join"}]
    }]} -> 200
    data.results[*].status = ["applied"]
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "id": "{{two}}", "room_id": "{{late}}", "sender": "bob", "event_type": "swp.room.members",
        "content": {}, "part": {"of": "{{two}}", "n": 0},
        "room": {"name": "Two"},
        "members": [{"fqid": "@bob:b.example", "membership": "join", "power_level": 100},
                    {"fqid": "@carl:b.example", "membership": "join"}]
    }]} -> 200
    data.results[*].status = ["applied"]
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{late}}", "sender": "bob", "event_type": "swp.room.members", "content": {},
        "part": {"of": "{{one}}", "n": 1}, "complete": true,
        "room": {"name": "One"},
        "members": [{"fqid": "@ann:a.example", "membership": "invite"}]
    }]} -> 200
    data.results[*].status = ["applied"]
ann@t GET /v1/rooms/{{late}} -> 200
    data.name = One
--- store
HEXISTS sw:{t}:r:{{late}}:members @bob:b.example = 1
HEXISTS sw:{t}:r:{{late}}:members @carl:b.example = 0
HEXISTS sw:{t}:r:{{late}}:members @eve:b.example = 1
HLEN sw:{t}:r:{{late}}:members = 3



=== TEST 26: ... and so is the other one
--- calls
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{late}}", "sender": "bob", "event_type": "swp.room.members", "content": {},
        "part": {"of": "{{two}}", "n": 1}, "complete": true,
        "room": {"name": "Two"},
        "members": [{"fqid": "@ann:a.example", "membership": "invite"}]
    }]} -> 200
    data.results[*].status = ["applied"]
ann@t GET /v1/rooms/{{late}} -> 200
    data.name = Two
--- store
HEXISTS sw:{t}:r:{{late}}:members @bob:b.example = 1
HEXISTS sw:{t}:r:{{late}}:members @carl:b.example = 0
HEXISTS sw:{t}:r:{{late}}:members @eve:b.example = 0
HLEN sw:{t}:r:{{late}}:members = 2



=== TEST 27: a snapshot sets right what went astray, the name, too
--- calls
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{room}}", "sender": "bob", "event_type": "swp.room.members", "content": {},
        "complete": true,
        "room": {"name": "Right"},
        "members": [{"fqid": "@bob:b.example", "membership": "join", "power_level": 100},
                    {"fqid": "@ann:a.example", "membership": "join"}]
    }]} -> 200
    data.results[*].status = ["applied"]
ann@t GET /v1/rooms/{{room}}/members -> 200
    data # 2
    data[participant_id=@bob:b.example].membership = join
    data[participant_id=@bob:b.example].power_level = 100
    data[participant_id=ann].membership = join
    data[participant_id=ann].power_level = 0
ann@t GET /v1/rooms/{{room}} -> 200
    data.name = Right



=== TEST 28: archived, which freezes; open again; kicked, and out
--- calls
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{room}}", "sender": "bob", "event_type": "swp.room.state",
        "content": {"state": "archived"},
        "room": {"name": "Right", "state": "archived"}
    }]} -> 200
    data.results[*].status = ["applied"]
ann@t POST /v1/rooms/{{room}}/send {"content":{}} -> 409 SW_ROOM_FROZEN
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{room}}", "sender": "bob", "event_type": "swp.room.state", "content": {"state": "open"},
        "room": {"name": "Right"}
    }]} -> 200
    data.results[*].status = ["applied"]
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{room}}", "sender": "bob", "event_type": "swp.room.member",
        "content": {"fqid": "@ann:a.example", "membership": "leave", "reason": "bye"},
        "room": {"name": "Right"},
        "members": [{"fqid": "@ann:a.example", "membership": "leave"}]
    }]} -> 200
    data.results[*].status = ["applied"]
ann@t GET /v1/rooms/{{room}} -> 404 SW_ROOM_NOT_FOUND



=== TEST 29: an invite is declined, with its home away, which will be told
--- calls
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{declined}}", "sender": "bob", "event_type": "swp.room.member",
        "content": {"fqid": "@ann:a.example", "membership": "invite"},
        "room": {"name": "Of bob"},
        "members": [{"fqid": "@ann:a.example", "membership": "invite"},
                    {"fqid": "@bob:b.example", "membership": "join", "power_level": 100}]
    }]} -> 200
    data.results[*].status = ["applied"]
ann@t POST /v1/rooms/{{declined}}/leave -> 200
    data.membership = leave
ann@t GET /v1/rooms/{{declined}} -> 404 SW_ROOM_NOT_FOUND
--- store
ZRANGE sw:{t}:outbox:b.example -1 -1 ~ {{declined}}



=== TEST 30: a DM is of two, and one of them is who tells of it
--- calls
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{dm}}", "sender": "bob", "event_type": "swp.room.create", "content": {},
        "room": {"room_type": "dm"},
        "members": [{"fqid": "@bob:b.example", "membership": "join", "power_level": 100},
                    {"fqid": "@ann:a.example", "membership": "join", "power_level": 100},
                    {"fqid": "@al:a.example", "membership": "join"}]
    }]} -> 200
    data.results[*].status = ["rejected"]
    data.results[*].code = ["SW_VALIDATION_FAILED"]
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{dm}}", "sender": "bob", "event_type": "swp.room.create", "content": {},
        "room": {"room_type": "dm"},
        "members": [{"fqid": "@eve:b.example", "membership": "join", "power_level": 100},
                    {"fqid": "@ann:a.example", "membership": "join", "power_level": 100}]
    }]} -> 200
    data.results[*].status = ["rejected"]
    data.results[*].code = ["SW_VALIDATION_FAILED"]



=== TEST 31: a DM is one here, with the name of the other side; and ours, to be answered
--- calls
b.example POST /_scaiwave/federation/v1/send {"events": [{
        "room_id": "{{dm}}", "sender": "bob", "event_type": "swp.room.create", "content": {},
        "room": {"room_type": "dm"},
        "members": [{"fqid": "@bob:b.example", "membership": "join", "power_level": 100},
                    {"fqid": "@ann:a.example", "membership": "join", "power_level": 100}]
    }]} -> 200
    data.results[*].status = ["applied"]
ann@t GET /v1/rooms/{{dm}} -> 200
    data.room_type = dm
    data.me.membership = join
    data.name = Bob
ann@t POST /v1/me/federated-dms {"fqid":"@bob:b.example"} -> 200
    data.id = "{{dm}}"
ann@t POST /v1/rooms/{{dm}}/send {"content":{"body":"yes"}} -> 201
