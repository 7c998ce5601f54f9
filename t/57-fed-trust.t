# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# How far the word of a server goes that may federate, and what it learns.

use strict;
use warnings;

use IO::Socket::INET;
use JSON::PP ();
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Peer;
use RoomsTest::Stranger qw(call policy member);

my $json = JSON::PP->new->utf8->canonical;
my ($b, $c) = RoomsTest::Stranger::around('a.example', 't', { workers => 1 },
                                          qw(b c));
my ($true, $false) = (JSON::PP::true, JSON::PP::false);
my $admin = 'root@t:admin';
my ($bob, $ann, $al) = ($b->fqid('bob'), '@ann:a.example', '@al:a.example');
my $n = 0;

# One that hears what it is told, too.
my $peer = RoomsTest::Peer->new(seed => 'p' x 32);
my $p = RoomsTest::Stranger->new($peer->{name}, 'p' x 32, 'a.example');

sub room_id { sprintf 'room-0%025d', ++$n }
sub soon { RoomsTest::Process::wait_for(10, @_) }
sub field { redis('HGET', "sw:{t}:r:$_[0]", $_[1]) // 'none' }

sub federate {
    call($admin, 'PUT', "/v1/admin/rooms/$_[0]/federate", { enabled => $_[1] });
}

sub mine {
    my ($name, %o) = @_;
    my $id = call('ann@t', 'POST', '/v1/rooms',
                  { room_type => 'group', name => $name, %o })->{data}{id};

    federate($id, $true);

    return $id;
}

sub invites {
    my ($who, $id, %o) = @_;

    return $b->event($id, 'bob', 'member',
                     { fqid => $who, membership => 'invite' },
                     room => $b->room($o{name} // 'Of bob'),
                     members => $o{members} // [member($who, 'invite'),
                                                member($bob, 'join', 100)],
                     $o{room} ? (room => $o{room}) : ());
}

# The rows of a room, as its store has them.
sub rows {
    my %rows = @{ redis('HGETALL', "sw:{t}:r:$_[0]:members") };

    return join ', ', map { "$_ " . (split ' ', $rows{$_})[0] }
                      sort keys %rows;
}

call("$_\@t", 'POST', '/v1/auth/register') for qw(ann al);
policy({ allowed_peers => [map { $_->name } $b, $c, $p] });

# A room that has become ours: an invite of nobody is none

my $id = room_id();

is($b->tell(invites($ann, $id)), 'applied', 'a replica');
call('ann@t', 'POST', "/v1/rooms/$id/join");
federate($id, $false);
is(field($id, 'federated'), 'none', 'has become a room of ours');
ok(soon(sub { rows($id) eq 'ann join' }), 'of nobody else');

for (['of nobody here', '@ghost:a.example', []],
     ['that names nobody', $ann, []],
     ['by which one is banned', $ann, [member($ann, 'ban')]],
     ['by which one leaves', $ann, [member($ann, 'leave')]])
{
    my ($what, $who, $members) = @$_;

    like($b->tell(invites($who, $id, members => $members, name => 'Taken')),
         qr/\Arejected SW_/, "an invite $what");
    is(field($id, 'federated') . ' ' . field($id, 'name'), 'none Of bob',
       'leaves it as it is');
    is(rows($id), 'ann join', 'and who is there');
}

is($b->tell(invites($ann, $id)), 'applied', 'one of somebody');
is(field($id, 'federated'), 1, 'shares it again');

# A room is made by those whom its server speaks for

for (['al', 'one of ours'], [$al, 'one of ours, by the full name']) {
    my $fake = room_id();

    is($b->tell(invites($ann, $fake, room => $b->room('x',
                                                      creator => $_->[0]))),
       'rejected SW_VALIDATION_FAILED', "a room that is made by $_->[1]");
    is(field($fake, 'meta'), 'none', 'is none');
}

# A DM is its two sides

my @dm = (room => $b->room(undef, room_type => 'dm'));
my @sides = (member($bob, 'join', 100), member($al, 'join', 100));

$id = room_id();
is($b->tell($b->event($id, 'bob', 'create', {}, @dm, members => \@sides)),
   'applied', 'a DM');

for ([member($b->fqid('eve'), 'join', 100)], [member($ann, 'invite')],
     [member($ann, 'ban')], [@sides, member($c->fqid('carl'), 'join')])
{
    $b->tell($b->event($id, 'bob', 'members', {}, @dm, members => $_));
    is(rows($id), "$bob join, al join", 'is of nobody else');
}

is(field($id, 'peers'), $b->name . '=1', 'nor counted');

for ('ban', 'leave') {
    my $dm = room_id();
    my @other = (member($b->fqid($_), 'join', 100), $sides[1]);

    $b->tell($b->event($dm, $_, 'create', {}, @dm, members => \@other));
    is(field($dm, 'state'), 'open', 'a DM');
    $b->tell($b->event($dm, $_, 'members', {}, @dm,
                       members => [member($al, $_)]));
    is(rows($dm) . ' ' . field($dm, 'state'), $b->fqid($_) . ' join closed',
       "is closed once a side is gone: $_");
}

# A server that leaves says so once, however often it does

$id = mine('Public', room_type => 'public');
$c->post(map { $c->signed($c->event($id, "x$_", 'federation',
                                    { federated => $false })) } 1 .. 30);
is(redis('ZCARD', 'sw:{t}:endings'), 0, 'who is not in a room leaves it not');

$c->tell($c->event($id, 'carl', 'member', { membership => 'join' }));
redis('SET', 'sw:{t}:lease:federation', 'x', 'PX', 20000);
$c->post(map { $c->signed($c->event($id, "y$_", 'federation',
                                    { federated => $false })) } 1 .. 30);
cmp_ok(redis('ZCARD', 'sw:{t}:endings'), '<=', 1,
       'who is there leaves it once');
redis('DEL', 'sw:{t}:lease:federation');
ok(soon(sub { rows($id) eq 'ann join' }), 'and is gone');

# A server of which one is merely invited sees its own rows

$id = mine('Guests');
call('ann@t', 'POST', "/v1/rooms/$id/invite", { participant_id => 'al' });
call('ann@t', 'POST', "/v1/rooms/$id/invitations", { fqid => $_ }),
call('ann@t', 'POST', "/v1/rooms/$id/ban", { participant_id => $_ })
    for map { $_->fqid('carl') } $c, $p;
call('ann@t', 'POST', "/v1/rooms/$id/invitations", { fqid => $p->fqid('pat') });
ok(soon(sub { scalar $peer->events }), 'an invite');

sub snapshot {
    my ($event) = @_;
    my @told;

    $peer->forget;
    $p->tell($event);
    soon(sub { @told = grep { $_->{event_type} eq 'swp.room.members' }
                       $peer->events });

    return join ', ', sort map { "$_->{fqid} $_->{membership}" }
                           map { @{ $_->{members} } } @told;
}

is(snapshot($p->event($id, 'pat', 'topic', { topic => 'x' })),
   join(', ', map { $p->fqid($_->[0]) . " $_->[1]" } ['carl', 'ban'],
        ['pat', 'invite']),
   'who is refused is told how it is, of itself');
like(snapshot($p->event($id, 'pat', 'member', { membership => 'join' })),
     qr/\Q$al invite, $ann join\E/, 'and of all, having joined');

# A guest doesn't invite whom the policy doesn't allow

policy({ allowed_peers => [$b->name] });
ok(soon(sub { !redis('ZCARD', 'sw:{t}:peers:' . $_->name . ':rooms') }),
   'another server is off the policy') for $c, $p;
$id = mine('Narrow');
call('ann@t', 'POST', "/v1/rooms/$id/invitations", { fqid => $bob });
is($b->tell($b->event($id, 'bob', 'member', { membership => 'join' })),
   'applied', 'a guest');

my @carl = ('member', { membership => 'invite', fqid => $c->fqid('carl') });

is($b->tell($b->event($id, 'bob', @carl)), 'rejected SW_FED_POLICY',
   'invites nobody of it');
is($c->tell($c->event($id, 'carl', 'member', { membership => 'join' })),
   '403 SW_FED_POLICY', 'who may not come');
is(call('ann@t', 'POST', '/v1/rooms/' . mine('Other') . '/invitations',
        { fqid => $c->fqid('cid') })->{status}, 200, 'unless one of ours has');
is($b->tell($b->event($id, 'bob', @carl)), 'applied', 'then a guest may, too');

# A body that takes its time, while the keys of others are asked for

policy({ default_mode => 'open' });

my $path = '/_scaiwave/federation/v1/send';

$id = mine('Slow');
call('ann@t', 'POST', "/v1/rooms/$id/invitations", { fqid => $bob });

my $body = $json->encode({ events => [$b->signed($b->event($id, 'bob',
                               'member', { membership => 'join' }))] });
my %fields = $b->signer->headers('POST', $path, body => $body,
                                 authority => 'a.example');
my $slow = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                 PeerPort => server_port_is());

print {$slow} "POST $path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
              . 'Content-Length: ' . length($body) . "\r\n"
              . join('', map { "$_: $fields{$_}\r\n" } sort keys %fields)
              . "\r\n" . substr $body, 0, 10;

my %garbage = $b->signer->headers('GET', '/_scaiwave/federation/v1/profile/x',
                                  authority => 'a.example');
my $refused = 0;

for my $i (1 .. 300) {
    my %other = %garbage;

    $other{'Signature-Input'} =~ s/keyid="[^#]*/keyid="127.0.0.1:$i/;
    $refused++ if http_req('GET', '/_scaiwave/federation/v1/profile/x', undef,
                           undef, %other)->[0] == 502;
}

cmp_ok($refused, '>', 280, 'many who are nobody');
print {$slow} substr $body, 10;
like(do { local $/; <$slow> }, qr/"applied"/, 'are not who has sent it');

# It hears of its own alone, also of an invite of many; of nobody who comes,
# goes or is promoted

$id = mine('Known');
call('ann@t', 'POST', "/v1/rooms/$id/invitations", { fqid => $_ })
    for $p->fqid('pam'), $c->fqid('cid');
call("$_\@t", 'POST', '/v1/auth/register') for qw(zoe al);
$id = mine('Many');
$peer->forget;
is(call('ann@t', 'POST', "/v1/rooms/$id/invite", { participant_ids =>
        ['zoe', $c->fqid('cid'), $p->fqid('pam'), 'al'] })->{status}, 200,
   'an invite of many');

my $told = sub { [grep { ($_->{room_id} // '') eq $id } $peer->events] };

ok(soon(sub { @{ $told->() } }), 'is told');

my ($invite) = @{ $told->() };

is_deeply($invite->{content}{fqids}, [$p->fqid('pam')],
          'to a server, of its participant alone');
unlike($json->encode($invite), qr/zoe|cid|\bal\b/, 'and of nobody else');

call('al@t', 'POST', "/v1/rooms/$id/join");
call('ann@t', 'PUT', "/v1/rooms/$id/members/al/power-level",
     { power_level => 50 });
call('ann@t', 'POST', "/v1/rooms/$id/kick", { participant_id => 'zoe' });
call('ann@t', 'POST', "/v1/rooms/$id/ban", { participant_id => $c->fqid('cid') });
call('ann@t', 'PUT', "/v1/rooms/$id/topic", { topic => 'for all' });
ok(soon(sub { grep { $_->{event_type} eq 'swp.room.topic' } @{ $told->() } }),
   'it is told what the room is called');
is(join(' ', map { $_->{event_type} =~ /(\w+)$/ } @{ $told->() }),
   'member topic', 'and not who comes, goes and rises');
unlike($json->encode($told->()), qr/zoe|cid|\@al:/, 'nor names any');

$peer->forget;
$p->tell($p->event($id, 'pam', 'member', { membership => 'join' }));
ok(soon(sub { $json->encode($told->()) =~ /\Q$al\E/ }),
   'who has joined is told who is there');
call('zoe@t', 'POST', "/v1/rooms/$id/leave");
call('ann@t', 'PUT', "/v1/rooms/$id/members/al/power-level",
     { power_level => 60 });
ok(soon(sub { grep { $_->{event_type} eq 'swp.room.power_level' }
              @{ $told->() } }), 'and hears of everybody');

unlike(nginx_log(), qr/\[(?:alert|crit)\]|signal|no valid|the store has/,
       'the log is clean');

stop_nginx();

done_testing();
