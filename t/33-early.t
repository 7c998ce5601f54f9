# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# What NGINX refuses by itself, before it looks for a location and in ours:
# JSON with a code, X-Request-Id and "no-store" all the same, for paths of the
# tree; and NGINX's own page for others.

use strict;
use warnings;

use File::Temp ();
use IO::Socket::INET;
use JSON::PP ();
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Process qw(find_program);

my $dir = File::Temp->newdir('rooms-early-XXXXXXXX', TMPDIR => 1);
my ($tls, $verify, $optional, $named) = map { free_port() } 1 .. 4;

system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=$_ "
       . "-keyout $dir/$_.key -out $dir/$_.pem 2>/dev/null") == 0
    or plan skip_all => 'no openssl'
    for 'localhost', 'stranger';

plan skip_all => 'no curl' if !find_program('curl');

my $rooms = "rooms on; rooms_auth mock; rooms_redis redis://$ENV{TEST_NGINX_REDIS}/0;"
          . ' location = /other { return 200; }';
my $cert = "ssl_certificate $dir/localhost.pem;"
         . " ssl_certificate_key $dir/localhost.key;";

run_nginx(<<"END", http => <<"END_HTTP");
    $rooms
    error_page 403 404 412 416 /oops.html;
    location = /oops.html { return 200 "<html>oops</html>"; }
    location = /v1/rooms/r414 { rooms on; return 414; }
    location = /v1/rooms/r416 { rooms on; return 416; }
    location = /v1/rooms/r412 { rooms on; return 412; }
    location = /v1/rooms/r401 { rooms on; return 401; }
    location = /v1/rooms/archived { rooms on; return 405; }
    location = /v1/rooms/r503 { rooms on; limit_req zone=one; limit_req_status 503; }
    location = /v1/rooms/r495 { rooms on; return 495; }
    location = /v1/rooms/r496 { rooms on; return 496; }
    location = /v1/rooms/r497 { rooms on; return 497; }
    location = /v1/rooms/r494 { rooms on; return 494; }
    location = /v1/rooms/r599 { rooms on; return 599; }
END
    limit_req_zone \$server_name zone=one:1m rate=1r/m;
    large_client_header_buffers 2 2k;
    server { listen 127.0.0.1:$tls ssl; $cert $rooms }
    server { listen 127.0.0.1:$verify ssl; $cert $rooms
             ssl_verify_client on; ssl_client_certificate $dir/localhost.pem; }
    server { listen 127.0.0.1:$optional ssl; $cert $rooms
             ssl_verify_client optional; ssl_client_certificate $dir/localhost.pem; }
    server { listen 127.0.0.1:$named; return 200; }
    server { listen 127.0.0.1:$named; server_name rooms; $rooms }
END_HTTP

my $port = server_port_is();

# [status, headers in lower case, body]
sub answer {
    my ($text) = @_;
    my ($head, $body) = split /\r\n\r\n/, $text // '', 2;
    my ($status) = ($head // '') =~ m{\AHTTP/\S+ (\d+)};

    return [$status // 0, lc($head // '') . "\r\n", $body // ''];
}

sub raw {
    my ($to, $request) = @_;
    my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $to)
        or die "connect: $!\n";

    $sock->autoflush;
    local $SIG{PIPE} = 'IGNORE';
    print {$sock} $request;
    alarm 30;

    my $text = do { local $/; <$sock> };

    alarm 0;

    return answer($text);
}

sub curl {
    my ($url, @options) = @_;

    open my $out, '-|', 'curl', '-s', '-i', '-k', '-m', 20, @options, $url
        or die "curl: $!\n";

    my $text = do { local $/; <$out> };

    close $out;

    return answer($text);
}

my $json = JSON::PP->new->utf8;

sub ours {
    my ($res, $status, $code, $name, $problem) = @_;
    my $body = eval { $json->decode($res->[2]) } || {};
    my ($id) = $res->[1] =~ /^x-request-id: (\w{32})\r$/m;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is("$res->[0] " . ($body->{error}{code} // $res->[2]), "$status $code",
       $name);
    is($body->{error}{request_id} // '', $id // 'none', "$name: the id");
    like($res->[1], qr{^content-type: application/json\r$}m, "$name: JSON");
    like($res->[1], qr{^cache-control: no-store\r$}m, "$name: not to keep");
    like($body->{error}{details}[0]{problem} // $body->{error}{message},
         $problem, "$name: says why")
        if $problem;
    unlike($body->{error}{message}, qr/room/, "$name: it is no room's");
}

sub nginxs {
    my ($res, $status, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is($res->[0], $status, $name);
    unlike($res->[1] . $res->[2], qr/x-request-id|SW_/, "$name: not ours");
}

my @end = ("Host: localhost\r\nConnection: close\r\n\r\n");
my $long = 'x' x 3000;
my $token = "Authorization: Bearer $long";

for my $path ('/v1/rooms/archived', '/v1/rooms', '/v1/sync?timeout=0',
              '/v1/media/upload', '/v1/directory/rooms?q=x')
{
    ours(raw($port, "GET $path HTTP/1.1\r\n$token\r\n@end"),
         400, 'SW_VALIDATION_FAILED', "494 of $path", qr/large_client_header/);
    ours(raw($port, 'GET ' . $path . ($path =~ /[?]/ ? '&' : '?')
                    . "x=$long HTTP/1.1\r\n@end"),
         414, 'SW_VALIDATION_FAILED', "414 of $path", qr/large_client_header/);
    ours(raw($port, "GET $path HTTP/1.1\r\n\r\n"),
         400, 'SW_VALIDATION_FAILED', "no Host: $path");
    ours(raw($port, "GET $path HTTP/1.1\r\nHost: a/b\r\n\r\n"),
         400, 'SW_VALIDATION_FAILED', "a bad Host: $path");
    ours(raw($tls, "GET $path HTTP/1.1\r\n@end"),
         400, 'SW_VALIDATION_FAILED', "497 of $path");
    ours(curl("https://127.0.0.1:$verify$path"),
         400, 'SW_VALIDATION_FAILED', "496 of $path");
    ours(curl("https://127.0.0.1:$optional$path", '--cert',
              "$dir/stranger.pem", '--key', "$dir/stranger.key"),
         400, 'SW_VALIDATION_FAILED', "495 of $path");
}

ours(raw($port, "GET /v1/rooms/%00 HTTP/1.1\r\n@end"), 400,
     'SW_VALIDATION_FAILED', 'NUL in a path');
ours(raw($port, "GET /v1/rooms/%zz HTTP/1.1\r\n@end"), 400,
     'SW_VALIDATION_FAILED', 'a bad escape');
ours(raw($port, "GET /v1/rooms/$long HTTP/1.1\r\n@end"), 414,
     'SW_VALIDATION_FAILED', 'a long id');
ours(raw($port, "GET http://localhost/v1/rooms/$long HTTP/1.1\r\n@end"), 414,
     'SW_VALIDATION_FAILED', 'the absolute form');
ours(raw($port, "TRACE /v1/rooms HTTP/1.1\r\n@end"), 405,
     'SW_METHOD_NOT_ALLOWED', 'TRACE');
like(raw($port, "TRACE /v1/rooms HTTP/1.1\r\n@end")->[1],
     qr/^allow: post\r$/m, 'with what is allowed');
ours(raw($named, "GET /v1/rooms HTTP/1.1\r\nHost: rooms\r\n$token\r\n@end"),
     400, 'SW_VALIDATION_FAILED', '494 behind a Host');

# not ours

for my $path ('/other', '/v1/', '/v1/roomsx', '/v1/syncs?a', '/v1/nothing') {
    nginxs(raw($port, "GET $path HTTP/1.1\r\n$token\r\n@end"), 400,
           "494 of $path");
    nginxs(raw($port, "GET $path$long HTTP/1.1\r\n@end"), 414,
           "414 of $path");
}

nginxs(raw($named, "GET /v1/rooms HTTP/1.1\r\n$token\r\nHost: rooms\r\n\r\n"),
       400, 'before the Host is known');
nginxs(raw($port, "\x16\x03\x01\r\n\r\n"), 400, 'no request at all');
nginxs(raw($port, "GET\r\n\r\n"), 400, 'no target');

# in our locations

for (['r414', 414, 'SW_VALIDATION_FAILED', qr/URI is too long/],
     ['r494', 400, 'SW_VALIDATION_FAILED'],
     ['r495', 400, 'SW_VALIDATION_FAILED'],
     ['r496', 400, 'SW_VALIDATION_FAILED'],
     ['r497', 400, 'SW_VALIDATION_FAILED'],
     ['r599', 599, 'SW_INTERNAL'],
     ['r401', 401, 'SW_AUTH_INVALID_TOKEN'],
     ['r412', 412, 'SW_PRECONDITION_FAILED', qr/no longer as it was/],
     ['r416', 416, 'SW_VALIDATION_FAILED', qr/no such range/])
{
    my ($path, $status, $code, $why) = @$_;

    ours(raw($port, "GET /v1/rooms/$path HTTP/1.1\r\n@end"), $status, $code,
         $path, $why);
}

like(raw($port, "GET /v1/rooms/r401 HTTP/1.1\r\n@end")->[1],
     qr/^www-authenticate: bearer\r$/m, '401 says what is needed');
like(raw($port, "GET /v1/rooms/archived HTTP/1.1\r\n@end")->[1],
     qr/^allow: get, head\r$/m, '405 says what is allowed');
raw($port, "GET /v1/rooms/r503 HTTP/1.1\r\n@end");
ours(raw($port, "GET /v1/rooms/r503 HTTP/1.1\r\n@end"), 429,
     'SW_RATE_LIMIT_EXCEEDED', 'limit_req_status 503');

# answers of ours, too

my $ada = 'mock:ada@acme';

for (['POST', '/v1/rooms', 201], ['GET', '/v1/directory/rooms', 200],
     ['GET', '/v1/rooms/x', 404], ['GET', '/v1/sync?timeout=0', 200],
     ['POST', '/v1/sync', 405], ['GET', '/v1/workspaces', 200])
{
    my ($method, $path, $status) = @$_;
    my $res = http_req($method, $path, $ada,
                       { room_type => 'group', name => 'a' });

    is("$res->[0] " . ($res->[1]{'cache-control'} // ''), "$status no-store",
       "$method $path");
}

is(http_req('GET', '/v1/workspaces')->[1]{'cache-control'}, 'no-store', 'nobody');
is(stop_nginx(), 0, 'it ends in order');

done_testing();
