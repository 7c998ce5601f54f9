# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# rooms_cache: a room that was read is shown again without asking the store,
# until something of it changes, whoever changes it; and what could be stale
# is never shown.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;
use RoomsTest::HTTP qw(http_begin http_end server_port_is);
use RoomsTest::Process qw(free_port wait_for);

# A relay that, told so by SIGUSR1, says nothing more to those who subscribed,
# and hears nothing of them: a connection that is cut without a word.  Told so
# by SIGUSR2, it keeps the replies to all others.  The same signal again ends
# it.
sub silencer {
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64)
        or die "listen: $!\n";
    my $to = redis_port();
    my $pid = fork() // die "fork: $!\n";

    return ($listen->sockport, $pid) if $pid;

    my ($silent, $held, %other, %subscribed, %replies, %late) = (0, 0);
    my $select = IO::Select->new($listen);

    $SIG{USR1} = sub { $silent = !$silent };
    $SIG{USR2} = sub { $held = !$held };
    $SIG{$_} = 'DEFAULT' for qw(INT TERM PIPE);

    while (1) {
        if (!$held) {
            syswrite $other{$_}, delete $late{$_} for keys %late;
        }

        for my $from ($select->can_read(0.1)) {
            if ($from == $listen) {
                my $client = $listen->accept or next;
                my $redis = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                                  PeerPort => $to);

                @other{$client, $redis} = ($redis, $client);
                $replies{$redis} = 1;
                $select->add($client, $redis);
                next;
            }

            my $peer = $other{$from} or next;
            my $n = sysread $from, my $text, 65536;

            if (!$n) {
                delete @other{$from, $peer};
                delete @late{$from, $peer};
                $select->remove($from, $peer);
                close $_ for $from, $peer;
                next;
            }

            $subscribed{$from} = $subscribed{$peer} = 1
                if $text =~ /SUBSCRIBE/;

            if ($held && $replies{$from} && !$subscribed{$from}) {
                $late{$from} .= $text;
                next;
            }

            syswrite $peer, $text if !$silent || !$subscribed{$from};
        }
    }
}

my ($port, $silencer) = silencer();
my $parent = $$;

END { kill 'KILL', $silencer if $silencer && $$ == $parent }

# Which of the workers answers is the system's choice.
my $conf = 'add_header X-Worker $pid always;';
my %cache = (http => 'rooms_cache 1m;');

sub worker_get {
    my ($path, $who, $worker) = @_;

    for (1 .. 1000) {
        my $res = call('GET', $path, $who);

        return $res if !defined $worker
                       || $res->{headers}{'x-worker'} == $worker;
    }

    die "worker $worker is never asked\n";
}

sub workers_of {
    my ($path, $who) = @_;
    my %seen;

    wait_for(30, sub {
        $seen{call('GET', $path, $who)->{headers}{'x-worker'}} = 1;
        return keys %seen == 2;
    }) or die "one worker alone\n";

    return sort keys %seen;
}

# Commands that read, of so many requests.
sub reads_of {
    my ($code) = @_;

    redis('CONFIG', 'RESETSTAT');
    $code->();

    my $stats = redis('INFO', 'commandstats');
    my $n = 0;

    $n += $1 while $stats =~ /^cmdstat_(?:hgetall|hmget|hget|zrank):calls=(\d+)/mg;

    return $n;
}

# Asks until the answers come without the store.
sub remembered {
    my ($path, $who, @workers) = @_;

    return wait_for(30, sub {
        my $n = reads_of(sub {
            worker_get($path, $who, $_) for @workers ? @workers : undef;
        });

        return $n == 0;
    });
}

# What all workers show in the end; and soon, since they are told.
sub shown {
    my ($what, $path, $who, $workers, $check) = @_;
    my $began = time();
    my $ok = wait_for(30, sub {
        return !grep { !$check->(worker_get($path, $who, $_)) } @$workers;
    });

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    ok($ok, "$what: seen on all workers");
    note(sprintf '%s: %.0f ms', $what, 1000 * (time() - $began));
}

start("$conf", %cache, workers => 2);
known('ann', 'bob', 'zoe');

my $room = make(group => 'ann', name => 'First');
my $path = "/v1/rooms/$room";

admit($room, 'ann', 'bob');

my @both = workers_of($path, 'bob');

ok(remembered($path, 'bob', @both), 'read once, shown without the store');
ok(wait_for(30, sub {
       return reads_of(sub { call('GET', $path, 'bob') for 1 .. 20 }) == 0;
   }), 'twenty times: no read');
is(call('GET', $path, 'bob')->{body},
   do { redis('HSET', key("r:$room"), 'updated_at',
              redis('HGET', key("r:$room"), 'updated_at'));
        call('GET', $path, 'bob')->{body} }, 'what is remembered is the same');

# each who looks sees their own

is(call('GET', $path, 'ann')->{data}{me}{power_level}, 100, "ann's own row");
is(call('GET', $path, 'bob')->{data}{me}{power_level}, 0, "bob's own row");
is(call('GET', $path, 'zoe')->{status}, 404, 'a stranger sees nothing');

# others' changes

remembered($path, 'bob', @both);
must('PUT', "$path/name", 'ann', { name => 'Second' });
shown('a rename', $path, 'bob', \@both,
      sub { $_[0]{data}{name} eq 'Second' });

remembered($path, 'bob', @both);
must('POST', "$path/send", 'ann', { content => { body => 'x' } });
shown('a message', $path, 'bob', \@both,
      sub { $_[0]{data}{me}{unread_count} == 1 });

my @said = map { must('POST', "$path/send", 'ann', { content => {} })->{id} }
           1 .. 3;

for my $n (0 .. 2) {
    remembered($path, 'bob', @both) if $n == 0;
    must('POST', "$path/events/$said[$n]/redact", 'ann');
    shown('a redaction', $path, 'bob', \@both,
          sub { $_[0]{data}{me}{unread_count} == 3 - $n });
    is(call('GET', $path, 'bob')->{data}{me}{unread_count}, 3 - $n,
       '... and again') for 1 .. 3;
}

cmp_ok(reads_of(sub { call('GET', $path, 'bob') }), '>', 0,
       'a room with such messages is read each time');
must('PUT', "$path/read", 'bob', { event_id => $said[2] });

remembered($path, 'bob', @both);
must('PUT', '/v1/me/preferences', 'bob', { default_mode => 'all' });
shown('a preference', $path, 'bob', \@both,
      sub { $_[0]{data}{me}{effective_notification_mode} eq 'all' });

remembered($path, 'bob', @both);
must('PUT', "$path/notification-mode", 'bob', { mode => 'none' });
shown('a setting', $path, 'bob', \@both,
      sub { $_[0]{data}{me}{notification_mode} eq 'none' });

# what another server has written

remembered($path, 'bob', @both);
redis('HSET', key("r:$room"), 'name', 'Third');
shown('another server', $path, 'bob', \@both,
      sub { $_[0]{data}{name} eq 'Third' });

remembered($path, 'bob', @both);
must('POST', "$path/kick", 'ann', { participant_id => 'bob' });
shown('a kick', $path, 'bob', \@both, sub { $_[0]{status} == 404 });

remembered($path, 'ann', @both);
must('POST', "$path/close", 'ann');
shown('a close', $path, 'ann', \@both,
      sub { $_[0]{data}{state} eq 'closed' });

# a DM is called after its other side, who may be renamed

my $dm = make(dm => 'ann', with => 'bob');

call('GET', "/v1/rooms/$dm", 'ann') for 1 .. 10;
cmp_ok(reads_of(sub { call('GET', "/v1/rooms/$dm", 'ann') }), '>', 0,
       'a DM is read each time');

# one's own change, on the worker that made it: at once

start($conf, %cache);

my $own = make(group => 'ann', name => 'Own');

for my $n (1 .. 20) {
    remembered("/v1/rooms/$own", 'ann') if $n % 5 == 1;
    must('PUT', "/v1/rooms/$own/name", 'ann', { name => "Own $n" });

    my $name = call('GET', "/v1/rooms/$own", 'ann')->{data}{name};

    is($name, "Own $n", "one's own rename $n") if $name ne "Own $n"
                                                  || $n == 20;
}

# An answer that was made before is the same, with its ETag

my $before = call('GET', "/v1/rooms/$own", 'ann');

ok(remembered("/v1/rooms/$own", 'ann'), 'an answer is kept');

my $kept = call('GET', "/v1/rooms/$own", 'ann');

is($kept->{body}, $before->{body}, 'it is the same');
is($kept->{headers}{etag}, $before->{headers}{etag}, 'its ETag too');
is(call('GET', "/v1/rooms/$own", 'ann', undef,
        'If-None-Match' => $kept->{headers}{etag})->{status}, 304,
   'which is compared');

my $head = call('HEAD', "/v1/rooms/$own", 'ann');

is($head->{headers}{'content-length'}, length $kept->{body}, 'HEAD: its size');
ok(remembered("/v1/rooms/$own", 'ann'), 'all without the store');

# ... unless time changes it

must('PUT', "/v1/rooms/$own/mute", 'ann', { duration => 2 });
ok(remembered("/v1/rooms/$own", 'ann'), 'a mute is remembered');
ok(defined call('GET', "/v1/rooms/$own", 'ann')->{data}{me}{muted_until},
   'and shown');
ok(wait_for(30, sub {
       my $me = call('GET', "/v1/rooms/$own", 'ann')->{data}{me};

       return !defined $me->{muted_until};
   }), 'until it ends');

# ... and of the same server; keys of another prefix aren't reported

my ($other, $third) = (free_port(), free_port());
my $first = start($conf, http => "rooms_cache 1m;
    server {
        listen 127.0.0.1:$third;
        rooms on;
        rooms_auth mock;
        rooms_key_prefix third;
        rooms_redis redis://\$TEST_NGINX_REDIS/0;
    }
    server {
        listen 127.0.0.1:$other;
        rooms on;
        rooms_auth mock;
        rooms_server_name other.test;
        rooms_redis redis://\$TEST_NGINX_REDIS/0;
    }
");

for (1 .. 2) {
    for my $server ([$other, 'other.test'], [$first, host()]) {
        server_port_is($server->[0]);
        ok(remembered("/v1/rooms/$own", 'ann'), 'remembered by two servers');
        is(call('GET', "/v1/rooms/$own", 'ann')->{data}{room_alias},
           "#own:$server->[1]", "the alias at $server->[1]");
    }
}

server_port_is($third);

my $apart = make(group => 'ann', name => 'Apart');

call('GET', "/v1/rooms/$apart", 'ann') for 1 .. 3;
redis('HSET', 'third:' . key("r:$apart") =~ s/^sw://r, 'name', 'Prefix');
is(call('GET', "/v1/rooms/$apart", 'ann')->{data}{name}, 'Prefix',
   'a room of another prefix');
start($conf, %cache);

# ... and for the same kind of caller: an administrator sees an empty room

my $empty = make(group => 'ann', name => 'Empty');

known('zoe');
must('POST', "/v1/rooms/$empty/leave", 'ann');

for (1 .. 2) {
    ok(remembered("/v1/rooms/$empty", 'zoe!'), 'an empty room is remembered');
    is(call('GET', "/v1/rooms/$empty", 'zoe!')->{status}, 200,
       'the administrator sees it');
    is(call('GET', "/v1/rooms/$empty", 'zoe')->{status}, 404,
       'who is none any more does not');
}

# the store is emptied

remembered("/v1/rooms/$own", 'ann');
redis('FLUSHALL');
ok(wait_for(30, sub { call('GET', "/v1/rooms/$own", 'ann')->{status} == 404 }),
   'an emptied store');

# the connection that tells is cut

known('ann');
$own = make(group => 'ann', name => 'Told');
ok(remembered("/v1/rooms/$own", 'ann'), 'remembered again');

for my $n (1 .. 5) {
    my ($id) = grep { defined } map { /^id=(\d+).* flags=\S*B/ ? $1 : () }
               split /\n/, redis('CLIENT', 'LIST');

    ok(defined $id, 'a connection tells') if $n == 1;
    next if !defined $id;
    redis('CLIENT', 'KILL', 'ID', $id);
    redis('HSET', key("r:$own"), 'name', "Cut $n");
    is(call('GET', "/v1/rooms/$own", 'ann')->{data}{name}, "Cut $n",
       "cut $n: nothing stale");
    ok(remembered("/v1/rooms/$own", 'ann'), "cut $n: connected again");
}

# ... or is silent

sub through_the_relay {
    stop_nginx();
    RoomsTest::Nginx::run_nginx(<<"END", %cache);
        rooms on;
        rooms_auth mock;
        rooms_redis redis://127.0.0.1:$port/0;
END
    ok(remembered("/v1/rooms/$own", 'ann'), 'through a relay');
}

# Remembered, and told so just now: a connection is trusted for a second.
sub trusted {
    sleep 1.1;
    ok(remembered("/v1/rooms/$own", 'ann'), 'remembered and trusted');
}

sub name_is { redis('HSET', key("r:$own"), 'name', $_[0]) }
sub name    { call('GET', "/v1/rooms/$own", 'ann')->{data}{name} }

through_the_relay();

# a reply that a change has overtaken is kept for nobody, also if another
# request has asked meanwhile

trusted();
name_is('Old');
sleep 0.05;
kill 'USR2', $silencer;
sleep 0.05;

my @asked = http_begin('GET', "/v1/rooms/$own", token('ann'));

sleep 0.1;
name_is('New');
sleep 0.1;
push @asked, http_begin('GET', "/v1/rooms/$own", token('ann'));
sleep 0.05;
kill 'USR2', $silencer;
is(http_end($_)->[0], 200, 'answered') for @asked;
ok(wait_for(5, sub {
       # as an administrator: the answer is made of the replies, which are kept
       return call('GET', "/v1/rooms/$own", 'ann!')->{data}{name} eq 'New';
   }), 'an overtaken reply');

trusted();
kill 'USR1', $silencer;
sleep 0.05;
must('PUT', "/v1/rooms/$own/name", 'ann', { name => 'Own, untold' });
is(name(), 'Own, untold', "one's own change needs no telling");

# what changes something reads the store

my $row = redis('HGET', key("r:$own:members"), 'ann');

redis('HSET', key("r:$own:members"), 'ann', $row =~ s/^join 100/join 0/r);
expect('403 SW_ROOM_FORBIDDEN', 'PUT', "/v1/rooms/$own/name", 'ann',
       { name => 'Without power' });
redis('HSET', key("r:$own:members"), 'ann', $row);
sleep 1.3;
name_is('Silent');
is(name(), 'Silent', 'who is silent for a second is trusted no more');

# ... and the lane has connected anew: to what may be another store

kill 'USR1', $silencer;
through_the_relay();
kill 'USR1', $silencer;
sleep 0.1;
redis('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
name_is('Another');
name();
is(name(), 'Another', 'a lane that has connected anew');

# more rooms than there is room for

start($conf, http => 'rooms_cache 4k;');

my @rooms = map { make(group => 'ann', name => "Room $_") } 1 .. 30;

for (1 .. 3) {
    is(join(',', map { call('GET', "/v1/rooms/$_", 'ann')->{data}{id} }
                 @rooms), join(',', @rooms), 'more than fits, all shown');
}

# without it every request reads

start($conf, http => 'rooms_cache off;');
call('GET', "/v1/rooms/$own", 'ann') for 1 .. 5;
is(reads_of(sub { call('GET', "/v1/rooms/$own", 'ann') }), 4, 'off');

done_testing();
