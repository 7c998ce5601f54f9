# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# How participants of other servers are called: only their own server says.

use strict;
use warnings;

use JSON::PP ();
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Peer;
use RoomsTest::Stranger qw(call policy member);

my $json = JSON::PP->new->utf8->canonical;
my ($b, $c, $d) = RoomsTest::Stranger::around('a.example', 't',
                                              { workers => 1 }, qw(b c d));
my $true = JSON::PP::true;
my $admin = 'root@t:admin';
my ($bob, $carl) = ($b->fqid('bob'), $c->fqid('carl'));
my $n = 0;

sub room_id { sprintf 'room-0%025d', ++$n }
sub soon { RoomsTest::Process::wait_for(20, @_) }

# As members see it, and as it is kept.
sub name {
    my $row = redis('HGET', 'sw:{t}:participants', $_[0]);

    return $row ? $json->decode($row)->{display_name} // 'none' : 'nobody';
}

sub avatar {
    return $json->decode(redis('HGET', 'sw:{t}:participants', $_[0]))
                ->{avatar_url};
}

sub named {
    my ($fqid, $membership, $power, $name) = @_;

    return { %{ member($fqid, $membership, $power) }, display_name => $name,
             avatar_url => 'https://evil.example/a.png' };
}

sub waits { redis('ZCARD', 'sw:{t}:profiles') }

call('ann@t', 'POST', '/v1/auth/register');
policy({ allowed_peers => [$b->name, $c->name] });

# What a room's home says of a third server's participant

$c->profile('carl', 'Carl of c');

my $id = room_id();

is($b->tell($b->event($id, 'bob', 'member',
                      { fqid => '@ann:a.example', membership => 'invite' },
                      room => $b->room('Of bob'),
                      members => [member('@ann:a.example', 'invite'),
                                  named($bob, 'join', 100, 'Bobby'),
                                  named($carl, 'join', 0, 'Fool')])),
   'applied', 'a room with a participant of a third server');
is(name($bob), 'Bob', 'the home names its own, as the sender last');
is(name($carl), 'carl', 'and not others: they are shown by their local id');
ok(soon(sub { name($carl) eq 'Carl of c' }),
   'until their own server was asked') || diag(name($carl), nginx_log());
is(avatar($carl), undef, 'nor how they look');
is(waits(), 0, 'nobody waits to be asked for any more');
is(scalar(grep { m{/profile/carl} } $c->asked), 1, 'it was asked once');

for (['a snapshot',
      $b->event($id, 'bob', 'members', {}, room => $b->room('Of bob'),
                complete => $true,
                members => [member('@ann:a.example', 'invite'),
                            named($bob, 'join', 100, 'Robert'),
                            named($carl, 'join', 0, 'Fool')])],
     ['an event of theirs', {
          %{ $b->event($id, 'bob', 'message', { body => 'I am a fool' }) },
          sender => $carl, profile => { display_name => 'Fool',
                                        avatar_url => 'https://evil/a' } }],
     ['an event about them',
      $b->event($id, 'bob', 'power_level',
                { fqid => $carl, power_level => 50 },
                members => [named($carl, 'join', 50, 'Fool')])])
{
    my ($what, $event) = @$_;

    is($b->tell($event), 'applied', $what);
    is(name($carl) . ' ' . (avatar($carl) // 'none'), 'Carl of c none',
       'renames nobody of a third server');
}

is(name($bob), 'Bob', 'who speaks last is heard');
is($b->tell($b->event($id, 'bob', 'members', {}, room => $b->room('Of bob'),
                      members => [named($bob, 'join', 100, 'Robert')],
                      profile => { display_name => 'Robert' })), 'applied',
   'their own server');
is(name($bob), 'Robert', 'renames its own');

# The past of a room

my $event = { %{ $b->event($id, 'bob', 'message', { body => 'long ago' }) },
              sender => $carl, profile => { display_name => 'Fool' } };
my $other = { %{ $b->event($id, 'bob', 'message', { body => 'longer ago' }) },
              sender => $c->fqid('cato'), profile => { display_name => 'F' } };
my $own = { %{ $b->event($id, 'bob', 'message', { body => 'before' }) },
            sender => $b->fqid('ben'), profile => { display_name => 'Ben' } };

$b->serves("/_scaiwave/federation/v1/rooms/$id/backfill",
           { data => [map { $b->signed($_) } $event, $other, $own],
             meta => { has_more => JSON::PP::false, next_cursor => undef } });
is(call($admin, 'POST', "/v1/admin/rooms/$id/federation/backfill")
       ->{data}{imported}, 3, 'the past');
is(name($carl), 'Carl of c', 'renames nobody of a third server');
is(name($c->fqid('cato')), 'cato', 'names nobody of one');
is(name($b->fqid('ben')), 'Ben', 'and its own');
$c->profile('cato', 'Cato');

# One who is new, and speaks before anything else is known of them

my $new = $c->fqid('cid');

is($b->tell({ %{ $b->event($id, 'bob', 'message', { body => 'hi' }) },
              sender => $new, profile => { display_name => 'Fool' } }),
   'applied', 'one who is new');
is(name($new), 'cid', 'is shown by the local id');
$c->profile('cid', 'Cid');
ok(soon(sub { name($new) eq 'Cid' }), 'it is asked again when it knows them');

# Who is invited from here

$c->profile('cora', 'Cora');
$id = call('ann@t', 'POST', '/v1/rooms', { room_type => 'group',
                                           name => 'Of ann' })->{data}{id};
call($admin, 'PUT', "/v1/admin/rooms/$id/federate", { enabled => $true });
call('ann@t', 'POST', "/v1/rooms/$id/invitations",
     { fqid => $c->fqid('cora') });
is(name($c->fqid('cora')), 'cora', 'who is invited');
ok(soon(sub { name($c->fqid('cora')) eq 'Cora' }), 'is asked for, too');

# The policy

my @before = $d->asked;

is($b->tell($b->event(room_id(), 'bob', 'member',
                      { fqid => '@ann:a.example', membership => 'invite' },
                      room => $b->room('Others'),
                      members => [member('@ann:a.example', 'invite'),
                                  named($bob, 'join', 100, 'Bob'),
                                  named($d->fqid('dan'), 'join', 0, 'Dan'),
                                  map { named("\@x:h$_.example", 'join', 0,
                                              'X') } 1 .. 40])),
   'applied', 'participants of servers that the policy does not allow');
ok(soon(sub { !waits() }), 'are not asked for');
is(scalar($d->asked), scalar(@before), 'nobody there has heard of it');
is(name($d->fqid('dan')), 'dan', 'they are shown by their local ids');

# An answer that isn't theirs

policy({ allowed_peers => [map { $_->name } $b, $c, $d] });
$d->profile('dora', 'Wrong', local_id => 'dan');
is($b->tell($b->event(room_id(), 'bob', 'member',
                      { fqid => '@ann:a.example', membership => 'invite' },
                      room => $b->room('More'),
                      members => [member('@ann:a.example', 'invite'),
                                  member($bob, 'join', 100),
                                  member($d->fqid('dora'), 'join')])),
   'applied', 'one whose server answers nonsense');
ok(soon(sub { grep { m{/profile/dora} } $d->asked }), 'which was asked');
is(name($d->fqid('dora')), 'dora', 'stays as they are');

# Servers that never answer don't hold up one that does

my @hang = map { RoomsTest::Peer->new(seed => 'h' x 32) } 1 .. 20;

$_->mode('hang') for @hang;
policy({ default_mode => 'open' });
$c->profile('cleo', 'Cleo');
is($b->tell($b->event(room_id(), 'bob', 'member',
                      { fqid => '@ann:a.example', membership => 'invite' },
                      room => $b->room('Hanging'),
                      members => [member('@ann:a.example', 'invite'),
                                  member($bob, 'join', 100),
                                  (map { member("\@x:$_->{name}", 'join') }
                                   @hang),
                                  member($c->fqid('cleo'), 'join')])),
   'applied', 'participants of servers that hang');
ok(soon(sub { name($c->fqid('cleo')) eq 'Cleo' }), 'hold up nobody');
unlike(nginx_log(), qr/\[(?:alert|crit)\]|signal|no valid|the store has/,
       'the log is clean');
is(stop_nginx(), 0, 'and it ends in order');

done_testing();
