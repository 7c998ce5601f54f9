# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# How deep a content may be, at every entrance; and what the store holds that
# nobody can read: it ends no page, whoever reads it.

use strict;
use warnings;
no warnings 'portable';

use JSON::PP ();
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Bundle ();
use RoomsTest::Calls;
use RoomsTest::Row;
use RoomsTest::Export qw(bundle);

start();
known(qw(ann bob cy));

my $json = JSON::PP->new->utf8->canonical->allow_nonref->max_depth(4000);

# A content of so many levels.
sub deep {
    my ($levels, $inner) = @_;
    my $n = $levels - 1;

    return '{"a":' . '[' x $n . ($inner // '') . ']' x $n . '}';
}

sub import_bundle {
    my ($zip, %fields) = @_;
    my ($body, $type) = RoomsTest::Bundle::form($zip, %fields);

    return call('POST', '/v1/rooms/import', 'ann', $body,
                'Content-Type' => $type);
}

# The limit: one at every entrance

my $room = make(group => 'ann', name => 'Deep');
my $path = "/v1/rooms/$room";

admit($room, 'ann', 'bob');

my $too = '400 SW_VALIDATION_FAILED content';

for my $levels (2, 33, 63, 64) {
    for my $inner ('', '1', '{}') {
        my $text = deep($levels - ($inner eq '{}'), $inner);
        my $res = expect(201, 'POST', "$path/send", 'bob',
                         qq({"content":$text}));

        expect(200, 'POST', "$path/events/$res->{data}{id}/edit", 'bob',
               qq({"content":$text}));
    }
}

my $id = must('POST', "$path/send", 'bob', { content => {} })->{id};

for my $levels (65, 66, 125, 126, 128, 200, 2000) {
    my $text = deep($levels);

    expect($too, 'POST', "$path/send", 'bob', qq({"content":$text}));
    expect($too, 'POST', "$path/send", 'bob', qq({"conten\\u0074":$text}));
    expect($too, 'POST', "$path/events/$id/edit", 'bob',
           qq({"content":$text}));
}

expect($too, 'POST', "$path/send", 'bob',
       '{"content":{"o":' . '{"a":[' x 32 . ']}' x 32 . '}}');

# what we export, we import: 64 levels, and edits of such contents

my ($manifest, $zip) = bundle($room, 'ann');
my $res = import_bundle($zip);

is($res->{status}, 201, 'a bundle with the deepest contents')
    or diag($res->{body});

my $copy = $res->{data}{id};
my @was = grep { $_->{event_type} eq 'swp.room.message' } events($room, 'ann');
my @now = grep { $_->{event_type} eq 'swp.room.message' } events($copy, 'ann');

delete $_->{content}{_imported_sender} for @now;

is_deeply([map { $_->{content}{a} } @now], [map { $_->{content}{a} } @was],
          'comes back as it was');
is_deeply([map { $_->{original_content} } @now],
          [map { $_->{original_content} } @was], 'with its edits');

(undef, $zip) = bundle($copy, 'ann');
is(import_bundle($zip)->{status}, 201, 'and once more');

for my $case (
    [64, 'content', 201], [65, 'content', 400], [120, 'content', 400],
    [122, 'content', 400], [126, 'content', 400], [500, 'content', 400],
    [64, 'original_content', 201], [65, 'original_content', 400],
    [64, 'edit', 201], [65, 'edit', 400])
{
    my ($levels, $where, $want) = @$case;
    my $content = $json->decode(deep($levels));
    my $event = RoomsTest::Bundle::event(4, {});

    if ($where eq 'edit') {
        $event->{content} = {
            replaces => RoomsTest::Bundle::event(1, {})->{id},
            content => $content };

    } else {
        $event->{$where} = $content;
    }

    my $m = RoomsTest::Bundle::manifest();

    push @{$m->{events}}, $event;

    $zip = RoomsTest::Bundle::bundle($json->encode($m));
    $res = import_bundle($zip);

    is("$res->{status} $res->{code}", $want == 201 ? '201 '
       : '400 SW_BUNDLE_INVALID', "a bundle with $levels levels in $where");

    my $said = $json->encode($res->{json}{error}{details} // []);

    like($said, qr/levels/, 'says why') if $want == 400;
    like($said, qr/events\[3\]/, 'and where') if $want == 400 && $levels < 100;
}

# Hostile events in the store

my $ugly = make(group => 'ann', name => 'Ugly');
my $at = "/v1/rooms/$ugly";

admit($ugly, 'ann', 'bob');

my $key = key("r:$ugly:events");
my %by;

sub position_of { redis('GET', key('position')) }

# An event as it should be, which a case then spoils.
sub proper {
    my ($position) = @_;
    my $id = sprintf 'evt-%013x%016x', $position, $position;

    return { id => $id, room_id => $ugly, stream_position => $position,
             sender_id => 'bob', event_type => 'swp.room.message',
             content => { body => 'x' }, origin_ts => 1767225600,
             created_at => '2026-01-01T00:00:00.000Z', edited_at => undef,
             redacted_at => undef };
}

sub ours { return event_row($_[0]) }

my @cases = (
    ['garbage', sub { 'x' x 40 }],
    ['nothing', sub { '' }],
    ['JSON', sub { $json->encode($_[0]) }],
    ['truncated', sub { substr ours($_[0]), 0, 60 }, 1],
    ['a number', sub { '17' }],
    ['an empty object', sub { '{}' }],
    ['half an id', sub { ours($_[0]) =~ s/^.{9}//r }],
    ['an id with its prefix', sub { 'evt-' . ours($_[0]) }],
    ['invalid UTF-8', sub { ours($_[0]) =~ s/"x"/"\xff\xfe"/r }, 1],
    ['a NUL', sub { ours($_[0]) =~ s/"x"/"\0"/r }, 1],
    ['two events', sub { ours($_[0]) x 2 }, 1],
    ['65 levels', sub { ours($_[0]) =~ s/\{"body":"x"\}/deep(65)/er }, 1],
    ['126 levels', sub { ours($_[0]) =~ s/\{"body":"x"\}/deep(126)/er }, 1],
    ['3000 levels', sub { ours($_[0]) =~ s/\{"body":"x"\}/deep(3000)/er }, 1],
    ['a content that is no object',
     sub { ours($_[0]) =~ s/\{.*/5/r }, 1],
    ['a content that is an array', sub { ours($_[0]) =~ s/\{.*/[]/r }, 1],
    ['no content', sub { ours($_[0]) =~ s/ \{.*//r }, 1],
    ['no sender', sub { ours($_[0]) =~ s/ bob / /r }, 1],
    ['a sender that is none', sub { ours($_[0]) =~ s/ bob / b\xffb /r }, 1],
    ['no type', sub { ours($_[0]) =~ s/ message//r }, 1],
    ['no time', sub { ours($_[0]) =~ s/ \d+ \{/ {/r }, 1],
    ['a time that is none', sub { ours($_[0]) =~ s/ (\d+) \{/ x$1 {/r }, 1],
    ['a time before all', sub { ours($_[0]) =~ s/ (\d+) \{/ -$1 {/r }, 1],
    ['an edit at no time', sub { ours($_[0]) =~ s/ \{/ e {/r }, 1],
    ['a word that means nothing', sub { ours($_[0]) =~ s/ \{/ y1 {/r }, 1],
    ['a word twice', sub { ours($_[0]) =~ s/ \{/ x x {/r }, 1],
    ['two spaces', sub { ours($_[0]) =~ s/ bob/  bob/r }, 1],
    ['an original that is an array',
     sub { ours($_[0]) . "\n[]" }, 1],
    ['a deep original', sub { ours($_[0]) . "\n" . deep(65) }, 1],
    ['two originals', sub { ours($_[0]) . "\n{}\n{}" }, 1],
);

my @want;

for my $case (@cases) {
    my ($name, $spoil, $known) = @$case;

    must('POST', "$at/send", 'bob', { content => { before => $name } });
    push @want, { body => $name };

    my $position = redis('INCR', key('position'));
    my $e = proper($position);

    # members of a set differ
    my $text = $spoil->($e);

    $text .= ' ' while defined redis('ZSCORE', $key, $text);
    redis('ZADD', $key, $position, $text);
    redis('HSET', key("r:$ugly"), 'position', $position);

    push @want, { unreadable => JSON::PP::true, room_id => $ugly,
                  stream_position => $position,
                  $known ? (id => $e->{id}) : () };
    $by{$name} = $e->{id};
}

must('POST', "$at/send", 'bob', { content => { last => 1 } });
push @want, { body => 'last' };

# what is expected, in the order of positions, from the first of the messages
sub plain {
    return [map { $_->{unreadable} ? $_
                  : { body => $_->{content}{before} // 'last' } }
            grep { $_->{unreadable} || exists $_->{content}{before}
                   || exists $_->{content}{last} } @_];
}

for my $limit (200, 7, 2, 1) {
    is_deeply(plain(pages("$at/messages?direction=forward", 'ann', 'from',
                          $limit)),
              \@want, "messages, forward, $limit a page");
    is_deeply(plain(reverse pages("$at/messages?direction=back", 'ann',
                                  'from', $limit)),
              \@want, "messages, back, $limit a page");
}

like(nginx_log(), qr/unreadable event of "$ugly"/, 'the log says so');

# the other rows of an event

for my $case (@cases) {
    my ($name, undef, $known) = @$case;
    my $e = "$at/events/$by{$name}";

    $res = call('GET', $e, 'ann');
    is_deeply($res->{data}, { unreadable => JSON::PP::true,
                              room_id => $ugly,
                              stream_position => hex(substr $by{$name}, 4, 13),
                              $known ? (id => $by{$name}) : () },
              "by its id: $name");

    for my $call (['edit', { content => {} }], ['redact', {}],
                  ['reaction', { emoji => 'x' }])
    {
        $res = call('POST', "$e/$call->[0]", 'bob', $call->[1]);
        is("$res->{status} $res->{code}", '404 SW_EVENT_NOT_FOUND',
           "$call->[0]: $name");
    }
}

$res = expect('200', 'PUT', "$at/read", 'ann',
              { event_id => $by{'126 levels'} });
ok($res->{data}{advanced}, 'one can be read up to it');
expect(200, 'GET', $at, 'ann');

# export and import

($manifest, $zip) = bundle($ugly, 'ann');
is_deeply(plain(@{$manifest->{events}}), \@want, 'the export shows them');

$res = import_bundle($zip);
is($res->{status}, 201, 'and what was exported is imported')
    or diag($res->{body});

my @imported = events($res->{data}{id}, 'ann');

is_deeply(plain(@imported), [grep { !$_->{unreadable} } @want],
          'without them');
is($res->{data}{events_imported},
   (grep { !$_->{unreadable} } @{$manifest->{events}}), 'nor are they counted');

($manifest) = bundle($ugly, 'ann', '?from=2000-01-01T00:00:00Z');
ok(!(grep { $_->{unreadable} } @{$manifest->{events}}),
   'what has no time is in no span of time');

# a message whose uuid is sent again, and can't be read any more

my $once = { content => { n => 1 }, event_uuid => 'once' };
my $first = must('POST', "$at/send", 'bob', $once);
my $score = $first->{stream_position};

redis('ZREMRANGEBYSCORE', $key, $score, $score);
redis('ZADD', $key, $score, 'gone');

expect("201\ndata.unreadable = true\ndata.stream_position = $score\n"
       . "data.room_id = $ugly",
       'POST', "$at/send", 'bob', $once);

# an edit whose event can't be read: the message is redacted all the same

my $said = must('POST', "$at/send", 'bob', { content => { secret => 1 } });

must('POST', "$at/events/$said->{id}/edit", 'bob',
     { content => { secret => 2 } });
$score = position_of();
redis('ZREMRANGEBYSCORE', $key, $score, $score);
redis('ZADD', $key, $score, '{"id":5}');

expect("200\ndata.content = {}\ndata.id = $said->{id}", 'POST',
       "$at/events/$said->{id}/redact", 'bob', {});

# Other values that can't be read end no list either

my $crew = make(group => 'ann', name => 'Crew');

admit($crew, 'ann', 'bob', 'cy');

my @bad = ('garbage', '{', '[]', '{"local_id":5}', "\xff\xfe", '',
           '{"local_id":"x"}', '{"local_id":"x","display_name":"\xff"}');
my $whole = redis('HGET', key('participants'), 'bob');

for my $bad (@bad) {
    redis('HSET', key('participants'), 'bob', $bad);
    $res = expect(200, 'GET', "/v1/rooms/$crew/members", 'ann');

    my ($row) = grep { $_->{participant_id} eq 'bob' } @{$res->{data}};

    is($row->{participant}{display_name}, 'bob', 'a member without a profile');
    is($row->{membership}, 'join', 'is a member all the same');
    is(scalar @{$res->{data}}, 3, 'beside the others');

    ($manifest) = bundle($crew, 'ann');
    is($manifest->{participants}{bob}{display_name}, 'bob',
       'and so it is in an export');
}

my $dm = must('POST', '/v1/rooms/dm', 'ann', { participant_id => 'cy' })->{id};

redis('HSET', key('participants'), 'cy', 'garbage');
expect("200\ndata.name = cy", 'GET', "/v1/rooms/$dm", 'ann');
$res = expect(200, 'GET', '/v1/directory/rooms', 'ann');
is(scalar(grep { $_->{id} eq $dm } @{$res->{data}}), 1, 'in the directory');
redis('HSET', key('participants'), 'bob', $whole);
redis('HDEL', key('participants'), 'cy');

for my $bad ('garbage', '', 'join', 'join x 1 1', "\xff") {
    redis('HSET', key("r:$crew:members"), 'bob', $bad);
    redis('ZADD', key("r:$crew:list"), 0, "b\xff\"d");
    $res = expect(200, 'GET', "/v1/rooms/$crew/members", 'ann');
    is_deeply([map { $_->{participant_id} } @{$res->{data}}], ['ann', 'cy'],
              'a row that is none is passed over');
}

# a page ends before an id that no cursor can name, and another one follows

redis('ZADD', key("r:$crew:list"), 0, "bz\xff");

my ($cursor, @seen) = ('');

for (1 .. 3) {
    $res = expect(200, 'GET', "/v1/rooms/$crew/members?limit=1$cursor", 'ann');
    push @seen, map { $_->{participant_id} } @{$res->{data}};
    last if !$res->{meta}{has_more};
    $cursor = "&cursor=$res->{meta}{next_cursor}";
}

is_deeply(\@seen, ['ann', 'cy'], 'page by page as well');

# a room that can't be read hides no other

for my $bad ('garbage', '', 'group - 0 0 x ann') {
    redis('HSET', key("r:$crew"), 'meta', $bad);
    $res = expect(200, 'GET', '/v1/directory/rooms', 'ann');
    ok(scalar @{$res->{data}} > 3, 'the directory without it');
}

# media that can't be read are lost to an export, which goes on

my $shelf = make(group => 'ann', name => 'Shelf');
my $medium = 'med-' . '0' x 26;

must('POST', "/v1/rooms/$shelf/send", 'ann',
     { content => { media_id => $medium } });

for my $bad ('garbage', '[]', '{}', '{"sha256":5}') {
    redis('HSET', key('media'), $medium, $bad);
    ($manifest) = bundle($shelf, 'ann');
    is(scalar @{$manifest->{missing_media}}, 1, 'a medium of garbage');
}

done_testing();
