# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Key sets that change, with keys that can't be used among those that can: one
# warning for them, and a set without any that can leaves the old one.

use strict;
use warnings;

use File::Temp ();
use MIME::Base64 qw(encode_base64url);
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Process qw(wait_for write_file);
use RoomsTest::Token qw(hs256);

my $dir = File::Temp::tempdir('rooms-keys-XXXXXXXX', TMPDIR => 1,
                              CLEANUP => 1);
my $json = JSON::PP->new->utf8->canonical;
my $secret = 'a secret of thirty-two bytes, at least';
my $good = { kty => 'oct', kid => 'good', k => encode_base64url($secret) };
my $store = "rooms on;\nrooms_redis redis://\$TEST_NGINX_REDIS/0;";

# Each of them is passed over; t/31-keys.t has more of their kind.
my @odd = (undef, 7, 'x', [], {}, { kty => undef }, { kty => 1 },
           { kty => 'AKP' }, { kty => 'RSA', e => 'AQAB' },
           { kty => 'oct', k => 'AAAA' }, { %$good, kid => 12 },
           { %$good, use => 'enc' }, { %$good, alg => 'RS256' });

sub put {
    my ($name, $keys) = @_;

    write_file("$dir/new", $json->encode({ keys => $keys }));
    rename "$dir/new", "$dir/$name" or die "$name: $!\n";
}

sub answer { return http_req('POST', '/v1/auth/register', @_) }
sub status { return answer(@_)->[0] }
sub warnings { return scalar(() = nginx_log() =~ /unusable keys of/g) }


# A file

my $mine = hs256($secret, header => { kid => 'good' });

put('jwks.json', [@odd, $good]);
run_nginx("$store\nrooms_auth_jwks_file $dir/jwks.json;");
is(status($mine), 200, 'the one key that can be used');
is(status(hs256($secret, header => { kid => '12' })), 401,
   'none of them is used');

put('jwks.json', [{ %$good, kid => 'next' }, @odd]);
ok(wait_for(10, sub { status(hs256($secret, header => { kid => 'next' }))
                      == 200 }), 'another file of that kind');
is(warnings(), 1, 'one warning for those that can\'t be used');
like(nginx_log(), qr/\[warn\].*keys\[1\]: not an object, keys\[2\]: not an/,
     'which names them');
put('jwks.json', [@odd]);
ok(wait_for(10, sub {
       status($mine);
       nginx_log() =~ /no keys in .*: keys\[0\]: not an object/;
   }), 'one without any key that can be used');
is(status(hs256($secret, header => { kid => 'next' })), 200,
   'the keys that were there stay');


# A location: the warning is said once, and not at each fetch

my $fetches = "$dir/fetches.log";
my $set = $json->encode({ keys => [@odd[5 .. 9], $good] });

run_nginx("$store
    rooms_auth_jwks_request /_keys;
    location = /_keys {
        internal;
        log_subrequest on;
        access_log $fetches;
        return 200 '$set';
    }
    location = /none { return 200; }");

is(status($mine), 200, 'from a location');
is(warnings(), 1, 'one warning');

my $unknown = hs256($secret, header => { kid => 'unknown' });

ok(wait_for(30, sub {
       status($unknown);
       open my $in, '<', $fetches or return 0;
       my @lines = <$in>;
       @lines >= 2;
   }), 'the set is fetched again');
is(warnings(), 1, 'of the same keys no other');


unlike(nginx_log(), qr/\[(?:alert|crit|emerg)\]/, 'no alarm in the log');

done_testing();
