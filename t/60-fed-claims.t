# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Rooms that other servers tell of: under whose id, and how many.

use strict;
use warnings;

use JSON::PP ();
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Row;
use RoomsTest::Peer;
use RoomsTest::Stranger qw(call policy member);

my $json = JSON::PP->new->utf8->canonical;
my $peer = RoomsTest::Peer->new(seed => 'p' x 32);
my ($b, $c) = RoomsTest::Stranger::around('a.example', 't', { workers => 1 },
                                          qw(b c));
my $p = RoomsTest::Stranger->new($peer->{name}, 'p' x 32, 'a.example');
my $admin = 'root@t:admin';
my $ann = '@ann:a.example';
my $n = 0;

sub room_id { sprintf 'room-0%025d', ++$n }
sub soon { RoomsTest::Process::wait_for(20, @_) }

sub invites {
    my ($from, $id, $name, %o) = @_;

    return $from->event($id, 'bob', 'member',
                        { fqid => $ann, membership => 'invite' },
                        room => $from->room($name),
                        members => [member($ann, 'invite'),
                                    member($from->fqid('bob'), 'join', 100)],
                        %o);
}

sub rooms {
    my ($membership) = @_;

    return { map { $_->{name} => $_ }
             @{ call('ann@t', 'GET', '/v1/directory/rooms?limit=200'
                     . "&membership=$membership")->{data} } };
}

sub counted { redis('HGET', 'sw:{t}:tenant', 'rooms') // 0 }
sub unaccepted { redis('HGET', 'sw:{t}:peers:unaccepted', $_[0]->name) // 0 }

call('ann@t', 'POST', '/v1/auth/register');
call('al@t', 'POST', '/v1/auth/register');
policy({ allowed_peers => [map { $_->name } $b, $c, $p] });

# Another server claims a room's id before its home tells of it

my $id = room_id();

is($c->tell(invites($c, $id, 'Claimed')), 'applied',
   'a server claims the id of a room of another one');
is($p->tell(invites($p, $id, 'True')), 'applied',
   'its home tells of it all the same');
is($p->tell(invites($p, $id, 'True')), 'applied', 'and again');

my $seen = rooms('invite');

is(join(' ', sort keys %$seen), 'Claimed True', 'both are there');

my ($claimed, $true) = map { $seen->{$_}{id} } qw(Claimed True);

is($claimed, $id, 'the first one under that id');
isnt($true, $id, 'the other one under an id of its own');
like($true, qr/\Aroom-0{10}[0-9a-z]{16}_\z/, 'which has its time');
is(call('ann@t', 'POST', "/v1/rooms/$true/join")->{status}, 200, 'it is joined');
is(call('ann@t', 'POST', "/v1/rooms/$true/send",
        { content => { body => 'to the home' } })->{status}, 201, 'and used');
ok(soon(sub { grep { ($_->{content}{body} // '') eq 'to the home' }
              $peer->events }), 'its home hears of it');
is(join(' ', keys %{{ map { $_->{room_id} => 1 } $peer->events }}), $id,
   'under the id that the room has there');

for ([$p, 'told', $true], [$c, 'lied', $claimed]) {
    my ($from, $text, $room) = @$_;

    is($from->tell($from->event($id, 'bob', 'message', { body => $text })),
       'applied', "what is $text");
    is(join(' ', grep { defined } map { $_->{content}{body} }
            grep { $_->{sender_id} eq $from->fqid('bob') }
            map { row_event($_) }
            @{ redis('ZRANGE', "sw:{t}:r:$room:events", 0, -1) }), $text,
       'is said in its own room');
}

is($p->tell($p->event($id, 'bob', 'members', {}, room => $p->room('Renamed'),
                      complete => JSON::PP::true,
                      members => [member($ann, 'join'),
                                  member($p->fqid('bob'), 'join', 100)])),
   'applied', 'a snapshot');
is(call('ann@t', 'GET', "/v1/rooms/$true")->{data}{name}, 'Renamed',
   'is of its own room');
is(call('ann@t', 'GET', "/v1/rooms/$claimed")->{data}{name}, 'Claimed',
   'and no other');

# The past, which is asked for under the id there

my $past = room_id();

is($c->tell(invites($c, $past, 'Other')), 'applied', 'another claim');
is($b->tell(invites($b, $past, 'With past')), 'applied', 'and its home');
$b->serves("/_scaiwave/federation/v1/rooms/$past/backfill",
           { data => [$b->signed($b->event($past, 'bob', 'message',
                                           { body => 'long ago' }))],
             meta => { has_more => JSON::PP::false, next_cursor => undef } });
is(call($admin, 'POST', '/v1/admin/rooms/' . rooms('invite')->{'With past'}{id}
        . '/federation/backfill')->{data}{imported}, 1, 'its home has a past');

# Nor can the id be claimed that it has here instead

my $next = room_id();

is($c->tell(invites($c, $next, 'First')), 'applied', 'a third one');
is($b->tell(invites($b, $next, 'Second')), 'applied', 'and its home');

my $made = rooms('invite')->{Second}{id};
my $other = room_id();

redis('FLUSHALL');
call("$_\@t", 'POST', '/v1/auth/register') for qw(ann al);
policy({ allowed_peers => [map { $_->name } $b, $c, $p] });
is($c->tell(invites($c, $next, 'First')), 'applied', 'a claim of it');
is($c->tell(invites($c, $made, 'Second')), 'applied',
   'and of what would be made of it');
is($b->tell(invites($b, $next, 'Home')), 'applied', 'bar nobody');
is(rooms('invite')->{Home}{id}, $made, 'nor change it');
is(redis('HGET', "sw:{t}:r:$made", 'origin'), $b->name, 'its home has it');

# Rooms that nobody of ours has accepted

redis('FLUSHALL');
call("$_\@t", 'POST', '/v1/auth/register') for qw(ann al);
policy({ allowed_peers => [map { $_->name } $b, $c, $p] });
redis('HSET', 'sw:{t}:tenant', 'max_rooms', 3);

my @ids = map { room_id() } 1 .. 70;
my @said = map { $b->tell(invites($b, $ids[$_], "Of bob $_")) } 0 .. 69;

is(counted(), 0, 'invites take no place in the tenant');
is(scalar(grep { $_ eq 'applied' } @said), 64, 'there are only so many');
is(scalar(grep { $_ eq 'rejected SW_FED_POLICY' } @said), 6,
   'for one server, as it hears');
is(unaccepted($b), 64, 'they are counted');
is($c->tell(invites($c, room_id(), 'Of c')), 'applied', 'others have theirs');

my $mine = call('ann@t', 'POST', '/v1/rooms', { room_type => 'group',
                                                name => 'Mine' });

is($mine->{status}, 201, 'a room of ours has its place');
is(call('ann@t', 'POST', "/v1/rooms/$ids[$_]/join")->{status}, 200,
   'one that is accepted') for 0, 1;
is(counted() . ' ' . unaccepted($b), '3 62', 'counts from then on');

my $res = call('ann@t', 'POST', "/v1/rooms/$ids[2]/join");

is("$res->{status} $res->{code}", '409 SW_TENANT_CAPACITY',
   'in a tenant that is full none is');
is(call('ann@t', 'POST', "/v1/rooms/$ids[3]/leave")->{status}, 200,
   'one that is declined');
is(counted() . ' ' . unaccepted($b), '3 61', 'counts no more');
is($b->tell($b->event($ids[4], 'bob', 'member', { fqid => $ann,
                          membership => 'leave' },
                      room => $b->room('Of bob 4'),
                      members => [member($ann, 'leave')])), 'applied',
   'nor one that is withdrawn');
is($b->tell($b->event($ids[5], 'bob', 'state', { state => 'closed' },
                      room => $b->room('Of bob 5', state => 'closed'),
                      members => [])), 'applied', 'or closed');
is(counted() . ' ' . unaccepted($b), '3 59', 'which frees them');
is($b->tell(invites($b, $ids[4], 'Of bob 4')), 'applied', 'invited again');
is(unaccepted($b), 60, 'it counts again');
is(call('ann@t', 'POST', "/v1/rooms/$ids[0]/leave")->{status}, 200,
   'one that was accepted and is left');
call('ann@t', 'POST', "/v1/rooms/$mine->{data}{id}/close");
is(counted() . ' ' . unaccepted($b), '2 60', 'counts as any other');

# Many decline at once

my $crowd = room_id();
my @people = map { "m$_" } 1 .. 20;

call("$_\@t", 'POST', '/v1/auth/register') for @people;
is($b->tell(invites($b, $crowd, 'Crowd',
                    members => [member($b->fqid('bob'), 'join', 100),
                                map { member("\@$_:a.example", 'invite') }
                                'ann', @people])), 'applied', 'a crowd');
# who loses the race too often tries again, as the 409 says

my @left = ('ann', @people);

for (1 .. 10) {
    my @res = @{ http_many([map { http_raw('POST', "/v1/rooms/$crowd/leave",
                                           "mock:$_\@t", undef) } @left],
                           scalar @left) };

    @left = map { $res[$_][0] == 409 ? $left[$_] : () } 0 .. $#left;
    last if !@left;
}

is(scalar(@left), 0, 'everybody declines');
is(unaccepted($b), 60, 'and it waits no more');

# A DM is accepted by an answer

my $dm = room_id();

is($b->tell($b->event($dm, 'bob', 'create', {},
                      room => $b->room(undef, room_type => 'dm'),
                      members => [member($b->fqid('bob'), 'join', 100),
                                  member('@al:a.example', 'join', 100)])),
   'applied', 'a DM');
is(counted() . ' ' . unaccepted($b), '2 61', 'waits as an invite does');
is(call('al@t', 'POST', "/v1/rooms/$dm/send", { content => { body => 'hi' } })
       ->{status}, 201, 'until it is answered');
is(counted() . ' ' . unaccepted($b), '3 60', 'then it counts');
is(call('al@t', 'POST', "/v1/rooms/$dm/send", { content => { body => 'ho' } })
       ->{status}, 201, 'once');
is(counted(), 3, 'and no more');

my $late = room_id();

is($b->tell($b->event($late, 'bil', 'create', {},
                      room => $b->room(undef, room_type => 'dm',
                                       creator => $b->fqid('bil')),
                      members => [member($b->fqid('bil'), 'join', 100),
                                  member('@al:a.example', 'join', 100)])),
   'applied', 'another one');
$res = call('al@t', 'POST', "/v1/rooms/$late/send",
            { content => { body => 'hi' } });
is("$res->{status} $res->{code}", '409 SW_TENANT_CAPACITY',
   'is not answered in a tenant that is full');
call('al@t', 'POST', "/v1/rooms/$late/close");
is(counted() . ' ' . unaccepted($b), '3 60', 'closed, it frees its place');

# Pages have a bound, also in bytes

{
    redis('HSET', 'sw:{t}:tenant', 'max_rooms', 100);
    my $big = call('ann@t', 'POST', '/v1/rooms', { room_type => 'group',
                                                name => 'Big' })->{data}{id};
    call($admin, 'PUT', "/v1/admin/rooms/$big/federate",
         { enabled => JSON::PP::true });
    call('ann@t', 'POST', "/v1/rooms/$big/invitations",
         { fqid => $b->fqid('bob') });
    $b->tell($b->event($big, 'bob', 'member', { membership => 'join' }));

    for (1 .. 800) {
        my $who = sprintf '@m%d:far.example', $_;

        redis('HSET', 'sw:{t}:participants', $who, $json->encode({
            local_id => "m$_", display_name => '"' x 100,
            workspace_id => undef, participant_type => 'user',
            server_name => 'far.example', created_at =>
            '2026-01-01T00:00:00.000Z', avatar_url => 'https://far.example/'
            . '\\' x 1000 }));
        redis('HSET', "sw:{t}:r:$big:members", $who, 'join 0 1767225600000 1');
        redis('ZADD', "sw:{t}:r:$big:list", 0, $who);
    }

    my ($cursor, $longest, $pages, %names) = ('', 0, 0);

    while ($pages++ < 20) {
        my $path = "/_scaiwave/federation/v1/rooms/$big/members?limit=500"
                   . ($cursor ? "&cursor=$cursor" : '');
        my ($status, $page) = $b->get($path);
        my $size = length $json->encode($page);

        last if $status != 200;
        $longest = $size if $size > $longest;
        $names{$_->{fqid}}++ for @{ $page->{data} };
        $cursor = $page->{meta}{next_cursor} // last;
    }

    is(scalar(grep { $names{$_} == 1 } keys %names), 802,
       'all members are on some page, once');
    cmp_ok($longest, '<', 1100 * 1024, 'of at most 1 MiB');
}

{
    redis('HSET', 'sw:{t}:peers', map { (sprintf('p%04d.example', $_), 1) }
                                  1 .. 500);
    redis('ZADD', 'sw:{t}:peers:names', map { (0, sprintf('p%04d.example',
                                                          $_)) } 1 .. 500);
    redis('HSET', 'sw:{t}:peers:errors', 'p0007.example',
          '{"code":"x","message":"y","at":"2026-01-01T00:00:00.000Z"}');

    my ($cursor, @names, @sizes);

    while (@sizes < 20) {
        my $page = call($admin, 'GET', '/v1/admin/federation/peers'
                        . (@sizes ? "?limit=150&cursor=$cursor" : ''));

        push @names, map { $_->{server_name} } @{ $page->{data} };
        push @sizes, scalar @{ $page->{data} };
        $cursor = $page->{meta}{next_cursor} // last;
    }

    is(join(' ', @sizes[0, 1]), '200 150', 'peers come in pages');
    is(scalar(grep { /\Ap\d+\.example/ } @names), 500, 'all of them');
    is(join(' ', @names), join(' ', sort keys %{{ map { $_ => 1 } @names }}),
       'sorted, and once');
    is(call($admin, 'GET', "/v1/admin/federation/peers?$_")->{code},
       'SW_VALIDATION_FAILED', "refused: $_") for 'limit=0', 'limit=1001',
                                                  'cursor=x';
}

unlike(nginx_log(), qr/\[(?:alert|crit)\]|signal|no valid|the store has/,
       'the log is clean');

stop_nginx();

done_testing();
