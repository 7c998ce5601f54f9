# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Idempotency-Key when something goes wrong in each state of each request that
# takes it: nothing is made twice, and the key is free again at once, or after
# five seconds if nobody is left to free it.

use strict;
use warnings;

use File::Temp ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Bundle ();
use RoomsTest::Calls;
use RoomsTest::Process qw(wait_for);
use RoomsTest::Relay;

my $dir = File::Temp::tempdir('rooms-idem-XXXXXXXX', TMPDIR => 1,
                              CLEANUP => 1);
my $port = relay();

mkdir "$dir/media";

run_nginx(<<"END", workers => 1, master => 1);
    rooms on;
    rooms_auth mock;
    rooms_server_name rooms.test;
    rooms_redis redis://127.0.0.1:$port/0;
    rooms_redis_timeout 1500ms;
    rooms_media_path $dir/media;
    client_max_body_size 10m;
END

known('ann', map { "p$_" } 1 .. 40);

my $room = make(group => 'ann', name => 'Room');
my ($bundle, $type) = RoomsTest::Bundle::form(
    RoomsTest::Bundle::bundle(RoomsTest::Bundle::manifest()));
my $n = 0;

sub hlen { redis('HLEN', key(@_)) }
sub zcard { redis('ZCARD', key(@_)) }

# A request, what it reads after its claim, and how many of what it makes
# there are.
my @kinds = (
    [room => qr/^HM?GET .*:aliases /,
     sub { ['/v1/rooms', { room_type => 'group', name => 'New' }] },
     sub { redis('HGET', key('tenant'), 'rooms') }],
    [dm => qr/^HGET .*:dms /,
     sub { ['/v1/rooms/dm', { participant_id => 'p' . ++$n }] },
     sub { hlen('dms') }],
    # an event_uuid has to be looked for, so the room is read
    [send => qr/^HGETALL .*:r:$room(?: |\z)/,
     sub { ["/v1/rooms/$room/send", { content => { body => 'x' },
                                      event_uuid => 'u' . ++$n }] },
     sub { zcard("r:$room:events") }],
    # ... and else it isn't, nor is the key claimed
    ['send-again' => undef,
     sub { ["/v1/rooms/$room/send", { content => { body => 'x' } }] },
     sub { zcard("r:$room:events") }],
    [workspace => undef,
     sub { ['/v1/workspaces', { name => 'New' }] },
     sub { zcard('p:ann:workspaces') }],
    [upload => undef,
     sub { ['/v1/media/upload',
            "--b\r\nContent-Disposition: form-data; name=\"file\"; "
            . "filename=\"f\"\r\n\r\ntext\r\n--b--\r\n",
            'Content-Type' => 'multipart/form-data; boundary=b'] },
     sub { hlen('media') }],
    [import => qr/^HM?GET .*:aliases /,
     sub { ['/v1/rooms/import', $bundle, 'Content-Type' => $type] },
     sub { redis('HGET', key('tenant'), 'rooms') }],
);

my $claim = qr/^SET \S+:idem:\S+ p /;
my $commit = qr/^EVAL.* (?:d \S{22} \d+ \d+ |e \S{22} [0-9a-f]{29} )/s;
my $resolve = qr/^EVAL -- resolve/;

sub idem_keys { return @{redis('KEYS', key('idem:*'))} }

# How long a claim that nobody holds any more may still be there.
sub blocked {
    my ($most) = sort { $b <=> $a } map { redis('PTTL', $_) }
                 grep { (redis('GET', $_) // '') =~ /^p / } idem_keys();

    return $most // 0;
}

sub outcome { return $_[0]{json}{error}{details}[0]{problem} // '' }

# Until the answer is another than that the key is in use, or that the store,
# which was found hanging, is away.
sub retry {
    my ($ask) = @_;
    my $res;

    wait_for(20, sub {
        $res = $ask->();
        $res->{status} != 503 && $res->{code} ne 'SW_CONFLICT';
    });

    return $res;
}

sub forget {
    redis('DEL', $_) for idem_keys();
}

for my $kind (@kinds) {
    my ($name, $reads, $request, $count) = @$kind;

    # what goes wrong, how often, and what the first answer is
    for my $case (
        $name ne 'send-again' ? (
            ['a lost reply to the claim', $claim, 'lose-reply', 1, 201],
            ['a lost claim', $claim, 'lose-request', 1, 201],
            ['a claim that passes', $claim, 'error BUSY script', 1, 201],
            ['a claim refused', $claim, 'error OOM full', 1, 503,
             'not_applied']) : (),
        $reads ? (['a read refused', $reads, 'error NOAUTH no', 1, 503,
                   'not_applied'],
                  ['a lost read', $reads, 'lose-reply', 1, 201]) : (),
        $name eq 'send' ? (['no read', $reads, 'hang', 0, 503,
                            'not_applied']) : (),
        ['a commit refused', $commit, 'error OOM full', 1, 503,
         'not_applied'],
        ['a lost reply to the commit', $commit, 'lose-reply', 1, 201],
        ['a lost commit', $commit, 'lose-request', 1, 201],
        # these take as long as the store has
        $name =~ /room|send$|import/ ? (
            ['lost replies to the claim', $claim, 'lose-reply', 0, 503,
             'not_applied']) : (),
        $name =~ /room|send|import/ ? (
            ['nothing known of a commit', qr/$commit|$resolve/, 'lose-reply',
             0, 503, 'unknown'],
            ['nothing known of a lost commit', qr/$commit|$resolve/,
             'lose-request', 0, 503, 'unknown']) : (),
        $name =~ /send|import/ ? (['a commit that hangs',
            qr/$commit|$resolve/, 'hang', 0, 503, 'unknown']) : (),
    ) {
        my ($what, $pattern, $action, $times, $status, $outcome) = @$case;
        my ($path, $body, @headers) = @{$request->()};
        my $ask = sub { call('POST', $path, 'ann', $body, @headers,
                             'Idempotency-Key' => "$name-$what" =~ tr/ /-/r) };
        my $before = $count->();

        rule($pattern, $action, $times || ());

        my $first = $ask->();

        is($first->{status}, $status, "$name, $what")
            or diag $first->{body};
        cmp_ok(met(), '>=', 1, 'it was met');
        is(outcome($first), $outcome, 'its outcome') if $status == 503;
        norule();

        cmp_ok(blocked(), '<=', 5000, 'the key is blocked for 5 s at most');

        my $second = retry($ask);

        is($second->{status}, 201, 'the same again');
        is($count->() - $before, 1, 'one is made')
            or diag "$first->{body}$second->{body}";
        is($second->{body}, $first->{body}, 'the first answer, to the byte')
            if $status == 201;

        my $third = $ask->();

        is("$third->{status} $third->{body}",
           "$second->{status} $second->{body}", 'and a third time');
        is($third->{headers}{'idempotency-replayed'}, 'true', 'a replay');

        forget();
    }

    # an answer that says "not applied" and could free the key has done so
    my ($path, $body, @headers) = @{$request->()};
    my @key = ('Idempotency-Key' => "free-$name");

    ok(wait_for(20, sub { call('GET', "/v1/rooms/$room", 'ann')->{status}
                          == 200 }), 'the store is back');
    rule($commit, 'error MISCONF no', 1);
    is(call('POST', $path, 'ann', $body, @headers, @key)->{status}, 503,
       "$name, refused");
    ok(wait_for(5, sub { blocked() == 0 }), 'the key is free');
    is(call('POST', $path, 'ann', $body, @headers, @key)->{status}, 201,
       'the retry that is recommended succeeds');
    norule();
}


# While a request lives

sub answer_of {
    my ($sock) = @_;
    local $/;

    return readline($sock) // '';
}

sub raw {
    my ($key, $path, $body, @headers) = @_;

    return http_raw('POST', $path, token('ann'), $body, @headers,
                    'Idempotency-Key' => $key);
}

# its claim lives as long, and no longer than it
forget();

my @import = ('/v1/rooms/import', $bundle, 'Content-Type' => $type);
my $before = redis('HGET', key('tenant'), 'rooms');

rule(qr/^(?:EXPIRE|MULTI|EXEC)/, 'drip 1 400', 8);

my $sock = http_begin(raw('long', @import));
my $lived = 0;
my $least = 5000;
my $from = time();

ok(wait_for(10, sub { met() }), 'a long import');

while (time() - $from < 7) {
    my $left = blocked();

    $least = $left if $left < $least;
    $lived++;
    sleep 0.2;
}

cmp_ok($least, '>', 0, 'its claim is renewed');

my ($second) = many(1, ['POST', $import[0], 'ann', @import[1 .. $#import],
                        'Idempotency-Key' => 'long']);

# it may have to wait behind the first in the lane of long answers
ok($second->{code} eq 'SW_CONFLICT' && $second->{headers}{'retry-after'} == 1
   || $second->{headers}{'idempotency-replayed'},
   'the same again, meanwhile') or diag $second->{body};
like(answer_of($sock), qr{^HTTP/1.1 201 }, 'it ends');
norule();
is(redis('HGET', key('tenant'), 'rooms') - $before, 1, 'one room');

# a claim that was lost is taken again, unless somebody else has it
for my $other (0, 1) {
    my @send = ("/v1/rooms/$room/send", { content => { body => "y$other" },
                                          event_uuid => "y$other" });
    my $events = zcard("r:$room:events");

    forget();
    rule(qr/:r:$room(?: |\z)/, 'drip 40 100', 1);
    $sock = http_begin(raw("lost-$other", @send));
    ok(wait_for(10, sub { met() == 1 && idem_keys() }), 'in flight');

    my ($key) = idem_keys();
    my $value = redis('GET', $key);

    if ($other) {
        redis('SET', $key, substr($value, 0, -16) . 'f' x 16, 'PX', 60000);

    } else {
        redis('DEL', $key);
    }

    my $answer = answer_of($sock);

    if ($other) {
        like($answer, qr{^HTTP/1.1 409 .*SW_CONFLICT}s, 'it is another\'s');
        like($answer, qr/^Retry-After: 1\r$/m, 'Retry-After');
        is(zcard("r:$room:events") - $events, 0, 'nothing is sent');
        redis('DEL', $key);

    } else {
        like($answer, qr{^HTTP/1.1 201 }, 'it takes its claim again');
        is(zcard("r:$room:events") - $events, 1, 'one is sent');
        like(redis('GET', $key), qr/^e /, 'and has the answer');
    }
}

norule();

# a client that leaves
for my $kind (@kinds[0, 2, 6]) {
    my ($name, $reads, $request, $count) = @$kind;
    my ($path, $body, @headers) = @{$request->()};
    my $made = $count->();

    rule($reads, 'hang', 1);
    $sock = http_begin(raw("gone-$name", $path, $body, @headers));
    ok(wait_for(10, sub { met() == 1 }), "$name: in flight");
    close $sock;
    norule();

    my $res = retry(sub { call('POST', $path, 'ann', $body, @headers,
                               'Idempotency-Key' => "gone-$name") });

    is($res->{status}, 201, 'the key is free, or has the answer');
    is($count->() - $made, 1, 'one is made');
}

# a worker that dies
for my $kind (@kinds[0, 2, 6]) {
    my ($name, $reads, $request, $count) = @$kind;
    my ($path, $body, @headers) = @{$request->()};
    my $made = $count->();
    my $master = nginx_pid();

    rule($reads, 'hang', 1);
    $sock = http_begin(raw("dead-$name", $path, $body, @headers));
    ok(wait_for(10, sub { met() == 1 }), "$name: in flight");
    cmp_ok(blocked(), '>', 0, 'it holds the key');
    kill 'KILL', split ' ', RoomsTest::Process::slurp(
        "/proc/$master/task/$master/children");
    is(answer_of($sock), '', 'its worker dies');
    norule();
    cmp_ok(blocked(), '<=', 5000, 'the key is blocked for 5 s at most');

    my $res = retry(sub { call('POST', $path, 'ann', $body, @headers,
                               'Idempotency-Key' => "dead-$name") });

    is($res->{status}, 201, 'then it is free');
    is($count->() - $made, 1, 'one is made');
}

# who sends no key pays nothing
rule(qr/idem/, 'error ERR none');
must('POST', "/v1/rooms/$room/send", 'ann', { content => { n => 1 } });
is(met(), 0, 'without a key there is no command more');
norule();

unlike(nginx_log(), qr/\[(?:crit|emerg)\]|signal 11|signal 6/,
       'no alarm in the log');
stop_relay();

done_testing();
