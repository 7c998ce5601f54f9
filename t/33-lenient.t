# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# What is taken from clients that write things in other ways than we do, and
# what is refused: on every row of the table alike.

use strict;
use warnings;

use File::Temp ();
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Table qw(table_rows);

my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my $dir = File::Temp->newdir('rooms-lenient-XXXXXXXX', TMPDIR => 1);

open my $key, '>', "$dir/key" or die $!;
print $key encode_base64('k' x 32, '');
close $key;
chmod 0600, "$dir/key";

run_nginx(<<"END");
    rooms on;
    rooms_auth mock;
    rooms_redis redis://$ENV{TEST_NGINX_REDIS}/0;
    rooms_server_name a.example;
    rooms_tenant acme;
    rooms_federation on;
    rooms_federation_key $dir/key;
    location = /_rooms_peer { internal; return 502; }
END

my $admin = 'mock:ada@acme:admin';

sub call {
    my ($who, $method, $path, $body) = @_;
    my $res = http_req($method, $path, $who =~ /^mock/ ? $who
                                                       : "mock:$who\@acme",
                       ref $body ? $json->encode($body) : $body);

    return { status => $res->[0], text => $res->[2], headers => $res->[1],
             all => eval { $json->decode($res->[2]) } || {} };
}

# what an answer says, without what differs each time
sub said {
    my ($res) = @_;
    my $error = $res->{all}{error};

    return $error ? join ' ', $res->{status}, $error->{code},
                              $json->encode($error->{details} // [])
                  : $res->{status};
}

sub made {
    my ($res) = @_;

    return $res->{all}{data}{id} // die "$res->{status} $res->{text}";
}

for my $who (qw(bob carol dave eve)) {
    call($who, 'POST', '/v1/auth/register');
}

my $room = made(call($admin, 'POST', '/v1/rooms',
                     { room_type => 'public', name => "\x{d6}ffentlich" }));
my $alias = '%23offentlich:a.example';
my $workspace = made(call($admin, 'POST', '/v1/workspaces', { name => 'W' }));
my $event = made(call($admin, 'POST', "/v1/rooms/$room/send",
                      { content => { body => 'hello' } }));
my $none = 'room-0' . '0' x 25;

is(call($admin, 'GET', "/v1/rooms/$alias")->{all}{data}{id}, $room,
   'the alias');

# The rows that participants may ask

my @rows;
for my $row (grep { !$_->{envelope} } table_rows()) {
    next if $row->{flags} =~ /PEER|OPEN|UPLOAD/;

    push @rows, { %$row, name => "$row->{method} $row->{path}",
                  body => $row->{flags} =~ /\bBODY\b/ ? 1 : 0 };
}

cmp_ok(scalar @rows, '>', 40, 'rows of the table');

sub path_of {
    my ($row, %o) = @_;
    my %param = (room => $room, participant => 'bob', event => $event,
                 workspace => $workspace, media => 'med-0' . '0' x 25,
                 server => 'b.example', alias => $alias, %o);

    return $row->{path} =~ s/\{(\w+)\}/$param{$1} \/\/ 'x'/ger;
}


# Bodies that are no object, or hold what JSON may not

my @bad = (
    ['[]', 'body'], ['"a"', 'body'], ['5', 'body'], ['null', 'body'],
    ['true', 'body'], ['a=b&c=d', 'body'], ['{', 'body'], [' ', 'body'],
    ['{} {}', 'body'], ["\xef\xbb\xbf[]", 'body'],
    ["\xef\xbb\xbf\xef\xbb\xbf{}", 'body'],
    ['{"a": 1, "a": 2}', 'a'], ['{"a": "\u0000"}', 'a'],
    ["{\"a\": \"\xff\"}", 'a'], ["{\"a\": \"\xed\xa0\x80\"}", 'a'],
    ['{"a": "\ud800"}', 'a'], ['{"a": 1e999}', 'a'],
    ['{"a": [[{"b": 1, "b": 1}]]}', 'b|a'],
);

for my $row (@rows) {
    my @wrong;

    for my $case (@bad) {
        my ($body, $field) = @$case;

        # white space alone is no body that is there
        my $res = call($admin, $row->{method}, path_of($row), $body);
        my $said = said($res);

        push @wrong, "$body: $said"
            if $said !~ /^400 SW_VALIDATION_FAILED .*"field":"(?:$field)"/;
    }

    is_deeply(\@wrong, [], "$row->{name}: what is no object");
}

# A BOM, where a body is asked for and where not

for my $row (@rows) {
    my $path = path_of($row, room => $none, workspace => 'ws-0' . '0' x 25);

    next if $path !~ /$none|ws-0/ && !$row->{body};

    is(said(call($admin, $row->{method}, $path, "\xef\xbb\xbf{}")),
       said(call($admin, $row->{method}, $path, '{}')), "$row->{name}: a BOM");

    next if $row->{body};

    is(said(call($admin, $row->{method}, $path, '{}')),
       said(call($admin, $row->{method}, $path)),
       "$row->{name}: an object where none is asked for");
}

is(call($admin, 'POST', '/v1/rooms', "\xef\xbb\xbf"
        . '{"room_type": "group", "name": "B"}')->{status}, 201,
   'a room, with a BOM');
is(call($admin, 'POST', "/v1/rooms/$room/send", "\xef\xbb\xbf"
        . '{"content": {"body": "x"}}')->{all}{data}{content}{body}, 'x',
   'a message, with a BOM');


# Arguments

my @names = qw(limit cursor offset q room_type membership workspace_id count
               since from to direction media emoji before);
my $empty = join '&', 'timeout=0', map { ("$_=", $_) } @names;

for my $row (grep { $_->{method} eq 'GET' } @rows) {
    my $path = path_of($row);
    my $res = call($admin, 'GET', "$path?timeout=0");

    is(said(call($admin, 'GET', "$path?$empty")), said($res),
       "$row->{name}: empty arguments are none");
    isnt($res->{status}, 400, "$row->{name}: none is needed");
}

my @numbers = (
    ['/v1/directory/rooms', 'limit', 2], ['/v1/directory/rooms', 'offset', 1],
    ['/v1/rooms/archived', 'limit', 2], ['/v1/workspaces', 'limit', 1],
    ["/v1/rooms/$room/members", 'limit', 1],
    ["/v1/rooms/$room/messages", 'limit', 2],
    ['/v1/sync?timeout=0', 'limit', 2], ['/v1/sync?timeout=0', 'since', 1],
    ['/v1/sync?since=0', 'timeout', 0],
);

for my $case (@numbers) {
    my ($path, $name, $n) = @$case;
    my $join = $path =~ /[?]/ ? '&' : '?';
    my $want = call($admin, 'GET', "$path$join$name=$n")->{text};

    for my $form ("$n.0", "$n.000", "${n}e0", "${n}0E-1", "0.${n}e1", "0$n",
                  "%2B$n")
    {
        is(call($admin, 'GET', "$path$join$name=$form")->{text}, $want,
           "$path: $name=$form");
    }

    for my $form ("$n.5", "${n}e", "1${n}e-2", "0x$n", 'many', '1e99', "-5",
                  "$n ", '%00', '%ff', "$n%00")
    {
        my $res = call($admin, 'GET', "$path$join$name=" . $form =~ s/ /%20/r);

        like(said($res), qr/^400 .*"field":"$name"/, "$path: $name=$form");
    }
}

for my $name (qw(q room_type membership count limit cursor)) {
    like(said(call($admin, 'GET', "/v1/directory/rooms?$name=%ff")),
         qr/^400 .*"field":"$name"/, "directory: $name, no UTF-8");
}

like(said(call($admin, 'GET', "/v1/rooms/$room/members?membership=%ff")),
     qr/^400 .*"field":"membership"/, 'members: no UTF-8');
like(said(call($admin, 'GET', "/v1/rooms/$room/messages?direction=%00")),
     qr/^400 .*"field":"direction"/, 'messages: NUL');
like(said(call($admin, 'GET', "/v1/rooms/$room/export?media=%ff")),
     qr/^400 .*"field":"media"/, 'export: no UTF-8');

# Numbers in bodies

call('bob', 'POST', "/v1/rooms/$room/join");

for my $n ('5', '5.0', '5e0', '50e-1', '0.5e1', '-0.0', '1e1', '100.0') {
    my $res = call($admin, 'PUT', "/v1/rooms/$room/members/bob/power-level",
                   "{\"power_level\": $n}");

    is(said($res), 200, "power_level: $n");
    is($res->{all}{data}{power_level}, 0 + $n, 'as it is');
}

for my $n ('5.5', '1e-1', '1e20', '"5"', '9007199254740994.0') {
    like(said(call($admin, 'PUT', "/v1/rooms/$room/members/bob/power-level",
                   "{\"power_level\": $n}")),
         qr/^400 .*"field":"power_level"/, "power_level: $n");
}

is(said(call($admin, 'PUT', "/v1/rooms/$room/mute", '{"duration": 6e1}')), 200,
   'duration');
is(said(call($admin, 'PUT', '/v1/admin/federation/policy',
             '{"max_foreign_participants_per_room": 7.0}')), 200, 'policy');
is(call($admin, 'GET', '/v1/admin/federation/policy')
       ->{all}{data}{max_foreign_participants_per_room}, 7, 'as it is');
is(call($admin, 'POST', "/v1/rooms/$room/send",
        '{"content": {"n": 5.0, "m": 1e3}}')->{text} =~ /"n":\s*5\.0/ ? 1 : 0,
   1, 'a content is as it was sent');


# Times

my $group = made(call($admin, 'POST', '/v1/rooms',
                      { room_type => 'group', name => 'Export' }));

for my $time ('2020-01-01T00:00:00Z', '2020-01-01t00:00:00z',
              '2020-01-01T02:00:00%2B02:00', '2020-01-01T02:00:00+02:00',
              '2020-01-01T02:00:00%2002:00', '2020-01-01T00:00:00%2B00:00',
              '2020-01-01T00:00:00+00:00', '2019-12-31T22:30:00.5-01:30')
{
    is(call($admin, 'GET', "/v1/rooms/$group/export?from=$time")->{status},
       200, "from=$time");
}

for my $time ('2020-01-01', '2020-01-01%2000:00:00Z', 'now', '+',
              '2020-01-01T00:00:00', '2020-01-01T00:00:00++02:00',
              '2020-01-01T00:00:00+0200')
{
    like(said(call($admin, 'GET', "/v1/rooms/$group/export?to=$time")),
         qr/^400 .*"field":"to"/, "to=$time");
}

for my $time ('2099-01-01T00:00:00Z', '2099-01-01T00:00:00+00:00',
              '2099-01-01T05:30:00+05:30', '2098-12-31T14:00:00-10:00')
{
    is(call($admin, 'PUT', "/v1/rooms/$group/mute", { muted_until => $time })
           ->{all}{data}{muted_until}, '2099-01-01T00:00:00.000Z', $time);
}


# An alias is an id on every row

my %body = (participant_id => 'eve', name => 'x', topic => 't', role => 'viewer',
            workspace_id => $workspace, notification_mode => 'all',
            event_id => $event, content => { body => 'x' }, power_level => 5,
            emoji => 'x', enabled => JSON::PP::true,
            fqid => '@x:b.example', limit => 1, room_type => 'group');

for my $row (grep { $_->{path} =~ /\{room\}/ } @rows) {
    my %body = $row->{path} =~ /mute/ ? (muted => JSON::PP::true) : %body;
    my @body = $row->{body} ? { %body } : ();
    my ($one, $two) = $row->{path} =~ /admin/ ? ($admin, $admin)
                                              : ('carol', 'dave');
    my $want = said(call($one, $row->{method}, path_of($row), @body));

    unlike($want, qr/^404/, "$row->{name}: with an id");

    for my $name ($alias, '%23offentlich', '%23offentlich%3Aa.example') {
        is(said(call($two, $row->{method}, path_of($row, room => $name),
                     @body)), $want, "$row->{name}: $name");
        $two = 'mock:late' . ++$body{n} . '@acme' if $two ne $admin;
    }

    like(said(call($one, $row->{method}, path_of($row, room => '%23none'),
                   @body)), qr/^404 SW_ROOM_NOT_FOUND/, "$row->{name}: none");
    like(said(call($one, $row->{method},
                   path_of($row, room => '%23offentlich:b.example'), @body)),
         qr/^404 SW_ROOM_NOT_FOUND/, "$row->{name}: of another server");
}

is(call('dave', 'POST', "/v1/rooms/$alias/join")->{all}{data}{room_id}, $room,
   'what is said of it has the id');

# An fqid is an id wherever a participant is

my $people = made(call($admin, 'POST', '/v1/rooms',
                       { room_type => 'group', name => 'People' }));
my $at = '@eve:a.example';

for (['invite', { participant_id => $at }, 'invite'],
     ['kick', { participant_id => $at }, 'leave'],
     ['invite', { participant_ids => [$at] }, undef],
     ['ban', { participant_id => $at }, 'ban'],
     ['unban', { participant_id => $at }, 'leave'])
{
    my ($what, $body, $membership) = @$_;
    my $res = call($admin, 'POST', "/v1/rooms/$people/$what", $body);
    my $data = $membership ? $res->{all}{data}
                           : $res->{all}{data}{results}[0];

    is("$res->{status} $data->{participant_id} $data->{membership}",
       '200 eve ' . ($membership // 'invite'), "$what by fqid");
}

my $res = call($admin, 'POST', "/v1/rooms/$people/invite",
               { participant_ids => ['bob', '@eve:a.example', '@eve:b.example',
                                     '@nobody:a.example', '@eve:',
                                     '@carol:a.example'] });

is(join(' ', map { ($_->{participant_id} // '') . '='
                   . ($_->{membership} // $_->{error}{code}) }
             @{$res->{all}{data}{results}}),
   'bob=invite eve=invite @eve:b.example=SW_PARTICIPANT_NOT_FOUND '
   . '@nobody:a.example=SW_PARTICIPANT_NOT_FOUND @eve:=SW_PARTICIPANT_NOT_FOUND '
   . 'carol=invite', 'many, some by fqid');
is(said(call($admin, 'PUT', "/v1/rooms/$room/members/%40bob:a.example/"
                            . 'power-level', { power_level => 7 })), 200,
   'power level by fqid');
is(said(call($admin, 'PUT', "/v1/rooms/$alias/members/\@bob:a.example/"
                            . 'power-level', { power_level => 8 })), 200,
   'and an alias');
is(call($admin, 'GET', "/v1/rooms/$alias/members?limit=2")->{status}, 200,
   'members by an alias');
$res = call($admin, 'POST', '/v1/rooms/dm', { participant_id => $at });
is($res->{status}, 201, 'a DM by fqid');
is(call($admin, 'POST', '/v1/rooms/dm', { participant_id => 'eve' })
       ->{all}{data}{id}, $res->{all}{data}{id}, 'is that by id');
is(said(call($admin, 'POST', "/v1/workspaces/$workspace/members",
             { participant_id => $at, role => 'viewer' })) =~ /^20\d/ ? 1 : 0,
   1, 'a workspace by fqid');
like(said(call($admin, 'POST', '/v1/rooms/dm',
               { participant_id => '@nobody:a.example' })),
     qr/^404 SW_PARTICIPANT_NOT_FOUND/, 'nobody');

# Idempotency is of what was sent

$res = http_req('POST', "/v1/rooms/$alias/send", $admin,
                { content => { body => 'once' } }, 'Idempotency-Key' => 'k1');
is(json_get(http_req('POST', "/v1/rooms/$alias/send", $admin,
                     { content => { body => 'once' } },
                     'Idempotency-Key' => 'k1')->[2], 'data.id'),
   json_get($res->[2], 'data.id'), 'a replay by an alias');


# What an alias is

for (['%23offentlich:a.example', { type => 'room', id => $room }],
     ['%23offentlich', { type => 'room', id => $room }],
     ['%40bob:a.example', { type => 'participant', id => 'bob',
                            fqid => '@bob:a.example' }],
     ['@bob:a.example', { type => 'participant', id => 'bob',
                          fqid => '@bob:a.example' }])
{
    is_deeply(call('bob', 'GET', "/v1/directory/alias/$_->[0]")->{all}{data},
              $_->[1], $_->[0]);
}

for (['%23people', 'SW_ROOM_NOT_FOUND'], ['%23none:a.example', 'SW_ROOM_NOT_FOUND'],
     ['%23offentlich:b.example', 'SW_ROOM_NOT_FOUND'], ['%23', 'SW_ROOM_NOT_FOUND'],
     ['offentlich', 'SW_ROOM_NOT_FOUND'], [$room, 'SW_ROOM_NOT_FOUND'],
     ['@nobody:a.example', 'SW_PARTICIPANT_NOT_FOUND'],
     ['@bob:b.example', 'SW_PARTICIPANT_NOT_FOUND'],
     ['@bob', 'SW_ROOM_NOT_FOUND'])
{
    is(said(call('mock:stranger@acme', 'GET', "/v1/directory/alias/$_->[0]")),
       "404 $_->[1] []", "$_->[0] is nobody's");
}

is(call('bob', 'GET', '/v1/directory/alias/%23people')->{all}{data}{id},
   $people, 'who is invited sees it');
is(stop_nginx(), 0, 'it ends in order');

done_testing();
