# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# POST /v1/rooms

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
    save anns: json data.workspace_id
bob POST /v1/auth/register -> 200
    save bobs: json data.workspace_id



=== TEST 2: a whole room
--- calls
ann POST /v1/rooms {"name":" Engineering ","room_type":"group"} -> 201
    save location: header Location
    < Content-Type: application/json
    save updated_at: json data.updated_at
    save position: json data.last_event_position
    save whole_room: json data
    save room: json data.id
    save etag: header ETag
    data # 17
    data.id ~ ^room-[0-9a-z]{26}$
    data.room_alias = "#engineering:rooms.test"
    data.room_type = group
    data.scope_kind null
    data.name = Engineering
    data.topic null
    data.is_public = false
    data.state = open
    data.federated = false
    data.workspace_id = {{anns}}
    data.creator_id = ann
    data.created_at ~ ^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$
    data.members_count = 1
    data.invited_count = 0
    data.last_event_position : number
    data.me # 7
    data.me.membership = join
    data.me.power_level = 100
    data.me.notification_mode = inherit
    data.me.muted_until null
    data.me.last_read_event_id null
    data.me.unread_count = 0
    data.created_at = {{updated_at}}



=== TEST 3: ... a whole room
--- calls
ann GET {{location}} -> 200
    data = {{whole_room}}
ann GET /v1/rooms/{{room}} -> 200
    < ETag: {{etag}}
ann GET /v1/rooms/{{room}}/messages?direction=forward&limit=200 -> 200
    data[*].event_type = ["swp.room.create"]
ann GET /v1/rooms/{{room}}/messages?limit=1 -> 200
    data[0].stream_position = {{position}}
--- verify_room
{{room}}



=== TEST 4: types
--- calls
ann POST /v1/rooms {"name":"P","room_type":"public"} -> 201
    data.room_type = public
    data.is_public = true
    data.scope_kind null
ann POST /v1/rooms {"is_public":true,"name":"P","room_type":"public"} -> 201
    data.is_public = true
ann POST /v1/rooms {"is_public":true,"name":"G","room_type":"group"} -> 201
    data.is_public = true
    data.room_type = group
ann POST /v1/rooms {"is_public":false,"name":"G","room_type":"group"} -> 201
    data.is_public = false
ann POST /v1/rooms {"room_type":"incognito"} -> 201
    data.scope_kind = incognito
    data.is_public = false
    data.name null
    data.room_alias null
ann POST /v1/rooms {"name":"Secret","room_type":"incognito","scope_kind":"incognito"} -> 201
    data.scope_kind = incognito
    data.name = Secret
    data.room_alias null
ann POST /v1/rooms {"name":"Many","room_type":"group","scope_kind":"incognito"} -> 201
    data.scope_kind = incognito
    data.room_type = group
    data.room_alias null
ann POST /v1/rooms {"close_on_leave":false,"room_type":"incognito"} -> 201
ann POST /v1/rooms {"close_on_leave":null,"is_public":null,"name":"G","room_type":"group","scope_kind":null,"topic":"T","workspace_id":null} -> 201
    data.topic = T
    data.scope_kind null
ann POST /v1/rooms {"creator_id":"bob","federated":true,"id":"room-x","name":"G","room_type":"group","state":"closed","unknown":[1]} -> 201
    data.unknown !



=== TEST 5: type invariants
--- calls
ann POST /v1/rooms {<"is_public":false,"name":"P","room_type":"public"|"name":"P","room_type":"public","scope_kind":"incognito">} -> 400 SW_ROOM_TYPE_INVARIANT
ann POST /v1/rooms {"is_public":true,<"room_type":"incognito"|"name":"G","room_type":"group","scope_kind":"incognito">} -> 400 SW_ROOM_TYPE_INVARIANT
ann POST /v1/rooms {<"name":"D","room_type":"dm"|"room_type":"dm"|"name":"S","room_type":"sidekick"|"name":"B","room_type":"bridge">} -> 400 SW_ROOM_TYPE_INVARIANT



=== TEST 6: what is not valid, by its field
--- calls
ann POST /v1/rooms {<|"name":"x"|"name":"x","room_type":null|"name":"x","room_type":"GROUP"|"name":"x","room_type":"">} -> 400 SW_VALIDATION_FAILED room_type
ann POST /v1/rooms {<"name":"x","room_type":1|"name":"x","room_type":["group"]|"room_type":"group","name":"x","room_type":"group">} -> 400 SW_VALIDATION_FAILED room_type
ann POST /v1/rooms {<"room_type":"group"|"room_type":"public"|"name":null,"room_type":"group"|"name":"","room_type":"group">} -> 400 SW_VALIDATION_FAILED name
ann POST /v1/rooms {"name":<" {{\xe2\x80\x83}} "|"{{x*129}}"|"a\u0001b"|"ab"|12>,"room_type":"group"} -> 400 SW_VALIDATION_FAILED name
ann POST /v1/rooms {<"name":"","room_type":"incognito"|"name":"{{x*129}}","room_type":"incognito"|"room_type":"group","name":"a\u0000b">} -> 400 SW_VALIDATION_FAILED name
ann POST /v1/rooms {"name":"x","room_type":"group","topic":<"{{x*1025}}"|{}>} -> 400 SW_VALIDATION_FAILED topic
ann POST /v1/rooms {"is_public":<1|"true">,"name":"x","room_type":"group"} -> 400 SW_VALIDATION_FAILED is_public
ann POST /v1/rooms {"name":"x","room_type":"group","scope_kind":<"public"|""|false>} -> 400 SW_VALIDATION_FAILED scope_kind
ann POST /v1/rooms {"name":"x","room_type":"group","workspace_id":7} -> 400 SW_VALIDATION_FAILED workspace_id
ann POST /v1/rooms {"close_on_leave":0,"room_type":"incognito"} -> 400 SW_VALIDATION_FAILED close_on_leave
ann POST /v1/rooms {"room_type":"group","name":<"a{{\xff}}b"|"{{\xed\xa0\x80}}">} -> 400 SW_VALIDATION_FAILED name
ann POST /v1/rooms ["group"] -> 400 SW_VALIDATION_FAILED body
ann POST /v1/rooms "group" -> 400 SW_VALIDATION_FAILED body
ann POST /v1/rooms null -> 400 SW_VALIDATION_FAILED body
ann POST /v1/rooms -> 400 SW_VALIDATION_FAILED body
ann POST /v1/rooms {<{\x20}|"room_type":"group","name":"x"}|"room_type":"group","name":"x"} {>} -> 400 SW_VALIDATION_FAILED body
ann POST /v1/rooms room_type=group&name=x -> 400 SW_VALIDATION_FAILED body



=== TEST 7: what isn't there yet, and would mislead if it were ignored
--- calls
ann POST /v1/rooms {"name":"Refused","room_type":"group","visibility":<"restricted"|"public"|""|5|true|{}>} -> 400 SW_VALIDATION_FAILED visibility
ann POST /v1/rooms {"name":"Refused","room_type":"public","visibility":<"restricted"|"private">} -> 400 SW_VALIDATION_FAILED visibility
ann POST /v1/rooms {"name":"Refused","room_type":"group","is_public":true,"visibility":"private"} -> 400 SW_VALIDATION_FAILED visibility
ann POST /v1/rooms {<"name":"As it is","room_type":"group","visibility":"private"|"name":"As it is","room_type":"public","visibility":"public"|"name":"As it is","room_type":"group","is_public":true,"visibility":"public">} -> 201
ann POST /v1/rooms {"name":"Refused","read_role_slugs":[<"x"|>],"room_type":"group"} -> 400 SW_VALIDATION_FAILED read_role_slugs
ann POST /v1/rooms {"name":"Refused","permissions":{<"send":50|>},"room_type":"group"} -> 400 SW_VALIDATION_FAILED permissions
ann POST /v1/rooms {"name":"Nulls","permissions":null,"read_role_slugs":null,"room_type":"group","visibility":null} -> 201
ann POST /v1/rooms -> 400
    error.code = SW_VALIDATION_FAILED
ann POST /v1/rooms {"name":"<{{x*128}}","room_type":"group","topic":"{{x*1024}}|{{😀*128}}","room_type":"group","topic":"{{😀*1024}}>"} -> 201
ann POST /v1/rooms {"name":"x","room_type":"group","topic":""} -> 201
    data.topic ~ ^$



=== TEST 8: JSON whatever Content-Type says
--- calls
ann POST /v1/rooms {"room_type":"group","name":"Form"} -> 201
    > Content-Type: application/x-www-form-urlencoded
ann POST /v1/rooms {"room_type":"group","name":"Text"} -> 201
    > Content-Type: text/plain; charset=latin1



=== TEST 9: a body of 128 KiB, and one byte more
--- calls
ann POST /v1/rooms {"room_type":"group","name":"Long","x":"{{x*131030}}"} -> 201
ann POST /v1/rooms {"room_type":"group","name":"Long","x":"{{x*131031}}"} -> 413 SW_PAYLOAD_TOO_LARGE
ann POST /v1/rooms 20000{{\x0d\x0a}}{"room_type":"group","name":"Long","x":"{{x*131030}}"}{{\x0d\x0a}}0{{\x0d\x0a\x0d\x0a}} -> 201
    > Transfer-Encoding: chunked
ann POST /v1/rooms 20000{{\x0d\x0a}}{"room_type":"group","name":"Long","x":"{{x*131030}}"}{{\x0d\x0a}}1000{{\x0d\x0a}}{{ *4096}}{{\x0d\x0a}}0{{\x0d\x0a\x0d\x0a}} -> 413 SW_PAYLOAD_TOO_LARGE
    > Transfer-Encoding: chunked



=== TEST 10: names, in NFC, of something that can be seen
--- calls
ann POST /v1/rooms {"name":"e{{\xcc\x81}}","room_type":"group"} -> 201
    save composed: json data.id
    data.name = é
ann POST /v1/rooms {"name":"{{\xe3\x80\x80}}a{{\xc2\xa0}}","room_type":"group"} -> 201
    save trimmed: json data.id
    data.name = a
ann POST /v1/rooms {"name":"e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}e{{\xcc\x81}}","room_type":"group"} -> 201
    save longest: json data.id
    data.name = {{é*128}}
ann POST /v1/rooms {"name":"🎉","room_type":"group"} -> 201
    save emoji: json data.id
    data.name = 🎉



=== TEST 11: ... names, in NFC, of something that can be seen
--- calls
ann GET /v1/rooms/{{composed}} -> 200
    data.name = é
ann GET /v1/rooms/{{trimmed}} -> 200
    data.name = a
ann GET /v1/rooms/{{longest}} -> 200
    data.name = {{é*128}}
ann GET /v1/rooms/{{emoji}} -> 200
    data.name = 🎉
ann POST /v1/rooms {"name":"Engineering","room_type":"group"} -> 201
    save renamed: json data.id
ann POST /v1/rooms {"name":"{{\xe2\x80\x8b}}","room_type":<"group"|"incognito">} -> 400 SW_VALIDATION_FAILED name



=== TEST 12: ... names, in NFC, of something that can be seen
--- calls
ann PUT /v1/rooms/{{renamed}}/name {"name":"<{{\xe2\x80\x8b}}|{{\xe3\x85\xa4}}|{{\xe2\xa0\x80}}|{{\xcc\x81}}|{{क़*128}}>"} -> 400 SW_VALIDATION_FAILED name
ann POST /v1/workspaces {"name":<"{{\xe2\x80\x8b}}"|"{{\xe3\x85\xa4}}"|"{{\xe2\xa0\x80}}"|"{{\xcc\x81}}"|"a{{\xe2\x80\xae}}b">} -> 400 SW_VALIDATION_FAILED name
ann POST /v1/rooms {"name":<"{{\xe3\x85\xa4}}"|"{{\xe2\xa0\x80}}"|"{{\xcc\x81}}"|"a{{\xe2\x80\xae}}b">,"room_type":<"group"|"incognito">} -> 400 SW_VALIDATION_FAILED name
ann PUT /v1/rooms/{{renamed}}/name {"name":"a<{{\xe2\x80\xae}}|{{\xe2\x81\xa6}}>b"} -> 400 SW_VALIDATION_FAILED name
ann POST /v1/rooms {"name":"a{{\xe2\x81\xa6}}b","room_type":<"group"|"incognito">} -> 400 SW_VALIDATION_FAILED name
ann POST /v1/workspaces {"name":<"a{{\xe2\x81\xa6}}b"|"{{क़*128}}">} -> 400 SW_VALIDATION_FAILED name
ann POST /v1/rooms {"name":"{{क़*128}}","room_type":<"group"|"incognito">} -> 400 SW_VALIDATION_FAILED name
ann PUT /v1/rooms/{{renamed}}/name {"name":" u{{\xcc\x88}} "} -> 200
    data.name = "ü"



=== TEST 13: aliases: unique in the tenant, numbered, freed by closing
--- calls
ann@aliases,bob@aliases POST /v1/auth/register -> 200
ann@aliases POST /v1/rooms {"name":"Sales & Co.","room_type":"group"} -> 201
    save sales1: json data.id
    data.room_alias = #sales-co:rooms.test
bob@aliases POST /v1/rooms {"name":"Sales & Co.","room_type":"group"} -> 201
    save sales2: json data.id
    data.room_alias = #sales-co-2:rooms.test
ann@aliases POST /v1/rooms {"name":"Sales & Co.","room_type":"group"} -> 201
    save sales3: json data.id
    data.room_alias = #sales-co-3:rooms.test
bob@aliases POST /v1/rooms {"name":"Sales & Co.","room_type":"group"} -> 201
    save sales4: json data.id
    save alias4: "room_alias":"#([^"]*)"
    data.room_alias ~ ^#sales-co-\d+:rooms\.test$
ann@aliases POST /v1/rooms {"name":"Sales & Co.","room_type":"group"} -> 201
    save sales5: json data.id
    save alias5: "room_alias":"#([^"]*)"
    data.room_alias ~ ^#sales-co-\d+:rooms\.test$
    data.room_alias != #{{alias4}}
bob@aliases POST /v1/rooms {"name":"Sales & Co.","room_type":"group"} -> 201
    save sales6: json data.id
    save alias6: "room_alias":"#([^"]*)"
    data.room_alias ~ ^#sales-co-\d+:rooms\.test$
    data.room_alias != #{{alias4}}
    data.room_alias != #{{alias5}}
ann@aliases GET /v1/rooms/%23sales-co:rooms.test -> 200
    data.id = {{sales1}}
bob@aliases GET /v1/rooms/%23sales-co-2:rooms.test -> 200
    data.id = {{sales2}}
ann@aliases GET /v1/rooms/%23sales-co-3:rooms.test -> 200
    data.id = {{sales3}}



=== TEST 14: ... and found, whatever their number
--- calls
bob@aliases GET /v1/rooms/%23{{alias4}} -> 200
    data.id = {{sales4}}
ann@aliases GET /v1/rooms/%23{{alias5}} -> 200
    data.id = {{sales5}}
bob@aliases GET /v1/rooms/%23{{alias6}} -> 200
    data.id = {{sales6}}



=== TEST 15: ... aliases: unique in the tenant, numbered, freed by closing
--- calls
ann@aliases POST /v1/rooms/{{sales1}}/close -> 200
ann@aliases POST /v1/rooms {"name":"sales co","room_type":"group"} -> 201
    data.room_alias = #sales-co:rooms.test
ann@aliases POST /v1/rooms {"name":"!?","room_type":"group"} -> 201
    data.room_alias = #room:rooms.test



=== TEST 16: in every script; and found by what it is, in either form of Unicode
--- calls
ann@aliases POST /v1/rooms {"name":"Über uns","room_type":"group"} -> 201
    save german: json data.id
    data.room_alias = #uber-uns:rooms.test
ann@aliases GET /v1/rooms/%23%75%62%65%72%2d%75%6e%73 -> 200
    data.id = {{german}}
ann@aliases GET /v1/rooms/%23%75%62%65%72%2d%75%6e%73 -> 200
    data.id = {{german}}



=== TEST 17: ... in every script; and found by what it is, in either form of Unicode
--- calls
ann@aliases POST /v1/rooms/{{german}}/archive -> 200
ann@aliases GET /v1/rooms/%23%75%62%65%72%2d%75%6e%73%3a%72%6f%6f%6d%73%2e%74%65%73%74 -> 200
    data.state = archived
ann@aliases POST /v1/rooms/{{german}}/close -> 200
ann@aliases GET /v1/rooms/%23%75%62%65%72%2d%75%6e%73 -> 404 SW_ROOM_NOT_FOUND
ann@aliases POST /v1/rooms {"name":"uber uns","room_type":"group"} -> 201
ann@aliases POST /v1/rooms {"name":"U{{\xcc\x88}}ber uns","room_type":"group"} -> 201
    save decomposed: json data.id
    data.room_alias = #uber-uns-2:rooms.test
ann@aliases GET /v1/rooms/%23%75%62%65%72%2d%75%6e%73%2d%32 -> 200
    data.id = {{decomposed}}
ann@aliases GET /v1/rooms/%23%75%62%65%72%2d%75%6e%73%2d%32 -> 200
    data.id = {{decomposed}}



=== TEST 18: ... in every script; and found by what it is, in either form of Unicode
--- calls
ann@aliases POST /v1/rooms/{{decomposed}}/archive -> 200
ann@aliases GET /v1/rooms/%23%75%62%65%72%2d%75%6e%73%2d%32%3a%72%6f%6f%6d%73%2e%74%65%73%74 -> 200
    data.state = archived
ann@aliases POST /v1/rooms/{{decomposed}}/close -> 200
ann@aliases GET /v1/rooms/%23%75%62%65%72%2d%75%6e%73%2d%32 -> 404 SW_ROOM_NOT_FOUND
ann@aliases POST /v1/rooms {"name":"中文频道","room_type":"group"} -> 201
    save chinese: json data.id
    data.room_alias = #中文频道:rooms.test
ann@aliases GET /v1/rooms/%23%e4%b8%ad%e6%96%87%e9%a2%91%e9%81%93 -> 200
    data.id = {{chinese}}
ann@aliases GET /v1/rooms/%23%e4%b8%ad%e6%96%87%e9%a2%91%e9%81%93 -> 200
    data.id = {{chinese}}



=== TEST 19: ... in every script; and found by what it is, in either form of Unicode
--- calls
ann@aliases POST /v1/rooms/{{chinese}}/archive -> 200
ann@aliases GET /v1/rooms/%23%e4%b8%ad%e6%96%87%e9%a2%91%e9%81%93%3a%72%6f%6f%6d%73%2e%74%65%73%74 -> 200
    data.state = archived
ann@aliases POST /v1/rooms/{{chinese}}/close -> 200
ann@aliases GET /v1/rooms/%23%e4%b8%ad%e6%96%87%e9%a2%91%e9%81%93 -> 404 SW_ROOM_NOT_FOUND
ann@aliases POST /v1/rooms {"name":"Общий","room_type":"group"} -> 201
    save russian: json data.id
    data.room_alias = #общий:rooms.test
ann@aliases GET /v1/rooms/<%23%d0%be%d0%b1%d1%89%d0%b8%d0%b9|%23%d0%be%d0%b1%d1%89%d0%b8%d0%b8%cc%86> -> 200
    data.id = {{russian}}



=== TEST 20: ... in every script; and found by what it is, in either form of Unicode
--- calls
ann@aliases POST /v1/rooms/{{russian}}/archive -> 200
ann@aliases GET /v1/rooms/%23%d0%be%d0%b1%d1%89%d0%b8%d0%b9%3a%72%6f%6f%6d%73%2e%74%65%73%74 -> 200
    data.state = archived
ann@aliases POST /v1/rooms/{{russian}}/close -> 200
ann@aliases GET /v1/rooms/%23%d0%be%d0%b1%d1%89%d0%b8%d0%b9 -> 404 SW_ROOM_NOT_FOUND
ann@aliases POST /v1/rooms {"name":"ท{{\xe0\xb8\xb5}}{{\xe0\xb9\x88}}","room_type":"group"} -> 201
    save thai: json data.id
    data.room_alias = #ที่:rooms.test
ann@aliases GET /v1/rooms/%23%e0%b8%97%e0%b8%b5%e0%b9%88 -> 200
    data.id = {{thai}}
ann@aliases GET /v1/rooms/%23%e0%b8%97%e0%b8%b5%e0%b9%88 -> 200
    data.id = {{thai}}



=== TEST 21: ... in every script; and found by what it is, in either form of Unicode
--- calls
ann@aliases POST /v1/rooms/{{thai}}/archive -> 200
ann@aliases GET /v1/rooms/%23%e0%b8%97%e0%b8%b5%e0%b9%88%3a%72%6f%6f%6d%73%2e%74%65%73%74 -> 200
    data.state = archived
ann@aliases POST /v1/rooms/{{thai}}/close -> 200
ann@aliases GET /v1/rooms/%23%e0%b8%97%e0%b8%b5%e0%b9%88 -> 404 SW_ROOM_NOT_FOUND



=== TEST 22: a long one
--- calls
ann@aliases POST /v1/rooms {"name":"{{x*128}}","room_type":"group"} -> 201
    data.room_alias ~ ^#x{1,64}:rooms\.test$



=== TEST 23: another tenant has its own names
--- calls
ann@elsewhere POST /v1/rooms {"name":"Sales Co","room_type":"group"} -> 201
    data.room_alias = #sales-co:rooms.test



=== TEST 24: workspaces
--- calls
ann POST /v1/workspaces {"name":"W"} -> 201
    save shared: json data.id



=== TEST 25: ... workspaces
--- calls
ann POST /v1/rooms {"name":"x","room_type":"group","workspace_id":"{{shared}}"} -> 201
    data.workspace_id = {{shared}}
bob POST /v1/rooms {"name":"x","room_type":"group"} -> 201
    data.workspace_id = {{bobs}}
bob POST /v1/rooms {"name":"x","room_type":"group","workspace_id":"{{shared}}"} -> 404 SW_WORKSPACE_NOT_FOUND
bob! POST /v1/rooms {"name":"x","room_type":"group","workspace_id":"{{anns}}"} -> 404 SW_WORKSPACE_NOT_FOUND
ann POST /v1/workspaces/{{shared}}/members {"participant_id":"bob","role":"viewer"} -> 200
bob POST /v1/rooms {"name":"x","room_type":"group","workspace_id":"{{shared}}"} -> 403 SW_WORKSPACE_FORBIDDEN
ann POST /v1/workspaces/{{shared}}/members {"participant_id":"bob","role":"editor"} -> 200
bob POST /v1/rooms {"name":"x","room_type":"group","workspace_id":"{{shared}}"} -> 201
    data.workspace_id = {{shared}}
ann POST /v1/rooms {"name":"x","room_type":"group","workspace_id":<"ws-00000000000000000000000000"|"x"|""|"{{shared}}:members">} -> 404 SW_WORKSPACE_NOT_FOUND
ann@other POST /v1/rooms {"name":"x","room_type":"group","workspace_id":"{{shared}}"} -> 404 SW_WORKSPACE_NOT_FOUND



=== TEST 26: max_rooms: closed rooms don't count, archived ones do
--- calls
ann@small,bob@small,cy@small POST /v1/auth/register -> 200



=== TEST 27: ... max_rooms: closed rooms don't count, archived ones do
--- init
RoomsTest::redis('HSET', 'sw:{small}:tenant', 'max_rooms', '3');
--- calls
ann@small POST /v1/rooms {"name":"Engineering","room_type":"group"} -> 201
    save one: json data.id
ann@small POST /v1/rooms {"name":"Engineering","room_type":"group"} -> 201
ann@small POST /v1/rooms/dm {"participant_id":"bob"} -> 201
    save dm: json data.id
ann@small POST /v1/rooms {"name":"x","room_type":"group"} -> 409 SW_TENANT_CAPACITY
ann@small POST /v1/rooms/dm {"participant_id":"cy"} -> 409 SW_TENANT_CAPACITY
bob@small POST /v1/rooms/dm {"participant_id":"ann"} -> 200
    data.id = {{dm}}



=== TEST 28: ... max_rooms: closed rooms don't count, archived ones do
--- calls
ann@small POST /v1/rooms/{{one}}/archive -> 200
ann@small POST /v1/rooms {"name":"x","room_type":"group"} -> 409 SW_TENANT_CAPACITY
ann@small POST /v1/rooms/{{one}}/close -> 200
ann@small POST /v1/rooms/{{one}}/close -> 200
ann@small POST /v1/rooms {"name":"x","room_type":"group"} -> 201
ann@small POST /v1/rooms {"name":"x","room_type":"group"} -> 409 SW_TENANT_CAPACITY
bob@small POST /v1/rooms/{{dm}}/close -> 200
ann@small POST /v1/rooms/dm {"participant_id":"bob"} -> 201
ann@small POST /v1/rooms {"name":"x","room_type":"group"} -> 409 SW_TENANT_CAPACITY



=== TEST 29: the body and the type are looked at before the seats
--- calls
ann@small POST /v1/rooms {"room_type":"group"} -> 400 SW_VALIDATION_FAILED name
ann@small POST /v1/rooms {"room_type":"dm"} -> 400 SW_ROOM_TYPE_INVARIANT
--- store
HGET sw:{small}:tenant rooms = 3



=== TEST 30: incognito rooms have events that are not indexed
--- calls
ann POST /v1/rooms {"room_type":"incognito"} -> 201
    save secret: json data.id



=== TEST 31: ... incognito rooms have events that are not indexed
--- calls
ann GET /v1/rooms/{{secret}}/messages?direction=forward&limit=200 -> 200
    data[*].do_not_index = [true]



=== TEST 32: the directive's default
--- config
        rooms on;
        rooms_auth mock;
        rooms_server_name rooms.test;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_max_rooms 1;
--- calls
ann@directive POST /v1/rooms {"name":"Engineering","room_type":"group"} -> 201
ann@directive POST /v1/rooms {"name":"x","room_type":"group"} -> 409 SW_TENANT_CAPACITY



=== TEST 33: ... the directive's default
--- config
        rooms on;
        rooms_auth mock;
        rooms_server_name rooms.test;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_max_rooms 1;
--- init
RoomsTest::redis('HSET', 'sw:{directive}:tenant', 'max_rooms', '2');
--- calls
ann@directive POST /v1/rooms {"name":"x","room_type":"group"} -> 201
ann@directive POST /v1/rooms {"name":"x","room_type":"group"} -> 409 SW_TENANT_CAPACITY
