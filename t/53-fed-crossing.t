# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# What two servers do before they hear of each other: in the end both know
# the same.

use strict;
use warnings;

use File::Temp ();
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use RoomsTest -no_redis;
use RoomsTest::Deployment;

my $dir = File::Temp->newdir('rooms-fed-XXXXXXXX', TMPDIR => 1);
my ($a, $b) = map { RoomsTest::Deployment->new($_, "$dir") } qw(a b);

$_->start for $a, $b;

END { local $?; $_ && $_->stop for $a, $b }

sub soon {
    my ($code, $seconds) = @_;
    my $deadline = time + ($seconds // 20);

    until ($code->()) {
        return 0 if time > $deadline;
        sleep 0.05;
    }

    return 1;
}

sub other { $_[0] == $a ? $b : $a }

# Only this one runs; and both again, which then try at once.
sub alone {
    my ($server) = @_;

    other($server)->stop_nginx;
    $server->start unless $server->{nginx};
}

sub together {
    for my $server ($a, $b) {
        $server->start unless $server->{nginx};
    }

    for my $server ($a, $b) {
        $server->admin('POST', '/v1/admin/federation/peers/'
                       . RoomsTest::Deployment::escape(other($server)->name)
                       . '/retry');
    }
}

sub register {
    my ($server, @who) = @_;

    $server->call($_, 'POST', '/v1/auth/register') for @who;
    $server->policy({ allowed_peers => [other($server)->name] });
}

sub bodies {
    my ($server, $who, $room) = @_;

    return join ' ', map { $_->{content}{body} // () }
                     $server->events($who, $room);
}

sub state {
    my ($server, $who, $room) = @_;

    return $server->call($who, 'GET', "/v1/rooms/$room")->{data}{state}
           // 'none';
}

sub dm {
    my ($server, $who, $with) = @_;

    return $server->call($who, 'POST', '/v1/me/federated-dms',
                         { fqid => $with });
}

sub says {
    my ($server, $who, $room, $text) = @_;

    return $server->call($who, 'POST', "/v1/rooms/$room/send",
                         { content => { body => $text } })->{status};
}

my @guests = map { "g$_" } 1 .. 230;

register($a, qw(ann al), @guests);
register($b, qw(bob bill));

# Both sides make the DM

for my $first ($a, $b) {
    my $second = other($first);
    my %who = $first == $a ? ($a => 'ann', $b => 'bob')
                           : ($a => 'al', $b => 'bill');
    my $name = $first == $a ? 'here' : 'there';

    alone($first);

    my $older = dm($first, $who{$first}, $second->fqid($who{$second}))
                    ->{data}{id};

    says($first, $who{$first}, $older, 'one');
    alone($second);

    my $newer = dm($second, $who{$second}, $first->fqid($who{$first}))
                    ->{data}{id};

    isnt($newer, $older, "two DMs of the same two, the older one $name");
    says($second, $who{$second}, $newer, 'two');
    together();

    for my $server ($a, $b) {
        my $where = $server == $first ? 'where it was made'
                                      : 'on the other side';

        ok(soon(sub { state($server, $who{$server}, $older) eq 'open' }),
           "the older one stays $where");
        ok(soon(sub { state($server, $who{$server}, $newer) eq 'closed' }),
           "the newer one is closed, seen from $where");
        is(dm($server, $who{$server}, other($server)->fqid(
                  $who{other($server)}))->{data}{id}, $older,
           'it is the one that both have');
        ok(soon(sub { bodies($server, $who{$server}, $older) eq 'one'
                      && bodies($server, $who{$server}, $newer) eq 'two' }),
           'what was said in either is read')
            or diag(bodies($server, $who{$server}, $older), ' / ',
                    bodies($server, $who{$server}, $newer), "\n",
                    grep { /rejected|delayed:/ } map { $_->log } $a, $b);
        is(says($server, $who{$server}, $newer, 'x'), 409,
           'the closed one is closed');
        is(scalar(grep { $_->{room_type} eq 'dm' }
                  @{ $server->call($who{$server}, 'GET',
                                   '/v1/directory/rooms')->{data} }), 1,
           'one DM in the directory');
    }

    my ($last) = reverse $second->events($who{$second}, $newer);

    is($last->{content}{reason}, "replaced by $older",
       'where it was made it is told which one has replaced it');
    says($second, $who{$second}, $older, 'three');
    ok(soon(sub { bodies($first, $who{$first}, $older) eq 'one three' }),
       'and the talk goes on');
}

# Who was invited joins, and brings another one; meanwhile the invite was
# withdrawn.  The server isn't in the room then, but learns who isn't either.

{
    my $room = $a->call('ann', 'POST', '/v1/rooms',
                        { room_type => 'group', name => 'Late' })->{data}{id};

    $a->federate($room, 1);
    $a->call('ann', 'POST', "/v1/rooms/$room/invitations",
             { fqid => $b->fqid('bob') });
    ok(soon(sub { state($b, 'bob', $room) eq 'open' }), 'an invite');
    alone($b);
    $b->call('bob', 'POST', "/v1/rooms/$room/join");
    $b->call('bob', 'POST', "/v1/rooms/$room/invite",
             { participant_id => 'bill' });
    is($b->call('bill', 'POST', "/v1/rooms/$room/join")->{status}, 200,
       'is accepted, and another one is invited and joins');
    alone($a);
    is($a->call('ann', 'POST', "/v1/rooms/$room/kick",
                { participant_id => $b->fqid('bob') })->{status}, 200,
       'meanwhile it is withdrawn');
    together();
    ok(soon(sub { state($b, $_, $room) eq 'none' }), "then $_ isn't in it")
        for qw(bob bill);
}

# A server whose store is lost

sub forgets {
    my ($server, @who) = @_;

    $server->stop_nginx;
    $server->store('FLUSHALL');
    $server->start;
    register($server, @who);
}

my @lost = (dm($a, 'ann', $b->fqid('bob'))->{data}{id},
            dm($b, 'bill', $a->fqid('al'))->{data}{id});

forgets($b, qw(bob bill));

my @anew = (dm($b, 'bob', $a->fqid('ann'))->{data}{id},
            dm($b, 'bill', $a->fqid('al'))->{data}{id});

for my $i (0, 1) {
    my ($here, $there) = $i ? qw(al bill) : qw(ann bob);

    isnt($anew[$i], $lost[$i], 'who has lost a DM, at home '
                               . ($i ? 'there' : 'here'));
    ok(soon(sub { state($a, $here, $anew[$i]) eq 'open' }), 'has a new one');
    is(state($a, $here, $lost[$i]), 'closed', 'and the old one ends');
    is(dm($a, $here, $b->fqid($there))->{data}{id}, $anew[$i], 'for both');
}

# A room of more than a hundred, of which not everything was told

my $big = $a->call('ann', 'POST', '/v1/rooms',
                   { room_type => 'public', name => 'Big' })->{data}{id};

$a->federate($big, 1);
$a->call($_, 'POST', "/v1/rooms/$big/join") for @guests;
$a->call('ann', 'POST', "/v1/rooms/$big/invitations",
         { fqid => $b->fqid('bob') });
ok(soon(sub { $b->call('bob', 'POST', "/v1/rooms/$big/join")->{status}
              == 200 }), 'a guest comes into a big room');

sub everybody {
    my ($server, $who, $membership) = @_;

    return join ' ', sort map { "$_->{fqid}=$_->{membership}" }
           @{ $server->call($who, 'GET', "/v1/rooms/$big/members?limit=1000"
                            . ($membership ? "&membership=$membership" : ''))
                  ->{data} // [] };
}

ok(soon(sub { everybody($b, 'bob') eq everybody($a, 'ann') }),
   'and knows who is there');

sub cut {
    $b->stop_nginx;
    $_[0]->();
    $a->store('DEL', 'sw:{t}:outbox:' . $b->name);
    $b->start;
    $a->store('ZADD', 'sw:{t}:outbox:' . $b->name,
             $a->store('GET', 'sw:{t}:position'), "s $big");
    $a->store('ZADD', 'sw:{t}:outboxes', 0, $b->name);
}

cut(sub {
    $a->call('ann', 'POST', "/v1/rooms/$big/ban", { participant_id => $_ })
        for @guests[0 .. 4];
    $a->call($_, 'POST', "/v1/rooms/$big/leave") for @guests[5 .. 119];
    $a->call('ann', 'PUT', '/v1/rooms/' . $big . '/members/'
             . RoomsTest::Deployment::escape($b->fqid('bob'))
             . '/power-level', { power_level => 50 });
});

ok(soon(sub { everybody($b, 'bob') eq everybody($a, 'ann') }),
   'who left unheard has left, more than one commit takes');
is(everybody($b, 'bob', 'ban'), everybody($a, 'ann', 'ban'),
   'and who was banned is');
is(() = everybody($b, 'bob', 'ban') =~ /=ban/g, 5, 'all of them');

cut(sub {
    $a->call('ann', 'POST', "/v1/rooms/$big/unban", { participant_id => $_ })
        for @guests[0 .. 3];
    $a->call($_, 'POST', "/v1/rooms/$big/join") for @guests[5 .. 119];
});

ok(soon(sub { everybody($b, 'bob') eq everybody($a, 'ann') }),
   'who came back unheard is there');
is(everybody($b, 'bob', 'ban'), $a->fqid('g5') . '=ban',
   'and who is no longer banned is not');

# A removal that the home refuses

$a->call('ann', 'POST', "/v1/rooms/$big/invitations",
         { fqid => $b->fqid('bill') });
ok(soon(sub { $b->call('bill', 'POST', "/v1/rooms/$big/join")->{status}
              == 200 }), 'another guest');
ok(soon(sub { everybody($a, 'ann') =~ /\@bill:\S+=join/ }),
   'whom the home knows');

for my $how (qw(kick ban)) {
    $b->stop_nginx;
    $a->call('ann', 'PUT', '/v1/rooms/' . $big . '/members/'
             . RoomsTest::Deployment::escape($b->fqid('bob'))
             . '/power-level', { power_level => 0 });
    alone($b);
    is($b->call('bob', 'POST', "/v1/rooms/$big/$how",
                { participant_id => 'bill' })->{status}, 200,
       "a $how by who has lost the power to");
    is($b->call('bill', 'GET', "/v1/rooms/$big/messages")->{status},
       403, 'is made');
    together();
    ok(soon(sub { $b->call('bill', 'GET', "/v1/rooms/$big/messages")
                      ->{status} == 200 }), 'and taken back');
    like(everybody($a, 'ann'), qr/\@bill:\S+=join/, 'at home it never was');
    ok(everybody($b, 'bill') eq everybody($a, 'ann'), 'and both agree');
    $a->call('ann', 'PUT', '/v1/rooms/' . $big . '/members/'
             . RoomsTest::Deployment::escape($b->fqid('bob'))
             . '/power-level', { power_level => 50 });
    ok(soon(sub { $b->call('bob', 'GET', "/v1/rooms/$big")
                      ->{data}{me}{power_level} == 50 }),
       'the power comes back');
}

# A server that has parted, or lost its store, is no longer in a room

my $shared = $a->call('ann', 'POST', '/v1/rooms',
                      { room_type => 'group', name => 'Shared' })->{data}{id};

$a->federate($shared, 1);

sub comes {
    my ($what) = @_;

    $a->call('ann', 'POST', "/v1/rooms/$shared/invitations",
             { fqid => $b->fqid('bob') });
    ok(soon(sub { ($b->call('bob', 'GET', "/v1/rooms/$shared")
                       ->{data}{me}{membership} // '') eq 'invite' }),
       "$what is invited");
    $b->call('bob', 'POST', "/v1/rooms/$shared/join");
    ok(soon(sub { $a->members('ann', $shared) =~ /\@bob:\S+=join/ }),
       'and comes');
}

comes('somebody there');
says($a, 'ann', $shared, 's1');
ok(soon(sub { bodies($b, 'bob', $shared) eq 's1' }), 'and reads');
is($b->federate($shared, 0)->{data}{federated}, JSON::PP::false,
   'whose server ends it');
ok(soon(sub { $a->members('ann', $shared) eq 'ann=join=100' }),
   'is no longer there');
says($a, 'ann', $shared, 's2');
$a->call('ann', 'PUT', "/v1/rooms/$shared/name", { name => 'Ours' });
ok(soon(sub { $b->members('bob', $shared) eq 'bob=join=100' }),
   'but alone in a room of the own server');
sleep 0.5;
is(bodies($b, 'bob', $shared) . ' '
   . $b->call('bob', 'GET', "/v1/rooms/$shared")->{data}{name}, 's1 Shared',
   'where nothing comes from the other');
comes('who has left so');
is($b->call('bob', 'GET', "/v1/rooms/$shared")->{data}{name}, 'Ours',
   'to the room as it is');

forgets($b, qw(bob bill));
says($a, 'ann', $shared, 's3');
ok(soon(sub { $a->members('ann', $shared) eq 'ann=join=100' }),
   'who has lost the room is found out by the next word');
my ($gone) = grep { $_->{event_type} eq 'swp.room.member' }
             reverse $a->events('ann', $shared);

is($gone->{sender_id}, $b->fqid('bob'), 'and leaves');
comes('who has lost it');
says($a, 'ann', $shared, 's4');
ok(soon(sub { bodies($b, 'bob', $shared) eq 's4' }), 'and reads on');

# what it says to a word of before is not meant for who is invited after it

$b->stop_nginx;
$b->store('FLUSHALL');
says($a, 'ann', $shared, 's5');
$a->call('ann', 'POST', "/v1/rooms/$shared/invitations",
         { fqid => $b->fqid('bill') });
$b->start;
register($b, qw(bob bill));
together();
ok(soon(sub { $a->members('ann', $shared) !~ /\@bob:/ }),
   'who was there has lost it again');
like($a->members('ann', $shared), qr/\@bill:\S+=invite/,
     'who was invited meanwhile has not');
sleep 1;
$b->call('bill', 'POST', "/v1/rooms/$shared/join");
ok(soon(sub { $a->members('ann', $shared) =~ /\@bill:\S+=join/ }),
   'and can come');
ok(soon(sub { !$a->store('ZCARD', 'sw:{t}:endings') }),
   'and nothing more has to end');

# A DM that was at home there is closed by hand

$a->call('ann', 'POST', '/v1/rooms/'
         . dm($a, 'ann', $b->fqid('bob'))->{data}{id} . '/close');

# Federation that has ended begins again

for my $server ($a, $b) {
    my ($who, $other) = $server == $a ? qw(ann bob) : qw(bob ann);
    my $with = other($server)->fqid($other);
    my $old = dm($server, $who, $with)->{data}{id};

    ok(soon(sub { state(other($server), $other, $old) eq 'open' }), 'a DM');
    $server->policy({ default_mode => 'allowlist',
                      allowed_peers => [$server->name] });
    ok(soon(sub { state($server, $who, $old) eq 'closed' }),
       'is closed as federation ends');
    register($server);

    my $new = dm($server, $who, $with)->{data}{id};

    isnt($new, $old, 'who asks for it again has a new one');
    says($server, $who, $new, 'back');
    ok(soon(sub { bodies(other($server), $other, $new) eq 'back' }),
       'and is heard');
    ok(soon(sub { state(other($server), $other, $old) ne 'open' }),
       'there it is the one');
    says(other($server), $other, $new, 'yes');
    ok(soon(sub { bodies($server, $who, $new) eq 'back yes' }), 'and hears');
}

done_testing();
