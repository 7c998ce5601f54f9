# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# GET and POST /v1/workspaces, GET and POST /v1/workspaces/{id}/members

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
data[0] # 6
data[0].id = $ann->{workspace_id}
data[0].id ~ ^ws-
data[0].kind = personal
data[0].name = ann
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
data # 6
data.id ~ ^ws-[0-9a-z]{26}\$
data.name = Shared
data.kind = shared
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
expect('403 SW_WORKSPACE_FORBIDDEN', 'GET', $members, 'bob');

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
$add->('403 SW_WORKSPACE_FORBIDDEN', 'bob', 'ann', 'viewer');
is($role->('ann'), 'owner', 'who made it stays its owner');
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
$add->('403 SW_WORKSPACE_FORBIDDEN', 'dan', 'nobody', 'viewer');

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

# an index that the store's other keys don't bear out: no role, none of one's
# own, and nobody falls over it
redis('HDEL', key("w:$all[3]:members"), 'dan');
is_deeply([ids(pages($list, 'dan', 'cursor', 5))],
          [@all[0 .. 2, 4 .. $#all]], 'one that has no role for the caller');
stop_nginx();

done_testing();
