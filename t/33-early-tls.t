# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# What NGINX refuses of TLS: plain HTTP to such a port, no certificate, and
# that of a stranger.  For paths of the tree it is JSON with a code,
# X-Request-Id and "no-store" all the same.

use strict;
use warnings;

use File::Temp ();
use JSON::PP ();
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Process qw(find_program);

my $dir = File::Temp->newdir('rooms-early-XXXXXXXX', TMPDIR => 1);
my ($tls, $verify, $optional) = map { free_port() } 1 .. 3;

system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=$_ "
       . "-keyout $dir/$_.key -out $dir/$_.pem 2>/dev/null") == 0
    or plan skip_all => 'no openssl'
    for 'localhost', 'stranger';

plan skip_all => 'no curl' if !find_program('curl');

my $server = <<"END";
        ssl_certificate $dir/localhost.pem;
        ssl_certificate_key $dir/localhost.key;
        ssl_client_certificate $dir/localhost.pem;
        rooms on;
        rooms_auth mock;
        rooms_redis redis://\$TEST_NGINX_REDIS/0;
END

run_nginx('', http => <<"END");
    server { listen 127.0.0.1:$tls ssl; $server }
    server { listen 127.0.0.1:$verify ssl; $server ssl_verify_client on; }
    server { listen 127.0.0.1:$optional ssl; $server
             ssl_verify_client optional; }
END

my $json = JSON::PP->new->utf8;

# What is asked for is answered with 400, and all that an error of ours has.
sub refused {
    my ($name, $url, @options) = @_;

    open my $out, '-|', 'curl', '-s', '-i', '-k', '-m', 60, @options, $url
        or die "curl: $!\n";

    my $text = do { local $/; <$out> } // '';

    close $out;

    my ($head, $body) = split /\r\n\r\n/, $text, 2;
    my ($status) = ($head // '') =~ m{\AHTTP/\S+ (\d+)};
    my $error = eval { $json->decode($body)->{error} } || {};

    $head = lc($head // '') . "\r\n";

    my ($id) = $head =~ /^x-request-id: (\w{32})\r$/m;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is(($status // 'none') . ' ' . ($error->{code} // $body // ''),
       '400 SW_VALIDATION_FAILED', $name);
    is($error->{request_id} // '', $id // 'none', "$name: the id");
    like($head, qr{^content-type: application/json\r$}m, "$name: JSON");
    like($head, qr{^cache-control: no-store\r$}m, "$name: not to keep");
    unlike($error->{message} // '', qr/room/, "$name: it is no room's");
}

for my $path ('/v1/rooms/archived', '/v1/rooms', '/v1/sync?timeout=0',
              '/v1/media/upload', '/v1/directory/rooms?q=x')
{
    refused("497 of $path", "http://127.0.0.1:$tls$path");
    refused("496 of $path", "https://127.0.0.1:$verify$path");
    refused("495 of $path", "https://127.0.0.1:$optional$path", '--cert',
            "$dir/stranger.pem", '--key', "$dir/stranger.key");
}

is(stop_nginx(), 0, 'it ends in order');

done_testing();
