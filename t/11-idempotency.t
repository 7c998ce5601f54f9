# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Idempotency-Key on the POSTs that create

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;

start();
known(qw(ann bob cy));

my $room = make(group => 'ann', name => 'First');

admit($room, 'ann', 'bob');

my $position = sub { redis('GET', key('position')) // 0 };
my $idem = sub { @{redis('KEYS', key('idem:*'))} };
my $n = 0;
my $same = sub {
    my ($a, $b, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is("$b->{status} $b->{body}", "$a->{status} $a->{body}", $name);
    is($b->{headers}{location}, $a->{headers}{location}, 'and Location');
};

for my $case (
    ['/v1/rooms', { room_type => 'group', name => 'Idem' },
     { room_type => 'group', name => 'Other' }, { room_type => 'group' }],
    ["/v1/rooms/$room/send", { content => { n => 1 } },
     { content => { n => 2 } }, { content => 1 }],
    ['/v1/workspaces', { name => 'Idem' }, { name => 'Other' }, {}],
    ['/v1/rooms/dm', { participant_id => 'cy' }, { participant_id => 'bob' },
     {}])
{
    my ($path, $body, $other, $bad) = @$case;
    my @key = ('Idempotency-Key' => 'key-' . ++$n);

    # a failed request releases the key
    expect('400 SW_VALIDATION_FAILED', 'POST', $path, 'ann', $bad, @key);

    my $first = expect('201', 'POST', $path, 'ann', $body, @key);
    my $at = $position->();
    my $rooms = redis('HGET', key('tenant'), 'rooms');

    is($first->{headers}{'idempotency-replayed'}, undef, 'not a replay');

    my $again = call('POST', $path, 'ann', $body, @key);

    $same->($first, $again, "$path: the first answer again");
    is($again->{headers}{'idempotency-replayed'}, 'true', 'said to be one');
    is($position->(), $at, 'no event');
    is(redis('HGET', key('tenant'), 'rooms'), $rooms, 'no room');

    # another body, or white space in it
    expect('409 SW_IDEMPOTENCY_CONFLICT', 'POST', $path, 'ann', $other,
           @key);
    $same->($first, call('POST', $path, 'ann', $body, @key),
            'the record stays');

    # another caller's key is another
    my $theirs = expect('201', 'POST', $path, 'bob', $body, @key);

    isnt($theirs->{data}{id}, $first->{data}{id}, 'per caller');

    next if $path =~ /dm\z/;     # of two there is one

    # without a key, or with another, the same again is another
    isnt(must('POST', $path, 'ann', $body)->{id}, $first->{data}{id},
         'no key');
    isnt(must('POST', $path, 'ann', $body, 'Idempotency-Key' => "x$n")->{id},
         $first->{data}{id}, 'another key');

    # a day
    for my $key ($idem->()) {
        my $ttl = redis('TTL', $key);

        ok($ttl > 86300 && $ttl <= 86400, "kept for a day: $ttl")
            or diag redis('GET', $key);
    }

    # many at once: one is made; the others wait or are told
    $at = event_count();

    my @race = many(12, map { ['POST', $path, 'ann', $body,
                               'Idempotency-Key' => "race-$n"] } 1 .. 12);
    my %ids = map { $_->{data}{id} => 1 }
              grep { $_->{status} == 201 } @race;
    my @bad = grep { $_->{status} != 201 && $_->{code} ne 'SW_CONFLICT' }
              @race;

    is(scalar keys %ids, 1, 'one is made');
    is(scalar @bad, 0, 'and the others replayed or in conflict');
    cmp_ok(event_count() - $at, '<=', 1, 'one event at most');
    is((must('POST', $path, 'ann', $body,
             'Idempotency-Key' => "race-$n"))->{id}, (keys %ids)[0],
       'replayed afterwards');

    # in flight, as another worker would leave it
    must('POST', $path, 'ann', $body, 'Idempotency-Key' => "flight-$n");

    my ($key) = grep { my $v = redis('GET', $_); redis('TTL', $_) > 0 }
                idem_of("flight-$n", $path, $body);
    my $record = redis('GET', $key);
    my ($hash) = $record =~ /^d ([0-9a-f]{32}) 201 /;

    ok($hash, 'a record');
    redis('SET', $key, "p $hash 0123456789abcdef", 'EX', 60);

    my $wait = expect('409 SW_CONFLICT', 'POST', $path, 'ann', $body,
                      'Idempotency-Key' => "flight-$n");

    like($wait->{headers}{'retry-after'}, qr/^[1-9]\d*$/, 'Retry-After');
    expect('409 SW_IDEMPOTENCY_CONFLICT', 'POST', $path, 'ann', $other,
           'Idempotency-Key' => "flight-$n");
    is(redis('GET', $key), "p $hash 0123456789abcdef",
       "another's claim is not released");
    redis('SET', $key, $record);
    expect('201', 'POST', $path, 'ann', $body,
           'Idempotency-Key' => "flight-$n");
    redis('DEL', $key);
    expect('201', 'POST', $path, 'ann', $body,
           'Idempotency-Key' => "flight-$n");
}

# The key of the store that a request has just written.
sub idem_of {
    my ($name, $path, $body) = @_;
    my %before = map { $_ => redis('GET', $_) } $idem->();

    # the one whose record changes when the request is made anew
    for my $key (keys %before) {
        my ($hash) = $before{$key} =~ /^d (\S+)/ or next;

        redis('SET', $key, "p $hash 0123456789abcdef", 'EX', 60);

        my $code = call('POST', $path, 'ann', $body,
                        'Idempotency-Key' => $name)->{code};

        redis('SET', $key, $before{$key}, 'EX', 86400);

        return $key if $code eq 'SW_CONFLICT';
    }

    return;
}

# the same key in another room is another request
my @key = ('Idempotency-Key' => 'rooms');
my $second = make(group => 'ann', name => 'Second');

expect('201', 'POST', "/v1/rooms/$room/send", 'ann', { content => {} },
       @key);
expect('409 SW_IDEMPOTENCY_CONFLICT', 'POST', "/v1/rooms/$second/send",
       'ann', { content => {} }, @key);
expect('409 SW_IDEMPOTENCY_CONFLICT', 'POST', '/v1/workspaces',
       'ann', { name => 'x' }, @key);

# other failures release the key as well
@key = ('Idempotency-Key' => 'released');
expect('404 SW_ROOM_NOT_FOUND', 'POST', "/v1/rooms/$second/send", 'cy',
       { content => {} }, @key);
expect('409 SW_ROOM_FROZEN', 'POST', '/v1/rooms/' . closed() . '/send',
       'ann', { content => {} }, @key);
expect('413 SW_CONTENT_TOO_LARGE', 'POST', "/v1/rooms/$second/send", 'ann',
       { content => { a => 'x' x 65536 } }, @key);
expect('400 SW_ROOM_TYPE_INVARIANT', 'POST', '/v1/rooms', 'ann',
       { room_type => 'dm' }, @key);
expect('404 SW_WORKSPACE_NOT_FOUND', 'POST', '/v1/rooms', 'ann',
       { room_type => 'group', name => 'x', workspace_id => 'ws-x' }, @key);
expect('201', 'POST', '/v1/rooms', 'ann',
       { room_type => 'group', name => 'x' }, @key);

sub closed {
    my $id = make(group => 'ann');

    must('POST', "/v1/rooms/$id/close", 'ann');

    return $id;
}

# replays survive what became of the room
@key = ('Idempotency-Key' => 'rename');

my $body = { room_type => 'group', name => 'Before', topic => "\"\\\x{e9}" };
my $first = call('POST', '/v1/rooms', 'ann', $body, @key);

must('PUT', "/v1/rooms/$first->{data}{id}/name", 'ann', { name => 'After' });
$same->($first, call('POST', '/v1/rooms', 'ann', $body, @key), 'a rename');
must('POST', "/v1/rooms/$first->{data}{id}/close", 'ann');
$same->($first, call('POST', '/v1/rooms', 'ann', $body, @key), 'closing');

# a replay of a message has the position and id of the first
@key = ('Idempotency-Key' => 'message');
$first = call('POST', "/v1/rooms/$room/send", 'ann',
              '{"content":{"a":1.10,"b":"\u0001\u0002"}}', @key);
like($first->{body}, qr/"content":\{"a":1\.10,"b":"\\u0001\\u0002"\}/,
     'content');
must('POST', "/v1/rooms/$room/send", 'ann', { content => {} });

my $again = call('POST', "/v1/rooms/$room/send", 'ann',
                 '{"content":{"a":1.10,"b":"\u0001\u0002"}}', @key);

$same->($first, $again, 'a message');
is((grep { $_->{id} eq $first->{data}{id} } events($room, 'ann'))[0]
   ->{stream_position}, $again->{data}{stream_position}, 'its position');

# together with an event_uuid
@key = ('Idempotency-Key' => 'both');
$first = call('POST', "/v1/rooms/$room/send", 'ann',
              { content => { n => 1 }, event_uuid => 'both' });

my $at = $position->();

is(call('POST', "/v1/rooms/$room/send", 'ann',
        { content => { n => 1 }, event_uuid => 'both' }, @key)->{body},
   $first->{body}, 'a key for a uuid that is there already') for 1, 2;
is($position->(), $at, 'no event');

# in an incognito room
my $secret = make(incognito => 'ann');

@key = ('Idempotency-Key' => 'secret');
$first = expect("201\ndata.do_not_index = true", 'POST',
                "/v1/rooms/$secret/send", 'ann', { content => { n => 1 } },
                @key);
$same->($first, call('POST', "/v1/rooms/$secret/send", 'ann',
                     { content => { n => 1 } }, @key), 'incognito');
expect('409 SW_IDEMPOTENCY_CONFLICT', 'POST', "/v1/rooms/$secret/send",
       'ann', { content => { n => 2 } }, @key);
must('POST', "/v1/rooms/$secret/leave", 'ann');
expect('404 SW_ROOM_NOT_FOUND', 'POST', "/v1/rooms/$secret/send", 'ann',
       { content => { n => 1 } }, @key);

# keys
for my $bad ('x' x 256, 'a b', "a\x{e9}") {
    expect('400 SW_VALIDATION_FAILED Idempotency-Key', 'POST', '/v1/rooms',
           'ann', { room_type => 'group', name => 'x' },
           'Idempotency-Key' => $bad);
}

expect('201', 'POST', '/v1/rooms', 'ann',
       { room_type => 'group', name => 'x' }, 'Idempotency-Key' => 'x' x 255);

# a record is no room for the tenant's limit, and a full tenant replays
tenant('full');
known('ann');
redis('HSET', key('tenant'), 'max_rooms', 1);
@key = ('Idempotency-Key' => 'full');
$first = call('POST', '/v1/rooms', 'ann',
              { room_type => 'group', name => 'x' }, @key);
is($first->{status}, 201, 'made');
$same->($first, call('POST', '/v1/rooms', 'ann',
                     { room_type => 'group', name => 'x' }, @key),
        'replayed in a full tenant');
expect('409 SW_TENANT_CAPACITY', 'POST', '/v1/rooms', 'ann',
       { room_type => 'group', name => 'y' }, 'Idempotency-Key' => 'full2');
redis('HSET', key('tenant'), 'max_rooms', 2);
expect('201', 'POST', '/v1/rooms', 'ann',
       { room_type => 'group', name => 'y' }, 'Idempotency-Key' => 'full2');

# the store's memory of commits is short
for my $key (@{redis('KEYS', 'sw:*:commit:*')}) {
    cmp_ok(redis('TTL', $key), '>', 0, 'a commit expires') or last;
}

stop_nginx();

done_testing();
