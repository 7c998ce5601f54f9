# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Edit, redact and react: who may, what is kept, what is wiped from the
# store, and that unread counts stay right.  What happens at the same moment
# is in 14-edit-races.t.

use strict;
use warnings;

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

# In how many keys of the whole store a text is found.
sub stored {
    my ($text) = @_;
    my $found = 0;

    for my $key (@{RoomsTest::redis('KEYS', '*')}) {
        my $type = RoomsTest::redis('TYPE', $key);
        my $value = $type eq 'zset' ? RoomsTest::redis('ZRANGE', $key, 0, -1)
                    : $type eq 'hash' ? RoomsTest::redis('HGETALL', $key)
                    : [RoomsTest::redis('GET', $key)];

        $found++ if grep { index($_, $text) >= 0 } @$value;
    }

    return $found;
}

# A body filter: where a text is, instead of the body.
sub keys_with {
    my ($text) = @_;

    return sub { return stored($text) };
}

# Makes a message look as if it was sent so many seconds ago.
sub age {
    my ($room, $position, $seconds) = @_;
    my $events = "sw:{acme}:r:$room:events";
    my $at = 1000 * (time() - $seconds);
    my $text = RoomsTest::redis('ZRANGEBYSCORE', $events, $position,
                                $position)->[0];

    $text =~ s/^(\S+ \S+ \S+) \d+/$1 $at/ or die "no time in $text\n";
    RoomsTest::redis('ZREMRANGEBYSCORE', $events, $position, $position);
    RoomsTest::redis('ZADD', $events, $position, $text);
}

no_shuffle();
run_tests();

__DATA__

=== TEST 1: two rooms of ann's
--- calls
ann,bob,cy,dan POST /v1/auth/register -> 200
ann POST /v1/rooms {"room_type":"group","name":"Editors"} -> 201
    save room: json data.id
ann POST /v1/rooms {"room_type":"group","name":"Talk"} -> 201
    save talk: json data.id



=== TEST 2: cy has power 50 in the first, dan is invited
--- calls
ann POST /v1/rooms/<{{room}}|{{talk}}>/invite {"participant_id":"<bob|cy>"} -> 200
bob,cy POST /v1/rooms/<{{room}}|{{talk}}>/join -> 200
ann PUT /v1/rooms/{{room}}/members/cy/power-level {"power_level":50} -> 200
ann POST /v1/rooms/{{room}}/invite {"participant_id":"dan"} -> 200
ann POST /v1/rooms/{{talk}}/send {"content":{"n":1}} -> 201
    save first: json data.id
ann POST /v1/rooms/{{talk}}/send {"content":{"n":2}} -> 201
    save second: json data.id
ann POST /v1/rooms/{{talk}}/send {"content":{"n":3}} -> 201
    save third: json data.id
ann GET /v1/rooms/{{talk}}/messages?limit=3 -> 200
    data[*].reactions = [[],[],[]]



=== TEST 3: reactions are counted, and each reader sees which are their own
--- calls
ann,bob POST /v1/rooms/{{talk}}/events/{{first}}/reaction {"emoji":"a"} -> 200
bob POST /v1/rooms/{{talk}}/events/{{first}}/reaction {"emoji":"b"} -> 200
cy POST /v1/rooms/{{talk}}/events/{{third}}/reaction {"emoji":"x y"} -> 200
ann GET /v1/rooms/{{talk}}/messages?limit=200&direction=forward -> 200
    data[id={{first}}].reactions = [{"emoji":"a","count":2,"me":true},{"emoji":"b","count":1,"me":false}]
    data[id={{second}}].reactions = []
    data[id={{third}}].reactions = [{"emoji":"x y","count":1,"me":false}]
bob GET /v1/rooms/{{talk}}/messages?limit=200&direction=forward -> 200
    data[id={{first}}].reactions = [{"emoji":"a","count":2,"me":true},{"emoji":"b","count":1,"me":true}]
    data[id={{third}}].reactions = [{"emoji":"x y","count":1,"me":false}]
cy GET /v1/rooms/{{talk}}/messages?limit=200 -> 200
    data[id={{first}}].reactions = [{"emoji":"a","count":2,"me":false},{"emoji":"b","count":1,"me":false}]
    data[id={{third}}].reactions = [{"emoji":"x y","count":1,"me":true}]
bob GET /v1/rooms/{{talk}}/events/{{first}} -> 200
    data.reactions = [{"emoji":"a","count":2,"me":true},{"emoji":"b","count":1,"me":true}]



=== TEST 4: only messages have them
--- calls
ann GET /v1/rooms/{{talk}}/messages?limit=200&direction=forward -> 200
    data[0].event_type = swp.room.create
    data[0].reactions !
    data[1].event_type = swp.room.member
    data[1].reactions !
    data[-1].event_type = swp.room.reaction
    data[-1].reactions !



=== TEST 5: one of each sender and emoji, to be taken back once
--- calls
bob POST /v1/rooms/{{talk}}/events/{{first}}/reaction {"emoji":"a"} -> 200
cy GET /v1/rooms/{{talk}}/events/{{first}} -> 200
    data.reactions = [{"emoji":"a","count":2,"me":false},{"emoji":"b","count":1,"me":false}]
bob DELETE /v1/rooms/{{talk}}/events/{{first}}/reaction {"emoji":"a"} -> 200 x2
bob GET /v1/rooms/{{talk}}/events/{{first}} -> 200
    data.reactions = [{"emoji":"a","count":1,"me":false},{"emoji":"b","count":1,"me":true}]
bob DELETE /v1/rooms/{{talk}}/events/{{first}}/reaction {"emoji":"b"} -> 200
bob GET /v1/rooms/{{talk}}/messages?limit=200 -> 200
    data[id={{first}}].reactions = [{"emoji":"a","count":1,"me":false}]
    data[id={{second}}].reactions = []
    data[id={{third}}].reactions = [{"emoji":"x y","count":1,"me":false}]
--- store
ZCARD sw:{acme}:r:{{talk}}:tally = 2
ZSCORE sw:{acme}:r:{{talk}}:tally "{{first}} a" ~ .
ZSCORE sw:{acme}:r:{{talk}}:tally "{{third}} x y" ~ .
HLEN sw:{acme}:r:{{talk}}:counts = 2



=== TEST 6: an edit keeps them, a redaction takes them along
--- calls
ann POST /v1/rooms/{{talk}}/events/{{first}}/edit {"content":{"n":9}} -> 200
bob GET /v1/rooms/{{talk}}/events/{{first}} -> 200
    data.reactions = [{"emoji":"a","count":1,"me":false}]
ann POST /v1/rooms/{{talk}}/events/{{first}}/redact {} -> 200
bob GET /v1/rooms/{{talk}}/events/{{first}} -> 200
    data.reactions = []
--- store
ZRANGE sw:{acme}:r:{{talk}}:tally 0 -1 = {{third}} x y
HKEYS sw:{acme}:r:{{talk}}:counts = {{third}} x y



=== TEST 7: 50 different ones on one event, and no more
--- request eval
[map { "POST /v1/rooms/{{talk}}/events/{{second}}/reaction\n{\"emoji\":\"e$_\"}" } 1 .. 51, 7]
--- more_headers eval
[(main::as('cy')) x 50, (main::as('bob')) x 2]
--- error_code eval
[(200) x 50, 403, 200]
--- json eval
[("data.active = true") x 50, "error.code = SW_ROOM_FORBIDDEN", "data.active = true"]



=== TEST 8: ... as they are read
--- calls
bob GET /v1/rooms/{{talk}}/events/{{second}} -> 200
    data.reactions # 50
bob POST /v1/rooms/{{room}}/send {"content":{"body":"first words"}} -> 201
    save message: json data.id
ann GET /v1/rooms/{{room}} -> 200
    data.me.unread_count = 1



=== TEST 9: an edit: the message as it is now, and as it was at first
--- calls
bob POST /v1/rooms/{{room}}/events/{{message}}/edit {"content":{"body":"second words"}} -> 200
    data.id = {{message}}
    data.content = {"body":"second words"}
    data.original_content = {"body":"first words"}
    data.edited_at ~ ^\d{4}-\d\d-\d\dT[\d:.]+Z$
    data.redacted_at null
    data.sender_id = bob
    data.event_type = swp.room.message



=== TEST 10: it is an event, which names what it replaces, and nothing unread
--- calls
ann GET /v1/rooms/{{room}}/messages?limit=200 -> 200
    save edit: json data[0].id
    data[0].event_type = swp.room.message
    data[0].content = {"replaces":"{{message}}","content":{"body":"second words"}}
    data[0].sender_id = bob
    data[id={{message}}].content = {"body":"second words"}
ann GET /v1/rooms/{{room}} -> 200
    data.me.unread_count = 1
bob POST /v1/rooms/{{room}}/events/{{message}}/edit {"content":{"body":"third"}} -> 200
    data.content.body = third
    data.original_content.body = "first words"
ann GET /v1/rooms/{{room}}/messages?limit=200 -> 200
    data[0].content.replaces = {{message}}
    data[1].content.replaces = {{message}}
    data[2].id = {{message}}
    data[2].original_content = {"body":"first words"}
    data[3].event_type != swp.room.message



=== TEST 11: content stays as its author wrote it: numbers, order, escapes
--- calls
bob POST /v1/rooms/{{room}}/events/{{message}}/edit {"content": {"z": 1.50, "a": 1e2, "\u0061b": "\u00e9"}} -> 200
ann GET /v1/rooms/{{room}}/messages -> 200
    ~ "content":\{"z":1\.50,"a":1e2,"\\u0061b":"\\u00e9"\}



=== TEST 12: who edits: its author
--- calls
ann,dan POST /v1/rooms/{{room}}/events/{{message}}/edit {"content":{"body":"x"}} -> 403 SW_ROOM_FORBIDDEN
eve,bob@other POST /v1/rooms/{{room}}/events/{{message}}/edit {"content":{"body":"x"}} -> 404 SW_ROOM_NOT_FOUND
- POST /v1/rooms/{{room}}/events/{{message}}/edit {"content":{}} -> 401 SW_AUTH_INVALID_TOKEN
bob PUT /v1/rooms/{{room}}/events/{{message}}/edit {"content":{}} -> 405 SW_METHOD_NOT_ALLOWED



=== TEST 13: what a content may be, up to 65,536 bytes
--- calls
bob POST /v1/rooms/{{room}}/events/{{message}}/edit {} -> 400 SW_VALIDATION_FAILED content
eve POST /v1/rooms/{{room}}/events/{{message}}/edit {"content":"x"} -> 400 SW_VALIDATION_FAILED content
bob POST /v1/rooms/{{room}}/events/{{message}}/edit {"content":{"body":"{{x*65530}}"}} -> 413 SW_CONTENT_TOO_LARGE content
bob POST /v1/rooms/{{room}}/events/{{message}}/edit {"content":{"body":"{{x*65525}}"}} -> 200
bob POST /v1/rooms {"room_type":"group","name":"Other"} -> 201
    save other: json data.id



=== TEST 14: events that there aren't, here
--- calls
bob POST /v1/rooms/{{room}}/events/<evt-1|evt-|x|%01|..%2fx|{{message}}%20|evt-0000000000001aaaaaaaaaaaaaaaaa>/edit {"content":{}} -> 404 SW_EVENT_NOT_FOUND
bob POST /v1/rooms/{{room}}/events/<evt-1|evt-|x|%01|..%2fx|{{message}}%20|evt-0000000000001aaaaaaaaaaaaaaaaa>/redact {} -> 404 SW_EVENT_NOT_FOUND
bob POST /v1/rooms/{{room}}/events/<evt-1|evt-|x|%01|..%2fx|{{message}}%20|evt-0000000000001aaaaaaaaaaaaaaaaa>/reaction {"emoji":"+"} -> 404 SW_EVENT_NOT_FOUND
bob DELETE /v1/rooms/{{room}}/events/<evt-1|evt-|x|%01|..%2fx|{{message}}%20|evt-0000000000001aaaaaaaaaaaaaaaaa>/reaction?emoji=%2b -> 404 SW_EVENT_NOT_FOUND
bob POST /v1/rooms/{{other}}/events/{{message}}/edit {"content":{}} -> 404 SW_EVENT_NOT_FOUND



=== TEST 15: an id at whose place there is another, and the room's first event
--- init
main::save(nearly => main::saved('message') =~ s/(.)\z/$1 eq '0' ? '1' : '0'/er);
--- calls
bob POST /v1/rooms/{{room}}/events/{{nearly}}/edit {"content":{}} -> 404 SW_EVENT_NOT_FOUND
bob POST /v1/rooms/{{room}}/events/{{nearly}}/redact {} -> 404 SW_EVENT_NOT_FOUND
bob POST /v1/rooms/{{room}}/events/{{nearly}}/reaction {"emoji":"+"} -> 404 SW_EVENT_NOT_FOUND
bob DELETE /v1/rooms/{{room}}/events/{{nearly}}/reaction?emoji=%2b -> 404 SW_EVENT_NOT_FOUND
ann GET /v1/rooms/{{room}}/messages?direction=forward&limit=1 -> 200
    save creation: json data[0].id
    data[0].event_type = swp.room.create



=== TEST 16: events that are no messages, and edits of messages
--- calls
ann POST /v1/rooms/{{room}}/events/{{creation}}/edit {"content":{}} -> 400 SW_VALIDATION_FAILED event_id
ann POST /v1/rooms/{{room}}/events/{{creation}}/redact -> 400 SW_VALIDATION_FAILED event_id
ann POST /v1/rooms/{{room}}/events/{{creation}}/reaction {"emoji":"+"} -> 400 SW_VALIDATION_FAILED event_id
bob POST /v1/rooms/{{room}}/events/{{edit}}/edit {"content":{}} -> 400 SW_VALIDATION_FAILED event_id
bob POST /v1/rooms/{{room}}/events/{{edit}}/redact -> 400 SW_VALIDATION_FAILED event_id



=== TEST 17: nobody makes an event that looks like an edit, or like somebody else's
--- calls
cy POST /v1/rooms/{{room}}/send {"content":{"<r|\u0072>eplaces":"{{message}}"}} -> 400 SW_VALIDATION_FAILED content.replaces
bob POST /v1/rooms/{{room}}/events/{{message}}/edit {"content":{"<r|\u0072>eplaces":"{{message}}"}} -> 400 SW_VALIDATION_FAILED content.replaces
bob POST /v1/rooms/{{room}}/<send|events/{{message}}/edit> {"content":{"body":"x","_imported_sender":{"display_name":"Ann"}}} -> 400 SW_VALIDATION_FAILED content._imported_sender
bob POST /v1/rooms/{{room}}/send {"content":{"body":"an old one"}} -> 201
    save old: json data.id
    save old_position: json data.stream_position



=== TEST 18: for a day ...
--- init
main::age(main::saved('room'), main::saved('old_position'), 86_300);
--- calls
bob POST /v1/rooms/{{room}}/events/{{old}}/edit {"content":{}} -> 200



=== TEST 19: ... and no longer; but it may be redacted
--- init
main::age(main::saved('room'), main::saved('old_position'), 86_402);
--- calls
bob POST /v1/rooms/{{room}}/events/{{old}}/edit {"content":{}} -> 409 SW_EVENT_TOO_OLD_TO_EDIT
bob POST /v1/rooms/{{room}}/events/{{old}}/redact -> 200
    data.redacted_at ~ Z$



=== TEST 20: a message that was sent with a key, sent again under another one, edited twice, reacted to, and read by cy
--- calls
bob POST /v1/rooms/{{room}}/send {"content":{"body":"a secret"},"event_uuid":"u1"} -> 201
    > Idempotency-Key: k1
    save secret: json data.id
bob POST /v1/rooms/{{room}}/send {"content":{"body":"a secret"},"event_uuid":"u1"} -> 201 x2
    > Idempotency-Key: k1-again
    data.id = {{secret}}
    data.content.body = a secret



=== TEST 21: ... and one after it
--- calls
bob POST /v1/rooms/{{room}}/events/{{secret}}/edit {"content":{"body":"a secret <too|still>"}} -> 200
    > Idempotency-Key: k1-edit
ann POST /v1/rooms/{{room}}/events/{{secret}}/reaction {"emoji":"+"} -> 200
cy PUT /v1/rooms/{{room}}/read {"event_id":"{{secret}}"} -> 200
bob POST /v1/rooms/{{room}}/send {"content":{"body":"no secrecy"}} -> 201
    save after: json data.id
ann GET /v1/rooms/{{room}} -> 200
    data.me.unread_count = 3
cy GET /v1/rooms/{{room}} -> 200
    data.me.unread_count = 1
--- store
KEYS sw:{acme}:idem:* ~ idem
HGET sw:{acme}:r:{{room}}:copies {{secret}} ~ .



=== TEST 22: its body is in the store
--- request
GET /v1/rooms/archived
--- more_headers eval
main::as('ann')
--- response_body_filters eval
main::keys_with('a secret')
--- response_body_like chomp
^[1-9]\d*$



=== TEST 23: who redacts: its author, and who has power 50
--- calls
dan POST /v1/rooms/{{room}}/events/{{secret}}/redact -> 403 SW_ROOM_FORBIDDEN
dan POST /v1/rooms/{{room}}/join -> 200
ann PUT /v1/rooms/{{room}}/members/dan/power-level {"power_level":49} -> 200
dan POST /v1/rooms/{{room}}/events/{{secret}}/redact -> 403 SW_REDACT_FORBIDDEN
cy POST /v1/rooms/{{room}}/events/{{secret}}/redact {"reason":<5|"{{x*1025}}">} -> 400 SW_VALIDATION_FAILED reason
cy POST /v1/rooms/{{room}}/events/{{secret}}/redact {"reason":"told \"it\""} -> 200
    data.id = {{secret}}
    data.content = {}
    data.original_content !
    data.redacted_at ~ Z$
    data.edited_at ~ Z$



=== TEST 24: its event says what and why; it counts as unread no more; its edits stay, without their bodies
--- calls
ann GET /v1/rooms/{{room}}/messages?limit=200 -> 200
    data[0].event_type = swp.room.redaction
    data[0].sender_id = cy
    data[0].content = {"event_id":"{{secret}}","reason":"told \"it\""}
    data[5].content = {"replaces":"{{secret}}"}
    data[5].redacted_at ~ Z$
    data[6].content = {"replaces":"{{secret}}"}
    data[6].redacted_at ~ Z$
    data[7].id = {{secret}}
ann GET /v1/rooms/{{room}} -> 200
    data.me.unread_count = 2
cy GET /v1/rooms/{{room}} -> 200
    data.me.unread_count = 1
--- store
ZRANGEBYLEX sw:{acme}:r:{{room}}:reactions [{{secret}} [{{secret}}~ =
HGET sw:{acme}:r:{{room}}:copies {{secret}} null
ZCARD sw:{acme}:r:{{room}}:events -> events



=== TEST 25: its body is nowhere in the store
--- request
GET /v1/rooms/archived
--- more_headers eval
main::as('ann')
--- response_body_filters eval
main::keys_with('a secret')
--- response_body chomp
0



=== TEST 26: nor in what its key replays; a second redaction is none; what is redacted stays so
--- calls
bob POST /v1/rooms/{{room}}/send {"content":{"body":"a secret"},"event_uuid":"u1"} -> 201
    > Idempotency-Key: k1
    < Idempotency-Replayed: true
    data.id = {{secret}}
    data.content = {}
    data.redacted_at ~ Z$
bob POST /v1/rooms/{{room}}/send {"content":{"body":"a secret"},"event_uuid":"u1"} -> 201
    > Idempotency-Key: k1-again
    < Idempotency-Replayed: true
    data.id = {{secret}}
    data.content = {}
    data.redacted_at ~ Z$
bob POST /v1/rooms/{{room}}/events/{{secret}}/edit {"content":{"body":"a secret still"}} -> 400 SW_VALIDATION_FAILED event_id
    > Idempotency-Key: k1-edit
bob POST /v1/rooms/{{room}}/events/{{secret}}/redact -> 200
    data.id = {{secret}}
    data.content = {}
bob POST /v1/rooms/{{room}}/events/{{secret}}/edit {"content":{}} -> 400 SW_VALIDATION_FAILED event_id
bob POST /v1/rooms/{{room}}/events/{{secret}}/reaction {"emoji":"+"} -> 400 SW_VALIDATION_FAILED event_id
--- store
ZCARD sw:{acme}:r:{{room}}:events = {{events}}



=== TEST 27: the records still expire; one's own is redacted without a body or any power
--- calls
bob POST /v1/rooms/{{room}}/events/{{after}}/redact -> 200
    data.content = {}
ann GET /v1/rooms/{{room}}/messages?limit=1 -> 200
    data[0].content = {"event_id":"{{after}}"}
bob POST /v1/rooms/{{room}}/send {"content":{"body":"more"}} -> 201 x3
bob POST /v1/rooms/{{room}}/send {"content":{"body":"last"}} -> 201
    save last: json data.id
--- store
EVAL "local n = 100000 for _, key in ipairs(redis.call([[KEYS]], [[sw:{acme}:idem:*]])) do n = math.min(n, redis.call([[TTL]], key)) end return n" 0 ~ ^8[0-6]\d\d\d$



=== TEST 28: a redaction of what was read, and what comes after it
--- calls
ann PUT /v1/rooms/{{room}}/read {"event_id":"{{last}}"} -> 200
    data.unread_count = 0
bob POST /v1/rooms/{{room}}/events/{{last}}/redact -> 200
ann GET /v1/rooms/{{room}} -> 200
    data.me.unread_count = 0
bob POST /v1/rooms/{{room}}/send {"content":{"body":"new"}} -> 201
ann GET /v1/rooms/{{room}} -> 200
    data.me.unread_count = 1
ann POST /v1/rooms/{{room}}/send {"content":{"body":"react to this"}} -> 201
    save liked: json data.id
bob GET /v1/rooms/{{room}} -> 200
    save unread: json data.me.unread_count



=== TEST 29: a reaction, once, is an event, and nothing unread
--- calls
bob POST /v1/rooms/{{room}}/events/{{liked}}/reaction {"emoji":"👍"} -> 200
    data = {"event_id":"{{liked}}","emoji":"👍","sender_id":"bob","active":true}
ann GET /v1/rooms/{{room}}/messages?limit=2 -> 200
    data[0].event_type = swp.room.reaction
    data[0].content = {"event_id":"{{liked}}","emoji":"👍","action":"add"}
    data[1].id = {{liked}}
bob POST /v1/rooms/{{room}}/events/{{liked}}/reaction {"emoji":"👍"} -> 200
    data.active = true
ann GET /v1/rooms/{{room}}/messages?limit=2 -> 200
    data[1].id = {{liked}}
cy POST /v1/rooms/{{room}}/events/{{liked}}/reaction {"emoji":"👍"} -> 200
    data.active = true
bob POST /v1/rooms/{{room}}/events/{{liked}}/reaction {"emoji":"{{x*32}}"} -> 200
    data.active = true
ann GET /v1/rooms/{{room}}/messages?limit=4 -> 200
    data[3].id = {{liked}}
bob GET /v1/rooms/{{room}} -> 200
    data.me.unread_count = {{unread}}



=== TEST 30: a removal is an event, once, by the body or by the query
--- calls
bob DELETE /v1/rooms/{{room}}/events/{{liked}}/reaction {"emoji":"👍"} -> 200
    data.active = false
ann GET /v1/rooms/{{room}}/messages?limit=5 -> 200
    data[0].content = {"event_id":"{{liked}}","emoji":"👍","action":"remove"}
    data[4].id = {{liked}}
bob DELETE /v1/rooms/{{room}}/events/{{liked}}/reaction?emoji=%F0%9F%91%8D -> 200
    data.active = false
ann GET /v1/rooms/{{room}}/messages?limit=5 -> 200
    data[4].id = {{liked}}
cy DELETE /v1/rooms/{{room}}/events/{{liked}}/reaction?emoji=%F0%9F%91%8D -> 200
    data.active = false
ann GET /v1/rooms/{{room}}/messages?limit=6 -> 200
    data[5].id = {{liked}}



=== TEST 31: what an emoji may be: 1 to 32 letters that are seen
--- calls
bob POST /v1/rooms/{{room}}/events/{{liked}}/reaction {"emoji":<""|"{{x*33}}"|"a\nb"|"a\u0000"|null|5|["+"]>} -> 400 SW_VALIDATION_FAILED emoji
bob DELETE /v1/rooms/{{room}}/events/{{liked}}/reaction<|?emoji=|?emoji=%ff> -> 400 SW_VALIDATION_FAILED emoji
eve POST /v1/rooms/{{room}}/events/{{liked}}/reaction {"emoji":"+"} -> 404 SW_ROOM_NOT_FOUND
bob PUT /v1/rooms/{{room}}/events/{{liked}}/reaction -> 405 SW_METHOD_NOT_ALLOWED
    < Allow: POST, DELETE



=== TEST 32: a frozen room, in the order of checks
--- calls
ann POST /v1/rooms/{{room}}/archive -> 200
ann POST /v1/rooms/{{room}}/events/nothing/edit {"content":{}} -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room}}/events/{{liked}}/redact -> 409 SW_ROOM_FROZEN
bob POST /v1/rooms/{{room}}/events/{{liked}}/reaction {"emoji":"+"} -> 409 SW_ROOM_FROZEN
bob DELETE /v1/rooms/{{room}}/events/{{liked}}/reaction?emoji=x -> 409 SW_ROOM_FROZEN
ann POST /v1/rooms/{{room}}/rejoin -> 200
bob POST /v1/rooms/{{room}}/send {"content":{"body":"often"}} -> 201
    save often: json data.id



=== TEST 33: a message is edited a hundred times, and no more
--- request eval
[map { "POST /v1/rooms/{{room}}/events/{{often}}/edit\n{\"content\":{\"n\":$_}}" } 1 .. 101]
--- more_headers eval
main::as('bob')
--- error_code eval
[(200) x 100, 403]



=== TEST 34: they are wiped together
--- calls
bob POST /v1/rooms/{{room}}/events/{{often}}/redact -> 200
ann GET /v1/rooms/{{room}}/messages?limit=102 -> 200
    data[101].id = {{often}}
    data[1].content = {"replaces":"{{often}}"}
    data[1].redacted_at ~ Z$
    data[100].content = {"replaces":"{{often}}"}
    data[100].redacted_at ~ Z$
    ~ ^(?!.*"n":)
ann POST /v1/rooms {"room_type":"incognito"} -> 201
    save dark: json data.id
--- verify_room
{{room}}



=== TEST 35: an incognito room
--- calls
ann POST /v1/rooms/{{dark}}/send {"content":{"body":"in the dark"}} -> 201
    save dark_message: json data.id
ann POST /v1/rooms/{{dark}}/send {"content":{"body":"a dark secret"}} -> 201
    > Idempotency-Key: k2
    save dark_secret: json data.id



=== TEST 36: edits, reactions and redactions in it
--- calls
ann POST /v1/rooms/{{dark}}/events/{{dark_message}}/edit {"content":{"body":"in the dark, too"}} -> 200
    data.do_not_index = true
ann POST /v1/rooms/{{dark}}/events/{{dark_message}}/reaction {"emoji":"+"} -> 200
ann POST /v1/rooms/{{dark}}/events/{{dark_secret}}/redact -> 200



=== TEST 37: what is redacted there is nowhere in the store
--- request
POST /v1/rooms/{{dark}}/send
{"content":{"body":"a dark secret"}}
--- more_headers eval
main::as('ann') . "\nIdempotency-Key: k2"
--- error_code: 201
--- json
data.id = {{dark_secret}}
data.content = {}
data.redacted_at ~ Z$
--- response_body_filters eval
sub { return main::stored('a dark secret') ? 'stored' : $_[0] }



=== TEST 38: it takes all of it along when it ends
--- calls
ann POST /v1/rooms/{{dark}}/leave -> 200
--- store
KEYS sw:{acme}:r:{{dark}}:* = sw:{acme}:r:{{dark}}:events



=== TEST 39: and its words
--- request
GET /v1/rooms/archived
--- more_headers eval
main::as('ann')
--- response_body_filters eval
main::keys_with('in the dark')
--- response_body chomp
0
