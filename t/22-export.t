# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# What an export holds: events as they are, people, media, and what it was
# asked to leave out; and who gets none.  How it streams is in
# t/23-export-stream.t.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use File::Temp ();
use JSON::PP ();
use Test::More ();

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls qw(key);
use RoomsTest::Export qw(entries fill medium spool);
use RoomsTest::JSON ();
use Test::Nginx::Socket 'no_plan';

my $dir = File::Temp->newdir('rooms-export-XXXXXXXX', TMPDIR => 1);

mkdir "$dir/media";
$ENV{TEST_NGINX_MEDIA} = "$dir/media";

# Contents: each with its id and SHA-256 as one, sha_one, ...
sub content {
    my ($name, $file, $bytes, %more) = @_;
    my ($id, $sha, $where) = medium("$dir/media", $file, $bytes, %more);

    save($name => $id, "sha_$name" => $sha);

    return $where;
}

content(one => 'notes.txt', 'one ' x 1000);
content(two => "\x{fc}n\x{ef} c\x{f6}de?.bin", join '', map { chr } 0 .. 255);
content(same => 'again.txt', 'one ' x 1000);
content(empty => 'empty', '');
content(lost => 'lost.txt', 'lost', lost => 1);
spool(content(short => 'short.txt', 'short'), 'shor');

default_config(<<'END');
        rooms on;
        rooms_auth mock;
        rooms_server_name rooms.test;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_media_path $TEST_NGINX_MEDIA;
END

# "--- manifest" has assertions on the bundle's manifest, as "--- json" has on
# a body; "--- bundle" the names of its entries; "--- stored" the name of a room
# whose events are all there as the store has them; "--- opens" says that other
# programs read it, those that are here.
add_response_body_check(sub {
    my ($block, $body, $i) = @_;
    my ($manifest, $bundle) = map { ref ? $_->[$i] : $_ }
                              scalar $block->manifest, scalar $block->bundle;

    return if !defined $manifest && !defined $bundle;

    my @entries = eval { entries($body) };

    RoomsTest::JSON::json_like($entries[0][1], $manifest,
                               $block->name . " - manifest (req $i)")
        if defined $manifest;
    Test::More::is(join("\n", map { $_->[0] } @entries),
                   $bundle =~ s/\s+\z//r, $block->name . " - bundle (req $i)")
        if defined $bundle;

    is_stored($block->name, $entries[0][1], saved($block->stored))
        if defined $block->stored;
    opens($block->name, spool("$dir/a.zip", $body)) if defined $block->opens;

    contents_are_whole($block->name, @entries);
});

# The events of a manifest, one a line, have the contents that the store has.
sub is_stored {
    my ($name, $manifest, $room) = @_;
    my $stored = redis('ZRANGE', key("r:$room:events"), 0, -1);

    Test::More::is(
        join("\n", map { /"content":(.*?),"origin_ts":\d+,(.*)/;
                         my ($content, $rest) = ($1, $2);

                         $rest =~ /"original_content":(.*?)\},?\z/
                         ? "$content\n$1" : $content }
                   grep { /^\{"id":"evt-/ } split /\n/, $manifest),
        join("\n", map { s/^[^{]+//r } @$stored), "$name - to the byte");
}

# A content's entry is named by its SHA-256.
sub contents_are_whole {
    my ($name, undef, @contents) = @_;

    for my $entry (@contents) {
        my ($sha) = $entry->[0] =~ m{^media/(\w+)/};

        Test::More::is(sha256_hex($entry->[1]), $sha,
                       "$name - $entry->[0] is whole");
    }
}

sub opens {
    my ($name, $file) = @_;

    for my $command ("python3 -m zipfile -t $file", "unzip -t $file",
                     "7z t $file", "jar tf $file")
    {
        my ($program) = split ' ', $command;

        next if !grep { -x "$_/$program" } split /:/, $ENV{PATH};

        my $out = `$command 2>&1`;

        Test::More::ok($? == 0, "$name - opens in $program")
            or Test::More::diag($out);
    }
}

# In these sections {{name}} stands for what was saved, too.
add_block_preprocessor(sub {
    my ($block) = @_;
    my $manifest = $block->manifest;

    $block->set_value(manifest => ref $manifest
        ? [map { scalar RoomsTest::Blocks::replaced($_) } @$manifest]
        : scalar RoomsTest::Blocks::replaced($manifest)) if defined $manifest;
    $block->set_value(bundle => scalar RoomsTest::Blocks::replaced($block->bundle))
        if defined $block->bundle;
});

# Messages that the store has already; the year is 2024, a second apart.
sub filled { fill(saved($_[0]), @_[1 .. 3]); return '' }

sub lines { return join "\n", @_ }

no_shuffle();
run_tests();

__DATA__

=== TEST 1: a room with two members, whose name no file may have
--- calls
ann POST /v1/rooms {"room_type": "group", "name": "Über/Räume \"x\"", "topic": "a\tb"} -> 201
    save room: json data.id
bob POST /v1/auth/register -> 200
cy POST /v1/auth/register -> 200



=== TEST 2: ... and messages: of odd characters, edited, redacted, with a reaction
--- calls
ann POST /v1/rooms/{{room}}/invite {"participant_id": "bob"} -> 200
bob POST /v1/rooms/{{room}}/join -> 200
bob POST /v1/rooms/{{room}}/send {"content": {"body": "zwei\n\"Zeilen\" 😀 <&>", "n": 1.5, "deep": [[{}]]}} -> 201
bob POST /v1/rooms/{{room}}/send {"content": {"body": "no"}} -> 201 x300
bob POST /v1/rooms/{{room}}/send {"content": {"body": "first"}} -> 201
    save edited: json data.id
bob POST /v1/rooms/{{room}}/send {"content": {"body": "secret"}} -> 201
    save redacted: json data.id



=== TEST 3: ...
--- calls
bob POST /v1/rooms/{{room}}/events/{{edited}}/edit {"content": {"body": "b"}} -> 200
bob POST /v1/rooms/{{room}}/events/{{redacted}}/redact {} -> 200
ann POST /v1/rooms/{{room}}/events/{{edited}}/reaction {"emoji": "+1"} -> 200



=== TEST 4: what the room is, and what its history has
--- request eval
["GET /v1/rooms/{{room}}", "GET /v1/rooms/{{room}}/messages?limit=200&direction=forward"]
--- more_headers eval
[(scalar ::as('ann')) x 2]
--- capture eval
["name: json data.name\ntopic: json data.topic\ncreated: json data.created_at\nposition: json data.last_event_position",
 "next: json meta.next_cursor\nevent0: json data[0]\nevent4: json data[4]"]
--- store
ZCARD sw:{acme}:r:{{room}}:events -> events
EVAL "return string.match(redis.call([[ZRANGE]], KEYS[1], 4, 4)[1], [[^[^{]*(%C*)]])" 1 sw:{acme}:r:{{room}}:events -> stored4
EVAL "return string.match(redis.call([[ZRANGE]], KEYS[1], -1, -1)[1], [[^[^{]*(%C*)]])" 1 sw:{acme}:r:{{room}}:events -> stored_last



=== TEST 5: an export is a bundle with a name, of unknown length, which is served whole
--- request
GET /v1/rooms/{{room}}/export
--- more_headers eval: scalar ::as('ann')
--- response_headers
Content-Type: application/zip
Content-Disposition: attachment; filename="_ber-R_ume _x_.zip"; filename*=UTF-8''%C3%9Cber-R%C3%A4ume%20_x_.zip
X-Content-Type-Options: nosniff
! Accept-Ranges
! Content-Length
--- raw_response_headers_like: X-Request-Id: [0-9a-f]{32}\r\n
--- opens
--- bundle
manifest.json
--- manifest
format = scaiwave.room-export
version = 1
exported_by = ann
server_name = rooms.test
exported_at ~ ^\d{4}-\d\d-\d\dT[\d:.]+Z$
events # {{events}}
events[0] = {{event0}}
events[3].content.body = "zwei\n\"Zeilen\" 😀 <&>"
events[4].content = {{stored4}}
events[-1].content = {{stored_last}}
room.id = {{room}}
room.name = {{name}}
room.topic = {{topic}}
room.created_at = {{created}}
room.last_event_position = {{position}}
room.room_type = group
room.state = open
room.me !
participants # 2
participants.ann = {"display_name": "ann", "fqid": "@ann:rooms.test", "avatar_url": null}
participants.bob = {"display_name": "bob", "fqid": "@bob:rooms.test", "avatar_url": null}
media = []
missing_media = []



=== TEST 6: all events are in it, in order, to the byte, numbers and the order of members too
--- request
GET /v1/rooms/{{room}}/export
--- more_headers eval: scalar ::as('ann')
--- manifest
events # {{events}}
--- stored: room



=== TEST 7: HEAD has the headers
--- request
HEAD /v1/rooms/{{room}}/export
--- more_headers eval: scalar ::as('ann')
--- response_headers
Content-Type: application/zip
--- response_body



=== TEST 8: conditions, ranges and what can be compressed change nothing
--- request
GET /v1/rooms/{{room}}/export
--- more_headers eval
::lines(::as('ann'), 'Range: bytes=0-9', 'If-None-Match: *', 'Accept-Encoding: gzip',
        'If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT')
--- response_headers
! Content-Encoding
--- manifest
events # {{events}}



=== TEST 9: who gets none: nobody, strangers, other tenants, who is only invited
--- calls
- GET /v1/rooms/{{room}}/export -> 401 SW_AUTH_INVALID_TOKEN
cy GET /v1/rooms/{{room}}/export -> 404 SW_ROOM_NOT_FOUND
ann@east GET /v1/rooms/{{room}}/export -> 404 SW_ROOM_NOT_FOUND
ann GET /v1/rooms/room-x/export -> 404 SW_ROOM_NOT_FOUND
cy HEAD /v1/rooms/{{room}}/export -> 404
ann POST /v1/rooms/{{room}}/export {} -> 405 SW_METHOD_NOT_ALLOWED
ann POST /v1/rooms/{{room}}/invite {"participant_id": "cy"} -> 200
cy GET /v1/rooms/{{room}}/export -> 403 SW_ROOM_FORBIDDEN
ann POST /v1/rooms {"room_type": "public", "name": "Public"} -> 201
    save public: json data.id



=== TEST 10: ... who could join and hasn't
--- calls
cy GET /v1/rooms/{{public}}/export -> 403 SW_ROOM_FORBIDDEN
ann POST /v1/rooms {"room_type": "incognito"} -> 201
    save incognito: json data.id
ann POST /v1/rooms {"room_type": "group", "name": "S", "scope_kind": "incognito"} -> 201
    save scoped: json data.id
ann POST /v1/rooms {"room_type": "group", "name": "sidekick"} -> 201
    save sidekick: json data.id
ann POST /v1/rooms {"room_type": "group", "name": "bridge"} -> 201
    save bridge: json data.id
ann POST /v1/rooms {"room_type": "group", "name": "F"} -> 201
    save federated: json data.id
ann POST /v1/rooms/dm {"participant_id": "bob"} -> 201
    save dm: json data.id
--- store eval
my $kind = q(local m, n = redis.call([[HGET]], KEYS[1], [[meta]]):gsub([[group]], ARGV[1]) )
           . q(redis.call([[HSET]], KEYS[1], [[meta]], m) return n);
::lines((map { qq(EVAL "$kind" 1 sw:{acme}:r:{{$_}} $_ = 1) } qw(sidekick bridge)),
        'HSET sw:{acme}:r:{{federated}} federated 1 -> made')



=== TEST 11: rooms of kinds that aren't exported: of secrets, of others' making, federated
--- calls
ann GET /v1/rooms/{{incognito}}/export -> 400 SW_ROOM_EXPORT_REFUSED
ann GET /v1/rooms/{{scoped}}/export -> 400 SW_ROOM_EXPORT_REFUSED
ann GET /v1/rooms/{{sidekick}}/export -> 400 SW_ROOM_EXPORT_REFUSED
ann GET /v1/rooms/{{bridge}}/export -> 400 SW_ROOM_EXPORT_REFUSED
ann GET /v1/rooms/{{federated}}/export -> 400 SW_ROOM_EXPORT_REFUSED
bob POST /v1/rooms/{{dm}}/send {"content": {"body": "hi"}} -> 201



=== TEST 12: a DM, by its other side's name
--- request
GET /v1/rooms/{{dm}}/export
--- more_headers eval: scalar ::as('ann')
--- manifest
room.room_type = dm
room.name = bob
room.state = open



=== TEST 13: an archived and a closed room
--- request eval
["POST /v1/rooms/{{dm}}/archive", "POST /v1/rooms/{{public}}/close", "GET /v1/rooms/{{dm}}/export",
 "GET /v1/rooms/{{public}}/export"]
--- more_headers eval: scalar ::as('ann')
--- error_code eval
[200, 200, 200, 200]
--- manifest eval
[undef, undef, "room.state = archived", "room.state = closed\nevents[-1].event_type = swp.room.state"]



=== TEST 14: a room of long ago, with a message each second
--- calls
ann POST /v1/rooms {"room_type": "group", "name": "Old"} -> 201
    save old: json data.id



=== TEST 15: "from" and "to" leave out what is before and from then on, in any zone
--- init: ::filled('old', 'ann', 100, 20)
--- request eval
[map { "GET /v1/rooms/{{old}}/export?$_" }
 'from=2024-01-01T00:00:10Z&to=2024-01-01T00:00:20Z', 'to=2024-01-01T00:00:03.000Z',
 'to=2024-01-01T01:00:03%2B01:00', 'from=2024-01-01T00:01:40Z&to=2025-01-01T00:00:00Z',
 'from=2024-01-01T00:00:50Z', 'from=2030-01-01T00:00:00Z']
--- more_headers eval: scalar ::as('ann')
--- error_code eval
[(200) x 6]
--- manifest eval
my $start = 1704067200;
[::lines('events # 10', 'events[0].origin_ts = ' . ($start + 10), 'events[-1].origin_ts = ' . ($start + 19)),
 (::lines('events # 2', 'events[0].origin_ts = ' . ($start + 1), 'events[1].origin_ts = ' . ($start + 2))) x 2,
 ::lines('events # 1', 'events[0].origin_ts = ' . ($start + 100)),
 ::lines('from = 2024-01-01T00:00:50.000Z', 'events # 52'), ::lines('events = []', 'participants = {}')]



=== TEST 16: arguments that are none
--- calls
ann GET /v1/rooms/{{room}}/export?from=monday -> 400 SW_VALIDATION_FAILED from
ann GET /v1/rooms/{{room}}/export?to=2024-01-01 -> 400 SW_VALIDATION_FAILED to
ann GET /v1/rooms/{{room}}/export?from=2024-01-02T00:00:00Z&to=2024-01-01T00:00:00Z -> 400 SW_VALIDATION_FAILED to
ann GET /v1/rooms/{{room}}/export?media=some -> 400 SW_VALIDATION_FAILED media



=== TEST 17: a room with media: the same content twice, an empty one, a lost and a cut one, ids of nothing
--- calls
ann POST /v1/rooms {"room_type": "group", "name": "Files"} -> 201
    save files: json data.id



=== TEST 18: ...
--- calls
ann POST /v1/rooms/{{files}}/send {"content": {"body": "see", "media_id": "{{one}}"}} -> 201
ann POST /v1/rooms/{{files}}/send {"content": {"attachments": [{"media_id": "{{two}}"}, {"media_id": "{{same}}"}, {"media_id": "{{lost}}"}, {"media_id": "{{short}}"}]}} -> 201
ann POST /v1/rooms/{{files}}/send {"content": {"media_id": "{{empty}}", "attachments": [{"media_id": "{{one}}"}]}} -> 201
ann POST /v1/rooms/{{files}}/send {"content": {"media_id": "med-nowhere0000000000000000"}} -> 201
ann POST /v1/rooms/{{files}}/send {"content": {"media_id": "../../etc/passwd"}} -> 201
ann POST /v1/rooms/{{files}}/send {"content": {"media_id": 7}} -> 201



=== TEST 19: each content is in the bundle once, each medium in its list; what is lost is told
--- request
GET /v1/rooms/{{files}}/export
--- more_headers eval: scalar ::as('ann')
--- capture
zip: (?s)\A.*\z
--- opens
--- bundle
manifest.json
media/{{sha_one}}/notes.txt
media/{{sha_two}}/ünï cöde_.bin
media/{{sha_empty}}/empty
--- manifest
media # 4
media[0] = {"media_id": "{{one}}", "sha256": "{{sha_one}}", "name": "notes.txt", "size": 4000, "mime_type": "text/plain"}
media[1] = {"media_id": "{{two}}", "sha256": "{{sha_two}}", "name": "ünï cöde?.bin", "size": 256, "mime_type": "text/plain"}
media[2] = {"media_id": "{{same}}", "sha256": "{{sha_one}}", "name": "again.txt", "size": 4000, "mime_type": "text/plain"}
media[3] = {"media_id": "{{empty}}", "sha256": "{{sha_empty}}", "name": "empty", "size": 0, "mime_type": "text/plain"}
missing_media[*].media_id = ["{{lost}}", "{{short}}", "med-nowhere0000000000000000"]
missing_media[0].sha256 = "{{sha_lost}}"



=== TEST 20: an entry has the time of its medium, and a list one medium a line
--- request
GET /v1/rooms/{{files}}/export
--- more_headers eval: scalar ::as('ann')
--- response_body_like eval
'(?s)' . quotemeta(pack 'vv', 4 << 11 | 5 << 5 | 3, 44 << 9 | 2 << 5 | 3) . '.{16}media/{{sha_one}}/notes\.txt'



=== TEST 21: media=none leaves out the media, and no event
--- request
GET /v1/rooms/{{files}}/export?media=none
--- more_headers eval: scalar ::as('ann')
--- bundle
manifest.json
--- manifest
media = []
missing_media = []
events # 7



=== TEST 22: a room with more ids of media than anybody has
--- calls
ann POST /v1/rooms {"room_type": "group", "name": "Many"} -> 201
    save many: json data.id



=== TEST 23: ...
--- request eval
[map { my $i = $_; ::sent(POST => '/v1/rooms/{{many}}/send', { content => { attachments =>
       [map { { media_id => sprintf 'med-%012d', $_ } } $i * 1000 .. $i * 1000 + 999] } }) } 0 .. 14]
--- more_headers eval: scalar ::as('ann')
--- error_code eval
[(201) x 15]



=== TEST 24: the list of the lost has an end, which is told
--- request
GET /v1/rooms/{{many}}/export
--- more_headers eval: scalar ::as('ann')
--- manifest
missing_media # 10000
missing_media_unlisted = 5000



=== TEST 25: rooms of people who aren't of here, of a crowd, and of large events
--- calls
ann POST /v1/rooms {"room_type": "group", "name": "Mixed"} -> 201
    save mixed: json data.id
ann POST /v1/rooms {"room_type": "group", "name": "Crowd"} -> 201
    save crowd: json data.id
ann POST /v1/rooms {"room_type": "group", "name": "Large"} -> 201
    save large: json data.id
--- store eval
q(HSET sw:{acme}:participants zoe ') . JSON::PP->new->utf8->encode({
    local_id => 'zoe', display_name => "Zo\xeb", workspace_id => undef, participant_type => 'user',
    server_name => 'far.test', avatar_url => 'https://far.test/z.png', created_at => '2024-01-01T00:00:00.000Z' })
. q(' = 1)



=== TEST 26: ... somebody of elsewhere and somebody who is gone have written, the latter twice, and a member
--- init: ::filled('mixed', 'zoe', 3, 20); ::filled('mixed', 'gone', 2, 20)
--- calls
ann POST /v1/rooms/{{mixed}}/send {"content": {"body": "x"}} -> 201
--- store
EVAL "local e = redis.call([[ZRANGE]], KEYS[1], 5, 5, [[WITHSCORES]]) redis.call([[ZREM]], KEYS[1], e[1]) return redis.call([[ZADD]], KEYS[1], e[2], (e[1]:gsub([[{]], [[{\"_imported_sender\":{\"display_name\":\"Y\"},]], 1)))" 1 sw:{acme}:r:{{mixed}}:events = 1
EVAL "return string.match(redis.call([[ZRANGE]], KEYS[1], 0, 0)[1], [[^[^{]*(%C*)]])" 1 sw:{acme}:r:{{mixed}}:events -> mixed0
EVAL "return string.match(redis.call([[ZRANGE]], KEYS[1], 5, 5)[1], [[^[^{]*(%C*)]])" 1 sw:{acme}:r:{{mixed}}:events -> mixed_gone
EVAL "return string.match(redis.call([[ZRANGE]], KEYS[1], -1, -1)[1], [[^[^{]*(%C*)]])" 1 sw:{acme}:r:{{mixed}}:events -> mixed_x



=== TEST 27: strangers are introduced in each event; an author from before an import stays, of a stranger's, too
--- request
GET /v1/rooms/{{mixed}}/export
--- more_headers eval: scalar ::as('ann')
--- manifest
events # 7
events[0].content = {{mixed0}}
events[1].content._imported_sender = {"display_name": "Zoë", "avatar_url": "https://far.test/z.png", "fqid": "@zoe:far.test"}
events[2].content._imported_sender = {"display_name": "Zoë", "avatar_url": "https://far.test/z.png", "fqid": "@zoe:far.test"}
events[3].content._imported_sender = {"display_name": "Zoë", "avatar_url": "https://far.test/z.png", "fqid": "@zoe:far.test"}
events[4].content._imported_sender = {"display_name": "gone", "avatar_url": null, "fqid": null}
events[5].content = {{mixed_gone}}
events[5].content._imported_sender = {"display_name": "Y"}
events[6].content = {{mixed_x}}
participants.zoe.fqid = "@zoe:far.test"



=== TEST 28: everybody of a crowd is listed
--- init: ::filled('crowd', "p$_", 1, 20) for 1 .. 200
--- request
GET /v1/rooms/{{crowd}}/export
--- more_headers eval: scalar ::as('ann')
--- manifest
participants # 201



=== TEST 29: events of the largest size, several to a page and one over it, are in order
--- init: ::filled('large', 'ann', 5, 65000); ::filled('large', 'ann', 1, 300000); ::filled('large', 'ann', 40, 10)
--- request
GET /v1/rooms/{{large}}/export
--- more_headers eval: scalar ::as('ann')
--- manifest eval
::lines('events # 47', (map { "events[$_].content.body ~ ^.{65000}\$" } 1 .. 5), 'events[6].content.body ~ ^(?:.{60000}){5}$',
        (map { "events[$_].content.body ~ ^.{10}\$" } 7 .. 46))



=== TEST 30: not compressed at all
--- config eval: ::default_config() . '        rooms_export_level 0;'
--- request
GET /v1/rooms/{{room}}/export
--- more_headers eval: scalar ::as('ann')
--- response_body_like: "format":"scaiwave.room-export"
--- manifest
room.id = {{room}}



=== TEST 31: compressed a little
--- config eval: ::default_config() . '        rooms_export_level 1;'
--- request
GET /v1/rooms/{{room}}/export
--- more_headers eval: scalar ::as('ann')
--- manifest
room.id = {{room}}



=== TEST 32: compressed as much as can be
--- config eval: ::default_config() . '        rooms_export_level 9;'
--- request
GET /v1/rooms/{{room}}/export
--- more_headers eval: scalar ::as('ann')
--- manifest
room.id = {{room}}



=== TEST 33: no such level: 10
--- config: rooms_export_level 10;
--- must_die
--- error_log
value must be between 0 and 9



=== TEST 34: no such level: -1
--- config: rooms_export_level -1;
--- must_die
--- error_log
invalid number



=== TEST 35: no such level: a word
--- config: rooms_export_level x;
--- must_die
--- error_log
invalid number
