# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# rooms_status: counters and latencies of all workers, in both formats.

use strict;
use warnings;

use IO::Socket::INET;
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
is($res->[1]{'cache-control'}, 'no-store', 'nobody keeps it');
is($res->[1]{'content-length'}, length $res->[2], 'its length');
unlike($res->[2], qr/rooms_requests_total\{/, 'nothing yet');
like($res->[2], qr/^rooms_store_failures_total 0$/m, 'zero is told');

$res = http_req('GET', '/status?format=json');
is($res->[1]{'content-type'}, 'application/json', 'the JSON type');
my $none = JSON::PP->new->decode($res->[2]);
is_deeply($none->{store}, { up => JSON::PP::true, rounds => 0, failed => 0,
                            us => 0, conflicts => 0 },
          'nothing yet, in JSON');
is_deeply([@$none{qw(endpoints errors polls exports imports outbox)}],
          [[], {}, 0, 0, 0, 0], 'nor elsewhere');

# a browser gets the page
for my $asks (['/status', Accept => 'text/html,application/xml;q=0.9'],
              ['/status?format=html'])
{
    my ($uri, @headers) = @$asks;

    $res = http_req('GET', $uri, undef, undef, @headers);
    is($res->[1]{'content-type'}, 'text/html; charset=utf-8', "$uri: a page");
    like($res->[2], qr/^<!doctype html>/, 'whole from its beginning');
    like($res->[2], qr{</html>\n\z}, 'to its end');
    unlike($res->[2], qr{(?:src|href)=|https?://}, 'alone');
    like($res->[1]{'content-security-policy'}, qr/^default-src 'none'/,
         'and nothing is loaded into it');
}

is(http_req('GET', '/status?format=text', undef, undef,
            Accept => 'text/html')->[1]{'content-type'},
   'text/plain; version=0.0.4; charset=utf-8', 'the format goes first');

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
like($text, qr/^rooms_request_duration_seconds_count\{endpoint="POST\ \/v1\/rooms"\}
               \ 1$/mx, 'a histogram');

like($text, qr/^rooms_errors_total\{code="SW_METHOD_NOT_ALLOWED"\} 1$/m,
     'errors by code');
like($text, qr/^rooms_errors_total\{code="SW_AUTH_INVALID_TOKEN"\} 1$/m,
     'another');
like($text, qr/^rooms_build_info\{version="[\d.]+",nginx="[\d.]+"\} 1$/m,
     'what runs');
like($text, qr/^rooms_store_up 1$/m, 'the store is up');
like($text, qr/^rooms_store_round_duration_seconds_bucket
               \{le="0\.000050"\}/mx, 'buckets begin at 50 microseconds');
cmp_ok(($text =~ /^rooms_store_round_duration_seconds_sum (\S+)$/m)[0], '>',
       0, 'rounds that take less than a millisecond take some time');
is_deeply(counters()->{errors},
          { SW_METHOD_NOT_ALLOWED => 1, SW_AUTH_INVALID_TOKEN => 1,
            SW_ROOM_NOT_FOUND => 1, SW_NOT_FOUND => 1, SW_INTERNAL => 1 },
          'the same in JSON');

# as Prometheus reads it: a help and a type before each metric, no line twice, buckets
# that grow, and the last is the count
my (%type, %help, %seen, %bucket, @bad);

for my $line (split /\n/, $text) {
    if ($line =~ /^# TYPE (\w+) (counter|histogram|gauge)$/) {
        push @bad, "type again: $line" if $type{$1}++;
        push @bad, "no help: $line" if !$help{$1};
        push @bad, "name: $line" if $2 eq 'counter' && $line !~ /_total /
                                    || $line =~ /millis|_ms /;
        next;
    }

    if ($line =~ /^# HELP (\w+) \S.*\.$/) {
        push @bad, "help again: $line" if $help{$1}++;
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

# the dashboard and the alerts ask for nothing else
for my $file ('pkg/grafana/rooms.json', 'pkg/prometheus/rooms.rules.yml') {
    my %asked = map { $_ => 1 }
                RoomsTest::Process::slurp($file) =~ /\b(rooms_\w+)\b/g;
    my @unknown = grep { my $base = s/_(?:bucket|sum|count)$//r;
                         !$type{$_} && !$type{$base} } sort keys %asked;

    cmp_ok(scalar keys %asked, '>=', 5, "$file asks for metrics");
    is_deeply(\@unknown, [], 'that there are');
}

# what is going on now, and what a killed worker was doing
sub polls { return counters()->{polls} }

my ($since) = http_req('GET', '/v1/sync?since=now&timeout=0', $ada)->[2]
              =~ /"next_cursor":"(\d+)"/;
my @waiting = map { my $s = IO::Socket::INET->new(
                        '127.0.0.1:' . RoomsTest::HTTP::server_port_is());
                    syswrite $s, "GET /v1/sync?since=$since HTTP/1.1\r\n"
                                 . "Host: x\r\nAuthorization: Bearer $ada"
                                 . "\r\n\r\n";
                    $s } 1 .. 3;

ok(wait_for(10, sub { polls() == 3 }), 'three readers wait');
like(text(), qr/^rooms_streams\{transport="poll"\} 3$/m, 'so it says');
close shift @waiting;
ok(wait_for(10, sub { polls() == 2 }), 'one has left');

# a store that fails
redis_pause();
http_many([map { ['GET', '/v1/rooms/archived', $ada] } 1 .. 3]);
redis_resume();
is(row('GET', '/v1/rooms/archived'), '20 0 3', 'failures');
like(text(), qr/^rooms_store_up 0$/m, 'the store is down');
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
