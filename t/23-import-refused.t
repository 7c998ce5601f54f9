# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# POST /v1/rooms/import: what is refused, and that nothing is left of it.  What
# comes out of a bundle is in t/23-import.t.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use File::Temp ();
use JSON::PP ();
use Test::More ();

use lib 't/lib';
use RoomsTest;
use RoomsTest::Bundle qw(bundle event form manifest medium state zip);
use RoomsTest::Process qw(wait_for);
use Test::Nginx::Socket 'no_plan';

my $dir = File::Temp->newdir('rooms-media-XXXXXXXX', TMPDIR => 1);

$ENV{TEST_NGINX_MEDIA} = "$dir";

our $json = JSON::PP->new->utf8->canonical;
our $valid = bundle(manifest());
our ($m1, $e1) = medium('some content', 'a.txt');

default_config(<<'END');
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_server_name new.example;
        rooms_media_path $TEST_NGINX_MEDIA;
        rooms_import_limits unpacked=8m entries=50 ratio=100 stored=4m;
        location = /v1/rooms/import { rooms on; client_max_body_size 32m; }
END

# "--- refused" stands for imports that are refused alike: the status and code,
# then of each what is wrong, the file (or the body and its Content-Type), and
# what the details say.  Nothing is left of them: no key, no file.
add_block_preprocessor(sub {
    my ($block) = @_;
    my ($error, @cases) = $block->refused;

    return if !@cases;

    my ($status, $code) = split ' ', $error;
    my (@request, @headers, @json);

    for my $case (@cases) {
        my (undef, $file, $problem) = @$case;
        my ($body, $type) = ref $file ? @$file : form($file);

        push @request, "POST /v1/rooms/import\n$body";
        push @headers, as('ina') . ($type ne '' ? "\nContent-Type: $type" : '');
        push @json, "error.code = $code\nerror.details ~ $problem";
    }

    $block->set_value(request => \@request);
    $block->set_value(more_headers => \@headers);
    $block->set_value(error_code => [($status) x @cases]);
    $block->set_value(json => \@json);
    $block->set_value(left => state("$dir"));
});

add_response_body_check(sub {
    my ($block, $body, $i) = @_;
    my $before = $block->left;

    return if !defined $before;

    my ($error, @cases) = $block->refused;

    # what was written is removed while the answer is on its way
    wait_for(10, sub { state("$dir") eq $before });
    Test::More::is(state("$dir"), $before,
                   $block->name . " - $cases[$i][0]: nothing is left");
});

no_shuffle();
run_tests();

__DATA__

=== TEST 1: the importer
--- calls
ina POST /v1/auth/register -> 200



=== TEST 2: the same file is right, as a dry run says
--- request eval
my ($body) = ::form($::valid, dry_run => 'true'); "POST /v1/rooms/import\n$body"
--- more_headers eval
::as('ina') . "\nContent-Type: " . (::form($::valid))[1]
--- json
data.valid = true



=== TEST 3: rooms of kinds that aren't imported
--- refused eval
package main; our ($json, $valid, $m1, $e1);
('400 SW_ROOM_IMPORT_REFUSED',
 map { ["$_->[0]: $_->[1]{room_type}", bundle(manifest(room => $_->[1])), qr/$_->[0] rooms/] }
 ['incognito', { room_type => 'incognito', name => 'x' }],
 ['incognito', { room_type => 'group', name => 'x', scope_kind => 'incognito' }],
 ['sidekick', { room_type => 'sidekick', name => 'x' }],
 ['bridge', { room_type => 'bridge', name => 'x' }],
 ['federated', { room_type => 'group', name => 'x', federated => JSON::PP::true }])



=== TEST 4: what is no ZIP, or has bytes around it, or no manifest
--- refused eval
package main; our ($json, $valid, $m1, $e1);
('400 SW_BUNDLE_INVALID',
 ['empty', '', qr/file/],
 ['text', 'This is no archive.' x 100, qr/offset/],
 ['zeros', "\0" x 100000, qr/offset/],
 ['bytes in front', "x$valid", qr/offset/],
 ['bytes behind', "${valid}x", qr/offset/],
 ['without a manifest', zip({ name => 'a.txt', data => 'x' }), qr/not in the archive/])



=== TEST 5: headers that lie about a CRC, a size, a name, an offset, or how many there are
--- refused eval
package main; our ($json, $valid, $m1, $e1);
my $data = $json->encode(manifest());
my %m = (name => 'manifest.json', data => $data);
('400 SW_BUNDLE_INVALID',
 ['CRC', zip({ %m, local => { crc => 1 }, central => { crc => 1 } }), qr/manifest\.json.*CRC/i],
 ['CRC of a medium',
  bundle(manifest(media => [$m1]),
                { %$e1, local => { crc => 1 }, central => { crc => 1 } }), qr{media/.*CRC}i],
 ['local name', zip({ %m, local => { name => 'manifesT.json' } }), qr/offset 0/],
 ['local size', zip({ %m, local => { usize => 5 } }), qr/offset 0/],
 ['local CRC', zip({ %m, local => { crc => 5 } }), qr/offset 0/],
 ['local method', zip({ %m, local => { method => 0 } }), qr/offset 0/],
 ['unpacks to less', zip({ %m, local => { usize => 9999 },
                                  central => { usize => 9999 } }), qr/manifest\.json/],
 ['unpacks to more', zip({ %m, local => { usize => 9 },
                                  central => { usize => 9 } }), qr/manifest\.json/],
 ['encrypted', zip({ %m, local => { flags => 0x801 },
                            central => { flags => 0x801 } }), qr/encrypted/],
 ['an unknown method', zip({ %m, local => { method => 12 },
                                    central => { method => 12 } }), qr/method/],
 ['a symlink', zip(\%m, { name => 'link', data => '/etc/passwd',
                                 method => 0,
                                 central => { attr => 0120777 << 16 } }), qr/link/],
 ['overlapping', zip(\%m, { name => 'b', data => 'x', method => 0,
                                   central => { offset => 0 } }), qr/offset/],
 ['a gap', zip(\%m, { gap => 'zzzz' }), qr/offset/],
 ['ZIP64: sizes', zip({ %m, zip64 => 1, central =>
             { extra => pack 'v v Q< Q<', 1, 16, 999, 998 } }), qr/manifest\.json/],
 ['ZIP64: cut', zip({ %m, zip64 => 1, central =>
             { extra => pack 'v v Q<', 1, 8, 5 } }), qr/manifest\.json/],
 ['more entries than there are', zip(\%m, { end =>
                                                   { entries => 2 } }), qr/offset/])



=== TEST 6: names that climb, are absolute, or that no file may have; names twice
--- refused eval
package main; our ($json, $valid, $m1, $e1);
('400 SW_BUNDLE_INVALID',
(map { ['a name: ' . $json->encode([$_]),
  zip({ name => 'manifest.json', data => $json->encode(manifest()) }, { name => $_, data => 'x' }), qr/entry/] }
 '../manifest.json', 'a/../../b', '/etc/passwd', 'C:\\x', '..\\b', "a\0b", "manifest.json\0", 'a/.', 'a//b', '..',
 "a\xffb", "a\nb", '\\\\host\\b', './../b'),
 ['a name twice, by its slash',
  zip({ name => 'manifest.json', data => $json->encode(manifest()) },
             { name => 'a/b', data => 'x' }, { name => 'a\\b', data => 'x' }), qr/name/],
 ['two manifests',
  zip(map { { name => "$_/manifest.json",
                     data => $json->encode(manifest()) } } qw(a b)), qr/two folders/],
 ['a name twice', zip(({ name => 'manifest.json',
                                data => $json->encode(manifest()) }) x 2), qr/name/],
 ['a very long name', zip({ name => 'manifest.json',
                                   data => $json->encode(manifest()) },
                                 { name => 'x' x 2000, data => 'x' }), qr/name/],
 ['a Unicode path that is another name',
  zip({ name => 'manifest.json', data => $json->encode(manifest()) },
      map { { name => 'a', data => 'x', local => { flags => 0, extra => $_ },
              central => { flags => 0, extra => $_ } } }
      pack('v v C V', 0x7075, 5 + 4, 1, Compress::Raw::Zlib::crc32('a')) . '../b'), qr/leaves the folder/])



=== TEST 7: rooms_import_limits: ratio, unpacked bytes, entries, bytes that would be written
--- refused eval
package main; our ($json, $valid, $m1, $e1);
my %m = (name => 'manifest.json', data => $json->encode(manifest()));
('413 SW_BUNDLE_TOO_LARGE',
 ['ratio', zip(\%m, { name => 'media/' . '0' x 64 . '/z',
                             data => 'a' x 3_000_000 }), qr/rooms_import_limits/],
 ['ratio of the manifest', zip({ name => 'manifest.json',
                                        data => ' ' x 3_000_000 }), qr/rooms_import_limits/],
 ['unpacked', zip(\%m, { name => 'media/' . '0' x 64 . '/z',
                                data => 'ab' x 4_500_000, method => 0 }), qr/rooms_import_limits/],
 ['entries', zip(\%m, map { { name => "f$_", data => '' } }
                             1 .. 50), qr/rooms_import_limits/],

 ['stored: events', zip({ name => 'manifest.json', data =>
             $json->encode(manifest(events =>
                 [map { event($_, 'x' x 1100) } 1 .. 3500])) }), qr/would write more.*rooms_import_limits/])



=== TEST 8: ... reactions, which take half as much again, and tables, which take more than their events
--- refused eval
package main; our ($json, $valid, $m1, $e1);
my @reactions = map {
    my $m = 100 * $_;
    (event($m, 'm'), map {
  event($m + $_, { event_id => event($m, '')->{id}, emoji =>
                          chr(0x1f600 + $_) . "\x{1f44d}" x 31 },
               event_type => 'swp.room.reaction')
    } 1 .. 50);
} 1 .. 140;
('413 SW_BUNDLE_TOO_LARGE',
 ['stored: reactions', zip({ name => 'manifest.json', data =>
             $json->encode(manifest(events => \@reactions)) }), qr/would write more.*rooms_import_limits/],
 ['stored: tables', zip({ name => 'manifest.json', data =>
             '{"events":[' . join(',', map {
                 qq({"id":"$_","sender_id":"a","content":{},)
                 . qq("event_type":"swp.room.message","origin_ts":1,)
                 . qq("stream_position":$_}) } 1 .. 17_000) . '}' }), qr/would write more.*rooms_import_limits/])



=== TEST 9: media that the archive has otherwise than the manifest says
--- refused eval
package main; our ($json, $valid, $m1, $e1);
my %e = %$e1;
('400 SW_BUNDLE_INVALID',
 ['sha256', bundle(manifest(media => [$m1]),
                          { %e, name => 'media/' . 'a' x 64 . '/a.txt' }), qr{media/.*sha256}],
 ['not there', bundle(manifest(media => [$m1])), qr/not in the archive/],
 ['size', bundle(manifest(media => [{ %$m1, size => 5 }]), $e1), qr{media/.*12 bytes.*says 5}],
 ['no sha256', bundle(manifest(media => [{ %$m1, sha256 => 'x' }]),
                             $e1), qr/media\[0\]\.sha256/],
 ['two of an id', bundle(manifest(media =>
             [{ %$m1, media_id => 'med-1' },
              { %$m1, media_id => 'med-1' }]), $e1), qr/media\[1\].*media_id/])



=== TEST 10: manifests that are none
--- refused eval
package main; our ($json, $valid, $m1, $e1);
my $text = $json->canonical->encode(manifest());
my $with = sub {
    my ($from, $to) = @_;
    my $t = $text;

    $t =~ s/$from/$to/ or die $from;
    return bundle($t);
};
('400 SW_BUNDLE_INVALID',
 ['version', bundle(manifest(version => 2)), qr/version/],
 ['format', bundle(manifest(format => 'x')), qr/format/],
 ['no room', $with->(qr/"room":\{[^}]*\},/, ''), qr/room/],
 ['no events', $with->(qr/"events":/, '"eventz":'), qr/events/],
 ['a kind', bundle(manifest(room => { room_type => 'x' })), qr/room\.room_type/],
 ['a name', bundle(manifest(room => { room_type => 'group',
                                             name => 'n' x 200 })), qr/room\.name/],
 ['a topic', bundle(manifest(room => { room_type => 'group',
                               name => 'n', topic => 't' x 2000 })), qr/room\.topic/],
 ['truncated JSON', bundle(substr $text, 0, -5), qr/manifest\.json, byte/],
 ['two objects', bundle($text . "{}"), qr/manifest\.json, byte/],
 ['an array', bundle('[1]'), qr/manifest\.json, byte/],
 ['UTF-8', $with->('message 2', "message \xff"), qr/manifest\.json, byte/],
 ['NUL', $with->('message 2', 'message \\u0000'), qr/manifest\.json, byte/],
 ['depth', $with->('"message 2"', '[' x 200 . ']' x 200), qr/manifest\.json, byte/],
 ['a key twice', $with->('\{"events"', '{"x":1,"x":1,"events"'), qr/manifest\.json, byte/],
 ['a key of an event twice',
  $with->('"event_type"', '"event_type":"x","event_type"'), qr/events\[0\]/],
 ['a key of a content twice',
  $with->('"body"', '"body":"x","b\\u006fdy"'), qr/events\[0\]/],
 ['a participant twice',
  $with->('"participants":\{', '"participants":{"alice":{},'), qr/alice occurs twice/])



=== TEST 11: events that are none, or have members of other types
--- refused eval
package main; our ($json, $valid, $m1, $e1);
my $with = sub {
    my ($bad) = @_;
    my @e = map { event($_, "m $_") } 1 .. 3;

    if (ref $bad) {
  $e[1]{ $bad->[0] } = $bad->[1];
  return $json->encode(manifest(events => \@e));
    }

    $e[1] = 'HERE';
    return $json->encode(manifest(events => \@e)) =~ s/"HERE"/$bad/r;
};
('400 SW_BUNDLE_INVALID',
 (map { ["event $_", bundle($with->($_)), qr/events\[1\]/] } 'null', '7', '"x"', '[]', '{}'),
 map { ["event $_->[0]", bundle($with->($_)), qr/events\[1\]\.$_->[0]/] }
 [id => undef], [id => ''], [id => 'a b'], [id => 7], [sender_id => undef], [event_type => 'x'],
 [event_type => 'swp.room.'], [content => 'x'], [content => undef], [stream_position => '1'],
 [stream_position => -1], [stream_position => 1], [created_at => 'yesterday'], [edited_at => 5],
 [redacted_at => 'x'], [origin_ts => 'x'], [origin_ts => 1e18], [do_not_index => 1], [id => event(1, 'x')->{id}])



=== TEST 12: contents, events and edits past their bounds
--- refused eval
package main; our ($json, $valid, $m1, $e1);
my @edits = map { event(1 + $_, { replaces => event(1, '')->{id},
                                   content => {} }) } 1 .. 101;
('400 SW_BUNDLE_INVALID',
 ['a content of 80,000 bytes',
  bundle(manifest(events => [event(1, { body => 'x' x 80_000 })])), qr/events\[0\]\.content.*72 KiB/],
 ['an event of 300,000 bytes',
  bundle(manifest(events => [event(1, { body => 'x' x 300_000 })])), qr/256 KiB/],

 ['a message with 101 edits',
  bundle(manifest(events => [event(1, 'x'), @edits])), qr/edited 101 times/])



=== TEST 13: forms that are none
--- refused eval
package main; our ($json, $valid, $m1, $e1);
my ($body, $type) = form($valid);
my $two = $body =~ s/--xXxXboundaryXxXx--\r\n$//r . $body;
('400 SW_VALIDATION_FAILED',
 ['without the file', [form(undef, name => 'x')], qr/no part.*file/],
 ['with two', [$two, $type], qr/two parts/],
 ['no form', ['{}', 'application/json'], qr/Content-Type/],
 ['no type at all', [$body, ''], qr/Content-Type/],
 ['a boundary of 1 KB', [$body, 'multipart/form-data; boundary=' . 'b' x 1000], qr/boundary/],
 ['cut', [substr($body, 0, -30), $type], qr/body|file/],
 ['empty', ['', $type], qr/body|file/],
 ['a name', [form($valid, name => "a\nb")], qr/name/],
 ['dry_run', [form($valid, dry_run => 'maybe')], qr/dry_run/],
 ['a long field', [form($valid, name => 'x' x 5000)], qr/"field":"name".*1 KiB/],
 ['a field that is no UTF-8', [form($valid, name => "\xff")], qr/"field":"name".*UTF-8/],
 ['NUL in a field', [form($valid, workspace_id => "a\0")], qr/"field":"workspace_id".*UTF-8/])



=== TEST 14: fields that are left empty count as absent
--- request eval
package main; our $valid;
my ($body) = form($valid, name => '', workspace_id => '', dry_run => ''); "POST /v1/rooms/import?dry_run=true\n$body"
--- more_headers eval
::as('ina') . "\nContent-Type: " . (::form($::valid))[1]
--- error_code: 200



=== TEST 15: a boundary of 10 KB, which NGINX refuses
--- request eval
my ($body) = ::form($::valid); "POST /v1/rooms/import\n$body"
--- more_headers eval
::as('ina') . "\nContent-Type: multipart/form-data; boundary=" . 'b' x 10_000
--- error_code: 400



=== TEST 16: nobody
--- request eval
my ($body) = ::form($::valid); "POST /v1/rooms/import\n$body"
--- more_headers eval: "Content-Type: " . (::form($::valid))[1]
--- error_code: 401



=== TEST 17: past the size of a body, which names the directive
--- request eval
my ($body) = ::form('x' x 34_000_000); "POST /v1/rooms/import\n$body"
--- more_headers eval
::as('ina') . "\nContent-Type: " . (::form($::valid))[1]
--- error_code: 413
--- json
error.code = SW_PAYLOAD_TOO_LARGE
error.details[0].problem ~ client_max_body_size



=== TEST 18: each of them has left nothing
--- calls
ina GET /v1/rooms/archived -> 200
--- store
HGET sw:{acme}:tenant rooms null
EXISTS sw:{acme}:imports = 0
