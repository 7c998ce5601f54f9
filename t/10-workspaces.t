# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# /v1/workspaces, one of them, and its members

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

# ids are in the order of the milliseconds in which they were made
my $ids = sub { sort map { saved("w$_") } 1 .. 11 };

save(in_order => sub { join '","', $ids->() });
save(after_five => sub { join '","', ($ids->())[4 .. 8] });

no_shuffle();
run_tests();

__DATA__

=== TEST 1: participants exist after their first request
--- calls
ann POST /v1/auth/register -> 200
    save anns: json data.workspace_id
bob POST /v1/auth/register -> 200
    data.workspace_id != {{anns}}
cy POST /v1/auth/register -> 200
dan POST /v1/auth/register -> 200
    save dans: json data.workspace_id



=== TEST 2: the personal one is there from the first request on
--- calls
ann GET /v1/workspaces -> 200
    data # 1
    data[0] # 7
    data[0].id = {{anns}}
    data[0].id ~ ^ws-
    data[0].kind = personal
    data[0].name = ann
    data[0].description null
    data[0].owner_id = ann
    data[0].role = owner
    data[0].created_at ~ ^\d{4}-\d\d-\d\dT.*Z$
    meta.has_more = false
    meta.next_cursor null



=== TEST 3: a shared one
--- calls
ann POST /v1/workspaces {"name":" Shared "} -> 201
    save shared_row: json data
    save shared: json data.id
    data # 7
    data.id ~ ^ws-[0-9a-z]{26}$
    data.name = Shared
    data.kind = shared
    data.description null
    data.owner_id = ann
    data.role = owner
    data.created_at ~ Z$
ann GET /v1/workspaces -> 200
    data[id={{shared}}] = {{shared_row}}
ann POST /v1/workspaces {<|"name":null|"name":""|"name":"  "|"name":"{{x*129}}"|"name":"a\nb"|"name":1>} -> 400 SW_VALIDATION_FAILED name
ann POST /v1/workspaces [] -> 400 SW_VALIDATION_FAILED body
cy POST /v1/workspaces {"name":"{{é*128}}"} -> 201



=== TEST 4: members: only for members
--- calls
ann GET /v1/workspaces/{{shared}}/members -> 200
    data # 1
    data[0] # 4
    data[0].participant_id = ann
    data[0].fqid = "@ann:rooms.test"
    data[0].display_name = ann
    data[0].role = owner
bob,ann@other GET /v1/workspaces/{{shared}}/members -> 404 SW_WORKSPACE_NOT_FOUND
ann GET /v1/workspaces/<x|ws-|ws-00000000000000000000000000|{{shared}}:members|{{shared}}%3Amembers|{{uc:shared}}>/members -> 404 SW_WORKSPACE_NOT_FOUND
ann POST /v1/workspaces/<x|ws-|ws-00000000000000000000000000|{{shared}}:members|{{uc:shared}}>/members {"participant_id":"bob","role":"viewer"} -> 404 SW_WORKSPACE_NOT_FOUND
ann POST /v1/workspaces/{{shared}}%3Amembers/members {"participant_id":"bob","role":"viewer"} -> 404 SW_WORKSPACE_NOT_FOUND



=== TEST 5: an owner gives roles
--- calls
ann POST /v1/workspaces/{{shared}}/members {"participant_id":"bob","role":"viewer"} -> 200
    data # 4
    data.participant_id = bob
    data.fqid = "@bob:rooms.test"
    data.role = viewer
ann GET /v1/workspaces/{{shared}}/members -> 200
    data[participant_id=bob].role = viewer
bob GET /v1/workspaces/{{shared}}/members -> 200
    data # 2
bob GET /v1/workspaces -> 200
    data # 2
    data[1].role = viewer
    data[1].id = {{shared}}
bob POST /v1/workspaces/{{shared}}/members {"participant_id":"cy","role":"viewer"} -> 403 SW_WORKSPACE_FORBIDDEN
ann POST /v1/workspaces/{{shared}}/members {"participant_id":"bob","role":"viewer"} -> 200
ann POST /v1/workspaces/{{shared}}/members {"participant_id":"bob","role":"editor"} -> 200
    data.role = editor
bob POST /v1/workspaces/{{shared}}/members {"participant_id":<"cy","role":"viewer"|"bob","role":"owner">} -> 403 SW_WORKSPACE_FORBIDDEN
ann POST /v1/workspaces/{{shared}}/members {"participant_id":"bob","role":"owner"} -> 200
    data.role = owner
bob POST /v1/workspaces/{{shared}}/members {"participant_id":"cy","role":<"editor"|"viewer">} -> 200
ann GET /v1/workspaces/{{shared}}/members -> 200
    data[participant_id=cy].role = viewer
bob POST /v1/workspaces/{{shared}}/members {"participant_id":"ann","role":"editor"} -> 200
    data.role = editor
bob POST /v1/workspaces/{{shared}}/members {"participant_id":"bob","role":<"viewer"|"editor">} -> 409 SW_WORKSPACE_NEEDS_OWNER
bob POST /v1/workspaces/{{shared}}/members {"participant_id":"bob","role":"owner"} -> 200
    data.role = owner
ann GET /v1/workspaces/{{shared}}/members -> 200
    data[participant_id=bob].role = owner
bob POST /v1/workspaces/{{shared}}/members {"participant_id":"ann","role":"owner"} -> 200
    data.role = owner
ann POST /v1/workspaces/{{shared}}/members {"participant_id":"bob","role":"viewer"} -> 200
bob POST /v1/workspaces/{{shared}}/members {"participant_id":"cy","role":"editor"} -> 403 SW_WORKSPACE_FORBIDDEN
ann POST /v1/workspaces/{{shared}}/members {"participant_id":<"nobody"|"no body">,"role":"viewer"} -> 404 SW_PARTICIPANT_NOT_FOUND
ann POST /v1/workspaces/{{shared}}/members {"participant_id":<null|""|1>,"role":"viewer"} -> 400 SW_VALIDATION_FAILED participant_id
ann POST /v1/workspaces/{{shared}}/members {"participant_id":"cy","role":<null|""|"x"|"OWNER"|1>} -> 400 SW_VALIDATION_FAILED role
ann POST /v1/workspaces/{{shared}}/members {"participant_id":"cy"} -> 400 SW_VALIDATION_FAILED role



=== TEST 6: the body is looked at before the workspace, that before the role, and all before the target
--- calls
ann POST /v1/workspaces/ws-x/members {"participant_id":"cy"} -> 400 SW_VALIDATION_FAILED role
dan POST /v1/workspaces/{{shared}}/members {"participant_id":"nobody","role":"viewer"} -> 404 SW_WORKSPACE_NOT_FOUND
bob POST /v1/workspaces/{{shared}}/members {"participant_id":"nobody","role":"viewer"} -> 403 SW_WORKSPACE_FORBIDDEN



=== TEST 7: a personal workspace may be shared, and stays its owner's
--- calls
ann POST /v1/workspaces/{{anns}}/members {"participant_id":"bob","role":"editor"} -> 200
bob POST /v1/rooms {"name":"x","room_type":"group","workspace_id":"{{anns}}"} -> 201
    data.workspace_id = {{anns}}



=== TEST 8: eleven more
--- calls
dan POST /v1/workspaces {"name":"W 1"} -> 201
    save w1: json data.id
dan POST /v1/workspaces {"name":"W 2"} -> 201
    save w2: json data.id
dan POST /v1/workspaces {"name":"W 3"} -> 201
    save w3: json data.id
dan POST /v1/workspaces {"name":"W 4"} -> 201
    save w4: json data.id
dan POST /v1/workspaces {"name":"W 5"} -> 201
    save w5: json data.id
dan POST /v1/workspaces {"name":"W 6"} -> 201
    save w6: json data.id
dan POST /v1/workspaces {"name":"W 7"} -> 201
    save w7: json data.id
dan POST /v1/workspaces {"name":"W 8"} -> 201
    save w8: json data.id
dan POST /v1/workspaces {"name":"W 9"} -> 201
    save w9: json data.id
dan POST /v1/workspaces {"name":"W 10"} -> 201
    save w10: json data.id
dan POST /v1/workspaces {"name":"W 11"} -> 201
    save w11: json data.id
dan GET /v1/workspaces?limit=200 -> 200
    data # 12



=== TEST 9: pages of any size have all of them, in the order in which they were made
--- calls
dan GET /v1/workspaces?limit=12 -> 200
    meta.has_more = false
    meta.next_cursor null
dan GET /v1/workspaces?limit=5 -> 200
    save sixth: json meta.next_cursor
    data # 5
dan GET /v1/workspaces?limit=10 -> 200
    save eleventh: json meta.next_cursor
dan GET /v1/workspaces?limit=<0|201> -> 400 SW_VALIDATION_FAILED limit
dan GET /v1/workspaces?cursor=<x|{{shared}}> -> 400 SW_VALIDATION_FAILED cursor
dan HEAD /v1/workspaces -> 200
dan PUT /v1/workspaces {} -> 405 SW_METHOD_NOT_ALLOWED
- GET /v1/workspaces -> 401 SW_AUTH_INVALID_TOKEN
--- pages
dan /v1/workspaces?limit=<1|5|11|12|13>
    $[*].id = ["{{dans}}","{{in_order}}"]



=== TEST 10: one of them: what it is, its name and what it is about
--- calls
ann GET /v1/workspaces -> 200
    save row_of_ann: json data[1]
ann GET /v1/workspaces/{{shared}} -> 200
    data = {{row_of_ann}}
bob GET /v1/workspaces/{{shared}} -> 200
    data.role = viewer
bob HEAD /v1/workspaces/{{shared}} -> 200
dan,ann@other,dan! GET /v1/workspaces/{{shared}} -> 404 SW_WORKSPACE_NOT_FOUND
ann PUT /v1/workspaces/{{shared}} {} -> 405 SW_METHOD_NOT_ALLOWED
    < Allow: GET, HEAD, PATCH, DELETE
ann PATCH /v1/workspaces/{{shared}} {"name":" Renamed "} -> 200
    data.name = Renamed
    data.description null
ann PATCH /v1/workspaces/{{shared}} {"description":"About"} -> 200
    data.name = Renamed
    data.description = About
ann PATCH /v1/workspaces/{{shared}} {<"name":"Again"|>} -> 200
    data.name = Again
    data.description = About
bob GET /v1/workspaces/{{shared}} -> 200
    data.description = About
ann PATCH /v1/workspaces/{{shared}} {"description":null} -> 200
    data.description null
bob GET /v1/workspaces/{{shared}} -> 200
    data.name = Again
    data.description null
bob PATCH /v1/workspaces/{{shared}} {"name":"x"} -> 403 SW_WORKSPACE_FORBIDDEN
dan PATCH /v1/workspaces/{{shared}} {"name":"x"} -> 404 SW_WORKSPACE_NOT_FOUND
ann PATCH /v1/workspaces/{{shared}} {"name":<null|""|"​"|"{{x*129}}"|1>} -> 400 SW_VALIDATION_FAILED name
ann POST /v1/workspaces {"name":<null|""|"​"|"{{x*129}}"|1>} -> 400 SW_VALIDATION_FAILED name
ann PATCH /v1/workspaces/{{shared}} {"description":<1|"{{x*1025}}"|"a\u0001">} -> 400 SW_VALIDATION_FAILED description
ann POST /v1/workspaces {"description":<1|"{{x*1025}}"|"a\u0001">,"name":"x"} -> 400 SW_VALIDATION_FAILED description
ann PATCH /v1/workspaces/ws-none {"name":""} -> 400 SW_VALIDATION_FAILED name
cy POST /v1/workspaces {"description":"About","name":"C"} -> 201
    data.description = About



=== TEST 11: members: a role of one who has one; who is in it may leave
--- calls
ann PATCH /v1/workspaces/{{shared}}/members/cy {"role":"editor"} -> 200
    data # 4
    data.participant_id = cy
    data.role = editor
ann GET /v1/workspaces/{{shared}}/members -> 200
    data[participant_id=cy].role = editor
ann PATCH /v1/workspaces/{{shared}}/members/<dan|nobody> {"role":"editor"} -> 404 SW_PARTICIPANT_NOT_FOUND
cy PATCH /v1/workspaces/{{shared}}/members/cy {"role":"owner"} -> 403 SW_WORKSPACE_FORBIDDEN
dan PATCH /v1/workspaces/{{shared}}/members/cy {"role":"owner"} -> 404 SW_WORKSPACE_NOT_FOUND
ann PATCH /v1/workspaces/{{shared}}/members/cy {"role":"none"} -> 400 SW_VALIDATION_FAILED role
ann PATCH /v1/workspaces/{{shared}}/members/ann {"role":"editor"} -> 409 SW_WORKSPACE_NEEDS_OWNER
ann DELETE /v1/workspaces/{{shared}}/members/ann -> 409 SW_WORKSPACE_NEEDS_OWNER
cy DELETE /v1/workspaces/{{shared}}/members/bob -> 403 SW_WORKSPACE_FORBIDDEN
ann DELETE /v1/workspaces/{{shared}}/members/dan -> 404 SW_PARTICIPANT_NOT_FOUND
cy DELETE /v1/workspaces/{{shared}}/members/cy -> 200
    data.participant_id = cy
    data.role null
ann GET /v1/workspaces/{{shared}}/members -> 200
cy GET /v1/workspaces/{{shared}} -> 404 SW_WORKSPACE_NOT_FOUND
cy DELETE /v1/workspaces/{{shared}}/members/cy -> 404 SW_WORKSPACE_NOT_FOUND
cy GET /v1/workspaces -> 200
    data[id={{shared}}] !
ann DELETE /v1/workspaces/{{shared}}/members/bob -> 200
    data.role null
ann POST /v1/workspaces/{{shared}}/members {"participant_id":"bob","role":"owner"} -> 200
ann DELETE /v1/workspaces/{{shared}}/members/ann -> 200
    data.role null
ann GET /v1/workspaces/{{shared}} -> 404 SW_WORKSPACE_NOT_FOUND
bob DELETE /v1/workspaces/{{shared}}/members/bob -> 409 SW_WORKSPACE_NEEDS_OWNER
bob POST /v1/workspaces/{{shared}}/members {"participant_id":"ann","role":"owner"} -> 200



=== TEST 12: seven more members
--- calls
m1,m2,m3,m4,m5,m6,m7 POST /v1/auth/register -> 200
ann POST /v1/workspaces/{{shared}}/members {"participant_id":"<m1|m2|m3|m4|m5|m6|m7>","role":"viewer"} -> 200
ann GET /v1/workspaces/{{shared}}/members?limit=3 -> 200
    save after_m1: json meta.next_cursor
    data[*].participant_id = ["ann","bob","m1"]
--- pages
ann /v1/workspaces/{{shared}}/members?limit=<1|4|8|9|10>
    $[*].participant_id = ["ann","bob","m1","m2","m3","m4","m5","m6","m7"]



=== TEST 13: pages while members go: nobody who stays is skipped
--- calls
ann DELETE /v1/workspaces/{{shared}}/members/<m1|m4> -> 200
    data.role null
ann GET /v1/workspaces/{{shared}}/members?limit=3&cursor={{after_m1}} -> 200
    data[*].participant_id = ["m2","m3","m5"]
ann GET /v1/workspaces/{{shared}}/members?limit=<0|1001> -> 400 SW_VALIDATION_FAILED limit
ann GET /v1/workspaces/{{shared}}/members?cursor=<x|{{shared}}> -> 400 SW_VALIDATION_FAILED cursor



=== TEST 14: deleting: not with open rooms, not a personal one
--- calls
bob POST /v1/rooms {"name":"In use","room_type":"group","workspace_id":"{{shared}}"} -> 201
    save room: json data.id
ann POST /v1/rooms {"name":"Moved","room_type":"group"} -> 201
    save other: json data.id
m2 DELETE /v1/workspaces/{{shared}} -> 403 SW_WORKSPACE_FORBIDDEN
dan DELETE /v1/workspaces/{{shared}} -> 404 SW_WORKSPACE_NOT_FOUND
ann DELETE /v1/workspaces/{{shared}} -> 409 SW_WORKSPACE_IN_USE



=== TEST 15: ... deleting: not with open rooms, not a personal one
--- calls
bob POST /v1/rooms/{{room}}/archive -> 200
ann PUT /v1/rooms/{{other}}/workspace {"workspace_id":"{{shared}}"} -> 200
ann DELETE /v1/workspaces/{{shared}} -> 409 SW_WORKSPACE_IN_USE
ann PUT /v1/rooms/{{other}}/workspace {"workspace_id":"{{anns}}"} -> 200
bob POST /v1/rooms/{{room}}/rejoin -> 200
ann DELETE /v1/workspaces/{{shared}} -> 409 SW_WORKSPACE_IN_USE
bob POST /v1/rooms/{{room}}/close -> 200
--- store
EXISTS sw:{acme}:w:{{shared}}:rooms = 0
ZRANGE sw:{acme}:w:{{anns}}:rooms 0 -1 ~ {{other}}



=== TEST 16: ... deleting: not with open rooms, not a personal one
--- calls
ann DELETE /v1/workspaces/{{anns}} -> 409 SW_WORKSPACE_PERSONAL
bob DELETE /v1/workspaces/{{anns}} -> 403 SW_WORKSPACE_FORBIDDEN
ann PATCH /v1/workspaces/{{anns}} {"name":"Mine"} -> 200
    data.name = Mine



=== TEST 17: an owner beside its person: that one stays
--- calls
ann POST /v1/workspaces/{{anns}}/members {"participant_id":"bob","role":"owner"} -> 200
bob DELETE /v1/workspaces/{{anns}}/members/ann -> 409 SW_WORKSPACE_PERSONAL
bob PATCH /v1/workspaces/{{anns}}/members/ann {"role":"viewer"} -> 409 SW_WORKSPACE_PERSONAL
ann PATCH /v1/workspaces/{{anns}}/members/bob {"role":"editor"} -> 200
ann POST /v1/rooms {"name":"x","room_type":"group"} -> 201
ann DELETE /v1/workspaces/{{shared}} -> 200
    data.id = {{shared}}
    data.role = owner
ann DELETE /v1/workspaces/{{shared}} -> 404 SW_WORKSPACE_NOT_FOUND
bob GET /v1/workspaces/{{shared}} -> 404 SW_WORKSPACE_NOT_FOUND
bob POST /v1/rooms {"name":"x","room_type":"group","workspace_id":"{{shared}}"} -> 404 SW_WORKSPACE_NOT_FOUND
--- store
ZSCORE sw:{acme}:p:ann:workspaces {{shared}} null
ZSCORE sw:{acme}:p:bob:workspaces {{shared}} null
ZSCORE sw:{acme}:p:m2:workspaces {{shared}} null
KEYS sw:{acme}:w:{{shared}}* =



=== TEST 18: an index that the store's other keys don't bear out: no role, none of one's own, and nobody falls over it
--- init
RoomsTest::redis('HDEL', 'sw:{acme}:w:{{w3}}:members', 'dan');
--- calls
dan GET /v1/workspaces?limit=5 -> 200
    data[*].id = ["{{dans}}","{{w1}}","{{w2}}","{{w4}}"]
dan GET /v1/workspaces?limit=5&cursor={{sixth}} -> 200
    data[*].id = ["{{after_five}}"]
dan GET /v1/workspaces?limit=5&cursor={{eleventh}} -> 200
    data[*].id = ["{{w10}}","{{w11}}"]
