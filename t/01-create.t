# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# POST /v1/rooms

use strict;
use warnings;

use Test::More;
use Unicode::Normalize qw(NFC NFD);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;

start();

my ($ann, $bob) = known(qw(ann bob));
my $post = sub {
    my ($want, $body, $who, @headers) = @_;

    return expect($want, 'POST', '/v1/rooms', $who // 'ann', $body,
                  @headers);
};

# a whole room
my $res = $post->(<<"END", { room_type => 'group', name => ' Engineering ' });
201
data # 17
data.id ~ ^room-[0-9a-z]{26}\$
data.room_alias = "#engineering:rooms.test"
data.room_type = group
data.scope_kind null
data.name = Engineering
data.topic null
data.is_public = false
data.state = open
data.federated = false
data.workspace_id = $ann->{workspace_id}
data.creator_id = ann
data.created_at ~ ^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d+Z\$
data.members_count = 1
data.invited_count = 0
data.last_event_position : number
data.me # 6
data.me.membership = join
data.me.power_level = 100
data.me.notification_mode = inherit
data.me.muted_until null
data.me.last_read_event_id null
data.me.unread_count = 0
END

is($res->{data}{updated_at}, $res->{data}{created_at}, 'updated when made');
is($res->{headers}{location}, "/v1/rooms/$res->{data}{id}", 'Location');
is($res->{headers}{'content-type'}, 'application/json', 'JSON');
is_deeply(call('GET', $res->{headers}{location}, 'ann')->{data},
          $res->{data}, 'it is read as it was answered');
is(call('GET', $res->{headers}{location}, 'ann')->{headers}{etag},
   $res->{headers}{etag}, 'with the ETag');
is_deeply([map { $_->{event_type} } events($res->{data}{id}, 'ann')],
          ['swp.room.create'], 'one event');
is(newest($res->{data}{id}, 'ann')->{stream_position},
   $res->{data}{last_event_position}, 'at the position that was answered');
verify_room($res->{data}{id});

# types
$post->("201\ndata.room_type = public\ndata.is_public = true"
        . "\ndata.scope_kind null",
        { room_type => 'public', name => 'P' });
$post->("201\ndata.is_public = true",
        { room_type => 'public', name => 'P', is_public => true });
$post->("201\ndata.is_public = true\ndata.room_type = group",
        { room_type => 'group', name => 'G', is_public => true });
$post->("201\ndata.is_public = false",
        { room_type => 'group', name => 'G', is_public => false });
$post->("201\ndata.scope_kind = incognito\ndata.is_public = false"
        . "\ndata.name null\ndata.room_alias null",
        { room_type => 'incognito' });
$post->("201\ndata.scope_kind = incognito\ndata.name = Secret"
        . "\ndata.room_alias null",
        { room_type => 'incognito', name => 'Secret',
          scope_kind => 'incognito' });
$post->("201\ndata.scope_kind = incognito\ndata.room_type = group"
        . "\ndata.room_alias null",
        { room_type => 'group', name => 'Many', scope_kind => 'incognito' });
$post->('201', { room_type => 'incognito', close_on_leave => false });
$post->("201\ndata.topic = T\ndata.scope_kind null",
        { room_type => 'group', name => 'G', topic => 'T',
          scope_kind => undef, is_public => undef, workspace_id => undef,
          close_on_leave => undef });
$post->("201\ndata.unknown !",
        { room_type => 'group', name => 'G', unknown => [1], state => 'closed',
          id => 'room-x', federated => true, creator_id => 'bob' });

# type invariants
for my $bad ({ room_type => 'public', name => 'P', is_public => false },
             { room_type => 'public', name => 'P',
               scope_kind => 'incognito' },
             { room_type => 'incognito', is_public => true },
             { room_type => 'group', name => 'G', is_public => true,
               scope_kind => 'incognito' },
             { room_type => 'dm', name => 'D' },
             { room_type => 'dm' },
             { room_type => 'sidekick', name => 'S' },
             { room_type => 'bridge', name => 'B' })
{
    $post->('400 SW_ROOM_TYPE_INVARIANT', $bad);
}

# what is not valid, by its field
for my $case (
    [room_type => {}],
    [room_type => { name => 'x' }],
    [room_type => { name => 'x', room_type => undef }],
    [room_type => { name => 'x', room_type => 'GROUP' }],
    [room_type => { name => 'x', room_type => '' }],
    [room_type => { name => 'x', room_type => 1 }],
    [room_type => { name => 'x', room_type => ['group'] }],
    [name => { room_type => 'group' }],
    [name => { room_type => 'public' }],
    [name => { room_type => 'group', name => undef }],
    [name => { room_type => 'group', name => '' }],
    [name => { room_type => 'group', name => " \x{2003} " }],
    [name => { room_type => 'group', name => 'x' x 129 }],
    [name => { room_type => 'group', name => "a\x01b" }],
    [name => { room_type => 'group', name => "a\x{9f}b" }],
    [name => { room_type => 'group', name => 12 }],
    [name => { room_type => 'incognito', name => '' }],
    [name => { room_type => 'incognito', name => 'x' x 129 }],
    [topic => { room_type => 'group', name => 'x', topic => 'x' x 1025 }],
    [topic => { room_type => 'group', name => 'x', topic => {} }],
    [is_public => { room_type => 'group', name => 'x', is_public => 1 }],
    [is_public => { room_type => 'group', name => 'x',
                    is_public => 'true' }],
    [scope_kind => { room_type => 'group', name => 'x',
                     scope_kind => 'public' }],
    [scope_kind => { room_type => 'group', name => 'x', scope_kind => '' }],
    [scope_kind => { room_type => 'group', name => 'x',
                     scope_kind => false }],
    [workspace_id => { room_type => 'group', name => 'x',
                       workspace_id => 7 }],
    [close_on_leave => { room_type => 'incognito', close_on_leave => 0 }],
    [room_type => '{"room_type":"group","name":"x","room_type":"group"}'],
    [name => '{"room_type":"group","name":"a\u0000b"}'],
    [name => qq({"room_type":"group","name":"a\xffb"})],
    [name => qq({"room_type":"group","name":"\xed\xa0\x80"})],
    [body => '["group"]'],
    [body => '"group"'],
    [body => 'null'],
    [body => ''],
    [body => ' '],
    [body => 'room_type=group&name=x'],
    [body => '{"room_type":"group","name":"x"}}'],
    [body => '{"room_type":"group","name":"x"} {}'])
{
    $post->("400 SW_VALIDATION_FAILED $case->[0]", $case->[1]);
}

# what isn't there yet, and would mislead if it were ignored
for my $field ([visibility => 'restricted'], [visibility => 'public'],
               [read_role_slugs => ['x']], [read_role_slugs => []],
               [permissions => { send => 50 }], [permissions => {}])
{
    $post->("400 SW_VALIDATION_FAILED $field->[0]",
            { room_type => 'group', name => 'Refused', @$field });
}

$post->('201', { room_type => 'group', name => 'Nulls', visibility => undef,
                 read_role_slugs => undef, permissions => undef });

is(call('POST', '/v1/rooms', 'ann')->{code}, 'SW_VALIDATION_FAILED',
   'no body at all');

$post->('201', { room_type => 'group', name => 'x' x 128,
                 topic => 'x' x 1024 });
$post->('201', { room_type => 'group', name => "\x{1f600}" x 128,
                 topic => "\x{1f600}" x 1024 });
$post->("201\ndata.topic ~ ^\$", { room_type => 'group', name => 'x',
                               topic => '' });

# JSON whatever Content-Type says
$post->('201', '{"room_type":"group","name":"Form"}', 'ann',
        'Content-Type' => 'application/x-www-form-urlencoded');
$post->('201', '{"room_type":"group","name":"Text"}', 'ann',
        'Content-Type' => 'text/plain; charset=latin1');

# a body of 128 KiB, and one byte more
my $long = '{"room_type":"group","name":"Long","x":"';

$long .= 'x' x (131072 - 2 - length $long) . '"}';

is(length $long, 131072, '128 KiB');
$post->('201', $long);
$post->('413 SW_PAYLOAD_TOO_LARGE', "$long ");
$post->('413 SW_PAYLOAD_TOO_LARGE', undef, 'ann',
        'Content-Length' => 131073);

my @chunks = map { sprintf "%x\r\n%s\r\n", length $_, $_ }
             ($long, ' ' x 4096);

$post->('201', "$chunks[0]0\r\n\r\n", 'ann',
        'Transfer-Encoding' => 'chunked');
$post->('413 SW_PAYLOAD_TOO_LARGE', "$chunks[0]$chunks[1]0\r\n\r\n", 'ann',
        'Transfer-Encoding' => 'chunked');

# names, in NFC, of something that can be seen
for my $case (["e\x{301}", "\x{e9}"], ["\x{3000}a\x{a0}", 'a'],
              ["e\x{301}" x 128, "\x{e9}" x 128],
              ["\x{1f389}", "\x{1f389}"])
{
    my $res = call('POST', '/v1/rooms', 'ann',
                   { room_type => 'group', name => $case->[0] });

    ok(($res->{data}{name} // '') eq $case->[1], 'a name in NFC');
    ok((call('GET', "/v1/rooms/$res->{data}{id}", 'ann')->{data}{name} // '')
       eq $case->[1], 'as it is kept');
}

my $renamed = make(group => 'ann');

for my $name ("\x{200b}", "\x{3164}", "\x{2800}", "\x{301}",
              "a\x{202e}b", "a\x{2066}b", "\x{958}" x 128)
{
    for my $row (['POST', '/v1/rooms', { room_type => 'group' }],
                 ['POST', '/v1/rooms', { room_type => 'incognito' }],
                 ['PUT', "/v1/rooms/$renamed/name", {}],
                 ['POST', '/v1/workspaces', {}])
    {
        expect('400 SW_VALIDATION_FAILED name', @$row[0, 1], 'ann',
               { %{$row->[2]}, name => $name });
    }
}

ok(call('PUT', "/v1/rooms/$renamed/name", 'ann', { name => " u\x{308} " })
   ->{data}{name} eq "\x{fc}", 'renamed, in NFC');

# aliases: unique in the tenant, numbered, freed by closing
tenant('aliases');
known(qw(ann bob));

my @rooms = map { must('POST', '/v1/rooms', $_ % 2 ? 'ann' : 'bob',
                       { room_type => 'group', name => 'Sales & Co.' }) }
            1 .. 6;

is($rooms[0]{room_alias}, '#sales-co:rooms.test', 'a slug of the name');
is($rooms[1]{room_alias}, '#sales-co-2:rooms.test', 'numbered');
is($rooms[2]{room_alias}, '#sales-co-3:rooms.test', 'and again');

my %aliases = map { $_->{room_alias} => 1 } @rooms;

is(scalar keys %aliases, 6, 'all different');
is(scalar(grep { /^#sales-co(?:-\d+)?:rooms\.test$/ } keys %aliases), 6,
   'all of the name');

for my $room (@rooms) {
    my ($slug) = $room->{room_alias} =~ /^#(.*)/;

    is(call('GET', "/v1/rooms/%23$slug", $room->{creator_id})->{data}{id},
       $room->{id}, "$slug is found");
}

must('POST', "/v1/rooms/$rooms[0]{id}/close", 'ann');
is(must('POST', '/v1/rooms', 'ann',
        { room_type => 'group', name => 'sales co' })->{room_alias},
   '#sales-co:rooms.test', 'free again after closing');
is(must('POST', '/v1/rooms', 'ann',
        { room_type => 'group', name => '!?' })->{room_alias},
   '#room:rooms.test', 'a name without letters for a slug');

# in every script; and found by what it is, in either form of Unicode
for my $case (["\x{dc}ber uns", 'uber-uns'], ["U\x{308}ber uns", 'uber-uns-2'],
              ["\x{4e2d}\x{6587}\x{9891}\x{9053}",
               "\x{4e2d}\x{6587}\x{9891}\x{9053}"],
              ["\x{41e}\x{431}\x{449}\x{438}\x{439}",
               "\x{43e}\x{431}\x{449}\x{438}\x{439}"],
              ["\x{e17}\x{e35}\x{e48}", "\x{e17}\x{e35}\x{e48}"])
{
    my ($name, $slug) = @$case;
    my $room = must('POST', '/v1/rooms', 'ann',
                    { room_type => 'group', name => $name });
    my $path = sub { my $bytes = $_[0]; utf8::encode($bytes);
                     '/v1/rooms/%23'
                     . join '', map { sprintf '%%%02x', ord } split //, $bytes
                   };

    ok($room->{room_alias} eq "#$slug:rooms.test",
       'alias of ' . NFC($name) =~ s/([^ -~])/sprintf '\\x{%x}', ord $1/ger);

    for my $form ($slug, NFD($slug)) {
        is(call('GET', $path->($form), 'ann')->{data}{id}, $room->{id},
           'found by it');
    }

    must('POST', "/v1/rooms/$room->{id}/archive", 'ann');
    is(call('GET', $path->("$slug:rooms.test"), 'ann')->{data}{state},
       'archived', 'and while it is archived');
    must('POST', "/v1/rooms/$room->{id}/close", 'ann');
    expect('404 SW_ROOM_NOT_FOUND', 'GET', $path->($slug), 'ann');
    must('POST', '/v1/rooms', 'ann',
         { room_type => 'group', name => 'uber uns' }) if $slug eq 'uber-uns';
}

# as many of one name as there may be
redis('EVAL', "for i = 2, 9000 do"
              . " redis.call('HSET', KEYS[1], 'crowd-' .. i, 'x') end"
              . " redis.call('HSET', KEYS[1], 'crowd', 'x')", 1,
      key('aliases'));

my @crowd = many(8, map { ['POST', '/v1/rooms', 'ann',
                           { room_type => 'group', name => 'Crowd' }] }
                        1 .. 30);

is_deeply([grep { $_->{status} != 201 } @crowd], [],
          'thousands of one name are no reason to refuse');
is(scalar(grep { ($_->{data}{room_alias} // '')
                 =~ /^#crowd-(?:9[0-9]{3}|[0-9]{5,}):/ } @crowd), 30,
   'and each has a number that was free');
like(must('POST', '/v1/rooms', 'ann',
          { room_type => 'group', name => 'x' x 128 })->{room_alias},
     qr/^#x{1,64}:rooms\.test$/, 'a long one');

# another tenant has its own names
is(must('POST', '/v1/rooms', 'ann@elsewhere',
        { room_type => 'group', name => 'Sales Co' })->{room_alias},
   '#sales-co:rooms.test', 'in another tenant');

# workspaces
tenant('acme');

my $shared = must('POST', '/v1/workspaces', 'ann', { name => 'W' })->{id};
my $in = sub { { room_type => 'group', name => 'x', workspace_id => $_[0] } };

$post->("201\ndata.workspace_id = $shared", $in->($shared));
$post->("201\ndata.workspace_id = $bob->{workspace_id}",
        { room_type => 'group', name => 'x' }, 'bob');
$post->('404 SW_WORKSPACE_NOT_FOUND', $in->($shared), 'bob');
$post->('404 SW_WORKSPACE_NOT_FOUND', $in->($ann->{workspace_id}), 'bob!');
must('POST', "/v1/workspaces/$shared/members", 'ann',
     { participant_id => 'bob', role => 'viewer' });
$post->('403 SW_WORKSPACE_FORBIDDEN', $in->($shared), 'bob');
must('POST', "/v1/workspaces/$shared/members", 'ann',
     { participant_id => 'bob', role => 'editor' });
$post->("201\ndata.workspace_id = $shared", $in->($shared), 'bob');

for my $none ('ws-00000000000000000000000000', 'x', '', "$shared:members") {
    $post->('404 SW_WORKSPACE_NOT_FOUND', $in->($none));
}

$post->('404 SW_WORKSPACE_NOT_FOUND', $in->($shared), 'ann@other');

# max_rooms: closed rooms don't count, archived ones do
tenant('small');
known(qw(ann bob cy));
redis('HSET', key('tenant'), 'max_rooms', 3);

my $one = make(group => 'ann');
my $two = make(group => 'ann');
my $dm = make(dm => 'ann', with => 'bob');

$post->('409 SW_TENANT_CAPACITY', { room_type => 'group', name => 'x' });
expect('409 SW_TENANT_CAPACITY', 'POST', '/v1/rooms/dm', 'ann',
       { participant_id => 'cy' });
expect("200\ndata.id = $dm", 'POST', '/v1/rooms/dm', 'bob',
       { participant_id => 'ann' });
must('POST', "/v1/rooms/$one/archive", 'ann');
$post->('409 SW_TENANT_CAPACITY', { room_type => 'group', name => 'x' });
must('POST', "/v1/rooms/$one/close", 'ann');
must('POST', "/v1/rooms/$one/close", 'ann');
$post->('201', { room_type => 'group', name => 'x' });
$post->('409 SW_TENANT_CAPACITY', { room_type => 'group', name => 'x' });
must('POST', "/v1/rooms/$dm/close", 'bob');
must('POST', "/v1/rooms/dm", 'ann', { participant_id => 'bob' });
$post->('409 SW_TENANT_CAPACITY', { room_type => 'group', name => 'x' });

# the body and the type are looked at before the seats
$post->('400 SW_VALIDATION_FAILED name', { room_type => 'group' });
$post->('400 SW_ROOM_TYPE_INVARIANT', { room_type => 'dm' });
is(redis('HGET', key('tenant'), 'rooms'), 3, 'what the store counts');

# incognito rooms have events that are not indexed
tenant('acme');

my $secret = make(incognito => 'ann');

is_deeply([map { $_->{do_not_index} } events($secret, 'ann')], [true],
          'do_not_index');

# the directive's default
start('rooms_max_rooms 1;');
tenant('directive');
make(group => 'ann');
$post->('409 SW_TENANT_CAPACITY', { room_type => 'group', name => 'x' });
redis('HSET', key('tenant'), 'max_rooms', 2);
$post->('201', { room_type => 'group', name => 'x' });
$post->('409 SW_TENANT_CAPACITY', { room_type => 'group', name => 'x' });
stop_nginx();

done_testing();
