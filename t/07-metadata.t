# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# PUT name, topic and workspace: who may, what is kept, If-Match.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;

start();
known(qw(ann bob cy dan));

my $room = make(group => 'ann', name => 'First');
my $path = "/v1/rooms/$room";

admit($room, 'ann', 'bob=50', 'cy=49');
call('POST', "$path/invite", 'ann', { participant_id => 'dan' });

# name
expect("200\ndata.name = Second\ndata.id = $room\ndata.me.power_level = 50",
       'PUT', "$path/name", 'bob', { name => 'Second' });
expect("200\ndata.name = Second", 'GET', $path, 'cy');
expect("200\ndata.name = Third", 'PUT', "$path/name", 'ann',
       { name => '  Third ' });
expect("200\ndata.room_alias = \"#first:rooms.test\"", 'GET', $path, 'ann');
expect("200\ndata.name = Third", 'GET', '/v1/rooms/%23first', 'ann');
expect('403 SW_ROOM_FORBIDDEN', 'PUT', "$path/name", 'cy', { name => 'x' });
expect('403 SW_ROOM_FORBIDDEN', 'PUT', "$path/name", 'dan', { name => 'x' });
expect('404 SW_ROOM_NOT_FOUND', 'PUT', "$path/name", 'eve', { name => 'x' });
expect('404 SW_ROOM_NOT_FOUND', 'PUT', "$path/name", 'ann@other',
       { name => 'x' });

for my $bad ('', '   ', 'x' x 129, "a\nb", "a\tb", "a\x7fb", "a\x{85}b",
             undef, 5, true, [], {})
{
    expect('400 SW_VALIDATION_FAILED name', 'PUT', "$path/name", 'ann',
           { name => $bad });
}

expect('400 SW_VALIDATION_FAILED name', 'PUT', "$path/name", 'ann', {});
expect("200\ndata.name = " . ('x' x 128), 'PUT', "$path/name", 'ann',
       { name => 'x' x 128 });
expect("200\ndata.name ~ ^\\S{128}\$", 'PUT', "$path/name", 'ann',
       { name => "\x{1f600}" x 128 });
expect('400 SW_VALIDATION_FAILED name', 'PUT', "$path/name", 'ann',
       { name => "\x{1f600}" x 129 });
expect("200\ndata.name = \"\\\"quoted\\\" \\\\ \xc3\xa9\"", 'PUT',
       "$path/name", 'ann', { name => "\"quoted\" \\ \x{e9}" });

# topic
expect("200\ndata.topic = On work", 'PUT', "$path/topic", 'bob',
       { topic => 'On work' });
expect("200\ndata.topic = On work", 'GET', $path, 'ann');
expect("200\ndata.topic null", 'PUT', "$path/topic", 'ann',
       { topic => undef });
expect("200\ndata.topic null", 'GET', $path, 'ann');
expect('400 SW_VALIDATION_FAILED topic', 'PUT', "$path/topic", 'ann', {});
expect('400 SW_VALIDATION_FAILED topic', 'PUT', "$path/topic", 'ann',
       { topic => 7 });
expect('200', 'PUT', "$path/topic", 'ann', { topic => 'x' x 1024 });
expect('400 SW_VALIDATION_FAILED topic', 'PUT', "$path/topic", 'ann',
       { topic => 'x' x 1025 });
expect('403 SW_ROOM_FORBIDDEN', 'PUT', "$path/topic", 'cy',
       { topic => 'x' });
is(length call('GET', $path, 'ann')->{data}{topic}, 1024,
   'what was refused changed nothing');

# workspace: owner or editor of the target
my $shared = must('POST', '/v1/workspaces', 'ann', { name => 'Shared' })
             ->{id};

expect("200\ndata.workspace_id = $shared", 'PUT', "$path/workspace", 'ann',
       { workspace_id => $shared });
expect("200\ndata.workspace_id = $shared", 'GET', $path, 'cy');

my ($bobs) = known('bob');

$bobs = $bobs->{workspace_id};

expect('404 SW_WORKSPACE_NOT_FOUND', 'PUT', "$path/workspace", 'ann',
       { workspace_id => $bobs });
expect('404 SW_WORKSPACE_NOT_FOUND', 'PUT', "$path/workspace", 'bob',
       { workspace_id => $shared });
must('POST', "/v1/workspaces/$shared/members", 'ann',
     { participant_id => 'bob', role => 'viewer' });
expect("200\ndata.workspace_id = $bobs", 'PUT', "$path/workspace", 'bob',
       { workspace_id => $bobs });
expect('403 SW_WORKSPACE_FORBIDDEN', 'PUT', "$path/workspace", 'bob',
       { workspace_id => $shared });
must('POST', "/v1/workspaces/$shared/members", 'ann',
     { participant_id => 'bob', role => 'editor' });
expect("200\ndata.workspace_id = $shared", 'PUT', "$path/workspace", 'bob',
       { workspace_id => $shared });
expect('403 SW_ROOM_FORBIDDEN', 'PUT', "$path/workspace", 'cy',
       { workspace_id => $shared });

for my $none ('ws-00000000000000000000000000', 'nonsense', '',
              "$shared:members", "$bobs:members")
{
    expect('404 SW_WORKSPACE_NOT_FOUND', 'PUT', "$path/workspace", 'ann',
           { workspace_id => $none });
}

expect('400 SW_VALIDATION_FAILED workspace_id', 'PUT', "$path/workspace",
       'ann', {});
expect('400 SW_VALIDATION_FAILED workspace_id', 'PUT', "$path/workspace",
       'ann', { workspace_id => undef });
expect("200\ndata.workspace_id = $shared", 'GET', $path, 'ann');

# a DM has no name and no place of its own, but a topic
my $dm = make(dm => 'ann', with => 'bob');

expect('400 SW_ROOM_TYPE_INVARIANT', 'PUT', "/v1/rooms/$dm/name", 'ann',
       { name => 'x' });
expect('400 SW_ROOM_TYPE_INVARIANT', 'PUT', "/v1/rooms/$dm/workspace", 'ann',
       { workspace_id => $shared });
expect("200\ndata.topic = x\ndata.name = bob", 'PUT', "/v1/rooms/$dm/topic",
       'ann', { topic => 'x' });

# If-None-Match: 304 while nothing that the caller reads has changed
my $read = call('GET', $path, 'ann');
my $not = sub {
    my ($want, $method, $who, $value) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return expect($want, $method, $path, $who, undef,
                  'If-None-Match' => $value);
};

my $same = $not->('304', 'GET', 'ann', $read->{headers}{etag});

is($same->{body}, '', 'no body');
is($same->{headers}{etag}, $read->{headers}{etag}, 'but the ETag');
$not->('304', 'HEAD', 'ann', $read->{headers}{etag});
$not->('304', 'GET', 'ann', "\"x\", W/$read->{headers}{etag}");
$not->('304', 'GET', 'ann', '*');
$not->('200', 'GET', 'ann', '"x"');
$not->('200', 'GET', 'bob', $read->{headers}{etag});
$not->('404 SW_ROOM_NOT_FOUND', 'GET', 'eve', $read->{headers}{etag});
$not->('404 SW_ROOM_NOT_FOUND', 'GET', 'eve', '*');

for my $change (['PUT', 'topic', 'ann', { topic => 'Anew' }],
                ['POST', 'leave', 'dan'],
                ['POST', 'send', 'bob', { content => {} }],
                ['PUT', 'mute', 'ann', { muted => true }],
                ['POST', 'archive', 'bob'], ['POST', 'rejoin', 'bob'])
{
    my $before = call('GET', $path, 'ann')->{headers}{etag};

    $not->('304', 'GET', 'ann', $before);
    must($change->[0], "$path/$change->[1]", @$change[2, 3]);
    $not->('200', 'GET', 'ann', $before);
}

# If-Match
my $etag = sub { call('GET', $path, shift // 'ann')->{headers}{etag} };
my $seen = $etag->();

like($seen, qr/^"[^"]+"$/, 'a strong ETag');

my $res = expect("200\ndata.name = One", 'PUT', "$path/name", 'ann',
                 { name => 'One' }, 'If-Match' => $seen);

isnt($res->{headers}{etag}, $seen, 'another ETag after the change');
is($res->{headers}{etag}, $etag->(), 'which is that of a later read');
expect('412 SW_PRECONDITION_FAILED', 'PUT', "$path/name", 'ann',
       { name => 'Two' }, 'If-Match' => $seen);
expect('412 SW_PRECONDITION_FAILED', 'PUT', "$path/topic", 'ann',
       { topic => 'Two' }, 'If-Match' => $seen);
expect('412 SW_PRECONDITION_FAILED', 'PUT', "$path/workspace", 'bob',
       { workspace_id => $bobs }, 'If-Match' => $seen);
expect("200\ndata.name = One\ndata.workspace_id = $shared", 'GET', $path,
       'ann');
expect('200', 'PUT', "$path/topic", 'ann', { topic => 'Two' },
       'If-Match' => "\"x\", " . $etag->());
expect('200', 'PUT', "$path/name", 'ann', { name => 'Three' },
       'If-Match' => '*');
expect('412 SW_PRECONDITION_FAILED', 'PUT', "$path/name", 'ann',
       { name => 'Four' }, 'If-Match' => '"nonsense"');
expect('412 SW_PRECONDITION_FAILED', 'PUT', "$path/name", 'ann',
       { name => 'Three' }, 'If-Match' => $seen);
expect('200', 'PUT', "$path/workspace", 'bob', { workspace_id => $bobs },
       'If-Match' => $etag->('bob'));

# the ETag of one caller matches for another who reads the same metadata
expect('200', 'PUT', "$path/topic", 'bob', { topic => 'Shared view' },
       'If-Match' => $etag->('ann'));

# a message is no change of metadata
$seen = $etag->();
call('POST', "$path/send", 'bob', { content => { body => 'hi' } });
expect("200\ndata.name = Five", 'PUT', "$path/name", 'ann',
       { name => 'Five' }, 'If-Match' => $seen);

# what guards a read is no reason to hide that a change was made
expect('200', 'PUT', "$path/topic", 'ann', { topic => 'Six' },
       'If-Unmodified-Since' => 'Thu, 01 Jan 1970 00:00:00 GMT');
expect('200', 'PUT', "$path/topic", 'ann', { topic => 'Seven' },
       'If-None-Match' => '*');
expect('200', 'POST', "$path/join", 'ann', undef, 'If-Match' => '"x"');

# a power of 50 is looked at before what the body aims at, and both before
# If-Match
expect('403 SW_ROOM_FORBIDDEN', 'PUT', "$path/name", 'cy', { name => 'x' },
       'If-Match' => '"nonsense"');

verify_room($room);
stop_nginx();

done_testing();
