# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# What goes on at the same time as requests of another server: others' requests
# beside one that is as long as may be; a server that is taken off the policy
# while something of it, or for it, is under way; reloads while servers talk.
# TEST_ROOMS_LONG=1 reloads 200 times.  What comes of a long request is in
# t/51-fed-limits.t.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use List::Util qw(max);
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Row;
use RoomsTest::Peer;
use RoomsTest::Process qw(patience slurp wait_for);
use RoomsTest::Stranger qw(call policy member);

my $json = JSON::PP->new->utf8->canonical;
my $dir = File::Temp->newdir('rooms-fed-XXXXXXXX', TMPDIR => 1);
my $admin = 'root@t:admin';
my $path = '/_scaiwave/federation/v1/send';
my $rooms = 0;

sub key { "sw:{t}:$_[0]" }

sub room_id { sprintf 'room-0%025d', ++$rooms }

# A room of ann's that is shared.
sub mine {
    my ($name, $type) = @_;
    my $id = call('ann@t', 'POST', '/v1/rooms',
                  { room_type => $type // 'group', name => $name })
             ->{data}{id};

    call($admin, 'PUT', "/v1/admin/rooms/$id/federate",
         { enabled => JSON::PP::true });

    return $id;
}

sub members {
    my ($room) = @_;

    return join ' ', map { "$_->{participant_id}=$_->{membership}" }
                     @{call('ann@t', 'GET', "/v1/rooms/$room/members")->{data}
                       // []};
}

# The events of a room that say that somebody left since it ended.
sub ended {
    my ($room) = @_;

    return grep { $_->{event_type} eq 'swp.room.member'
                  && ($_->{content}{reason} // '') eq 'federation has ended' }
           map { row_event($_) }
           @{redis('ZRANGE', key("r:$room:events"), 0, -1)};
}

sub settled {
    my ($server, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    ok(wait_for(15, sub { !redis('ZCARD', key('endings'))
                          && !redis('ZCARD', key("peers:$server:rooms")) }),
       $name) or diag(join ' ', @{redis('ZRANGE', key("peers:$server:rooms"),
                                         0, -1)});
}


# A full request

my ($b) = RoomsTest::Stranger::around('a.example', 't', {
              workers => 1, server => 'location = /ping { return 200; }' },
              'b');
my $bob = $b->fqid('bob');
my $ann = '@ann:a.example';

call('ann@t', 'POST', '/v1/auth/register');
call($admin, 'POST', '/v1/auth/register');
policy({ allowed_peers => [$b->name] });

# Asks again and again until it is told to stop: the longest time without an
# answer.
sub pings_start {
    unlink "$dir/stop", "$dir/result";

    my $pid = fork() // die;

    return $pid if $pid;

    my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                     PeerPort => server_port_is()) or die;
    my ($n, $longest) = (0, 0);

    while (!-e "$dir/stop") {
        my $from = time;

        syswrite $sock, "GET /ping HTTP/1.1\r\nHost: a\r\n\r\n";
        sysread $sock, my $answer, 4096 or last;
        $n++;
        $longest = time - $from if time - $from > $longest;
        sleep 0.0005;
    }

    RoomsTest::Signer::write_file("$dir/result", sprintf '%d %.1f', $n,
                                  1000 * $longest);
    POSIX::_exit(0);
}

sub pings_stop {
    my ($pid) = @_;

    RoomsTest::Signer::write_file("$dir/stop", '');
    waitpid $pid, 0;

    return split ' ', slurp("$dir/result");
}

# Events of members who come and go, all of them in each.
sub crowd {
    my ($room, $n, $each, $events) = @_;

    return map {
        my $membership = $_ % 2 ? 'invite' : 'leave';

        $b->signed($b->event($room, 'bob', 'members', {},
            room => $b->room('Crowd'), complete => JSON::PP::true,
            members => [member($bob, 'join', 100), member($ann, 'invite'),
                        map { { fqid => $b->fqid("m$_"),
                                membership => $membership } } 1 .. $each]));
    } 1 .. $events;
}

my $crowd = room_id();
my $each = 98;

is($b->tell($b->event($crowd, 'bob', 'member',
                      { fqid => $ann, membership => 'invite' },
                      room => $b->room('Crowd'),
                      members => [member($ann, 'invite'),
                                  member($bob, 'join', 100)])),
   'applied', 'a room of many');

$each-- while length($json->encode({ events => [crowd($crowd, 1, $each, 1)] }))
              * 50 > 128 * 1024;

my @full = crowd($crowd, 1, $each, 50);

for my $what ("50 events with $each members each", 'told again') {
    my $pid = pings_start();

    sleep 0.2;

    my $from = time;
    my ($status) = $b->post(@full);
    my $took = time - $from;
    my ($n, $longest) = pings_stop($pid);

    is($status, 200, $what);
    cmp_ok($n, '>', 10, 'others are answered meanwhile');
    note(sprintf '%s: %.0f ms, of %d pings the longest %.1f ms', $what,
         1000 * $took, $n, $longest);
}


# The policy changes while a request is under way.  Whoever reads "100
# Continue" has been let in.

sub late {
    my ($stranger, @events) = @_;
    my $body = $json->encode({ events => \@events });
    my ($head) = http_raw('POST', $path, undef, $body,
        Expect => '100-continue',
        $stranger->signer->headers('POST', $path, body => $body,
                                   authority => 'a.example'))
                 =~ /\A(.*?\r\n\r\n)/s;
    my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                     PeerPort => server_port_is()) or die;
    my $read = sub {
        my ($until) = @_;
        my $text = '';

        while (IO::Select->new($sock)->can_read(10)) {
            last if !sysread $sock, $text, 65536, length $text;
            last if $text =~ $until;
        }

        return $text;
    };

    syswrite $sock, $head;
    $read->(qr/\r\n\r\n/) =~ /100 Continue/ or die "not let in\n";

    return sub {
        syswrite $sock, $body;

        my ($status, $text) = $read->(qr/\n\z/)
                              =~ m{\AHTTP/1.1 (\d+).*?\r\n\r\n(.*)}s;
        my $all = eval { $json->decode($text) } // {};

        return join ' ', $status, $all->{error}{code} // (),
               map { $_->{code} // $_->{status} }
               @{$all->{data}{results} // []};
    };
}

my %late = (
    'a message' => sub {
        $b->event($_[0], 'bob', 'message', { body => 'late' }) },
    'a join' => sub {
        $b->event($_[1], 'bob', 'member',
                  { fqid => $bob, membership => 'join' }) },
    'an invite' => sub {
        $b->event(room_id(), 'bob', 'member',
                  { fqid => $ann, membership => 'invite' },
                  room => $b->room('Of bob'),
                  members => [member($ann, 'invite'),
                              member($bob, 'join', 100)]) },
    'a snapshot' => sub {
        $b->event($_[2], 'bob', 'members', {}, room => $b->room('Theirs'),
                  complete => JSON::PP::true,
                  members => [member($ann, 'join'), member($bob, 'join', 100),
                              member($b->fqid('eve'), 'join')]) },
);

for my $mode ('allowlist', 'invite_only') {
    policy({ default_mode => $mode,
             allowed_peers => ['a.example', $b->name] });

    my ($ours, $open, $theirs) = (mine('Ours'), mine("Open $mode", 'public'),
                                  room_id());

    call('ann@t', 'POST', "/v1/rooms/$ours/invitations", { fqid => $bob });
    $b->tell($b->event($ours, 'bob', 'member',
                       { fqid => $bob, membership => 'join' }));
    $b->tell($b->event($theirs, 'bob', 'member',
                       { fqid => $ann, membership => 'invite' },
                       room => $b->room('Theirs'),
                       members => [member($ann, 'invite'),
                                   member($bob, 'join', 100)]));
    call('ann@t', 'POST', "/v1/rooms/$theirs/join");
    is(members($ours), "$bob=join ann=join", "$mode: in a room of ours");
    is(members($theirs), "$bob=join ann=join", 'and in one of theirs');

    my %send = map { $_ => late($b, $b->signed($late{$_}->($ours, $open,
                                                           $theirs))) }
               sort keys %late;

    policy({ default_mode => $mode, allowed_peers => ['a.example'] });
    settled($b->name, 'who is taken off the policy leaves');
    is(scalar(ended($ours)), 1, 'by an event');

    for my $what (sort keys %send) {
        is($send{$what}->(), '403 SW_FED_POLICY',
           "$what that was let in before is refused");
    }

    is(members($ours), 'ann=join', 'nobody has come back');
    is(members($open), 'ann=join', 'or come in');
    is(members($theirs), 'ann=join', 'in theirs neither');
    is(redis('ZCARD', key("peers:@{[ $b->name ]}:rooms")), 0, 'anywhere');
}

# A policy that changes at any moment of many requests: who comes in has to
# leave, whenever that was.

for my $mode ('allowlist', 'invite_only') {
    policy({ default_mode => $mode,
             allowed_peers => ['a.example', $b->name] });

    my @open = map { mine("Any $mode $_", 'public') } 1 .. 8;
    my @bodies = map {
        my $to = $_;

        map {
            my $room = $_;
            my @sent = map { $b->signed($b->event($room, "u$to", 'member',
                           { fqid => $b->fqid("u$to"), membership => $_ })) }
                       qw(join leave join);

            $json->encode({ events => \@sent });
        } @open;
    } 1 .. 4;
    my @raw = map { http_raw('POST', $path, undef, $_,
                        $b->signer->headers('POST', $path, body => $_,
                                            authority => 'a.example')) }
              @bodies;
    my $pid = fork() // die;

    if ($pid == 0) {
        http_many(\@raw, 4);
        POSIX::_exit(0);
    }

    sleep 0.01 + rand 0.04;
    policy({ default_mode => $mode, allowed_peers => ['a.example'] });
    waitpid $pid, 0;
    settled($b->name, "$mode: nobody stays, whoever was quicker");
    is(join(' ', map { members($_) } @open), join(' ', ('ann=join') x 8),
       'in any room');

    my $in = grep { ($_->{content}{membership} // '') eq 'join' }
             map { map { row_event($_) }
                   @{redis('ZRANGE', key("r:$_:events"), 0, -1)} } @open;

    note("$mode: $in of 64 joins were quicker");
}

# What we are telling it

my $peer = RoomsTest::Peer->new(seed => 'p' x 32);
my $p = RoomsTest::Stranger->new($peer->{name}, 'p' x 32, 'a.example');
my $pam = $p->fqid('pam');

sub shared_with_pam {
    my $room = mine('With pam');

    call('ann@t', 'POST', "/v1/rooms/$room/invitations", { fqid => $pam });
    is($p->tell($p->event($room, 'pam', 'member',
                          { fqid => $pam, membership => 'join' })),
       'applied', 'pam joins');
    wait_for(10, sub { !redis('EXISTS', key("outbox:$peer->{name}")) });
    $peer->forget;

    return $room;
}

sub say_it {
    my ($room, $text) = @_;

    return call('ann@t', 'POST', "/v1/rooms/$room/send",
                { content => { body => $text } })->{data}{id};
}

policy({ default_mode => 'allowlist',
         allowed_peers => ['a.example', $peer->{name}] });

my $room = shared_with_pam();

$peer->mode('slow');
say_it($room, 'told');
sleep 0.7;
say_it($room, 'waits');
policy({ default_mode => 'allowlist', allowed_peers => ['a.example'] });
say_it($room, 'secret');
settled($peer->{name}, 'a server that is being told leaves');
is(members($room), 'ann=join', 'the room');
is(scalar(ended($room)), 1, 'by an event');
wait_for(10, sub { $peer->sent });
ok(wait_for(10, sub { !redis('EXISTS', key("outbox:$peer->{name}"))
                      && !defined redis('ZSCORE', key('outboxes'),
                                        $peer->{name}) }),
   'what waits for it is dropped');
$peer->mode('ok');
sleep 1;
is(join(' ', map { $_->{content}{body} // $_->{event_type} } $peer->events),
   'told', 'it has heard what was on its way, and nothing else');
unlike(nginx_log(), qr/\[(?:alert|emerg|crit)\]/, 'nothing leaks');


# Reloads while both sides talk

stop_nginx();
redis('FLUSHALL');
($b) = RoomsTest::Stranger::around('a.example', 't', {
           server => 'location = /active { stub_status; }' }, 'b');
call('ann@t', 'POST', '/v1/auth/register');
call($admin, 'POST', '/v1/auth/register');
policy({ allowed_peers => [$peer->{name}] });
$room = shared_with_pam();

sub workers {
    my $pid = nginx_pid();

    return split ' ', slurp("/proc/$pid/task/$pid/children");
}

sub rss { (slurp("/proc/$_[0]/status") =~ /VmRSS:\s+(\d+)/)[0] // 0 }
sub fds { scalar(() = glob "/proc/$_[0]/fd/*") }

sub talk {
    my ($name, $code) = @_;
    my $pid = fork() // die;

    return $pid if $pid;

    my $n = 0;

    while (!-e "$dir/stop") {
        $n++ if $code->($n + 1);
    }

    RoomsTest::Signer::write_file("$dir/$name", $n);
    POSIX::_exit(0);
}

# what was heard of the other side
sub heard_here {
    my $from = '';
    my @heard;

    while (1) {
        my $res = http_req('GET', "/v1/rooms/$room/messages"
                           . "?direction=forward&limit=200$from",
                           'mock:ann@t');

        push @heard, map { $_->{content}{theirs} // () }
                     @{json_get($res->[2], 'data')};
        last if !json_get($res->[2], 'meta.has_more');
        $from = '&from=' . json_get($res->[2], 'meta.next_cursor');
    }

    return @heard;
}

sub heard_there {
    my %seen;

    return map { $_->{content}{ours} // () }
           grep { !$seen{$_->{id}}++ } $peer->events;
}

unlink "$dir/stop";

my $uuid = sub { sprintf '%08x-0000-4000-8000-000000000000', $_[0] };
my @talkers = (
    talk('ours', sub {
        my ($n) = @_;

        sleep 0.02;
        call('ann@t', 'POST', "/v1/rooms/$room/send",
             { content => { ours => $n }, event_uuid => $uuid->($n) })
            ->{status} =~ /^20[01]$/;
    }),
    talk('theirs', do {
        my @event;

        sub {
            my ($n) = @_;

            # one that isn't answered is told again
            @event = ($n, $p->signed($p->event($room, 'pam', 'message',
                                               { theirs => $n })))
                if ($event[0] // 0) != $n;

            my ($status, $results) = $p->post($event[1]);

            $status == 200
                && $results->[0]{status} =~ /\A(?:applied|duplicate)\z/;
        }
    }),
);

wait_for(10, sub { heard_there() > 5 });
sleep 0.5;

my @first = workers();
my $rss = max(map { rss($_) } @first);
my $fds = max(map { fds($_) } @first);
my $times = $ENV{TEST_ROOMS_LONG} ? 200
            : $ENV{TEST_NGINX_USE_VALGRIND} ? 5 : 50;
my $reloaded = 0;

for (1 .. $times) {
    last if !nginx_reload();

    $reloaded++;
    sleep 0.05;
}

is($reloaded, $times, "$times reloads");
RoomsTest::Signer::write_file("$dir/stop", '');
waitpid $_, 0 for @talkers;

my ($ours, $theirs) = map { slurp("$dir/$_") } qw(ours theirs);

cmp_ok($ours, '>', 50, "$ours messages of ours");
cmp_ok($theirs, '>', 5, "$theirs of theirs");
ok(wait_for(30, sub { heard_there() >= $ours }), 'ours arrive');
is(join(' ', heard_there()), join(' ', 1 .. $ours),
   'in order, and applied once');
is(join(' ', heard_here()), join(' ', 1 .. $theirs), 'and theirs');
note(scalar(grep { defined $_->{content}{ours} } $peer->events) - $ours,
     ' of ours were told twice');

ok(wait_for(20, sub { workers() == 2 }), 'no worker stays behind');
is(scalar(() = nginx_log() =~ /exited with code 0/g), 2 * $times,
   'all have exited in order');
ok(wait_for(10, sub { http_req('GET', '/active')->[2]
                      =~ /Active connections: 1\b/ }),
   'no connection is left');

# the last ones have as much to do as the first had
say_it($room, 'again') for 1 .. 20;
wait_for(10, sub { !redis('EXISTS', key("outbox:$peer->{name}")) });

my @last = workers();
my $rss_last = max(map { rss($_) } @last);
my $fds_last = max(map { fds($_) } @last);

cmp_ok($fds_last, '<=', $fds + 2, 'nor a descriptor');
cmp_ok($rss_last, '<', 1.5 * $rss, 'nor memory')
    unless checked();             # sanitizers keep what is freed
note("RSS $rss KB, then $rss_last KB; descriptors $fds, then $fds_last");
unlike(nginx_log(), qr/\[(?:alert|emerg|crit)\]/, 'nothing leaks');
is(stop_nginx(), 0, 'and it ends in order');

done_testing();
