# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# How an export streams: at the client's pace, in bounded memory, as of one
# moment, beside other requests; and that what is cut off doesn't look whole.

use strict;
use warnings;

use File::Temp qw(tempdir);
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;
use RoomsTest::Export;
use RoomsTest::Process qw(slurp wait_for);

my $dir = tempdir(CLEANUP => 1);
my $media = "$dir/media";
my $json = JSON::PP->new->utf8->canonical;
my $curl = (grep { -x "$_/curl" } split /:/, $ENV{PATH})[0];
my $checked = checked();
my ($slow, $tls, $capped) = map { free_port() } 1 .. 3;
my @curls;

mkdir $media;

my $certificate = system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 "
    . "-subj /CN=localhost -keyout $dir/key -out $dir/cert 2>$dir/openssl")
    == 0;

END { kill 'KILL', @curls }

my $rooms = <<"END";
        rooms on;
        rooms_auth mock;
        rooms_server_name rooms.test;
        rooms_redis redis://\$TEST_NGINX_REDIS/0;
        rooms_redis_timeout 1s;
        rooms_media_path $media;
        rooms_export_level 0;
END

my $more = <<"END";
    server {
        listen 127.0.0.1:$capped sndbuf=16k;
        sendfile on;
        send_timeout 1s;
        limit_rate 2m;
        postpone_output 200000;
$rooms
    }
END

$more .= <<"END" if $certificate;
    server {
        listen 127.0.0.1:$tls ssl http2 sndbuf=32k;
        ssl_certificate $dir/cert;
        ssl_certificate_key $dir/key;
$rooms
    }
END

start("listen 127.0.0.1:$slow sndbuf=16k; rooms_redis_timeout 1s;"
      . "rooms_media_path $media; rooms_export_level 0;", http => $more);

known(qw(ann bob));

my $port = server_port_is();
my $worker = nginx_pid();

# curl in the background; its exit status with done().
sub curl {
    my ($to, $path, $who, @options) = @_;
    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        open STDERR, '>', '/dev/null';
        exec 'curl', '-s', '-o', "$dir/$to", '-H',
             'Authorization: Bearer ' . token($who), @options,
             $path =~ /^http/ ? $path : "http://127.0.0.1:$port$path"
            or POSIX::_exit(127);
    }

    push @curls, $pid;
    return $pid;
}

sub done {
    my ($pid) = @_;

    waitpid $pid, 0;
    @curls = grep { $_ != $pid } @curls;

    return $? >> 8;
}

# Starts an export whose client stops after a few bytes.
sub stalled {
    my ($path, $who, $at) = @_;
    my $sock = slow_reader($at // $slow, $path, $who);
    my ($in) = read_rest($sock, 2000);

    return ($sock, $in);
}

sub drained {
    my ($sock, $in) = @_;
    my ($rest, $ended) = read_rest($sock);

    return unchunk($in . $rest);
}

# one moment

my $room = make(group => 'ann', name => 'Snapshot');
my $path = "/v1/rooms/$room";

admit($room, 'ann', 'bob');
fill($room, 'ann', 20, 40000);

my @ids;

for my $i (0 .. 4) {
    push @ids, must('POST', "$path/send", 'bob',
                    { content => { body => "old $i" } })->{id};
}

sub edit {
    my ($i, $text) = @_;
    must('POST', "$path/events/$ids[$i]/edit", 'bob',
         { content => { body => $text } });
}

edit(1, 'new 1');
edit(2, 'new 2');
edit(2, 'newer 2');

my @before = events($room, 'ann');
my ($sock, $in) = stalled("$path/export", 'ann');

edit(0, 'later 0');
edit(1, 'later 1');
edit(1, 'latest 1');
edit(2, 'later 2');
must('POST', "$path/events/$ids[3]/redact", 'bob', {});
must('POST', "$path/send", 'bob', { content => { body => 'later' } });
must('POST', "$path/events/$ids[4]/reaction", 'bob', { emoji => 'x' });
must('PUT', "$path/name", 'ann', { name => 'Renamed' });

my ($zip, $whole) = drained($sock, $in);
my $m = manifest($zip);

ok($whole, 'an export beside writers is whole');

my ($gone) = grep { $_->{id} eq $ids[3] } @{$m->{events}};

is_deeply($gone->{content}, {}, 'what was redacted meanwhile is gone');
ok($gone->{redacted_at}, 'and marked');

for my $list (\@before, $m->{events}) {
    @$list = grep { $_->{id} ne $ids[3] } @$list;
}

is($json->encode($m->{events}), $json->encode(\@before),
   'else it shows one moment');
is($m->{room}{name}, 'Snapshot', 'of the room too');

my ($now) = bundle($room, 'ann');

is($now->{events}[-1]{event_type}, 'swp.room.name', 'the next one is newer');
is((grep { $_->{id} eq $ids[1] } @{$now->{events}})[0]{content}{body},
   'latest 1', 'with what was edited');

# one event that was edited among many short ones, which are read otherwise

my $short = make(group => 'ann', name => 'Short');

fill($short, 'ann', 270, 20);

my $middle = must('POST', "/v1/rooms/$short/send", 'ann',
                  { content => { body => 'before' } })->{id};

fill($short, 'ann', 270, 20);
must('POST', "/v1/rooms/$short/events/$middle/edit", 'ann',
     { content => { body => 'after' } });

my @short = events($short, 'ann');
my ($archive) = bundle($short, 'ann');

is($json->encode($archive->{events}), $json->encode(\@short),
   'short events, and an edited one among them, come once and in order');
ok(@short > 540, 'several pages of them');

# the same while it is edited: a page is asked for again at that event

my $busy = make(group => 'ann', name => 'Busy');

fill($busy, 'ann', 200, 4000);

my @busy = map {
    fill($busy, 'ann', 40, 20);
    must('POST', "/v1/rooms/$busy/send", 'ann',
         { content => { body => "before $_" } })->{id};
} 1 .. 6;

my @then = events($busy, 'ann');
my ($busy_sock, $busy_in) = stalled("/v1/rooms/$busy/export", 'ann');

for my $id (@busy) {
    must('POST', "/v1/rooms/$busy/events/$id/edit", 'ann',
         { content => { body => 'after' } });
}

my ($busy_zip, $busy_whole) = drained($busy_sock, $busy_in);

ok($busy_whole, 'an export beside edits of short events is whole');
is($json->encode(manifest($busy_zip)->{events}), $json->encode(\@then),
   'and shows none of them');

# an edit that was redacted after it, in a snapshot between

my $wiped = must('POST', "$path/send", 'bob', { content => { body => 'w1' } })
            ->{id};

must('POST', "$path/events/$wiped/edit", 'bob', { content => { body => 'w2' } });
($sock, $in) = stalled("$path/export", 'ann');
must('POST', "$path/events/$wiped/edit", 'bob', { content => { body => 'w3' } });
must('POST', "$path/events/$wiped/redact", 'bob', {});
($zip) = drained($sock, $in);
unlike((entries($zip))[0][1], qr/"w[123]"/, 'no body of it is left');

# the client's pace

my $big = make(group => 'ann', name => 'Big');
my $base = "/v1/rooms/$big";

admit($big, 'ann', 'bob');
fill($big, 'ann', 3000, 1000);
ok((drained(reader($port, "$base/export", 'ann'), ''))[1], 'a large one');

my $idle = rss($worker);
my @stalled = map { [stalled("$base/export", 'ann')] } 1 .. 8;

call('GET', $base, 'ann') for 1 .. 20;

my $held = rss($worker) - $idle;

SKIP: {
    skip('memory is not what it is', 1) if $checked;
    cmp_ok($held, '<', 8 * 1024, "8 stalled clients hold $held KiB");
}

is(call('GET', $base, 'ann')->{status}, 200, 'others go on');

close $_->[0] for @stalled[0 .. 3];
is_deeply([map { (drained(@$_))[1] } @stalled[4 .. 7]], [1, 1, 1, 1],
          'and those that read on get all of it');

# it takes from the store what the client takes: the rest of the pages is
# not asked for while it stalls

sub evals {
    my ($n) = redis('INFO', 'commandstats') =~ /cmdstat_eval:calls=(\d+)/;
    return $n // 0;
}

my $evals = evals();

($sock, $in) = stalled("$base/export", 'ann');
call('GET', $base, 'ann') for 1 .. 5;
cmp_ok(evals() - $evals, '<=', 2, 'a stalled client asks for nothing');
close $sock;

# memory over a long one

SKIP: {
    skip('memory is not what it is', 1) if $checked;

    my $long = make(group => 'ann', name => 'Long');

    fill($long, 'ann', 30000, 700);

    my $before = rss($worker);
    my $most = $before;
    my $pid = curl('long.zip', "/v1/rooms/$long/export", 'ann');

    wait_for(15, sub {
        my $rss = rss($worker);

        $most = $rss if $rss > $most;
        return waitpid($pid, POSIX::WNOHANG()) != 0;
    });
    is($? >> 8, 0, 'a long export');
    @curls = ();

    my $mib = sprintf '%.1f', (-s "$dir/long.zip") / 1048576;

    cmp_ok($most - $before, '<', 4 * 1024,
           "$mib MiB in " . ($most - $before) . ' KiB');
}

# beside other requests

{
    my @pids = map { curl("beside$_.zip", "$base/export?n=$_", 'ann') } 1 .. 4;
    my @times;

    for (1 .. 100) {
        my $t = time();

        call('GET', $base, 'ann');
        push @times, 1000 * (time() - $t);
    }

    @times = sort { $a <=> $b } @times;
    cmp_ok($times[50], '<', 500 * patience(),
           sprintf 'others take %.1f ms, 98 of 100 %.1f', @times[50, 97]);
    is_deeply([map { done($_) } @pids], [0, 0, 0, 0], 'four exports');
    is(scalar(grep { 3000 == (() = (entries(slurp("$dir/beside$_.zip")))[0][1]
                                   =~ /"evt-.*swp\.room\.message/g) } 1 .. 4),
       4, 'all whole');
}

# a client that leaves

($sock, $in) = stalled("$base/export", 'ann');
close $sock;
is(call('GET', $base, 'ann')->{status}, 200, 'a client leaves');

# one that never reads: send_timeout

($sock, $in) = stalled("$base/export", 'ann', $capped);
ok(wait_for(15, sub { nginx_log() =~ /client timed out/ }), 'send_timeout');
ok(!(drained($sock, $in))[1], 'ends it without a last chunk');

# limit_rate, sendfile and a large postpone_output

{
    my ($id, $sha) = medium($media, 'm.bin', join '',
                            map { pack 'N', $_ * 2654435761 % 4294967296 }
                                1 .. 150000);
    my @small = map { scalar medium($media, "s$_", 'x' x $_) } 1 .. 30;

    must('POST', "$path/send", 'ann', { content => {
        attachments => [map { { media_id => $_ } } $id, @small] } });

    server_port_is($capped);
    my $t = time();
    my $res = call('GET', "$path/export", 'ann');
    my $took = time() - $t;

    server_port_is($port);

    my @all = entries($res->{body});

    is(scalar @all, 32, 'limit_rate, sendfile, postpone_output');
    is(length $all[1][1], 600000, 'a whole medium');
    is($all[31][1], 'x' x 30, 'and small ones');
    cmp_ok($took, '>', 0.4, 'at that rate');

    ($sock, $in) = stalled("$path/export", 'ann');
    ($zip, $whole) = drained($sock, $in);
    is(scalar(() = entries($zip)), 32, 'as a slow reader has it');

    # a content that vanishes behind the manifest's back
    my ($last, $sum, $file) = medium($media, 'v', 'vanishes');

    must('POST', "$path/send", 'ann', { content => { media_id => $last } });
    $in = '';
    $sock = slow_reader($slow, "$path/export", 'ann');

    wait_for(15, sub {
        $in .= (read_rest($sock, 20000))[0];
        return index($in, "media/$sha/m.bin") >= 0;
    });
    unlink $file;
    ($zip, $whole) = drained($sock, $in);
    ok(!$whole, 'a medium vanishes: no last chunk');
    ok(!eval { entries($zip); 1 } || index($zip, "PK\5\6") < 0,
       'and no archive');
}

# sizes around the buffers' of NGINX, TLS and ours, with and without TLS

{
    my $sized = make(group => 'ann', name => 'Sized');
    my $s = "/v1/rooms/$sized/export";
    my ($bad, $n) = ('', 0);

    fill($sized, 'ann', 1, 100);

    my $event = redis('ZREVRANGE', key("r:$sized:events"), 0, 0)->[0];
    my $at = hex substr $event, 0, 13;
    my ($first) = call('GET', $s, 'ann')->{body};

    for my $size (map { my $k = $_; map { $k + $_ } -4 .. 4 }
                  4096, 8192, 16384, 32736, 65472)
    {
        my $pad = $size - length($first);
        my $grown = $event;

        # a stored block is begun anew each 32 or 64 KiB
        $pad -= 5 * int($size / 32700) if $pad > 0;
        substr $grown, index($grown, '"body":"') + 8, 0, 'p' x $pad;
        redis('ZREMRANGEBYSCORE', key("r:$sized:events"), $at, $at);
        redis('ZADD', key("r:$sized:events"), $at, $grown);

        my ($zip, $whole) = drained(reader($port, $s, 'ann'), '');

        $bad .= " $size" if !$whole || length($zip) < $size - 30
                            || !eval { entries($zip); 1 };
        $n++;

        next if !$certificate || !$curl || $n % 4;

        for my $version ('--http1.1', '--http2') {
            my $status = done(curl('sized.zip', "https://127.0.0.1:$tls$s",
                                   'ann', '-k', $version, '-m', 10));

            $bad .= " $size $version $status"
                if $status || length(slurp("$dir/sized.zip")) != length $zip;
        }
    }

    is($bad, '', "$n sizes around the buffers'");
}

SKIP: {
    skip('no curl or no openssl', 4) if !$certificate || !$curl;

    for my $version ('--http1.1', '--http2') {
        is(done(curl('tls.zip', "https://127.0.0.1:$tls$path/export", 'ann',
                     '-k', $version)), 0, "TLS $version");

        # its medium has vanished, and this one knows
        is(scalar(() = entries(slurp("$dir/tls.zip"))), 32, 'is whole');
    }
}

# out of the room in the middle of it

for my $how ('kick', 'ban') {
    ($sock, $in) = stalled("$base/export", 'bob');
    must('POST', "$base/$how", 'ann', { participant_id => 'bob' });
    ($zip, $whole) = drained($sock, $in);
    ok(!$whole, "$how ends it");
    cmp_ok(length $zip, '<', 1000000, 'soon');
    admit($big, 'ann', 'bob') if $how eq 'kick';
}

like(nginx_log(), qr/the caller has left the room/, 'and is told in the log');

# closed meanwhile: it goes on

my $closing = make(group => 'ann', name => 'Closing');

fill($closing, 'ann', 40, 20000);
($sock, $in) = stalled("/v1/rooms/$closing/export", 'ann');
must('POST', "/v1/rooms/$closing/close", 'ann');
($zip, $whole) = drained($sock, $in);
is($whole && manifest($zip)->{room}{state}, 'open', 'closed meanwhile');

# the store goes

SKIP: {
    skip('no curl', 6) if !$curl;

    fill($big, 'ann', 6000, 1000);

    my @to = (["http://127.0.0.1:$slow", '--http1.1', 18]);

    push @to, ["https://127.0.0.1:$tls", '--http1.1', 18],
              ["https://127.0.0.1:$tls", '--http2', 92] if $certificate;

    my @pids = map {
        curl("cut$_.zip", "$to[$_][0]$base/export", 'ann', '-k', $to[$_][1],
             '--limit-rate', '1m');
    } 0 .. $#to;

    ok(wait_for(15, sub { !grep { !-s "$dir/cut$_.zip" } 0 .. $#to }),
       'exports are under way');
    redis_stop();

    for my $i (0 .. $#to) {
        my ($to, $version, $want) = @{$to[$i]};
        my $status = done($pids[$i]);
        my $cut = slurp("$dir/cut$i.zip");

        # curl of some versions has another word for it
        ok($status == $want || $status == 56,
           "the store is lost: curl $version exits with $status");
        is(index($cut, "PK\5\6"), -1, 'no directory follows');
    }

    redis_start();
}

ok(wait_for(15, sub {
    my $res = call('GET', '/v1/rooms/room-0', 'ann');
    return $res->{status} == 404;
}), 'the worker is well');

is(nginx_pid(), $worker, 'and the same');
unlike(nginx_log(), qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming');

stop_nginx();
done_testing();
