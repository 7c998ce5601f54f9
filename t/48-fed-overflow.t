# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Two servers, of which one is away for so long that the other's outbox drops
# events: no text stays that was edited, redacted or erased meanwhile.

use strict;
use warnings;

use File::Temp ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use RoomsTest -no_redis;
use RoomsTest::Deployment;
use RoomsTest::Process qw(wait_for);

my $dir = File::Temp->newdir('rooms-fed-XXXXXXXX', TMPDIR => 1);
my ($a, $b) = map { RoomsTest::Deployment->new($_, "$dir") } qw(a b);
my $long = 30 * patience();

$_->start for $a, $b;

END { local $?; $_ && $_->stop for $a, $b }

sub must {
    my ($server, @call) = @_;
    my $res = $server->call(@call);

    die "@call[0 .. 2]: $res->{status} $res->{code}\n"
        if $res->{status} !~ /^2/;

    return $res->{data};
}

sub say {
    my ($server, $who, $room, @bodies) = @_;

    return map { must($server, $who, 'POST', "/v1/rooms/$room/send",
                      { content => { body => $_ } })->{id} } @bodies;
}

sub change {
    my ($server, $who, $room, $event, $how, $body) = @_;

    must($server, $who, 'POST', "/v1/rooms/$room/events/$event/$how",
         $body // {});
}

# The messages of a room as a server has them, in order.
sub messages {
    my ($server, $who, $room) = @_;
    my ($from, $page, @all) = (0);

    do {
        $page = must($server, $who, 'GET', "/v1/rooms/$room/messages"
                     . "?direction=forward&limit=200&from=$from");
        push @all, @$page;
        $from = $all[-1]{stream_position};
    } while (@$page);

    return grep { $_->{event_type} eq 'swp.room.message'
                  && !$_->{content}{replaces} } @all;
}

# "-": redacted
sub bodies {
    return join ' ', map { $_->{redacted_at} ? '-' : $_->{content}{body} }
                     messages(@_);
}

# The id of a message at another server.
sub there {
    my ($server, $who, $room, $body) = @_;

    return (map { $_->{id} } grep { ($_->{content}{body} // '') eq $body }
            messages($server, $who, $room))[0];
}

sub outbox { 'sw:{t}:outbox:' . $_[0]->name }

# So many more items wait that the oldest, all that wait now, are dropped.
sub overflow {
    my ($server, $peer, $room) = @_;
    my $key = outbox($peer);
    my @waiting = $server->store('ZRANGE', $key, 0, -1);
    my @last = $server->store('ZRANGE', $key, -1, -1, 'WITHSCORES');
    my @items = map { my $at = $last[1] + $_;
                      ($at, sprintf 'e %s evt-%013x%016x', $room, $at, 1) }
                1 .. 10_001;

    $server->store('ZADD', $key, splice @items, 0, 2000) while @items;
    $server->store('ZADD', 'sw:{t}:outboxes', 0, $peer->name);

    ok(wait_for($long, sub {
           my %left = map { $_ => 1 } $server->store('ZRANGE', $key, 0, 999);

           return !grep { /^e / && $left{$_} } @waiting;
       }), 'all that waits is dropped') or diag("@waiting[0 .. 3]");
}

# Both are up, and nothing waits any more.
sub settled {
    my ($server, $peer) = @_;

    $_->{nginx} or $_->start for $server, $peer;

    return wait_for($long, sub {
        $server->admin('POST', '/v1/admin/federation/peers/'
                       . RoomsTest::Deployment::escape($peer->name)
                       . '/retry');

        return !$server->store('EXISTS', outbox($peer));
    });
}

must($a, $_, 'POST', '/v1/auth/register') for qw(ann al);
must($b, $_, 'POST', '/v1/auth/register') for qw(bob bill);
$a->policy({ allowed_peers => [$b->name] });
$b->policy({ allowed_peers => [$a->name] });

my $room = must($a, 'ann', 'POST', '/v1/rooms',
                { room_type => 'group', name => 'Shared' })->{id};

must($a, 'ann', 'POST', "/v1/rooms/$room/invite",
     { participant_id => 'al' });
must($a, 'al', 'POST', "/v1/rooms/$room/join");
$a->federate($room, 1);

for my $who (qw(bob bill)) {
    must($a, 'ann', 'POST', "/v1/rooms/$room/invitations",
         { fqid => $b->fqid($who) });
    wait_for($long, sub { $b->call($who, 'GET', "/v1/rooms/$room")->{status}
                          == 200 });
    must($b, $who, 'POST', "/v1/rooms/$room/join");
}

wait_for($long, sub { $a->members('ann', $room) =~ /\@bill:\S+=join/ });

# At the room's home

my @m = say($a, 'ann', $room, qw(m0 m1 m2 m3));
my @al = say($a, 'al', $room, map { "al$_" } 1 .. 70);
my $before = join ' ', qw(m0 m1 m2 m3), map { "al$_" } 1 .. 70;

change($a, 'ann', $room, $m[3], 'reaction', { emoji => '+' });
ok(wait_for($long, sub { bodies($b, 'bob', $room) eq $before }),
   'a room of two servers');

$b->stop_nginx;
change($a, 'ann', $room, $m[1], 'edit', { content => { body => 'M1' } });
change($a, 'ann', $room, $m[1], 'edit', { content => { body => 'M1b' } });
change($a, 'ann', $room, $m[2], 'redact');
must($a, 'ann', 'DELETE', "/v1/rooms/$room/events/$m[3]/reaction",
     { emoji => '+' });

# the peer never has these
my ($late, $edited) = say($a, 'ann', $room, qw(late edited));

change($a, 'ann', $room, $late, 'redact');
change($a, 'ann', $room, $edited, 'edit', { content => { body => 'E' } });

# more than a page of events between them
say($a, 'ann', $room, map { "x$_" } 1 .. 250);

# more than a request has
change($a, 'al', $room, $_, 'redact') for @al;
overflow($a, $b, $room);

ok(settled($a, $b), 'the other server is back');

my $after = join ' ', qw(m0 M1b - m3), ('-') x 70;

is(bodies($b, 'bob', $room), $after,
   'what was edited and redacted meanwhile is so there, too');
is_deeply(must($b, 'bob', 'GET', "/v1/rooms/$room/events/"
               . there($b, 'bob', $room, 'm3'))->{reactions} // [], [],
          '... and a reaction is gone');
like($b->members('bob', $room), qr/\@al:\S+=join/, 'the room is the same');

unlike($a->log, qr/rejected event/,
       'it is no error that it never had a message');
unlike((join '', $b->store('ZRANGE', "sw:{t}:r:$room:events", 0, -1)),
       qr/"al\d|"m2"/, 'no copy is left');

# At a replica

say($b, 'bob', $room, qw(b0 b1 b2));
say($b, 'bill', $room, 'bill');
$after .= ' b0 b1 b2 bill';

sub tail {
    my ($server, $who) = @_;

    return join ' ', (split ' ', bodies($server, $who, $room))[-4 .. -1];
}

ok(wait_for($long, sub { tail($a, 'ann') eq 'b0 b1 b2 bill' }),
   'from a replica');

$a->stop_nginx;
change($b, 'bob', $room, there($b, 'bob', $room, 'b1'), 'edit',
       { content => { body => 'B1' } });
change($b, 'bob', $room, there($b, 'bob', $room, 'b2'), 'redact');
must($b, 'bill', 'POST', "/v1/rooms/$room/leave");
overflow($b, $a, $room);
ok(settled($b, $a), 'the home is back');
is(tail($a, 'ann'), 'b0 B1 - bill', 'it has heard of both');
unlike($a->members('ann', $room), qr/\@bill:/, '... and of who has left');

# An erasure while the other server is away, across a restart of this one

$b->stop_nginx;
must($a, 'root', 'POST', '/v1/admin/participants/ann/deactivate');
must($a, 'root', 'POST', '/v1/admin/participants/ann/erase');
ok(wait_for($long, sub {
       must($a, 'root', 'GET', '/v1/admin/participants/ann/erasure')
           ->{messages} >= 250;
   }), 'an erasure goes on while a server is away');
overflow($a, $b, $room);
$a->stop_nginx;
ok(settled($a, $b), 'both are back');
unlike(bodies($b, 'bob', $room), qr/[mMxE]/, 'nothing of it is left');
ok(wait_for($long, sub {
       must($a, 'root', 'GET', '/v1/admin/participants/ann/erasure')->{state}
           eq 'done';
   }), '... and it is done');

# An erasure at a replica, whose home is away for longer than it waits for it

$a->stop_nginx;
must($b, 'root', 'POST', '/v1/admin/participants/bob/deactivate');
must($b, 'root', 'POST', '/v1/admin/participants/bob/erase');

my $phase = 'sw:{t}:p:bob:offboard';

ok(wait_for($long, sub { ($b->store('HGET', $phase, 'phase') // '')
                         eq 'local' }), 'an erasure waits for the home');
$b->store('HINCRBY', $phase, 'erase_at', -24 * 3600 * 1000 - 1);
$b->store('ZADD', 'sw:{t}:offboard', 0, 'bob');
ok(wait_for($long, sub {
       must($b, 'root', 'GET', '/v1/admin/participants/bob/erasure')->{state}
           eq 'done';
   }), '... for a day at most');
ok(settled($b, $a), 'the home is back');
is(tail($a, 'al'), '- - - bill', '... and redacts all the same');

for my $server ($a, $b) {
    unlike($server->log, qr/\[(?:alert|emerg|crit)\]/, 'nothing went wrong');
}

done_testing();
