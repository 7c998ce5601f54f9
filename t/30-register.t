# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# What becomes of the names that tokens bring: local ids that somebody else
# has, and display names that change.  Many who come at once are in
# t/30-register-races.t.

use strict;
use warnings;

use Test::More ();

use lib 't/lib';
use RoomsTest;
use RoomsTest::Token qw(hs256);
use Test::Nginx::Socket 'no_plan';

my $now = time();

# The header of somebody whose token has these claims.
sub by {
    my ($sub, %claims) = @_;

    return 'Authorization: Bearer '
           . hs256('a secret of thirty-two bytes, at least', sub => $sub,
                   %claims);
}

# A token that was issued so many seconds ago.
sub ago { return (iat => $now - $_[0]) }

my $server = <<"END";
        rooms on;
        rooms_redis redis://\$TEST_NGINX_REDIS/0;
        rooms_auth_secret_file $ENV{PWD}/t/data/secret;
        rooms_server_name chat.example;
END

default_config($server);

# Who was seen is forgotten by a server that starts anew.
our $restarted = "$server        rooms_redis_timeout 4s;\n";

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(request => 'POST /v1/auth/register')
        if !defined $block->request;
});

workers(2);
master_on();
no_shuffle();
run_tests();

__DATA__

=== TEST 1: the first who wants a local id has it
--- more_headers eval: ::by('sam1', preferred_username => 'sam')
--- json
data.participant_id = sam1
data.local_id = sam



=== TEST 2: the next one's is drawn
--- more_headers eval: ::by('sam2', preferred_username => 'sam')
--- capture
drawn: json data.local_id
--- json
data.participant_id = sam2
data.local_id ~ ^sam-[0-9a-z]{6}$
--- store
HGET sw:{acme}:locals sam = sam1
HGET sw:{acme}:locals {{drawn}} = sam2



=== TEST 3: both keep what they have
--- request eval
["POST /v1/auth/register", "POST /v1/auth/register"]
--- more_headers eval
[::by('sam1', preferred_username => 'sam'), ::by('sam2', preferred_username => 'sam')]
--- json eval
["data.local_id = sam", "data.local_id = {{drawn}}"]
--- store
HLEN sw:{acme}:locals = 2



=== TEST 4: a local id has up to 128 characters
--- more_headers eval: ::by('long1', preferred_username => 'x' x 128)
--- json
data.local_id = {{x*128}}



=== TEST 5: a long one leaves room for what is drawn
--- more_headers eval: ::by('long2', preferred_username => 'x' x 128)
--- json
data.local_id ~ ^x{121}-[0-9a-z]{6}$
--- store
HDEL sw:{acme}:participants long1 = 1



=== TEST 6: a local id whose participant is gone, as an operator may leave it, is that of who had it
--- config eval: $main::restarted
--- more_headers eval: ::by('long1', preferred_username => 'x' x 128)
--- json
data.participant_id = long1
data.local_id = {{x*128}}



=== TEST 7: without preferred_username the local id is made of the participant's
--- request eval
[("POST /v1/auth/register") x 4]
--- more_headers eval
[map { ::by($_) } 'plain', 'auth0|64f0', '///', '|||']
--- json eval
["data.local_id = plain", "data.local_id = auth0-64f0", "data.local_id = participant",
 'data.local_id ~ ^participant-[0-9a-z]{6}$']



=== TEST 8: so it is with a preferred_username of which nothing is left
--- more_headers eval: ::by('thai', preferred_username => "\x{e01}\x{e02}")
--- json
data.local_id = thai



=== TEST 9: an address is a local id
--- more_headers eval: ::by('ann', preferred_username => 'ann@acme.example')
--- json
data.local_id = "ann@acme.example"



=== TEST 10: who has no name is shown by the id, cut at 128 characters, or by the local id
--- request eval
["POST /v1/auth/register", "POST /v1/auth/register"]
--- more_headers eval
[::by('y' x 255), ::by('zoe', preferred_username => 'zo e')]
--- json eval
["data.display_name = {{y*128}}", "data.display_name = zo-e"]



=== TEST 11: a name is shown as the token has it: whole letters, no control characters, at most 128
--- request eval
[("POST /v1/auth/register") x 3]
--- more_headers eval
[::by('odd1', name => "\x{e01}" x 100), ::by('odd2', name => "\x{e01}" x 200),
 ::by('odd3', name => "a\tb\x{85}c\x{2028}d")]
--- json eval
["data.display_name = {{\xe0\xb8\x81*100}}", "data.display_name = {{\xe0\xb8\x81*128}}",
 "data.display_name = abcd"]



=== TEST 12: what is no string is no name
--- request eval
[("POST /v1/auth/register") x 3]
--- more_headers eval
[::by('odd4', name => { first => 'x' }), ::by('odd5', name => 7), ::by('odd6', name => [])]
--- json eval
["data.display_name = odd4", "data.display_name = odd5", "data.display_name = odd6"]



=== TEST 13: any request makes a participant
--- request: GET /v1/workspaces
--- more_headers eval: ::by('nia')
--- store
HGET sw:{acme}:participants nia ~ "display_name":"nia"
EVAL "return cjson.decode(redis.call('HGET', KEYS[1], 'nia')).created_at" 1 sw:{acme}:participants -> created
EVAL "return cjson.decode(redis.call('HGET', KEYS[1], 'nia')).workspace_id" 1 sw:{acme}:participants -> workspace



=== TEST 14: the name follows that of the token, on any request
--- request eval
["GET /v1/workspaces", "GET /v1/workspaces"]
--- more_headers eval
[::by('nia', name => 'Nia B', ::ago(50)), ::by('nia', name => 'Nia C', ::ago(40))]
--- store
HGET sw:{acme}:participants nia ~ "display_name":"Nia C"



=== TEST 15: ... and is in the store when the answer is there
--- request: GET /v1/workspaces
--- more_headers eval: ::by('ned', name => 'Ned B', ::ago(50))
--- store
HGET sw:{acme}:participants ned ~ "display_name":"Ned B"



=== TEST 16: a token without a name changes none
--- request: GET /v1/workspaces
--- more_headers eval: ::by('nia')
--- store
HGET sw:{acme}:participants nia ~ "display_name":"Nia C"



=== TEST 17: an older token, of another device, doesn't bring the old name back
--- request: GET /v1/workspaces
--- more_headers eval: ::by('nia', name => 'Nia B', ::ago(50))
--- store
HGET sw:{acme}:participants nia ~ "display_name":"Nia C"



=== TEST 18: ... and not on purpose either
--- more_headers eval: ::by('nia', name => 'Nia B', ::ago(50))
--- json
data.display_name = Nia C



=== TEST 19: a token that doesn't say when it was issued is followed
--- request: GET /v1/workspaces
--- more_headers eval: ::by('nia', name => 'Nia D')
--- store
HGET sw:{acme}:participants nia ~ "display_name":"Nia D"



=== TEST 20: a name of which nothing is left is none
--- request: GET /v1/workspaces
--- more_headers eval: ::by('nia', name => "\t  \x07", ::ago(0))
--- store
HGET sw:{acme}:participants nia ~ "display_name":"Nia D"



=== TEST 21: the rest of a participant is made once
--- request: POST /v1/auth/register
--- more_headers eval: ::by('nia', ::ago(0))
--- json
data.local_id = nia
data.display_name = Nia D
data.workspace_id = {{workspace}}
--- store
HGET sw:{acme}:participants nia ~ "created_at":"{{created}}"
HGET sw:{acme}:participants nia ~ "participant_type":"human"
