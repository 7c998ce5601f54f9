# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# GET /v1/sync: what is new over all rooms, in order, once; and who gets what.
# What waits, and what goes wrong, is in 15-sync-poll.t.

use strict;
use warnings;

use JSON::PP ();
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

# A body filter: says that the events of an answer are those of ann's rooms in
# the order of their positions, from the given one on.
sub as_history_from {
    my ($first, $last) = @_;

    return sub {
        my $json = JSON::PP->new->utf8->canonical;
        my $page = $json->decode($_[0])->{data};
        my @all = sort { $a->{stream_position} <=> $b->{stream_position} }
                  map { RoomsTest::Calls::events(saved($_), 'ann') }
                  qw(one two dm);
        my $want = $json->encode([@all[$first .. $last // $#all]]);
        my $got = $json->encode($page->{events});

        return $got eq $want ? 'as history has it' : "$got\n$want";
    };
}

# A body filter: all pages from the first answer on, of what size.  Says how
# many events there are, and that they are those of an answer with all.
sub pages_as_one {
    my (%o) = @_;

    return sub {
        my $more = sub {
            my ($since, $limit) = @_;
            my (@ids, $page);

            do {
                $page = RoomsTest::Calls::must('GET',
                    "/v1/sync?timeout=0&since=$since&limit=$limit", $o{who});
                push @ids, map { $_->{id} // $_->{event_type} }
                           @{$page->{events}};
                $since = $page->{next_cursor};
            } while ($page->{has_more});

            return "@ids";
        };
        my $all = $more->($o{since}, 500);
        my @different = grep { $more->($o{since}, $_) ne $all } @{$o{sizes}};

        return @different ? "other events by @different"
                          : scalar(split ' ', $all) . ' events';
    };
}

no_shuffle();
run_tests();

__DATA__

=== TEST 1: arguments
--- calls
ann,bob,cy,dan POST /v1/auth/register -> 200
ann GET /v1/sync?since=<-1|x|1.5|1e40|Now> -> 400 SW_VALIDATION_FAILED since
ann GET /v1/sync?limit=<0|501|x> -> 400 SW_VALIDATION_FAILED limit
ann GET /v1/sync?timeout=<-1|x> -> 400 SW_VALIDATION_FAILED timeout
- GET /v1/sync -> 401 SW_AUTH_INVALID_TOKEN
ann POST /v1/sync {} -> 405 SW_METHOD_NOT_ALLOWED
ann HEAD /v1/sync?timeout=0 -> 200



=== TEST 2: nothing yet
--- calls
ann GET /v1/sync?timeout=0 -> 200
    data # 4
    data.events # 0
    data.next_cursor = "0"
    data.has_more = false
    data.epoch : string
ann GET /v1/sync?timeout=0&since={{0*40}} -> 200
    data # 4
ann POST /v1/rooms {"room_type":"group","name":"One"} -> 201
    save one: json data.id
ann POST /v1/rooms {"room_type":"public","name":"Two"} -> 201
    save two: json data.id
ann POST /v1/rooms/dm {"participant_id":"bob"} -> 201
    save dm: json data.id



=== TEST 3: ann and bob talk in three rooms
--- calls
ann POST /v1/rooms/{{one}}/invite {"participant_id":"bob"} -> 200
bob POST /v1/rooms/<{{one}}|{{two}}>/join -> 200
ann,bob POST /v1/rooms/<{{one}}|{{two}}|{{dm}}|{{one}}|{{two}}>/send {"content":{"body":"m"}} -> 201 x3
--- store
GET sw:{acme}:position -> here



=== TEST 4: all events of all rooms, up to now; a page says how far it is, and whether there is more
--- calls
ann GET /v1/sync?timeout=0&since=0&limit=500 -> 200
    save fifth: json data.events[4].stream_position
    save tenth: json data.events[9].stream_position
    data.next_cursor = "{{here}}"
    data.has_more = false
    data.events # 36
ann GET /v1/sync?timeout=0&since=0&limit=5 -> 200
    data.next_cursor = "{{fifth}}"
    data.has_more = true
    data.events # 5



=== TEST 5: in order, as history has them
--- request
GET /v1/sync?timeout=0&since=0&limit=500
--- more_headers eval
main::as('ann')
--- response_body_filters eval
main::as_history_from(0)
--- response_body chomp
as history has it



=== TEST 6: a page has as many as were asked for
--- request
GET /v1/sync?timeout=0&since=0&limit=5
--- more_headers eval
main::as('ann')
--- response_body_filters eval
main::as_history_from(0, 4)
--- response_body chomp
as history has it



=== TEST 7: from a position on
--- request
GET /v1/sync?timeout=0&since={{tenth}}
--- more_headers eval
main::as('ann')
--- response_body_filters eval
main::as_history_from(10)
--- response_body chomp
as history has it



=== TEST 8: pages of any size are the same
--- request
GET /v1/sync?timeout=0&since=0
--- more_headers eval
main::as('ann')
--- response_body_filters eval
main::pages_as_one(who => 'ann', since => 0, sizes => [1, 2, 3, 7, 35, 36])
--- response_body chomp
36 events



=== TEST 9: nothing of another tenant, or of rooms of others; the cursor moves on
--- calls
ann@other GET /v1/sync?timeout=0&since=0 -> 200
    data.events # 0
    data.next_cursor = "0"
cy GET /v1/sync?timeout=0&since=0 -> 200
    data.events # 0
    data.next_cursor = "{{here}}"



=== TEST 10: who is invited gets the invite, and nothing of the room; members see both
--- calls
ann POST /v1/rooms/{{one}}/invite {"participant_id":"cy"} -> 200
ann POST /v1/rooms/{{one}}/send {"content":{"body":"not for guests"}} -> 201
cy GET /v1/sync?timeout=0&since={{here}} -> 200
    data.events # 1
    data.events[0].event_type = swp.room.member
    data.events[0].content.membership = invite
    data.events[0].room_id = {{one}}
bob GET /v1/sync?timeout=0&since={{here}} -> 200
    data.events[*].event_type = ["swp.room.member","swp.room.message"]



=== TEST 11: once joined, the room
--- calls
cy POST /v1/rooms/{{one}}/join -> 200
ann POST /v1/rooms/{{one}}/send {"content":{"body":"for cy too"}} -> 201
cy GET /v1/sync?timeout=0&since={{here}} -> 200
    data.events[*].event_type = ["swp.room.member","swp.room.message","swp.room.member","swp.room.message"]
cy GET /v1/sync?timeout=0&since=now -> 200
    save here: json data.next_cursor



=== TEST 12: of a room that one was removed from, only that, and why; members see all
--- calls
ann POST /v1/rooms/{{one}}/send {"content":{"body":"before the kick"}} -> 201
ann POST /v1/rooms/{{one}}/kick {"participant_id":"cy","reason":"noise"} -> 200
ann POST /v1/rooms/{{one}}/send {"content":{"body":"after the kick"}} -> 201
cy GET /v1/sync?timeout=0&since={{here}} -> 200
    save kick_position: json data.events[0].stream_position
    data.events # 1
    data.events[0].event_type = swp.room.member
    data.events[0].content.reason = noise
bob GET /v1/sync?timeout=0&since={{here}} -> 200
    data.events[*].event_type = ["swp.room.message","swp.room.member","swp.room.message"]
bob GET /v1/sync?timeout=0&since=now -> 200
    save here: json data.next_cursor



=== TEST 13: ... and nothing later; a ban, and its end, of who was never in
--- calls
cy GET /v1/sync?timeout=0&since={{kick_position}} -> 200
    data.events # 0
ann POST /v1/rooms/{{two}}/ban {"participant_id":"dan"} -> 200
dan GET /v1/sync?timeout=0&since={{here}} -> 200
    save ban_position: json data.events[0].stream_position
    data.events # 1
    data.events[0].content.membership = ban
ann POST /v1/rooms/{{two}}/unban {"participant_id":"dan"} -> 200
bob POST /v1/rooms/{{two}}/leave -> 200
bob GET /v1/sync?timeout=0&since={{here}} -> 200
    data.events # 1
    data.events[0].event_type = swp.room.member
    data.events[0].content.participant_id = bob
bob POST /v1/rooms/{{two}}/join -> 200
dan GET /v1/sync?timeout=0&since={{here}} -> 200
    data.events[-1].content.membership = leave
    data.events[-1].content.previous = ban
bob GET /v1/sync?timeout=0&since=now -> 200
    save here: json data.next_cursor



=== TEST 14: of many who are invited together, each learns of themself alone; who is in the room, of all
--- calls
ann POST /v1/rooms/{{one}}/invite {"participant_ids":["cy","dan"]} -> 200
cy GET /v1/sync?timeout=0&since={{here}} -> 200
    data.events # 1
    data.events[0].content.participant_ids = ["cy"]
    ~ ^(?!.*\bdan\b)
dan GET /v1/sync?timeout=0&since={{here}} -> 200
    data.events # 1
    data.events[0].content.participant_ids = ["dan"]
    ~ ^(?!.*\bcy\b)
bob GET /v1/sync?timeout=0&since={{here}} -> 200
    data.events # 1
    data.events[0].content.participant_ids = ["cy","dan"]
ann POST /v1/rooms/{{one}}/send {"content":{"body":"first"}} -> 201
    save message: json data.id
    save message_position: json data.stream_position
bob GET /v1/sync?timeout=0&since=now -> 200
    save here: json data.next_cursor



=== TEST 15: edits and reactions are events; a message is shown as it is now
--- calls
ann POST /v1/rooms/{{one}}/events/{{message}}/edit {"content":{"body":"second"}} -> 200
bob POST /v1/rooms/{{one}}/events/{{message}}/reaction {"emoji":"+"} -> 200
bob GET /v1/sync?timeout=0&since={{here}} -> 200
    data.events[*].event_type = ["swp.room.message","swp.room.reaction"]
    data.events[0].content.replaces = {{message}}
bob GET /v1/sync?timeout=0&since=0&limit=500 -> 200
    data.events[id={{message}}].content.body = second



=== TEST 16: a redaction, too, and then no body any more
--- calls
ann POST /v1/rooms/{{one}}/events/{{message}}/redact -> 200
bob GET /v1/sync?timeout=0&since={{here}} -> 200
    data.events[*].event_type = ["swp.room.message","swp.room.reaction","swp.room.redaction"]
    ~ ^(?!.*second)
bob GET /v1/sync?timeout=0&since=0&limit=500 -> 200
    data.events[id={{message}}].content = {}
    ~ ^(?!.*"body":"(?:first|second)")
bob GET /v1/sync?timeout=0&since=now -> 200
    save here: json data.next_cursor



=== TEST 17: a read marker is for its reader alone, and looks like an event
--- calls
bob PUT /v1/rooms/{{one}}/read {"event_id":"{{message}}"} -> 200
bob GET /v1/sync?timeout=0&since={{here}} -> 200
    save marker_position: json data.events[0].stream_position
    data.events # 1
    data.events[0].event_type ~ \.read_marker$
    data.events[0].content = {"event_id":"{{message}}","stream_position":{{message_position}}}
    data.events[0].room_id = {{one}}
    data.events[0].sender_id = bob
    data.events[0] # 10
    data.events[0].id ?
    data.events[0].created_at ?
    data.events[0].origin_ts ?
    data.events[0].edited_at null
    data.events[0].redacted_at null
ann GET /v1/sync?timeout=0&since={{here}} -> 200
    data.events # 0
bob GET /v1/rooms/{{one}}/messages?limit=200 -> 200
    ~ ^(?!.*read_marker)
ann POST /v1/rooms/{{one}}/send {"content":{"body":"newer"}} -> 201
    save newer: json data.id
    data # 10
ann POST /v1/rooms/{{dm}}/send {"content":{"body":"elsewhere"}} -> 201
    save elsewhere: json data.id
--- store
GET sw:{acme}:position ~ ^\d+$



=== TEST 18: the last one of each room
--- calls
bob PUT /v1/rooms/{{one}}/read {"event_id":"{{newer}}"} -> 200
bob GET /v1/sync?timeout=0&since={{here}} -> 200
    save newer_marker: json data.events[2].stream_position
    data.events[*].event_type = ["swp.room.message","swp.room.message","swp.room.read_marker"]
    data.events[2].content.event_id = {{newer}}



=== TEST 19: one that doesn't move is none
--- calls
bob PUT /v1/rooms/{{one}}/read {"event_id":"{{message}}"} -> 200
bob GET /v1/sync?timeout=0&since={{newer_marker}} -> 200
    data.events # 0
bob PUT /v1/rooms/{{dm}}/read {"event_id":"{{elsewhere}}"} -> 200
bob GET /v1/sync?timeout=0&since={{here}} -> 200
    data.events[*].event_type = ["swp.room.message","swp.room.message","swp.room.read_marker","swp.room.read_marker"]



=== TEST 20: markers one by one
--- request
GET /v1/sync?timeout=0&since={{here}}
--- more_headers eval
main::as('bob')
--- response_body_filters eval
sub { main::pages_as_one(who => 'bob', since => main::saved('here'), sizes => [1, 2, 3])->(@_) }
--- response_body chomp
4 events



=== TEST 21: no marker of a room that one left
--- calls
ann POST /v1/rooms/{{one}}/kick {"participant_id":"bob"} -> 200
bob GET /v1/sync?timeout=0&since={{here}} -> 200
    data.events[*].event_type = ["swp.room.message","swp.room.read_marker","swp.room.member"]
    data.events[1].room_id = {{dm}}
ann POST /v1/rooms {"room_type":"incognito"} -> 201
    save dark: json data.id



=== TEST 22: an incognito room with bob in it
--- calls
ann POST /v1/rooms/{{dark}}/invite {"participant_id":"bob"} -> 200
bob POST /v1/rooms/{{dark}}/join -> 200
bob GET /v1/sync?timeout=0&since=now -> 200
    save here: json data.next_cursor



=== TEST 23: it ends, and leaves nothing else
--- calls
ann POST /v1/rooms/{{dark}}/send {"content":{"body":"in the dark"}} -> 201
ann POST /v1/rooms/{{dark}}/leave -> 200
bob GET /v1/sync?timeout=0&since={{here}} -> 200
    data.events # 1
    data.events[0].event_type = swp.room.state
--- store
GET sw:{acme}:position -> here
HGET sw:{acme}:tenant epoch -> epoch



=== TEST 24: since=now is the position of now; an answer has the store's epoch
--- calls
bob GET /v1/sync?timeout=0&since=now -> 200
    data.events # 0
    data.next_cursor = "{{here}}"
    data.epoch = "{{epoch}}"
    data.reset !
bob GET /v1/sync?timeout=0&since={{here}}&epoch=<{{epoch}}|> -> 200
    data.epoch = "{{epoch}}"
    data.reset !



=== TEST 25: a cursor ahead of the store, or of another epoch, is answered at once by a reset
--- calls
bob GET /v1/sync?timeout=60000&since=<9007199254740991|9999999999999999|{{9*40}}><|&epoch={{epoch}}> -> 200
    data.events # 0
    data.next_cursor = "{{here}}"
    data.epoch = "{{epoch}}"
    data.reset = ahead
bob GET /v1/sync?timeout=60000&since=<0|now|{{here}}|9007199254740991>&epoch=<other|x{{epoch}}> -> 200
    data.events # 0
    data.next_cursor = "{{here}}"
    data.epoch = "{{epoch}}"
    data.has_more = false
    data.reset = epoch



=== TEST 26: sync is a part of the tree
--- config
        rooms on;
        rooms_auth mock;
        rooms_server_name rooms.test;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_serve rooms auth sync;
--- calls
ann GET /v1/sync?timeout=0 -> 200



=== TEST 27: ... that may not be served
--- config
        rooms on;
        rooms_auth mock;
        rooms_server_name rooms.test;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_serve rooms auth;
--- request
GET /v1/sync
--- more_headers eval
main::as('ann')
--- error_code: 404
