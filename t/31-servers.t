# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Two servers of one NGINX whose directives read the same: what is behind the
# words belongs to each server.

use strict;
use warnings;

use MIME::Base64 qw(encode_base64url);
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Process qw(wait_for);
use RoomsTest::Token qw(hs256);

my %secret = map { $_ => "the secret of the provider $_, long enough" }
             qw(one two);
my $other = free_port();
my $json = JSON::PP->new->canonical;

# The same name, "/_keys", and another provider behind it.
sub server {
    my ($name, $more) = @_;
    my $set = $json->encode({ keys => [{
        kty => 'oct', kid => 'k', k => encode_base64url($secret{$name}) }] });

    return <<"END";
        rooms on;
        rooms_redis redis://\$TEST_NGINX_REDIS/0;
        rooms_auth_jwks_request /_keys;
        location = /_keys { internal; return 200 '$set'; }
        $more
END
}

sub start {
    my ($one, $two) = @_;
    my $port = run_nginx(server('one', $one), http => <<"END");
    server {
        listen 127.0.0.1:$other;
@{[ server('two', $two) ]}
    }
END

    return { one => $port, two => $other };
}

my $port = start('', '');

sub who {
    my ($where, $token) = @_;

    server_port_is($port->{$where});

    my $res = http_req('POST', '/v1/auth/register', $token);

    return $res->[0] == 200 ? json_get($res->[2], 'data.participant_id')
           : "$res->[0] " . json_get($res->[2], 'error.code');
}

sub key_of { return hs256($secret{$_[0]}, header => { kid => 'k' }, @_[1 .. $#_]) }

my $invalid = '401 SW_AUTH_INVALID_TOKEN';
my ($one, $two) = map { key_of($_) } qw(one two);

# twice, so that the caches of tokens are asked, too

for my $turn (1, 2) {
    is(who(one => $one), 'hans', 'a token of the first provider');
    is(who(two => $one), $invalid, 'is none at the second server');
    is(who(two => $two), 'hans', 'nor the other way: one of the second');
    is(who(one => $two), $invalid, 'is none at the first server');
}

# in the other order after a start: who fetches first doesn't matter

$port = start('', '');
is(who(two => $one), $invalid, 'a server asks its own provider');
is(who(two => $two), 'hans', 'whose tokens are good');
is(who(one => $two), $invalid, 'not at the other server');
is(who(one => $one), 'hans', 'which asks its own');

# who has been seen by an open server isn't thereby known to a strict one

$port = start('', 'rooms_tenants strict;');
is(who(one => key_of('one', sub => 'ida')), 'ida', 'an open server');

server_port_is($port->{two});
is(http_req('GET', '/v1/workspaces', key_of('two', sub => 'ida'))->[0], 404,
   'the strict one doesn\'t know the tenant');
redis('HSET', 'sw:{acme}:tenant', 'registered', 1);
is(http_req('GET', '/v1/workspaces', key_of('two', sub => 'ida'))->[0], 200,
   'until it is registered');

unlike(nginx_log(), qr/\[(?:alert|crit|emerg)\]/, 'no alarm in the log');

done_testing();
