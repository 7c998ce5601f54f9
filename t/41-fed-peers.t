# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Two servers: what one may ask of the other, and what a stranger may try.

use strict;
use warnings;

use File::Temp ();
use IO::Socket::INET;
use MIME::Base64 qw(encode_base64);
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls qw(answer);
use RoomsTest::Signer;

my $dir = File::Temp->newdir('rooms-fed-XXXXXXXX', TMPDIR => 1);
my @children;

END { local $?; kill 'TERM', @children; waitpid $_, 0 for @children }

mkdir "$dir/well" or die;

sub file {
    my ($name, $text) = @_;

    RoomsTest::Signer::write_file("$dir/$name", $text);
    chmod 0640, "$dir/$name";

    return "$dir/$name";
}

my $key_a = file('a.key', encode_base64('a' x 32, ''));
my $key_b = file('b.key', encode_base64('b' x 32, ''));

my ($port_b, $port_c) = (free_port(), free_port());
my $b = RoomsTest::Signer->new("127.0.0.1:$port_b", 'b' x 32);
my $c = RoomsTest::Signer->new("127.0.0.8:$port_c", 'c' x 32);
my $c_next = RoomsTest::Signer->new("127.0.0.8:$port_c", 'd' x 32);

# A listener that accepts and says nothing, and one that says what it is told.

my $silent = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1')
    or die "socket: $!\n";
my $silent_port = $silent->sockport;

sub liar {
    my ($answer) = @_;
    my $sock = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1')
        or die "socket: $!\n";
    my $pid = fork // die "fork: $!\n";

    if ($pid) {
        push @children, $pid;
        return $sock->sockport;
    }

    $SIG{TERM} = sub { POSIX::_exit(0) };

    while (my $conn = $sock->accept) {
        sysread $conn, my $request, 4096;
        print {$conn} $answer;
        close $conn;
    }

    POSIX::_exit(0);
}

require POSIX;

my $liar_port = liar("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{}");
my $closed_port = free_port();

file('well/long', 'x' x 30000);

my $http = <<"END";
    server {
        listen 127.0.0.1:$port_b;
        access_log $dir/b.log;
        rooms on;
        rooms_auth mock;
        rooms_redis redis://\$TEST_NGINX_REDIS/1;
        rooms_server_name 127.0.0.1:$port_b;
        rooms_tenant t2;
        rooms_federation on;
        rooms_federation_key $key_b;
        rooms_federation_allow_private on;
    }
    server {
        listen 127.0.0.2:$port_c;
        return 302 http://127.0.0.1:$port_b/.well-known/scaiwave/server;
    }
    server {
        listen 127.0.0.3:$port_c;
        return 200 '{"server_name":"127.0.0.1:$port_b","public_key":"@{[
                     $c->public_key ]}","protocol_versions":["v1"]}';
    }
    server {
        listen 127.0.0.4:$port_c;
        return 200 '{"server_name":"127.0.0.4:$port_c","public_key":"@{[
                     $c->public_key ]}","protocol_versions":["v2"]}';
    }
    server { listen 127.0.0.5:$port_c; return 200 'hello'; }
    server {
        listen 127.0.0.6:$port_c;
        location = /.well-known/scaiwave/server { alias $dir/well/long; }
    }
    server {
        listen 127.0.0.7:$port_c;
        return 200 '{"server_name":"127.0.0.7:$port_c","public_key":"@{[
                     'ed25519:AA==' ]}","protocol_versions":["v1"]}';
    }
    server {
        listen 127.0.0.8:$port_c;
        location = /.well-known/scaiwave/server { alias $dir/well/server; }
    }
END

my $a = <<"END";
        rooms on;
        rooms_auth mock;
        rooms_redis redis://\$TEST_NGINX_REDIS/0;
        rooms_server_name a.example;
        rooms_tenant t1;
        rooms_federation on;
        rooms_federation_key $key_a;
END

my $pass = <<'END';
        location = /_rooms_peer {
            internal;
            proxy_pass http://$rooms_peer$rooms_peer_uri;
            proxy_method $rooms_peer_method;
            proxy_read_timeout 300ms;
        }
END

my $admin = 'mock:root@t1:admin';
my $profile = '/_scaiwave/federation/v1/profile';

sub call {
    my ($method, $path, $body) = @_;

    return answer(http_req($method, $path, $admin, $body));
}

# A GET, signed by a peer for us; `sent` and `method` are what really goes.
sub ask {
    my ($peer, $path, %o) = @_;

    return answer(http_req($o{method} // 'GET', $o{sent} // $path, undef,
                           undef, $peer->headers('GET', $path,
                                                 authority => 'a.example',
                                                 %o)));
}

# Somebody of that server is in a room with ann.
sub meets_ann {
    my ($peer) = @_;

    redis('ZADD', "sw:{t1}:$_:rooms", 1, 'room-0' . '0' x 25)
        for 'p:ann', "peers:$peer->{name}";
}

sub policy { call('PUT', '/v1/admin/federation/policy', $_[0]) }

sub fetches {
    return scalar grep { m{GET /\.well-known/} }
           split /^/, RoomsTest::Process::slurp("$dir/b.log");
}

run_nginx("$a$pass rooms_federation_allow_private on;", http => $http);

http_req('POST', '/v1/auth/register', 'mock:ann@t1');

# Who is let in

is(answer(http_req('GET', "$profile/ann"))->{code},
   'SW_FED_SIGNATURE_MISMATCH', 'nobody unsigned gets anything');
is(answer(http_req('GET', "$profile/ann", $admin))->{status}, 401,
   'nor does a token help');

my $res = ask($b, "$profile/ann");

is("$res->{status} $res->{code}", '403 SW_FED_POLICY',
   'nor who is not on the policy');
is(fetches(), 0, 'and nothing is asked of such a server');

policy({ allowed_peers => [$b->{name}] });

$res = ask($b, "$profile/ann");
is("$res->{status} $res->{code}", '404 SW_PARTICIPANT_NOT_FOUND',
   'a server that shares no room hears nothing of a participant');
is($res->{message}, ask($b, "$profile/nobody")->{message},
   'not even that there is one');
meets_ann($b);

my @headers = $b->headers('GET', "$profile/ann", authority => 'a.example');
my @res = @{http_many([map { http_raw('GET', "$profile/ann", undef, undef,
                                    @headers) } 1 .. 20], 20)};

is(scalar(grep { $_->[0] == 200 } @res), 20,
   'a peer that is allowed is let in');
is(fetches(), 1, 'for twenty that ask at once its key is fetched once');

$res = ask($b, "$profile/ann");
is_deeply($res->{data},
          { local_id => 'ann', server_name => 'a.example',
            fqid => '@ann:a.example', display_name => 'ann',
            participant_type => 'human', avatar_url => undef },
          'a profile');
is(ask($b, "$profile/nobody")->{code}, 'SW_PARTICIPANT_NOT_FOUND',
   'of nobody');
is(ask($b, "$profile/%61nn?x=%2F")->{status}, 200,
   'the target is signed as it is sent');
is(fetches(), 1, 'the key is kept');

# Another version than ours

for ('v2/send', 'v2/profile/ann', 'v10/send', 'v2') {
    $res = ask($b, "/_scaiwave/federation/$_");
    is("$res->{status} $res->{code}", '400 SW_FED_PROTOCOL_VERSION',
       "another version: $_");
}

is(ask($b, '/_scaiwave/federation/v1/nothing')->{code},
   'SW_AUTH_INVALID_TOKEN', 'what is no path of ours is none');

# What is refused

my $now = time;

for (['another who uses its name', $c, { name => $b->{name},
                                         key_id => $b->key_id }],
     ['a key it does not have', $c, { name => $b->{name} }],
     ['a request for another path', $b, { sent => "$profile/bob" }],
     ['with another query', $b, { sent => "$profile/ann?x" }],
     ['the same path respelled', $b, { sent => "$profile/%61nn" }],
     ['another method', $b, { method => 'HEAD' }],
     ['for another server', $b, { authority => 'c.example' }],
     ['a request that is old', $b, { created => $now - 70 }],
     ['one from the future', $b, { created => $now + 70 }],
     ['the digest of another body', $b, { body => 'x' }],
     ['no digest', $b, { digest => 'sha-256' }])
{
    my ($name, $peer, $o) = @$_;
    my $got = ask($peer, "$profile/ann", %$o);

    is($got->{status}, 401, "refused: $name");
    is($got->{code}, 'SW_FED_SIGNATURE_MISMATCH', 'with its code')
        if ($o->{method} // '') ne 'HEAD';
}

like(ask($b, "$profile/ann", created => $now - 70)->{problem},
     qr/created at @{[ $now - 70 ]}, and here it is \d+/,
     'a clock that is off is told both times');
is(ask($b, "$profile/ann", created => $now - 30)->{status}, 200,
   'half a minute is within the window');
is(ask($b, "$profile/ann", name => 'a.example')->{code},
   'SW_FED_PEER_UNKNOWN', 'nobody is ourselves');

my $seen = call('GET', '/v1/admin/federation/peers')->{data};

is(scalar(@$seen), 1, 'the admin sees one peer');
is($seen->[0]{server_name}, $b->{name}, 'by its name');
ok($seen->[0]{allowed}, 'which is allowed');
like($seen->[0]{last_seen}, qr/\A\d{4}-.*Z\z/, 'and when it was seen last');
is(redis('HGET', 'sw:{t1}:peers', $b->{name}) > ($now - 60) * 1000, 1,
   'the store has it');

# A key that changes while the old one is in our cache

file('well/server', $c->descriptor);
meets_ann($c);
policy({ default_mode => 'open' });
is(ask($c, "$profile/ann")->{status}, 200, 'an open policy lets all in');
is(ask($c_next, "$profile/ann")->{code}, 'SW_FED_SIGNATURE_MISMATCH',
   'with the key that they have');
file('well/server', $c_next->descriptor);
is(ask($c_next, "$profile/ann")->{status}, 200,
   'an unknown key makes us ask again');
is(ask($c, "$profile/ann")->{code}, 'SW_FED_SIGNATURE_MISMATCH',
   'and the old one is over');

# Servers that don't answer as they should

policy({ default_mode => 'open', allowed_peers => ["127.0.0.5:$port_c"] });

for (['a redirect', "127.0.0.2:$port_c", 502, 'SW_FED_PEER_UNREACHABLE'],
     ['another name', "127.0.0.3:$port_c", 403, 'SW_FED_PEER_UNKNOWN'],
     ['another protocol', "127.0.0.4:$port_c", 400,
      'SW_FED_PROTOCOL_VERSION'],
     ['no JSON', "127.0.0.5:$port_c", 502, 'SW_FED_PEER_UNREACHABLE'],
     ['a long answer', "127.0.0.6:$port_c", 502, 'SW_FED_PEER_UNREACHABLE'],
     ['a bad key', "127.0.0.7:$port_c", 502, 'SW_FED_PEER_UNREACHABLE'],
     ['no answer', "127.0.0.1:$silent_port", 502, 'SW_FED_PEER_UNREACHABLE'],
     ['a cut answer', "127.0.0.1:$liar_port", 502,
      'SW_FED_PEER_UNREACHABLE'],
     ['a closed port', "127.0.0.1:$closed_port", 502,
      'SW_FED_PEER_UNREACHABLE'])
{
    my ($name, $server, $status, $code) = @$_;
    my $got = ask($c, "$profile/ann", name => $server);

    is("$got->{status} $got->{code}", "$status $code", "the peer has $name");
}

$seen = call('GET', '/v1/admin/federation/peers')->{data};
my ($row) = grep { $_->{server_name} eq "127.0.0.5:$port_c" } @$seen;

is($row->{last_error}{code}, 'SW_FED_PEER_UNREACHABLE',
   'the admin sees what was wrong');
like($row->{last_error}{message}, qr/no JSON/, 'in words');
is($row->{last_seen}, undef, 'it never got in');
ok(!(grep { $_->{server_name} eq "127.0.0.2:$port_c" } @$seen),
   'names that nobody knows are not kept');

$res = ask($c, "$profile/ann", name => "127.0.0.2:$port_c") for 1 .. 5;
is($res->{status}, 502, 'who asks again and again');

my $tries = () = nginx_log() =~ /no descriptor of "127\.0\.0\.2:/g;

cmp_ok($tries, '<=', 4, 'does not make us do so');

unlike(nginx_log(), qr/\[alert\]/, 'nothing leaks');

# A client that leaves while we ask

$silent = undef;
$silent = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1');

my $conn = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                 PeerPort => server_port_is());
my $gone = '127.0.0.1:' . $silent->sockport;

print {$conn} http_raw('GET', "$profile/ann", undef, undef,
                       $c->headers('GET', "$profile/ann", name => $gone,
                                   authority => 'a.example'));
$conn->flush;

my $asked = $silent->accept;

ok($asked, 'we ask');
close $conn;
ok(RoomsTest::Process::wait_for(5, sub {
       nginx_log() =~ /no descriptor of "\Q$gone\E"/ }),
   'and go on without the client');
is(http_req('GET', '/.well-known/scaiwave/server')->[0], 200, 'unharmed');

# Private addresses

run_nginx("$a$pass", http => $http);
policy({ default_mode => 'open' });

my $before = fetches();

for my $name ("127.0.0.1:$port_b", "localhost:$port_b", 'a.local',
              '10.0.0.1', '169.254.169.254', '[::1]', '[::ffff:10.0.0.1]')
{
    my $got = ask($b, "$profile/ann", name => $name);

    is("$got->{status} $got->{code}", '403 SW_FED_POLICY',
       "$name is not dialled");
}

is(ask($b, "$profile/ann", name => 'b.example')->{status}, 502,
   'a name is not dialled without a resolver');
like(nginx_log(), qr/no descriptor of "b\.example": the server has no "reso/,
     'as the log says');
is(fetches(), $before, 'no request has left');

# What a name resolves to, by a name server of our own.

my $dns = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1')
    or die "socket: $!\n";
my $dns_port = $dns->sockport;
my $pid = fork // die "fork: $!\n";

if (!$pid) {
    $SIG{TERM} = sub { POSIX::_exit(0) };

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

push @children, $pid;


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

policy({ default_mode => 'open' });
is(ask($inside, "$profile/ann")->{status}, 502,
   'a name that resolves to a private address is not dialled');
like(nginx_log(),
     qr/no descriptor of "inside\.example:8448": the name has no public addr/,
     'as the log says');

for (['nobody', 'Host not found'], ['secret', 'Operation refused']) {
    my ($name, $why) = @$_;
    my $as = RoomsTest::Signer->new("$name.example", 'b' x 32);

    is(ask($as, "$profile/ann")->{status}, 502, "no address: $why");
    like(nginx_log(), qr/"$name\.example": the name can't be resolved: $why/,
         'says the log, too');
}

is(-s "$dir/dialled.log", 0, 'no request has left');
meets_ann($both);
is(ask($both, "$profile/ann")->{status}, 200,
   'one with a public address, too, is');
is(RoomsTest::Process::slurp("$dir/dialled.log"), "93.184.216.34:8448\n",
   'at that address, whatever NGINX would resolve it to');

stop_nginx();

done_testing();
