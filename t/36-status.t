# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# rooms_status: counters and latencies of all workers, in both formats.

use strict;
use warnings;

use JSON::PP ();
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Process qw(wait_for);

my $ada = 'mock:ada@acme';
my $server = <<'END';
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_redis_timeout 500ms;
        location = /status { rooms_status; }
        location = /v1/rooms/none { rooms on; return 500; }
END

sub text { return http_req('GET', '/status')->[2] }

sub counters {
    return JSON::PP->new->decode(http_req('GET',
                                          '/status?format=json')->[2]);
}

# ok, refused, failed
sub row {
    my ($method, $path) = @_;
    my ($row) = grep { $_->{method} eq $method && $_->{path} eq $path }
                @{counters()->{endpoints}};

    return join ' ', map { $row->{$_} // '-' } qw(ok refused failed);
}

run_nginx($server, workers => 2);

my $res = http_req('GET', '/status');

is($res->[0], 200, 'without a token');
like($res->[1]{'content-type'}, qr{^text/plain; version=0\.0\.4}, 'its type');
is($res->[1]{'content-length'}, length $res->[2], 'its length');
unlike($res->[2], qr/rooms_requests_total\{/, 'nothing yet');
like($res->[2], qr/^rooms_store_failures_total 0$/m, 'zero is told');

$res = http_req('GET', '/status?format=json');
is($res->[1]{'content-type'}, 'application/json', 'the JSON type');
is_deeply(JSON::PP->new->decode($res->[2]),
          { store => { rounds => 0, failed => 0, ms => 0, conflicts => 0 },
            endpoints => [] }, 'nothing yet, in JSON');

$res = http_req('HEAD', '/status');
is("$res->[0] $res->[2]", '200 ', 'HEAD');
is(http_req('POST', '/status', undef, 'x')->[0], 405, 'no other method');

# from both workers
http_many([map { ['GET', '/v1/rooms/archived', $ada] } 1 .. 20]);
$res = http_req('POST', '/v1/rooms', $ada,
                { room_type => 'group', name => 'a' });

my $room = json_get($res->[2], 'data.id');

http_req('GET', "/v1/rooms/$room", $_) for $ada, $ada, '', 'mock:eve@acme';
http_req('GET', '/v1/rooms/a/b/c/d/e', $ada);
http_req('DELETE', '/v1/rooms', $ada);
http_req('GET', '/v1/rooms/none', $ada);

is(row('GET', '/v1/rooms/archived'), '20 0 0', 'a row');
is(row('POST', '/v1/rooms'), '1 0 0', 'another method');
is(row('GET', '/v1/rooms/{room}'), '2 2 1',
   'ids are not told apart; what NGINX answered is counted, too');
is(row('', 'none'), '0 2 0', 'what is no endpoint');
cmp_ok(counters()->{store}{rounds}, '>=', 23, 'rounds to the store');

my $text = text();

like($text, qr/^rooms_requests_total\{endpoint="GET\ \/v1\/rooms\/archived",
               result="ok"\}\ 20$/mx, 'Prometheus: a counter');
like($text, qr/^rooms_requests_total\{endpoint="GET\ \/v1\/rooms\/\{room\}",
               result="refused"\}\ 2$/mx, 'of refusals');
like($text, qr/^rooms_request_seconds_count\{endpoint="POST\ \/v1\/rooms"\}
               \ 1$/mx, 'a histogram');

# as Prometheus reads it: a type before each metric, no line twice, buckets
# that grow, and the last is the count
my (%type, %seen, %bucket, @bad);

for my $line (split /\n/, $text) {
    if ($line =~ /^# TYPE (\w+) (counter|histogram)$/) {
        push @bad, "type again: $line" if $type{$1}++;
        next;
    }

    my ($name, $labels, $value) = $line =~
        /^(\w+)(?:\{(\w+="[^"]*"(?:,\w+="[^"]*")*)\})? (\d+(?:\.\d+)?)$/;

    if (!defined $value) {
        push @bad, "no metric: $line";
        next;
    }

    $labels //= '';
    (my $base = $name) =~ s/_(?:bucket|sum|count)$//;
    push @bad, "no type: $line" if !$type{$name} && !$type{$base};
    push @bad, "twice: $line" if $seen{"$name $labels"}++;

    if ($name =~ /_bucket$/) {
        (my $key = "$base $labels") =~ s/,?le="([^"]*)"//;
        push @bad, "shrinks: $line" if $value < ($bucket{$key} // 0);
        $bucket{$key} = $value;

    } elsif ($name =~ /_count$/) {
        push @bad, "count: $line" if $value != $bucket{"$base $labels"};
    }
}

is_deeply(\@bad, [], 'it can be read by Prometheus');

# a store that fails
redis_pause();
http_many([map { ['GET', '/v1/rooms/archived', $ada] } 1 .. 3]);
redis_resume();
is(row('GET', '/v1/rooms/archived'), '20 0 3', 'failures');
cmp_ok(counters()->{store}{failed}, '>=', 1, 'of the store');
ok(wait_for(5, sub {
       http_req('GET', "/v1/rooms/$room", $ada)->[0] == 200 }), 'it is back');

# counters outlive workers
my ($ok) = split / /, row('GET', '/v1/rooms/{room}');

nginx_reload();
ok(wait_for(5, sub {
       (() = nginx_log() =~ /exited with code 0/g) >= 2 }), 'a reload');
is((split / /, row('GET', '/v1/rooms/{room}'))[0], $ok, 'keeps the counters');

my ($worker) = split ' ',
    RoomsTest::Process::slurp('/proc/' . nginx_pid() . '/task/' . nginx_pid()
                              . '/children');

kill 'KILL', $worker;
ok(wait_for(5, sub { nginx_log() =~ /exited on signal 9/ }),
   'a killed worker');
ok(wait_for(5, sub {
       http_req('GET', "/v1/rooms/$room", $ada)->[0] == 200 }),
   'doesn\'t stop the others');
is((split / /, row('GET', '/v1/rooms/{room}'))[0], $ok + 1, 'nor the counters');

# rooms_status alone
run_nginx('location = /status { rooms_status; }');
is(http_req('GET', '/status')->[0], 200, 'where nothing else is ours');

done_testing();
