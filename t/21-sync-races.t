# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Clients that poll in a loop while others write, over two workers: no event
# is lost or doubled, and all come in order.  Clients that leave, and reloads.

use strict;
use warnings;

use IO::Select;
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(time);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;

my $scale = $ENV{TEST_NGINX_USE_VALGRIND} ? 1 : 5;
my $json = JSON::PP->new->utf8->canonical;

start('', workers => 2, connections => 2048);
known(qw(ann bob cy));

# more than a page asks without looking where each begins
my @rooms = map { make(group => 'ann', name => "Room $_") } 1 .. 40;

admit($_, 'ann', 'bob') for @rooms;

my $moving = make(public => 'ann', name => 'In and out');

sub now_at { return redis('GET', key('position')) }

# Polls until told to stop: everything that came, with how it came.
sub reader {
    my ($who, $since, $limit, $stop) = @_;
    my (@got, $bad);
    my $port = server_port_is();

    while (1) {
        my $res = call('GET', "/v1/sync?since=$since&limit=$limit"
                       . '&timeout=2000', $who);

        if ($res->{status} != 200) {
            $bad = "$res->{status} $res->{body}";
            last;
        }

        push @got, map { [@{$_}{qw(id stream_position room_id)}] }
                   @{$res->{data}{events}};
        $since = $res->{data}{next_cursor};

        last if -e $stop && !@{$res->{data}{events}};
    }

    return { got => \@got, bad => $bad };
}

# Runs code in a child; its value comes back through a file.
my @children;
my $dir = File::Temp::tempdir('rooms-sync-XXXXXXXX', TMPDIR => 1,
                              CLEANUP => 1);

sub child {
    my ($code) = @_;
    my $file = "$dir/" . @children;
    my $pid = fork() // die "fork: $!";

    if ($pid == 0) {
        my $value = eval { $code->() } // { bad => $@ };

        open my $out, '>', "$file.tmp" or POSIX::_exit(1);
        print $out $json->encode($value);
        close $out;
        rename "$file.tmp", $file;
        POSIX::_exit(0);
    }

    push @children, [$pid, $file];

    return @children - 1;
}

sub result {
    my ($pid, $file) = @{$children[$_[0]]};

    waitpid $pid, 0;

    return $json->decode(RoomsTest::Process::slurp($file));
}

# Much of one's own comes between the look at the counter and that at the news:
# it lies behind the counter, and hides nothing before that.

{
    my $since = now_at();
    my $said = must('POST', "/v1/rooms/$rooms[0]/send", 'ann',
                    { content => { body => 'before' } });
    my @news = map { (now_at() + $_, "r $rooms[$_]") } 1 .. 3;

    redis('ZADD', key('p:bob:news'), @news);

    my $page = must('GET', "/v1/sync?since=$since&limit=1&timeout=1", 'bob');

    is_deeply([map { $_->{id} } @{$page->{events}}], [$said->{id}],
              'a page ends behind what it has read');
    cmp_ok($page->{next_cursor}, '<=', now_at(), 'and not behind the counter');
    redis('DEL', key('p:bob:news'));
}

my $start = now_at();
my $stop = "$dir/stop";
my @readers = map { child(sub { reader('bob', $start, $_, $stop) }) }
              1, 3, 50, 500;
my @writers = map {
    my $n = $_;

    child(sub {
        my ($sent, $last) = (0);

        for my $i (1 .. 30 * $scale) {
            my $room = $rooms[($n + $i) % @rooms];
            my $res = call('POST', "/v1/rooms/$room/send", 'ann',
                           { content => { body => "$n $i" } });

            return { bad => $res->{body} } if $res->{status} != 201;

            $sent++;
            $last = $res->{data}{id};

            call('PUT', "/v1/rooms/$room/read", 'bob', { event_id => $last })
                if $i % 20 == 0;
        }

        return { sent => $sent };
    });
} 1 .. 8;

# one goes in and out of a room meanwhile
my $mover = child(sub {
    for (1 .. 10 * $scale) {
        call('POST', "/v1/rooms/$moving/join", 'bob');
        call('POST', "/v1/rooms/$moving/send", 'ann',
             { content => { body => "move $_" } });
        call('POST', "/v1/rooms/$moving/leave", 'bob');
    }

    return {};
});

my $sent = 0;

for (@writers) {
    my $done = result($_);

    is($done->{bad}, undef, 'a writer');
    $sent += $done->{sent} // 0;
}

is(result($mover)->{bad}, undef, 'in and out');
open my $touch, '>', $stop or die $!;
close $touch;

my %expected = map { $_->{id} => 1 }
               grep { $_->{stream_position} > $start }
               map { events($_, 'bob') } @rooms;

is(scalar keys %expected, $sent, 'all were sent');

for my $n (@readers) {
    my $read = result($n);
    my @got = @{$read->{got}};
    my (%seen, $doubled, $back);
    my $at = $start;

    is($read->{bad}, undef, 'a reader');

    for (@got) {
        $doubled++ if $seen{$_->[0]}++;
        $back++ if $_->[1] <= $at;
        $at = $_->[1];
    }

    is($doubled, undef, 'none twice');
    is($back, undef, 'in order');
    is((scalar grep { !$seen{$_} } keys %expected), 0, 'none lost of '
       . scalar @got);
}

# clients that leave: nothing is left of them
sub polls {
    my ($n, $who) = @_;
    my $since = now_at();

    return map { http_begin('GET', "/v1/sync?since=$since&timeout=60000",
                            token($who)) } 1 .. $n;
}

# Connections to the port, as the system counts them.  While others connect,
# its list may have one twice, or miss one.
sub established {
    my $port = sprintf ':%04X', server_port_is();
    my %peers;

    open my $tcp, '<', '/proc/net/tcp' or return 0;

    while (<$tcp>) {
        my @f = split;

        $peers{$f[2]} = 1
            if $f[1] =~ /\Q$port\E\z/ && ($f[3] eq '01' || $f[3] eq '08');
    }

    return scalar keys %peers;
}

ok(RoomsTest::Process::wait_for(5, sub { !established() }),
   'no connection is left');

my @socks = polls(200, 'bob');

ok(!IO::Select->new(@socks)->can_read(0.5), '200 wait');
ok(RoomsTest::Process::wait_for(5, sub { established() == 200 }), 'connected');
close $_ for splice @socks, 0, 150;
ok(RoomsTest::Process::wait_for(5, sub { established() == 50 }),
   '150 left, and their connections are closed at once');

my $message = call('POST', "/v1/rooms/$rooms[0]/send", 'ann',
                   { content => { body => 'who is left?' } });
my $answered = 0;

for my $sock (@socks) {
    my $text = '';

    while (IO::Select->new($sock)->can_read(5)) {
        last if !sysread $sock, $text, 65536, length $text;
    }

    $answered++ if $text =~ /\Q$message->{data}{id}\E/;
}

is($answered, 50, 'the others are woken');

# clients that leave just when they are answered
for (1 .. 5 * $scale) {
    my @leaving = polls(20, 'bob');
    my $id = child(sub {
        call('POST', "/v1/rooms/$rooms[1]/send", 'ann',
             { content => { body => 'now' } });
        return {};
    });

    close $_ for @leaving;
    result($id);
}

is(call('GET', '/v1/sync?timeout=0', 'bob')->{status}, 200, 'all is well');

# a reload: those who wait are answered, and old workers leave
for (1 .. 3) {
    @socks = polls(40, 'bob');
    ok(!IO::Select->new(@socks)->can_read(0.3), 'they wait');

    my $began = time();

    ok(nginx_reload(), 'reload');

    my $empty = 0;

    for my $sock (@socks) {
        my $text = '';

        while (IO::Select->new($sock)->can_read(15)) {
            last if !sysread $sock, $text, 65536, length $text;
        }

        $empty++ if $text =~ /"events":\[\],"next_cursor":"\d+"/;
    }

    is($empty, 40, 'answered, empty');
    cmp_ok(time() - $began, '<', 15, 'and not when their time is over');
}

ok(RoomsTest::Process::wait_for(10, sub {
       my $log = nginx_log();
       my $gone = () = $log =~ /worker process \d+ exited with code 0/g;
       $gone >= 6;
   }), 'old workers have left');
unlike(nginx_log(), qr/\[(?:alert|crit|emerg)\]/, 'without an alert');

stop_nginx();
done_testing();
