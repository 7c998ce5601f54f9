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
     ann_later => of('ann', name => 'Ann Later'),
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



=== TEST 9: what an administrator can't give anybody
--- request eval
[map { "PUT /v1/admin/participants/u%7Czoe\n$_" } '{"participant_type": "federated"}', '{"participant_type": "robot"}', '{"participant_type": ""}',
 '{"email": "no address"}', '{"email": "@b.example"}', '{"email": "a@"}', '{"email": "a@' . 'b' x 253 . '"}', '{"local_id": "a:b"}', '{"local_id": "-a"}',
 '{"local_id": ""}', '{"local_id": "' . 'a' x 129 . '"}', '{"display_name": "\u202e"}', '{"avatar_url": "http://img.example/e.png"}']
--- more_headers
Authorization: Bearer {{admin}}
--- error_code eval
[(400) x 13]
--- json eval
[map { main::failure(SW_VALIDATION_FAILED => $_) } ('participant_type') x 3, ('email') x 4, ('local_id') x 4, 'display_name', 'avatar_url']



=== TEST 10: people to be found
--- request eval
[map { my ($id, $name, $more) = @$_; "PUT /v1/admin/participants/$id\n{\"display_name\": \"$name\"" . ($more // '') . '}' }
 ['p1', "J\xc3\xb6rg M\xc3\xbcller", ', "email": "Joerg@Example.com"'], ['p2', 'Jorgen Muelheim'], ['p3', "\xe4\xb8\xad\xe6\x96\x87 \xe7\x94\xa8\xe6\x88\xb7"],
 ['p4', 'Mueller Muenchen Muenster'], ['p5', 'HAL 9000', ', "participant_type": "agent"'],
 ['p6', "\xd0\x98\xd0\xb2\xd0\xb0\xd0\xbd"], ['p7', 'x' x 128], ['p8', 'joerg@example.com']]
--- more_headers
Authorization: Bearer {{admin}}
--- error_code eval
[(201) x 8]



=== TEST 11: by the beginnings of words, whatever the case, accents and script
--- request eval
[map { "GET /v1/directory/participants?q=$_" } 'JORG', 'mul', 'jor%20mul', 'joerg%40example.com', '%E6%96%87', '%E4%B8%AD%E6%96%87',
 '%D0%B8%D0%B2', 'x' x 40, 'zzzz', '%20', 'uller', 'jorg%20zzz']
--- more_headers
Authorization: Bearer {{bob}}
--- error_code eval
[(200) x 12]
--- json eval
["data # 2\ndata[0].id = p1\ndata[1].id = p2", "data # 1\ndata[0].id = p1", "data # 1\ndata[0].id = p1",
 "data # 2\ndata[0].id = p1\ndata[1].id = p8", ("data # 1\ndata[0].id = p3") x 2, "data # 1\ndata[0].id = p6",
 "data # 1\ndata[0].id = p7", "data # 0\nmeta.has_more = false\nmeta.next_cursor null", "data # 14", "data # 0", "data # 0"]



=== TEST 12: who has two such words is there once, on whatever page
--- request eval
['GET /v1/directory/participants?q=mue&limit=1', 'GET /v1/directory/participants?q=mue']
--- more_headers
Authorization: Bearer {{bob}}
--- error_code eval
[200, 200]
--- capture eval
["next: json meta.next_cursor", undef]
--- json eval
["data # 1\ndata[0].id = p2\nmeta.has_more = true", "data # 2\ndata[0].id = p2\ndata[1].id = p4\nmeta.has_more = false"]



=== TEST 13: the next page
--- request
GET /v1/directory/participants?q=mue&limit=1&cursor={{next}}
--- more_headers
Authorization: Bearer {{bob}}
--- error_code: 200
--- json
data # 1
data[0].id = p4
meta.has_more = false



=== TEST 14: by type; without q by name; an offset; an address is nobody's business
--- request eval
[map { "GET /v1/directory/participants?$_" } 'type=agent', 'type=agent&q=hal', 'type=bridge', 'limit=2', 'limit=2&offset=1',
 'q=joerg%40example.com', 'type=robot', 'cursor=x', 'limit=0', 'limit=201', 'include_federated=maybe', 'q=' . 'x' x 129]
--- more_headers
Authorization: Bearer {{bob}}
--- error_code eval
[(200) x 6, (400) x 6]
--- json eval
["data # 1\ndata[0].id = p5\ndata[0].participant_type = agent\ndata[0].email !\ndata[0].rooms !", "data # 1\ndata[0].id = p5",
 "data # 0", "data # 2\ndata[0].id = ann\ndata[1].id = bob\nmeta.has_more = true", "data # 2\ndata[0].id = bob",
 "data # 2\ndata[0].id = p1\ndata[0].email !\ndata[1].id = p8", ("error.code = SW_VALIDATION_FAILED") x 6]



=== TEST 15: an administrator's list
--- request eval
[map { "GET /v1/admin/participants?$_" } 'q=jorg%20mull', 'q=joerg%40example.com&limit=1', 'deactivated=true', 'deactivated=false&type=agent',
 'limit=200', 'deactivated=1', 'q=ann', 'q=joerg%40example.co', 'q=%20JOERG%40EXAMPLE.COM%20']
--- more_headers
Authorization: Bearer {{admin}}
--- error_code eval
[(200) x 5, 400, (200) x 3]
--- capture eval
[undef, "next: json meta.next_cursor", (undef) x 7]
--- json eval
["data # 1\ndata[0].id = p1\ndata[0].email = \"Joerg\@Example.com\"\ndata[0].rooms = 0\ndata[0].last_seen_at null\ndata[0].created_at ~ ^20",
 "data # 1\ndata[0].id = p1\nmeta.has_more = true",
 "data # 0", "data # 1\ndata[0].id = p5", "data # 14\nmeta.has_more = false", "error.code = SW_VALIDATION_FAILED",
 "data[0].id = ann\ndata[0].rooms = 2\ndata[0].last_seen_at ~ T00:00:00.000Z\$",
 "data # 1\ndata[0].id = p8", "data # 2\ndata[0].id = p1\ndata[1].id = p8"]



=== TEST 16: a page that ends between the address and the words
--- request
GET /v1/admin/participants?q=joerg%40example.com&limit=1&cursor={{next}}
--- more_headers
Authorization: Bearer {{admin}}
--- error_code: 200
--- json
data # 1
data[0].id = p8
meta.has_more = false



=== TEST 17: who is no administrator
--- request
GET /v1/admin/participants
--- more_headers
Authorization: Bearer {{ann}}
--- error_code: 403
--- json
error.code = SW_AUTH_INSUFFICIENT_PERMISSION



=== TEST 18: a new name is found at once, the old one no longer
--- request eval
["PUT /v1/admin/participants/p2\n{\"display_name\": \"Karla Neu\"}", 'GET /v1/directory/participants?q=karla',
 'GET /v1/directory/participants?q=jorgen', 'GET /v1/directory/participants?q=mue']
--- more_headers
Authorization: Bearer {{admin}}
--- error_code eval
[(200) x 4]
--- json eval
["data.display_name = \"Karla Neu\"", "data # 1\ndata[0].id = p2", "data # 0", "data # 1\ndata[0].id = p4"]



=== TEST 19: only those who share a room
--- config eval
RoomsTest::Blocks::default_config() . "    rooms_directory_participants shared;\n"
--- request eval
['GET /v1/directory/participants', 'GET /v1/participants/bob', 'GET /v1/participants/ann', 'GET /v1/directory/participants?q=eve',
 'GET /v1/participants/u%7Ceve']
--- more_headers
Authorization: Bearer {{ann}}
--- error_code eval
[200, 404, 200, 200, 200]
--- json eval
["data # 2\ndata[0].id = ann\ndata[1].id = \"u|eve\"", "error.code = SW_PARTICIPANT_NOT_FOUND", "data.id = ann", "data # 1", "data.id = \"u|eve\""]



=== TEST 20: nobody
--- config eval
RoomsTest::Blocks::default_config() . "    rooms_directory_participants off;\n"
--- request eval
['GET /v1/directory/participants', 'GET /v1/participants/ann', 'GET /v1/admin/participants']
--- more_headers
Authorization: Bearer {{admin}}
--- error_code eval
[404, 404, 200]
--- json eval
["error.code = SW_NOT_FOUND", "error.code = SW_NOT_FOUND", "data # 14"]



=== TEST 21: oneself
--- request eval
['GET /v1/me', 'PUT /v1/me' . "\n" . '{"display_name": " Ann of Green ", "bio": "Line\n2", "avatar_url": "https://img.example/a.png"}', 'GET /v1/me',
 'GET /v1/participants/ann']
--- more_headers
Authorization: Bearer {{ann}}
--- error_code eval
[(200) x 4]
--- json eval
["data.participant_id = ann\ndata.local_id = ann\ndata.display_name = \"Ann Lee\"\ndata.fqid = \"\@ann:chat.example\"\ndata.email null\n"
 . "data.avatar_url null\ndata.bio null\ndata.personal_workspace_id ~ ^ws-\ndata.roles # 0",
 "data.display_name = \"Ann of Green\"\ndata.bio = \"Line\\n2\"\ndata.avatar_url = \"https://img.example/a.png\"",
 "data.display_name = \"Ann of Green\"", "data.display_name = \"Ann of Green\"\ndata.bio !"]



=== TEST 22: a token with another name changes nothing, until it may again
--- request eval
['GET /v1/me', "PUT /v1/me\n{\"display_name\": null}", 'GET /v1/me']
--- more_headers
Authorization: Bearer {{ann_later}}
--- error_code eval
[(200) x 3]
--- json eval
["data.display_name = \"Ann of Green\"", "data.display_name = \"Ann of Green\"", "data.display_name = \"Ann Later\""]



=== TEST 23: what is no name, no picture, no bio
--- request eval
[map { "PUT /v1/me\n$_" } '{"display_name": ""}', '{"display_name": "\u200b"}', '{"display_name": "a\u0007"}', '{"avatar_url": "http://img.example/a"}',
 '{"avatar_url": "javascript:alert(1)"}', '{"avatar_url": "https://a b"}', '{"avatar_url": "https://"}', '{"bio": "' . 'x' x 501 . '"}',
 '{"bio": "a\u0001"}', '{"avatar_media_id": "x"}', '{"avatar_media_id": "med-01m8hkpszz4520qs84gh548mmp"}', '{"bio": "' . 'x' x 500 . '"}']
--- more_headers
Authorization: Bearer {{ann}}
--- error_code eval
[(400) x 11, 200]



=== TEST 24: preferences are merged
--- request eval
['GET /v1/me/preferences', "PUT /v1/me/preferences\n{\"theme\": {\"dark\": [1, 2.50]}, \"default_mode\": \"all\"}",
 "PUT /v1/me/preferences\n{\"size\": 3}", "PUT /v1/me/preferences\n{\"theme\": null}", 'GET /v1/me/preferences',
 "PUT /v1/me/preferences\n{\"default_mode\": null}", "PUT /v1/me/preferences\n{\"default_mode\": \"inherit\"}",
 "PUT /v1/me/preferences\n{\"default_mode\": 1}", "PUT /v1/me/preferences\n[]",
 "PUT /v1/me/preferences\n{" . join(',', map { "\"k$_\": 1" } 1 .. 64) . '}', "PUT /v1/me/preferences\n{\"a\": \"" . 'x' x 16384 . '"}',
 "PUT /v1/me/preferences\n{\"" . 'n' x 65 . "\": 1}"]
--- more_headers
Authorization: Bearer {{ann}}
--- error_code eval
[(200) x 6, (400) x 6]
--- json eval
["data # 1\ndata.default_mode = mentions", "data.theme.dark[1] = 2.5\ndata.default_mode = all", "data # 3\ndata.size = 3\ndata.theme.dark[0] = 1",
 "data # 2\ndata.size = 3", "data # 2\ndata.default_mode = all\ndata.size = 3", "data # 2\ndata.default_mode = mentions",
 ("error.code = SW_VALIDATION_FAILED") x 6]



=== TEST 25: what rooms inherit
--- request eval
["PUT /v1/me/preferences\n{\"default_mode\": \"none\"}", "GET /v1/rooms/{{room}}", "GET /v1/directory/rooms?limit=1", "GET /v1/rooms/{{room}}/state",
 "PUT /v1/rooms/{{room}}/notification-mode\n{\"mode\": \"all\"}", "GET /v1/rooms/{{room}}", "POST /v1/rooms/dm\n{\"participant_id\": \"u|eve\"}",
 "POST /v1/rooms\n{\"room_type\": \"group\", \"name\": \"Of Ann\"}", "PUT /v1/rooms/{{room}}/topic\n{\"topic\": \"x\"}",
 "PUT /v1/me/preferences\n{\"default_mode\": null}"]
--- more_headers
Authorization: Bearer {{ann}}
--- error_code eval
[(200) x 7, 201, 200, 200]
--- json eval
["data.default_mode = none", "data.me.notification_mode = inherit\ndata.me.effective_notification_mode = none",
 "data[0].me.effective_notification_mode = none", "data.room.me.effective_notification_mode = none", "data.notification_mode = all",
 "data.me.effective_notification_mode = all", "data.me.effective_notification_mode = none", "data.me.effective_notification_mode = none",
 "data.me.effective_notification_mode = all", "data.default_mode = mentions"]



=== TEST 26: another's preferences are another's
--- request
GET /v1/me/preferences
--- more_headers
Authorization: Bearer {{bob}}
--- error_code: 200
--- json
data # 1



=== TEST 27: whom the tenant hasn't seen can't be invited
--- request eval
["POST /v1/rooms/{{room}}/invite\n{\"participant_id\": \"idp|new\"}", "POST /v1/rooms/dm\n{\"participant_id\": \"idp|new\"}"]
--- more_headers
Authorization: Bearer {{ann}}
--- error_code eval
[404, 404]



=== TEST 28: but with rooms_invite_unknown; two whose ids make the same local id are two
--- config eval
RoomsTest::Blocks::default_config() . "    rooms_invite_unknown on;\n"
--- request eval
["POST /v1/rooms/{{room}}/invite\n{\"participant_id\": \"idp|new\"}", "POST /v1/rooms/dm\n{\"participant_id\": \"idp|dm\"}",
 "POST /v1/rooms/dm\n{\"participant_id\": \"idp|dm\"}",
 "POST /v1/rooms/{{room}}/invite\n{\"participant_ids\": [\"a|b\", \"a/b\", \"a|b\", \"bob\", \"\@x:far.example\", \"a b\"]}",
 'GET /v1/participants/idp%7Cnew', 'GET /v1/participants/a%2Fb', "POST /v1/rooms/{{room}}/kick\n{\"participant_id\": \"never\"}",
 'GET /v1/directory/participants?q=idp', 'GET /v1/participants/a%7Cb']
--- more_headers
Authorization: Bearer {{ann}}
--- error_code eval
[200, 201, 200, 200, 200, 200, 404, 200, 200]
--- json eval
["data.membership = invite\ndata.fqid = \"\@idp-new:chat.example\"", "data.name = \"idp|dm\"", "data.name = \"idp|dm\"",
 "data.results[0].membership = invite\ndata.results[1].membership = invite\ndata.results[2].membership = invite\n"
 . "data.results[4].error.code = SW_PARTICIPANT_NOT_FOUND\ndata.results[5].error.code = SW_PARTICIPANT_NOT_FOUND",
 "data.local_id = idp-new", "data.local_id ~ ^a-b-\\w{6}\$", "error.code = SW_PARTICIPANT_NOT_FOUND", "data # 2", "data.local_id = a-b"]
