# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# DMs as a server tells them that means harm, or has lost its store; and what
# the store counts after each.

use strict;
use warnings;

use JSON::PP ();
use List::Util ();
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Stranger qw(call policy member);

my $json = JSON::PP->new->utf8->canonical;
my ($b, $c) = RoomsTest::Stranger::around('a.example', 't', qw(b c));
my ($true, $false) = (JSON::PP::true, JSON::PP::false);

my $n = 0;

sub soon { RoomsTest::Process::wait_for(10, @_) }

sub room_id { sprintf 'room-%s%025d', $_[0] // 0, ++$n }

sub state { redis('HGET', "sw:{t}:r:$_[0]", 'state') // 'none' }

# A DM of theirs, as the first event of it tells it.
sub dm {
    my ($id, $who, $with, %o) = @_;

    return $b->event($id, $who, 'create', {},
                     room => $b->room(undef, room_type => 'dm',
                                      creator => $b->fqid($who),
                                      state => $o{state} // 'open'),
                     members => $o{members}
                                // [member($b->fqid($who), 'join', 100),
                                    member($with, 'join', 100)]);
}

sub pair { redis('HGET', 'sw:{t}:dms', join ' ', sort @_) // 'none' }

sub ours {
    my ($who, $fqid) = @_;

    return call("$who\@t", 'POST', '/v1/me/federated-dms',
                { fqid => $fqid })->{data}{id};
}

# What is counted and listed of all rooms, and what the rooms say themselves.
sub exact {
    my ($what) = @_;
    my (@bad, @dms, @public, %of, %waits);
    my $open = 0;

    for my $key (@{ redis('KEYS', 'sw:{t}:r:*') }) {
        my ($id) = $key =~ /:r:(room-[^:]+)\z/ or next;
        my %r = @{ redis('HGETALL', $key) };
        my ($type, undef, $is_public, undef, undef, undef, @sides) =
            split ' ', $r{meta} // next;
        my %rows = @{ redis('HGETALL', "$key:members") };
        my (%n, %peers);

        for my $who (keys %rows) {
            my ($membership, $power) = split ' ', $rows{$who};

            $n{$membership}++;
            $n{admins}++ if $membership eq 'join' && $power == 100;
            next if $membership eq 'ban';
            $peers{$1}++ if $who =~ /\A@[^:]+:(.+)/;
            $n{list}++;
        }

        if (!$r{unaccepted}) {
            $open++ if $r{state} ne 'closed';

        } elsif ($r{state} ne 'closed'
                 && ($n{list} // 0) > List::Util::sum0(values %peers))
        {
            $waits{$r{origin}}++;
        }

        push @dms, "@sides $id" if $type eq 'dm' && $r{state} ne 'closed';
        push @public, $id if $is_public && $r{state} eq 'open';

        my %there = (%peers, $r{origin} && $r{federated} ? ($r{origin} => 1)
                                                         : ());

        push @{ $of{$_} }, $id for keys %there;

        my $want = join ' ', (map { $n{$_} // 0 }
                              qw(join invite admins list ban)),
                             map { "$_=$peers{$_}" } sort keys %peers;
        my $got = join ' ', (map { $r{$_} || 0 } qw(joined invited admins)),
                            redis('ZCARD', "$key:list"),
                            redis('ZCARD', "$key:bans"),
                            sort split ' ', $r{peers} // '';

        push @bad, "$id: $got, not $want" if $got ne $want;
    }

    my %dms = @{ redis('HGETALL', 'sw:{t}:dms') };

    my %counted = @{ redis('HGETALL', 'sw:{t}:peers:unaccepted') };

    delete @counted{ grep { !$counted{$_} } keys %counted };

    for (['unaccepted', join(' ', map { "$_=$counted{$_}" } sort keys %counted),
          join(' ', map { "$_=$waits{$_}" } sort keys %waits)],
         ['rooms', redis('HGET', 'sw:{t}:tenant', 'rooms') // 0, $open],
         ['dms', join(',', sort map { "$_ $dms{$_}" } keys %dms),
          join ',', sort @dms],
         ['public', join(' ', @{ redis('ZRANGE', 'sw:{t}:public', 0, -1) }),
          join ' ', sort @public],
         map { [$_, join(' ', sort @{ redis('ZRANGE', "sw:{t}:peers:$_:rooms",
                                            0, -1) }),
                join ' ', sort @{ $of{$_} // [] }] } map { $_->name } $b, $c)
    {
        push @bad, "$_->[0]: $_->[1], not $_->[2]" if $_->[1] ne $_->[2];
    }

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return is(join("\n", @bad), '', "exact: $what");
}

call("$_\@t", 'POST', '/v1/auth/register') for qw(ann al eve);
policy({ allowed_peers => [$b->name, $c->name] });

my ($bob, $ann, $al) = ($b->fqid('bob'), '@ann:a.example', '@al:a.example');

# Both are in it, or it is none

for (['invited', member($bob, 'join', 100), member($ann, 'invite')],
     ['alone', member($bob, 'leave'), member($ann, 'join', 100)],
     ['banned', member($bob, 'ban'), member($ann, 'join', 100)],
     ['gone', member($bob, 'join', 100), member($ann, 'leave')],
     ['not there', member($bob, 'join', 100),
      member('@nobody:a.example', 'join', 100)],
     ['somebody else', member($b->fqid('eve'), 'join', 100),
      member($ann, 'join', 100)],
     ['both of theirs', member($bob, 'join', 100),
      member($b->fqid('eve'), 'join', 100)],
     ['both of ours', member($al, 'join', 100), member($ann, 'join', 100)],
     ['of a third server', member($bob, 'join', 100),
      member($c->fqid('carl'), 'join', 100)])
{
    my ($what, @members) = @$_;
    my $id = room_id();

    for my $state (qw(open closed)) {
        like($b->tell(dm($id, 'bob', $ann, members => \@members,
                         state => $state)),
             qr/\Arejected/, "a DM that is $state, one side $what");
    }

    is(state($id), 'none', 'is none');
}

exact('nothing was made');

# One that is closed, and what may be said of it

my $dm = ours('ann', $bob);
my $late = room_id('z');

is($b->tell(dm($late, 'bob', $ann)), 'applied', 'a DM that is late');
is(state($late), 'closed', 'is closed');
exact('of a DM that is closed');
is($b->tell($b->event($late, 'bob', 'message', { body => 'late' })),
   'applied', 'a message in it');

my %room = (room_type => 'dm', creator => $bob);
my @sides = (member($bob, 'join', 100), member($ann, 'join', 100));

for (['create', {}], ['state', { state => 'open' }], ['name', { name => 'x' }],
     ['topic', { topic => 't' }],
     ['state', { state => 'archived' }, state => 'archived'],
     ['state', { state => 'closed' }, state => 'closed'],
     ['members', {}, members => [$sides[0]], complete => $true],
     ['members', {}, members => [], complete => $true],
     ['members', {}, complete => $true],
     ['member', { fqid => $bob, membership => 'leave' },
      members => [member($bob, 'leave'), member($ann, 'ban')]],
     ['member', { fqid => $ann, membership => 'join' }],
     ['member', { fqid => $ann, membership => 'invite' },
      members => [member($bob, 'join'), member($ann, 'invite')]],
     ['power_level', { fqid => $ann, power_level => 1 },
      members => [member($ann, 'join', 1)]],
     ['federation', { federated => $false }, federated => $false],
     ['members', {}, complete => $true])
{
    my ($type, $content, %o) = @$_;
    my $members = delete $o{members} // \@sides;
    my $complete = delete $o{complete};

    like($b->tell($b->event($late, 'bob', $type, $content,
                            room => $b->room(undef, %room, %o),
                            members => $members,
                            $complete ? (complete => $complete) : ())),
         qr/\A(?:applied|rejected SW_)/, "then a $type is told");
    is(state($late) . ' ' . pair($ann =~ /@(\w+)/, $bob), "closed $dm",
       'it stays closed, and the other one is the one');
    exact($type);
}

is($b->tell($b->event($late, 'bob', 'message', { body => 'later' })),
   'rejected SW_ROOM_NOT_FOUND', 'nor a message, as federation has ended');

# As our users see it

for (['GET', "/v1/rooms/$late"], ['GET', "/v1/rooms/$late/messages"],
     ['GET', "/v1/rooms/$late/members"], ['GET', "/v1/rooms/$late/bans"],
     ['GET', "/v1/rooms/$late/export"], ['POST', "/v1/rooms/$late/export"],
     ['GET', '/v1/directory/rooms'], ['GET', '/v1/sync'],
     ['GET', '/v1/directory/rooms?state=closed'],
     ['GET', '/v1/directory/rooms?state=archived'],
     ['PUT', "/v1/rooms/$late/settings", { mode => 'all' }],
     ['POST', "/v1/rooms/$late/archive"], ['POST', "/v1/rooms/$late/rejoin"],
     ['POST', "/v1/rooms/$late/close"], ['POST', "/v1/rooms/$late/leave"])
{
    my $res = call('ann@t', @$_);

    cmp_ok($res->{status}, '<', 500, "$_->[0] $_->[1]: $res->{status}");
}

exact('of what our users do there');

# Two of the same two, told at once, by two requests each

for my $round (1 .. 6) {
    my $who = "r$round";
    my $mine = $round % 2 ? ours('al', $b->fqid($who)) : undef;
    my @events = map { $b->signed(dm($_, $who, $al)) }
                 map { room_id($round % 3 ? 0 : 'z') } 1 .. 3;
    my @raw = map { posted($_) } @events, @events, [@events],
                                 [reverse @events];

    push @raw, ['POST', "/v1/rooms/$mine/close", 'mock:al@t', '{}']
        if $mine && $round % 3 != 2;

    my $res = RoomsTest::HTTP::http_many(\@raw);

    is(scalar(grep { $_->[0] !~ /\A(?:200|409)\z/ } @$res), 0,
       'all are judged, or told again');
    $b->post($_) for @events;

    exact("round $round");
}

sub posted {
    my ($events) = @_;
    my $path = '/_scaiwave/federation/v1/send';
    my $body = $json->encode({ events => ref $events eq 'ARRAY'
                                         ? $events : [$events] });

    return ['POST', $path, undef, $body,
            $b->signer->headers('POST', $path, body => $body,
                                authority => 'a.example')];
}

# The store hangs in between

for my $round (1 .. 4) {
    my $who = "h$round";
    my $mine = ours('al', $b->fqid($who));
    my $id = room_id();
    my $event = $b->signed(dm($id, $who, $al));
    my $pid = fork() // die "fork() failed: $!\n";

    if ($pid == 0) {
        select undef, undef, undef, 0.001 * $round;
        redis('CLIENT', 'PAUSE', 1500, $round % 2 ? 'WRITE' : 'ALL');
        POSIX::_exit(0);
    }

    my ($status, $results) = $b->post($event);

    waitpid $pid, 0;
    ok(soon(sub { ($status, $results) = $b->post($event); $status == 200 }),
       'told again');
    is($results->[0]{status} =~ /\A(?:applied|duplicate)\z/ ? state($id)
       : $results->[0]{reason}, 'open', 'it is there');
    is(state($mine), 'closed', 'and the other one is closed');
    exact("hang $round");
}

# Federation ends, and begins again; the other side has forgotten

my $held = ours('eve', $bob);
my $left = room_id();
my @group = (room => $b->room('Left'), members => [member($ann, 'invite')]);

is($b->tell($b->event($left, 'bob', 'member', { fqid => $ann,
                                                membership => 'invite' },
                      @group)), 'applied',
   'a group whose home has nobody in it any more');
is(call('ann@t', 'POST', "/v1/rooms/$left/join")->{status}, 200, 'is joined');
exact('of that');

policy({ default_mode => 'allowlist', allowed_peers => ['a.example',
                                                     $c->name] });
ok(soon(sub { !@{ redis('ZRANGE', 'sw:{t}:peers:' . $b->name . ':rooms', 0,
                        -1) } }), 'federation ends, closed DMs and all');
is(redis('HGET', "sw:{t}:r:$left", 'federated'), undef,
   'also where nobody of theirs was');
is(call('ann@t', 'GET', "/v1/rooms/$left")->{data}{me}{membership}, 'join',
   'which goes on here');
exact('of what has ended');

policy({ allowed_peers => [$b->name, $c->name] });

is(state($held) . ' ' . state($dm), 'closed closed',
   'a DM that has lost a side is closed');

my $anew = room_id('z');

is($b->tell(dm($anew, 'bob', '@eve:a.example')), 'applied',
   'one instead of it');
is(state($anew), 'open', 'is the one');
exact('of that');
is(ours('eve', $bob), $anew, 'for both');

# And one that our side makes

my $next = ours('ann', $bob);

isnt($next, $dm, 'our side makes a new one');
is(join(' ', sort @{ redis('HKEYS', "sw:{t}:r:$next:members") }), "$bob ann",
   'that has both');
like(join(' ', @{ redis('ZRANGE', 'sw:{t}:outbox:' . $b->name, 0, -1) }),
     qr/\be \Q$next\E /, 'they will be told');
exact('of that');
is(ours('ann', $bob), $next, 'once');
is(call('ann@t', 'POST', '/v1/rooms/dm', { participant_id => $bob })->{code},
   'SW_VALIDATION_FAILED', 'a DM of here is with somebody of here');
is(call('al@t', 'POST', '/v1/rooms/dm', { participant_id => $bob })->{code},
   'SW_VALIDATION_FAILED', 'and a new one, too');
exact('and of none');

unlike(nginx_log(), qr/\[(?:alert|crit)\]|signal|no valid|the store has/,
       'the log is clean');

stop_nginx();

done_testing();
