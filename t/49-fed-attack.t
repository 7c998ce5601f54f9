# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# What a server that means harm, or is broken, may send.

use strict;
use warnings;

use IO::Socket::INET;
use JSON::PP ();
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Stranger qw(call policy member);

my $json = JSON::PP->new->utf8->canonical;
my ($b, $c) = RoomsTest::Stranger::around('a.example', 't', qw(b c));

my $admin = 'root@t:admin';

sub members {
    my ($who, $room) = @_;
    my $res = call($who, 'GET', "/v1/rooms/$room/members");

    return join ' ', map { "$_->{participant_id}=$_->{membership}"
                           . ($_->{power_level} ? "=$_->{power_level}" : '') }
                     @{ $res->{data} // [] };
}

sub outbox { redis('ZRANGE', 'sw:{t}:outbox:' . $_[0]->name, 0, -1) // [] }

my $n = 0;

# A request of these events, to be sent with others at once.
sub posted {
    my $path = '/_scaiwave/federation/v1/send';
    my $body = $json->encode({ events => [@_] });

    return ['POST', $path, undef, $body,
            $b->signer->headers('POST', $path, body => $body,
                                authority => 'a.example')];
}

sub room_id { sprintf 'room-0%025d', ++$n }

# What the store keeps twice: counts, the list, the servers.
sub agrees {
    my ($room) = @_;
    my %rows = @{ redis('HGETALL', "sw:{t}:r:$room:members") };
    my ($joined, $invited, $admins, $peers) =
        map { $_ // 0 } @{ redis('HMGET', "sw:{t}:r:$room", qw(joined invited
                                 admins peers)) };
    my (%n, %peers);

    for my $who (keys %rows) {
        my ($membership, $power) = split ' ', $rows{$who};

        $n{$membership}++;
        $n{admins}++ if $membership eq 'join' && $power == 100;
        $peers{$1}++ if $membership =~ /join|invite/ && $who =~ /\A@[^:]+:(.+)/;
    }

    my $want = join ' ', map({ $n{$_} // 0 } qw(join invite admins)),
                         map { "$_=$peers{$_}" } sort keys %peers;
    my $got = join ' ', $joined, $invited, $admins,
                        sort split ' ', $peers || '';

    return $got eq $want ? 'yes' : "counted $got, rows $want";
}

call("$_\@t", 'POST', '/v1/auth/register') for 'ann', 'al';
policy({ allowed_peers => [$b->name, $c->name] });

my $bob = $b->fqid('bob');
my $ann = '@ann:a.example';
my $al = '@al:a.example';

sub invites {
    my ($who, $id, %o) = @_;

    return $b->event($id, 'bob', 'member',
                     { fqid => $who, membership => 'invite' },
                     room => $b->room('Of bob'),
                     members => [member($who, 'invite'),
                                 member($bob, 'join', 100)], %o);
}

sub mine {
    my ($name, %o) = @_;
    my $id = call('ann@t', 'POST', '/v1/rooms',
                  { room_type => 'group', name => $name, %o })->{data}{id};

    call($admin, 'PUT', "/v1/admin/rooms/$id/federate",
         { enabled => JSON::PP::true });

    return $id;
}

# Whatever makes a replica, it is made

for my $type (qw(create name topic state workspace power_level federation
                 message redaction reaction history members member))
{
    my $id = room_id();

    like($b->tell(invites($ann, $id, event_type => "swp.room.$type")),
         qr/\A(?:applied|rejected SW_)/, "a first event: $type");
    is(agrees($id), 'yes', 'leaves the store agreeing with itself');
}

# One who is told twice

my $id = room_id();

like($b->tell(invites($ann, $id,
                      members => [member($ann, 'invite'),
                                  member($ann, 'invite'),
                                  member($bob, 'join', 100),
                                  member($bob, 'join', 100)])),
     qr/\A(?:applied|rejected SW_VALIDATION_FAILED)/, 'the same member twice');
is(agrees($id), 'yes', 'is counted once');

$id = room_id();
is($b->tell(invites($ann, $id)), 'applied', 'a replica');

my @twice = (room => $b->room('Of bob'),
             members => [member($b->fqid('eve'), 'invite'),
                         member($b->fqid('eve'), 'join', 100)]);

like($b->tell($b->event($id, 'bob', 'members', {}, @twice)),
     qr/\A(?:applied|rejected SW_VALIDATION_FAILED)/,
     'the same member with two memberships');
is(agrees($id), 'yes', 'is one');

# A DM that is there already, on the other side

my $dm = call('ann@t', 'POST', '/v1/me/federated-dms', { fqid => $bob })
             ->{data}{id};
my $other = 'room-z' . 'z' x 25;
my @results = ($b->post($b->signed($b->event($other, 'bob', 'create', {},
                    room => $b->room(undef, room_type => 'dm'),
                    members => [member($bob, 'join', 100),
                                member($ann, 'join', 100)])),
                        $b->signed($b->event($dm, 'bob', 'message',
                                             { body => 'next' }))));

is($results[0], 200, 'another DM of the same two is judged');
is("$results[1][0]{status} $results[1][1]{status}", 'applied applied',
   'which stops nothing else');
is(call('ann@t', 'GET', "/v1/rooms/$other")->{data}{state}, 'closed',
   'and is one that has come too late');
is(call('ann@t', 'GET', "/v1/rooms/$dm")->{data}{state}, 'open',
   'the first one stays');
is(agrees($_), 'yes', 'counted') for $dm, $other;

# A DM that should give way, but can't be closed: the store is wrong

my $odd = call('al@t', 'POST', '/v1/me/federated-dms', { fqid => $bob })
              ->{data}{id};

redis('HDEL', "sw:{t}:r:$odd:members", 'al');
is($b->tell($b->event(room_id(), 'bob', 'create', {},
                      room => $b->room(undef, room_type => 'dm'),
                      members => [member($bob, 'join', 100),
                                  member($al, 'join', 100)])),
   'rejected SW_ROOM_NOT_FOUND', 'one that can not be closed stays');
is(redis('HGET', "sw:{t}:r:$odd", 'state'), 'open', 'as it is');

# Rooms about which the other side is wrong: each is told as it is

my @mine = map { mine("Room $_") } 1 .. 3;

for (@mine) {
    call('ann@t', 'POST', "/v1/rooms/$_/invitations", { fqid => $bob });
    $b->tell($b->event($_, 'bob', 'member', { membership => 'join' }));
}

redis('DEL', 'sw:{t}:outbox:' . $b->name);
$b->post(map { $b->signed($b->event($_, 'bob', 'topic', { topic => 'x' })) }
         @mine);
is(join(' ', sort @{ outbox($b) }), join(' ', map { "s $_" } sort @mine),
   'who was refused in three rooms is told three');

# What crosses: the other side hears how it is after what it did

call('ann@t', 'PUT', "/v1/rooms/$mine[0]/members/"
     . ($bob =~ s/([^\w.-])/sprintf '%%%02X', ord $1/ger)
     . '/power-level', { power_level => 60 });

for (['topic', { topic => 'theirs' }],
     ['member', { fqid => $c->fqid('carl'), membership => 'invite' }],
     ['member', { fqid => $bob, membership => 'leave' }])
{
    redis('DEL', 'sw:{t}:outbox:' . $b->name);
    is($b->tell($b->event($mine[0], 'bob', @$_)), 'applied', "a $_->[0]");
    is(join(' ', @{ outbox($b) }), "s $mine[0]", 'is followed by a snapshot');
}

call('ann@t', 'POST', "/v1/rooms/$mine[0]/invitations", { fqid => $bob });
$b->tell($b->event($mine[0], 'bob', 'member', { membership => 'join' }));
redis('DEL', 'sw:{t}:outbox:' . $b->name);
$b->tell($b->event($mine[0], 'bob', 'message', { body => 'm' }));
is(join(' ', @{ outbox($b) }), '', 'a message is not');

# An archived room is one from the start

$id = room_id();
is($b->tell(invites($ann, $id, room => $b->room('Old',
                                                state => 'archived'))),
   'applied', 'an invite into an archived room');
is(call('ann@t', 'GET', "/v1/rooms/$id")->{data}{state}, 'archived',
   'is one');

# A snapshot of nobody

$id = room_id();
$b->tell(invites($ann, $id));
$b->tell($b->event($id, 'bob', 'members', {}, complete => JSON::PP::true,
                   room => $b->room('Empty'), members => []));
is(agrees($id), 'yes', 'a snapshot of nobody');
is($b->tell(invites($ann, $id)), 'applied', 'and an invite after it');
is(agrees($id), 'yes', 'a seat each');

# A snapshot of before a join was heard of; and of after it

$id = room_id();
$b->tell(invites($ann, $id, room => $b->room('Public', room_type => 'public',
                                             is_public => JSON::PP::true)));
is(call('al@t', 'POST', "/v1/rooms/$id/join")->{status}, 200,
   'a join of which the home has not heard');

my @before = ('members', {}, complete => JSON::PP::true,
              room => $b->room('Public', room_type => 'public',
                               is_public => JSON::PP::true),
              members => [member($bob, 'join', 100),
                          member($ann, 'invite')]);

my ($join) = map { /\Ae \Q$id\E (\S+)/ ? $1 : () } @{ outbox($b) };

is($b->tell($b->event($id, 'bob', @before)), 'applied', 'a snapshot');
like(members('al@t', $id), qr/\bal=join/, 'leaves that alone');
redis('DEL', 'sw:{t}:outbox:' . $b->name);
is($b->tell($b->event($id, 'bob', @before)), 'applied', 'another');
like(members('al@t', $id), qr/\bal=join/,
   'may have been under way when the join was told');
is($b->tell($b->event($id, 'bob', @before,
                      refused => 'evt-0000000000001' . '0' x 16)),
   'applied', 'one that refuses another event');
like(members('al@t', $id), qr/\bal=join/, 'neither');
is($b->tell($b->event($id, 'bob', @before, refused => $join)), 'applied',
   'one that refuses the join');
isnt(call('al@t', 'GET', "/v1/rooms/$id")->{data}{me}{membership}, 'join',
     'has the last word');
is(agrees($id), 'yes', 'counted');

# A join that the home has refused

$id = room_id();
$b->tell(invites($ann, $id));
call('ann@t', 'POST', "/v1/rooms/$id/join");

my @refused = ('members', {}, complete => JSON::PP::true,
               room => $b->room('Of bob'),
               members => [member($bob, 'join', 100),
                           member($ann, 'invite')]);

is($b->tell($b->event($id, 'bob', @refused)), 'applied', 'a snapshot');
is(call('ann@t', 'GET', "/v1/rooms/$id")->{data}{me}{membership}, 'join',
   'of an invite that was accepted meanwhile');

my ($in, $power, $at, $position) =
    split ' ', redis('HGET', "sw:{t}:r:$id:members", 'ann');

redis('HSET', "sw:{t}:r:$id:members", 'ann',
      join ' ', $in, $power, $at - 60_000, $position);
$b->tell($b->event($id, 'bob', @refused));
is(call('ann@t', 'GET', "/v1/rooms/$id")->{data}{me}{membership}, 'join',
   'and waits to be told, however long');
redis('DEL', 'sw:{t}:outbox:' . $b->name);
$b->tell($b->event($id, 'bob', @refused));
is(call('ann@t', 'GET', "/v1/rooms/$id")->{data}{me}{membership}, 'invite',
   'or was told long ago, and refused');
is(agrees($id), 'yes', 'counted');

# A hundred go and a hundred come

$id = room_id();
$b->tell(invites($ann, $id));
is($b->tell($b->event($id, 'bob', 'members', {}, complete => JSON::PP::true,
                      room => $b->room('Big'),
                      members => [member($ann, 'invite'),
                                  map { member($b->fqid("x$_"), 'join') }
                                  1 .. 99])), 'applied', 'a hundred');
is($b->tell($b->event($id, 'bob', 'members', {}, complete => JSON::PP::true,
                      room => $b->room('Big'),
                      members => [member($ann, 'invite'),
                                  map { member($b->fqid("y$_"), 'join') }
                                  1 .. 99])), 'applied', 'a hundred others');
is(agrees($id), 'yes', 'counted');
is(redis('ZCARD', "sw:{t}:r:$id:list"), 100, 'and the first have gone');

# A hundred go while others do: whoever loses the race looks again

$id = room_id();
$b->tell(invites($ann, $id));

my @crowd = map { $b->fqid(sprintf 'w%03d', $_) } 1 .. 150;
my @few = (member($ann, 'invite'), member($bob, 'join', 100));

for my $round (1 .. 4) {
    my @rows = map { member($_, 'join') } @crowd;

    $b->tell($b->event($id, 'bob', 'members', {}, room => $b->room('Race'),
                       members => $_))
        for [@few, @rows[0 .. 74]], [@rows[75 .. 149]];
    is(redis('ZCARD', "sw:{t}:r:$id:list"), 152, 'a crowd') if $round == 1;

    my @raw = map { posted($b->signed($_)) }
        $b->event($id, 'bob', 'members', {}, complete => JSON::PP::true,
                  room => $b->room('Race'), members => \@few),
        map { $b->event($id, $_, 'member', { membership => 'leave',
                                             fqid => $b->fqid($_) },
                        room => $b->room('Race'),
                        members => [member($b->fqid($_), 'leave')]) }
        map { sprintf 'w%03d', 30 * $round + $_ } 1 .. 3;

    my $res = RoomsTest::HTTP::http_many(\@raw);

    is(join(' ', map { $_->[2] =~ /"status":"(\w+)"/ } @$res),
       join(' ', ('applied') x 4), 'go, some of them twice');
    is(redis('ZCARD', "sw:{t}:r:$id:list"), 2, 'none of them stays');
    is(agrees($id), 'yes', 'counted');
}

# A removal that was refused, of one who has come and gone since

$id = room_id();

my %public = (room => $b->room('Public', room_type => 'public',
                               is_public => JSON::PP::true));
my @both = (member($ann, 'join', 50), member($al, 'join'),
            member($bob, 'join', 100));

$b->tell(invites($ann, $id, %public));
call("$_\@t", 'POST', "/v1/rooms/$id/join") for 'ann', 'al';
$b->tell($b->event($id, 'bob', 'members', {}, %public, members => \@both));
redis('DEL', 'sw:{t}:outbox:' . $b->name);
is(call('ann@t', 'POST', "/v1/rooms/$id/kick", { participant_id => 'al' })
       ->{status}, 200, 'a kick');

my ($kick) = map { /\Ae \Q$id\E (\S+)/ ? $1 : () } @{ outbox($b) };
my @taken_back = ('members', {}, %public, complete => JSON::PP::true,
                  refused => $kick, members => \@both);

call('al@t', 'POST', "/v1/rooms/$id/join");
call('al@t', 'POST', "/v1/rooms/$id/leave");
is($b->tell($b->event($id, 'bob', @taken_back)), 'applied', 'is refused');
unlike(members('ann@t', $id), qr/\bal=/, 'who has left meanwhile has left');
is(agrees($id), 'yes', 'counted');

# What is told while our side ends federation doesn't begin it again

my $again = 0;

for my $round (1 .. 12) {
    $id = room_id();
    $b->tell(invites($ann, $id));

    my @raw = map { posted($b->signed($b->event($id, 'bob', 'name',
                               { name => $_ }, room => $b->room($_),
                               members => [member($ann, 'invite')]))) }
              map { "N$_" } 1 .. 8;

    splice @raw, $round % 8, 0, ['PUT', "/v1/admin/rooms/$id/federate",
                                 "mock:$admin", '{"enabled":false}'];
    RoomsTest::HTTP::http_many(\@raw);
    $again++ if redis('HEXISTS', "sw:{t}:r:$id", 'federated');
}

is($again, 0, 'a room that has become ours stays so');

# A home whose clock is years ahead

my @late = map { +{ %$_, joined_at => $_->{joined_at}
                                      ? '2999-01-01T00:00:00.000Z' : undef } }
               member($b->fqid('eve'), 'join'), member($bob, 'join', 100);

$id = room_id();
is($b->tell(invites($ann, $id, members => [member($ann, 'invite'), @late])),
   'applied', 'members who will have joined');
is(scalar(grep { (split)[2] > 1000 * time + 60_000 }
          @{ redis('HVALS', "sw:{t}:r:$id:members") }), 0,
   'have not joined later than now');

# A room that changes its type

for my $type (qw(dm public)) {
    like($b->tell($b->event($id, 'bob', 'name', { name => 'x' },
                            room => $b->room($type eq 'dm' ? undef : 'x',
                                             room_type => $type,
                                             is_public => JSON::PP::true))),
         qr/\Arejected/, "a group that is told as a $type");
    is(call('ann@t', 'GET', "/v1/rooms/$id")->{data}{name}, 'Of bob',
       'is what it was');
}

# Twice in one request; what a header may ask

my $home = $mine[0];
my $said = $b->signed($b->event($home, 'bob', 'message', { body => 'once' }));
my (undef, $twice) = $b->post($said, $said);

is(join(' ', map { $_->{status} } @$twice), 'applied duplicate',
   'twice in one request');

sub raw {
    my ($method, $body, %headers) = @_;
    my $path = '/_scaiwave/federation/v1/send';

    return http_req($method, $path, undef, $body,
                    $b->signer->headers($method, $path, body => $body,
                                        authority => 'a.example'), %headers);
}

for (['HEAD', ''], ['GET', ''], ['PUT', '{}'], ['POST', '{}'],
     ['POST', '{"events":{}}'], ['POST', '{"events":[[]]}'],
     ['POST', '[]'], ['POST', ''])
{
    my $res = raw(@$_);

    cmp_ok($res->[0], '<', 500, "$_->[0] $_->[1]: $res->[0]");
}

my $idem = $json->encode({ events => [$b->signed($b->event($home, 'bob',
                                      'message', { body => 'key' }))] });

is((raw('POST', $idem, 'Idempotency-Key' => 'k'))->[0], 200,
   'with Idempotency-Key');
is((raw('POST', $idem, 'Idempotency-Key' => 'k'))->[0], 200, 'and again');

# Fifty of all kinds, large

(my $status, my $all) = $b->post(map { $b->signed($_) } map {
    ($b->event($home, 'bob', 'message', { body => 'm' x 1500 }),
     $b->event($home, 'eve', 'member', { membership => 'join' }),
     $b->event(room_id(), 'bob', 'message', { body => 'nowhere' }),
     $b->event($home, 'bob', 'member', { membership => 'leave',
                                         fqid => '@"\\<:a.example' }),
     $b->event($home, 'bob', 'power_level', { fqid => $bob,
                                              power_level => -1 }))
} 1 .. 10);

is($status, 200, 'fifty of all kinds');
is(scalar(grep { $_->{status} eq 'applied' } @$all), 10, 'ten are applied');
is(agrees($home), 'yes', 'the room is as it was');

# One event that can't be read spoils no other

{
    my $room = room_id();
    my $deep = '[' x 3000 . ']' x 3000;
    my ($before, $after) = map { $json->encode($b->signed($_)) }
        invites($ann, $room),
        $b->event($room, 'bob', 'message', { body => 'after' });
    my @odd = (
        ['is too deep', 'evt-%029x', qq("content":{"a":$deep})],
        ['has a key twice', 'evt-%029x', '"content":{"a":1,"a":2}'],
        ['has a number that is none', 'evt-%029x', '"content":{"a":1e999}'],
        ['has NUL in it', 'evt-%029x', '"content":{"a":"\u0000"}'],
        ['has half a character', 'evt-%029x', '"content":{"a":"\ud800"}'],
        ['is no JSON', 'evt-%029x', '"content":nothing'],
        ['is no JSON, and has no id', 'none', '"content":nothing'],
    );
    my @texts = map { '{"id":"' . ($_->[1] =~ s/%029x/sprintf '%029x', ++$n/er)
                      . qq(",$_->[2]}) } @odd;
    my ($status, $results) =
        $b->post_text('{"events":[' . join(' , ', $before, @texts, '1',
                                           '"x"', '[]', $after)
                      . ' ] , "more": {"a": [1]}}');

    is($status, 200, 'events of which some cannot be read');
    is(join(' ', map { $_->{status} } @{ $results // [] }),
       join(' ', 'applied', ('rejected') x (@odd + 3), 'applied'),
       'are judged one by one');
    is($results->[1 + $_]{id}, ($texts[$_] =~ /"id":"(evt-\w+)"/)[0] // undef,
       "one that $odd[$_][0]") for 0 .. $#odd;

    for ('', '{', '[]', '{}', '{"events":1}', '{"events":[]}',
         '{"events":[' . $before, '{"events":[' . join(',', ('{}') x 51)
         . ']}')
    {
        is(join(' ', ($b->post_text($_))[0, 2]), '400 SW_VALIDATION_FAILED',
           'no events: ' . substr $_, 0, 20);
        is(join(' ', ($b->post_text($_, digest => 'sha-256=:' . 'A' x 43
                                                  . '=:'))[0, 2]),
           '401 SW_FED_SIGNATURE_MISMATCH', 'the digest is checked before');
    }
}

# Nor does one in the past that a room's home tells

{
    my $room = room_id();
    my @good = map { $json->encode($b->signed($b->event($room, 'bob',
                               'message', { body => "past $_" }))) } 1, 2;
    my @odd = (qq({"id":"evt-@{[ '1' x 29 ]}","content":{"a":1,"a":2}}),
               '{"id":"evt-' . '2' x 29 . '","content":nothing}', '1', '"x"');

    is($b->tell(invites($ann, $room)), 'applied', 'a room with a past');
    $b->serves("/_scaiwave/federation/v1/rooms/$room/backfill",
               '{"data":[' . join(' , ', $good[0], @odd, $good[1])
               . '],"meta":{"has_more":false,"next_cursor":null}}');

    my $res = call($admin, 'POST', "/v1/admin/rooms/$room/federation/backfill");

    is($res->{data}{imported}, 2, 'of which some cannot be read');
    is_deeply([map { $_->{id} } @{ $res->{data}{rejected} // [] }],
              ['evt-' . '1' x 29, 'evt-' . '2' x 29, undef, undef],
              'they are named');
}

# In pieces, and with Expect

my @said = map { $b->signed($b->event($home, 'bob', 'message',
                                      { body => "piece $_" })) } 1 .. 20;
my $pieces = $json->encode({ events => \@said });
my %fields = $b->signer->headers('POST', '/_scaiwave/federation/v1/send',
                                 body => $pieces, authority => 'a.example');
my $conn = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                 PeerPort => server_port_is());

print {$conn} "POST /_scaiwave/federation/v1/send HTTP/1.1\r\nHost: x\r\n"
              . "Connection: close\r\nTransfer-Encoding: chunked\r\n"
              . "Expect: 100-continue\r\n"
              . join('', map { "$_: $fields{$_}\r\n" } sort keys %fields)
              . "\r\n";
printf {$conn} "%x\r\n%s\r\n", length, $_ for unpack '(a1000)*', $pieces;
print {$conn} "0\r\n\r\n";
is((() = do { local $/; <$conn> } =~ /"applied"/g) + 0, 20,
   'a chunked body, which is announced');

# A store that hangs, or is gone: all of it is told again, and done once

@said = map { $b->signed($b->event($home, 'bob', 'message',
                                   { body => "late $_" })) } 1 .. 50;

redis_pause();
my ($gone, undef, $code) = $b->post(@said);
redis_resume();
is("$gone $code", '503 SW_STORE_UNAVAILABLE', 'the store hangs');

my $results;

ok(RoomsTest::Process::wait_for(10, sub {
       ($gone, $results) = $b->post(@said); $gone == 200 }), 'and is back');
is(scalar(grep { $_->{status} eq 'rejected' } @$results), 0,
   'nothing is refused');
is(scalar(grep { /"late \d+"/ }
          @{ redis('ZRANGE', "sw:{t}:r:$home:events", 0, -1) }), 50,
   'and each is there once');
redis_stop();
($gone, undef, $code) = $b->post(@said);
is("$gone $code", '503 SW_STORE_UNAVAILABLE', 'the store is gone');

unlike(nginx_log(), qr/\[(?:alert|crit)\]|signal/, 'the log is clean');

stop_nginx();

done_testing();
