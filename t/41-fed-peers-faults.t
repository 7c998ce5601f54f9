# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Another server asks, and is asked who it is: by many requests at once, while
# it doesn't answer or stops in the middle, for a client that leaves, and under
# a name that has to be resolved.  Blocks have neither several clients, nor
# servers that are silent or cut, nor a name server; the rest is in
# t/41-fed-peers.t.

use strict;
use warnings;

use File::Temp ();
use IO::Socket::INET;
use MIME::Base64 qw(encode_base64);
use POSIX ();
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls qw(answer);
use RoomsTest::Fake qw(fake);
use RoomsTest::Process qw(end_process slurp wait_for write_file);
use RoomsTest::Signer;

my $dir = File::Temp->newdir('rooms-fed-XXXXXXXX', TMPDIR => 1);
my $name_server;

END { end_process($name_server, 'KILL', 3) if $name_server }

write_file("$dir/a.key", encode_base64('a' x 32, ''));
chmod 0640, "$dir/a.key";

my $port_b = free_port();
my $b = RoomsTest::Signer->new("127.0.0.1:$port_b", 'b' x 32);
my $c = RoomsTest::Signer->new('c.example', 'c' x 32);

write_file("$dir/b", $b->descriptor);

my $http = <<"END";
    server {
        listen 127.0.0.1:$port_b;
        access_log $dir/b.log;
        location = /.well-known/scaiwave/server { alias $dir/b; }
    }
END

my $a = <<"END";
        rooms on;
        rooms_auth mock;
        rooms_redis redis://\$TEST_NGINX_REDIS/0;
        rooms_server_name a.example;
        rooms_tenant t1;
        rooms_federation on;
        rooms_federation_key $dir/a.key;
END

my $profile = '/_scaiwave/federation/v1/profile/ann';

# A GET, signed by a peer for us.
sub signed {
    my ($peer, %o) = @_;

    return $peer->headers('GET', $profile, authority => 'a.example', %o);
}

sub ask { return answer(http_req('GET', $profile, undef, undef, signed(@_))) }

# Somebody of that server is in a room with ann.
sub meets_ann {
    my ($peer) = @_;

    redis('ZADD', "sw:{t1}:$_:rooms", 1, 'room-0' . '0' x 25)
        for 'p:ann', "peers:$peer->{name}";
}

run_nginx(<<"END", http => $http);
$a
        rooms_federation_allow_private on;
        location = /_rooms_peer {
            internal;
            # the one that answers has time, also on a busy machine
            if (\$rooms_peer = 127.0.0.1:$port_b) { rewrite ^ /_rooms_b last; }
            proxy_pass http://\$rooms_peer\$rooms_peer_uri;
            proxy_method \$rooms_peer_method;
            proxy_read_timeout 300ms;
        }
        location = /_rooms_b {
            internal;
            proxy_pass http://\$rooms_peer\$rooms_peer_uri;
        }
END

http_req('POST', '/v1/auth/register', 'mock:ann@t1');
http_req('PUT', '/v1/admin/federation/policy', 'mock:root@t1:admin',
         { default_mode => 'open' });


# Many at once

meets_ann($b);

my @headers = signed($b);
my @res = @{http_many([map { http_raw('GET', $profile, undef, undef,
                                      @headers) } 1 .. 20], 20)};

is(scalar(grep { $_->[0] == 200 } @res), 20, 'twenty ask at once');
is(scalar(() = slurp("$dir/b.log") =~ m{GET /\.well-known/}g), 1,
   'and the key is fetched once');


# Servers that are silent, or stop in the middle

my $silent = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1')
    or die "socket: $!\n";
my $cuts = free_port();

fake($cuts, sub {
    my ($sock) = @_;

    sysread $sock, my $request, 4096;
    print {$sock} "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{}";
});

for (['no answer', $silent->sockport], ['a cut answer', $cuts]) {
    my ($name, $port) = @$_;
    my $got = ask($c, name => "127.0.0.1:$port");

    is("$got->{status} $got->{code}", '502 SW_FED_PEER_UNREACHABLE',
       "the peer has $name");
}


# A client that leaves while we ask

$silent = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1');

my $gone = '127.0.0.1:' . $silent->sockport;
my $conn = http_begin('GET', $profile, undef, undef,
                      signed($c, name => $gone));
my $asked = $silent->accept;

ok($asked, 'we ask');
close $conn;
ok(wait_for(5, sub { nginx_log() =~ /no descriptor of "\Q$gone\E"/ }),
   'and go on without the client');
is(http_req('GET', '/.well-known/scaiwave/server')->[0], 200, 'unharmed');
unlike(nginx_log(), qr/\[alert\]/, 'nothing leaks');


# What a name resolves to, by a name server of our own.

my $dns = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1')
    or die "socket: $!\n";
my $dns_port = $dns->sockport;

$name_server = fork // die "fork: $!\n";

if (!$name_server) {
    while ($dns->recv(my $query, 512)) {
        my ($id) = unpack 'n', $query;
        my ($name) = $query =~ /\A.{12}(.*?\0)..../s;
        my $type = unpack 'n', substr $query, 12 + length $name, 2;
        my @addrs = $type != 1 ? ()
                    : $name =~ /both/ ? ('127.0.0.1', '93.184.216.34')
                    : ('127.0.0.1');

        # nobody, or nobody that this name server would speak of
        my $code = $name =~ /nobody/ ? 3 : $name =~ /secret/ ? 5 : 0;

        @addrs = () if $code;
        $dns->send(pack('n6', $id, 0x8180 + $code, 1, scalar @addrs, 0, 0)
                   . substr($query, 12, 4 + length $name)
                   . join '', map { pack('n3Nn', 0xc00c, 1, 1, 60, 4)
                                    . pack 'C4', split /\./ } @addrs);
    }

    POSIX::_exit(0);
}


# The location of the operator answers by itself here, as the peer would, and
# writes down what it was to dial.

my $both = RoomsTest::Signer->new('both.example:8448', 'b' x 32);
my $inside = RoomsTest::Signer->new('inside.example:8448', 'b' x 32);

run_nginx(<<"END", http => 'log_format dialled "$rooms_peer_address";');
$a
        resolver 127.0.0.1:$dns_port;
        location = /_rooms_peer {
            internal;
            log_subrequest on;
            access_log $dir/dialled.log dialled;
            return 200 '@{[ $both->descriptor ]}';
        }
END

is(ask($inside)->{status}, 502,
   'a name that resolves to a private address is not dialled');
like(nginx_log(),
     qr/no descriptor of "inside\.example:8448": the name has no public addr/,
     'as the log says');

for (['nobody', 'Host not found'], ['secret', 'Operation refused']) {
    my ($name, $why) = @$_;
    my $as = RoomsTest::Signer->new("$name.example", 'b' x 32);

    is(ask($as)->{status}, 502, "no address: $why");
    like(nginx_log(), qr/"$name\.example": the name can't be resolved: $why/,
         'says the log, too');
}

is(-s "$dir/dialled.log", 0, 'no request has left');
meets_ann($both);
is(ask($both)->{status}, 200, 'one with a public address, too, is');
is(slurp("$dir/dialled.log"), "93.184.216.34:8448\n",
   'at that address, whatever NGINX would resolve it to');

stop_nginx();

done_testing();
