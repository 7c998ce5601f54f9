# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# A store behind TLS: the recipe of docs/operations.md, by NGINX's stream
# module and a Unix socket, and rediss://.

use strict;
use warnings;

use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use Test::More;

use lib 't/lib';
use RoomsTest -no_redis;
use RoomsTest::Fake qw(fake stop_fake);
use RoomsTest::HTTP ();
use RoomsTest::JSON ();
use RoomsTest::Process qw(end_process find_program free_port slurp
                          start_process wait_for);

my ($stream) = grep { -e } '/usr/lib/nginx/modules/ngx_stream_module.so';

plan skip_all => 'no redis-server, or no openssl'
    if !RoomsTest::Redis::binary() || !find_program('openssl');

my $dir = File::Temp->newdir('rooms-tls-XXXXXXXX', TMPDIR => 1);
my $port = free_port();
my $pid;

# an authority, a server's certificate for a name, and a client's

sub openssl {
    my $out = `cd $dir && openssl @_ 2>&1`;

    die "openssl @_: $out\n" if $?;
}

openssl('req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes',
        '-keyout ca.key -out ca.pem -days 2 -subj /CN=authority');

for my $name (qw(redis.example.com client other.example.com)) {
    openssl('req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes',
            "-keyout $name.key -out $name.csr -subj /CN=$name",
            "-addext subjectAltName=DNS:$name,IP:127.0.0.1");
    openssl("x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -days 2",
            "-CAcreateserial -copy_extensions copy -out $name.pem");
}

sub start_store {
    my ($name) = @_;

    $pid = start_process("$dir/redis.log", RoomsTest::Redis::binary(),
                         '--port', 0, '--tls-port', $port,
                         '--bind', '127.0.0.1', '--dir', $dir, '--save', '',
                         '--tls-cert-file', "$dir/$name.pem",
                         '--tls-key-file', "$dir/$name.key",
                         '--tls-ca-cert-file', "$dir/ca.pem");

    return wait_for(10, sub {
        slurp("$dir/redis.log") =~ /Ready to accept|rror/;
    });
}

sub stop_store {
    end_process($pid, 'TERM', 5) if $pid;
    unlink "$dir/redis.log";
    $pid = undef;
}

END { stop_store() if $pid }

sub rooms {
    return http_req('POST', '/v1/rooms', 'mock:ann@t',
                    { room_type => 'group', name => 'behind TLS' });
}

# Passes on what two sides say, and takes nothing of the client for a while
# once that has sent a megabyte.
sub slow_relay {
    my ($client, $to) = @_;

    my $store = IO::Socket::INET->new("127.0.0.1:$to") or return;
    my $select = IO::Select->new($client, $store);
    my $sent = 0;

    while (1) {
        for my $from ($select->can_read) {
            sysread $from, my $text, 65536 or return;

            my $other = $from == $client ? $store : $client;

            while (length $text) {
                my $n = syswrite $other, $text or return;
                substr $text, 0, $n, '';
                $sent += $n if $from == $client;
            }

            if ($sent > 1_000_000) {
                $sent = -1e9;
                sleep 1;
            }
        }
    }
}

start_store('redis.example.com');

plan skip_all => 'this redis-server has no TLS'
    if slurp("$dir/redis.log") !~ /Ready to accept/;


# The recipe, with the names of this place

SKIP: {
    skip 'no stream module of NGINX', 8 if !$stream;

    my ($recipe) = slurp('docs/operations.md')
                   =~ /^```nginx\n(stream \{.*?^\})$/ms;

    ok(defined $recipe, 'the recipe');
    $recipe =~ s{/run/nginx-redis\.sock}{$dir/sock};
    $recipe =~ s{proxy_pass redis\.example\.com:6380}
                {proxy_pass 127.0.0.1:$port};
    $recipe =~ s{/etc/ssl/certs/ca-certificates\.crt}{$dir/ca.pem};
    $recipe =~ s{/etc/nginx/redis-client}{$dir/client}g;

    run_nginx(<<"END", main => "load_module $stream;\n$recipe");
        rooms on;
        rooms_auth mock;
        rooms_redis redis+unix://$dir/sock;
        rooms_redis_timeout 500ms;
        location = /readyz { rooms_health ready; }
END
    is(rooms()->[0], 201, 'a room, through TLS');
    is(http_req('GET', '/readyz')->[0], 200, 'ready');

    stop_store();
    is(rooms()->[0], 503, 'away');
    start_store('redis.example.com');
    ok(wait_for(20, sub { rooms()->[0] == 201 }), 'it comes back');

    # somebody else's certificate isn't taken

    stop_store();
    start_store('other.example.com');
    ok(wait_for(10, sub { nginx_log() =~ /certificate/ || rooms()->[0] == 0 }),
       'another name is noticed');
    is(rooms()->[0], 503, 'and nothing is said to it');
    like(nginx_log(), qr/certificate does not match "redis\.example\.com"/,
         'the log says why');
    stop_nginx();
    stop_store();
    start_store('redis.example.com');
}


# rediss://, where the module was built for an NGINX that has TLS

SKIP: {
    my ($module) = split ' ', $ENV{TEST_NGINX_LOAD_MODULES} // '';

    skip 'this NGINX has no TLS', 10
        if !$module || slurp($module) !~ /the certificate of redis is refused/;

    my $files = "ca=$dir/ca.pem&cert=$dir/client.pem&key=$dir/client.key";
    my $server = sub {
        run_nginx(<<"END", workers => $_[2] // 2);
        rooms on;
        rooms_auth mock;
        rooms_redis rediss://$_[0];
        rooms_redis_timeout @{[$_[1] // '500ms']};
END
    };
    my $cli = sub {
        return scalar `redis-cli -p $port --tls --cacert $dir/ca.pem \\
                       --cert $dir/client.pem --key $dir/client.key @_ 2>&1`;
    };

    $server->("127.0.0.1:$port/0?$files");
    is(rooms()->[0], 201, 'rediss://: a room');

    # large answers come in many records
    my $id = RoomsTest::JSON::json_get(rooms()->[2], 'data.id');

    http_many([map { ['POST', "/v1/rooms/$id/send", 'mock:ann@t',
                      { content => { body => 'x' x 30000 } }] } 1 .. 30], 10,
              30);
    cmp_ok(length http_req('GET', "/v1/rooms/$id/messages", 'mock:ann@t')->[2],
           '>', 800_000, 'a page of a megabyte');

    my $wait = IO::Socket::INET->new('127.0.0.1:'
                                     . RoomsTest::HTTP::server_port_is());

    syswrite $wait, "GET /v1/sync?since=now HTTP/1.1\r\nHost: x\r\n"
                    . "Authorization: Bearer mock:ann\@t\r\n\r\n";
    ok(wait_for(10, sub { $cli->('client list') =~ /\bsub=1\b/ }),
       'the subscription has TLS, too');
    http_req('POST', "/v1/rooms/$id/send", 'mock:ann@t',
             { content => { body => 'news' } });
    like(do { sysread $wait, my $got, 65536; $got }, qr/"body":"news"/,
         'and is heard');

    stop_store();
    is(rooms()->[0], 503, 'away');
    start_store('redis.example.com');
    ok(wait_for(20, sub { rooms()->[0] == 201 }), 'it comes back');

    # More is written than the connection takes: what is left goes on later,
    # behind what has been added, and from a buffer that has grown

    my $busy = free_port();
    my $slow = fake($busy, sub { slow_relay($_[0], $port) });

    $server->("127.0.0.1:$busy/0?$files", '20s', 1);
    $id = RoomsTest::JSON::json_get(rooms()->[2], 'data.id');

    my $many = http_many([map { ['POST', "/v1/rooms/$id/send", 'mock:ann@t',
                                 { content => { body => 'x' x 30000 } }] }
                          1 .. 400], 400, 60);

    is(scalar(grep { $_->[0] == 201 } @$many), 400,
       'all is written to a store that takes its time');
    unlike(nginx_log(), qr/lost redis/, 'by one connection');
    stop_nginx();
    stop_fake($slow);

    $server->("localhost:$port/0?$files");
    is(rooms()->[0], 503, 'another name than the certificate has');
    like(nginx_log(), qr/certificate of redis is refused: .*mismatch/i,
         'the log says why');
    stop_nginx();
}

done_testing();
