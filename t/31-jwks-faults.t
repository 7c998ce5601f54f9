# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Keys that change while NGINX runs: a file that is read again, and a provider
# that is slow, away, cut off in the middle, or back; and clients that don't
# wait for it.  What is waited for here, and a provider that comes and goes, no
# block has; what a provider is asked and may answer is in t/31-jwks.t.

use strict;
use warnings;

use File::Temp ();
use POSIX ();
use Socket qw(SOL_SOCKET SO_LINGER);
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Fake qw(fake stop_fake);
use RoomsTest::Process qw(slurp wait_for write_file);
use RoomsTest::Token qw(hs256 token);

my $dir = File::Temp::tempdir('rooms-jwks-XXXXXXXX', TMPDIR => 1,
                              CLEANUP => 1);
my $port = free_port();
my $provider;

sub put {
    my ($name, $text) = @_;

    write_file("$dir/$name.new", $text);
    rename "$dir/$name.new", "$dir/$name" or die "$name: $!\n";
}

sub keys_of { return slurp("t/data/$_[0].json") }

sub who {
    my ($token) = @_;
    my $res = http_req('POST', '/v1/auth/register', $token);

    return 0 if !$res->[0];

    return $res->[0] == 200 ? json_get($res->[2], 'data.participant_id')
           : "$res->[0] " . json_get($res->[2], 'error.code');
}

my $invalid = '401 SW_AUTH_INVALID_TOKEN';
my $away = '503 SW_STORE_UNAVAILABLE';


# A file

put('jwks.json', keys_of('jwks'));
put('secret', "the first secret of them all, long enough\n");

run_nginx(<<"END");
        rooms on;
        rooms_redis redis://\$TEST_NGINX_REDIS/0;
        rooms_auth_jwks_file $dir/jwks.json;
        rooms_auth_secret_file $dir/secret;
END

my $first = hs256('the first secret of them all, long enough');
my $second = hs256('the other secret, which comes after it');

is(who(token('es256')), 'erin', 'file: a key of it');
is(who(token('eddsa_next')), $invalid, 'one that comes later');
is(who($first), 'hans', 'the secret');
is(who($second), $invalid, 'another secret');

put('jwks.json', keys_of('jwks-next'));
ok(wait_for(20, sub { who(token('eddsa_next')) eq 'edda' }),
   'a new key is known without a reload');
is(who(token('eddsa')), 'edda', 'a key that stayed');
is(who(token('es256')), $invalid,
   'a key that went, for a token that was verified before');
like(nginx_log(), qr/jwks.json" were read again/, 'that is logged');

put('secret', "the other secret, which comes after it\n");
ok(wait_for(20, sub { who($second) eq 'hans' }), 'a new secret');
is(who($first), $invalid, 'the old one');

for my $bad (['{"keys": [', qr/not JSON/], ['', qr/not JSON/],
             ['{"keys": 1}', qr/is not an array/],
             ['{"keys": [], "keys": []}', qr/duplicate member/],
             [' ' x 300_000, qr/too large/])
{
    my $was = () = nginx_log() =~ /$bad->[1]/g;

    put('jwks.json', $bad->[0]);
    ok(wait_for(20, sub {
           who(token('eddsa'));
           (() = nginx_log() =~ /$bad->[1]/g) > $was;
       }), "a bad file is told: $bad->[1]");
    is(who(token('eddsa')), 'edda', 'the old keys stay');
}

unlink "$dir/jwks.json";
sleep 1.1;
is(who(token('eddsa')), 'edda', 'a file that is gone');
put('jwks.json', keys_of('jwks'));
ok(wait_for(20, sub { who(token('es256')) eq 'erin' }), 'a good file again');

# the same size, the same inode, the same second
{
    my $text = keys_of('jwks');

    sleep 1 - (time() - int time());
    for my $kid ('ed-1', 'ed-3') {
        (my $new = $text) =~ s/"ed-1"/"$kid"/;
        open my $out, '+<', "$dir/jwks.json" or die;
        print $out $new;
        close $out;
        who(token('eddsa'));
    }
    ok(wait_for(20, sub { who(token('eddsa')) eq $invalid }),
       'a file that was overwritten in place');
}


# A provider

# Answers what is in the file "answer"; its log has each request.
sub provider_start {
    put('log', '');
    put('delay', $_[0] // 0);
    $provider = fake($port, sub {
        my ($sock) = @_;
        my $request = '';

        while ($request !~ /\r\n\r\n/) {
            sysread $sock, $request, 65536, length $request or last;
        }

        open my $out, '>>', "$dir/log" or die;
        syswrite $out, "----\n$request";
        sleep slurp("$dir/delay");

        my $body = slurp("$dir/answer");

        syswrite $sock, slurp("$dir/raw") || "HTTP/1.1 200 OK\r\n"
            . "Content-Type: application/json\r\nConnection: close\r\n"
            . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
    });
}

sub provider_stop { stop_fake($provider); $provider = undef }

sub fetches { return scalar(() = slurp("$dir/log") =~ /^----$/mg) }

my $server = <<"END";
        rooms on;
        rooms_redis redis://\$TEST_NGINX_REDIS/0;
        rooms_auth_jwks_request /_keys;
        location = /_keys {
            internal;
            proxy_pass http://127.0.0.1:$port/jwks;
            proxy_connect_timeout 1s;
            proxy_read_timeout 5s;
        }
END

sub start { run_nginx(shift // $server, @_) }

put('answer', keys_of('jwks'));
put('raw', '');

provider_start(0.4);
start();

my $many = http_many([map { ['POST', '/v1/auth/register',
                             token($_ % 2 ? 'eddsa' : 'rs256')] } 1 .. 20]);

is(scalar(grep { $_->[0] == 200 } @$many), 20, 'all who wait are answered');
is(fetches(), 1, 'by one fetch');

provider_stop();
is(who(token('es256')), 'erin', 'cached keys serve while it is away');
is(who(token('es256_unknown_kid')), $invalid, 'an unknown kid then');

# ten seconds after the first
put('answer', keys_of('jwks-next'));
provider_start();
ok(wait_for(30, sub { sleep 0.2; who(token('eddsa_next')) eq 'edda' }),
   'a new key is found by its kid');
is(fetches(), 1, 'by one fetch');
is(who(token('es256_unknown_kid')), $invalid, 'and not again') for 1 .. 3;
is(fetches(), 1, 'no fetch');
is(who(token('es256')), $invalid, 'a key that the provider withdrew');
put('answer', keys_of('jwks'));


# Away at first, then there

provider_stop();
put('delay', 0);
start();

is(who(token('eddsa')), $away, 'no keys');

provider_start();
ok(wait_for(20, sub { sleep 0.1; who(token('eddsa')) eq 'edda' }),
   'found when it is there');


# Answers that are none

for my $case (
    ['no status line', "\x16\x03\x01garbage\r\n\r\n"],
    ['half an answer', "HTTP/1.0 200 OK\r\nContent-Length: 9999\r\n\r\n{"])
{
    my ($name, $raw) = @$case;

    put('raw', $raw);
    start();
    is(who(token('eddsa')), $away, "the provider answers $name");
    like(nginx_log(), qr/no keys from/, 'the log says so');

    put('raw', '');
    ok(wait_for(20, sub { sleep 0.1; who(token('eddsa')) eq 'edda' }),
       'and the next fetch helps');
}


# A client that leaves

for my $reset (0, 1) {
    put('log', '');
    put('delay', 0.6);
    start();

    my $gone = http_begin('POST', '/v1/auth/register', token('eddsa'));

    setsockopt $gone, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0) if $reset;
    ok(wait_for(10, sub { fetches() == 1 }), 'it asks for keys');
    close $gone;

    $many = http_many([map { ['POST', '/v1/auth/register',
                              token('rs256')] } 1 .. 5]);
    is(scalar(grep { $_->[0] == 200 } @$many), 5,
       'it left, the others are answered');
}

# on HTTP/2 it is noticed at once, and the fetch ends with its request
SKIP: {
    my $has = `curl -V 2>/dev/null` // '';

    skip('no curl with HTTP/2', 2) if $has !~ /\bHTTP2\b/;

    my $h2 = free_port();

    put('log', '');
    put('delay', 0.6);
    start("listen 127.0.0.1:$h2 http2;\n$server");

    my $token = token('eddsa');
    my $curl = fork() // die;

    if ($curl == 0) {
        { exec 'curl', '-s', '--http2-prior-knowledge', '-m', '0.3', '-o',
             '/dev/null', '-X', 'POST', '-H', "Authorization: Bearer $token",
             "http://127.0.0.1:$h2/v1/auth/register" };
        POSIX::_exit(1);
    }

    ok(wait_for(10, sub { fetches() == 1 }), 'it asks for keys by HTTP/2');
    $many = http_many([map { ['POST', '/v1/auth/register',
                              token('rs256')] } 1 .. 5]);
    is(scalar(grep { $_->[0] == 200 } @$many), 5,
       'it left, one of the others asks again');
    cmp_ok(fetches(), '<=', 2, 'only one');
    waitpid $curl, 0;
}


unlike(nginx_log(), qr/\[(?:alert|crit|emerg)\]/, 'no alarm in the log');

provider_stop();

done_testing();
