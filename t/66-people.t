# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# People: made by an administrator, found, and what they say of themselves.

use strict;
use warnings;

use Test::More ();

use lib 't/lib';
use RoomsTest;
use RoomsTest::Token qw(hs256);
use Test::Nginx::Socket 'no_plan';

my $secret = 'a secret of thirty-two bytes, at least';
my $issued = 1_700_000_000;

# The token of somebody; a later one for each call.
sub of {
    my ($who, %claims) = @_;

    return hs256($secret, sub => $who, tenant_id => 'acme', iat => ++$issued,
                 %claims);
}

save(admin => of('root', name => 'Root', roles => ['tenant_admin']),
     ann => of('ann', name => 'Ann Lee', preferred_username => 'ann'),
     bob => of('bob', name => 'Bob'),
     eve_first => of('u|eve', name => 'Eve of the token', preferred_username => 'eve'),
     max_first => of('u|max', preferred_username => 'max'));

default_config(<<"END");
    rooms on;
    rooms_server_name chat.example;
    rooms_redis redis://\$TEST_NGINX_REDIS/0;
    rooms_auth_secret_file $ENV{PWD}/t/data/secret;
END

no_shuffle();
run_tests();

__DATA__

=== TEST 1: an administrator makes a participant
--- request
PUT /v1/admin/participants/u%7Ceve
{"local_id": "evelyn", "display_name": "  Eve Stone ", "email": "Eve@Example.com", "avatar_url": "https://img.example/e.png", "participant_type": "human"}
--- more_headers
Authorization: Bearer {{admin}}
--- error_code: 201
--- json
data.id = "u|eve"
data.local_id = evelyn
data.fqid = "@evelyn:chat.example"
data.server_name = chat.example
data.display_name = "Eve Stone"
data.email = "Eve@Example.com"
data.avatar_url = "https://img.example/e.png"
data.participant_type = human
data.deactivated = false
data.last_seen_at null
data.rooms = 0
data.created_at ~ ^20\d\d-



=== TEST 2: made again, nothing changes
--- request
PUT /v1/admin/participants/u%7Ceve
{}
--- more_headers
Authorization: Bearer {{admin}}
--- error_code: 200
--- json
data.local_id = evelyn
data.display_name = "Eve Stone"
data.email = "Eve@Example.com"



=== TEST 3: who is made can be invited, and found by the path and by the name
--- request eval
["POST /v1/rooms\n" . '{"room_type": "group", "name": "First"}', 'GET /v1/participants/u%7Ceve',
 'GET /v1/participants/@evelyn:chat.example']
--- more_headers
Authorization: Bearer {{ann}}
--- error_code eval
[201, 200, 200]
--- capture eval
["room: json data.id", undef, undef]
--- json eval
["data.id ~ ^room-", ("data # 8\ndata.id = \"u|eve\"\ndata.local_id = evelyn\ndata.fqid = \"\@evelyn:chat.example\"\n"
 . "data.display_name = \"Eve Stone\"\ndata.participant_type = human\ndata.deactivated = false\n"
 . "data.server_name = chat.example") x 2]



=== TEST 4: the invite
--- request
POST /v1/rooms/{{room}}/invite
{"participant_id": "u|eve"}
--- more_headers
Authorization: Bearer {{ann}}
--- error_code: 200
--- json
data.participant_id = "u|eve"
data.membership = invite



=== TEST 5: a DM
--- request
POST /v1/rooms/dm
{"participant_id": "@evelyn:chat.example"}
--- more_headers
Authorization: Bearer {{ann}}
--- error_code: 201
--- json
data.name = "Eve Stone"



=== TEST 6: the first token takes the row over; a local id that was given stays
--- request
POST /v1/auth/register
--- more_headers
Authorization: Bearer {{eve_first}}
--- error_code: 200
--- json
data.participant_id = "u|eve"
data.local_id = evelyn
data.display_name = "Eve of the token"
data.workspace_id ~ ^ws-



=== TEST 7: a local id that was made of the id gives way to the token's
--- request eval
["PUT /v1/admin/participants/u%7Cmax\n{\"display_name\": \"Max Provisioned\"}", "POST /v1/auth/register",
 'GET /v1/participants/@u-max:chat.example', 'GET /v1/participants/@max:chat.example']
--- more_headers eval
["Authorization: Bearer {{admin}}", "Authorization: Bearer {{max_first}}", "Authorization: Bearer {{bob}}",
 "Authorization: Bearer {{bob}}"]
--- error_code eval
[201, 200, 404, 200]
--- json eval
["data.local_id = u-max", "data.local_id = max\ndata.display_name = \"Max Provisioned\"",
 "error.code = SW_PARTICIPANT_NOT_FOUND", "data.id = \"u|max\""]



=== TEST 8: a local id is one participant's
--- request eval
["PUT /v1/admin/participants/u%7Czoe\n{\"local_id\": \"evelyn\"}",
 "PUT /v1/admin/participants/bob\n{\"local_id\": \"evelyn\"}",
 "PUT /v1/admin/participants/bob\n{\"local_id\": \"bobby\"}",
 'GET /v1/participants/@bob:chat.example',
 "PUT /v1/admin/participants/u%7Czoe\n{\"local_id\": \"bob\"}"]
--- more_headers
Authorization: Bearer {{admin}}
--- error_code eval
[409, 409, 200, 404, 201]
--- json eval
["error.code = SW_PARTICIPANT_EXISTS", "error.code = SW_PARTICIPANT_EXISTS", "data.local_id = bobby",
 "error.code = SW_PARTICIPANT_NOT_FOUND", "data.local_id = bob"]
