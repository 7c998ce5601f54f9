# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# A participant's id is any visible ASCII.  People with the oddest ids do all
# that a room offers: what they are is written into rows of words, keys, JSON,
# paths and bundles, and read from there.  Lists by pages, and being woken, are
# in t/30-subjects-pages.t.

use strict;
use warnings;

use JSON::PP ();
use Test::More ();

use lib 't/lib';
use RoomsTest;
use Test::Nginx::Socket 'no_plan';

my $json = JSON::PP->new->utf8->canonical->allow_nonref;

our $all = join '', map { chr } 0x21 .. 0x7e;
our @odd = ('auth0|64f0a1', 'https://id.example/u/1?a=b#c%20d', $all,
            '"' x 255, '\\' x 255, '/', '/evt-1', '*', '[x]', '~x', '@home',
            '@a@b', '%2F', "a'b", '{t}', 'x' x 255, ':', '=1', '\\u0041',
            'a@b.example', '$1', '-', '0', '&amp;', '<b>');
our ($first, @others) = @odd;

# The header of somebody's token; the id as JSON and in a path.
sub by { return "Authorization: Bearer mock:$_[0]\@acme" }
sub text { return $json->encode($_[0]) }
sub escaped { return $_[0] =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger }

sub lines { return join "\n", @_ }

# Who comes before somebody in the list.
sub before { return $odd[$_[0] - 1] }

# "said: json data.id" for each of them: said0, said1, ...
sub each_saves { return [map { "$_[0]$_: json $_[1]" } 0 .. $#odd] }

default_config(<<'END');
        rooms on;
        rooms_auth mock;
        rooms_server_name rooms.test;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        access_log $TEST_NGINX_SERVER_ROOT/logs/who.log who;
END

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(http_config => <<'END');
    log_format who escape=json '{"who": "$rooms_participant"}';
END
});

no_shuffle();
run_tests();

__DATA__

=== TEST 1: who registers is what the token says
--- request eval
[("POST /v1/auth/register") x @::odd]
--- more_headers eval
[map { ::by($_) } @::odd]
--- capture eval: ::each_saves('fqid', 'data.fqid')
--- json eval
[map { 'data.participant_id = ' . ::text($_) } @::odd]



=== TEST 2: a room of one of them
--- request
POST /v1/rooms
{"room_type": "group", "name": "Odd"}
--- more_headers eval: ::by($::first)
--- error_code: 201
--- capture
room: json data.id
--- json eval
'data.creator_id = ' . ::text($::first)



=== TEST 3: all others are invited at once
--- request eval
::sent(POST => '/v1/rooms/{{room}}/invite', { participant_ids => \@::others })
--- more_headers eval: ::by($::first)
--- json eval
my $n = 0;
::lines(map { my $at = 'data.results[' . $n++ . ']';
               ("$at.participant_id = " . ::text($_), "$at.membership = invite") } @::others)



=== TEST 4: and join
--- request eval
[("POST /v1/rooms/{{room}}/join") x @::others]
--- more_headers eval
[map { ::by($_) } @::others]
--- json eval
[map { 'data.participant_id = ' . ::text($_) } @::others]
--- verify_room
{{room}}



=== TEST 5: power by the path
--- request eval
[map { 'PUT /v1/rooms/{{room}}/members/' . ::escaped($_) . "/power-level\n{\"power_level\": 50}" } @::others]
--- more_headers eval: ::by($::first)
--- error_code eval
[(200) x @::others]
--- json eval
[map { 'data.power_level = 50' . "\n" . 'data.participant_id = ' . ::text($_) } @::others]



=== TEST 6: each makes a room
--- request eval
[("POST /v1/rooms\n{\"room_type\": \"public\", \"name\": \"Of one\"}") x @::odd]
--- more_headers eval
[map { ::by($_) } @::odd]
--- error_code eval
[(201) x @::odd]
--- capture eval: ::each_saves('own', 'data.id')
--- json eval
[map { 'data.creator_id = ' . ::text($_) } @::odd]



=== TEST 7: its creator is read back
--- request eval
[map { "GET /v1/rooms/{{own$_}}" } 0 .. $#::odd]
--- more_headers eval
[map { ::by($_) } @::odd]
--- json eval
[map { 'data.creator_id = ' . ::text($_) } @::odd]



=== TEST 8: ... beside a topic that is all quotes
--- request eval
[map { ::sent(PUT => "/v1/rooms/{{own$_}}/topic", { topic => '"' x 1000 }) } 0 .. $#::odd]
--- more_headers eval
[map { ::by($_) } @::odd]
--- json eval
[map { 'data.creator_id = ' . ::text($_) } @::odd]



=== TEST 9: a sender is who sent
--- request eval
[map { ::sent(POST => '/v1/rooms/{{room}}/send', { content => { body => "by $_" } }) } @::odd]
--- more_headers eval
[map { ::by($_) } @::odd]
--- error_code eval
[(201) x @::odd]
--- capture eval: ::each_saves('said', 'data.id')
--- json eval
[map { 'data.sender_id = ' . ::text($_) } @::odd]



=== TEST 10: one's own message can be edited
--- request eval
[map { "POST /v1/rooms/{{room}}/events/{{said$_}}/edit\n{\"content\": {\"body\": \"edited\"}}" } 0 .. $#::odd]
--- more_headers eval
[map { ::by($_) } @::odd]
--- json eval
[map { 'data.sender_id = ' . ::text($_) } @::odd]



=== TEST 11: nobody else's
--- request eval
[map { "POST /v1/rooms/{{room}}/events/{{said$_}}/edit\n{\"content\": {\"body\": \"x\"}}" } 0 .. $#::odd]
--- more_headers eval
[map { ::by(::before($_)) } 0 .. $#::odd]
--- error_code eval
[(403) x @::odd]



=== TEST 12: two react to each message
--- request eval
[map { ("POST /v1/rooms/{{room}}/events/{{said$_}}/reaction\n{\"emoji\": \"+\"}") x 2 } 0 .. $#::odd]
--- more_headers eval
[map { (::by(::before($_)), ::by($::odd[$_])) } 0 .. $#::odd]
--- json eval
[map { map { "data.active = true\ndata.sender_id = " . ::text($_) } ::before($_), $::odd[$_] } 0 .. $#::odd]



=== TEST 13: one of them takes it back
--- request eval
[map { "DELETE /v1/rooms/{{room}}/events/{{said$_}}/reaction?emoji=%2B" } 0 .. $#::odd]
--- more_headers eval
[map { ::by($_) } @::odd]
--- json eval
[map { "data.active = false\ndata.sender_id = " . ::text($_) } @::odd]



=== TEST 14: history has all senders, and of each message the other reaction
--- request
GET /v1/rooms/{{room}}/messages?limit=200
--- more_headers eval: ::by($::first)
--- json eval
::lines(map { ("data[id={{said$_}}].sender_id = " . ::text($::odd[$_]),
               "data[id={{said$_}}].reactions[0].count = 1",
               "data[id={{said$_}}].reactions[0].me = " . ($_ == 1 ? 'true' : 'false')) } 0 .. $#::odd)



=== TEST 15: all have read to the last message
--- request eval
my $last = "{{said$#::odd}}";
[map { ::sent(PUT => '/v1/rooms/{{room}}/read', { event_id => $last }), 'GET /v1/rooms/{{room}}' } @::odd]
--- more_headers eval
[map { (::by($_)) x 2 } @::odd]
--- json eval
[(undef, "data.me.last_read_event_id = {{said$#::odd}}") x @::odd]



=== TEST 16: a DM of each with the one before
--- request eval
[map { ::sent(POST => '/v1/rooms/dm', { participant_id => ::before($_) }) } 0 .. $#::odd]
--- more_headers eval
[map { ::by($_) } @::odd]
--- error_code eval
[(201) x @::odd]
--- capture eval: ::each_saves('dm', 'data.id')



=== TEST 17: is the same one from the other side
--- request eval
[map { ::sent(POST => '/v1/rooms/dm', { participant_id => $_ }) } @::odd]
--- more_headers eval
[map { ::by(::before($_)) } 0 .. $#::odd]
--- error_code eval
[(200) x @::odd]
--- json eval
[map { "data.id = {{dm$_}}" } 0 .. $#::odd]



=== TEST 18: each has a workspace
--- request eval
[("GET /v1/workspaces") x @::odd]
--- more_headers eval
[map { ::by($_) } @::odd]
--- capture eval: ::each_saves('ws', 'data[0].id')
--- json eval
[map { 'data[0].owner_id = ' . ::text($_) } @::odd]



=== TEST 19: and lets the first one in
--- request eval
[map { ::sent(POST => "/v1/workspaces/{{ws$_}}/members", { participant_id => $::first, role => 'viewer' }) } 1 .. $#::odd]
--- more_headers eval
[map { ::by($_) } @::others]
--- json eval
[map { 'data.participant_id = ' . ::text($::first) } @::others]



=== TEST 20: who sees both
--- request eval
[map { "GET /v1/workspaces/{{ws$_}}/members" } 1 .. $#::odd]
--- more_headers eval: ::by($::first)
--- error_code eval
[(200) x @::others]
--- json eval
[map { ::lines('data # 2', map { "data[*].participant_id ~ \Q$_" } ::text($_), ::text($::first)) } @::others]



=== TEST 21: out into a bundle, which names all of them
--- request
GET /v1/rooms/{{room}}/export
--- more_headers eval: ::by($::first)
--- capture
zip: (?s)\A(PK.*)\z
--- response_headers
Content-Type: application/zip



=== TEST 22: and back
--- request eval
"POST /v1/rooms/import\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"b.zip\"\r\n"
. "Content-Type: application/zip\r\n\r\n{{zip}}\r\n--b--\r\n"
--- more_headers eval
::by($::first) . "\nContent-Type: multipart/form-data; boundary=b"
--- error_code: 201
--- capture
imported: json data.id



=== TEST 23: imported messages have the same authors
--- request
GET /v1/rooms/{{imported}}/messages?limit=200
--- more_headers eval: ::by($::first)
--- response_body_like eval
'(?s)' . CORE::join '', map { qq/(?=.*"fqid":"{{fqid$_}}")/ } 0 .. $#::odd



=== TEST 24: all but one are banned, with their id as the reason
--- request eval
[map { ::sent(POST => '/v1/rooms/{{room}}/ban', { participant_id => $_, reason => $_ }) } @::others[0 .. $#::others - 1]]
--- more_headers eval: ::by($::first)
--- error_code eval
[(200) x $#::others]
--- json eval
[map { "data.membership = ban\ndata.participant_id = " . ::text($_) } @::others[0 .. $#::others - 1]]
--- verify_room
{{room}}



=== TEST 25: ... and no longer
--- request eval
[map { ::sent(POST => '/v1/rooms/{{room}}/unban', { participant_id => $_ }) } @::others[0 .. $#::others - 1]]
--- more_headers eval: ::by($::first)
--- error_code eval
[(200) x $#::others]
--- json eval
[map { "data.membership = leave\ndata.participant_id = " . ::text($_) } @::others[0 .. $#::others - 1]]



=== TEST 26: the last one who stays is the administrator
--- request eval
['POST /v1/rooms/{{room}}/leave', 'GET /v1/rooms/{{room}}/members']
--- more_headers eval
[::by($::first), ::by($::others[-1])]
--- json eval
[undef, "data # 1\ndata[0].power_level = 100\ndata[0].participant_id = " . ::text($::others[-1])]
--- verify_room
{{room}}



=== TEST 27: nobody is "@local:server" of ours
--- request
POST /v1/auth/register
--- more_headers
Authorization: Bearer mock:@auth0-64f0a1:rooms.test@acme
--- error_code: 401
--- response_headers_like
WWW-Authenticate: .*error_description=".*\@local.*
--- no_error_log
[error]
