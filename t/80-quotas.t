# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# What a tenant may have at most: participants, bytes of media, idempotency
# keys.  The directive is a default, the tenant's hash overrides it, and the
# commit itself guards it, so that no race passes it.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Bundle ();
use RoomsTest::Calls;
use RoomsTest::HTTP ();
use RoomsTest::Roomsctl;

start('rooms_max_people 4; rooms_max_media_bytes 1k;
       rooms_max_idempotency_keys 3; rooms_invite_unknown on;
       rooms_directory_participants all;');

# What is asked at once: how many were refused, by a quota of that name.
sub refused {
    my ($name, @answers) = @_;

    return scalar grep {
        $_->{code} eq 'SW_TENANT_CAPACITY' && $_->{status} == 409
        && $_->{json}{error}{details}[0]{field} eq $name
    } @answers;
}

sub upload {
    my ($who, $content, %headers) = @_;
    my ($body, $type) = RoomsTest::Bundle::form($content);
    my $raw = RoomsTest::HTTP::http_req('POST', '/v1/media/upload',
                                        token($who), $body,
                                        'Content-Type' => $type, %headers);

    return RoomsTest::Calls::answer($raw);
}


# Participants

tenant('people');

my @came = many(8, map { ['GET', '/v1/me', "p$_"] } 1 .. 12);

is(scalar(grep { $_->{status} == 200 } @came), 4, 'four of twelve come in');
is(refused('max_people', @came), 8, 'the others are told why');
is(redis('HLEN', key('locals')), 4, 'there are four');
is(redis('HLEN', key('participants')), 4, 'and no more rows');

my ($first) = map { s/\s//gr } @{redis('HKEYS', key('participants'))};

# those who are there stay whole

is(call('GET', '/v1/me', $first)->{status}, 200, 'they are let in');

my $room = make(group => $first, name => 'Full');

expect('409 SW_TENANT_CAPACITY max_people', 'POST',
       "/v1/rooms/$room/invite", $first, { participant_id => 'somebody' });
expect('409 SW_TENANT_CAPACITY max_people', 'POST', '/v1/rooms/dm', $first,
       { participant_id => 'somebody' });
expect('409 SW_TENANT_CAPACITY max_people', 'PUT',
       '/v1/admin/participants/somebody', "$first!",
       { display_name => 'Some' });
expect('200', 'POST', "/v1/rooms/$room/invite", $first,
       { participant_id => (grep { $_ ne $first }
                            @{redis('HKEYS', key('participants'))})[0] });

# the tenant's own limit goes first, and one commit may bring several

redis('HSET', key('tenant'), 'max_people', 6);
expect('409 SW_TENANT_CAPACITY max_people', 'POST',
       "/v1/rooms/$room/invite", $first,
       { participant_ids => [qw(n1 n2 n3)] });
is(redis('HLEN', key('locals')), 4, 'none of three came, where two may');
expect('200', 'POST', "/v1/rooms/$room/invite", $first,
       { participant_ids => [qw(n1 n2)] });
is(redis('HLEN', key('locals')), 6, 'two of two');
expect('409 SW_TENANT_CAPACITY max_people', 'GET', '/v1/me', 'late');
redis('HDEL', key('tenant'), 'max_people');
expect('200', 'GET', '/v1/me', $first);
expect('409 SW_TENANT_CAPACITY max_people', 'GET', '/v1/me', 'late');


# Media

tenant('media');
known('ann');

my @up = map { upload('ann', $_ x 300) } qw(a b c d);

is(join(' ', map { $_->{status} } @up), '201 201 201 409', 'a kilobyte');
is(refused('max_media_bytes', @up), 1, 'and it says why');
is(redis('HGET', key('tenant'), 'media_bytes'), 900, 'three are counted');
is(upload('ann', 'd' x 124)->{status}, 201, 'to the last byte');
is(upload('ann', 'd')->{status}, 409, 'and no further');
redis('HSET', key('tenant'), 'max_media_bytes', 100_000);

# by an import, in steps: all of them or none

my @media = map { [RoomsTest::Bundle::medium("m$_" . 'x' x 1000, "$_.txt")] }
            1 .. 120;

sub import_media {
    my ($body, $type) = RoomsTest::Bundle::form(RoomsTest::Bundle::bundle(
        RoomsTest::Bundle::manifest(media => [map { $_->[0] } @media]),
        map { @$_[1 .. $#$_] } @media));

    return RoomsTest::Calls::answer(RoomsTest::HTTP::http_req(
        'POST', '/v1/rooms/import', token('ann'), $body,
        'Content-Type' => $type));
}

my $at = redis('GET', key('position'));

is(refused('max_media_bytes', import_media()), 1, 'an import is refused');
is(redis('GET', key('position')), $at, 'before it begins: no position is taken');
is(redis('EXISTS', key('imports')), 0, 'nor a medium registered');
ok(RoomsTest::Process::wait_for(30, sub {
    redis('HGET', key('tenant'), 'media_bytes') == 1024
}), 'and its bytes are counted back')
    or diag(redis('HGET', key('tenant'), 'media_bytes'));
redis('HSET', key('tenant'), 'max_media_bytes', 1_000_000);
is(import_media()->{status}, 201, 'one that fits');

my $bytes = 1024;
$bytes += $_->[0]{size} for @media;

is(redis('HGET', key('tenant'), 'media_bytes'), $bytes, 'is counted');


# Idempotency keys

tenant('keys');
known('ann');

my %key = map { $_ => ['Idempotency-Key' => "k$_"] } 1 .. 12;
my @sent = many(6, map { ['POST', '/v1/rooms', 'ann',
                          { room_type => 'group', name => "R$_" },
                          @{$key{$_}}] } 1 .. 12);

is(scalar(grep { $_->{status} == 201 } @sent), 3, 'three keys of twelve');
is(refused('max_idempotency_keys', @sent), 9, 'the others are told why');
is(redis('HGET', key('tenant'), 'rooms'), 3, 'whose change is not made');

my ($one) = grep { $sent[$_ - 1]{status} == 201 } 1 .. 12;
my $again = call('POST', '/v1/rooms', 'ann',
                 { room_type => 'group', name => "R$one" }, @{$key{$one}});

is($again->{data}{id}, $sent[$one - 1]{data}{id}, 'a replay is none more');
expect('201', 'POST', '/v1/rooms', 'ann',
       { room_type => 'group', name => 'without a key' });

# an import is refused before anything of it is written

sub import_one {
    my ($body, $type) = RoomsTest::Bundle::form(RoomsTest::Bundle::bundle(
        RoomsTest::Bundle::manifest(
            events => [RoomsTest::Bundle::event(1, 'imported')])));

    return RoomsTest::Calls::answer(RoomsTest::HTTP::http_req(
        'POST', '/v1/rooms/import', token('ann'), $body,
        'Content-Type' => $type, @_));
}

redis('CONFIG', 'RESETSTAT');
is(refused('max_idempotency_keys', import_one('Idempotency-Key' => 'import')),
   1, 'an import with a key is refused');
unlike(redis('INFO', 'commandstats'), qr/cmdstat_multi:/,
       'none of its events was written');
is(import_one()->{status}, 201, 'without a key it is taken');
like(redis('INFO', 'commandstats'), qr/cmdstat_multi:/,
     'and its events are written');

# those of more than a day ago don't count, and are shed

my $day_ago = time() * 1000 - 86_500_000;

redis('ZADD', key('answers'), map { ($day_ago - $_, "old$_") } 1 .. 100);
redis('ZADD', key('answers'), $day_ago, $_)
    for @{redis('ZRANGE', key('answers'), -3, -1)};
expect('201', 'POST', '/v1/rooms', 'ann',
       { room_type => 'group', name => 'The next day' },
       'Idempotency-Key' => 'next-day');
is(redis('ZCARD', key('answers')), 103 - 64 + 1, 'some of the old are gone');
expect('201', 'POST', '/v1/rooms', 'ann',
       { room_type => 'group', name => 'The next day' },
       'Idempotency-Key' => 'the-day-after');
is(redis('ZCARD', key('answers')), 2, 'and so are the others');

# messages, whose only list it is, shed it now and then, and let it live on

{
    my $tenant = tenant();

    tenant('shed');
    known('ann');

    my $room = make(group => 'ann');
    my $list = key('answers');

    redis('HSET', key('tenant'), 'max_idempotency_keys', 1000);
    redis('ZADD', $list, map { ($day_ago - $_, "old$_") } 1 .. 200);

    my @res = many(8, map { ['POST', "/v1/rooms/$room/send", 'ann',
                             { content => {} }, 'Idempotency-Key' => "k$_"] }
                   1 .. 64);

    is(scalar(grep { $_->{status} == 201 } @res), 64, 'all are sent');
    is(redis('ZCARD', $list), 64, 'the old ones are shed');
    cmp_ok(redis('TTL', $list), '>', 86400, 'it outlives the answers');

    redis('PERSIST', $list);
    $_->{status} == 201 or diag $_->{body}
        for many(8, map { ['POST', "/v1/rooms/$room/send", 'ann',
                           { content => {} }, 'Idempotency-Key' => "l$_"] }
                 1 .. 16);
    cmp_ok(redis('TTL', $list), '>', 86400, 'and goes on to');
    tenant($tenant);
}


# roomsctl

SKIP: {
    skip 'missing: ' . roomsctl_missing(), 10 if roomsctl_missing();

    like(roomsctl('tenant', 'show', 'keys'), qr/^idempotency_keys=2$/m,
         'roomsctl shows the keys');
    like(roomsctl('tenant', 'show', 'media'), qr/^media_bytes=$bytes$/m,
         'the bytes');
    like(roomsctl('tenant', 'show', 'people'), qr/^people=6$/m,
         'and the participants');
    roomsctl('tenant', 'set', 'people', 'max_people=1',
             'max_media_bytes=2', 'max_idempotency_keys=5');
    is(roomsctl_status(), 0, 'it sets them');
    is_deeply(redis('HMGET', key('tenant') =~ s/keys/people/r, 'max_people',
                    'max_media_bytes', 'max_idempotency_keys'), [1, 2, 5],
              'all three');
    tenant('people');
    is(call('GET', '/v1/me', $first)->{status}, 200,
       'who is there is there, whatever the limit');

    is(roomsctl('verify', 'media'), "tenant media: nothing differs\n",
       'the bytes are right');
    tenant('media');
    redis('HINCRBY', key('tenant'), 'media_bytes', 7);
    like(roomsctl('verify', '--fix', 'media'),
         qr/^tenant has media_bytes = \d+ instead of $bytes \(mended\)$/m,
         'or are found wrong');
    is(redis('HGET', key('tenant'), 'media_bytes'), $bytes, 'and mended');
}


done_testing();
