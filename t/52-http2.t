# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# HTTP/2 and the PROXY protocol, from participants and from other servers; a
# long poll that takes its caller's only place; streams that are given up.
#
# The client is curl: the http2 section of Test::Nginx needs NGINX 1.25.1, and
# no section of it speaks the PROXY protocol.

use strict;
use warnings;

use IO::Select;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Process qw(find_program slurp wait_for);
use RoomsTest::Stranger;

plan skip_all => 'no curl with HTTP/2'
    if !find_program('curl') || `curl -V` !~ /HTTP2/;

my $json = JSON::PP->new->utf8->canonical;
my $dir = File::Temp->newdir('rooms-fed-XXXXXXXX', TMPDIR => 1);
my ($h2, $pp, $both) = map { free_port() } 1 .. 3;
my $send = '/_scaiwave/federation/v1/send';

my ($b) = RoomsTest::Stranger::around('a.example', 't', {
    http => <<'END',
    limit_conn_zone $rooms_participant zone=who:1m;
    limit_req_zone $rooms_tenant$rooms_participant zone=all:1m rate=1000r/s;
    log_format from '$server_protocol $proxy_protocol_addr $uri $status';
END
    server => <<"END",
        listen 127.0.0.1:$h2 http2;
        listen 127.0.0.1:$pp proxy_protocol;
        listen 127.0.0.1:$both http2 proxy_protocol;
        limit_req zone=all burst=1000 nodelay;
        location = /active { stub_status; }
        location = /v1/sync { rooms on; limit_conn who 1; }
        location = /v1/rooms/r429 {
            rooms on;
            limit_conn who 1;
            limit_conn_status 429;
        }
        location = /v1/rooms/r403 {
            rooms on;
            limit_conn who 1;
            limit_conn_status 403;
        }
        access_log $dir/access.log from;
END
}, 'b');
my $bob = $b->fqid('bob');

# One request of curl's: status, headers in lower case, body.
sub curl {
    my ($port, $method, $path, $body, $options, @headers) = @_;
    my @body;

    # "-T -" sends the last body
    open STDIN, '<', -e "$dir/body" ? "$dir/body" : '/dev/null';

    if (defined $body) {
        RoomsTest::Signer::write_file("$dir/body", $body);
        @body = ('--data-binary', "\@$dir/body");
    }

    my @fields;

    while (my ($name, $value) = splice @headers, 0, 2) {
        push @fields, '-H', "$name: $value";
    }

    open my $out, '-|', 'curl', '-s', '-i', '--path-as-is', '-m', 60,
        @$options, $method eq 'HEAD' ? '-I' : ('-X', $method), @body, @fields,
        "http://127.0.0.1:$port$path" or die "curl: $!\n";

    my $text = do { local $/; <$out> } // '';

    close $out;

    # an interim answer comes before
    $text =~ s{\AHTTP/\S+ 1\d\d .*?\r\n\r\n}{}s;

    my ($head, $rest) = split /\r\n\r\n/, $text, 2;
    my ($version, $status) = ($head // '') =~ m{\AHTTP/(\S+) (\d+)};

    return { version => $version // '', status => $status // 0,
             headers => lc($head // ''), body => $rest // '',
             all => eval { $json->decode($rest) } || {} };
}

my @h2 = ('--http2-prior-knowledge');
my @pp = ('--haproxy-protocol');
my @ways = ([$h2, [@h2], 'HTTP/2', '2'],
            [$pp, [@pp], 'the PROXY protocol', '1.1'],
            [$both, [@h2, @pp], 'HTTP/2 behind the PROXY protocol', '2']);

sub token {
    my ($who) = @_;

    return (Authorization => "Bearer mock:$who\@t"
                             . ($who eq 'root' ? ':admin' : ''));
}

sub signed {
    my ($method, $path, $body, %o) = @_;

    return $b->signer->headers($method, $path, authority => 'a.example',
                               body => $body, %o);
}

sub request {
    my ($who, $method, $path, $body) = @_;

    return http_req($method, $path, undef, ref $body ? $json->encode($body)
                                                     : $body, token($who));
}

for my $who ('ann', 'root') {
    request($who, 'POST', '/v1/auth/register');
}

request('root', 'PUT', '/v1/admin/federation/policy',
        { allowed_peers => [$b->name] });

# Each way, all that a participant and another server may ask

my ($room, $theirs);

for my $way (@ways) {
    my ($port, $options, $name, $version) = @$way;
    my @ann = token('ann');
    my $res = curl($port, 'POST', '/v1/rooms',
                   '{"room_type": "group", "name": "R"}', $options, @ann);

    is("$res->{version} $res->{status}", "$version 201", "$name: a room");
    like($res->{headers}, qr/^x-request-id: [0-9a-f]{32}\b/m, 'with an id');
    $room = $res->{all}{data}{id};
    like($res->{headers}, qr{^location: /v1/rooms/\Q$room\E\r$}m,
         'where it is');

    my $long = $json->encode({ content => { body => 'x' x 60000 } });

    is(curl($port, 'POST', "/v1/rooms/$room/send", $long, $options, @ann)
           ->{status}, 201, 'a long message');
    $res = curl($port, 'GET', "/v1/rooms/$room/messages?limit=1", undef,
                $options, @ann);
    is(length($res->{all}{data}[0]{content}{body} // ''), 60000, 'is read');
    $res = curl($port, 'HEAD', "/v1/rooms/$room", undef, $options, @ann);
    like($res->{headers}, qr/^content-length: [1-9]/m, 'HEAD');

    my ($etag) = $res->{headers} =~ /^etag: (.*)\r$/m;

    is(curl($port, 'GET', "/v1/rooms/$room", undef, $options, @ann,
            'If-None-Match' => $etag)->{status}, 304, 'unchanged');
    is(curl($port, 'POST', "/v1/rooms/$room/send", undef,
            ['-T', '-', @$options], @ann)->{status}, 201,
       'a message without a length');
    $res = curl($port, 'POST', "/v1/rooms/$room/send", 'x' x 131073, $options,
                @ann);

    # by HTTP/2 this curl doesn't show what came before all was sent

    if ($version eq '2') {
        like(slurp("$dir/access.log"), qr{^HTTP/2\.0 \S+ \S+/send 413$}m,
             'too long a body');

    } else {
        is("$res->{status} " . ($res->{all}{error}{code} // ''),
           '413 SW_PAYLOAD_TOO_LARGE', 'too long a body');
    }

    for (['GET', '/v1/rooms/none', 404, 'SW_ROOM_NOT_FOUND'],
         ['DELETE', '/v1/rooms', 405, 'SW_METHOD_NOT_ALLOWED'],
         ['POST', '/v1/rooms', 400, 'SW_VALIDATION_FAILED'])
    {
        my ($method, $path, $status, $code) = @$_;

        $res = curl($port, $method, $path, undef, $options, @ann);
        is("$res->{status} " . ($res->{all}{error}{code} // ''),
           "$status $code", "$method $path");
    }

    $res = curl($port, 'GET', "/v1/rooms/$room", undef, $options);
    is("$res->{status} " . ($res->{all}{error}{code} // ''),
       '401 SW_AUTH_INVALID_TOKEN', 'nobody');

    # another server

    $res = curl($port, 'GET', '/v1/stream', undef, $options, @ann);
    is($res->{status}, 426, "$name: no WebSocket");
    is(scalar(() = $res->{headers} =~ /^connection: upgrade\b|^upgrade:/mg),
       $version eq '2' ? 0 : 2, '... offered in HTTP/1.1 alone');

    is(curl($port, 'GET', '/.well-known/scaiwave/server', undef, $options)
           ->{all}{data}{server_name}, 'a.example', 'the descriptor');

    my $id = $theirs = sprintf 'room-0%025d', $port;
    my $event = $b->signed($b->event($id, 'bob', 'member',
        { fqid => '@ann:a.example', membership => 'invite' },
        room => $b->room('Of bob'),
        members => [RoomsTest::Stranger::member('@ann:a.example', 'invite'),
                    RoomsTest::Stranger::member($bob, 'join', 100)]));
    my $body = $json->encode({ events => [$event] });

    $res = curl($port, 'POST', $send, "$body ", $options,
                signed('POST', $send, $body));
    is("$res->{status} " . ($res->{all}{error}{code} // ''),
       '401 SW_FED_SIGNATURE_MISMATCH', 'another body than was signed');
    $res = curl($port, 'POST', $send, $body, $options,
                signed('POST', $send, $body));
    is("$res->{status} " . ($res->{all}{data}{results}[0]{status} // ''),
       '200 applied', 'an event');
    is(curl($port, 'GET', "/v1/rooms/$id", undef, $options, @ann)
           ->{all}{data}{name}, 'Of bob', 'is here');

    my $profile = '/_scaiwave/federation/v1/profile/ann?x=%41';

    $res = curl($port, 'GET', $profile, undef, $options,
                signed('GET', $profile));
    is("$res->{status} " . ($res->{all}{data}{display_name} // ''),
       '200 ann', 'a signed request');

    # many in one request, near its bound

    my @more = map { $b->signed($b->event($id, 'bob', 'message',
                                          { body => 'y' x 2000, n => $_ })) }
               1 .. 48;

    $body = $json->encode({ events => \@more });
    $res = curl($port, 'POST', $send, $body, $options,
                signed('POST', $send, $body));
    is(join(' ', $res->{status}, map { $_->{status} }
                                 @{$res->{all}{data}{results} // []}),
       join(' ', 200, ('applied') x 48), length($body) . ' bytes of events');
}

my $log = slurp("$dir/access.log");

like($log, qr{^HTTP/2\.0 - $send 200$}m, 'by HTTP/2');
like($log, qr{^HTTP/1\.1 127\.0\.0\.1 $send 200$}m, 'by the PROXY protocol');
like($log, qr{^HTTP/2\.0 127\.0\.0\.1 $send 200$}m, 'by both');
# (without a token, since NGINX logs what is no PROXY header)
is(curl($pp, 'GET', '/v1/workspaces', undef, [])->{status}, 0,
   'nobody comes past the PROXY protocol');

# A place that a long poll takes

sub poll {
    my ($who) = @_;
    my $since = redis('GET', 'sw:{t}:position');
    my $sock = http_begin('GET', "/v1/sync?since=$since&timeout=20000", undef,
                          undef, token($who));

    # NGINX is at work on it and on what asks for that
    wait_for(20, sub { http_req('GET', '/active')->[2] =~ /Writing: 2\b/ })
        or die "it is not asked\n";
    die "it does not wait\n" if IO::Select->new($sock)->can_read(0);

    return $sock;
}

sub refused {
    my ($res, $want, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $all = eval { $json->decode($res->[2]) } || {};

    is("$res->[0] " . ($all->{error}{code} // ''), $want, $name);
    is($res->[1]{'content-type'}, 'application/json', 'as JSON');
    is($all->{error}{request_id} // '', $res->[1]{'x-request-id'},
       'with an id');

    return $res->[1]{'retry-after'};
}

my $sock = poll('ann');

is(refused(request('ann', 'GET', '/v1/sync?timeout=0'),
           '429 SW_RATE_LIMIT_EXCEEDED', 'a second connection of one'), 1,
   'which may come again');

my $res = curl($h2, 'GET', '/v1/sync?timeout=0', undef, [@h2], token('ann'));

is("$res->{status} $res->{all}{error}{code}", '429 SW_RATE_LIMIT_EXCEEDED',
   'by HTTP/2, too');
is(request('root', 'GET', '/v1/sync?timeout=0')->[0], 200,
   'somebody else is not in the way');
is(request('eve', 'GET', '/v1/rooms/r429')->[0], 404, 'nor elsewhere');
is(refused(request('ann', 'GET', '/v1/rooms/r429'),
           '429 SW_RATE_LIMIT_EXCEEDED', 'with the status 429'), 1,
   'which may come again');
refused(request('ann', 'GET', '/v1/rooms/r403'),
        '403 SW_AUTH_INSUFFICIENT_PERMISSION', 'with the status 403');
is(request('ann', 'POST', "/v1/rooms/$room/send",
           { content => { body => 'ends it' } })->[0], 201, 'a message');
like(do { local $/; <$sock> }, qr/ends it/, 'ends the first');
ok(wait_for(20, sub { request('ann', 'GET', '/v1/sync?timeout=0')->[0]
                     == 200 }), 'and there is room for another');

# one that goes away leaves its place

close poll('ann');
ok(wait_for(20, sub { request('ann', 'GET', '/v1/sync?timeout=0')->[0]
                     == 200 }), 'a connection that is closed does not count');

# Streams that are given up

for my $wait (map { 0.01 * $_ } 1 .. 12) {
    my $body = $json->encode({ events => [map {
        $b->signed($b->event($theirs, 'bob', 'message', { body => $_ })) }
        1 .. 3] });

    curl($h2, 'POST', $send, $body, [@h2, '-m', $wait],
         signed('POST', $send, $body));
    curl($h2, 'GET', '/v1/sync?timeout=20000&since=999999', undef,
         [@h2, '-m', $wait], token("u$wait"));
}

ok(wait_for(30, sub { http_req('GET', '/active')->[2]
                      =~ /Active connections: 1\b/ }),
   'nothing is left of them');
unlike(nginx_log(), qr/\[(?:alert|emerg|crit)\]|exited on signal/,
       'nor in the log');
is(stop_nginx(), 0, 'it ends in order');

done_testing();
