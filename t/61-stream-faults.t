# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Streams on bad days: how they end, who hears nothing more, slow clients and
# such as leave, a reload, a killed worker, a store that goes away; and that
# who comes back misses nothing and gets nothing twice.

use strict;
use warnings;

use File::Temp ();
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;
use RoomsTest::HTTP ();
use RoomsTest::Process qw(end_process find_program free_port patience slurp
                          start_process wait_for);
use RoomsTest::Stream;
use RoomsTest::Token qw(hs256);

my $dir = File::Temp->newdir('rooms-streams-XXXXXXXX', TMPDIR => 1);
my $secret = 's' x 48;
my ($h2, $store) = (free_port(), free_port());
my $redis;

open my $out, '>', "$dir/secret" or die $!;
print $out $secret;
close $out;

sub server {
    my ($more) = @_;

    return <<"END";
        listen 127.0.0.1:$h2 http2;
        rooms on;
        rooms_auth hybrid;
        rooms_auth_secret_file $dir/secret;
        rooms_redis redis://127.0.0.1:$store/0;
        rooms_redis_timeout 700ms;
        rooms_redis_connect_timeout 300ms;
        # a slow client is as slow as the machine
        send_timeout 1h;
        location = /status { rooms_status; }
        $more
END
}

sub store_start {
    $redis = start_process("$dir/redis.log",
        RoomsTest::Redis::binary(),
        '--port', $store, '--bind', '127.0.0.1', '--dir', "$dir",
        '--save', '', '--appendonly', 'yes', '--daemonize', 'no');
}

sub store_stop { end_process($redis, 'TERM', 5) }

END { if ($redis) { local $?; end_process($redis, 'KILL', 5) } }

sub stream {
    my ($who, $args, %headers) = @_;

    return RoomsTest::Stream->new("/v1/sync$args",
                                  $who =~ /\./ ? $who : token($who),
                                  %headers);
}

sub say_it {
    my ($room, $who, $text) = @_;

    return must('POST', "/v1/rooms/$room/send", $who,
                { content => { body => $text } });
}

sub messages { return grep { !defined $_->{event} } @_ }
sub bodies { return join ' ', map { $_->{data}{content}{body} // '-' } @_ }

sub open_streams {
    my ($transport) = @_;
    my $text = call('GET', '/status', 'ann')->{body};

    return $text =~ /^rooms_streams\{transport="$transport"\} (\d+)/m
           ? $1 : undef;
}

sub workers {
    my $pid = nginx_pid();

    return split ' ', slurp("/proc/$pid/task/$pid/children");
}

# Follows as a client does, over ends and lost connections, until it has seen
# a message with that body; counts what comes.
sub follow {
    my ($who, $st, $last, $seen) = @_;
    my $until = time() + 40 * patience();
    my $id;

    while (time() < $until) {
        my $e = $st->next(undef, 1);

        if (!$e) {
            # a refusal leaves the connection open
            next if !$st->{closed} && ($st->{status} // 200) == 200;
            sleep 0.1;
            $st = eval { stream($who, '?since=0',
                                defined $id ? ('Last-Event-ID' => $id) : ()) }
                  // $st;
            next;
        }

        $id = $e->{id} if defined $e->{id};
        next if defined $e->{event};

        $seen->{$e->{data}{id}}++;
        push @{$seen->{order}}, $e->{id};

        return $st if ($e->{data}{content}{body} // '') eq $last;
    }

    return undef;
}

store_start();
run_nginx(server('rooms_stream_connections 4;'), workers => 1);
ok(wait_for(20, sub { call('POST', '/v1/auth/register', 'ann')->{status}
                      == 200 }), 'a store');
known(qw(ann bob cy eve));

my $room = make(group => 'ann', name => 'One');

admit($room, 'ann', 'bob', 'cy');

# a token ends, and its stream with it
{
    my $st = stream(hs256($secret, sub => 'bob', tenant_id => tenant(),
                          exp => time() + 8), '?since=now');

    ok($st->next('caught_up'), 'a stream with a token of some seconds');

    my $end = $st->next('end', 30);

    is_deeply($end->{data}, { code => 'SW_AUTH_EXPIRED_TOKEN',
                              reconnect => JSON::PP::false },
              'it ends with its token');
    ok($st->closed, 'and is closed');
    ok($st->{whole}, 'as it should be');
}

# so many of a participant, and no more
{
    my @four = map { stream('cy', '?since=now') } 1 .. 4;

    is($_->head, 200, 'a stream') for @four;

    my $fifth = stream('cy', '?since=now');

    is($fifth->head, 429, 'the fifth of a participant is one too many');
    like($fifth->{headers}{'retry-after'}, qr/\A[1-9]\d*\z/, 'Retry-After');
    like($fifth->{text}, qr/SW_RATE_LIMIT_EXCEEDED/, 'its code');
    is(stream('bob', '?since=now')->head, 200, 'others have their own');
    is(open_streams('sse') >= 4, 1, 'the gauge counts them');
    $_->close for @four;
    ok(wait_for(10, sub { open_streams('sse') == 0 }),
       'clients that leave are noticed');
    is(stream('cy', '?since=now')->head, 200, 'and their places are free');
}

# a removed member hears that, and nothing more
{
    my $st = stream('cy', '?since=now');
    my $other = stream('bob', '?since=now');

    $_->next('caught_up') for $st, $other;
    must('POST', "/v1/rooms/$room/kick", 'ann', { participant_id => 'cy' });
    say_it($room, 'ann', 'secret');
    is($other->next('message')->{data}{event_type}, 'swp.room.member',
       'who is in hears of a removal');
    is($other->next('message')->{data}{content}{body}, 'secret',
       'and of what is said then');

    my $e = $st->next('message');

    is($e->{data}{content}{participant_id}, 'cy', 'who was removed hears it');
    ok($st->silent(0.7), 'and nothing more');
}

# HTTP/1.0 has no chunks
{
    my $st = RoomsTest::Stream->new(undef, undef, -raw => join "\r\n",
        'GET /v1/sync?since=now HTTP/1.0', 'Host: localhost',
        'Accept: text/event-stream',
        'Authorization: Bearer ' . token('bob'), '', '');

    ok($st->next('caught_up'), 'HTTP/1.0');
    is($st->{chunked}, '', 'without chunks');
    say_it($room, 'ann', 'old');
    is($st->next('message')->{data}{content}{body}, 'old', 'it is told');
}

# HTTP/2
SKIP: {
    skip 'no curl with HTTP/2', 3
        if !find_program('curl') || `curl -V` !~ /HTTP2/;

    my $pid = start_process("$dir/curl.out", 'curl', '-sN',
        '--http2-prior-knowledge', '-H', 'Accept: text/event-stream', '-H',
        'Authorization: Bearer ' . token('bob'),
        "http://127.0.0.1:$h2/v1/sync?since=now");

    ok(wait_for(10, sub { slurp("$dir/curl.out") =~ /caught_up/ }), 'HTTP/2');
    say_it($room, 'ann', 'frames');
    ok(wait_for(10, sub { slurp("$dir/curl.out") =~ /"frames"/ }),
       'it is told');
    end_process($pid, 'TERM', 5);
    ok(wait_for(10, sub { open_streams('sse') == 0 }), 'and noticed leaving');
}

# a slow client holds one page, and gets everything in its time
{
    my $st = stream('bob', '?since=now', -rcvbuf => 4096);
    my ($pad, $last) = ('x' x 30000, 240);

    ok($st->next('caught_up'), 'a slow client');

    my $kib = sub { slurp('/proc/' . nginx_pid() . '/status')
                    =~ /^VmRSS:\s+(\d+)/m; return $1 };
    my $send = sub {
        must('POST', "/v1/rooms/$room/send", 'ann',
             { content => { body => "s$_[0]", pad => $pad } });
    };

    $send->($_) for 1 .. 40;

    my $before = $kib->();

    $send->($_) for 41 .. $last;

    SKIP: {
        skip('a sanitizer keeps what is freed', 1) if $ENV{TEST_ROOMS_REPORTS};
        cmp_ok($kib->() - $before, '<', 4096,
               'what it does not take is not kept');
    }

    my @got;

    setsockopt $st->{sock}, Socket::SOL_SOCKET(), Socket::SO_RCVBUF(),
               1 << 20;

    while (@got < $last) {
        my $e = $st->next('message', 60) or last;

        push @got, $e;
    }

    is(scalar @got, $last, 'it gets all of it in the end');
    is(join(' ', map { $_->{id} } @got),
       join(' ', sort { $a <=> $b } map { $_->{id} } @got), 'in order');
    is(bodies(@got), join(' ', map { "s$_" } 1 .. $last), 'once');
}

unlike(nginx_log(), qr/\[(?:alert|crit|emerg)\]/, 'no alarm in the log');

# a lifetime
run_nginx(server('rooms_stream_lifetime 1s; rooms_stream_heartbeat 300ms;
                  location = /v1/sync { rooms on; }
                  location = /v1/rooms { rooms on; deny all; }'),
          workers => 2);
{
    my $st = stream('bob', '?since=now');
    my $end = $st->next('end', 10);

    is_deeply($end->{data}, { code => 'SW_STREAM_LIFETIME',
                              reconnect => JSON::PP::true }, 'a lifetime');
    ok($st->closed, 'then it is closed');
    cmp_ok(scalar(grep { ($_->{event} // '') eq ':' } @{$st->{lines}}), '>=',
           1, 'there was a heartbeat');

    # a tenth more or less, or all would come back in one moment
    my @took;

    ok(wait_for(60, sub {
        my $from = time();
        my $one = stream('bob', '?since=now')->next('end', 10);

        push @took, $one ? $one->{at} - $from : 0;
        return $took[-1] < 0.98;
    }), 'some live shorter than others');
    cmp_ok($took[-1], '>=', 0.89, 'but not much');
}

# access rules hold
run_nginx(server('location = /v1/sync { rooms on; deny all; }'));
is(stream('bob', '?since=now')->head, 403, 'access rules hold');

# a reload: all hear of it, the workers exit at once, and nobody misses
# anything
run_nginx(server('rooms_stream_connections 100;'), workers => 2);
{
    my @st = map { stream('bob', '?since=now') } 1 .. 20;
    my $slow = stream('bob', '?since=0', -rcvbuf => 4096);
    my @old = workers();

    ok($_->next('caught_up'), 'a stream') for @st;
    $slow->head;

    my $from = time();

    ok(nginx_reload(), 'a reload');
    ok(wait_for(10, sub { !grep { kill 0, $_ } @old }),
       'the workers exit at once');

    my @ends = map { $_->next('end') } @st;

    is(scalar(grep { $_ && $_->{data}{code} eq 'SW_STREAM_RELOAD'
                     && $_->{data}{reconnect} } @ends), 20, 'all hear why');
    is(scalar(grep { $_->{retry} < 1000 || $_->{retry} > 5000 } @ends), 0,
       'and when to come back');

    my %retry = map { $_->{retry} => 1 } @ends;

    cmp_ok(scalar keys %retry, '>', 10, 'not all in one moment');
    ok($_->closed, 'closed') for @st;
}

# coming back, over whatever happens, while others write
sub survives {
    my ($name, $fault) = @_;
    my $st = stream('bob', '?since=now');
    my ($n, %seen, %sent) = (0);

    ok($st->next('caught_up'), "$name: a stream");

    my $write = sub {
        my $body = shift // "$name " . ++$n;
        my $res;

        wait_for(20, sub {
            $res = call('POST', "/v1/rooms/$room/send", 'ann',
                        { content => { body => $body } },
                        'Idempotency-Key' => $body =~ s{ }{-}gr);

            return $res->{status} == 201 || $res->{status} == 200;
        });
        $sent{$res->{data}{id}} = 1;
    };

    $write->() for 1 .. 10;
    $fault->($st);
    $write->() for 1 .. 10;
    $write->("$name end");
    ok(follow('bob', $st, "$name end", \%seen), "$name: it comes back");

    my @order = @{delete $seen{order}};

    is(join(' ', grep { !$seen{$_} } keys %sent), '', "$name: nothing lost");
    is(join(' ', grep { $seen{$_} > 1 } keys %seen), '',
       "$name: nothing twice");
    is("@order", join(' ', sort { $a <=> $b } @order), "$name: in order");

    return $st;
}

survives('reload', sub { nginx_reload() });
survives('kill', sub {
    my @old = workers();

    kill 'KILL', @old;
    wait_for(20, sub { my @now = workers();
                       @now == 2 && !grep { my $p = $_;
                                            grep { $_ == $p } @old } @now });
});

my $st = survives('store', sub {
    my ($st) = @_;

    # who waits is told by the next look at the store
    store_stop();
    wait_for(20, sub {
        $st->fill(0.2);

        return $st->{closed} || grep { ($_->{event} // '') eq 'end' }
                                     @{$st->{events}};
    });
    store_start();
});

is_deeply([map { $_->{data}{code} } grep { ($_->{event} // '') eq 'end' }
           @{$st->{lines}}], ['SW_STORE_UNAVAILABLE'],
          'who waited for the store heard that it was away');

is(scalar(grep { !/exited on signal 9/ } nginx_log() =~ /\[alert\].*/g), 0,
   'no other alarm in the log');

done_testing();
