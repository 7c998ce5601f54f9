# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# GET /v1/directory/rooms and GET /v1/rooms/archived.  Rooms are listed by
# their ids, which are in the order of time to the millisecond: where the order
# is looked at, something is read between two that are made.

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

# The ids of rooms that were saved under these names, as a JSON array.
sub ids { return '["' . join('","', map { "{{$_}}" } @_) . '"]' }

# The rooms r1 to r25, from the newest on, but for some.
our @all = map { "r$_" } reverse 1 .. 25;

sub all_but {
    my %left_out = map { $_ => 1 } @_;

    return grep { !$left_out{$_} } @all;
}

# Many rooms of one participant: every 50th is rare.
sub many_rooms {
    my @body = map { '{"room_type":"group","name":"'
                     . ($_ % 50 ? 'Common' : 'Rare') . '"}' } @_;

    return map { "POST /v1/rooms\n$_" } @body;
}

no_shuffle();
run_tests();

__DATA__

=== TEST 1: nobody is in a room yet
--- calls
ann,bob,cy,dan POST /v1/auth/register -> 200
ann GET /v1/directory/rooms -> 200
    data # 0
    meta.has_more = false
    meta.next_cursor null



=== TEST 2: rooms of each kind, and one to which ann is invited; the newest is the first
--- calls
ann POST /v1/rooms {"room_type":"group","name":"Mine"} -> 201
    save mine: json data.id
ann GET /v1/directory/rooms -> 200
    data[0].id = {{mine}}
ann POST /v1/rooms {"room_type":"group","name":"Open house","is_public":true} -> 201
    save open: json data.id
ann GET /v1/directory/rooms -> 200
    data[0].id = {{open}}
ann POST /v1/rooms {"room_type":"public","name":"Town square","topic":"All things Einkauf"} -> 201
    save town: json data.id
ann GET /v1/directory/rooms -> 200
    data[0].id = {{town}}
ann POST /v1/rooms {"room_type":"incognito","name":"Dark"} -> 201
    save dark: json data.id
ann GET /v1/directory/rooms -> 200
    data[0].id = {{dark}}
ann POST /v1/rooms/dm {"participant_id":"bob"} -> 201
    save dm: json data.id
ann GET /v1/directory/rooms -> 200
    data[0].id = {{dm}}
bob POST /v1/rooms {"room_type":"group","name":"Asked"} -> 201
    save asked: json data.id



=== TEST 3: who sees what, from the newest on
--- calls
bob POST /v1/rooms/{{asked}}/invite {"participant_id":"ann"} -> 200
ann GET /v1/directory/rooms -> 200
    data[*].id = ["{{asked}}","{{dm}}","{{dark}}","{{town}}","{{open}}","{{mine}}"]
bob GET /v1/directory/rooms -> 200
    data[*].id = ["{{asked}}","{{dm}}","{{town}}","{{open}}"]
cy,cy! GET /v1/directory/rooms -> 200
    data[*].id = ["{{town}}","{{open}}"]
cy@other GET /v1/directory/rooms -> 200
    data # 0



=== TEST 4: a row is the room as its viewer reads it by id
--- calls
ann GET /v1/rooms/{{asked}} -> 200
    save invited_room: json data
ann GET /v1/rooms/{{dm}} -> 200
    save dm_of_ann: json data
ann GET /v1/directory/rooms?limit=2 -> 200
    data[0] = {{invited_room}}
    data[1] = {{dm_of_ann}}
    data[1].name = bob
bob GET /v1/directory/rooms -> 200
    data[1].name = ann
cy GET /v1/directory/rooms -> 200
    data[0].me null



=== TEST 5: by type and by membership
--- calls
ann GET /v1/directory/rooms?room_type=group -> 200
    data[*].id = ["{{asked}}","{{open}}","{{mine}}"]
ann GET /v1/directory/rooms?room_type=public -> 200
    data[*].id = ["{{town}}"]
ann GET /v1/directory/rooms?room_type=incognito -> 200
    data[*].id = ["{{dark}}"]
ann GET /v1/directory/rooms?room_type=dm -> 200
    data[*].id = ["{{dm}}"]
ann GET /v1/directory/rooms?room_type=bridge -> 200
    data # 0
ann GET /v1/directory/rooms?membership=join -> 200
    data[*].id = ["{{dm}}","{{dark}}","{{town}}","{{open}}","{{mine}}"]
ann GET /v1/directory/rooms?membership=invite -> 200
    data[*].id = ["{{asked}}"]
cy GET /v1/directory/rooms?membership=join -> 200
    data # 0
bob GET /v1/directory/rooms?membership=join&room_type=group -> 200
    data[*].id = ["{{asked}}"]



=== TEST 6: q: every word begins a word of the name, the topic or the alias, in any order
--- calls
ann GET /v1/directory/rooms?q=<SQUARE|einkauf|ein|squ+all+einkauf> -> 200
    data[*].id = ["{{town}}"]
ann GET /v1/directory/rooms?q=<open+HOUSE|open%20house|open-house> -> 200
    data[*].id = ["{{open}}"]
ann GET /v1/directory/rooms?q=<|%2b> -> 200
    data[*].id = ["{{asked}}","{{dm}}","{{dark}}","{{town}}","{{open}}","{{mine}}"]
ann GET /v1/directory/rooms?q=<nothing-of-it|quare|square+dark> -> 200
    data # 0



=== TEST 7: q finds no room that isn't seen, and a DM by its other side
--- calls
cy GET /v1/directory/rooms?q=<mine|dark> -> 200
    data # 0
ann GET /v1/directory/rooms?q=Bob -> 200
    data[*].id = ["{{dm}}"]
bob GET /v1/directory/rooms?q=bob -> 200
    data # 0
bob GET /v1/directory/rooms?q=aNN -> 200
    data[*].id = ["{{dm}}"]



=== TEST 8: a workspace of ann's
--- calls
ann POST /v1/workspaces {"name":"W"} -> 201
    save workspace: json data.id
ann POST /v1/auth/register -> 200
    save personal: json data.workspace_id



=== TEST 9: by workspace
--- calls
ann POST /v1/rooms {"room_type":"group","name":"There","workspace_id":"{{workspace}}"} -> 201
    save there: json data.id
ann GET /v1/directory/rooms?workspace_id={{workspace}} -> 200
    data[*].id = ["{{there}}"]
ann GET /v1/directory/rooms?workspace_id={{personal}} -> 200
    data[*].id = ["{{dark}}","{{town}}","{{open}}","{{mine}}"]
cy GET /v1/directory/rooms?workspace_id={{personal}} -> 200
    data[*].id = ["{{town}}","{{open}}"]
ann GET /v1/directory/rooms?workspace_id=ws-nonsense -> 200
    data # 0
ann GET /v1/directory/rooms?workspace_id={{workspace}}&room_type=public -> 200
    data # 0



=== TEST 10: rooms with names in other scripts
--- calls
ann@scripts,bob@scripts POST /v1/auth/register -> 200
ann@scripts POST /v1/rooms {"room_type":"group","name":"Общий чат"} -> 201
    save russian: json data.id
ann@scripts POST /v1/rooms {"room_type":"group","name":"Schöne Straße"} -> 201
    save german: json data.id
ann@scripts POST /v1/rooms {"room_type":"group","name":"E{{\xcc\x81}}tude"} -> 201
    save decomposed: json data.id
ann@scripts POST /v1/rooms {"room_type":"group","name":"İstanbul"} -> 201
    save turkish: json data.id
ann@scripts POST /v1/rooms {"room_type":"group","name":"ΟΔΟΣ"} -> 201
    save greek: json data.id
ann@scripts POST /v1/rooms {"room_type":"group","name":"中文频道"} -> 201
    save chinese: json data.id
ann@scripts POST /v1/rooms {"room_type":"group","name":"ＦＵＬＬ"} -> 201
    save wide: json data.id
ann@scripts POST /v1/rooms {"room_type":"group","name":"Łódź"} -> 201
    save polish: json data.id



=== TEST 11: q, whatever the case, the accents and the form of Unicode
--- calls
ann@scripts GET /v1/directory/rooms?q=<%D0%BE%D0%B1%D1%89%D0%B8%D0%B9|%D0%A7%D0%90%D0%A2%20%D0%9E%D0%91> -> 200
    data[*].id = ["{{russian}}"]
ann@scripts GET /v1/directory/rooms?q=<SCH%C3%96NE|scho%CC%88ne|STRASSE|schone%20stra> -> 200
    data[*].id = ["{{german}}"]
ann@scripts GET /v1/directory/rooms?q=<%C3%A9tude|ETUDE|e%CC%81tu> -> 200
    data[*].id = ["{{decomposed}}"]
ann@scripts GET /v1/directory/rooms?q=<istanbul|ISTANBUL|%C4%B1stanbul|%C4%B0ST> -> 200
    data[*].id = ["{{turkish}}"]
ann@scripts GET /v1/directory/rooms?q=<%CE%BF%CE%B4%CE%BF%CF%82|%CE%BF%CE%B4%CE%BF%CF%83> -> 200
    data[*].id = ["{{greek}}"]
ann@scripts GET /v1/directory/rooms?q=<%E4%B8%AD%E6%96%87|%E9%A2%91%E9%81%93> -> 200
    data[*].id = ["{{chinese}}"]
ann@scripts GET /v1/directory/rooms?q=<full|%EF%BD%86%EF%BC%B5> -> 200
    data[*].id = ["{{wide}}"]
ann@scripts GET /v1/directory/rooms?q=<lodz|%C5%82%C3%B3DZ> -> 200
    data[*].id = ["{{polish}}"]
ann@scripts GET /v1/directory/rooms?q=%C3%BC -> 200
    data # 0



=== TEST 12: q follows the topic, however long its letters become
--- calls
ann@scripts PUT /v1/rooms/{{wide}}/topic {"topic":"Lunch café {{ﷺ *500}}"} -> 200
ann@scripts GET /v1/directory/rooms?q=CAFE -> 200
    data[*].id = ["{{wide}}"]
ann@scripts PUT /v1/rooms/{{wide}}/topic {"topic":null} -> 200
ann@scripts GET /v1/directory/rooms?q=cafe -> 200
    data # 0



=== TEST 13: count=true gives the total, of all pages
--- calls
ann@scripts GET /v1/directory/rooms?count=true&limit=2 -> 200
    data # 2
    meta.total = 8
    meta.has_more = true
ann@scripts GET /v1/directory/rooms?count=true -> 200
    data # 8
    meta.total = 8
    meta.has_more = false
ann@scripts GET /v1/directory/rooms?count=false -> 200
    data # 8
    meta # 2
bob@scripts GET /v1/directory/rooms?count=true -> 200
    data # 0
    meta.total = 0
ann@scripts GET /v1/directory/rooms?count=true&q=istanbul -> 200
    data # 1
    meta.total = 1
ann@scripts GET /v1/directory/rooms?count=true&offset=7&limit=5 -> 200
    data # 1
    meta.total = 8



=== TEST 14: the rooms behind a cursor, and in what order
--- calls
ann@scripts GET /v1/directory/rooms?limit=3 -> 200
    save cursor: json meta.next_cursor
ann@scripts GET /v1/directory/rooms?limit=200 -> 200
    save order: json data[*].id
    save fourth: json data[3].id
    save fifth: json data[4].id
    save sixth: json data[5].id



=== TEST 15: a page behind a cursor has the total of all
--- calls
ann@scripts GET /v1/directory/rooms?limit=3&count=true&cursor={{cursor}} -> 200
    data[*].id = ["{{fourth}}","{{fifth}}","{{sixth}}"]
    meta.total = 8
--- pages
ann@scripts /v1/directory/rooms?count=true&limit=3 $[*].id = {{order}}



=== TEST 16: two rooms of which bob is a member
--- calls
ann POST /v1/rooms {"room_type":"group","name":"Two reads"} -> 201
    save gone: json data.id
ann POST /v1/rooms {"room_type":"group","name":"Two reads"} -> 201
    save banned: json data.id



=== TEST 17: ... who joins them
--- calls
ann POST /v1/rooms/<{{gone}}|{{banned}}>/invite {"participant_id":"bob"} -> 200
bob POST /v1/rooms/<{{gone}}|{{banned}}>/join -> 200
bob GET /v1/directory/rooms?q=reads -> 200
    data # 2



=== TEST 18: who is removed between the two reads: the list of rooms still has them
--- init
RoomsTest::redis('HDEL', 'sw:{acme}:r:{{gone}}:members', 'bob');
RoomsTest::redis('HSET', 'sw:{acme}:r:{{banned}}:members', 'bob', 'ban 0 0 0');
--- calls
bob GET /v1/directory/rooms?q=reads -> 200
    data # 0
ann GET /v1/directory/rooms?q=reads -> 200
    data # 2
    data[id={{gone}}] ?
    data[id={{banned}}] ?
ann POST /v1/rooms/<{{gone}}|{{banned}}>/archive -> 200
bob GET /v1/rooms/archived?limit=200 -> 200
    data[id={{gone}}] !
    data[id={{banned}}] !
ann POST /v1/rooms/<{{gone}}|{{banned}}>/close -> 200
--- store
ZRANGE sw:{acme}:p:bob:rooms 0 -1 ~ {{gone}}
ZRANGE sw:{acme}:p:bob:rooms 0 -1 ~ {{banned}}



=== TEST 19: arguments that are not valid
--- calls
ann GET /v1/directory/rooms?limit=<0|201|-1|x|1.5|99999999999999999999> -> 400 SW_VALIDATION_FAILED limit
ann GET /v1/directory/rooms?offset=<-1|10001|x> -> 400 SW_VALIDATION_FAILED offset
ann GET /v1/directory/rooms?room_type=x -> 400 SW_VALIDATION_FAILED room_type
ann GET /v1/directory/rooms?membership=<leave|ban|x> -> 400 SW_VALIDATION_FAILED membership
ann GET /v1/directory/rooms?count=<x|1> -> 400 SW_VALIDATION_FAILED count
ann GET /v1/directory/rooms?q=<%ff|a%00b|{{x*129}}> -> 400 SW_VALIDATION_FAILED q
ann GET /v1/directory/rooms?cursor=<x|%00|{{A*4096}}|{{mine}}> -> 400 SW_VALIDATION_FAILED cursor



=== TEST 20: arguments at their ends; unknown ones are ignored
--- calls
ann GET /v1/directory/rooms?limit=200 -> 200
    data[*].id = ["{{there}}","{{asked}}","{{dm}}","{{dark}}","{{town}}","{{open}}","{{mine}}"]
ann GET /v1/directory/rooms?offset=10000 -> 200
    data # 0
ann GET /v1/directory/rooms?unknown=1&limit=1 -> 200
    data[*].id = ["{{there}}"]
ann HEAD /v1/directory/rooms -> 200
- GET /v1/<directory/rooms|rooms/archived> -> 401 SW_AUTH_INVALID_TOKEN



=== TEST 21: a room with a few messages, and other rooms
--- calls
dan POST /v1/rooms {"room_type":"group","name":"dan"} -> 201 x3
dan POST /v1/rooms {"room_type":"group","name":"Full"} -> 201
    save full: json data.id



=== TEST 22: ... and a cursor of its messages
--- calls
dan POST /v1/rooms/{{full}}/send {"content":{}} -> 201 x2
dan GET /v1/rooms/{{full}}/messages?limit=1 -> 200
    save message_cursor: json meta.next_cursor
    meta.next_cursor : string



=== TEST 23: a cursor of another list is a bad one
--- calls
dan GET /v1/directory/rooms?cursor={{message_cursor}} -> 400 SW_VALIDATION_FAILED cursor



=== TEST 24: 25 rooms, of which every third is public
--- request eval
["POST /v1/auth/register", "POST /v1/auth/register",
 map { my $type = $_ % 3 ? 'group' : 'public';
       ("POST /v1/rooms\n{\"room_type\":\"$type\",\"name\":\"Room $_\"}",
        "GET /v1/directory/rooms?limit=1") } 1 .. 25]
--- more_headers eval
[main::as('bob@pages'), (main::as('ann@pages')) x 51]
--- error_code eval
[200, 200, (201, 200) x 25]
--- capture eval
["", "", map { ("r$_: json data.id", "") } 1 .. 25]
--- json eval
["data ?", "data ?", map { ("data.name = \"Room $_\"", "data[0].id = {{r$_}}") } 1 .. 25]



=== TEST 25: pages of any size have all of them, in order
--- calls
ann@pages GET /v1/directory/rooms?limit=25 -> 200
    meta.has_more = false
    meta.next_cursor null
ann@pages GET /v1/directory/rooms?limit=24 -> 200
    meta.has_more = true
--- pages eval
"ann\@pages /v1/directory/rooms?limit=<1|7|24|25|26> \$[*].id = " . main::ids(@main::all)



=== TEST 26: pages of what is public
--- request eval
[map { "GET /v1/rooms/{{$_}}" } @main::all]
--- more_headers eval
main::as('bob@pages')
--- error_code eval
[map { /^r(\d+)$/ && $1 % 3 ? 404 : 200 } @main::all]
--- pages eval
my $public = main::ids(grep { /(\d+)/ && $1 % 3 == 0 } @main::all);
"bob\@pages /v1/directory/rooms?limit=3 \$[*].id = $public\n"
. "ann\@pages /v1/directory/rooms?room_type=public&limit=3 \$[*].id = $public\n"



=== TEST 27: pages of what is searched
--- request
GET /v1/directory/rooms?q=room+1
--- more_headers eval
main::as('ann@pages')
--- pages eval
"ann\@pages /v1/directory/rooms?q=room+1&limit=2 \$[*].id = " . main::ids(grep { /^r1/ } @main::all)



=== TEST 28: offsets
--- request eval
[map { "GET /v1/directory/rooms?offset=$_&limit=10" } 0, 1, 10, 24, 25, 26]
--- more_headers eval
main::as('ann@pages')
--- error_code eval
[(200) x 6]
--- json eval
["data[*].id = " . main::ids(@main::all[0 .. 9]), "data[*].id = " . main::ids(@main::all[1 .. 10]),
 "data[*].id = " . main::ids(@main::all[10 .. 19]), "data[*].id = " . main::ids($main::all[24]), "data # 0", "data # 0"]



=== TEST 29: the first page, before something changes
--- calls
ann@pages GET /v1/directory/rooms?limit=5 -> 200
    data[*].id = ["{{r25}}","{{r24}}","{{r23}}","{{r22}}","{{r21}}"]
    save cursor: json meta.next_cursor
ann@pages POST /v1/rooms {"room_type":"group","name":"New"} -> 201
    save new: json data.id
ann@pages POST /v1/rooms/{{r21}}/close -> 200
ann@pages POST /v1/rooms/{{r18}}/archive -> 200
ann@pages PUT /v1/rooms/<{{r16}}|{{r24}}>/name {"name":"Renamed"} -> 200



=== TEST 30: what stood still is neither skipped nor shown twice; only open rooms are listed
--- request
GET /v1/directory/rooms?limit=5&cursor={{cursor}}
--- more_headers eval
main::as('ann@pages')
--- json eval
"data[*].id = " . main::ids(map { "r$_" } 20, 19, 17, 16, 15)
--- capture
cursor: json meta.next_cursor
--- pages eval
"ann\@pages /v1/directory/rooms?limit=200 \$[*].id = " . main::ids('new', main::all_but(qw(r21 r18)))



=== TEST 31: and so on to the last
--- request
GET /v1/directory/rooms?limit=20&cursor={{cursor}}
--- more_headers eval
main::as('ann@pages')
--- json eval
"data[*].id = " . main::ids(@main::all[11 .. 24]) . "\nmeta.has_more = false"



=== TEST 32: more rooms than are looked at in one round, of which few are rare
--- request eval
[main::many_rooms(1 .. 230)]
--- more_headers eval
main::as('ann@many')
--- error_code eval
[(201) x 230]
--- capture eval
[map { $_ == 1 ? "oldest: json data.id" : $_ == 230 ? "newest: json data.id"
       : $_ % 50 ? '' : "rare$_: json data.id" } 1 .. 230]



=== TEST 33: few of many are found one by one; pages of any size have all
--- calls
ann@many GET /v1/directory/rooms -> 200
    data # 50
ann@many GET /v1/directory/rooms?offset=225 -> 200
    data # 5
ann@many GET /v1/directory/rooms?limit=200 -> 200
    save first_ids: json data[*].id
--- pages
ann@many /v1/directory/rooms?q=rare&limit=1
    $[*].id = ["{{rare200}}","{{rare150}}","{{rare100}}","{{rare50}}"]
ann@many /v1/directory/rooms?limit=<200|99|100> $ # 230



=== TEST 34: in the same order
--- calls
ann@many GET /v1/directory/rooms?limit=200 -> 200
    data[*].id = {{first_ids}}
--- pages
ann@many /v1/directory/rooms?limit=100 $[0].id = {{newest}}
ann@many /v1/directory/rooms?limit=100 $[229].id = {{oldest}}



=== TEST 35: rooms to be archived
--- calls
ann@archive,bob@archive,cy@archive POST /v1/auth/register -> 200
ann@archive POST /v1/rooms {"room_type":"group","name":"Old 1"} -> 201
    save old1: json data.id
ann@archive GET /v1/rooms/archived -> 200
    data # 0
    meta.has_more = false
    meta.next_cursor null
ann@archive POST /v1/rooms {"room_type":"group","name":"Old 2"} -> 201
    save old2: json data.id
ann@archive GET /v1/rooms/archived -> 200
ann@archive POST /v1/rooms {"room_type":"public","name":"Public"} -> 201
    save public: json data.id
ann@archive GET /v1/rooms/archived -> 200
ann@archive POST /v1/rooms/dm {"participant_id":"bob"} -> 201
    save pair: json data.id
ann@archive POST /v1/rooms {"room_type":"group","name":"Gone"} -> 201
    save closed: json data.id



=== TEST 36: archived ones are listed from the newest on, and no closed ones
--- calls
ann@archive POST /v1/rooms/<{{old1}}|{{old2}}>/invite {"participant_id":"bob"} -> 200
bob@archive POST /v1/rooms/{{old1}}/join -> 200
ann@archive POST /v1/rooms/<{{old1}}|{{old2}}|{{public}}|{{pair}}|{{closed}}>/archive -> 200
ann@archive POST /v1/rooms/{{closed}}/close -> 200
ann@archive GET /v1/rooms/archived -> 200
    data[*].id = ["{{pair}}","{{public}}","{{old2}}","{{old1}}"]
    data[0].name = bob
ann@archive,cy@archive GET /v1/directory/rooms -> 200
    data # 0
--- pages
ann@archive /v1/rooms/archived?limit=<1|2> $[*].id = ["{{pair}}","{{public}}","{{old2}}","{{old1}}"]
bob@archive /v1/rooms/archived?limit=2 $[id={{pair}}].name = ann
bob@archive /v1/rooms/archived?limit=2 $[id={{old1}}].name = "Old 1"
cy@archive /v1/rooms/archived?limit=2 $ # 0



=== TEST 37: one that is brought back is open for everyone again
--- calls
ann@archive POST /v1/rooms/{{public}}/rejoin -> 200
cy@archive GET /v1/directory/rooms -> 200
    data[*].id = ["{{public}}"]
ann@archive GET /v1/rooms/archived -> 200
    data[*].id = ["{{pair}}","{{old2}}","{{old1}}"]
ann@archive GET /v1/rooms/archived?limit=201 -> 400 SW_VALIDATION_FAILED limit
ann@archive GET /v1/rooms/archived?cursor=x -> 400 SW_VALIDATION_FAILED cursor



=== TEST 38: the last member of a room that emptied finds it there
--- calls
ann@archive POST /v1/rooms/{{public}}/leave -> 200
cy@archive GET /v1/directory/rooms -> 200
    data # 0
ann@archive GET /v1/rooms/archived -> 200
    data[*].id = ["{{pair}}","{{public}}","{{old2}}","{{old1}}"]
