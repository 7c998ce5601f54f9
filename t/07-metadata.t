# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# PUT name, topic and workspace: who may, what is kept; ETag, If-None-Match and
# If-Match.

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

# a call about the room
sub put  { return sent(PUT => "/v1/rooms/{{room}}/$_[0]", $_[1]) }
sub post { return sent(POST => "/v1/rooms/{{room}}/$_[0]", $_[1] // {}) }

# the caller, and a condition
sub if_match      { return as($_[0]) . "\nIf-Match: $_[1]" }
sub if_none_match { return as($_[0]) . "\nIf-None-Match: $_[1]" }

our @no_names = (
    map({ put(name => { name => $_ }) }
        '', '   ', 'x' x 129, "a\nb", "a\tb", "a\x7fb", "a\x{85}b", undef, 5, \1, [], {},
        "\x{1f600}" x 129),
    put(name => {}),
);

our @no_workspaces = map { put(workspace => { workspace_id => $_ }) }
    'ws-00000000000000000000000000', 'nonsense', '', '{{shared}}:members',
    '{{bobs}}:members';

no_shuffle();
run_tests();

__DATA__

=== TEST 1: participants exist after their first request
--- request eval
[("POST /v1/auth/register") x 4]
--- more_headers eval
[main::as(qw(ann bob cy dan))]
--- error_code eval
[(200) x 4]
--- capture eval
["", "bobs: json data.workspace_id"]



=== TEST 2: a room
--- request
POST /v1/rooms
{"room_type": "group", "name": "First"}
--- more_headers
Authorization: Bearer mock:ann@acme
--- error_code: 201
--- capture
room: json data.id



=== TEST 3: bob has a power of 50 in it, cy one less, dan is invited
--- request eval
[main::post(invite => { participant_ids => ['bob', 'cy', 'dan'] }), main::post('join'), main::post('join'),
 main::put('members/bob/power-level', { power_level => 50 }),
 main::put('members/cy/power-level', { power_level => 49 })]
--- more_headers eval
[main::as(qw(ann bob cy ann ann))]
--- error_code eval
[(200) x 5]



=== TEST 4: a name
--- request eval
[main::put(name => { name => 'Second' }), "GET /v1/rooms/{{room}}", main::put(name => { name => '  Third ' })]
--- more_headers eval
[main::as(qw(bob cy ann))]
--- error_code eval
[200, 200, 200]
--- json eval
["data.name = Second\ndata.id = {{room}}\ndata.me.power_level = 50", "data.name = Second", "data.name = Third"]



=== TEST 5: the alias stays, and finds the room
--- request
GET /v1/rooms/%23first
--- more_headers
Authorization: Bearer mock:ann@acme
--- json
data.id = {{room}}
data.name = Third
data.room_alias = "#first:rooms.test"



=== TEST 6: who may not give it one, and for whom it isn't there
--- request eval
[(main::put(name => { name => 'x' })) x 4]
--- more_headers eval
[main::as(qw(cy dan eve ann@other))]
--- error_code eval
[403, 403, 404, 404]
--- json eval
[(main::failure('SW_ROOM_FORBIDDEN')) x 2, (main::failure('SW_ROOM_NOT_FOUND')) x 2]



=== TEST 7: what is no name
--- request eval
\@main::no_names
--- more_headers
Authorization: Bearer mock:ann@acme
--- error_code eval
[(400) x @main::no_names]
--- json eval
[(main::failure('SW_VALIDATION_FAILED', 'name')) x @main::no_names]



=== TEST 8: what is one: 128 characters, of any kind
--- request eval
[map { main::put(name => { name => $_ }) } "x" x 128, "\x{1f600}" x 128, "\"quoted\" \\ \x{e9}"]
--- more_headers
Authorization: Bearer mock:ann@acme
--- error_code eval
[200, 200, 200]
--- json eval
["data.name = " . "x" x 128, "data.name ~ ^\\S{128}\$", "data.name = \"\\\"quoted\\\" \\\\ \xc3\xa9\""]



=== TEST 9: a topic, and none
--- request eval
[main::put(topic => { topic => 'On work' }), "GET /v1/rooms/{{room}}", main::put(topic => { topic => undef }),
 "GET /v1/rooms/{{room}}"]
--- more_headers eval
[main::as(qw(bob ann ann ann))]
--- error_code eval
[(200) x 4]
--- json eval
["data.topic = On work", "data.topic = On work", "data.topic null", "data.topic null"]



=== TEST 10: a topic of 1024 characters; what is refused changes nothing
--- request eval
[main::put(topic => { topic => 'x' x 1024 }), main::put(topic => {}), main::put(topic => { topic => 7 }),
 main::put(topic => { topic => 'x' x 1025 }), main::put(topic => { topic => 'x' }), "GET /v1/rooms/{{room}}"]
--- more_headers eval
[main::as(qw(ann ann ann ann cy ann))]
--- error_code eval
[200, 400, 400, 400, 403, 200]
--- json eval
["data.topic ~ ^x{1024}\$", (main::failure('SW_VALIDATION_FAILED', 'topic')) x 3,
 main::failure('SW_ROOM_FORBIDDEN'), "data.topic ~ ^x{1024}\$"]



=== TEST 11: a workspace
--- request
POST /v1/workspaces
{"name": "Shared"}
--- more_headers
Authorization: Bearer mock:ann@acme
--- error_code: 201
--- capture
shared: json data.id



=== TEST 12: ... takes the room in, for everybody; bob's doesn't, while ann asks, nor hers while bob does
--- request eval
[main::put(workspace => { workspace_id => '{{shared}}' }), "GET /v1/rooms/{{room}}",
 main::put(workspace => { workspace_id => '{{bobs}}' }), main::put(workspace => { workspace_id => '{{shared}}' })]
--- more_headers eval
[main::as(qw(ann cy ann bob))]
--- error_code eval
[200, 200, 404, 404]
--- json eval
["data.workspace_id = {{shared}}", "data.workspace_id = {{shared}}",
 (main::failure('SW_WORKSPACE_NOT_FOUND')) x 2]



=== TEST 13: a viewer of the target may not, an editor may
--- request eval
["POST /v1/workspaces/{{shared}}/members\n" . '{"participant_id": "bob", "role": "viewer"}',
 main::put(workspace => { workspace_id => '{{bobs}}' }), main::put(workspace => { workspace_id => '{{shared}}' }),
 "POST /v1/workspaces/{{shared}}/members\n" . '{"participant_id": "bob", "role": "editor"}',
 main::put(workspace => { workspace_id => '{{shared}}' }), main::put(workspace => { workspace_id => '{{shared}}' })]
--- more_headers eval
[main::as(qw(ann bob bob ann bob cy))]
--- error_code_like eval
["^20[01]\$", 200, 403, "^20[01]\$", 200, 403]
--- json eval
["data ?", "data.workspace_id = {{bobs}}", main::failure('SW_WORKSPACE_FORBIDDEN'), "data ?",
 "data.workspace_id = {{shared}}", main::failure('SW_ROOM_FORBIDDEN')]



=== TEST 14: what is no workspace
--- request eval
\@main::no_workspaces
--- more_headers
Authorization: Bearer mock:ann@acme
--- error_code eval
[(404) x @main::no_workspaces]
--- json eval
[(main::failure('SW_WORKSPACE_NOT_FOUND')) x @main::no_workspaces]



=== TEST 15: ... nor even the id of one; the room is where it was
--- request eval
[main::put(workspace => {}), main::put(workspace => { workspace_id => undef }), "GET /v1/rooms/{{room}}"]
--- more_headers
Authorization: Bearer mock:ann@acme
--- error_code eval
[400, 400, 200]
--- json eval
[(main::failure('SW_VALIDATION_FAILED', 'workspace_id')) x 2, "data.workspace_id = {{shared}}"]



=== TEST 16: a DM
--- request
POST /v1/rooms/dm
{"participant_id": "bob"}
--- more_headers
Authorization: Bearer mock:ann@acme
--- error_code: 201
--- capture
dm: json data.id



=== TEST 17: ... has no name and no place of its own, but a topic
--- request eval
[main::sent(PUT => '/v1/rooms/{{dm}}/name', { name => 'x' }),
 main::sent(PUT => '/v1/rooms/{{dm}}/workspace', { workspace_id => '{{shared}}' }),
 main::sent(PUT => '/v1/rooms/{{dm}}/topic', { topic => 'x' })]
--- more_headers
Authorization: Bearer mock:ann@acme
--- error_code eval
[400, 400, 200]
--- json eval
[(main::failure('SW_ROOM_TYPE_INVARIANT')) x 2, "data.topic = x\ndata.name = bob"]



=== TEST 18: an ETag
--- request
GET /v1/rooms/{{room}}
--- more_headers
Authorization: Bearer mock:ann@acme
--- capture
etag: header ETag



=== TEST 19: 304 while nothing that the caller reads has changed
--- request eval
["GET /v1/rooms/{{room}}", "HEAD /v1/rooms/{{room}}", "GET /v1/rooms/{{room}}", "GET /v1/rooms/{{room}}"]
--- more_headers eval
[map { main::if_none_match('ann', $_) } '{{etag}}', '{{etag}}', '"x", W/{{etag}}', '*']
--- error_code eval
[(304) x 4]
--- response_headers eval
[("ETag: {{etag}}") x 4]
--- response_body eval
[("") x 4]



=== TEST 20: otherwise the room, for those who see it
--- request eval
[("GET /v1/rooms/{{room}}") x 4]
--- more_headers eval
[main::if_none_match('ann', '"x"'), main::if_none_match('bob', '{{etag}}'),
 main::if_none_match('eve', '{{etag}}'), main::if_none_match('eve', '*')]
--- error_code eval
[200, 200, 404, 404]
--- json eval
["data.id = {{room}}", "data.id = {{room}}", (main::failure('SW_ROOM_NOT_FOUND')) x 2]



=== TEST 21: another topic, another ETag
--- request eval
["GET /v1/rooms/{{room}}", main::put(topic => { topic => 'Anew' }), "GET /v1/rooms/{{room}}"]
--- more_headers eval
[main::if_none_match('ann', '{{etag}}'), main::as('ann'), main::if_none_match('ann', '{{etag}}')]
--- error_code eval
[304, 200, 200]
--- capture eval
["", "", "etag: header ETag"]



=== TEST 22: somebody leaves
--- request eval
["GET /v1/rooms/{{room}}", main::post('leave'), "GET /v1/rooms/{{room}}"]
--- more_headers eval
[main::if_none_match('ann', '{{etag}}'), main::as('dan'), main::if_none_match('ann', '{{etag}}')]
--- error_code eval
[304, 200, 200]
--- capture eval
["", "", "etag: header ETag"]



=== TEST 23: a message
--- request eval
["GET /v1/rooms/{{room}}", main::post(send => { content => {} }), "GET /v1/rooms/{{room}}"]
--- more_headers eval
[main::if_none_match('ann', '{{etag}}'), main::as('bob'), main::if_none_match('ann', '{{etag}}')]
--- error_code eval
[304, 201, 200]
--- capture eval
["", "", "etag: header ETag"]



=== TEST 24: a setting of one's own
--- request eval
["GET /v1/rooms/{{room}}", main::put(mute => { muted => \1 }), "GET /v1/rooms/{{room}}"]
--- more_headers eval
[main::if_none_match('ann', '{{etag}}'), main::as('ann'), main::if_none_match('ann', '{{etag}}')]
--- error_code eval
[304, 200, 200]
--- capture eval
["", "", "etag: header ETag"]



=== TEST 25: archived
--- request eval
["GET /v1/rooms/{{room}}", main::post('archive'), "GET /v1/rooms/{{room}}"]
--- more_headers eval
[main::if_none_match('ann', '{{etag}}'), main::as('bob'), main::if_none_match('ann', '{{etag}}')]
--- error_code eval
[304, 200, 200]
--- capture eval
["", "", "etag: header ETag"]



=== TEST 26: and brought back
--- request eval
["GET /v1/rooms/{{room}}", main::post('rejoin'), "GET /v1/rooms/{{room}}"]
--- more_headers eval
[main::if_none_match('ann', '{{etag}}'), main::as('bob'), main::if_none_match('ann', '{{etag}}')]
--- error_code eval
[304, 200, 200]
--- capture eval
["", "", "seen: header ETag"]



=== TEST 27: If-Match: a change if nobody else made one; its answer has the new ETag
--- request eval
main::put(name => { name => 'One' })
--- more_headers eval
main::if_match('ann', '{{seen}}')
--- capture
etag: header ETag
--- json
data.name = One
--- response_headers_like
ETag: "[^"]+"



=== TEST 28: which is that of a later read
--- request
GET /v1/rooms/{{room}}
--- more_headers
Authorization: Bearer mock:ann@acme
--- response_headers
ETag: {{etag}}



=== TEST 29: what was seen before it guards no change
--- request eval
[main::put(name => { name => 'Two' }), main::put(topic => { topic => 'Two' }),
 main::put(workspace => { workspace_id => '{{bobs}}' }), main::put(name => { name => 'Four' }),
 "GET /v1/rooms/{{room}}"]
--- more_headers eval
[main::if_match('ann', '{{seen}}'), main::if_match('ann', '{{seen}}'), main::if_match('bob', '{{seen}}'),
 main::if_match('ann', '"nonsense"'), main::as('ann')]
--- error_code eval
[412, 412, 412, 412, 200]
--- json eval
[(main::failure('SW_PRECONDITION_FAILED')) x 4, "data.name = One\ndata.workspace_id = {{shared}}"]



=== TEST 30: one of a list; and whatever there is
--- request eval
[main::put(topic => { topic => 'Two' }), main::put(name => { name => 'Three' }), "GET /v1/rooms/{{room}}",
 main::put(name => { name => 'Three' })]
--- more_headers eval
[main::if_match('ann', '"x", {{etag}}'), main::if_match('ann', '*'), main::as('bob'),
 main::if_match('ann', '{{seen}}')]
--- error_code eval
[200, 200, 200, 412]
--- capture eval
["", "", "etag: header ETag"]



=== TEST 31: a move
--- request eval
[main::put(workspace => { workspace_id => '{{bobs}}' }), "GET /v1/rooms/{{room}}"]
--- more_headers eval
[main::if_match('bob', '{{etag}}'), main::as('ann')]
--- error_code eval
[200, 200]
--- capture eval
["", "etag: header ETag"]



=== TEST 32: the ETag of one caller is good for another who reads the same metadata
--- request eval
[main::put(topic => { topic => 'Shared view' }), "GET /v1/rooms/{{room}}"]
--- more_headers eval
[main::if_match('bob', '{{etag}}'), main::as('ann')]
--- error_code eval
[200, 200]
--- capture eval
["", "etag: header ETag"]



=== TEST 33: a message is no change of metadata
--- request eval
[main::post(send => { content => { body => 'hi' } }), main::put(name => { name => 'Five' })]
--- more_headers eval
[main::as('bob'), main::if_match('ann', '{{etag}}')]
--- error_code eval
[201, 200]



=== TEST 34: what guards a read is no reason to hide that a change was made
--- request eval
[main::put(topic => { topic => 'Six' }), main::put(topic => { topic => 'Seven' }), main::post('join')]
--- more_headers eval
[main::as('ann') . "\nIf-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT",
 main::if_none_match('ann', '*'), main::if_match('ann', '"x"')]
--- error_code eval
[200, 200, 200]



=== TEST 35: a power of 50 is looked at before If-Match
--- request eval
main::put(name => { name => 'x' })
--- more_headers eval
main::if_match('cy', '"nonsense"')
--- error_code: 403
--- json
error.code = SW_ROOM_FORBIDDEN
--- verify_room
{{room}}
