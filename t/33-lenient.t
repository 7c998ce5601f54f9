# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# What is taken from clients that write things in other ways than we do, and
# what is refused: on every row of the table of endpoints alike.

use strict;
use warnings;

use File::Temp ();
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use Test::More ();

use lib 't/lib';
use RoomsTest;
use RoomsTest::Table qw(table_rows);
use Test::Nginx::Socket 'no_plan';

my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my $dir = File::Temp->newdir('rooms-lenient-XXXXXXXX', TMPDIR => 1);

open my $key, '>', "$dir/key" or die $!;
print $key encode_base64('k' x 32, '');
close $key;
chmod 0600, "$dir/key";

our $admin = 'Authorization: Bearer mock:ada@acme:admin';
our $no_room = 'room-0' . '0' x 25;
our $no_workspace = 'ws-0' . '0' x 25;

# The rows that participants may ask.
our @rows = grep { !$_->{envelope} && $_->{flags} !~ /PEER|OPEN|UPLOAD/ }
            table_rows();
our @gets = grep { $_->{method} eq 'GET' } @rows;
our @of_rooms = grep { $_->{path} =~ /\{room\}/ } @rows;

Test::More::cmp_ok(scalar @rows, '>', 40, 'rows of the table');

# The path of a row, of what the first blocks make or of something else.
sub path {
    my ($row, %other) = @_;
    my %param = (room => '{{room}}', participant => 'bob', event => '{{event}}',
                 workspace => '{{workspace}}', media => 'med-0' . '0' x 25,
                 server => 'b.example', alias => '%23offentlich:a.example',
                 %other);

    return "$row->{method} "
           . $row->{path} =~ s/\{(\w+)\}/$param{$1} \/\/ 'x'/ger;
}

# Those rows that take a body, or are asked of something that isn't there.
our @unchanging = grep { $_->{flags} =~ /\bBODY\b/
                         || $_->{path} =~ /\{(?:room|workspace)\}/ } @rows;

sub nowhere {
    return path($_[0], room => $no_room, workspace => $no_workspace);
}

# A body that fits most rows, and that of "mute".
sub body {
    my ($row) = @_;

    return '' if $row->{flags} !~ /\bBODY\b/;
    return "\n{\"muted\": true}" if $row->{path} =~ /mute/;
    return "\n" . <<'END' =~ s/\s+\z//r;
{"participant_id": "eve", "name": "x", "topic": "t", "role": "viewer", "workspace_id": "{{workspace}}",
 "notification_mode": "all", "event_id": "{{event}}", "content": {"body": "x"}, "power_level": 5,
 "emoji": "x", "enabled": true, "fqid": "@x:b.example", "limit": 1, "room_type": "group"}
END
}

# Who asks for a row of a room; what administrators do, they do.
sub asks {
    my ($row, $who) = @_;

    return $row->{path} =~ /admin/ ? $admin : as($who);
}

# What an answer says, as a section of captures and as one of regexes.
sub said {
    my ($n) = @_;

    return [map { "said$_: \\{\"error\":\\{\"code\":\"\\w+\",\"message\":\"[^\"]*\"|\\A.{0,7}" }
            1 .. $n];
}

sub same { return [map { '\A' . "{{said$_}}" } 1 .. $_[0]] }

sub refuses { return "error.code = SW_VALIDATION_FAILED\nerror.details[0].field ~ ^(?:$_[0])\$" }

# Arguments that are there, and empty.
our $empty = join '&', map { "$_=" }
             qw(limit cursor offset q room_type membership workspace_id count
                since from to direction media emoji before);

# Ways to write a number, and what is none.
sub forms {
    my ($n) = @_;

    return ("$n.0", "$n.000", "${n}e0", "${n}0E-1", "0.${n}e1", "0$n",
            "%2B$n");
}

sub no_numbers {
    my ($n) = @_;

    return ("$n.5", "${n}e", "1${n}e-2", "0x$n", 'many', '1e99', '-5',
            "$n%20", '%00', '%ff', "$n%00");
}

# An argument, and a number that it takes.
our @numbers = (
    ['/v1/directory/rooms?', 'limit', 2], ['/v1/directory/rooms?', 'offset', 1],
    ['/v1/rooms/archived?', 'limit', 2], ['/v1/workspaces?', 'limit', 1],
    ['/v1/rooms/{{room}}/members?', 'limit', 1],
    ['/v1/rooms/{{room}}/messages?', 'limit', 2],
    ['/v1/sync?timeout=0&', 'limit', 2], ['/v1/sync?timeout=0&', 'since', 1],
    ['/v1/sync?since=0&', 'timeout', 0],
);

default_config(<<"END");
        rooms on;
        rooms_auth mock;
        rooms_redis redis://\$TEST_NGINX_REDIS/0;
        rooms_server_name a.example;
        rooms_tenant acme;
        rooms_federation on;
        rooms_federation_key $dir/key;
        location = /_rooms_peer { internal; return 502; }
END

no_shuffle();
run_tests();

__DATA__

=== TEST 1: what all blocks ask for
--- calls
bob POST /v1/auth/register -> 200
carol POST /v1/auth/register -> 200
dave POST /v1/auth/register -> 200
eve POST /v1/auth/register -> 200
ada! POST /v1/rooms {"room_type": "public", "name": "Öffentlich"} -> 201
    save room: json data.id
ada! POST /v1/workspaces {"name": "W"} -> 201
    save workspace: json data.id
ada! GET /v1/rooms/%23offentlich:a.example -> 200
    data.id = {{room}}



=== TEST 2: ... and a message
--- calls
ada! POST /v1/rooms/{{room}}/send {"content": {"body": "hello"}} -> 201
    save event: json data.id



=== TEST 3: a body that is no object is refused by every row, whether it asks for one or not
--- request eval
[map { my $path = ::path($_); map { "$path\n$_" }
       '[]', '"a"', '5', 'null', 'true', 'a=b&c=d', '{', '{} {}' } @::rows]
--- more_headers eval: $::admin
--- error_code eval
[(400) x (8 * @::rows)]
--- json eval
[(::refuses('body')) x (8 * @::rows)]



=== TEST 4: so are a byte order mark before no object, and two of them
--- request eval
[map { my $path = ::path($_); map { "$path\n$_" } "\xef\xbb\xbf[]", "\xef\xbb\xbf\xef\xbb\xbf{}" } @::rows]
--- more_headers eval: $::admin
--- error_code eval
[(400) x (2 * @::rows)]
--- json eval
[(::refuses('body')) x (2 * @::rows)]



=== TEST 5: a member twice, NUL, what is no UTF-8 and a number past all bounds, also of members that nobody asks for
--- request eval
[map { my $path = ::path($_); map { "$path\n$_" }
       '{"a": 1, "a": 2}', '{"a": "\u0000"}', "{\"a\": \"\xff\"}", "{\"a\": \"\xed\xa0\x80\"}", '{"a": "\ud800"}',
       '{"a": 1e999}', '{"a": [[{"b": 1, "b": 1}]]}' } @::rows]
--- more_headers eval: $::admin
--- error_code eval
[(400) x (7 * @::rows)]
--- json eval
[(::refuses('a|b')) x (7 * @::rows)]



=== TEST 6: so is white space alone
--- request eval
[map { ::path($_) . "\n2\r\n \t\r\n0\r\n\r\n" } @::rows]
--- more_headers eval: "$::admin\nTransfer-Encoding: chunked"
--- error_code eval
[(400) x @::rows]
--- json eval
[(::refuses('body')) x @::rows]



=== TEST 7: what every row says to an empty object ...
--- request eval
[map { ::nowhere($_) . "\n{}" } @::unchanging]
--- more_headers eval: $::admin
--- error_code_like eval
[('^\d') x @::unchanging]
--- capture eval: ::said(scalar @::unchanging)



=== TEST 8: ... it says with a byte order mark before it, too
--- request eval
[map { ::nowhere($_) . "\n\xef\xbb\xbf{}" } @::unchanging]
--- more_headers eval: $::admin
--- error_code_like eval
[('^\d') x @::unchanging]
--- body_match eval: ::same(scalar @::unchanging)



=== TEST 9: ... and without any body, where none is asked for
--- request eval
[map { ::nowhere($_) . ($_->{flags} =~ /\bBODY\b/ ? "\n{}" : '') } @::unchanging]
--- more_headers eval: $::admin
--- error_code_like eval
[('^\d') x @::unchanging]
--- body_match eval: ::same(scalar @::unchanging)



=== TEST 10: what comes behind a byte order mark is read
--- request eval
["POST /v1/rooms\n\xef\xbb\xbf" . '{"room_type": "group", "name": "B"}',
 "POST /v1/rooms/{{room}}/send\n\xef\xbb\xbf" . '{"content": {"body": "x"}}']
--- more_headers eval: $::admin
--- error_code eval
[201, 201]
--- json eval
["data.name = B", "data.content.body = x"]



=== TEST 11: no row needs an argument ...
--- request eval
[map { ::path($_) . '?timeout=0' } @::gets]
--- more_headers eval: $::admin
--- error_code_like eval
[('^(?!400)') x @::gets]
--- capture eval: ::said(scalar @::gets)



=== TEST 12: ... and empty arguments are none
--- request eval
[map { ::path($_) . "?timeout=0&$::empty" } @::gets]
--- more_headers eval: $::admin
--- error_code_like eval
[('^(?!400)') x @::gets]
--- body_match eval: ::same(scalar @::gets)



=== TEST 13: a number of an argument, as it is written everywhere ...
--- request eval
[map { my ($path, $name, $n) = @$_; "GET $path$name=$n" } @::numbers]
--- more_headers eval: $::admin
--- error_code eval
[(200) x @::numbers]
--- capture eval
[map { "answer$_: (?s)\\A(.*)\\z" } 1 .. @::numbers]



=== TEST 14: ... may have a sign, zeros before it, a fraction of zeros and an exponent
--- request eval
[map { my ($path, $name, $n) = @$_; map { "GET $path$name=$_" } ::forms($n) } @::numbers]
--- more_headers eval: $::admin
--- error_code eval
[(200) x (7 * @::numbers)]
--- body_match eval
[map { ("\\A{{answer$_}}\\z") x 7 } 1 .. @::numbers]



=== TEST 15: a fraction, half an exponent, NUL, white space and what is no number are refused
--- request eval
[map { my ($path, $name, $n) = @$_; map { "GET $path$name=$_" } ::no_numbers($n) } @::numbers]
--- more_headers eval: $::admin
--- error_code eval
[(400) x (11 * @::numbers)]
--- json eval
[map { (::refuses($_->[1])) x 11 } @::numbers]



=== TEST 16: an argument that is no UTF-8, or has NUL
--- request eval
[(map { "GET /v1/directory/rooms?$_=%ff" } qw(q room_type membership count limit cursor)),
 'GET /v1/rooms/{{room}}/members?membership=%ff', 'GET /v1/rooms/{{room}}/messages?direction=%00',
 'GET /v1/rooms/{{room}}/export?media=%ff']
--- more_headers eval: $::admin
--- error_code eval
[(400) x 9]
--- json eval
[map { ::refuses($_) } qw(q room_type membership count limit cursor membership direction media)]



=== TEST 17: a whole number in a body may have a fraction of zeros, and an exponent
--- calls
bob POST /v1/rooms/{{room}}/join -> 200
ada! PUT /v1/rooms/{{room}}/members/bob/power-level {"power_level": 5} -> 200
    data.power_level = 5
ada! PUT /v1/rooms/{{room}}/members/bob/power-level {"power_level": 5.0} -> 200
    data.power_level = 5
ada! PUT /v1/rooms/{{room}}/members/bob/power-level {"power_level": 6e0} -> 200
    data.power_level = 6
ada! PUT /v1/rooms/{{room}}/members/bob/power-level {"power_level": 50e-1} -> 200
    data.power_level = 5
ada! PUT /v1/rooms/{{room}}/members/bob/power-level {"power_level": 0.7e1} -> 200
    data.power_level = 7
ada! PUT /v1/rooms/{{room}}/members/bob/power-level {"power_level": -0.0} -> 200
    data.power_level = 0
ada! PUT /v1/rooms/{{room}}/members/bob/power-level {"power_level": 1e1} -> 200
    data.power_level = 10
ada! PUT /v1/rooms/{{room}}/members/bob/power-level {"power_level": 100.0} -> 200
    data.power_level = 100
ada! PUT /v1/rooms/{{room}}/mute {"duration": 6e1} -> 200
ada! PUT /v1/admin/federation/policy {"max_foreign_participants_per_room": 7.0} -> 200
ada! GET /v1/admin/federation/policy -> 200
    data.max_foreign_participants_per_room = 7



=== TEST 18: what isn't whole, is a string, or is past 2^53, is refused
--- calls
ada! PUT /v1/rooms/{{room}}/members/bob/power-level {"power_level": 5.5} -> 400 SW_VALIDATION_FAILED power_level
ada! PUT /v1/rooms/{{room}}/members/bob/power-level {"power_level": 1e-1} -> 400 SW_VALIDATION_FAILED power_level
ada! PUT /v1/rooms/{{room}}/members/bob/power-level {"power_level": 1e20} -> 400 SW_VALIDATION_FAILED power_level
ada! PUT /v1/rooms/{{room}}/members/bob/power-level {"power_level": "5"} -> 400 SW_VALIDATION_FAILED power_level
ada! PUT /v1/rooms/{{room}}/members/bob/power-level {"power_level": 9007199254740994.0} -> 400 SW_VALIDATION_FAILED power_level



=== TEST 19: a content is as it was sent
--- calls
ada! POST /v1/rooms/{{room}}/send {"content": {"n": 5.0, "m": 1e3}} -> 201
    ~ "n":\s*5\.0
ada! POST /v1/rooms {"room_type": "group", "name": "Export"} -> 201
    save group: json data.id



=== TEST 20: times of a query: RFC 3339 in any zone, a "+" that became a space included
--- request eval
[map { "GET /v1/rooms/{{group}}/export?from=$_" }
 '2020-01-01T00:00:00Z', '2020-01-01t00:00:00z', '2020-01-01T02:00:00%2B02:00', '2020-01-01T02:00:00+02:00',
 '2020-01-01T02:00:00%2002:00', '2020-01-01T00:00:00%2B00:00', '2020-01-01T00:00:00+00:00',
 '2019-12-31T22:30:00.5-01:30']
--- more_headers eval: $::admin
--- error_code eval
[(200) x 8]



=== TEST 21: what isn't RFC 3339 is refused
--- request eval
[map { "GET /v1/rooms/{{group}}/export?to=$_" }
 '2020-01-01', '2020-01-01%2000:00:00Z', 'now', '+', '2020-01-01T00:00:00', '2020-01-01T00:00:00++02:00',
 '2020-01-01T00:00:00+0200']
--- more_headers eval: $::admin
--- error_code eval
[(400) x 7]
--- json eval
[(::refuses('to')) x 7]



=== TEST 22: times of a body
--- request eval
[map { "PUT /v1/rooms/{{group}}/mute\n{\"muted_until\": \"$_\"}" }
 '2099-01-01T00:00:00Z', '2099-01-01T00:00:00+00:00', '2099-01-01T05:30:00+05:30', '2098-12-31T14:00:00-10:00']
--- more_headers eval: $::admin
--- error_code eval
[(200) x 4]
--- json eval
[("data.muted_until = 2099-01-01T00:00:00.000Z") x 4]



=== TEST 23: what every row says of a room by its id ...
--- request eval
[map { ::path($_) . ::body($_) } @::of_rooms]
--- more_headers eval
[map { ::asks($_, 'carol') } @::of_rooms]
--- error_code_like eval
[('^(?!404)') x @::of_rooms]
--- capture eval: ::said(scalar @::of_rooms)



=== TEST 24: ... it says by the room's alias, to somebody who asks for the same
--- request eval
[map { ::path($_, room => '%23offentlich:a.example') . ::body($_) } @::of_rooms]
--- more_headers eval
[map { ::asks($_, 'dave') } @::of_rooms]
--- error_code_like eval
[('^(?!404)') x @::of_rooms]
--- body_match eval: ::same(scalar @::of_rooms)



=== TEST 25: ... by an alias without a server
--- request eval
[map { ::path($_, room => '%23offentlich') . ::body($_) } @::of_rooms]
--- more_headers eval
[map { ::asks($_, 'late1') } @::of_rooms]
--- error_code_like eval
[('^(?!404)') x @::of_rooms]
--- body_match eval: ::same(scalar @::of_rooms)



=== TEST 26: ... and by one that is escaped
--- request eval
[map { ::path($_, room => '%23offentlich%3Aa.example') . ::body($_) } @::of_rooms]
--- more_headers eval
[map { ::asks($_, 'late2') } @::of_rooms]
--- error_code_like eval
[('^(?!404)') x @::of_rooms]
--- body_match eval: ::same(scalar @::of_rooms)



=== TEST 27: an alias of no room, and one of another server
--- request eval
[map { my $row = $_; map { ::path($row, room => $_) . ::body($row) } '%23none', '%23offentlich:b.example' }
 @::of_rooms]
--- more_headers eval
[map { (::asks($_, 'carol')) x 2 } @::of_rooms]
--- error_code eval
[(404) x (2 * @::of_rooms)]
--- json eval
[("error.code = SW_ROOM_NOT_FOUND") x (2 * @::of_rooms)]



=== TEST 28: what is said of a room by its alias has the room's id
--- calls
dave POST /v1/rooms/%23offentlich:a.example/join -> 200
    data.room_id = {{room}}
ada! POST /v1/rooms {"room_type": "group", "name": "People"} -> 201
    save people: json data.id



=== TEST 29: an fqid is an id wherever a participant is
--- calls
ada! POST /v1/rooms/{{people}}/invite {"participant_id": "@eve:a.example"} -> 200
    data.participant_id = eve
    data.membership = invite
ada! POST /v1/rooms/{{people}}/kick {"participant_id": "@eve:a.example"} -> 200
    data.participant_id = eve
    data.membership = leave
ada! POST /v1/rooms/{{people}}/invite {"participant_ids": ["@eve:a.example"]} -> 200
    data.results[0].participant_id = eve
    data.results[0].membership = invite
ada! POST /v1/rooms/{{people}}/ban {"participant_id": "@eve:a.example"} -> 200
    data.participant_id = eve
    data.membership = ban
ada! POST /v1/rooms/{{people}}/unban {"participant_id": "@eve:a.example"} -> 200
    data.participant_id = eve
    data.membership = leave
ada! PUT /v1/rooms/{{room}}/members/%40bob:a.example/power-level {"power_level": 7} -> 200
    data.participant_id = bob
ada! PUT /v1/rooms/%23offentlich:a.example/members/@bob:a.example/power-level {"power_level": 8} -> 200
    data.participant_id = bob
ada! GET /v1/rooms/%23offentlich:a.example/members?limit=2 -> 200
ada! POST /v1/workspaces/{{workspace}}/members {"participant_id": "@eve:a.example", "role": "viewer"} -> 200
    data.participant_id = eve
ada! POST /v1/rooms/dm {"participant_id": "@nobody:a.example"} -> 404 SW_PARTICIPANT_NOT_FOUND
ada! POST /v1/rooms/dm {"participant_id": "@eve:a.example"} -> 201
    save dm: json data.id
ada! POST /v1/rooms/dm {"participant_id": "eve"} -> 200
    data.id = {{dm}}



=== TEST 30: ... in a list, too, where each has its own answer
--- calls
ada! POST /v1/rooms/{{people}}/invite {"participant_ids": ["bob", "@eve:a.example", "@eve:b.example", "@nobody:a.example", "@eve:", "@carol:a.example"]} -> 200
    data.results[0].participant_id = bob
    data.results[0].membership = invite
    data.results[1].participant_id = eve
    data.results[1].membership = invite
    data.results[2].participant_id = "@eve:b.example"
    data.results[2].error.code = SW_PARTICIPANT_NOT_FOUND
    data.results[3].participant_id = "@nobody:a.example"
    data.results[3].error.code = SW_PARTICIPANT_NOT_FOUND
    data.results[4].participant_id = "@eve:"
    data.results[4].error.code = SW_PARTICIPANT_NOT_FOUND
    data.results[5].participant_id = carol
    data.results[5].membership = invite



=== TEST 31: a replay by an alias is one of the same room
--- calls
ada! POST /v1/rooms/%23offentlich:a.example/send {"content": {"body": "once"}} -> 201
    > Idempotency-Key: k1
    save sent: json data.id
ada! POST /v1/rooms/%23offentlich:a.example/send {"content": {"body": "once"}} -> 201
    > Idempotency-Key: k1
    data.id = {{sent}}



=== TEST 32: the directory tells what an alias is
--- calls
bob GET /v1/directory/alias/%23offentlich:a.example -> 200
    data # 2
    data.type = room
    data.id = {{room}}
bob GET /v1/directory/alias/%23offentlich -> 200
    data # 2
    data.type = room
    data.id = {{room}}
bob GET /v1/directory/alias/%40bob:a.example -> 200
    data # 3
    data.type = participant
    data.id = bob
    data.fqid = "@bob:a.example"
bob GET /v1/directory/alias/@bob:a.example -> 200
    data # 3
    data.type = participant
    data.id = bob
    data.fqid = "@bob:a.example"
bob GET /v1/directory/alias/%23people -> 200
    data.id = {{people}}



=== TEST 33: to strangers, private rooms and what is no alias are nobody's
--- calls
stranger GET /v1/directory/alias/%23people -> 404 SW_ROOM_NOT_FOUND
    error.details !
stranger GET /v1/directory/alias/%23none:a.example -> 404 SW_ROOM_NOT_FOUND
stranger GET /v1/directory/alias/%23offentlich:b.example -> 404 SW_ROOM_NOT_FOUND
stranger GET /v1/directory/alias/%23 -> 404 SW_ROOM_NOT_FOUND
stranger GET /v1/directory/alias/offentlich -> 404 SW_ROOM_NOT_FOUND
stranger GET /v1/directory/alias/{{room}} -> 404 SW_ROOM_NOT_FOUND
stranger GET /v1/directory/alias/@nobody:a.example -> 404 SW_PARTICIPANT_NOT_FOUND
stranger GET /v1/directory/alias/@bob:b.example -> 404 SW_PARTICIPANT_NOT_FOUND
stranger GET /v1/directory/alias/@bob -> 404 SW_ROOM_NOT_FOUND
