# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Idempotency-Key on the POSTs that create.  Requests at the same moment are
# in 11-idempotency-races.t.

use strict;
use warnings;

use Compress::Raw::Zlib ();
use MIME::Base64 ();
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

# A replay has the body of the first answer, to the byte.
our %first;

sub same_as_first {
    my ($name) = @_;

    return sub {
        $first{$name} //= $_[0];

        return $_[0] eq $first{$name} ? 'the same' : "$_[0], not $first{$name}";
    };
}

# Where the answer to one of ann's requests is recorded.
sub record {
    my ($name) = @_;
    my $hash = `printf 'ann\\0%s' '$name' | b2sum -l 128`;
    my $id = MIME::Base64::encode_base64url(pack 'H32', $hash);

    return "sw:{acme}:idem:$id";
}

# As another worker leaves it while the first request is under way.
sub in_flight {
    my ($name) = @_;
    my $key = record($name);
    my $record = RoomsTest::redis('GET', $key) // die "no record: $key\n";
    my ($hash) = $record =~ /^[de] (\S{22}) / or die "record: $record\n";

    save(record_key => $key, record => $record,
         claim => "p $hash 0123456789abcdef");
    RoomsTest::redis('SET', $key, saved('claim'), 'EX', 60);
}

# Packs a text as the module packs ann's answer to this request.
sub packed {
    my ($text, $request) = @_;

    open my $in, '<', 'src/rooms/rooms_pack.c' or die;
    my ($words) = join('', <$in>) =~ /rooms_pack_words\[\] =\s*(.*?);\n/s;
    my %c = (n => "\n", 1 => "\1", 2 => "\2");

    $words = join '', $words =~ /"((?:\\.|[^"\\])*)"/g;
    $words =~ s/\\(.)/$c{$1} \/\/ $1/ge;

    my $z = Compress::Raw::Zlib::Deflate->new(
        -WindowBits => 12, -Dictionary => $words . "ann$request",
        -AppendOutput => 1);
    my $out = '';

    $z->deflate($text, $out);
    $z->flush($out);

    return length($text) . " $out";
}

# Damages the records of eight rooms: cut off, another length, a length that
# nobody has room for, bytes that are no packed answer, and none; and packed
# ones without an end of the first line, of another status, and of a place that
# is no room.  A ninth one gets another answer, which is valid.
sub damage {
    my ($request) = @_;
    my $other = sub {
        my ($text) = @_;
        return sub { substr($_[0], 0, 25) . '0 ' . packed($text, $request) };
    };
    my %how = (short => sub { substr $_[0], 0, -1 },
               other => sub { $_[0] =~ s/^(d \S+ \d+ )(\d+)/$1 . ($2 + 1)/er },
               long => sub { $_[0] =~ s/^(d \S+ \d+ )\d+/${1}999999999999/r },
               bytes => sub { $_[0] =~ s/^(d \S+ \d+ \d+ ).*/$1 . "x" x 90/ser },
               empty => sub { substr $_[0], 0, 24 },
               line => $other->('201'), status => $other->("500 \n{}"),
               place => $other->("201 /etc\n{}"),
               valid => $other->("201 \n{\"data\":{\"id\":\"kept\"}}"));

    for my $name (keys %how) {
        my $key = record("bad-$name");
        my $is = RoomsTest::redis('GET', $key);
        my $bad = $how{$name}->($is);

        die "$name: $is\n" if $bad eq $is;
        RoomsTest::redis('SET', $key, $bad);
    }
}

# How long the store keeps what it remembers.
sub kept_for {
    my @ttl = map { RoomsTest::redis('TTL', $_) }
                  @{RoomsTest::redis('KEYS', 'sw:{acme}:idem:*')};
    my @day = grep { $_ > 86300 && $_ <= 86400 } @ttl;

    return @day . ' for a day, ' . (@ttl - @day) . ' for another time';
}

sub commits_for_ever {
    return scalar grep { RoomsTest::redis('TTL', $_) == -1 }
                       @{RoomsTest::redis('KEYS', 'sw:*:commit:*')};
}

no_shuffle();
run_tests();

__DATA__

=== TEST 1: participants, and two rooms
--- calls
ann,bob,cy POST /v1/auth/register -> 200
ann POST /v1/rooms {"room_type":"group","name":"First"} -> 201
    save room: json data.id
ann POST /v1/rooms {"room_type":"group","name":"Second"} -> 201
    save second: json data.id
ann POST /v1/rooms {"room_type":"group","name":"Third"} -> 201
    save closed: json data.id



=== TEST 2: of which bob is in the first, and the third is closed
--- calls
ann POST /v1/rooms/{{room}}/invite {"participant_id":"bob"} -> 200
bob POST /v1/rooms/{{room}}/join -> 200
ann POST /v1/rooms/{{closed}}/close -> 200
--- store
GET sw:{acme}:position -> position_before



=== TEST 3: a request that fails releases its key
--- calls
ann POST /v1/rooms {"room_type":"group"} -> 400 SW_VALIDATION_FAILED
    > Idempotency-Key: room
ann POST /v1/rooms/{{room}}/send {"content":1} -> 400 SW_VALIDATION_FAILED
    > Idempotency-Key: message
ann POST /v1/workspaces {} -> 400 SW_VALIDATION_FAILED
    > Idempotency-Key: workspace
ann POST /v1/rooms/dm {} -> 400 SW_VALIDATION_FAILED
    > Idempotency-Key: dm
--- store
KEYS sw:{acme}:idem:* =
GET sw:{acme}:position = {{position_before}}



=== TEST 4: the first answer is no replay
--- request eval
["POST /v1/rooms\n" . '{"room_type":"group","name":"Idem"}', "POST /v1/rooms/{{room}}/send\n" . '{"content":{"n":1}}',
 "POST /v1/workspaces\n" . '{"name":"Idem"}', "POST /v1/rooms/dm\n" . '{"participant_id":"cy"}']
--- more_headers eval
[map { main::as('ann') . "\nIdempotency-Key: $_" } qw(room message workspace dm)]
--- error_code eval
[(201) x 4]
--- response_headers eval
[('! Idempotency-Replayed') x 4]
--- capture eval
["new_room: json data.id\nroom_location: header Location", "new_message: json data.id",
 "new_workspace: json data.id", "new_dm: json data.id\ndm_location: header Location"]
--- store
GET sw:{acme}:position -> position
HGET sw:{acme}:tenant rooms -> rooms



=== TEST 5: the same again gets that answer, says so, and makes nothing
--- request eval
[("POST /v1/rooms\n" . '{"room_type":"group","name":"Idem"}') x 2, ("POST /v1/rooms/{{room}}/send\n" . '{"content":{"n":1}}') x 2,
 ("POST /v1/workspaces\n" . '{"name":"Idem"}') x 2, ("POST /v1/rooms/dm\n" . '{"participant_id":"cy"}') x 2]
--- more_headers eval
[map { (main::as('ann') . "\nIdempotency-Key: $_") x 2 } qw(room message workspace dm)]
--- error_code eval
[(201) x 8]
--- response_headers eval
[("Idempotency-Replayed: true\nLocation: {{room_location}}") x 2, ("Idempotency-Replayed: true") x 4,
 ("Idempotency-Replayed: true\nLocation: {{dm_location}}") x 2]
--- json eval
[("data.id = {{new_room}}\ndata.name = Idem") x 2, ("data.id = {{new_message}}\ndata.content = {\"n\":1}") x 2,
 ("data.id = {{new_workspace}}\ndata.name = Idem") x 2, ("data.id = {{new_dm}}\ndata.room_type = dm") x 2]
--- store
GET sw:{acme}:position = {{position}}
HGET sw:{acme}:tenant rooms = {{rooms}}



=== TEST 6: a record is kept for a day
--- request
GET /v1/workspaces
--- more_headers eval
main::as('ann')
--- response_body_filters eval
\&main::kept_for
--- response_body chomp
4 for a day, 0 for another time



=== TEST 7: another body is another request, and the record stays
--- calls
ann POST /v1/rooms {"room_type":"group","name":<"Other"|"idem"| "Idem">} -> 409 SW_IDEMPOTENCY_CONFLICT
    > Idempotency-Key: room
ann POST /v1/rooms/{{room}}/send {"content":{"n":2}} -> 409 SW_IDEMPOTENCY_CONFLICT
    > Idempotency-Key: message
ann POST /v1/workspaces {"name":"Other"} -> 409 SW_IDEMPOTENCY_CONFLICT
    > Idempotency-Key: workspace
ann POST /v1/rooms/dm {"participant_id":"bob"} -> 409 SW_IDEMPOTENCY_CONFLICT
    > Idempotency-Key: dm
ann POST /v1/rooms {"room_type":"group","name":"Idem"} -> 201
    > Idempotency-Key: room
    < Idempotency-Replayed: true
    < Location: {{room_location}}
    data.id = {{new_room}}
ann POST /v1/rooms/{{room}}/send {"content":{"n":1}} -> 201
    > Idempotency-Key: message
    data.id = {{new_message}}
ann POST /v1/workspaces {"name":"Idem"} -> 201
    > Idempotency-Key: workspace
    data.id = {{new_workspace}}
ann POST /v1/rooms/dm {"participant_id":"cy"} -> 201
    > Idempotency-Key: dm
    < Location: {{dm_location}}
    data.id = {{new_dm}}



=== TEST 8: another caller's key is another
--- calls
bob POST /v1/rooms {"room_type":"group","name":"Idem"} -> 201
    > Idempotency-Key: room
    < ! Idempotency-Replayed
    data.id != {{new_room}}
bob POST /v1/rooms/{{room}}/send {"content":{"n":1}} -> 201
    > Idempotency-Key: message
    data.id != {{new_message}}
bob POST /v1/workspaces {"name":"Idem"} -> 201
    > Idempotency-Key: workspace
    data.id != {{new_workspace}}
bob POST /v1/rooms/dm {"participant_id":"cy"} -> 201
    > Idempotency-Key: dm
    data.id != {{new_dm}}



=== TEST 9: without a key, or with another one, the same again is another
--- calls
ann POST /v1/rooms {"room_type":"group","name":"Idem"} -> 201
    data.id != {{new_room}}
ann POST /v1/rooms {"room_type":"group","name":"Idem"} -> 201
    > Idempotency-Key: another-room
    data.id != {{new_room}}
ann POST /v1/rooms/{{room}}/send {"content":{"n":1}} -> 201
    data.id != {{new_message}}
ann POST /v1/rooms/{{room}}/send {"content":{"n":1}} -> 201
    > Idempotency-Key: another-message
    data.id != {{new_message}}
ann POST /v1/workspaces {"name":"Idem"} -> 201
    data.id != {{new_workspace}}
ann POST /v1/workspaces {"name":"Idem"} -> 201
    > Idempotency-Key: another-workspace
    data.id != {{new_workspace}}



=== TEST 10: while the first one is under way, the same waits, another is refused
--- init
main::in_flight('workspace');
--- calls
ann POST /v1/workspaces {"name":"Idem"} -> 409 SW_CONFLICT
    > Idempotency-Key: workspace
    < Retry-After: 1
ann POST /v1/workspaces {"name":"Other"} -> 409 SW_IDEMPOTENCY_CONFLICT
    > Idempotency-Key: workspace



=== TEST 11: another's claim isn't released by who met it
--- request
GET /v1/workspaces
--- more_headers eval
main::as('ann')
--- store
GET {{record_key}} = {{claim}}



=== TEST 12: the answer of a claim that is done; and who finds no record makes anew
--- init
RoomsTest::redis('SET', main::saved('record_key'), main::saved('record'));
--- calls
ann POST /v1/workspaces {"name":"Idem"} -> 201
    > Idempotency-Key: workspace
    data.id = {{new_workspace}}



=== TEST 13: ... as after a day
--- init
RoomsTest::redis('DEL', main::saved('record_key'));
--- calls
ann POST /v1/workspaces {"name":"Idem"} -> 201
    > Idempotency-Key: workspace
    < ! Idempotency-Replayed
    data.id != {{new_workspace}}



=== TEST 14: a room that is being made
--- init
main::in_flight('room');
--- calls
ann POST /v1/rooms {"room_type":"group","name":"Idem"} -> 409 SW_CONFLICT
    > Idempotency-Key: room
    < Retry-After: 1
ann POST /v1/rooms {"room_type":"group","name":"Other"} -> 409 SW_IDEMPOTENCY_CONFLICT
    > Idempotency-Key: room



=== TEST 15: ... its claim is there, then it is done, then forgotten
--- init
die if RoomsTest::redis('GET', main::saved('record_key')) ne main::saved('claim');
RoomsTest::redis('SET', main::saved('record_key'), main::saved('record'));
--- calls
ann POST /v1/rooms {"room_type":"group","name":"Idem"} -> 201
    > Idempotency-Key: room
    data.id = {{new_room}}



=== TEST 16: a message that is being sent
--- init
RoomsTest::redis('DEL', main::saved('record_key'));
main::in_flight('message');
--- calls
ann POST /v1/rooms {"room_type":"group","name":"Idem"} -> 201
    > Idempotency-Key: room
    data.id != {{new_room}}
ann POST /v1/rooms/{{room}}/send {"content":{"n":1}} -> 409 SW_CONFLICT
    > Idempotency-Key: message
    < Retry-After: 1
ann POST /v1/rooms/{{room}}/send {"content":{"n":2}} -> 409 SW_IDEMPOTENCY_CONFLICT
    > Idempotency-Key: message



=== TEST 17: ... its claim is there, then it is done, then forgotten
--- init
die if RoomsTest::redis('GET', main::saved('record_key')) ne main::saved('claim');
RoomsTest::redis('SET', main::saved('record_key'), main::saved('record'));
--- calls
ann POST /v1/rooms/{{room}}/send {"content":{"n":1}} -> 201
    > Idempotency-Key: message
    data.id = {{new_message}}



=== TEST 18: the same key in another room, or on another path, is another request
--- init
RoomsTest::redis('DEL', main::saved('record_key'));
--- calls
ann POST /v1/rooms/{{room}}/send {"content":{"n":1}} -> 201
    > Idempotency-Key: message
    data.id != {{new_message}}
ann POST /v1/rooms/{{room}}/send {"content":{}} -> 201
    > Idempotency-Key: rooms
ann POST /v1/rooms/{{second}}/send {"content":{}} -> 409 SW_IDEMPOTENCY_CONFLICT
    > Idempotency-Key: rooms
ann POST /v1/workspaces {"name":"x"} -> 409 SW_IDEMPOTENCY_CONFLICT
    > Idempotency-Key: rooms



=== TEST 19: failures of any kind release the key
--- calls
cy POST /v1/rooms/{{second}}/send {"content":{}} -> 404 SW_ROOM_NOT_FOUND
    > Idempotency-Key: released
ann POST /v1/rooms/{{closed}}/send {"content":{}} -> 409 SW_ROOM_FROZEN
    > Idempotency-Key: released
ann POST /v1/rooms/{{second}}/send {"content":{"a":"{{x*65536}}"}} -> 413 SW_CONTENT_TOO_LARGE
    > Idempotency-Key: released
ann POST /v1/rooms {"room_type":"dm"} -> 400 SW_ROOM_TYPE_INVARIANT
    > Idempotency-Key: released
ann POST /v1/rooms {"room_type":"group","name":"x","workspace_id":"ws-x"} -> 404 SW_WORKSPACE_NOT_FOUND
    > Idempotency-Key: released
ann POST /v1/rooms {"room_type":"group","name":"x"} -> 201
    > Idempotency-Key: released



=== TEST 20: a room, as it was when it was made
--- request
POST /v1/rooms
{"room_type":"group","name":"Before","topic":"\"\\é"}
--- more_headers eval
main::as('ann') . "\nIdempotency-Key: rename"
--- error_code: 201
--- response_body_filters eval
main::same_as_first('renamed')
--- response_body chomp
the same
--- capture
location: header Location



=== TEST 21: its id
--- request
GET {{location}}
--- more_headers eval
main::as('ann')
--- json
data.name = Before
--- capture
renamed: json data.id



=== TEST 22: it is renamed
--- calls
ann PUT /v1/rooms/{{renamed}}/name {"name":"After"} -> 200



=== TEST 23: a replay says what was said, to the byte
--- request
POST /v1/rooms
{"room_type":"group","name":"Before","topic":"\"\\é"}
--- more_headers eval
main::as('ann') . "\nIdempotency-Key: rename"
--- error_code: 201
--- response_headers
Location: {{location}}
--- response_body_filters eval
main::same_as_first('renamed')
--- response_body chomp
the same



=== TEST 24: it is closed
--- calls
ann POST /v1/rooms/{{renamed}}/close -> 200



=== TEST 25: also then
--- request
POST /v1/rooms
{"room_type":"group","name":"Before","topic":"\"\\é"}
--- more_headers eval
main::as('ann') . "\nIdempotency-Key: rename"
--- error_code: 201
--- response_headers
Location: {{location}}
--- response_body_filters eval
main::same_as_first('renamed')
--- response_body chomp
the same



=== TEST 26: a replay of a message has the numbers, the position and the id of the first, whatever was sent since
--- request eval
my $message = 'POST /v1/rooms/{{room}}/send' . "\n" . '{"content":{"a":1.10,"b":"\u0001\u0002"}}';
[$message, "POST /v1/rooms/{{room}}/send\n" . '{"content":{}}', $message, 'GET /v1/rooms/{{room}}/messages?limit=2']
--- more_headers eval
[main::as('ann') . "\nIdempotency-Key: numbers", main::as('ann'), main::as('ann') . "\nIdempotency-Key: numbers", main::as('ann')]
--- error_code eval
[201, 201, 201, 200]
--- response_headers eval
['! Idempotency-Replayed', '! Idempotency-Replayed', 'Idempotency-Replayed: true', '']
--- response_body_like eval
['"content":\{"a":1\.10,"b":"\\\\u0001\\\\u0002"\}', '"content":\{\}', '"content":\{"a":1\.10,"b":"\\\\u0001\\\\u0002"\}', 'data']
--- json eval
["data ?", "data ?", "data = {{numbers}}", "data # 2"]
--- capture eval
["numbers: json data\nnumbers_id: json data.id\nnumbers_position: json data.stream_position", ('') x 3]



=== TEST 27: its text isn't kept for that
--- request
POST /v1/rooms/{{room}}/send
{"content":{"body":"an unlikely text"}}
--- more_headers eval
main::as('ann') . "\nIdempotency-Key: unlikely"
--- error_code: 201
--- response_body_filters eval
main::same_as_first('unlikely')
--- response_body chomp
the same



=== TEST 28: its id
--- calls
ann POST /v1/rooms/{{room}}/send {"content":{"body":"an unlikely text"}} -> 201
    > Idempotency-Key: unlikely
    save unlikely: json data.id



=== TEST 29: it is edited
--- calls
ann POST /v1/rooms/{{room}}/events/{{unlikely}}/edit {"content":{"body":"another"}} -> 200
    data.content.body = another



=== TEST 30: the first answer comes also then, to the byte
--- request
POST /v1/rooms/{{room}}/send
{"content":{"body":"an unlikely text"}}
--- more_headers eval
main::as('ann') . "\nIdempotency-Key: unlikely"
--- error_code: 201
--- response_headers
Idempotency-Replayed: true
--- response_body_filters eval
main::same_as_first('unlikely')
--- response_body chomp
the same



=== TEST 31: ... in a record that is small
--- request
GET /v1/workspaces
--- more_headers eval
main::as('ann')
--- response_body_filters eval
sub { length(RoomsTest::redis('GET', main::record('unlikely'))) < 140 ? 'small' : 'large' }
--- response_body chomp
small



=== TEST 32: ... and history has the other once
--- calls
ann GET /v1/rooms/{{room}}/messages?limit=5 -> 200
    data[3].id = {{numbers_id}}
    data[3].stream_position = {{numbers_position}}
    data[2].id != {{numbers_id}}
    data[4].id != {{numbers_id}}
ann POST /v1/rooms/{{room}}/send {"content":{"n":1},"event_uuid":"both"} -> 201
    save uuid_message: json data
    save position: json data.stream_position



=== TEST 33: a key for a uuid that is there already
--- calls
ann POST /v1/rooms/{{room}}/send {"content":{"n":1},"event_uuid":"both"} -> 201 x2
    > Idempotency-Key: both
    data = {{uuid_message}}
ann POST /v1/rooms {"room_type":"incognito"} -> 201
    save dark: json data.id
ann GET /v1/rooms/{{room}}/messages?limit=1 -> 200
    data[0].stream_position = {{position}}



=== TEST 34: in an incognito room
--- calls
ann POST /v1/rooms/{{dark}}/send {"content":{"n":1}} -> 201
    > Idempotency-Key: dark
    save dark_message: json data
    data.do_not_index = true
ann POST /v1/rooms/{{dark}}/send {"content":{"n":1}} -> 201
    > Idempotency-Key: dark
    < Idempotency-Replayed: true
    data = {{dark_message}}
ann POST /v1/rooms/{{dark}}/send {"content":{"n":2}} -> 409 SW_IDEMPOTENCY_CONFLICT
    > Idempotency-Key: dark
ann POST /v1/rooms/{{dark}}/leave -> 200
ann POST /v1/rooms/{{dark}}/send {"content":{"n":1}} -> 404 SW_ROOM_NOT_FOUND
    > Idempotency-Key: dark



=== TEST 35: what a key may be: up to 255 letters that are seen
--- calls
ann POST /v1/rooms {"room_type":"group","name":"x"} -> 400 SW_VALIDATION_FAILED Idempotency-Key
    > Idempotency-Key: {{x*256}}
ann POST /v1/rooms {"room_type":"group","name":"x"} -> 400 SW_VALIDATION_FAILED Idempotency-Key
    > Idempotency-Key: a b
ann POST /v1/rooms {"room_type":"group","name":"x"} -> 400 SW_VALIDATION_FAILED Idempotency-Key
    > Idempotency-Key: a{{\xe9}}
ann POST /v1/rooms {"room_type":"group","name":"x"} -> 201
    > Idempotency-Key: {{x*255}}
ann@full POST /v1/auth/register -> 200



=== TEST 36: a replay takes no place in a full tenant
--- init
RoomsTest::redis('HSET', 'sw:{full}:tenant', 'max_rooms', 1);
--- calls
ann@full POST /v1/rooms {"room_type":"group","name":"x"} -> 201
    > Idempotency-Key: full
    save only_room: json data
ann@full POST /v1/rooms {"room_type":"group","name":"x"} -> 201
    > Idempotency-Key: full
    data = {{only_room}}
ann@full POST /v1/rooms {"room_type":"group","name":"y"} -> 409 SW_TENANT_CAPACITY
    > Idempotency-Key: full2



=== TEST 37: and its refusal released the key
--- init
RoomsTest::redis('HSET', 'sw:{full}:tenant', 'max_rooms', 2);
--- calls
ann@full POST /v1/rooms {"room_type":"group","name":"y"} -> 201
    > Idempotency-Key: full2



=== TEST 38: what the store remembers of commits expires
--- request
GET /v1/workspaces
--- more_headers eval
main::as('ann')
--- response_body_filters eval
\&main::commits_for_ever
--- response_body chomp
0


=== TEST 39: an answer that is kept is small, and has the request's words nowhere
--- init
RoomsTest::redis('SET', 'sw:{acme}:position', 9_000_000_000_000);
--- calls
ann POST /v1/rooms {"room_type":"group","name":"Conference","topic":"Wilhelmina and the others in a long row of words"} -> 201
    > Idempotency-Key: packed
    save packed: json data
    save packed_id: json data.id
    save packed_position: json data.last_event_position
    ~ "last_event_position":90000000000



=== TEST 40: ... in what is kept for it
--- request
GET /v1/workspaces
--- more_headers eval
main::as('ann')
--- response_body_filters eval
sub {
    my $kept = RoomsTest::redis('GET', main::record('packed'));
    return length($kept) < 220 && $kept !~ /Conf|Wilh|words|created/ ? 'small' : "$kept";
}
--- response_body chomp
small



=== TEST 41: with the position that the commit got, which isn't the one proposed
--- calls
ann POST /v1/rooms {"room_type":"group","name":"Conference","topic":"Wilhelmina and the others in a long row of words"} -> 201
    > Idempotency-Key: packed
    < Idempotency-Replayed: true
    data = {{packed}}
ann GET /v1/rooms/{{packed_id}} -> 200
    data.last_event_position = {{packed_position}}



=== TEST 42: rooms whose records get damaged
--- calls
ann POST /v1/rooms {"room_type":"group","name":"x"} -> 201
    > Idempotency-Key: bad-short
ann POST /v1/rooms {"room_type":"group","name":"x"} -> 201
    > Idempotency-Key: bad-other
ann POST /v1/rooms {"room_type":"group","name":"x"} -> 201
    > Idempotency-Key: bad-long
ann POST /v1/rooms {"room_type":"group","name":"x"} -> 201
    > Idempotency-Key: bad-bytes
ann POST /v1/rooms {"room_type":"group","name":"x"} -> 201
    > Idempotency-Key: bad-empty
ann POST /v1/rooms {"room_type":"group","name":"x"} -> 201
    > Idempotency-Key: bad-line
ann POST /v1/rooms {"room_type":"group","name":"x"} -> 201
    > Idempotency-Key: bad-status
ann POST /v1/rooms {"room_type":"group","name":"x"} -> 201
    > Idempotency-Key: bad-place
ann POST /v1/rooms {"room_type":"group","name":"x"} -> 201
    > Idempotency-Key: bad-valid
--- store
GET sw:{acme}:position -> undamaged



=== TEST 43: a record that can't be read is an error, and the log says so
--- init
main::damage('{"room_type":"group","name":"x"}');
--- calls
ann POST /v1/rooms {"room_type":"group","name":"x"} -> 500 SW_INTERNAL
    > Idempotency-Key: bad-short
--- error_log
the store holds an unreadable answer



=== TEST 44: ... whatever is wrong with it, and nothing is made again
--- calls
ann POST /v1/rooms {"room_type":"group","name":"x"} -> 500 SW_INTERNAL
    > Idempotency-Key: bad-short
ann POST /v1/rooms {"room_type":"group","name":"x"} -> 500 SW_INTERNAL
    > Idempotency-Key: bad-other
ann POST /v1/rooms {"room_type":"group","name":"x"} -> 500 SW_INTERNAL
    > Idempotency-Key: bad-long
ann POST /v1/rooms {"room_type":"group","name":"x"} -> 500 SW_INTERNAL
    > Idempotency-Key: bad-bytes
ann POST /v1/rooms {"room_type":"group","name":"x"} -> 500 SW_INTERNAL
    > Idempotency-Key: bad-empty
ann POST /v1/rooms {"room_type":"group","name":"x"} -> 500 SW_INTERNAL
    > Idempotency-Key: bad-line
ann POST /v1/rooms {"room_type":"group","name":"x"} -> 500 SW_INTERNAL
    > Idempotency-Key: bad-status
ann POST /v1/rooms {"room_type":"group","name":"x"} -> 500 SW_INTERNAL
    > Idempotency-Key: bad-place
ann POST /v1/rooms {"room_type":"group","name":"x"} -> 201
    > Idempotency-Key: bad-valid
    data.id = kept
--- store
GET sw:{acme}:position = {{undamaged}}



=== TEST 45: a long one, of a request that is longer than what the answer is packed with
--- request eval
[("POST /v1/rooms\n" . '{"room_type":"group","name":"Long","topic":"' . '\ud83d\ude00a' x 500 . '"}') x 2]
--- more_headers eval
[(main::as('ann') . "\nIdempotency-Key: long") x 2]
--- error_code eval
[201, 201]
--- response_headers eval
['! Idempotency-Replayed', 'Idempotency-Replayed: true']
--- response_body_filters eval
main::same_as_first('long')
--- response_body eval
['the same', 'the same']
