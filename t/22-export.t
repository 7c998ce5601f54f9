# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# What an export holds: events as they are, people, media, and what it was
# asked to leave out; and who gets none.

use strict;
use warnings;
use utf8;

use Encode ();
use File::Temp qw(tempdir);
use JSON::PP ();
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;
use RoomsTest::Export;

my $dir = tempdir(CLEANUP => 1);
my $media = "$dir/media";
my $json = JSON::PP->new->utf8->canonical;

mkdir $media;
start("rooms_media_path $media;");
known(qw(ann bob cy));

my $room = make(group => 'ann', name => 'Über/Räume "x"', topic => "a\tb");
my $path = "/v1/rooms/$room";

admit($room, 'ann', 'bob');

sub send_it {
    my ($content, $who) = @_;

    return must('POST', "$path/send", $who // 'bob', { content => $content })
           ->{id};
}

# content

send_it({ body => "zwei\n\"Zeilen\" \x{1f600} <&>", n => 1.5, deep => [[{}]] });
send_it({ body => "no $_" }) for 1 .. 300;

my $edited = send_it({ body => 'first' });
my $redacted = send_it({ body => 'secret' });

must('POST', "$path/events/$edited/edit", 'bob', { content => { body => 'b' } });
must('POST', "$path/events/$redacted/redact", 'bob', {});
must('POST', "$path/events/$edited/reaction", 'ann', { emoji => '+1' });

my $res = call('GET', "$path/export", 'ann');
my $zip = $res->{body};

is($res->{status}, 200, 'an export');
is($res->{headers}{'content-type'}, 'application/zip', 'of its type');
is($res->{headers}{'content-disposition'},
   'attachment; filename="_ber-R_ume _x_.zip"; '
   . "filename*=UTF-8''%C3%9Cber-R%C3%A4ume%20_x_.zip", 'with a name');
is($res->{headers}{'x-content-type-options'}, 'nosniff', 'nosniff');
is($res->{headers}{'accept-ranges'}, undef, 'without ranges');
is($res->{headers}{'content-length'}, undef, 'of unknown length');
ok($res->{headers}{'x-request-id'}, 'with an id');

my @entries = entries($zip);

is_deeply([map { $_->[0] } @entries], ['manifest.json'], 'one entry');

my $m = $json->decode($entries[0][1]);
my @events = events($room, 'ann');

is(scalar @{$m->{events}}, scalar @events, 'all events');
is($json->encode($m->{events}), $json->encode(\@events),
   'are those that history shows');

# as they are, to the byte: numbers and members' order too
my $raw = redis('ZRANGE', key("r:$room:events"), 0, -1);

is(join("\n", @$raw),
   join("\n", map { s/,\z//r } grep { /^\{"id":"evt-/ }
                  split /\n/, $entries[0][1]),
   'to the byte');

is("$m->{format} $m->{version}", 'scaiwave.room-export 1', 'format');
is("$m->{exported_by} $m->{server_name}", 'ann rooms.test', 'by whom');
like($m->{exported_at}, qr/\A\d{4}-\d\d-\d\dT[\d:.]+Z\z/, 'when');

my $shown = call('GET', $path, 'ann')->{data};

delete $shown->{me};
is_deeply($m->{room}, $shown, 'the room, without one\'s own settings');
is_deeply($m->{participants}, {
    ann => { display_name => 'ann', fqid => '@ann:rooms.test',
             avatar_url => undef },
    bob => { display_name => 'bob', fqid => '@bob:rooms.test',
             avatar_url => undef } }, 'people');
is_deeply([$m->{media}, $m->{missing_media}], [[], []], 'no media');

# it opens everywhere

my $file = spool("$dir/a.zip", $zip);

sub opens {
    my ($name, @command) = @_;

  SKIP: {
        skip("no $command[0]", 1)
            unless grep { -x "$_/$command[0]" } split /:/, $ENV{PATH};

        my $out = `@command 2>&1`;

        ok($? == 0, "opens in $name") or diag($out);
    }
}

sub opens_everywhere {
    my ($file) = @_;

    opens('Python', 'python3', '-m', 'zipfile', '-t', $file);
    opens('Info-ZIP', 'unzip', '-t', $file);
    opens('7-Zip', '7z', 't', $file);
    opens('Java', 'jar', 'tf', $file);
}

opens_everywhere($file);

# HEAD, ranges, methods

expect('200', 'HEAD', "$path/export", 'ann');
is(call('HEAD', "$path/export", 'ann')->{headers}{'content-type'},
   'application/zip', 'HEAD has the headers');

$res = call('GET', "$path/export", 'ann', undef, Range => 'bytes=0-9',
            'If-None-Match' => '*', 'Accept-Encoding' => 'gzip',
            'If-Unmodified-Since' => 'Thu, 01 Jan 1970 00:00:00 GMT');
is($res->{status}, 200, 'conditions and ranges change nothing');
is($res->{headers}{'content-encoding'}, undef, 'nor is it compressed twice');
is(scalar @{manifest($res->{body})->{events}}, scalar @events, 'it is whole');

expect('405 SW_METHOD_NOT_ALLOWED', 'POST', "$path/export", 'ann', {});

# who gets none

expect('401 SW_AUTH_INVALID_TOKEN', 'GET', "$path/export", undef);
expect('404 SW_ROOM_NOT_FOUND', 'GET', "$path/export", 'cy');
expect('404 SW_ROOM_NOT_FOUND', 'GET', "$path/export", 'ann@east');
expect('404 SW_ROOM_NOT_FOUND', 'GET', '/v1/rooms/room-x/export', 'ann');
expect('404 SW_ROOM_NOT_FOUND', 'HEAD', "$path/export", 'cy');

my $public = make(public => 'ann', name => 'Public');

expect('403 SW_ROOM_FORBIDDEN', 'GET', "/v1/rooms/$public/export", 'cy');
call('POST', "$path/invite", 'ann', { participant_id => 'cy' });
expect('403 SW_ROOM_FORBIDDEN', 'GET', "$path/export", 'cy');

my $incognito = make(incognito => 'ann');

expect('400 SW_ROOM_EXPORT_REFUSED', 'GET', "/v1/rooms/$incognito/export",
       'ann');

my $scoped = make(group => 'ann', name => 'S', scope_kind => 'incognito');

expect('400 SW_ROOM_EXPORT_REFUSED', 'GET', "/v1/rooms/$scoped/export", 'ann');

# these are made by others, in the store
for my $type (qw(sidekick bridge)) {
    my $other = make(group => 'ann', name => $type);
    my $meta = redis('HGET', key("r:$other"), 'meta');

    ok($meta =~ s/\bgroup\b/$type/, "a $type room");
    redis('HSET', key("r:$other"), 'meta', $meta);
    expect('400 SW_ROOM_EXPORT_REFUSED', 'GET', "/v1/rooms/$other/export",
           'ann');
}

my $federated = make(group => 'ann', name => 'F');

redis('HSET', key("r:$federated"), 'federated', 1);
expect('400 SW_ROOM_EXPORT_REFUSED', 'GET', "/v1/rooms/$federated/export",
       'ann');

# a DM, an archived and a closed room

my $dm = make(dm => 'ann', with => 'bob');

must('POST', "/v1/rooms/$dm/send", 'bob', { content => { body => 'hi' } });
($m) = bundle($dm, 'ann');
is("$m->{room}{room_type} $m->{room}{name}", 'dm bob', 'a DM');

must('POST', "/v1/rooms/$dm/archive", 'bob');
($m) = bundle($dm, 'ann');
is($m->{room}{state}, 'archived', 'an archived room');

must('POST', "/v1/rooms/$public/close", 'ann');
($m) = bundle($public, 'ann');
is($m->{room}{state}, 'closed', 'a closed room');
is($m->{events}[-1]{event_type}, 'swp.room.state', 'with its last event');

# times

my $old = make(group => 'ann', name => 'Old');

fill($old, 'ann', 100, 20);        # 2024-01-01, a second apart

for ([ '?from=2024-01-01T00:00:10Z&to=2024-01-01T00:00:20Z', 10, 19 ],
     [ '?to=2024-01-01T00:00:03.000Z', 1, 2 ],
     [ '?to=2024-01-01T01:00:03%2B01:00', 1, 2 ],
     [ '?from=2024-01-01T00:01:40Z&to=2025-01-01T00:00:00Z', 100, 100 ])
{
    my ($args, $first, $last) = @$_;

    ($m) = bundle($old, 'ann', $args);
    is(join(' ', map { $_->{origin_ts} - 1704067200 } @{$m->{events}}),
       join(' ', $first .. $last), $args);
}

($m) = bundle($old, 'ann', '?from=2024-01-01T00:00:50Z');
is($m->{from}, '2024-01-01T00:00:50.000Z', 'the manifest says so');
is(scalar @{$m->{events}}, 51 + 1, 'no end');

($m, $zip) = bundle($old, 'ann', '?from=2030-01-01T00:00:00Z');
is_deeply([$m->{events}, $m->{participants}], [[], {}], 'nothing at all');

expect('400 SW_VALIDATION_FAILED from', 'GET', "$path/export?from=monday",
       'ann');
expect('400 SW_VALIDATION_FAILED to', 'GET', "$path/export?to=2024-01-01",
       'ann');
expect('400 SW_VALIDATION_FAILED to', 'GET', "$path/export"
       . '?from=2024-01-02T00:00:00Z&to=2024-01-01T00:00:00Z', 'ann');
expect('400 SW_VALIDATION_FAILED media', 'GET', "$path/export?media=some",
       'ann');

# media

my ($one, $sha1) = medium($media, 'notes.txt', 'one ' x 1000);
my ($two, $sha2) = medium($media, 'ünï cöde?.bin', join '', map { chr } 0 .. 255);
my ($same, $sha3) = medium($media, 'again.txt', 'one ' x 1000);
my ($empty, $sha4) = medium($media, 'empty', '');
my ($lost, $sha5) = medium($media, 'lost.txt', 'lost', lost => 1);
my ($short, undef, $where) = medium($media, 'short.txt', 'short');

spool($where, 'shor');

my $files = make(group => 'ann', name => 'Files');
my $f = "/v1/rooms/$files";

must('POST', "$f/send", 'ann', { content => $_ })
    for { body => 'see', media_id => $one },
        { attachments => [{ media_id => $two }, { media_id => $same },
                          { media_id => $lost }, { media_id => $short }] },
        { media_id => $empty, attachments => [{ media_id => $one }] },
        { media_id => 'med-nowhere0000000000000000' },
        { media_id => '../../etc/passwd' }, { media_id => 7 };

($m, $zip) = bundle($files, 'ann');
@entries = entries($zip);

is(join("\n", map { $_->[0] } @entries),
   Encode::encode('UTF-8', join "\n", 'manifest.json',
   "media/$sha1/notes.txt", "media/$sha2/ünï cöde_.bin",
   "media/$sha4/empty"), 'each content once');
is($entries[1][1], 'one ' x 1000, 'a content');
is($entries[2][1], join('', map { chr } 0 .. 255), 'another');
is($entries[3][1], '', 'an empty one');

is_deeply($m->{media}, [
    map { { media_id => $_->[0], sha256 => $_->[1], name => $_->[2],
            size => $_->[3], mime_type => 'text/plain' } }
        [$one, $sha1, 'notes.txt', 4000], [$two, $sha2, 'ünï cöde?.bin', 256],
        [$same, $sha1, 'again.txt', 4000], [$empty, $sha4, 'empty', 0]
    ], 'the list has each medium');
is_deeply([map { $_->{media_id} } @{$m->{missing_media}}],
          [$lost, $short, 'med-nowhere0000000000000000'],
          'and those that are lost');
is($m->{missing_media}[0]{sha256}, $sha5, 'with what is known');
opens_everywhere(spool("$dir/b.zip", $zip));

like((entries($zip))[0][1], qr/"media":\[\n\{/, 'media, one a line');
is(substr($zip, index($zip, "media/$sha1") - 30 + 10, 4),
   pack('vv', 4 << 11 | 5 << 5 | 3, 44 << 9 | 2 << 5 | 3),
   'an entry has the time of its medium');

($m, $zip) = bundle($files, 'ann', '?media=none');
is(scalar(() = entries($zip)), 1, 'media=none');
is_deeply([$m->{media}, $m->{missing_media}], [[], []], 'lists none');
is(scalar @{$m->{events}}, 7, 'and has all events');

# more ids of media than anybody has

my $many = make(group => 'ann', name => 'Many');

for my $i (0 .. 14) {
    must('POST', "/v1/rooms/$many/send", 'ann', { content => {
        attachments => [map { { media_id => sprintf 'med-%012d', $_ } }
                            $i * 1000 .. $i * 1000 + 999] } });
}

($m) = bundle($many, 'ann');
is(scalar @{$m->{missing_media}}, 10000, 'the list of the lost has an end');
is($m->{missing_media_unlisted}, 5000, 'which is told');

# people who are not of here

my $mixed = make(group => 'ann', name => 'Mixed');

admit($mixed, 'ann', 'bob');

redis('HSET', key('participants'), 'zoe', $json->encode({
    local_id => 'zoe', display_name => 'Zoë', workspace_id => undef,
    participant_type => 'user', server_name => 'far.test',
    avatar_url => 'https://far.test/z.png',
    created_at => '2024-01-01T00:00:00.000Z' }));

fill($mixed, 'zoe', 3, 20);
fill($mixed, 'gone', 1, 20);
must('POST', "/v1/rooms/$mixed/send", 'bob', { content => { body => 'x' } });

# one that was imported has its author already
my ($text, $score) = @{redis('ZRANGE', key("r:$mixed:events"), -1, -1,
                             'WITHSCORES')};

redis('ZREM', key("r:$mixed:events"), $text);
redis('ZADD', key("r:$mixed:events"), $score,
      $text =~ s/"body":"x"/$&,"_imported_sender":{"display_name":"Y"}/r);

my @stored = @{redis('ZRANGE', key("r:$mixed:events"), 0, -1)};

($m) = bundle($mixed, 'ann');
is_deeply([map { $_->{content}{_imported_sender} } @{$m->{events}}[-5 .. -1]],
          [({ display_name => 'Zoë', avatar_url => 'https://far.test/z.png',
              fqid => '@zoe:far.test' }) x 3,
           { display_name => 'gone', avatar_url => undef, fqid => undef },
           { display_name => 'Y' }], 'strangers are introduced');
is($m->{participants}{zoe}{fqid}, '@zoe:far.test', 'and listed');

delete $_->{content}{_imported_sender} for @{$m->{events}}[0 .. $#stored - 1];
is_deeply($m->{events}, [map { $json->decode($_) } @stored],
          'else they are as they were');
ok(!exists $m->{events}[0]{content}{_imported_sender}, 'others are not');

# many people, more than one question's

my $crowd = make(group => 'ann', name => 'Crowd');

fill($crowd, "p$_", 1, 20) for 1 .. 200;
($m) = bundle($crowd, 'ann');
is(scalar keys %{$m->{participants}}, 201, 'everybody is listed');

# events of the largest size, several to a page and one over it

my $large = make(group => 'ann', name => 'Large');

fill($large, 'ann', 5, 65000);
fill($large, 'ann', 1, 300000);
fill($large, 'ann', 40, 10);
($m) = bundle($large, 'ann');
is_deeply([map { length($_->{content}{body} // '') } @{$m->{events}}[1 .. 46]],
          [(65000) x 5, 300000, (10) x 40], 'large events');
is(join(' ', map { $_->{stream_position} } @{$m->{events}}),
   join(' ', sort { $a <=> $b } map { $_->{stream_position} } @{$m->{events}}),
   'in order');

# every level is a valid one

for my $level (0, 1, 9) {
    start("rooms_media_path $media; rooms_export_level $level;");
    ($m) = bundle($room, 'ann');
    is(scalar @{$m->{events}}, @events + 1, "level $level");
}

for my $bad ('10', '-1', 'x') {
    my $ok = eval { start("rooms_export_level $bad;"); 1 };

    ok(!$ok, "no level $bad");
}

stop_nginx();
done_testing();
