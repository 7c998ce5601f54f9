# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# POST /v1/rooms/import: what comes out of a bundle, and what a dry run says.
# What is refused is in t/23-import-refused.t, archives as other programs pack
# them in t/23-import-packed.t, many imports at the same moment in
# t/23-import-many.t.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use File::Temp ();
use JSON::PP ();
use Test::More ();

use lib 't/lib';
use RoomsTest;
use RoomsTest::Bundle qw(bundle event form imports manifest medium state unzip
                         zip);
use RoomsTest::Process qw(wait_for);
use Test::Nginx::Socket 'no_plan';

my $dir = File::Temp->newdir('rooms-media-XXXXXXXX', TMPDIR => 1);

$ENV{TEST_NGINX_MEDIA} = "$dir";

our $json = JSON::PP->new->utf8->canonical;

default_config(<<'END');
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_server_name new.example;
        rooms_media_path $TEST_NGINX_MEDIA;
        rooms_import_limits unpacked=8m entries=50 ratio=100 stored=4m;
        location /v1/ { rooms on; client_max_body_size 2m; }
        location = /v1/rooms/import { rooms on; client_max_body_size 32m; }
END

# The headers of a form.
sub form_of { return as($_[0]) . "\nContent-Type: " . (form('x'))[1] }

# A bundle of which a part of the text is another one.
sub text_with {
    my ($find, $replace) = @_;
    my $text = $json->encode(manifest());

    $text =~ s/\Q$find\E/$replace/ or die "no $find\n";

    return bundle($text);
}

# A content of so many levels.
sub levels { return '{"a":' x ($_[0] - 1) . '{}' . '}' x ($_[0] - 1) }

# The same bundle as a dry run and as an import; what they answer if it is
# right, and if it isn't.
sub both {
    return map { (imports($_, dry_run => 'true'), imports($_)) } @_;
}

sub right { return ("data.valid = true", "data.id ~ ^room-") x $_[0] }

sub wrong {
    return ("data.valid = false", "error.code = SW_BUNDLE_INVALID") x $_[0];
}

# A body filter: the bundle's manifest.
sub manifest_of { return unzip($_[0])->{'manifest.json'} }

# A body filter: by how much a page's positions are past the first one; an id
# that doesn't begin with its position stands beside it.
sub places {
    my @events = @{ RoomsTest::JSON::json_get($_[0], 'data') };

    return join ' ', map {
        my $at = $_->{stream_position};

        ($at - $events[0]{stream_position})
            . ($_->{id} =~ sprintf('^evt-%013x[0-9a-f]{16}$', $at)
               ? '' : "($_->{id})")
    } @events;
}

# "--- unchanged": the block has written nothing, neither keys nor files.
add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(unchanged => state("$dir"))
        if defined $block->unchanged;

    # (what NGINX itself says of a long body is in the log from the last block on)
    $block->set_value(no_error_log => '[error]')
        if !defined $block->no_error_log;
});

add_response_body_check(sub {
    my ($block) = @_;
    my $before = $block->unchanged;

    return if !defined $before;

    wait_for(10, sub { state("$dir") eq $before });
    Test::More::is(state("$dir"), $before, $block->name . ' - unchanged');
});


# ------------------------------------------- a bundle with all that there may be

our @media = ([medium('first content', 'a.txt', media_id => 'med-old1')],
              [medium("\0\1binary" x 5000, 'b.bin', media_id => 'med-old2',
                      mime_type => 'image/png')],
              [medium('first content', 'copy.txt', media_id => 'med-old3')]);

save(sha1 => $media[0][0]{sha256}, sha2 => $media[1][0]{sha256});

our @history = map { event(10 * $_, "m $_") } 1 .. 9;

# an edited message and its edit, a redacted one and its redaction, a reaction,
# attachments, an author from before an earlier import, a read marker
delete $history[0]{created_at};
$history[1]{content} = { body => 'new', media_id => 'med-old1' };
$history[1]{original_content} = { body => 'old', media_id => 'med-old1' };
$history[1]{edited_at} = '2023-11-15T00:00:00.5+01:00';
$history[2] = event(30, { replaces => $history[1]{id}, content =>
                          { body => 'new', media_id => 'med-old1' } });
$history[3] = event(40, {}, redacted_at => '2023-11-16T00:00:00Z');
$history[4] = event(50, { event_id => $history[3]{id}, reason => 'spam' },
                    event_type => 'swp.room.redaction');
$history[5] = event(60, { event_id => $history[0]{id}, emoji => "\x{1f600}",
                          action => 'add' },
                    event_type => 'swp.room.reaction', sender_id => 'bob');
$history[6] = event(70, { body => 'two', attachments =>
                          [{ media_id => 'med-old2', w => 10 }, 7,
                           { media_id => 'med-gone' }] });
$history[7] = event(80, { body => 'kept', _imported_sender =>
                          { display_name => 'Far', avatar_url => undef,
                            fqid => '@far:away' } });
$history[8] = event(90, { event_id => $history[0]{id} },
                    event_type => 'swp.room.read_marker');

# 300 messages of two authors, one of whom has a picture with a long address
our @crowd = map { event($_, { body => "m$_" },
                         sender_id => $_ % 3 ? 'long' : 'alice') } 1 .. 300;

$crowd[-1]{edited_at} = '2023-11-15T00:00:00Z';
$crowd[-1]{original_content} = { body => 'was', _imported_sender =>
                                 { display_name => 'Before' } };

our $crowd = manifest(events => \@crowd);

$crowd->{participants}{long}
    = { display_name => 'Lo', fqid => '@long:old.example',
        avatar_url => 'https://a.example/' . 'x' x 1500 };

save(authors => join ',', ('"Lo","Lo","Alice"') x 100);

no_shuffle();
run_tests();

__DATA__

=== TEST 1: the importer
--- calls
ina POST /v1/auth/register -> 200



=== TEST 2: a bundle becomes a room; read markers stay behind
--- request eval
package main; our (@history, @media);
imports(bundle(manifest(events => \@history, media => [map { $_->[0] } @media],
                        missing_media => [{ media_id => 'med-gone' }]),
               $media[0][1], $media[1][1]))
--- more_headers eval: ::form_of('ina')
--- error_code: 201
--- capture
room: json data.id
location: header Location
--- json
data.id ~ ^room-[0-9a-z]{26}$
data.room_alias = #old-room:new.example
data.events_imported = 8
data.media_imported = 3



=== TEST 3: the answer says where it is; the importer has made it, is alone in it, and has nothing to read
--- calls
ina GET {{location}} -> 200
    data.id = {{room}}
    save last: json data.last_event_position
    data.name = Old room
    data.topic = Talk
    data.room_type = group
    data.creator_id = ina
    data.members_count = 1
    data.me.power_level = 100
    data.me.unread_count = 0



=== TEST 4: the events are the importer's, in their order, and that of the creation is the last one
--- calls
ina GET /v1/rooms/{{room}}/messages?direction=forward&limit=200 -> 200
    save event0: json data[0].id
    save event1: json data[1].id
    save event3: json data[3].id
    save new1: json data[1].content.media_id
    save new2: json data[6].content.attachments[0].media_id
    data # 9
    data[*].sender_id = ["ina","ina","ina","ina","ina","ina","ina","ina","ina"]
    data[*].room_id = ["{{room}}","{{room}}","{{room}}","{{room}}","{{room}}","{{room}}","{{room}}","{{room}}","{{room}}"]
    data[*].event_type = ["swp.room.message","swp.room.message","swp.room.message","swp.room.message","swp.room.redaction","swp.room.reaction","swp.room.message","swp.room.message","swp.room.create"]
    data[8].content.imported = true
    data[8].stream_position = {{last}}



=== TEST 5: positions have no gap before the creation, and ids are of their places
--- request
GET /v1/rooms/{{room}}/messages?direction=forward&limit=200
--- more_headers eval: ::as('ina')
--- response_body_filters eval: \&::places
--- response_body_like: \A0 1 2 3 4 5 6 7 (?:[89]|\d\d+)\z



=== TEST 6: no imported event is indexed
--- calls
ina GET /v1/rooms/{{room}}/messages?direction=forward&limit=8 -> 200
    data[*].do_not_index = [true,true,true,true,true,true,true,true]



=== TEST 7: an event has its author and its times; what edits and redactions left; references and media are the new ones
--- calls
ina GET /v1/rooms/{{room}}/messages?direction=forward&limit=200 -> 200
    data[0].content = {"body":"m 1","_imported_sender":{"display_name":"Alice","fqid":"@alice:old.example","avatar_url":null}}
    data[0].origin_ts = 1700000010
    data[0].created_at = 2023-11-14T22:13:30.000Z
    data[1].content.media_id ~ ^med-[0-9a-z]{26}$
    data[1].original_content = {"body":"old","media_id":"{{new1}}"}
    data[1].edited_at = 2023-11-14T23:00:00.500Z
    data[2].content.content.media_id = {{new1}}
    data[2].content.replaces = {{event1}}
    data[3].created_at = 2023-11-14T22:00:40.040Z
    data[3].redacted_at = 2023-11-16T00:00:00.000Z
    data[4].content.event_id = {{event3}}
    data[5].content.event_id = {{event0}}
    data[5].content.emoji = 😀
    data[5].content._imported_sender.display_name = bob
    data[6].content.attachments[2].media_id = med-gone
    data[7].content._imported_sender.fqid = @far:away



=== TEST 8: a medium is known by its type and name, to nobody of another tenant
--- calls
ina GET /v1/media/{{new2}}/info -> 200
    data.sha256 = "{{sha2}}"
    data.mime_type = image/png
    data.name = b.bin
eve@other GET /v1/media/{{new2}}/info -> 404 SW_NOT_FOUND



=== TEST 9: ... and has its bytes
--- request eval
["GET /v1/media/download/{{new2}}", "GET /v1/media/download/{{new1}}"]
--- more_headers eval: ::as('ina')
--- error_code eval
[200, 200]
--- response_body eval
["\0\1binary" x 5000, 'first content']



=== TEST 10: two media of a content count twice; nothing of the room expires; no participant was made
--- calls
ina GET /v1/rooms/{{room}} -> 200
--- store
HGET sw:{acme}:blobs {{sha1}} = 2
TTL sw:{acme}:r:{{room}}:events = -1
TTL sw:{acme}:r:{{room}}:copies = -1
TTL sw:{acme}:r:{{room}}:authors = -1
TTL sw:{acme}:r:{{room}}:tally = -1
TTL sw:{acme}:r:{{room}}:counts = -1
HKEYS sw:{acme}:participants = ina



=== TEST 11: a redaction of an imported message wipes what its edit holds
--- calls
ina POST /v1/rooms/{{room}}/events/{{event1}}/redact {} -> 200
ina GET /v1/rooms/{{room}}/messages?direction=forward&limit=200 -> 200
    data[2].content = {"replaces":"{{event1}}"}



=== TEST 12: a DM becomes a group, with a name
--- request eval
package main; imports(bundle(manifest(room => { room_type => 'dm', name => undef })))
--- more_headers eval: ::form_of('ina')
--- error_code: 201
--- capture
dm: json data.id



=== TEST 13: a public room stays public; the form gives a name
--- request eval
package main; imports(bundle(manifest(room => { room_type => 'public', name => 'Town square' })), name => ' My square ')
--- more_headers eval: ::form_of('ina')
--- error_code: 201
--- capture
public: json data.id



=== TEST 14: ... as everybody sees
--- calls
ina GET /v1/rooms/{{dm}} -> 200
    data.room_type = group
    data.name = Imported conversation
bob GET /v1/rooms/{{public}} -> 200
    data.room_type = public
    data.name = My square
ina POST /v1/workspaces {"name":"Team"} -> 201
    save workspace: json data.id



=== TEST 15: the form gives a workspace; an alias that is taken is numbered
--- request eval
package main; imports(bundle(manifest()), workspace_id => '{{workspace}}')
--- more_headers eval: ::form_of('ina')
--- error_code: 201
--- capture
team: json data.id
--- json
data.room_alias = #old-room-2:new.example



=== TEST 16: a workspace isn't there for strangers
--- request eval
package main; imports(bundle(manifest()), workspace_id => '{{workspace}}')
--- more_headers eval: ::form_of('bob')
--- error_code: 404
--- json
error.code = SW_WORKSPACE_NOT_FOUND



=== TEST 17: somebody who may look at it
--- calls
ina GET /v1/rooms/{{team}} -> 200
    data.workspace_id = {{workspace}}
ina POST /v1/workspaces/{{workspace}}/members {"participant_id":"bob","role":"viewer"} -> 200



=== TEST 18: ... imports nothing into it, nor into one that isn't there
--- request eval
package main;
[map { imports(bundle(manifest()), workspace_id => $_) } '{{workspace}}', 'ws-nope']
--- more_headers eval: ::form_of('bob')
--- error_code eval
[403, 404]
--- json eval
['error.code = SW_WORKSPACE_FORBIDDEN', 'error.code = SW_WORKSPACE_NOT_FOUND']



=== TEST 19: a room without events
--- request eval
package main; imports(bundle(manifest(events => [])))
--- more_headers eval: ::form_of('ina')
--- error_code: 201
--- capture
empty: json data.id
--- json
data.events_imported = 0



=== TEST 20: ... was created
--- calls
ina GET /v1/rooms/{{empty}}/messages -> 200
    data # 1



=== TEST 21: a manifest with escapes, in keys too, and with white space
--- request eval
package main;
my $text = JSON::PP->new->utf8->canonical->pretty->encode(manifest(events => [map { event($_, "m $_") } 1 .. 3]));
$text =~ s/"body" :/"b\\u006fdy" :/;
$text =~ s/"sender_id"/"sender\\u005fid"/;
$text =~ s/"body" : "m 2"/"n" : 1.10, "e": 1E2, "body": "\\u00e9\\\/"/;
imports(bundle($text))
--- more_headers eval: ::form_of('ina')
--- error_code: 201
--- capture
room: json data.id



=== TEST 22: ... numbers keep their digits, white space goes, an escaped key is the same key
--- calls
ina GET /v1/rooms/{{room}}/messages?direction=forward -> 200
    data[*].content._imported_sender.display_name = ["Alice","Alice","Alice"]
--- store
ZRANGE sw:{acme}:r:{{room}}:events 0 -1 ~ ^(?:(?!"n":1\.10,"e":1E2,).)*"n":1\.10,"e":1E2,(?!.*"n":1\.10)
ZRANGE sw:{acme}:r:{{room}}:events 0 -1 ~ ^(?!(?s:.)*\s")
ZRANGE sw:{acme}:r:{{room}}:events 0 -1 ~ ^(?:.*"_imported_sender":0\}){3}(?!.*_imported_sender)



=== TEST 23: members in any order, and participants in a list
--- request eval
package main; our $json;
my $m = manifest();
my $people = delete $m->{participants};
my $list = $json->encode([map { { participant_id => $_, %{ $people->{$_} } } } sort keys %$people]);
my $events = $json->encode(delete $m->{events});
imports(bundle("{\"events\":$events,\"participants\":$list," . substr $json->encode($m), 1))
--- more_headers eval: ::form_of('ina')
--- error_code: 201
--- capture
room: json data.id



=== TEST 24: ... the author is found
--- calls
ina GET /v1/rooms/{{room}}/messages?direction=forward -> 200
    data[0].content._imported_sender.display_name = Alice



=== TEST 25: a manifest that is stored, has ZIP64 fields, and comes behind files that nobody asked for
--- request eval
package main; our $json;
my (undef, $entry) = medium('not listed', 'a.txt');
imports(zip({ name => 'media/', method => 0 }, $entry, { name => 'readme.txt', data => 'hello' },
            { name => 'manifest.json', method => 0, data => $json->encode(manifest()), zip64 => 1 }))
--- more_headers eval: ::form_of('ina')
--- error_code: 201



=== TEST 26: a body in chunks
--- request eval
package main;
my ($line, $body) = split /\n/, imports(bundle(manifest())), 2;
"$line\n" . join '', map { sprintf "%x\r\n%s\r\n", length $_, $_ } unpack('(a300)*', $body), ''
--- more_headers eval: ::form_of('ina') . "\nTransfer-Encoding: chunked"
--- error_code: 201



=== TEST 27: an edit of what isn't there, and a reaction to what comes later
--- request eval
package main;
my @e = map { event($_, "m $_") } 1 .. 3;
$e[0]{content} = { replaces => 'evt-elsewhere', content => {} };
$e[1]{content} = { event_id => $e[2]{id}, emoji => 'x', action => 'add' };
$e[1]{event_type} = 'swp.room.reaction';
imports(bundle(manifest(events => \@e)))
--- more_headers eval: ::form_of('ina')
--- error_code: 201
--- capture
room: json data.id



=== TEST 28: ... the edit stays as it is, without a copy; the reaction is found, and counts
--- calls
ina GET /v1/rooms/{{room}}/messages?direction=forward -> 200
    save reacted: json data[2].id
    data[0].content.replaces = evt-elsewhere
    data[1].content.event_id = {{reacted}}
    data[2].reactions = [{"emoji":"x","count":1,"me":false}]
--- store
EXISTS sw:{acme}:r:{{room}}:copies = 0



=== TEST 29: an import with an Idempotency-Key
--- request eval
package main; imports(bundle(manifest()))
--- more_headers eval: ::form_of('ina') . "\nIdempotency-Key: k1"
--- error_code: 201
--- capture
answer: (?s)\A.*\z
location: header Location
--- store
HGET sw:{acme}:tenant rooms -> rooms



=== TEST 30: ... is answered alike again, and makes no other room
--- request eval
package main; imports(bundle(manifest()))
--- more_headers eval: ::form_of('ina') . "\nIdempotency-Key: k1"
--- error_code: 201
--- response_headers
Location: {{location}}
Idempotency-Replayed: true
--- response_body eval
'{{answer}}'
--- store
HGET sw:{acme}:tenant rooms = {{rooms}}



=== TEST 31: ... and is no other bundle, nor one of another name
--- request eval
package main; [imports(bundle(manifest(events => []))), imports(bundle(manifest()), name => 'else')]
--- more_headers eval: ::form_of('ina') . "\nIdempotency-Key: k1"
--- error_code eval
[409, 409]
--- json eval
[('error.code = SW_IDEMPOTENCY_CONFLICT') x 2]



=== TEST 32: a refusal leaves the key free
--- request eval
package main; [imports('nonsense'), imports(bundle(manifest()))]
--- more_headers eval: ::form_of('ina') . "\nIdempotency-Key: k2"
--- error_code eval
[400, 201]



=== TEST 33: numbers keep their digits beside an escape, too; a dry run and an import agree
--- request eval
package main; [both(text_with('"body":"message 2"', '"bo\u0064y":1e15,"n":[1.10,-0,1E+2]'))]
--- more_headers eval: ::form_of('ina')
--- error_code eval
[200, 201]
--- capture eval
['', 'room: json data.id']
--- json eval
[::right(1)]
--- store
ZRANGE sw:{acme}:r:{{room}}:events 1 1 ~ "bo\\u0064y":1e15,"n":\[1\.10,-0,1E\+2\]



=== TEST 34: ... and about many numbers
--- request eval
package main; [both(text_with('"body":"message 2"', '"\u0062":[' . join(',', ('1e15') x 5000) . ']'))]
--- more_headers eval: ::form_of('ina')
--- error_code eval
[200, 201]
--- json eval
[::right(1)]



=== TEST 35: ... and about contents that are too long, however their keys are written, or by their new ids only, and about too many ids of a medium
--- request eval
package main;
my $long = 'x' x 75_000;
my $sha = sha256_hex('a');
[both(text_with('"message 2"', qq("$long")),
      text_with('"content":{"body":"message 2"', qq("conten\\u0074":{"body":"$long")),
      text_with('"content":{"body":"message 2"}', qq("content":{},"origina\\u006c_content":{"a":"$long"})),
      bundle(manifest(media => [{ sha256 => $sha, size => 1, media_id => 'm' }],
                      events => [event(1, { attachments => [map { { media_id => 'm' } } 1 .. 2000] })]),
             { name => "media/$sha/a", data => 'a' }),
      bundle(manifest(media => [{ sha256 => $sha, size => 1, media_ids => [map { "m$_" } 1 .. 51] }]),
             { name => "media/$sha/a", data => 'a' }))]
--- more_headers eval: ::form_of('ina')
--- error_code eval
[(200, 400) x 5]
--- json eval
[::wrong(5)]



=== TEST 36: ... and about 60 to 64 levels of a content, of an edit's, and of one from before
--- request eval
package main;
[both(map { my $deep = levels($_);
            (text_with('{"body":"message 2"}', $deep),
             text_with('{"body":"message 2"}', '{"replaces":"' . event(1)->{id} . qq(","content":$deep})),
             text_with('"content":{"body":"message 2"}', qq("content":{},"original_content":$deep))) } 60 .. 64)]
--- more_headers eval: ::form_of('ina')
--- error_code eval
[(200, 201) x 15]
--- json eval
[::right(15)]



=== TEST 37: ... and that 65 and 66 are too many
--- request eval
package main;
[both(map { my $deep = levels($_);
            (text_with('{"body":"message 2"}', $deep),
             text_with('{"body":"message 2"}', '{"replaces":"' . event(1)->{id} . qq(","content":$deep})),
             text_with('"content":{"body":"message 2"}', qq("content":{},"original_content":$deep))) } 65, 66)]
--- more_headers eval: ::form_of('ina')
--- error_code eval
[(200, 400) x 6]
--- json eval
[::wrong(6)]



=== TEST 38: where the tenant is
--- calls
ina GET /v1/rooms/archived -> 200
--- store
GET sw:{acme}:position -> before



=== TEST 39: events of few authors: each of them stands in the store once
--- request eval
package main; our $crowd; imports(bundle($crowd))
--- more_headers eval: ::form_of('ina')
--- error_code: 201
--- capture
room: json data.id
--- store
HLEN sw:{acme}:r:{{room}}:authors = 3
TTL sw:{acme}:r:{{room}}:authors = -1
EVAL "local n = 0 for _, e in ipairs(redis.call([[ZRANGE]], KEYS[1], 0, -1)) do n = n + #e end return n < 500 * 300 and [[short]] or n" 1 sw:{acme}:r:{{room}}:events = short



=== TEST 40: ... and for who reads messages in each of theirs, and in what was there before an edit
--- calls
ina GET /v1/rooms/{{room}} -> 200
--- pages
ina /v1/rooms/{{room}}/messages?direction=forward&limit=200 $[*].content._imported_sender.display_name = [{{authors}}]
ina /v1/rooms/{{room}}/messages?direction=forward&limit=200 $[-2].original_content._imported_sender.display_name = Before



=== TEST 41: ... for who syncs
--- calls
ina GET /v1/sync?since={{before}}&limit=500&timeout=0 -> 200
    data.events[*].content._imported_sender.display_name = [{{authors}}]
    data.events[-2].original_content._imported_sender.display_name = Before



=== TEST 42: ... and for who exports
--- request
GET /v1/rooms/{{room}}/export
--- more_headers eval: ::as('ina')
--- response_body_filters eval: \&::manifest_of
--- json
events[*].content._imported_sender.display_name = [{{authors}}]
events[-2].original_content._imported_sender.display_name = Before



=== TEST 43: that export
--- request
GET /v1/rooms/{{room}}/export
--- more_headers eval: ::as('ina')
--- capture
zip: (?s)\A.*\z



=== TEST 44: ... is imported again, and nobody is there twice
--- request eval
::imports('{{zip}}')
--- more_headers eval: ::form_of('ina')
--- error_code: 201
--- capture
again: json data.id
--- store
HLEN sw:{acme}:r:{{again}}:authors = 4



=== TEST 45: ... with the same authors, and whoever made the first room
--- calls
ina GET /v1/rooms/{{room}}/messages?direction=forward&limit=1 -> 200
    save message: json data[0].id
--- pages
ina /v1/rooms/{{again}}/messages?direction=forward&limit=200 $[*].content._imported_sender.display_name = [{{authors}},"ina"]
ina /v1/rooms/{{again}}/messages?direction=forward&limit=200 $[-3].original_content._imported_sender.display_name = Before



=== TEST 46: a redaction wipes the author, too
--- calls
ina POST /v1/rooms/{{room}}/events/{{message}}/redact {} -> 200
    data.content = {}



=== TEST 47: a room of messages that refer to media and to each other
--- calls
ina POST /v1/rooms {"room_type":"group","name":"refs"} -> 201
    save room: json data.id



=== TEST 48: ... five media: of a message, its thumbnail, an attachment's thumbnail, an edit's, a second edit's
--- request eval
[map { "POST /v1/media/upload\n" . (::form("medium $_"))[0] } 0 .. 4]
--- more_headers eval: ::form_of('ina')
--- error_code eval
[(201) x 5]
--- capture eval
[map { "medium$_: json data.media_id" } 0 .. 4]



=== TEST 49: ...
--- calls
ina POST /v1/rooms/{{room}}/send {"content":{"body":"first","media_id":"{{medium0}}","thumbnail_id":"{{medium1}}"}} -> 201
    save first: json data.id



=== TEST 50: ...
--- calls
ina POST /v1/rooms/{{room}}/send {"content":{"body":"answer","reply_to_event_id":"{{first}}","attachments":[{"thumbnail_id":"{{medium2}}"}]}} -> 201
ina POST /v1/rooms/{{room}}/events/{{first}}/edit {"content":{"body":"second","media_id":"{{medium3}}"}} -> 200
ina POST /v1/rooms/{{room}}/events/{{first}}/edit {"content":{"body":"third","media_id":"{{medium4}}"}} -> 200



=== TEST 51: ... all of which an export has
--- request
GET /v1/rooms/{{room}}/export
--- more_headers eval: ::as('ina')
--- capture
zip: (?s)\A.*\z



=== TEST 52: ... and an import takes
--- request eval
::imports('{{zip}}')
--- more_headers eval: ::form_of('ina')
--- error_code: 201
--- capture
room: json data.id
--- json
data.media_imported = 5



=== TEST 53: what refers to something refers to it in the new room
--- calls
ina GET /v1/rooms/{{room}}/messages?direction=forward -> 200
    save edited: json data[1].id
    save new0: json data[1].content.media_id
    save new1: json data[1].original_content.media_id
    save new2: json data[1].original_content.thumbnail_id
    save new3: json data[2].content.attachments[0].thumbnail_id
    save new4: json data[3].content.content.media_id
    save new5: json data[4].content.content.media_id
    data[1].content.body = third
    data[2].content.body = answer
    data[2].content.reply_to_event_id = {{edited}}
    data[3].content.content.body = second
    data[*].content.media_id !~ {{medium0}}|{{medium4}}



=== TEST 54: ... by new ids
--- request eval
[map { "GET /v1/media/download/{{new$_}}" } 0 .. 5]
--- more_headers eval: ::as('ina')
--- error_code eval
[(200) x 6]
--- response_body eval
[map { "medium $_" } 4, 0, 1, 2, 3, 4]



=== TEST 55: ... none of which is an old one
--- request
GET /v1/rooms/{{room}}/messages?direction=forward
--- more_headers eval: ::as('ina')
--- response_body_unlike
{{medium0}}|{{medium1}}|{{medium2}}|{{medium3}}|{{medium4}}



=== TEST 56: reactions that count for nothing are within the limits
--- request eval
package main;
my @events = map {
    my $m = 100 * $_;
    (event($m, 'm'), map { event($m + $_, { event_id => event($m, '')->{id}, action => 'look',
                                            emoji => chr(0x1f600 + $_) . "\x{1f44d}" x 31 },
                                 event_type => 'swp.room.reaction') } 1 .. 50)
} 1 .. 140;
imports(bundle(manifest(events => \@events)), dry_run => 'true')
--- more_headers eval: ::form_of('ina')
--- json
data.valid = true



=== TEST 57: real bytes count: a bomb that is said to be small
--- request eval
package main; our $json;
imports(zip({ name => 'manifest.json', data => $json->encode(manifest()) },
            { name => 'media/' . '0' x 64 . '/z', data => 'b' x 1000,
              packed => RoomsTest::Bundle::deflated('b' x 3_000_000) }))
--- more_headers eval: ::form_of('ina')
--- error_code_like: ^(?:413|400)$
--- json
error.code ~ ^SW_BUNDLE_(?:TOO_LARGE|INVALID)$



=== TEST 58: a medium that was lost before
--- request eval
package main; my ($medium) = medium('some content', 'a.txt');
imports(bundle(manifest(media => [$medium], missing_media => [{ sha256 => $medium->{sha256} }])))
--- more_headers eval: ::form_of('ina')
--- error_code: 201
--- json
data.media_imported = 0



=== TEST 59: a name and a type that no header may hold
--- request eval
package main;
my ($medium, $entry) = medium('name', 'x.txt');
@$medium{qw(name mime_type media_id)} = ("../../etc/\r\npasswd", "text/html\r\nX: y", 'med-x');
imports(bundle(manifest(media => [$medium], events => [event(1, { media_id => 'med-x' })]), $entry))
--- more_headers eval: ::form_of('ina')
--- error_code: 201
--- capture
room: json data.id



=== TEST 60: ...
--- calls
ina GET /v1/rooms/{{room}}/messages?direction=forward -> 200
    save medium: json data[0].content.media_id



=== TEST 61: ... are not kept
--- calls
ina GET /v1/media/{{medium}}/info -> 200
    data.name = file
    data.mime_type = application/octet-stream



=== TEST 62: a content of 70,000 bytes
--- request eval
package main; imports(bundle(manifest(events => [event(1, { body => 'x' x 70_000 })])))
--- more_headers eval: ::form_of('ina')
--- error_code: 201



=== TEST 63: what there is before dry runs
--- calls
ina GET /v1/rooms/archived -> 200
--- store
GET sw:{acme}:position -> position
EVAL "return #redis.call([[KEYS]], [[*idem:*]])" 0 -> claims



=== TEST 64: a dry run of a good bundle says what an import would do, and how the room would look
--- request eval
package main; my ($medium, $entry) = medium('some content', 'a.txt');
imports(bundle(manifest(media => [$medium]), $entry), dry_run => 'true', name => 'Tried')
--- more_headers eval: ::form_of('ina') . "\nIdempotency-Key: dry"
--- json
data.valid = true
data.events = 3
data.media = 1
data.faults_total = 0
data.room.name = Tried
--- unchanged



=== TEST 65: ... of a bad one, by an argument of the request, finds all that is wrong
--- request eval
package main;
my ($medium, $entry) = medium('some content', 'a.txt');
my ($other) = medium('other', 'b');
my @e = map { event($_, "m $_") } 1 .. 4;
$e[0]{sender_id} = 7;
$e[2]{content} = [];
$e[3]{created_at} = 'x';
imports(bundle(manifest(version => 9, events => \@e, media => [$medium, $other]),
               { %$entry, local => { crc => 1 }, central => { crc => 1 } })) =~ s{/import\K}{?dry_run=true}r
--- more_headers eval: ::form_of('ina')
--- json eval
my ($other) = ::medium('other', 'b');
"data.valid = false\ndata.faults # 7\ndata.faults_total = 7\ndata.faults ~ version
data.faults ~ events\\[0\\]\\.sender_id\ndata.faults ~ events\\[2\\]\\.content
data.faults ~ events\\[3\\]\\.created_at\ndata.faults ~ (?i)CRC
data.faults ~ $other->{sha256} is not in the archive"
--- unchanged



=== TEST 66: ... of no ZIP
--- request eval
::imports('nonsense', dry_run => 'true')
--- more_headers eval: ::form_of('ina')
--- json
data.faults # 1
data.faults_total = 1
--- unchanged



=== TEST 67: ... of a kind that is refused
--- request eval
package main; imports(bundle(manifest(room => { room_type => 'bridge', name => 'x' })), dry_run => 'true')
--- more_headers eval: ::form_of('ina')
--- json
data.valid = false
data.faults ~ bridge rooms
--- unchanged



=== TEST 68: ... of very many faults tells a thousand
--- request eval
package main;
imports(bundle(manifest(events => [map { event($_, "m $_", sender_id => undef) } 1 .. 1500])), dry_run => 'true')
--- more_headers eval: ::form_of('ina')
--- json
data.faults # 1000
data.faults_total = 1500
--- unchanged



=== TEST 69: dry runs have used no position, and claimed no key
--- calls
ina GET /v1/rooms/archived -> 200
--- store
GET sw:{acme}:position = {{position}}
EVAL "return #redis.call([[KEYS]], [[*idem:*]])" 0 = {{claims}}



=== TEST 70: three megabytes are too many elsewhere, but not for a location of its own
--- request eval
package main;
my ($medium, $entry) = medium(join('', map { chr rand 256 } 1 .. 3_000_000), 'big');
my $import = imports(bundle(manifest(media => [$medium]), $entry));
[$import, $import =~ s{^POST \S+}{POST /v1/media/upload}r]
--- more_headers eval: ::form_of('ina')
--- error_code eval
[201, 413]
--- no_error_log
[alert]
