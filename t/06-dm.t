# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# POST /v1/rooms/dm, and what a DM is

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

# somebody with a name: mock tokens have none
redis('HSET', 'sw:{acme}:participants', 'cy',
      '{"local_id":"cy","display_name":"Cy \u00c9","participant_type":"user"}');

# the body that asks for a DM with somebody
sub with { return sent(POST => '/v1/rooms/dm', { participant_id => $_[0] }) }

# a call about the first DM, and its body
sub about {
    my ($method, $path, $body) = @_;

    return sent($method, "/v1/rooms/{{room}}$path", $body);
}

our @not_of_a_dm = (
    about(POST => '/invite', { participant_id => 'dan' }),
    about(POST => '/invite', { participant_ids => ['dan'] }),
    about(POST => '/kick', { participant_id => 'bob' }),
    about(POST => '/ban', { participant_id => 'bob' }),
    about(POST => '/ban', { participant_id => 'dan' }),
    about(POST => '/unban', { participant_id => 'bob' }),
    about(POST => '/leave'),
    about(PUT => '/name', { name => 'x' }),
    about(PUT => '/members/bob/power-level', { power_level => 1 }),
    about(PUT => '/members/ann/power-level', { power_level => 1 }),
);

our @of_its_sides = (
    about(GET => ''), about(GET => '/members'), about(GET => '/state'),
    about(GET => '/messages'), about(POST => '/join'), about(POST => '/leave'),
    about(POST => '/invite', { participant_id => 'dan' }),
);

no_shuffle();
run_tests();

__DATA__

=== TEST 1: participants exist after their first request
--- request eval
[("POST /v1/auth/register") x 8]
--- more_headers eval
[main::as(qw(ann bob cy dan a a.b b.c c))]
--- error_code eval
[(200) x 8]



=== TEST 2: a DM is made, with the other side's name
--- request
POST /v1/rooms/dm
{"participant_id": "bob"}
--- more_headers
Authorization: Bearer mock:ann@acme
--- error_code: 201
--- capture
room: json data.id
location: header Location
--- json
data.id ~ ^room-
data.room_type = dm
data.room_alias null
data.name = bob
data.topic null
data.is_public = false
data.scope_kind null
data.workspace_id null
data.state = open
data.creator_id = ann
data.members_count = 2
data.invited_count = 0
data.me.membership = join
data.me.power_level = 100
--- verify_room
{{room}}



=== TEST 3: Location is where it is read
--- request
GET {{location}}
--- more_headers
Authorization: Bearer mock:ann@acme
--- json
data.id = {{room}}
data.name = bob



=== TEST 4: asked for again, by either side, it is the same, and nothing is made
--- request eval
[main::with('ann'), main::with('bob')]
--- more_headers eval
[main::as(qw(bob ann))]
--- error_code eval
[200, 200]
--- response_headers eval
[("! Location") x 2]
--- json eval
["data.id = {{room}}\ndata.name = ann\ndata.me.power_level = 100",
 "data.id = {{room}}\ndata.name = bob"]
--- store
ZCARD sw:{acme}:r:{{room}}:events = 1



=== TEST 5: each side reads the other's name
--- request eval
["GET /v1/rooms/{{room}}", "GET /v1/rooms/{{room}}"]
--- more_headers eval
[main::as(qw(bob ann))]
--- json eval
["data.name = ann", "data.name = bob"]



=== TEST 6: with oneself
--- request eval
main::with('ann')
--- more_headers
Authorization: Bearer mock:ann@acme
--- error_code: 400
--- json
error.code = SW_ROOM_TYPE_INVARIANT



=== TEST 7: with nobody, and with one of another tenant
--- request eval
[main::with('nobody'), main::with("no\x{e9}"), main::with('bob')]
--- more_headers eval
[main::as(qw(ann ann ann@other))]
--- error_code eval
[(404) x 3]
--- json eval
[(main::failure('SW_PARTICIPANT_NOT_FOUND')) x 3]



=== TEST 8: what is no participant_id
--- request eval
[main::with(''), main::with(undef), main::with(1), main::with(\1), main::with([]), main::with({}),
 "POST /v1/rooms/dm\n{}"]
--- more_headers
Authorization: Bearer mock:ann@acme
--- error_code eval
[(400) x 7]
--- json eval
[(main::failure('SW_VALIDATION_FAILED', 'participant_id')) x 7]



=== TEST 9: a DM is asked for with POST
--- request
DELETE /v1/rooms/dm
--- more_headers
Authorization: Bearer mock:ann@acme
--- error_code: 405
--- json
error.code = SW_METHOD_NOT_ALLOWED



=== TEST 10: another pair, another room, called by its display name
--- request eval
main::with('cy')
--- more_headers
Authorization: Bearer mock:ann@acme
--- error_code: 201
--- capture
other: json data.id
--- json
data.id != {{room}}
data.name = Cy É



=== TEST 11: which only one side has
--- request
GET /v1/rooms/{{other}}
--- more_headers
Authorization: Bearer mock:cy@acme
--- json
data.name = ann



=== TEST 12: a pair ...
--- request eval
main::with('b.c')
--- more_headers
Authorization: Bearer mock:a@acme
--- error_code: 201
--- capture
pair: json data.id



=== TEST 13: ... is not another whose names run together alike
--- request eval
main::with('c')
--- more_headers
Authorization: Bearer mock:a.b@acme
--- error_code: 201
--- json
data.id != {{pair}}



=== TEST 14: a DM is its two sides: nobody comes, goes or is called otherwise
--- request eval
\@main::not_of_a_dm
--- more_headers
Authorization: Bearer mock:ann@acme
--- error_code eval
[(400) x 10]
--- json eval
[(main::failure('SW_ROOM_TYPE_INVARIANT')) x 10]



=== TEST 15: for everybody else it isn't there
--- request eval
\@main::of_its_sides
--- more_headers
Authorization: Bearer mock:dan@acme
--- error_code eval
[(404) x 7]
--- json eval
[(main::failure('SW_ROOM_NOT_FOUND')) x 7]



=== TEST 16: either side archives it, either brings it back
--- request eval
[main::about(PUT => '/topic', { topic => 'x' }), main::about(POST => '/archive'),
 main::about(POST => '/send', { content => {} }), main::about(POST => '/rejoin'), main::about(POST => '/archive')]
--- more_headers eval
[main::as(qw(bob bob ann ann ann))]
--- error_code eval
[200, 200, 409, 200, 200]
--- json eval
["data.topic = x", "data.state = archived\ndata.name = ann", main::failure('SW_ROOM_FROZEN'),
 "data.state = open\ndata.name = bob", "data.state = archived"]



=== TEST 17: asking for it brings it back, too
--- request eval
main::with('ann')
--- more_headers
Authorization: Bearer mock:bob@acme
--- error_code: 200
--- json
data.id = {{room}}
data.state = open
data.name = ann



=== TEST 18: which is an event of whoever asked
--- request eval
["GET /v1/rooms/{{room}}/messages?limit=1", "GET /v1/rooms/{{room}}"]
--- more_headers
Authorization: Bearer mock:ann@acme
--- json eval
["data[0].event_type = swp.room.state\ndata[0].sender_id = bob", "data.state = open"]
--- verify_room
{{room}}



=== TEST 19: closed
--- request eval
[main::about(POST => '/close'), main::with('nobody')]
--- more_headers eval
[main::as(qw(bob ann))]
--- error_code eval
[200, 404]
--- json eval
["data.state = closed", main::failure('SW_PARTICIPANT_NOT_FOUND')]



=== TEST 20: ... it makes room for another
--- request eval
main::with('ann')
--- more_headers
Authorization: Bearer mock:bob@acme
--- error_code: 201
--- capture
second: json data.id
--- json
data.id != {{room}}
data.name = ann



=== TEST 21: which is the one from then on, also when the first is closed once more
--- request eval
[main::with('bob'), main::about(GET => ''), main::about(POST => '/rejoin'), main::about(POST => '/close'),
 main::with('bob')]
--- more_headers
Authorization: Bearer mock:ann@acme
--- error_code eval
[200, 200, 409, 200, 200]
--- json eval
["data.id = {{second}}", "data.state = closed", main::failure('SW_ROOM_FROZEN'), "data.state = closed",
 "data.id = {{second}}"]



=== TEST 22: capacity is for rooms that are joined: two sides always have their place
--- init
RoomsTest::redis('HSET', 'sw:{tiny}:tenant', 'max_participants', 2);
--- request eval
["POST /v1/auth/register", "POST /v1/auth/register", main::with('bob')]
--- more_headers eval
[main::as(qw(ann@tiny bob@tiny ann@tiny))]
--- error_code eval
[200, 200, 201]
--- store
HGET sw:{tiny}:tenant rooms = 1
