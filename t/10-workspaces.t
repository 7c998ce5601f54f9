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

no_shuffle();
run_tests();

__DATA__

=== TEST 1: participants exist after their first request
--- calls
ann POST /v1/auth/register -> 200
    save ws: json data.workspace_id
bob POST /v1/auth/register -> 200
    data.workspace_id != {{ws}}
cy POST /v1/auth/register -> 200
dan POST /v1/auth/register -> 200
    save ws3: json data.workspace_id



=== TEST 2: the personal one is there from the first request on
--- calls
ann GET /v1/workspaces -> 200
    data # 1
    data[0] # 7
    data[0].id = {{ws}}
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
    save seen0: json data
    save ws2: json data.id
    data # 7
    data.id ~ ^ws-[0-9a-z]{26}$
    data.name = Shared
    data.kind = shared
    data.description null
    data.owner_id = ann
    data.role = owner
    data.created_at ~ Z$
ann GET /v1/workspaces -> 200
    data[id={{ws2}}] = {{seen0}}
ann POST /v1/workspaces {} -> 400 SW_VALIDATION_FAILED name
ann POST /v1/workspaces {"name":null} -> 400 SW_VALIDATION_FAILED name
ann POST /v1/workspaces {"name":""} -> 400 SW_VALIDATION_FAILED name
ann POST /v1/workspaces {"name":"  "} -> 400 SW_VALIDATION_FAILED name
ann POST /v1/workspaces {"name":"{{x*129}}"} -> 400 SW_VALIDATION_FAILED name
ann POST /v1/workspaces {"name":"a\nb"} -> 400 SW_VALIDATION_FAILED name
ann POST /v1/workspaces {"name":1} -> 400 SW_VALIDATION_FAILED name
ann POST /v1/workspaces [] -> 400 SW_VALIDATION_FAILED body
cy POST /v1/workspaces {"name":"{{é*128}}"} -> 201



=== TEST 4: members: only for members
--- calls
ann GET /v1/workspaces/{{ws2}}/members -> 200
    data # 1
    data[0] # 4
    data[0].participant_id = ann
    data[0].fqid = "@ann:rooms.test"
    data[0].display_name = ann
    data[0].role = owner
bob GET /v1/workspaces/{{ws2}}/members -> 404 SW_WORKSPACE_NOT_FOUND
ann GET /v1/workspaces/x/members -> 404 SW_WORKSPACE_NOT_FOUND
ann POST /v1/workspaces/x/members {"participant_id":"bob","role":"viewer"} -> 404 SW_WORKSPACE_NOT_FOUND
ann GET /v1/workspaces/ws-/members -> 404 SW_WORKSPACE_NOT_FOUND
ann POST /v1/workspaces/ws-/members {"participant_id":"bob","role":"viewer"} -> 404 SW_WORKSPACE_NOT_FOUND
ann GET /v1/workspaces/ws-00000000000000000000000000/members -> 404 SW_WORKSPACE_NOT_FOUND
ann POST /v1/workspaces/ws-00000000000000000000000000/members {"participant_id":"bob","role":"viewer"} -> 404 SW_WORKSPACE_NOT_FOUND
ann GET /v1/workspaces/{{ws2}}:members/members -> 404 SW_WORKSPACE_NOT_FOUND
ann POST /v1/workspaces/{{ws2}}:members/members {"participant_id":"bob","role":"viewer"} -> 404 SW_WORKSPACE_NOT_FOUND
ann GET /v1/workspaces/{{ws2}}%3Amembers/members -> 404 SW_WORKSPACE_NOT_FOUND
ann POST /v1/workspaces/{{ws2}}%3Amembers/members {"participant_id":"bob","role":"viewer"} -> 404 SW_WORKSPACE_NOT_FOUND
ann GET /v1/workspaces/{{uc:ws2}}/members -> 404 SW_WORKSPACE_NOT_FOUND
ann POST /v1/workspaces/{{uc:ws2}}/members {"participant_id":"bob","role":"viewer"} -> 404 SW_WORKSPACE_NOT_FOUND



=== TEST 5: ... members: only for members
--- calls
ann@other GET /v1/workspaces/{{ws2}}/members -> 404 SW_WORKSPACE_NOT_FOUND



=== TEST 6: an owner gives roles
--- calls
ann POST /v1/workspaces/{{ws2}}/members {"participant_id":"bob","role":"viewer"} -> 200
    data # 4
    data.participant_id = bob
    data.fqid = "@bob:rooms.test"
    data.role = viewer
ann GET /v1/workspaces/{{ws2}}/members -> 200
    data[participant_id=bob].role = viewer
bob GET /v1/workspaces/{{ws2}}/members -> 200
    data # 2
bob GET /v1/workspaces -> 200
    data # 2
    data[1].role = viewer
    data[1].id = {{ws2}}
bob POST /v1/workspaces/{{ws2}}/members {"participant_id":"cy","role":"viewer"} -> 403 SW_WORKSPACE_FORBIDDEN
ann POST /v1/workspaces/{{ws2}}/members {"participant_id":"bob","role":"viewer"} -> 200
ann POST /v1/workspaces/{{ws2}}/members {"participant_id":"bob","role":"editor"} -> 200
    data.role = editor
bob POST /v1/workspaces/{{ws2}}/members {"participant_id":"cy","role":"viewer"} -> 403 SW_WORKSPACE_FORBIDDEN
bob POST /v1/workspaces/{{ws2}}/members {"participant_id":"bob","role":"owner"} -> 403 SW_WORKSPACE_FORBIDDEN
ann POST /v1/workspaces/{{ws2}}/members {"participant_id":"bob","role":"owner"} -> 200
    data.role = owner
bob POST /v1/workspaces/{{ws2}}/members {"participant_id":"cy","role":"editor"} -> 200
bob POST /v1/workspaces/{{ws2}}/members {"participant_id":"cy","role":"viewer"} -> 200
ann GET /v1/workspaces/{{ws2}}/members -> 200
    data[participant_id=cy].role = viewer
bob POST /v1/workspaces/{{ws2}}/members {"participant_id":"ann","role":"editor"} -> 200
    data.role = editor



=== TEST 7: ... an owner gives roles
--- calls
bob POST /v1/workspaces/{{ws2}}/members {"participant_id":"bob","role":"viewer"} -> 409 SW_WORKSPACE_NEEDS_OWNER
bob POST /v1/workspaces/{{ws2}}/members {"participant_id":"bob","role":"editor"} -> 409 SW_WORKSPACE_NEEDS_OWNER
bob POST /v1/workspaces/{{ws2}}/members {"participant_id":"bob","role":"owner"} -> 200
    data.role = owner
ann GET /v1/workspaces/{{ws2}}/members -> 200
    data[participant_id=bob].role = owner
bob POST /v1/workspaces/{{ws2}}/members {"participant_id":"ann","role":"owner"} -> 200
    data.role = owner
ann POST /v1/workspaces/{{ws2}}/members {"participant_id":"bob","role":"viewer"} -> 200
bob POST /v1/workspaces/{{ws2}}/members {"participant_id":"cy","role":"editor"} -> 403 SW_WORKSPACE_FORBIDDEN
ann POST /v1/workspaces/{{ws2}}/members {"participant_id":"nobody","role":"viewer"} -> 404 SW_PARTICIPANT_NOT_FOUND
ann POST /v1/workspaces/{{ws2}}/members {"participant_id":"no body","role":"viewer"} -> 404 SW_PARTICIPANT_NOT_FOUND
ann POST /v1/workspaces/{{ws2}}/members {"participant_id":null,"role":"viewer"} -> 400 SW_VALIDATION_FAILED participant_id
ann POST /v1/workspaces/{{ws2}}/members {"participant_id":"","role":"viewer"} -> 400 SW_VALIDATION_FAILED participant_id
ann POST /v1/workspaces/{{ws2}}/members {"participant_id":1,"role":"viewer"} -> 400 SW_VALIDATION_FAILED participant_id
ann POST /v1/workspaces/{{ws2}}/members {"participant_id":"cy","role":null} -> 400 SW_VALIDATION_FAILED role
ann POST /v1/workspaces/{{ws2}}/members {"participant_id":"cy","role":""} -> 400 SW_VALIDATION_FAILED role



=== TEST 8: ... an owner gives roles
--- calls
ann POST /v1/workspaces/{{ws2}}/members {"participant_id":"cy","role":"x"} -> 400 SW_VALIDATION_FAILED role
ann POST /v1/workspaces/{{ws2}}/members {"participant_id":"cy","role":"OWNER"} -> 400 SW_VALIDATION_FAILED role
ann POST /v1/workspaces/{{ws2}}/members {"participant_id":"cy","role":1} -> 400 SW_VALIDATION_FAILED role
ann POST /v1/workspaces/{{ws2}}/members {"participant_id":"cy"} -> 400 SW_VALIDATION_FAILED role



=== TEST 9: the body is looked at before the workspace, that before the role, and all before the target
--- calls
ann POST /v1/workspaces/ws-x/members {"participant_id":"cy"} -> 400 SW_VALIDATION_FAILED role
dan POST /v1/workspaces/{{ws2}}/members {"participant_id":"nobody","role":"viewer"} -> 404 SW_WORKSPACE_NOT_FOUND
bob POST /v1/workspaces/{{ws2}}/members {"participant_id":"nobody","role":"viewer"} -> 403 SW_WORKSPACE_FORBIDDEN



=== TEST 10: a personal workspace may be shared, and stays its owner's
--- calls
ann POST /v1/workspaces/{{ws}}/members {"participant_id":"bob","role":"editor"} -> 200
bob POST /v1/rooms {"name":"x","room_type":"group","workspace_id":"{{ws}}"} -> 201
    data.workspace_id = {{ws}}



=== TEST 11: pages
--- calls
dan POST /v1/workspaces {"name":"W 1"} -> 201
    save ws4: json data.id
dan POST /v1/workspaces {"name":"W 2"} -> 201
    save ws5: json data.id
dan POST /v1/workspaces {"name":"W 3"} -> 201
    save ws6: json data.id
dan POST /v1/workspaces {"name":"W 4"} -> 201
    save ws7: json data.id
dan POST /v1/workspaces {"name":"W 5"} -> 201
    save ws8: json data.id
dan POST /v1/workspaces {"name":"W 6"} -> 201
    save ws9: json data.id
dan POST /v1/workspaces {"name":"W 7"} -> 201
    save ws10: json data.id
dan POST /v1/workspaces {"name":"W 8"} -> 201
    save ws11: json data.id
dan POST /v1/workspaces {"name":"W 9"} -> 201
    save ws12: json data.id
dan POST /v1/workspaces {"name":"W 10"} -> 201
    save ws13: json data.id
dan POST /v1/workspaces {"name":"W 11"} -> 201
    save ws14: json data.id
dan GET /v1/workspaces?limit=200 -> 200
    data # 12
dan GET /v1/workspaces?limit=1 -> 200
    save cursor: json meta.next_cursor
    data[*].id = ["{{ws3}}"]



=== TEST 12: ... pages
--- calls
dan GET /v1/workspaces?limit=1&cursor={{cursor}} -> 200
    save cursor2: json meta.next_cursor
    data[*].id = ["{{ws4}}"]



=== TEST 13: ... pages
--- calls
dan GET /v1/workspaces?limit=1&cursor={{cursor2}} -> 200
    save cursor3: json meta.next_cursor
    data[*].id = ["{{ws5}}"]



=== TEST 14: ... pages
--- calls
dan GET /v1/workspaces?limit=1&cursor={{cursor3}} -> 200
    save cursor4: json meta.next_cursor
    data[*].id = ["{{ws6}}"]



=== TEST 15: ... pages
--- calls
dan GET /v1/workspaces?limit=1&cursor={{cursor4}} -> 200
    save cursor5: json meta.next_cursor
    data[*].id = ["{{ws7}}"]



=== TEST 16: ... pages
--- calls
dan GET /v1/workspaces?limit=1&cursor={{cursor5}} -> 200
    save cursor6: json meta.next_cursor
    data[*].id = ["{{ws8}}"]



=== TEST 17: ... pages
--- calls
dan GET /v1/workspaces?limit=1&cursor={{cursor6}} -> 200
    save cursor7: json meta.next_cursor
    data[*].id = ["{{ws9}}"]



=== TEST 18: ... pages
--- calls
dan GET /v1/workspaces?limit=1&cursor={{cursor7}} -> 200
    save cursor8: json meta.next_cursor
    data[*].id = ["{{ws10}}"]



=== TEST 19: ... pages
--- calls
dan GET /v1/workspaces?limit=1&cursor={{cursor8}} -> 200
    save cursor9: json meta.next_cursor
    data[*].id = ["{{ws11}}"]



=== TEST 20: ... pages
--- calls
dan GET /v1/workspaces?limit=1&cursor={{cursor9}} -> 200
    save cursor10: json meta.next_cursor
    data[*].id = ["{{ws12}}"]



=== TEST 21: ... pages
--- calls
dan GET /v1/workspaces?limit=1&cursor={{cursor10}} -> 200
    save cursor11: json meta.next_cursor
    data[*].id = ["{{ws13}}"]



=== TEST 22: ... pages
--- calls
dan GET /v1/workspaces?limit=1&cursor={{cursor11}} -> 200
    data[*].id = ["{{ws14}}"]
dan GET /v1/workspaces?limit=5 -> 200
    data[*].id = ["{{ws3}}","{{ws4}}","{{ws5}}","{{ws6}}","{{ws7}}"]
dan GET /v1/workspaces?limit=5&cursor={{cursor5}} -> 200
    data[*].id = ["{{ws8}}","{{ws9}}","{{ws10}}","{{ws11}}","{{ws12}}"]
dan GET /v1/workspaces?limit=5&cursor={{cursor10}} -> 200
    data[*].id = ["{{ws13}}","{{ws14}}"]
dan GET /v1/workspaces?limit=11 -> 200
    data[*].id = ["{{ws3}}","{{ws4}}","{{ws5}}","{{ws6}}","{{ws7}}","{{ws8}}","{{ws9}}","{{ws10}}","{{ws11}}","{{ws12}}","{{ws13}}"]
dan GET /v1/workspaces?limit=11&cursor={{cursor11}} -> 200
    data[*].id = ["{{ws14}}"]
dan GET /v1/workspaces?limit=12 -> 200
    data[*].id = ["{{ws3}}","{{ws4}}","{{ws5}}","{{ws6}}","{{ws7}}","{{ws8}}","{{ws9}}","{{ws10}}","{{ws11}}","{{ws12}}","{{ws13}}","{{ws14}}"]
dan GET /v1/workspaces?limit=13 -> 200
    data[*].id = ["{{ws3}}","{{ws4}}","{{ws5}}","{{ws6}}","{{ws7}}","{{ws8}}","{{ws9}}","{{ws10}}","{{ws11}}","{{ws12}}","{{ws13}}","{{ws14}}"]
dan GET /v1/workspaces?limit=12 -> 200
    meta.next_cursor null
dan GET /v1/workspaces?limit=0 -> 400 SW_VALIDATION_FAILED limit
dan GET /v1/workspaces?limit=201 -> 400 SW_VALIDATION_FAILED limit
dan GET /v1/workspaces?cursor=x -> 400 SW_VALIDATION_FAILED cursor
dan GET /v1/workspaces?cursor={{ws2}} -> 400 SW_VALIDATION_FAILED cursor
dan HEAD /v1/workspaces -> 200



=== TEST 23: ... pages
--- calls
dan PUT /v1/workspaces {} -> 405 SW_METHOD_NOT_ALLOWED
- GET /v1/workspaces -> 401 SW_AUTH_INVALID_TOKEN



=== TEST 24: one of them: what it is, its name and what it is about
--- calls
ann GET /v1/workspaces -> 200
    save seen1: json data[1]
ann GET /v1/workspaces/{{ws2}} -> 200
    data = {{seen1}}
bob GET /v1/workspaces/{{ws2}} -> 200
    data.role = viewer
bob HEAD /v1/workspaces/{{ws2}} -> 200
dan GET /v1/workspaces/{{ws2}} -> 404 SW_WORKSPACE_NOT_FOUND
ann@other GET /v1/workspaces/{{ws2}} -> 404 SW_WORKSPACE_NOT_FOUND
dan! GET /v1/workspaces/{{ws2}} -> 404 SW_WORKSPACE_NOT_FOUND
ann PUT /v1/workspaces/{{ws2}} {} -> 405 SW_METHOD_NOT_ALLOWED
    < Allow: GET, HEAD, PATCH, DELETE
ann PATCH /v1/workspaces/{{ws2}} {"name":" Renamed "} -> 200
    data.name = Renamed
    data.description null
ann PATCH /v1/workspaces/{{ws2}} {"description":"About"} -> 200
    data.name = Renamed
    data.description = About
ann PATCH /v1/workspaces/{{ws2}} {"name":"Again"} -> 200
    data.name = Again
    data.description = About
ann PATCH /v1/workspaces/{{ws2}} {} -> 200
    data.name = Again
    data.description = About
bob GET /v1/workspaces/{{ws2}} -> 200
    data.description = About



=== TEST 25: ... one of them: what it is, its name and what it is about
--- calls
ann PATCH /v1/workspaces/{{ws2}} {"description":null} -> 200
    data.description null
bob GET /v1/workspaces/{{ws2}} -> 200
    data.name = Again
    data.description null
bob PATCH /v1/workspaces/{{ws2}} {"name":"x"} -> 403 SW_WORKSPACE_FORBIDDEN
dan PATCH /v1/workspaces/{{ws2}} {"name":"x"} -> 404 SW_WORKSPACE_NOT_FOUND
ann PATCH /v1/workspaces/{{ws2}} {"name":null} -> 400 SW_VALIDATION_FAILED name
ann POST /v1/workspaces {"name":null} -> 400 SW_VALIDATION_FAILED name
ann PATCH /v1/workspaces/{{ws2}} {"name":""} -> 400 SW_VALIDATION_FAILED name
ann POST /v1/workspaces {"name":""} -> 400 SW_VALIDATION_FAILED name
ann PATCH /v1/workspaces/{{ws2}} {"name":"​"} -> 400 SW_VALIDATION_FAILED name
ann POST /v1/workspaces {"name":"​"} -> 400 SW_VALIDATION_FAILED name
ann PATCH /v1/workspaces/{{ws2}} {"name":"{{x*129}}"} -> 400 SW_VALIDATION_FAILED name
ann POST /v1/workspaces {"name":"{{x*129}}"} -> 400 SW_VALIDATION_FAILED name
ann PATCH /v1/workspaces/{{ws2}} {"name":1} -> 400 SW_VALIDATION_FAILED name
ann POST /v1/workspaces {"name":1} -> 400 SW_VALIDATION_FAILED name



=== TEST 26: ... one of them: what it is, its name and what it is about
--- calls
ann PATCH /v1/workspaces/{{ws2}} {"description":1} -> 400 SW_VALIDATION_FAILED description
ann POST /v1/workspaces {"description":1,"name":"x"} -> 400 SW_VALIDATION_FAILED description
ann PATCH /v1/workspaces/{{ws2}} {"description":"{{x*1025}}"} -> 400 SW_VALIDATION_FAILED description
ann POST /v1/workspaces {"description":"{{x*1025}}","name":"x"} -> 400 SW_VALIDATION_FAILED description
ann PATCH /v1/workspaces/{{ws2}} {"description":"a\u0001"} -> 400 SW_VALIDATION_FAILED description
ann POST /v1/workspaces {"description":"a\u0001","name":"x"} -> 400 SW_VALIDATION_FAILED description
ann PATCH /v1/workspaces/ws-none {"name":""} -> 400 SW_VALIDATION_FAILED name
cy POST /v1/workspaces {"description":"About","name":"C"} -> 201
    data.description = About



=== TEST 27: members: a role of one who has one; who is in it may leave
--- calls
ann PATCH /v1/workspaces/{{ws2}}/members/cy {"role":"editor"} -> 200
    data # 4
    data.participant_id = cy
    data.role = editor
ann GET /v1/workspaces/{{ws2}}/members -> 200
    data[participant_id=cy].role = editor
ann PATCH /v1/workspaces/{{ws2}}/members/dan {"role":"editor"} -> 404 SW_PARTICIPANT_NOT_FOUND
ann PATCH /v1/workspaces/{{ws2}}/members/nobody {"role":"editor"} -> 404 SW_PARTICIPANT_NOT_FOUND
cy PATCH /v1/workspaces/{{ws2}}/members/cy {"role":"owner"} -> 403 SW_WORKSPACE_FORBIDDEN
dan PATCH /v1/workspaces/{{ws2}}/members/cy {"role":"owner"} -> 404 SW_WORKSPACE_NOT_FOUND
ann PATCH /v1/workspaces/{{ws2}}/members/cy {"role":"none"} -> 400 SW_VALIDATION_FAILED role
ann PATCH /v1/workspaces/{{ws2}}/members/ann {"role":"editor"} -> 409 SW_WORKSPACE_NEEDS_OWNER
ann DELETE /v1/workspaces/{{ws2}}/members/ann -> 409 SW_WORKSPACE_NEEDS_OWNER
cy DELETE /v1/workspaces/{{ws2}}/members/bob -> 403 SW_WORKSPACE_FORBIDDEN
ann DELETE /v1/workspaces/{{ws2}}/members/dan -> 404 SW_PARTICIPANT_NOT_FOUND
cy DELETE /v1/workspaces/{{ws2}}/members/cy -> 200
    data.participant_id = cy
    data.role null
ann GET /v1/workspaces/{{ws2}}/members -> 200
cy GET /v1/workspaces/{{ws2}} -> 404 SW_WORKSPACE_NOT_FOUND



=== TEST 28: ... members: a role of one who has one; who is in it may leave
--- calls
cy DELETE /v1/workspaces/{{ws2}}/members/cy -> 404 SW_WORKSPACE_NOT_FOUND
cy GET /v1/workspaces -> 200
    data[id={{ws2}}] !
ann DELETE /v1/workspaces/{{ws2}}/members/bob -> 200
    data.role null
ann POST /v1/workspaces/{{ws2}}/members {"participant_id":"bob","role":"owner"} -> 200
ann DELETE /v1/workspaces/{{ws2}}/members/ann -> 200
    data.role null
ann GET /v1/workspaces/{{ws2}} -> 404 SW_WORKSPACE_NOT_FOUND
bob DELETE /v1/workspaces/{{ws2}}/members/bob -> 409 SW_WORKSPACE_NEEDS_OWNER
bob POST /v1/workspaces/{{ws2}}/members {"participant_id":"ann","role":"owner"} -> 200



=== TEST 29: pages of members
--- calls
m1 POST /v1/auth/register -> 200
m2 POST /v1/auth/register -> 200
m3 POST /v1/auth/register -> 200
m4 POST /v1/auth/register -> 200
m5 POST /v1/auth/register -> 200
m6 POST /v1/auth/register -> 200
m7 POST /v1/auth/register -> 200
ann POST /v1/workspaces/{{ws2}}/members {"participant_id":"m1","role":"viewer"} -> 200
ann POST /v1/workspaces/{{ws2}}/members {"participant_id":"m2","role":"viewer"} -> 200
ann POST /v1/workspaces/{{ws2}}/members {"participant_id":"m3","role":"viewer"} -> 200
ann POST /v1/workspaces/{{ws2}}/members {"participant_id":"m4","role":"viewer"} -> 200
ann POST /v1/workspaces/{{ws2}}/members {"participant_id":"m5","role":"viewer"} -> 200
ann POST /v1/workspaces/{{ws2}}/members {"participant_id":"m6","role":"viewer"} -> 200
ann POST /v1/workspaces/{{ws2}}/members {"participant_id":"m7","role":"viewer"} -> 200



=== TEST 30: ... pages of members
--- calls
ann GET /v1/workspaces/{{ws2}}/members?limit=1 -> 200
    save cursor12: json meta.next_cursor
    data[*].participant_id = ["ann"]



=== TEST 31: ... pages of members
--- calls
ann GET /v1/workspaces/{{ws2}}/members?limit=1&cursor={{cursor12}} -> 200
    save cursor13: json meta.next_cursor
    data[*].participant_id = ["bob"]



=== TEST 32: ... pages of members
--- calls
ann GET /v1/workspaces/{{ws2}}/members?limit=1&cursor={{cursor13}} -> 200
    save cursor14: json meta.next_cursor
    data[*].participant_id = ["m1"]



=== TEST 33: ... pages of members
--- calls
ann GET /v1/workspaces/{{ws2}}/members?limit=1&cursor={{cursor14}} -> 200
    save cursor15: json meta.next_cursor
    data[*].participant_id = ["m2"]



=== TEST 34: ... pages of members
--- calls
ann GET /v1/workspaces/{{ws2}}/members?limit=1&cursor={{cursor15}} -> 200
    save cursor16: json meta.next_cursor
    data[*].participant_id = ["m3"]



=== TEST 35: ... pages of members
--- calls
ann GET /v1/workspaces/{{ws2}}/members?limit=1&cursor={{cursor16}} -> 200
    save cursor17: json meta.next_cursor
    data[*].participant_id = ["m4"]



=== TEST 36: ... pages of members
--- calls
ann GET /v1/workspaces/{{ws2}}/members?limit=1&cursor={{cursor17}} -> 200
    save cursor18: json meta.next_cursor
    data[*].participant_id = ["m5"]



=== TEST 37: ... pages of members
--- calls
ann GET /v1/workspaces/{{ws2}}/members?limit=1&cursor={{cursor18}} -> 200
    save cursor19: json meta.next_cursor
    data[*].participant_id = ["m6"]



=== TEST 38: ... pages of members
--- calls
ann GET /v1/workspaces/{{ws2}}/members?limit=1&cursor={{cursor19}} -> 200
    data[*].participant_id = ["m7"]
ann GET /v1/workspaces/{{ws2}}/members?limit=4 -> 200
    data[*].participant_id = ["ann","bob","m1","m2"]
ann GET /v1/workspaces/{{ws2}}/members?limit=4&cursor={{cursor15}} -> 200
    data[*].participant_id = ["m3","m4","m5","m6"]
ann GET /v1/workspaces/{{ws2}}/members?limit=4&cursor={{cursor19}} -> 200
    data[*].participant_id = ["m7"]
ann GET /v1/workspaces/{{ws2}}/members?limit=8 -> 200
    data[*].participant_id = ["ann","bob","m1","m2","m3","m4","m5","m6"]
ann GET /v1/workspaces/{{ws2}}/members?limit=8&cursor={{cursor19}} -> 200
    data[*].participant_id = ["m7"]
ann GET /v1/workspaces/{{ws2}}/members?limit=9 -> 200
    data[*].participant_id = ["ann","bob","m1","m2","m3","m4","m5","m6","m7"]
ann GET /v1/workspaces/{{ws2}}/members?limit=10 -> 200
    data[*].participant_id = ["ann","bob","m1","m2","m3","m4","m5","m6","m7"]
ann GET /v1/workspaces/{{ws2}}/members?limit=3 -> 200
ann DELETE /v1/workspaces/{{ws2}}/members/m1 -> 200
    data.role null
ann DELETE /v1/workspaces/{{ws2}}/members/m4 -> 200
    data.role null
ann GET /v1/workspaces/{{ws2}}/members?limit=3&cursor={{cursor14}} -> 200
    data[*].participant_id = ["m2","m3","m5"]
ann GET /v1/workspaces/{{ws2}}/members?limit=0 -> 400 SW_VALIDATION_FAILED limit
ann GET /v1/workspaces/{{ws2}}/members?limit=1001 -> 400 SW_VALIDATION_FAILED limit



=== TEST 39: ... pages of members
--- calls
ann GET /v1/workspaces/{{ws2}}/members?cursor=x -> 400 SW_VALIDATION_FAILED cursor
ann GET /v1/workspaces/{{ws2}}/members?cursor={{ws2}} -> 400 SW_VALIDATION_FAILED cursor



=== TEST 40: deleting: not with open rooms, not a personal one
--- calls
bob POST /v1/rooms {"name":"In use","room_type":"group","workspace_id":"{{ws2}}"} -> 201
    save room: json data.id
ann POST /v1/rooms {"name":"Moved","room_type":"group"} -> 201
    save other: json data.id
m2 DELETE /v1/workspaces/{{ws2}} -> 403 SW_WORKSPACE_FORBIDDEN
dan DELETE /v1/workspaces/{{ws2}} -> 404 SW_WORKSPACE_NOT_FOUND
ann DELETE /v1/workspaces/{{ws2}} -> 409 SW_WORKSPACE_IN_USE



=== TEST 41: ... deleting: not with open rooms, not a personal one
--- calls
bob POST /v1/rooms/{{room}}/archive -> 200
ann PUT /v1/rooms/{{other}}/workspace {"workspace_id":"{{ws2}}"} -> 200
ann DELETE /v1/workspaces/{{ws2}} -> 409 SW_WORKSPACE_IN_USE
ann PUT /v1/rooms/{{other}}/workspace {"workspace_id":"{{ws}}"} -> 200
bob POST /v1/rooms/{{room}}/rejoin -> 200
ann DELETE /v1/workspaces/{{ws2}} -> 409 SW_WORKSPACE_IN_USE
bob POST /v1/rooms/{{room}}/close -> 200
--- store
EXISTS sw:{acme}:w:{{ws2}}:rooms = 0
ZRANGE sw:{acme}:w:{{ws}}:rooms 0 -1 ~ {{other}}



=== TEST 42: ... deleting: not with open rooms, not a personal one
--- calls
ann DELETE /v1/workspaces/{{ws}} -> 409 SW_WORKSPACE_PERSONAL
bob DELETE /v1/workspaces/{{ws}} -> 403 SW_WORKSPACE_FORBIDDEN
ann PATCH /v1/workspaces/{{ws}} {"name":"Mine"} -> 200
    data.name = Mine



=== TEST 43: an owner beside its person: that one stays
--- calls
ann POST /v1/workspaces/{{ws}}/members {"participant_id":"bob","role":"owner"} -> 200
bob DELETE /v1/workspaces/{{ws}}/members/ann -> 409 SW_WORKSPACE_PERSONAL
bob PATCH /v1/workspaces/{{ws}}/members/ann {"role":"viewer"} -> 409 SW_WORKSPACE_PERSONAL
ann PATCH /v1/workspaces/{{ws}}/members/bob {"role":"editor"} -> 200
ann POST /v1/rooms {"name":"x","room_type":"group"} -> 201
ann DELETE /v1/workspaces/{{ws2}} -> 200
    data.id = {{ws2}}
    data.role = owner
ann DELETE /v1/workspaces/{{ws2}} -> 404 SW_WORKSPACE_NOT_FOUND
bob GET /v1/workspaces/{{ws2}} -> 404 SW_WORKSPACE_NOT_FOUND
bob POST /v1/rooms {"name":"x","room_type":"group","workspace_id":"{{ws2}}"} -> 404 SW_WORKSPACE_NOT_FOUND
--- store
ZSCORE sw:{acme}:p:ann:workspaces {{ws2}} null
ZSCORE sw:{acme}:p:bob:workspaces {{ws2}} null
ZSCORE sw:{acme}:p:m2:workspaces {{ws2}} null
KEYS sw:{acme}:w:{{ws2}}* =



=== TEST 44: an index that the store's other keys don't bear out: no role, none of one's own, and nobody falls over it
--- init
RoomsTest::redis('HDEL', 'sw:{acme}:w:{{ws6}}:members', 'dan');
--- calls
dan GET /v1/workspaces?limit=5 -> 200
    data[*].id = ["{{ws3}}","{{ws4}}","{{ws5}}","{{ws7}}"]
dan GET /v1/workspaces?limit=5&cursor={{cursor5}} -> 200
    data[*].id = ["{{ws8}}","{{ws9}}","{{ws10}}","{{ws11}}","{{ws12}}"]
dan GET /v1/workspaces?limit=5&cursor={{cursor10}} -> 200
    data[*].id = ["{{ws13}}","{{ws14}}"]
