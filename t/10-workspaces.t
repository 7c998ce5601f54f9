# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# /v1/workspaces, one of them, and its members

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;

start();

my ($ann, $bob) = known(qw(ann bob));

known(qw(cy dan));

my $list = '/v1/workspaces';

# the personal one is there from the first request on
my $res = expect(<<"END", 'GET', $list, 'ann');
200
data # 1
data[0] # 7
data[0].id = $ann->{workspace_id}
data[0].id ~ ^ws-
data[0].kind = personal
data[0].name = ann
data[0].description null
data[0].owner_id = ann
data[0].role = owner
data[0].created_at ~ ^\\d{4}-\\d\\d-\\d\\dT.*Z\$
meta.has_more = false
meta.next_cursor null
END

isnt($ann->{workspace_id}, $bob->{workspace_id}, "one's own");

# a shared one
$res = expect(<<"END", 'POST', $list, 'ann', { name => ' Shared ' });
201
data # 7
data.id ~ ^ws-[0-9a-z]{26}\$
data.name = Shared
data.kind = shared
data.description null
data.owner_id = ann
data.role = owner
data.created_at ~ Z\$
END

my $ws = $res->{data}{id};
my $members = "$list/$ws/members";

is_deeply((grep { $_->{id} eq $ws } @{call('GET', $list, 'ann')->{data}})[0],
          $res->{data}, 'listed as it was answered');

for my $bad ({}, { name => undef }, { name => '' }, { name => '  ' },
             { name => 'x' x 129 }, { name => "a\nb" }, { name => 1 })
{
    expect('400 SW_VALIDATION_FAILED name', 'POST', $list, 'ann', $bad);
}

expect('400 SW_VALIDATION_FAILED body', 'POST', $list, 'ann', '[]');
expect('201', 'POST', $list, 'cy', { name => "\x{e9}" x 128 });

# members: only for members
$res = expect(<<"END", 'GET', $members, 'ann');
200
data # 1
data[0] # 4
data[0].participant_id = ann
data[0].fqid = "\@ann:rooms.test"
data[0].display_name = ann
data[0].role = owner
END
expect('404 SW_WORKSPACE_NOT_FOUND', 'GET', $members, 'bob');

for my $id ('x', 'ws-', 'ws-00000000000000000000000000', "$ws:members",
            "$ws%3Amembers", uc $ws)
{
    expect('404 SW_WORKSPACE_NOT_FOUND', 'GET', "$list/$id/members", 'ann');
    expect('404 SW_WORKSPACE_NOT_FOUND', 'POST', "$list/$id/members", 'ann',
           { participant_id => 'bob', role => 'viewer' });
}

expect('404 SW_WORKSPACE_NOT_FOUND', 'GET', $members, 'ann@other');

my $add = sub {
    my ($want, $who, $whom, $role) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return expect($want, 'POST', $members, $who,
                  { participant_id => $whom, role => $role });
};
my $role = sub {
    my ($row) = grep { $_->{participant_id} eq $_[0] }
                @{call('GET', $members, 'ann')->{data}};

    return $row ? $row->{role} : undef;
};

# an owner gives roles
$add->(<<"END", 'ann', 'bob', 'viewer');
200
data # 4
data.participant_id = bob
data.fqid = "\@bob:rooms.test"
data.role = viewer
END
is($role->('bob'), 'viewer', 'kept');
expect("200\ndata # 2", 'GET', $members, 'bob');
expect("200\ndata # 2\ndata[1].role = viewer\ndata[1].id = $ws", 'GET',
       $list, 'bob');
$add->('403 SW_WORKSPACE_FORBIDDEN', 'bob', 'cy', 'viewer');
$add->('200', 'ann', 'bob', 'viewer');
$add->("200\ndata.role = editor", 'ann', 'bob', 'editor');
$add->('403 SW_WORKSPACE_FORBIDDEN', 'bob', 'cy', 'viewer');
$add->('403 SW_WORKSPACE_FORBIDDEN', 'bob', 'bob', 'owner');
$add->("200\ndata.role = owner", 'ann', 'bob', 'owner');
$add->('200', 'bob', 'cy', 'editor');
$add->('200', 'bob', 'cy', 'viewer');
is($role->('cy'), 'viewer', 'a role may go down');
$add->("200\ndata.role = editor", 'bob', 'ann', 'editor');
$add->('409 SW_WORKSPACE_NEEDS_OWNER', 'bob', 'bob', 'viewer');
$add->('409 SW_WORKSPACE_NEEDS_OWNER', 'bob', 'bob', 'editor');
$add->("200\ndata.role = owner", 'bob', 'bob', 'owner');
is($role->('bob'), 'owner', 'the last owner stays one');
$add->("200\ndata.role = owner", 'bob', 'ann', 'owner');
$add->('200', 'ann', 'bob', 'viewer');
$add->('403 SW_WORKSPACE_FORBIDDEN', 'bob', 'cy', 'editor');
$add->('404 SW_PARTICIPANT_NOT_FOUND', 'ann', 'nobody', 'viewer');
$add->('404 SW_PARTICIPANT_NOT_FOUND', 'ann', 'no body', 'viewer');

for my $bad ([participant_id => undef, 'viewer'], [participant_id => '',
             'viewer'], [participant_id => 1, 'viewer'],
             [role => 'cy', undef], [role => 'cy', ''], [role => 'cy', 'x'],
             [role => 'cy', 'OWNER'], [role => 'cy', 1])
{
    $add->("400 SW_VALIDATION_FAILED $bad->[0]", 'ann', @$bad[1, 2]);
}

expect('400 SW_VALIDATION_FAILED role', 'POST', $members, 'ann',
       { participant_id => 'cy' });

# the body is looked at before the workspace, that before the role, and all
# before the target
expect('400 SW_VALIDATION_FAILED role', 'POST', "$list/ws-x/members", 'ann',
       { participant_id => 'cy' });
$add->('404 SW_WORKSPACE_NOT_FOUND', 'dan', 'nobody', 'viewer');
$add->('403 SW_WORKSPACE_FORBIDDEN', 'bob', 'nobody', 'viewer');

# a personal workspace may be shared, and stays its owner's
expect('200', 'POST', "$list/$ann->{workspace_id}/members", 'ann',
       { participant_id => 'bob', role => 'editor' });
expect("201\ndata.workspace_id = $ann->{workspace_id}", 'POST', '/v1/rooms',
       'bob', { room_type => 'group', name => 'x',
                workspace_id => $ann->{workspace_id} });

# pages
must('POST', $list, 'dan', { name => "W $_" }) for 1 .. 11;

my @all = sort map { $_->{id} } pages($list, 'dan', 'cursor', 200);

is(scalar @all, 12, 'all of them');
is_deeply([ids(pages($list, 'dan', 'cursor', $_))], \@all, "pages of $_")
    for 1, 5, 11, 12, 13;
is(call('GET', "$list?limit=12", 'dan')->{meta}{next_cursor}, undef,
   'a page that is just full is the last');

for my $case ([limit => 'limit=0'], [limit => 'limit=201'],
              [cursor => 'cursor=x'], [cursor => "cursor=$ws"])
{
    expect("400 SW_VALIDATION_FAILED $case->[0]", 'GET', "$list?$case->[1]",
           'dan');
}

expect('200', 'HEAD', $list, 'dan');
expect('405 SW_METHOD_NOT_ALLOWED', 'PUT', $list, 'dan', {});
expect('401 SW_AUTH_INVALID_TOKEN', 'GET', $list, undef);

# one of them: what it is, its name and what it is about
my $one = "$list/$ws";
my $shown = call('GET', $list, 'ann')->{data};

is_deeply(call('GET', $one, 'ann')->{data},
          (grep { $_->{id} eq $ws } @$shown)[0], 'by itself as in the list');
expect("200\ndata.role = viewer", 'GET', $one, 'bob');
expect('200', 'HEAD', $one, 'bob');
expect('404 SW_WORKSPACE_NOT_FOUND', 'GET', $one, 'dan');
expect('404 SW_WORKSPACE_NOT_FOUND', 'GET', $one, 'ann@other');
expect('404 SW_WORKSPACE_NOT_FOUND', 'GET', $one, 'dan!');
expect('405 SW_METHOD_NOT_ALLOWED', 'PUT', $one, 'ann', {});
like(call('PUT', $one, 'ann', {})->{headers}{allow},
     qr/^GET, HEAD, PATCH, DELETE$/, 'methods');

expect("200\ndata.name = Renamed\ndata.description null", 'PATCH', $one,
       'ann', { name => ' Renamed ' });
expect("200\ndata.name = Renamed\ndata.description = About", 'PATCH', $one,
       'ann', { description => 'About' });
expect("200\ndata.name = Again\ndata.description = About", 'PATCH', $one,
       'ann', { name => 'Again' });
expect("200\ndata.name = Again\ndata.description = About", 'PATCH', $one,
       'ann', {});
expect("200\ndata.description = About", 'GET', $one, 'bob');
expect("200\ndata.description null", 'PATCH', $one, 'ann',
       { description => undef });
expect("200\ndata.name = Again\ndata.description null", 'GET', $one, 'bob');
expect('403 SW_WORKSPACE_FORBIDDEN', 'PATCH', $one, 'bob', { name => 'x' });
expect('404 SW_WORKSPACE_NOT_FOUND', 'PATCH', $one, 'dan', { name => 'x' });

for my $bad ([name => undef], [name => ''], [name => "\x{200b}"],
             [name => 'x' x 129], [name => 1], [description => 1],
             [description => 'x' x 1025], [description => "a\x{1}"])
{
    expect("400 SW_VALIDATION_FAILED $bad->[0]", 'PATCH', $one, 'ann',
           { @$bad });
    expect("400 SW_VALIDATION_FAILED $bad->[0]", 'POST', $list, 'ann',
           { name => 'x', @$bad });
}

expect('400 SW_VALIDATION_FAILED name', 'PATCH', "$list/ws-none", 'ann',
       { name => '' });
expect("201\ndata.description = About", 'POST', $list, 'cy',
       { name => 'C', description => 'About' });

# members: a role of one who has one; who is in it may leave
expect("200\ndata # 4\ndata.participant_id = cy\ndata.role = editor",
       'PATCH', "$members/cy", 'ann', { role => 'editor' });
is($role->('cy'), 'editor', 'changed');
expect('404 SW_PARTICIPANT_NOT_FOUND', 'PATCH', "$members/dan", 'ann',
       { role => 'editor' });
expect('404 SW_PARTICIPANT_NOT_FOUND', 'PATCH', "$members/nobody", 'ann',
       { role => 'editor' });
expect('403 SW_WORKSPACE_FORBIDDEN', 'PATCH', "$members/cy", 'cy',
       { role => 'owner' });
expect('404 SW_WORKSPACE_NOT_FOUND', 'PATCH', "$members/cy", 'dan',
       { role => 'owner' });
expect('400 SW_VALIDATION_FAILED role', 'PATCH', "$members/cy", 'ann',
       { role => 'none' });
expect('409 SW_WORKSPACE_NEEDS_OWNER', 'PATCH', "$members/ann", 'ann',
       { role => 'editor' });
expect('409 SW_WORKSPACE_NEEDS_OWNER', 'DELETE', "$members/ann", 'ann');
expect('403 SW_WORKSPACE_FORBIDDEN', 'DELETE', "$members/bob", 'cy');
expect('404 SW_PARTICIPANT_NOT_FOUND', 'DELETE', "$members/dan", 'ann');
expect("200\ndata.participant_id = cy\ndata.role null", 'DELETE',
       "$members/cy", 'cy');
is($role->('cy'), undef, 'left');
expect('404 SW_WORKSPACE_NOT_FOUND', 'GET', $one, 'cy');
expect('404 SW_WORKSPACE_NOT_FOUND', 'DELETE', "$members/cy", 'cy');
ok(!(grep { $_->{id} eq $ws } @{call('GET', $list, 'cy')->{data}}),
   'and it is no longer on the list');
expect("200\ndata.role null", 'DELETE', "$members/bob", 'ann');
$add->('200', 'ann', 'bob', 'owner');
expect("200\ndata.role null", 'DELETE', "$members/ann", 'ann');
expect('404 SW_WORKSPACE_NOT_FOUND', 'GET', $one, 'ann');
expect('409 SW_WORKSPACE_NEEDS_OWNER', 'DELETE', "$members/bob", 'bob');
$add->('200', 'bob', 'ann', 'owner');

# pages of members
known(map { "m$_" } 1 .. 7);
$add->('200', 'ann', "m$_", 'viewer') for 1 .. 7;

{
    my @want = sort 'ann', 'bob', map { "m$_" } 1 .. 7;
    my $who = sub { [map { $_->{participant_id} } @_] };

    is_deeply($who->(pages($members, 'ann', 'cursor', $_)), \@want,
              "members, $_ on a page") for 1, 4, 8, 9, 10;

    my $page = call('GET', "$members?limit=3", 'ann');

    expect("200\ndata.role null", 'DELETE', "$members/$_", 'ann')
        for 'm1', 'm4';
    is_deeply($who->(@{call('GET', "$members?limit=3&cursor="
                            . $page->{meta}{next_cursor}, 'ann')->{data}}),
              [qw(m2 m3 m5)], 'nobody who stays is skipped');
}

for my $case ([limit => 'limit=0'], [limit => 'limit=1001'],
              [cursor => 'cursor=x'], [cursor => "cursor=$ws"])
{
    expect("400 SW_VALIDATION_FAILED $case->[0]", 'GET',
           "$members?$case->[1]", 'ann');
}

# deleting: not with open rooms, not a personal one
{
    my $room = must('POST', '/v1/rooms', 'bob',
                    { room_type => 'group', name => 'In use',
                      workspace_id => $ws })->{id};
    my $other = must('POST', '/v1/rooms', 'ann',
                     { room_type => 'group', name => 'Moved' })->{id};
    my $mine = $ann->{workspace_id};
    my $delete = sub {
        local $Test::Builder::Level = $Test::Builder::Level + 1;

        return expect($_[0], 'DELETE', $one, $_[1] // 'ann');
    };

    $delete->('403 SW_WORKSPACE_FORBIDDEN', 'm2');
    $delete->('404 SW_WORKSPACE_NOT_FOUND', 'dan');
    $delete->('409 SW_WORKSPACE_IN_USE');
    must('POST', "/v1/rooms/$room/archive", 'bob');
    must('PUT', "/v1/rooms/$other/workspace", 'ann', { workspace_id => $ws });
    $delete->('409 SW_WORKSPACE_IN_USE');
    must('PUT', "/v1/rooms/$other/workspace", 'ann',
         { workspace_id => $mine });
    must('POST', "/v1/rooms/$room/rejoin", 'bob');
    $delete->('409 SW_WORKSPACE_IN_USE');
    must('POST', "/v1/rooms/$room/close", 'bob');
    is(redis('EXISTS', key("w:$ws:rooms")), 0, 'its rooms are not open');
    ok((grep { $_ eq $other } @{redis('ZRANGE', key("w:$mine:rooms"), 0, -1)}),
       'the moved one is on the other list');

    expect('409 SW_WORKSPACE_PERSONAL', 'DELETE', "$list/$mine", 'ann');
    expect('403 SW_WORKSPACE_FORBIDDEN', 'DELETE', "$list/$mine", 'bob');
    expect("200\ndata.name = Mine", 'PATCH', "$list/$mine", 'ann',
           { name => 'Mine' });

    # an owner beside its person: that one stays
    must('POST', "$list/$mine/members", 'ann',
         { participant_id => 'bob', role => 'owner' });
    expect('409 SW_WORKSPACE_PERSONAL', 'DELETE', "$list/$mine/members/ann",
           'bob');
    expect('409 SW_WORKSPACE_PERSONAL', 'PATCH', "$list/$mine/members/ann",
           'bob', { role => 'viewer' });
    expect('200', 'PATCH', "$list/$mine/members/bob", 'ann',
           { role => 'editor' });
    must('POST', '/v1/rooms', 'ann', { room_type => 'group', name => 'x' });

    $delete->("200\ndata.id = $ws\ndata.role = owner");
    $delete->('404 SW_WORKSPACE_NOT_FOUND');
    expect('404 SW_WORKSPACE_NOT_FOUND', 'GET', $one, 'bob');
    expect('404 SW_WORKSPACE_NOT_FOUND', 'POST', '/v1/rooms', 'bob',
           { room_type => 'group', name => 'x', workspace_id => $ws });
    is_deeply(redis('KEYS', key("w:$ws*")), [], 'nothing of it is left');
    ok(!(grep { $_ eq $ws }
         map { @{redis('ZRANGE', key("p:$_:workspaces"), 0, -1)} }
             'ann', 'bob', 'm2'), 'on nobody\'s list');
}

# an index that the store's other keys don't bear out: no role, none of one's
# own, and nobody falls over it
redis('HDEL', key("w:$all[3]:members"), 'dan');
is_deeply([ids(pages($list, 'dan', 'cursor', 5))],
          [@all[0 .. 2, 4 .. $#all]], 'one that has no role for the caller');
stop_nginx();

done_testing();
