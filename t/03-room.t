# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# GET /v1/rooms/{room_id}: by id and by alias, seen and unseen, HEAD.  What is
# conditional is in 07-metadata.t.

use strict;
use warnings;

use lib 't/lib';
use RoomsTest;
use Test::Nginx::Socket 'no_plan';

no_shuffle();
log_level('info');

default_config(<<'END');
        rooms on;
        rooms_auth mock;
        rooms_server_name rooms.test;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
END

our $ann = 'Authorization: Bearer mock:ann@acme';
our $bob = 'Authorization: Bearer mock:bob@acme';
our $cy = 'Authorization: Bearer mock:cy@acme';
our $foreign = 'Authorization: Bearer mock:ann@other';

# Bodies of answers that must not differ but in the request's id.
our %bodies;

sub same {
    my ($name) = @_;

    return sub {
        my ($body) = @_;

        $body =~ s/"request_id":"[0-9a-f]{32}"/"request_id":""/
            or return "no request_id in $body";

        $bodies{$name} //= $body;

        return $body eq $bodies{$name} ? 'same' : "$body, not $bodies{$name}";
    };
}

run_tests();

__DATA__

=== TEST 1: participants
--- request eval
[("POST /v1/auth/register\n{}") x 3]
--- more_headers eval
[$main::ann, $main::bob, $main::cy]
--- error_code eval
[200, 200, 200]
--- json eval
[map { "data.participant_id = $_\ndata.tenant_id = acme\ndata.local_id = $_\n"
       . "data.display_name = $_\ndata.fqid = \"\@$_:rooms.test\"\n"
       . "data.workspace_id ~ ^ws-" } qw(ann bob cy)]



=== TEST 2: a group
--- request
POST /v1/rooms
{"room_type":"group","name":"Ops & Dev","topic":"t"}
--- more_headers eval: $main::ann
--- error_code: 201
--- capture
group: json data.id
--- response_headers_like
Location: /v1/rooms/room-[0-9a-z]{26}
ETag: "[^"]+"
X-Request-Id: [0-9a-f]{32}
Content-Type: application/json



=== TEST 3: by id
--- request
GET /v1/rooms/{{group}}
--- more_headers eval: $main::ann
--- json
data.id = {{group}}
data.room_alias = "#ops-dev:rooms.test"
data.name = "Ops & Dev"
data.topic = t
data.me.membership = join
data # 17
meta !
--- response_headers_like
ETag: "[^"]+"
X-Request-Id: [0-9a-f]{32}



=== TEST 4: by alias, with and without the server, however it is encoded
--- request eval
["GET /v1/rooms/%23ops-dev:rooms.test", "GET /v1/rooms/%23ops-dev%3Arooms.test",
 "GET /v1/rooms/%23ops-dev", "GET /v1/rooms/%23%6Fps-dev?x=%23"]
--- more_headers eval: $main::ann
--- error_code eval
[200, 200, 200, 200]
--- json eval
["data.id = {{group}}", "data.id = {{group}}", "data.id = {{group}}",
 "data.id = {{group}}"]



=== TEST 5: aliases that name nothing
--- request eval
["GET /v1/rooms/%23ops-dev:other.test", "GET /v1/rooms/%23ops-devs",
 "GET /v1/rooms/%23", "GET /v1/rooms/%23OPS-DEV",
 "GET /v1/rooms/%23ops-dev:", "GET /v1/rooms/%23ops-dev%01",
 "GET /v1/rooms/ops-dev", "GET /v1/rooms/%2523ops-dev",
 "GET /v1/rooms/%23ops-dev:rooms.test:x"]
--- more_headers eval: $main::ann
--- error_code eval
[(404) x 9]
--- json eval
[('error.code = SW_ROOM_NOT_FOUND') x 9]



=== TEST 6: ids that can't be ids
--- request eval
["GET /v1/rooms/x", "GET /v1/rooms/room-", "GET /v1/rooms/room-%2F",
 "GET /v1/rooms/room-00000000000000000000000000%01",
 "GET /v1/rooms/evt-00000000000000000000000000",
 "GET /v1/rooms/" . "a" x 2000, "GET /v1/rooms/%ff%fe",
 "GET /v1/rooms/{{group}}x", "GET /v1/rooms/{{group}}%20",
 "GET /v1/rooms/" . uc("room-01m86b4wh6y315cm3ra6t0mqer")]
--- more_headers eval: $main::ann
--- error_code eval
[(404) x 10]
--- json eval
[('error.code = SW_ROOM_NOT_FOUND') x 10]



=== TEST 7: a room that isn't seen looks like one that isn't there
--- request eval
["GET /v1/rooms/{{group}}", "GET /v1/rooms/room-00000000000000000000000000",
 "GET /v1/rooms/nonsense", "GET /v1/rooms/%23ops-dev",
 "GET /v1/rooms/%23no-such", "GET /v1/rooms/{{group}}"]
--- more_headers eval
[($main::bob) x 5, $main::foreign]
--- error_code eval
[(404) x 6]
--- response_body_filters eval
main::same('unseen')
--- response_body eval
[('same') x 6]



=== TEST 8: the headers tell no more than the body
--- request eval
["GET /v1/rooms/{{group}}", "GET /v1/rooms/room-00000000000000000000000000"]
--- more_headers eval: $main::bob
--- error_code eval
[404, 404]
--- response_headers eval
[("! ETag\n! Location\n! Allow\nContent-Type: application/json") x 2]



=== TEST 9: other methods on an unseen room
--- request eval
[map { my $r = $_; map { "$r->[0] /v1/rooms/$_/$r->[1]$r->[2]" }
       '{{group}}', 'room-00000000000000000000000000' }
 ["POST", "join", ""], ["POST", "leave", ""], ["POST", "close", ""],
 ["PUT", "name", "\n{\"name\":\"x\"}"],
 ["PUT", "mute", "\n{\"muted\":true}"],
 ["PUT", "read", "\n{\"event_id\":\"evt-x\"}"],
 ["POST", "send", "\n{\"content\":{}}"], ["GET", "messages", ""],
 ["GET", "members", ""], ["GET", "state", ""]]
--- more_headers eval: $main::bob
--- error_code eval
[(404) x 20]
--- response_body_filters eval
main::same('unseen')
--- response_body eval
[('same') x 20]



=== TEST 10: HEAD answers as GET does, without a body
--- request eval
["HEAD /v1/rooms/{{group}}", "HEAD /v1/rooms/%23ops-dev",
 "HEAD /v1/rooms/nonsense", "HEAD /v1/directory/rooms",
 "HEAD /v1/rooms/archived", "HEAD /v1/rooms/{{group}}/state"]
--- more_headers eval: $main::ann
--- error_code eval
[200, 200, 404, 200, 200, 200]
--- response_body eval
[('') x 6]
--- response_headers_like eval
["Content-Length: [1-9]\\d+\nETag: \".*\"\nX-Request-Id: [0-9a-f]{32}",
 ("Content-Length: [1-9]\\d+\nX-Request-Id: [0-9a-f]{32}") x 5]



=== TEST 11: HEAD where there is no GET
--- request eval
["HEAD /v1/rooms", "HEAD /v1/rooms/{{group}}/join"]
--- more_headers eval: $main::ann
--- error_code eval
[405, 405]
--- response_headers eval
["Allow: POST", "Allow: POST"]



=== TEST 12: without a token
--- request eval
["GET /v1/rooms/{{group}}", "GET /v1/rooms/nonsense"]
--- error_code eval
[401, 401]
--- response_headers eval
[("WWW-Authenticate: Bearer\n! ETag") x 2]
--- response_body_filters eval
main::same('no token')
--- response_body eval
['same', 'same']



=== TEST 13: an invited one sees it, and has no member's rows
--- request eval
["POST /v1/rooms/{{group}}/invite\n{\"participant_id\":\"bob\"}",
 "GET /v1/rooms/{{group}}", "GET /v1/rooms/{{group}}/members",
 "GET /v1/rooms/{{group}}/messages", "GET /v1/rooms/{{group}}/state"]
--- more_headers eval
[$main::ann, ($main::bob) x 4]
--- error_code eval
[200, 200, 403, 403, 403]
--- json eval
["data.membership = invite",
 "data.me.membership = invite\ndata.me.power_level = 0\ndata.invited_count = 1",
 "error.code = SW_ROOM_FORBIDDEN\nerror.details[0].field = membership\nerror.details[0].problem = invite",
 ("error.code = SW_ROOM_FORBIDDEN\nerror.details[0].field = membership") x 2]



=== TEST 14: who has left does not
--- request eval
["POST /v1/rooms/{{group}}/join", "GET /v1/rooms/{{group}}",
 "POST /v1/rooms/{{group}}/leave", "GET /v1/rooms/{{group}}"]
--- more_headers eval: $main::bob
--- error_code eval
[200, 200, 200, 404]



=== TEST 15: a public room is seen by the tenant
--- request
POST /v1/rooms
{"room_type":"public","name":"Square"}
--- more_headers eval: $main::ann
--- error_code: 201
--- capture
public: json data.id



=== TEST 16: by everyone in it, and by nobody else
--- request eval
["GET /v1/rooms/{{public}}", "GET /v1/rooms/%23square",
 "GET /v1/rooms/{{public}}", "GET /v1/rooms/%23square"]
--- more_headers eval
[$main::cy, $main::cy, $main::foreign, $main::foreign]
--- error_code eval
[200, 200, 404, 404]
--- json eval
["data.me null\ndata.members_count = 1", "data.id = {{public}}",
 "error.code = SW_ROOM_NOT_FOUND", "error.code = SW_ROOM_NOT_FOUND"]



=== TEST 17: a DM
--- request
POST /v1/rooms/dm
{"participant_id":"bob"}
--- more_headers eval: $main::ann
--- error_code: 201
--- capture
dm: json data.id



=== TEST 18: is called after the other side, and is nobody else's
--- request eval
["GET /v1/rooms/{{dm}}", "GET /v1/rooms/{{dm}}", "GET /v1/rooms/{{dm}}"]
--- more_headers eval
[$main::ann, $main::bob, $main::cy]
--- error_code eval
[200, 200, 404]
--- json eval
["data.name = bob\ndata.room_alias null", "data.name = ann",
 "error.code = SW_ROOM_NOT_FOUND"]



=== TEST 19: a tenant admin has no eyes of another kind
--- request eval
["GET /v1/rooms/{{group}}", "GET /v1/rooms/{{dm}}"]
--- more_headers
Authorization: Bearer mock:cy@acme:admin
--- error_code eval
[404, 404]

