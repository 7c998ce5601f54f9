# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Two servers of one NGINX whose directives read the same: what is behind the
# words belongs to each server.  Both have a location "/_keys", which is
# another provider's in each.

use strict;
use warnings;

use MIME::Base64 qw(encode_base64url);
use Test::More ();

use lib 't/lib';
use RoomsTest;
use RoomsTest::Token qw(hs256);
use Test::Nginx::Socket 'no_plan';

my %secret = map { $_ => "the secret of the provider $_, long enough" }
             qw(one two);

# The headers of a request to a server, with a token of a provider.  The one
# server is that of the config section.
sub at {
    my ($server, $provider, %claims) = @_;
    my %host = (one => 'localhost', two => 'two');

    return "Host: $host{$server}\nAuthorization: Bearer "
           . hs256($secret{$provider}, header => { kid => 'k' }, %claims);
}

sub server {
    my ($provider) = @_;
    my $key = encode_base64url($secret{$provider});

    return <<"END";
        rooms on;
        rooms_redis redis://\$TEST_NGINX_REDIS/0;
        rooms_auth_jwks_request /_keys;
        location = /_keys {
            internal;
            return 200 '{"keys": [{"kty": "oct", "kid": "k", "k": "$key"}]}';
        }
END
}

default_config(server('one'));

# The other server; http('...') with more directives in it.
sub http {
    return "    server {\n        listen \$TEST_NGINX_SERVER_PORT;\n"
           . "        server_name two;\n" . server('two') . "$_[0]\n    }\n";
}

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(http_config => http(''))
        if !defined $block->http_config;
});

no_shuffle();
run_tests();

__DATA__

=== TEST 1: a token is good at the server of its provider, and nowhere else
--- request eval
[("POST /v1/auth/register") x 4]
--- more_headers eval
[::at(one => 'one'), ::at(two => 'one'), ::at(two => 'two'), ::at(one => 'two')]
--- error_code eval
[200, 401, 200, 401]
--- json eval
[("data.participant_id = hans", "error.code = SW_AUTH_INVALID_TOKEN") x 2]



=== TEST 2: ... again, so that the caches of tokens are asked, too
--- request eval
[("POST /v1/auth/register") x 4]
--- more_headers eval
[::at(one => 'one'), ::at(two => 'one'), ::at(two => 'two'), ::at(one => 'two')]
--- error_code eval
[200, 401, 200, 401]
--- json eval
[("data.participant_id = hans", "error.code = SW_AUTH_INVALID_TOKEN") x 2]



=== TEST 3: after a start it doesn't matter which server fetches its keys first
--- config eval: ::server('one') . "        rooms_redis_timeout 4s;\n"
--- request eval
[("POST /v1/auth/register") x 4]
--- more_headers eval
[::at(two => 'one'), ::at(two => 'two'), ::at(one => 'two'), ::at(one => 'one')]
--- error_code eval
[401, 200, 401, 200]
--- json eval
[("error.code = SW_AUTH_INVALID_TOKEN", "data.participant_id = hans") x 2]



=== TEST 4: who was seen by an open server isn't thereby known to a strict one
--- http_config eval: ::http('rooms_tenants strict;')
--- request eval
["POST /v1/auth/register", "GET /v1/workspaces"]
--- more_headers eval
[::at(one => 'one', sub => 'ida'), ::at(two => 'two', sub => 'ida')]
--- error_code eval
[200, 404]
--- json eval
["data.participant_id = ida", "error.code = SW_TENANT_NOT_FOUND"]
--- store
HSET sw:{acme}:tenant registered 1 = 1



=== TEST 5: ... until its tenant is registered
--- http_config eval: ::http('rooms_tenants strict;')
--- request: GET /v1/workspaces
--- more_headers eval: ::at(two => 'two', sub => 'ida')
--- error_code: 200
