# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# rooms_status: counters and latencies, in each format.  Two workers, and what
# goes wrong, are in 36-status-workers.t.

use strict;
use warnings;

use File::Temp ();
use Test::More ();

use lib 't/lib';
use RoomsTest;
use RoomsTest::Process ();
use Test::Nginx::Socket 'no_plan';

default_config(<<'END');
    rooms on;
    rooms_auth mock;
    rooms_redis redis://$TEST_NGINX_REDIS/0;
    location = /status { rooms_status; }
    location = /v1/rooms/none { rooms on; return 500; }
END

my %type;

# A body filter.  As Prometheus reads it: a help and a type before each metric,
# no line twice, buckets that grow, and the last of them is the count.
sub readable {
    my ($text) = @_;
    my (%help, %seen, %bucket, @bad);

    for my $line (split /\n/, $text) {
        if ($line =~ /^# TYPE (\w+) (counter|histogram|gauge)$/) {
            push @bad, "type again: $line" if $type{$1}++;
            push @bad, "no help: $line" if !$help{$1};
            push @bad, "name: $line"
                if $2 eq 'counter' && $line !~ /_total /
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

    push @bad, promtool($_[0]);

    return @bad ? join("\n", @bad) : 'readable';
}

# What Prometheus' own tool, where it is installed, says of metrics, or rules.
sub promtool {
    my ($text) = @_;

    return () if !RoomsTest::Process::find_program('promtool');

    my $file = File::Temp->new;

    print {$file} $text;
    close $file;

    my $said = $text =~ /^groups:/m ? `promtool check rules $file 2>&1`
               : `promtool check metrics <$file 2>&1`;

    return $? ? "promtool: $said" : ();
}

# A body filter: what a file of ours asks for, and there isn't.
sub asked_by {
    my ($file) = @_;

    return sub {
        my $text = RoomsTest::Process::slurp($file);
        my %asked = map { $_ => 1 } $text =~ /\b(rooms_\w+)\b/g;
        my @wrong = $file =~ /json/ ? () : promtool($text);

        return "@wrong" if @wrong;

        my @unknown = grep { my $base = s/_(?:bucket|sum|count)$//r;
                             !$type{$_} && !$type{$base} } sort keys %asked;

        return "too few: @{[%asked]}" if keys %asked < 5;
        return @unknown ? "not there: @unknown" : 'all of it is there';
    };
}

no_shuffle();
run_tests();

__DATA__

=== TEST 1: as text, without a token; nothing yet, which is told
--- request
GET /status
--- response_headers_like
Content-Type: text/plain; version=0\.0\.4.*
Cache-Control: no-store
Content-Length: \d+
--- response_body_like
(?m)^rooms_store_failures_total 0$
--- response_body_unlike
rooms_requests_total\{



=== TEST 2: as JSON
--- request
GET /status?format=json
--- response_headers
Content-Type: application/json
Cache-Control: no-store
--- json
store = {"up":true,"rounds":0,"failed":0,"us":0,"conflicts":0}
endpoints # 0
errors # 0
polls = 0
exports = 0
imports = 0
outbox = 0



=== TEST 3: a browser gets a page, alone, into which nothing is loaded
--- request eval
["GET /status", "GET /status?format=html"]
--- more_headers eval
["Accept: text/html,application/xml;q=0.9", ""]
--- error_code eval
[200, 200]
--- response_headers eval
[("Content-Type: text/html; charset=utf-8") x 2]
--- raw_response_headers_like eval
[("(?m)^Content-Security-Policy: default-src 'none'") x 2]
--- response_body_like eval
[('(?s)\A<!doctype html>.*</html>\n\z') x 2]
--- response_body_unlike eval
[('(?:src|href)=|https?://') x 2]



=== TEST 4: the format that is asked for goes first
--- request
GET /status?format=text
--- more_headers
Accept: text/html
--- response_headers
Content-Type: text/plain; version=0.0.4; charset=utf-8



=== TEST 5: HEAD has no body
--- request
HEAD /status
--- response_body



=== TEST 6: no other method
--- request
POST /status
x
--- error_code: 405



=== TEST 7: a room
--- calls
ada POST /v1/rooms {"room_type":"group","name":"a"} -> 201
    save room: json data.id



=== TEST 8: what was answered: ids are not told apart; what NGINX answered is counted, too
--- request eval
[("GET /v1/rooms/archived") x 20, ("GET /v1/rooms/{{room}}") x 4, "GET /v1/rooms/a/b/c/d/e", "DELETE /v1/rooms", "GET /v1/rooms/none",
 "GET /status?format=json"]
--- more_headers eval
[(main::as('ada')) x 22, "", main::as('eve'), (main::as('ada')) x 3, ""]
--- error_code eval
[(200) x 22, 401, 404, 404, 405, 500, 200]
--- json eval
[("data ?") x 22, ("error ?") x 5,
 "endpoints[path=/v1/rooms/archived].method = GET\n"
 . "endpoints[path=/v1/rooms/archived].ok = 20\n"
 . "endpoints[path=/v1/rooms/archived].refused = 0\n"
 . "endpoints[path=/v1/rooms/archived].failed = 0\n"
 . "endpoints[path=/v1/rooms].method = POST\n"
 . "endpoints[path=/v1/rooms].ok = 1\n"
 . "endpoints[path=/v1/rooms].refused = 0\n"
 . "endpoints[path=/v1/rooms/{room}].ok = 2\n"
 . "endpoints[path=/v1/rooms/{room}].refused = 2\n"
 . "endpoints[path=/v1/rooms/{room}].failed = 1\n"
 . "endpoints[path=none].ok = 0\n"
 . "endpoints[path=none].refused = 2\n"
 . "endpoints[path=none].failed = 0\n"
 . "store.rounds >= 23\n"
 . 'errors = {"SW_METHOD_NOT_ALLOWED":1,"SW_AUTH_INVALID_TOKEN":1,"SW_ROOM_NOT_FOUND":1,"SW_NOT_FOUND":1,"SW_INTERNAL":1}']



=== TEST 9: the same for Prometheus: counters, errors by code, a histogram
--- request eval
[("GET /status") x 9]
--- error_code eval
[(200) x 9]
--- response_body_like eval
['(?m)^rooms_requests_total\{endpoint="GET /v1/rooms/archived",result="ok"\} 20$',
 '(?m)^rooms_requests_total\{endpoint="GET /v1/rooms/\{room\}",result="refused"\} 2$',
 '(?m)^rooms_request_duration_seconds_count\{endpoint="POST /v1/rooms"\} 1$',
 '(?m)^rooms_errors_total\{code="SW_METHOD_NOT_ALLOWED"\} 1$',
 '(?m)^rooms_errors_total\{code="SW_AUTH_INVALID_TOKEN"\} 1$',
 '(?m)^rooms_build_info\{version="[\d.]+",nginx="[\d.]+"\} 1$',
 '(?m)^rooms_store_up 1$',
 '(?m)^rooms_store_round_duration_seconds_bucket\{le="0\.000050"\}',
 '(?m)^rooms_store_round_duration_seconds_sum (?!0(?:\.0+)?$)[\d.]+$']



=== TEST 10: Prometheus can read it
--- request
GET /status
--- response_body_filters eval
\&main::readable
--- response_body chomp
readable



=== TEST 11: the dashboard asks for nothing else
--- request
GET /status
--- response_body_filters eval
main::asked_by('pkg/grafana/rooms.json')
--- response_body chomp
all of it is there



=== TEST 12: nor do the alerts
--- request
GET /status
--- response_body_filters eval
main::asked_by('pkg/prometheus/rooms.rules.yml')
--- response_body chomp
all of it is there



=== TEST 13: where nothing else is ours
--- config
    location = /status { rooms_status; }
--- request
GET /status
