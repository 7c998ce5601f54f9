# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Join, leave, invite, kick, ban, unban, power levels, succession, capacity,
# the list of members, and what opens a room.

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

# The ids m000 to m149, of those given, as a JSON array.
sub crowd { return '["' . join('","', map { sprintf 'm%03d', $_ } @_) . '"]' }

# An invite of p1 to so many.
sub invite_many {
    return "POST /v1/rooms/{{batch}}/invite\n"
           . '{"participant_ids":[' . join(',', map { "\"p$_\"" } 1 .. $_[0])
           . ']}';
}

# Avatars as large as may be, for those whose id begins with n.
sub large_profiles {
    my $key = 'sw:{members}:participants';
    my $url = '"avatar_url":"https://a.test/' . 'x' x 8000 . '"';

    for my $who (grep { /^n/ } @{RoomsTest::redis('HKEYS', $key)}) {
        RoomsTest::redis('HSET', $key, $who, RoomsTest::redis('HGET', $key, $who)
                                             =~ s{"avatar_url":null}{$url}r);
    }
}

no_shuffle();
run_tests();

__DATA__

=== TEST 1: participants exist after their first request
--- calls
ann,bob,cy,dan,eve,fay,mod,low,gus POST /v1/auth/register -> 200



=== TEST 2: rooms of each kind
--- calls
ann POST /v1/rooms {"room_type":"public","name":"Town"} -> 201
    save town: json data.id
ann POST /v1/rooms {"room_type":"group","name":"Closed"} -> 201
    save closed: json data.id
ann POST /v1/rooms {"room_type":"group","name":"Open","is_public":true} -> 201
    save open: json data.id
ann POST /v1/rooms {"room_type":"incognito"} -> 201
    save dark: json data.id



=== TEST 3: join: one's row
--- calls
bob POST /v1/rooms/{{town}}/join -> 200
    save joined_at: json data.joined_at
    data # 6
    data.room_id = {{town}}
    data.participant_id = bob
    data.fqid = "@bob:rooms.test"
    data.membership = join
    data.power_level = 0
    data.joined_at ~ ^\d{4}-.*Z$
--- store
ZCARD sw:{acme}:r:{{town}}:events = 2



=== TEST 4: joining again is no change, nor another time of joining
--- calls
bob POST /v1/rooms/{{town}}/join -> 200
    data.membership = join
    data.joined_at = {{joined_at}}
bob GET /v1/rooms/{{town}}/members -> 200
    data[participant_id=bob].joined_at = {{joined_at}}
ann GET /v1/rooms/{{town}} -> 200
    data.members_count = 2
    data.invited_count = 0
ann POST /v1/rooms/{{town}}/join -> 200
    data.power_level = 100
bob@other POST /v1/rooms/{{town}}/join -> 404 SW_ROOM_NOT_FOUND
--- store
ZCARD sw:{acme}:r:{{town}}:events = 2



=== TEST 5: nobody joins a group uninvited, unless it is public
--- calls
bob POST /v1/rooms/{{closed}}/join -> 404 SW_ROOM_NOT_FOUND
bob POST /v1/rooms/{{open}}/join -> 200
bob POST /v1/rooms/{{dark}}/join -> 404 SW_ROOM_NOT_FOUND
ann POST /v1/rooms/{{dark}}/invite {"participant_id":"bob"} -> 200
    data.membership = invite
    data.joined_at null
bob POST /v1/rooms/{{dark}}/join -> 200
    data.membership = join



=== TEST 6: invite: the row of who is invited
--- calls
ann POST /v1/rooms/{{closed}}/invite {"participant_id":"bob"} -> 200
    data # 6
    data.room_id = {{closed}}
    data.participant_id = bob
    data.membership = invite
    data.power_level = 0
    data.joined_at null
ann GET /v1/rooms/{{closed}} -> 200
    data.members_count = 1
    data.invited_count = 1
bob GET /v1/rooms/{{closed}} -> 200
    data.me.membership = invite
    data.me.unread_count = 0



=== TEST 7: any member invites, but nobody who is only invited
--- calls
bob POST /v1/rooms/{{closed}}/invite {"participant_id":"cy"} -> 403 SW_ROOM_FORBIDDEN
bob POST /v1/rooms/{{closed}}/join -> 200
bob POST /v1/rooms/{{closed}}/invite {"participant_id":"cy"} -> 200
    data.participant_id = cy
dan POST /v1/rooms/{{closed}}/invite {"participant_id":"eve"} -> 404 SW_ROOM_NOT_FOUND
--- store
ZCARD sw:{acme}:r:{{closed}}:events = 4



=== TEST 8: inviting who is invited or joined is no change
--- calls
ann POST /v1/rooms/{{closed}}/invite {"participant_id":"cy"} -> 200
    data.membership = invite
ann POST /v1/rooms/{{closed}}/invite {"participant_id":"bob"} -> 200
    data.membership = join
bob POST /v1/rooms/{{closed}}/invite {"participant_id":"ann"} -> 200
    data.membership = join
    data.power_level = 100
ann GET /v1/rooms/{{closed}} -> 200
    data.members_count = 2
    data.invited_count = 1
--- store
ZCARD sw:{acme}:r:{{closed}}:events = 4



=== TEST 9: only participants are invited, kicked, banned
--- calls
ann POST /v1/rooms/{{closed}}/invite {"participant_id":"<nobody|no such one>"} -> 404 SW_PARTICIPANT_NOT_FOUND
ann POST /v1/rooms/{{closed}}/invite {"participant_id":""} -> 400 SW_VALIDATION_FAILED participant_id
ann POST /v1/rooms/{{closed}}/<invite|kick|ban|unban> {} -> 400 SW_VALIDATION_FAILED participant_id
ann POST /v1/rooms/{{closed}}/<invite|kick|ban|unban> {"participant_id":<null|1|["bob"]>} -> 400 SW_VALIDATION_FAILED participant_id



=== TEST 10: declining
--- calls
cy POST /v1/rooms/{{closed}}/leave -> 200
    data.membership = leave
    data.joined_at null
cy POST /v1/rooms/{{closed}}/<leave|join> -> 404 SW_ROOM_NOT_FOUND
ann GET /v1/rooms/{{closed}} -> 200
    data.members_count = 2
    data.invited_count = 0
--- verify_room
{{closed}}



=== TEST 11: a room with a member, a guest and a ban
--- calls
ann POST /v1/rooms {"room_type":"group","name":"Batch"} -> 201
    save batch: json data.id



=== TEST 12: ... bob, cy and dan
--- calls
ann POST /v1/rooms/{{batch}}/invite {"participant_id":"<bob|cy>"} -> 200
bob POST /v1/rooms/{{batch}}/join -> 200
ann POST /v1/rooms/{{batch}}/ban {"participant_id":"dan"} -> 200
--- store
ZCARD sw:{acme}:r:{{batch}}:events = 5



=== TEST 13: many are invited by one commit, each with a result
--- calls
ann POST /v1/rooms/{{batch}}/invite {"participant_ids":["eve","bob","cy","dan","nobody","eve","fay"]} -> 200
    data.results # 7
    data.results[0].participant_id = eve
    data.results[0].membership = invite
    data.results[1].participant_id = bob
    data.results[1].membership = join
    data.results[2].participant_id = cy
    data.results[2].membership = invite
    data.results[3].participant_id = dan
    data.results[3].error.code = SW_ROOM_FORBIDDEN
    data.results[3].membership !
    data.results[4].participant_id = nobody
    data.results[4].error.code = SW_PARTICIPANT_NOT_FOUND
    data.results[5].participant_id = eve
    data.results[5].membership = invite
    data.results[6].participant_id = fay
    data.results[6].membership = invite
ann GET /v1/rooms/{{batch}} -> 200
    data.members_count = 2
    data.invited_count = 3
ann POST /v1/rooms/{{batch}}/invite {"participant_ids":["eve","bob"]} -> 200
    data.results # 2
--- store
ZCARD sw:{acme}:r:{{batch}}:events = 6



=== TEST 14: a list of 1 to 100 ids
--- request eval
["POST /v1/rooms/{{batch}}/invite\n" . '{"participant_ids":["gus"]}', map { main::invite_many($_) } 0, 101, 100]
--- more_headers eval
main::as('ann')
--- error_code eval
[200, 400, 400, 200]
--- json eval
["data.results # 1\ndata.results[0].membership = invite", (main::failure(SW_VALIDATION_FAILED => 'participant_ids')) x 2,
 "data.results # 100"]



=== TEST 15: ... of ids
--- calls
ann POST /v1/rooms/{{batch}}/invite {"participant_ids":<"bob"|["bob",1]|{"a":1}>} -> 400 SW_VALIDATION_FAILED participant_ids
ann POST /v1/rooms/{{batch}}/invite {"participant_ids":["bob",""]} -> 400 SW_VALIDATION_FAILED
--- verify_room
{{batch}}



=== TEST 16: a room with powers
--- calls
ann POST /v1/rooms {"room_type":"group","name":"Kicks"} -> 201
    save kicks: json data.id



=== TEST 17: ... of 50 and 49
--- calls
ann POST /v1/rooms/{{kicks}}/invite {"participant_id":"<mod|bob|cy|dan|low>"} -> 200
mod,bob,cy,dan,low POST /v1/rooms/{{kicks}}/join -> 200
ann PUT /v1/rooms/{{kicks}}/members/<mod|cy>/power-level {"power_level":50} -> 200
ann PUT /v1/rooms/{{kicks}}/members/low/power-level {"power_level":49} -> 200



=== TEST 18: who has power 50 kicks those who have less, and not themself
--- calls
low POST /v1/rooms/{{kicks}}/kick {"participant_id":"bob"} -> 403 SW_ROOM_FORBIDDEN
mod POST /v1/rooms/{{kicks}}/kick {"participant_id":"<cy|ann|mod>"} -> 403 SW_ROOM_FORBIDDEN
mod POST /v1/rooms/{{kicks}}/kick {"participant_id":"bob"} -> 200
    data.membership = leave
    data.participant_id = bob
    data.power_level = 0
    data.joined_at null
mod POST /v1/rooms/{{kicks}}/kick {"participant_id":"<bob|nobody>"} -> 404 SW_PARTICIPANT_NOT_FOUND
bob GET /v1/rooms/{{kicks}} -> 404 SW_ROOM_NOT_FOUND
bob POST /v1/rooms/{{kicks}}/join -> 404 SW_ROOM_NOT_FOUND



=== TEST 19: a kick is told with its reason
--- calls
ann POST /v1/rooms/{{kicks}}/kick {"participant_id":"cy","reason":"spam"} -> 200
ann GET /v1/rooms/{{kicks}}/messages?limit=1 -> 200
    data[0].content.reason = spam
ann POST /v1/rooms/{{kicks}}/kick {"participant_id":"dan","reason":"{{x*1025}}"} -> 400 SW_VALIDATION_FAILED reason
ann POST /v1/rooms/{{kicks}}/ban {"participant_id":"dan","reason":1} -> 400 SW_VALIDATION_FAILED reason



=== TEST 20: a kick withdraws an invite
--- calls
ann POST /v1/rooms/{{kicks}}/invite {"participant_id":"eve"} -> 200
mod POST /v1/rooms/{{kicks}}/kick {"participant_id":"eve"} -> 200
    data.membership = leave
eve POST /v1/rooms/{{kicks}}/join -> 404 SW_ROOM_NOT_FOUND
ann GET /v1/rooms/{{kicks}} -> 200
    data.members_count = 4
    data.invited_count = 0



=== TEST 21: a peer at 100 can't remove the creator, nor the creator a peer
--- calls
ann PUT /v1/rooms/{{kicks}}/members/dan/power-level {"power_level":100} -> 200
dan POST /v1/rooms/{{kicks}}/<kick|ban> {"participant_id":"ann"} -> 403 SW_ROOM_FORBIDDEN
ann POST /v1/rooms/{{kicks}}/<kick|ban> {"participant_id":"dan"} -> 403 SW_ROOM_FORBIDDEN
--- verify_room
{{kicks}}



=== TEST 22: a public room with powers
--- calls
ann POST /v1/rooms {"room_type":"public","name":"Bans"} -> 201
    save bans: json data.id



=== TEST 23: ... of 50 and 49
--- calls
mod,bob,cy,low POST /v1/rooms/{{bans}}/join -> 200
ann PUT /v1/rooms/{{bans}}/members/<mod|cy>/power-level {"power_level":50} -> 200
ann PUT /v1/rooms/{{bans}}/members/low/power-level {"power_level":49} -> 200



=== TEST 24: who has power 50 bans those who have less, and a ban is told with its reason
--- calls
low POST /v1/rooms/{{bans}}/ban {"participant_id":"bob"} -> 403 SW_ROOM_FORBIDDEN
mod POST /v1/rooms/{{bans}}/ban {"participant_id":"cy"} -> 403 SW_ROOM_FORBIDDEN
mod POST /v1/rooms/{{bans}}/ban {"participant_id":"bob","reason":"why"} -> 200
    data.membership = ban
    data.power_level = 0
    data.joined_at null
ann GET /v1/rooms/{{bans}}/messages?limit=1 -> 200
    save ban_event: json data[0].id
    data[0].content.reason = why
mod POST /v1/rooms/{{bans}}/ban {"participant_id":"bob"} -> 200
    data.membership = ban
ann GET /v1/rooms/{{bans}}/messages?limit=1 -> 200
    data[0].id = {{ban_event}}



=== TEST 25: who is banned sees that, and does nothing there; a kick doesn't lift it
--- calls
bob GET /v1/rooms/{{bans}} -> 200
    data.me.membership = ban
ann POST /v1/rooms/{{bans}}/invite {"participant_id":"bob"} -> 403 SW_ROOM_FORBIDDEN
ann POST /v1/rooms/{{bans}}/kick {"participant_id":"bob"} -> 404 SW_PARTICIPANT_NOT_FOUND
bob GET /v1/rooms/{{bans}}/<messages|members> -> 403 SW_ROOM_FORBIDDEN
bob POST /v1/rooms/{{bans}}/send {"content":{}} -> 403 SW_ROOM_FORBIDDEN
bob POST /v1/rooms/{{bans}}/<join|leave> -> 403 SW_ROOM_FORBIDDEN
bob GET /v1/directory/rooms?membership=join -> 200
    meta.has_more = false
--- store
HGET sw:{acme}:r:{{bans}}:members bob ~ ^ban



=== TEST 26: before any membership, and of who is invited, a ban holds as well
--- calls
mod POST /v1/rooms/{{bans}}/ban {"participant_id":"dan"} -> 200
    data.membership = ban
dan POST /v1/rooms/{{bans}}/join -> 403 SW_ROOM_FORBIDDEN
ann POST /v1/rooms/{{bans}}/invite {"participant_id":"eve"} -> 200
ann GET /v1/rooms/{{bans}} -> 200
    data.members_count = 4
    data.invited_count = 1
mod POST /v1/rooms/{{bans}}/ban {"participant_id":"eve"} -> 200
    data.membership = ban
ann GET /v1/rooms/{{bans}} -> 200
    data.members_count = 4
    data.invited_count = 0
eve POST /v1/rooms/{{bans}}/join -> 403 SW_ROOM_FORBIDDEN
mod POST /v1/rooms/{{bans}}/ban {"participant_id":"nobody"} -> 404 SW_PARTICIPANT_NOT_FOUND



=== TEST 27: the list of bans is for who has power 50
--- calls
mod GET /v1/rooms/{{bans}}/members?membership=ban -> 200
low GET /v1/rooms/{{bans}}/members?membership=ban -> 403 SW_ROOM_FORBIDDEN
--- pages
mod /v1/rooms/{{bans}}/members?membership=ban&limit=<1|2|3>
    $[*].participant_id = ["bob","dan","eve"]
--- verify_room
{{bans}}



=== TEST 28: who has power 50 lifts a ban
--- calls
low POST /v1/rooms/{{bans}}/unban {"participant_id":"bob"} -> 403 SW_ROOM_FORBIDDEN
mod POST /v1/rooms/{{bans}}/unban {"participant_id":"bob"} -> 200
    data.membership = leave
ann GET /v1/rooms/{{bans}}/messages?limit=1 -> 200
    save unban_event: json data[0].id
mod POST /v1/rooms/{{bans}}/unban {"participant_id":"bob"} -> 200
    data.membership = leave
mod POST /v1/rooms/{{bans}}/unban {"participant_id":"cy"} -> 200
    data.membership = join
ann GET /v1/rooms/{{bans}}/messages?limit=1 -> 200
    data[0].id = {{unban_event}}
mod POST /v1/rooms/{{bans}}/unban {"participant_id":"nobody"} -> 404 SW_PARTICIPANT_NOT_FOUND
bob POST /v1/rooms/{{bans}}/join -> 200
dan POST /v1/rooms/{{bans}}/join -> 403 SW_ROOM_FORBIDDEN
--- verify_room
{{bans}}



=== TEST 29: a group
--- calls
ann POST /v1/rooms {"room_type":"group","name":"Unseen"} -> 201
    save unseen: json data.id



=== TEST 30: in a group, who is banned, or was, doesn't even see it
--- calls
ann POST /v1/rooms/{{unseen}}/invite {"participant_id":"bob"} -> 200
bob POST /v1/rooms/{{unseen}}/join -> 200
ann POST /v1/rooms/{{unseen}}/ban {"participant_id":"bob"} -> 200
bob GET /v1/rooms/{{unseen}} -> 404 SW_ROOM_NOT_FOUND
bob POST /v1/rooms/{{unseen}}/join -> 404 SW_ROOM_NOT_FOUND
ann POST /v1/rooms/{{unseen}}/unban {"participant_id":"bob"} -> 200
bob POST /v1/rooms/{{unseen}}/join -> 404 SW_ROOM_NOT_FOUND



=== TEST 31: a group for its powers
--- calls
ann POST /v1/rooms {"room_type":"group","name":"Powers"} -> 201
    save powers: json data.id



=== TEST 32: ... of which dan is invited only
--- calls
ann POST /v1/rooms/{{powers}}/invite {"participant_id":"<mod|bob|cy|low|dan>"} -> 200
mod,bob,cy,low POST /v1/rooms/{{powers}}/join -> 200
ann PUT /v1/rooms/{{powers}}/members/<mod|cy>/power-level {"power_level":50} -> 200
ann PUT /v1/rooms/{{powers}}/members/low/power-level {"power_level":49} -> 200



=== TEST 33: who has power 50 gives up to that, to those who have less
--- calls
mod PUT /v1/rooms/{{powers}}/members/bob/power-level {"power_level":50} -> 200
    data.room_id = {{powers}}
    data.participant_id = bob
    data.membership = join
    data.power_level = 50
mod PUT /v1/rooms/{{powers}}/members/<bob|cy|ann>/power-level {"power_level":10} -> 403 SW_ROOM_FORBIDDEN
mod PUT /v1/rooms/{{powers}}/members/low/power-level {"power_level":51} -> 403 SW_ROOM_FORBIDDEN
low PUT /v1/rooms/{{powers}}/members/<bob|low>/power-level {"power_level":0} -> 403 SW_ROOM_FORBIDDEN
mod PUT /v1/rooms/{{powers}}/members/low/power-level {"power_level":20} -> 200
    data.power_level = 20
ann GET /v1/rooms/{{powers}}/messages?limit=1 -> 200
    save level_event: json data[0].id



=== TEST 34: the same level is no change; one's own goes down, and not up again
--- calls
mod PUT /v1/rooms/{{powers}}/members/low/power-level {"power_level":20} -> 200
    data.power_level = 20
ann GET /v1/rooms/{{powers}}/messages?limit=1 -> 200
    data[0].id = {{level_event}}
mod PUT /v1/rooms/{{powers}}/members/mod/power-level {"power_level":50} -> 200
cy PUT /v1/rooms/{{powers}}/members/cy/power-level {"power_level":0} -> 200
    data.power_level = 0
cy PUT /v1/rooms/{{powers}}/members/cy/power-level {"power_level":50} -> 403 SW_ROOM_FORBIDDEN



=== TEST 35: only members have power, and only a whole number from 0 to 100
--- calls
ann PUT /v1/rooms/{{powers}}/members/<dan|nobody|no%20one>/power-level {"power_level":10} -> 404 SW_PARTICIPANT_NOT_FOUND
eve PUT /v1/rooms/{{powers}}/members/bob/power-level {"power_level":10} -> 404 SW_ROOM_NOT_FOUND
ann PUT /v1/rooms/{{powers}}/members/bob/power-level {"power_level":<-1|101|50.5|"50"|null|true|1e18>} -> 400 SW_VALIDATION_FAILED power_level
ann PUT /v1/rooms/{{powers}}/members/bob/power-level {} -> 400 SW_VALIDATION_FAILED power_level



=== TEST 36: the last one at 100 stays there
--- calls
ann PUT /v1/rooms/{{powers}}/members/ann/power-level {"power_level":99} -> 409 SW_ROOM_LAST_ADMIN
eve! PUT /v1/rooms/{{powers}}/members/ann/power-level {"power_level":0} -> 409 SW_ROOM_LAST_ADMIN
ann PUT /v1/rooms/{{powers}}/members/bob/power-level {"power_level":100} -> 200
ann PUT /v1/rooms/{{powers}}/members/bob/power-level {"power_level":50} -> 403 SW_ROOM_FORBIDDEN
bob PUT /v1/rooms/{{powers}}/members/ann/power-level {"power_level":50} -> 403 SW_ROOM_FORBIDDEN
ann PUT /v1/rooms/{{powers}}/members/ann/power-level {"power_level":99} -> 200
    data.power_level = 99
bob PUT /v1/rooms/{{powers}}/members/bob/power-level {"power_level":0} -> 409 SW_ROOM_LAST_ADMIN
--- verify_room
{{powers}}



=== TEST 37: a tenant's administrator gives any level, as a member or not, and nothing else
--- calls
gus! PUT /v1/rooms/{{powers}}/members/low/power-level {"power_level":100} -> 200
    data.power_level = 100
ann GET /v1/rooms/{{powers}}/messages?limit=1 -> 200
    data[0].sender_id = gus
gus! PUT /v1/rooms/{{powers}}/members/bob/power-level {"power_level":3} -> 200
    data.power_level = 3
cy! PUT /v1/rooms/{{powers}}/members/cy/power-level {"power_level":100} -> 200
    data.power_level = 100
mod PUT /v1/rooms/{{powers}}/members/cy/power-level {"power_level":0} -> 403 SW_ROOM_FORBIDDEN
gus! PUT /v1/rooms/{{powers}}/name {"name":"x"} -> 404 SW_ROOM_NOT_FOUND
gus! PUT /v1/rooms/{{dark}}/members/bob/power-level {"power_level":7} -> 200
    data.power_level = 7
ann POST /v1/rooms/dm {"participant_id":"bob"} -> 201
    save dm: json data.id
--- verify_room
{{powers}}



=== TEST 38: in a DM both sides have the same power
--- calls
gus!,ann PUT /v1/rooms/{{dm}}/members/bob/power-level {"power_level":0} -> 400 SW_ROOM_TYPE_INVARIANT



=== TEST 39: a room to be left
--- calls
ann POST /v1/rooms {"room_type":"group","name":"Heirs"} -> 201
    save heirs: json data.id



=== TEST 40: ... by six, dan and eve with the same power
--- calls
ann POST /v1/rooms/{{heirs}}/invite {"participant_id":"<bob|cy|dan|eve|fay>"} -> 200
bob,cy,dan,eve,fay POST /v1/rooms/{{heirs}}/join -> 200
ann PUT /v1/rooms/{{heirs}}/members/cy/power-level {"power_level":30} -> 200
ann PUT /v1/rooms/{{heirs}}/members/<dan|eve>/power-level {"power_level":60} -> 200



=== TEST 41: the power of the last one at 100 passes to who has most, of those to who is there longest
--- calls
ann POST /v1/rooms/{{heirs}}/leave -> 200
    data.membership = leave
ann GET /v1/rooms/{{heirs}} -> 404 SW_ROOM_NOT_FOUND
dan GET /v1/rooms/{{heirs}}/members -> 200
    data[participant_id=ann] !
    data[participant_id=bob].power_level = 0
    data[participant_id=cy].power_level = 30
    data[participant_id=dan].power_level = 100
    data[participant_id=eve].power_level = 60
dan GET /v1/rooms/{{heirs}}/messages?limit=1 -> 200
    data[0].content.successor.participant_id = dan
--- store
HGET sw:{acme}:r:{{heirs}}:members ann null
--- verify_room
{{heirs}}



=== TEST 42: and on: who joined first, and not who came later
--- calls
dan POST /v1/rooms/{{heirs}}/leave -> 200
bob GET /v1/rooms/{{heirs}}/members -> 200
    data[participant_id=eve].power_level = 100
eve POST /v1/rooms/{{heirs}}/leave -> 200
bob GET /v1/rooms/{{heirs}}/members -> 200
    data[participant_id=cy].power_level = 100
cy POST /v1/rooms/{{heirs}}/leave -> 200
bob GET /v1/rooms/{{heirs}}/members -> 200
    data[participant_id=bob].power_level = 100
    data[participant_id=fay].power_level = 0



=== TEST 43: power doesn't come back, and who rejoined isn't there longest
--- calls
bob POST /v1/rooms/{{heirs}}/invite {"participant_id":"cy"} -> 200
cy POST /v1/rooms/{{heirs}}/join -> 200
    data.power_level = 0
bob POST /v1/rooms/{{heirs}}/leave -> 200
cy GET /v1/rooms/{{heirs}}/members -> 200
    data[participant_id=fay].power_level = 100
    data[participant_id=cy].power_level = 0
--- verify_room
{{heirs}}



=== TEST 44: two more rooms
--- calls
ann POST /v1/rooms {"room_type":"public","name":"Empties"} -> 201
    save empties: json data.id
ann POST /v1/rooms {"room_type":"public","name":"Two at 100"} -> 201
    save two_admins: json data.id



=== TEST 45: who is only invited inherits nothing
--- calls
ann POST /v1/rooms/{{empties}}/invite {"participant_id":"bob"} -> 200
ann POST /v1/rooms/{{empties}}/leave -> 200
bob GET /v1/rooms/{{empties}} -> 200
    data.state = archived
    data.me.power_level = 0
--- store
HGET sw:{acme}:r:{{empties}}:members bob ~ ^invite 0
--- verify_room
{{empties}}



=== TEST 46: nobody is raised while there is one at 100
--- calls
bob,cy POST /v1/rooms/{{two_admins}}/join -> 200
ann PUT /v1/rooms/{{two_admins}}/members/bob/power-level {"power_level":100} -> 200
ann PUT /v1/rooms/{{two_admins}}/members/cy/power-level {"power_level":99} -> 200
ann POST /v1/rooms/{{two_admins}}/leave -> 200
bob GET /v1/rooms/{{two_admins}}/members -> 200
    data[participant_id=cy].power_level = 99
--- verify_room
{{two_admins}}



=== TEST 47: a tenant whose rooms have three seats
--- init
RoomsTest::redis('HSET', 'sw:{cap}:tenant', 'max_participants', 3);
--- calls
ann@cap,bob@cap,cy@cap,dan@cap,eve@cap POST /v1/auth/register -> 200
ann@cap POST /v1/rooms {"room_type":"public","name":"Seats"} -> 201
    save seats: json data.id



=== TEST 48: an invite holds a seat, and a join from it takes no second one
--- calls
ann@cap POST /v1/rooms/{{seats}}/invite {"participant_id":"bob"} -> 200
cy@cap POST /v1/rooms/{{seats}}/join -> 200
dan@cap POST /v1/rooms/{{seats}}/join -> 409 SW_ROOM_CAPACITY
ann@cap POST /v1/rooms/{{seats}}/invite {"participant_id":"dan"} -> 409 SW_ROOM_CAPACITY
ann@cap POST /v1/rooms/{{seats}}/invite {"participant_id":"<bob|cy>"} -> 200
cy@cap,bob@cap POST /v1/rooms/{{seats}}/join -> 200
ann@cap GET /v1/rooms/{{seats}} -> 200
    data.members_count = 3
    data.invited_count = 0
dan@cap POST /v1/rooms/{{seats}}/join -> 409 SW_ROOM_CAPACITY



=== TEST 49: a ban takes no seat; leaving and kicking free one
--- calls
ann@cap POST /v1/rooms/{{seats}}/ban {"participant_id":"eve"} -> 200
cy@cap POST /v1/rooms/{{seats}}/leave -> 200
dan@cap POST /v1/rooms/{{seats}}/join -> 200
cy@cap POST /v1/rooms/{{seats}}/join -> 409 SW_ROOM_CAPACITY
ann@cap POST /v1/rooms/{{seats}}/kick {"participant_id":"dan"} -> 200



=== TEST 50: one check for all who are invited together
--- calls
ann@cap POST /v1/rooms/{{seats}}/invite {"participant_ids":["cy"]} -> 200
cy@cap POST /v1/rooms/{{seats}}/leave -> 200
    data.membership = leave
ann@cap POST /v1/rooms/{{seats}}/invite {"participant_ids":["cy","dan"]} -> 409 SW_ROOM_CAPACITY
ann@cap GET /v1/rooms/{{seats}} -> 200
    data.members_count = 2
    data.invited_count = 0
ann@cap POST /v1/rooms/{{seats}}/invite {"participant_ids":["bob","cy","cy"]} -> 200
ann@cap GET /v1/rooms/{{seats}} -> 200
    data.members_count = 2
    data.invited_count = 1
ann@cap POST /v1/rooms {"room_type":"public","name":"Fewer"} -> 201
    save fewer: json data.id
--- verify_room
{{seats}}



=== TEST 51: a tenant's own limit of two
--- init
RoomsTest::redis('HSET', 'sw:{cap}:tenant', 'max_participants', 2);
--- calls
bob@cap POST /v1/rooms/{{fewer}}/join -> 200
cy@cap POST /v1/rooms/{{fewer}}/join -> 409 SW_ROOM_CAPACITY



=== TEST 52: ... and of three again
--- init
RoomsTest::redis('HSET', 'sw:{cap}:tenant', 'max_participants', 3);
--- calls
cy@cap POST /v1/rooms/{{fewer}}/join -> 200



=== TEST 53: rooms_max_participants is the default
--- config
        rooms on;
        rooms_auth mock;
        rooms_server_name rooms.test;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_max_participants 2;
--- calls
ann@cap2,bob@cap2,cy@cap2 POST /v1/auth/register -> 200
ann@cap2 POST /v1/rooms {"room_type":"public","name":"Two"} -> 201
    save two_seats: json data.id



=== TEST 54: ... for a tenant without its own
--- config
        rooms on;
        rooms_auth mock;
        rooms_server_name rooms.test;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_max_participants 2;
--- calls
bob@cap2 POST /v1/rooms/{{two_seats}}/join -> 200
cy@cap2 POST /v1/rooms/{{two_seats}}/join -> 409 SW_ROOM_CAPACITY



=== TEST 55: ... which goes before it
--- config
        rooms on;
        rooms_auth mock;
        rooms_server_name rooms.test;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_max_participants 2;
--- init
RoomsTest::redis('HSET', 'sw:{cap2}:tenant', 'max_participants', 3);
--- calls
cy@cap2 POST /v1/rooms/{{two_seats}}/join -> 200



=== TEST 56: a room with members, a guest and a ban
--- calls
ann@members,bob@members,cy@members,dan@members,eve@members POST /v1/auth/register -> 200
ann@members POST /v1/rooms {"room_type":"public","name":"M"} -> 201
    save m: json data.id



=== TEST 57: ... bob with power 20, cy invited, dan banned
--- calls
bob@members POST /v1/rooms/{{m}}/join -> 200
ann@members PUT /v1/rooms/{{m}}/members/bob/power-level {"power_level":20} -> 200
ann@members POST /v1/rooms/{{m}}/invite {"participant_id":"cy"} -> 200
ann@members POST /v1/rooms/{{m}}/ban {"participant_id":"dan"} -> 200



=== TEST 58: the list has who joined, then who is invited; one's own row has mode and mute
--- calls
ann@members GET /v1/rooms/{{m}}/members -> 200
    data[*].participant_id = ["ann","bob","cy"]
    data[*].membership = ["join","join","invite"]
    data[0] # 8
    data[0].participant_id = ann
    data[0].fqid ?
    data[0].participant ?
    data[0].membership ?
    data[0].power_level ?
    data[0].joined_at ?
    data[0].notification_mode ?
    data[0].muted_until ?
    data[1] # 6
    data[1].participant_id = bob
    data[1].fqid = "@bob:rooms.test"
    data[1].participant = {"id":"bob","local_id":"bob","server_name":"rooms.test","display_name":"bob","participant_type":"human","avatar_url":null}
    data[1].membership = join
    data[1].power_level = 20
    data[1].joined_at ~ ^\d{4}-\d\d-\d\dT.*Z$
    data[2].joined_at null
ann@members HEAD /v1/rooms/{{m}}/members -> 200
--- pages
bob@members /v1/rooms/{{m}}/members?limit=1 $[*].participant_id = ["ann","bob","cy"]
bob@members /v1/rooms/{{m}}/members?membership=join&limit=1 $[*].participant_id = ["ann","bob"]
bob@members /v1/rooms/{{m}}/members?membership=invite&limit=1 $[*].participant_id = ["cy"]



=== TEST 59: arguments that are not valid, and cursors of other lists
--- calls
ann@members GET /v1/rooms/{{m}}/members?limit=<0|1001> -> 400 SW_VALIDATION_FAILED limit
ann@members GET /v1/rooms/{{m}}/members?membership=<leave|x> -> 400 SW_VALIDATION_FAILED membership
ann@members GET /v1/rooms/{{m}}/members?cursor=x -> 400 SW_VALIDATION_FAILED cursor
ann@members POST /v1/rooms {"room_type":"group","name":"Two"} -> 201
ann@members GET /v1/directory/rooms?limit=1 -> 200
    save directory_cursor: json meta.next_cursor
    meta.next_cursor : string
ann@members GET /v1/rooms/{{m}}/messages?limit=1 -> 200
    save message_cursor: json meta.next_cursor
    meta.next_cursor : string



=== TEST 60: ... though a room could be called so
--- calls
ann@members GET /v1/rooms/{{m}}/members?cursor=<{{directory_cursor}}|{{message_cursor}}> -> 400 SW_VALIDATION_FAILED cursor



=== TEST 61: the list is for members
--- calls
cy@members,eve@members,dan@members GET /v1/rooms/{{m}}/members -> 403 SW_ROOM_FORBIDDEN
eve@other GET /v1/rooms/{{m}}/members -> 404 SW_ROOM_NOT_FOUND



=== TEST 62: 150 more members
--- request eval
[map { "POST /v1/rooms/{{m}}/join" } 0 .. 149]
--- more_headers eval
[map { sprintf 'Authorization: Bearer mock:m%03d@members', $_ } 0 .. 149]
--- error_code eval
[(200) x 150]



=== TEST 63: pages of any size have all of them, in order; one is 100 long
--- calls
ann@members GET /v1/rooms/{{m}}/members -> 200
    data # 100
ann@members GET /v1/rooms/{{m}}/members?limit=50 -> 200
    save cursor: json meta.next_cursor
    data # 50
    data[49].participant_id = m046
--- pages eval
'ann@members /v1/rooms/{{m}}/members?limit=<100|152|153|1000> $[*].participant_id = '
. main::crowd(0 .. 149) =~ s/\[/["ann","bob","cy",/r



=== TEST 64: members come and go between two pages
--- calls
m046@members,m100@members POST /v1/rooms/{{m}}/leave -> 200
aaa@members POST /v1/rooms/{{m}}/join -> 200



=== TEST 65: ... and who stood still is neither skipped nor there twice
--- request
GET /v1/rooms/{{m}}/members?limit=50&cursor={{cursor}}
--- more_headers eval
main::as('ann@members')
--- json eval
'data[*].participant_id = ' . main::crowd(47 .. 96)
--- capture
cursor: json meta.next_cursor



=== TEST 66: ... to the last page
--- request
GET /v1/rooms/{{m}}/members?limit=1000&cursor={{cursor}}
--- more_headers eval
main::as('ann@members')
--- json eval
'data[*].participant_id = ' . main::crowd(97 .. 99, 101 .. 149)
--- pages
ann@members /v1/rooms/{{m}}/members?membership=invite&limit=1 $ # 1
--- verify_room
{{m}}



=== TEST 67: what opens a room is its own rows, in one answer
--- calls
ann@members GET /v1/rooms/{{m}} -> 200
    save room_of_ann: json data
ann@members GET /v1/rooms/{{m}}/members?limit=200 -> 200
    save members_for_ann: json data
ann@members GET /v1/rooms/<{{m}}|%23m>/state -> 200
    data # 6
    data.room = {{room_of_ann}}
    data.members = {{members_for_ann}}
    data.members # 152
    data.members_truncated = false
    data.unread_count = 0
    data.last_read_event_id null
    data.muted_until null
cy@members,eve@members,dan@members GET /v1/rooms/{{m}}/state -> 403 SW_ROOM_FORBIDDEN
eve@other GET /v1/rooms/{{m}}/state -> 404 SW_ROOM_NOT_FOUND
ann@members GET /v1/rooms/nonsense/state -> 404 SW_ROOM_NOT_FOUND
ann@members POST /v1/rooms/{{m}}/state {} -> 405 SW_METHOD_NOT_ALLOWED
ann@members POST /v1/rooms/{{m}}/send {"content":{"n":1}} -> 201
    save first_message: json data.id
ann@members POST /v1/rooms/{{m}}/send {"content":{"n":2}} -> 201 x2



=== TEST 68: it has one's own settings, and nobody else's
--- calls
bob@members PUT /v1/rooms/{{m}}/read {"event_id":"{{first_message}}"} -> 200
bob@members PUT /v1/rooms/{{m}}/mute {"muted_until":"2999-01-01T00:00:00Z"} -> 200
bob@members PUT /v1/rooms/{{m}}/notification-mode {"notification_mode":"mentions"} -> 200
bob@members GET /v1/rooms/{{m}} -> 200
    save room_of_bob: json data
bob@members GET /v1/rooms/{{m}}/members?limit=200 -> 200
    save members_for_bob: json data
bob@members GET /v1/rooms/{{m}}/state -> 200
    data # 6
    data.room = {{room_of_bob}}
    data.members = {{members_for_bob}}
    data.unread_count = 2
    data.last_read_event_id = {{first_message}}
    data.muted_until = "2999-01-01T00:00:00.000Z"
    data.members[participant_id=bob].notification_mode = mentions
    data.members[participant_id=ann].notification_mode !
    data.members[participant_id=cy].notification_mode !



=== TEST 69: a mute that is over is none
--- init
RoomsTest::redis('HSET', 'sw:{members}:r:{{m}}:own', 'mute bob', 1000);
--- calls
bob@members GET /v1/rooms/{{m}} -> 200
    save room_of_bob: json data
bob@members GET /v1/rooms/{{m}}/state -> 200
    data.muted_until null
    data.room = {{room_of_bob}}



=== TEST 70: 100 more members
--- request eval
[map { "POST /v1/rooms/{{m}}/join" } 0 .. 99]
--- more_headers eval
[map { sprintf 'Authorization: Bearer mock:n%03d@members', $_ } 0 .. 99]
--- error_code eval
[(200) x 100]



=== TEST 71: a large room ends at 200 members, and says so; the index is read once
--- init
RoomsTest::redis('CONFIG', 'RESETSTAT');
--- calls
ann@members GET /v1/rooms/{{m}}/state -> 200
    data.members # 200
    data.members_truncated = true
--- store
INFO commandstats ~ cmdstat_zrangebylex:calls=1,



=== TEST 72: an archived room, and a closed one
--- calls
ann@members POST /v1/rooms/{{m}}/archive -> 200
bob@members GET /v1/rooms/{{m}} -> 200
    save archived_room: json data
bob@members GET /v1/rooms/{{m}}/members?limit=200 -> 200
    save archived_members: json data
bob@members GET /v1/rooms/{{m}}/state -> 200
    data.room = {{archived_room}}
    data.members = {{archived_members}}
    data.unread_count ?
ann@members POST /v1/rooms/{{m}}/close -> 200
bob@members GET /v1/rooms/{{m}} -> 200
    save closed_room: json data
bob@members GET /v1/rooms/{{m}}/members?limit=200 -> 200
    save closed_members: json data
bob@members GET /v1/rooms/{{m}}/state -> 200
    data.room = {{closed_room}}
    data.members = {{closed_members}}
ann@members POST /v1/rooms {"room_type":"public","name":"Fat"} -> 201
    save fat: json data.id
ann@members POST /v1/rooms/dm {"participant_id":"bob"} -> 201
    save pair: json data.id



=== TEST 73: 100 members with large profiles
--- init
main::large_profiles();
--- request eval
[map { "POST /v1/rooms/{{fat}}/join" } 0 .. 99]
--- more_headers eval
[map { sprintf 'Authorization: Bearer mock:n%03d@members', $_ } 0 .. 99]
--- error_code eval
[(200) x 100]



=== TEST 74: a page of large profiles ends at 1 MiB, and says so
--- init
main::large_profiles();
--- calls
ann@members GET /v1/rooms/{{fat}}/members?limit=200 -> 200
    save large_profiles: json data
    save more: json meta.has_more
ann@members GET /v1/rooms/{{fat}}/state -> 200
    data.members = {{large_profiles}}
    data.members[20] ?
    data.members[99] !
    data.members_truncated = true
    data.members_truncated = {{more}}



=== TEST 75: a DM is called after the other side
--- calls
ann@members GET /v1/rooms/{{pair}}/state -> 200
    data.room.name = bob
bob@members GET /v1/rooms/{{pair}}/state -> 200
    data.room.name = ann
cy@members GET /v1/rooms/{{pair}}/state -> 404 SW_ROOM_NOT_FOUND



=== TEST 76: also when the other row is gone
--- init
RoomsTest::redis('HDEL', 'sw:{members}:r:{{pair}}:members', 'bob');
RoomsTest::redis('ZREM', 'sw:{members}:r:{{pair}}:list', 'bob');
--- calls
ann@members GET /v1/rooms/{{pair}}/state -> 200
    data.room.name = bob
