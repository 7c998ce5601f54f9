# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# A participant's id is any visible ASCII.  People with the oddest ids do all
# that a room offers: what they are is written into rows of words, keys, JSON,
# paths, cursors and bundles, and read from there.

use strict;
use warnings;

use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;

my $port = start('', workers => 2, http => <<'END');
    log_format who escape=json '{"who": "$rooms_participant"}';
    access_log who.log who;
END

my $json = JSON::PP->new->utf8->canonical;
my $all = join '', map { chr } 0x21 .. 0x7e;
my @odd = ('auth0|64f0a1', 'https://id.example/u/1?a=b#c%20d', $all,
           '"' x 255, '\\' x 255, '/', '/evt-1', '*', '[x]', '~x', '@home',
           '@a@b', '%2F', "a'b", '{t}', 'x' x 255, ':', '=1', '\\u0041',
           'a@b.example', '$1', '-', '0', '&amp;', '<b>');

sub who { return "$_[0]\@acme" }
sub escape { return $_[0] =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger }

sub ok_call {
    my ($want, $method, $path, $who, $body) = @_;
    my $res = call($method, $path, who($who), $body);

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is($res->{status}, $want, "$method " . substr($path, 0, 60) . ' of '
                              . substr($who, 0, 20))
        || diag($res->{body});

    return $res->{data};
}

# One test: these are all, each once, whatever the order.
sub same_people {
    my ($name, $got, @want) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return is_deeply([sort @$got], [sort @want], $name);
}

my %fqid;

for my $who (@odd) {
    my $data = ok_call(200, 'POST', '/v1/auth/register', $who);

    is($data->{participant_id}, $who, 'registered as what it is');
    $fqid{$who} = $data->{fqid};
}

# all make a room each, and all invite all

my ($first, @others) = @odd;
my $room = ok_call(201, 'POST', '/v1/rooms', $first,
                   { room_type => 'group', name => 'Odd' })->{id};
my $results = ok_call(200, 'POST', "/v1/rooms/$room/invite", $first,
                      { participant_ids => \@others });

same_people('all are invited',
            [map { $_->{participant_id} }
             grep { ($_->{membership} // '') eq 'invite' }
             @{$results->{results}}], @others);

ok_call(200, 'POST', "/v1/rooms/$room/join", $_) for @others;

same_people('all are members, on pages of 3',
            [map { $_->{participant_id} }
             pages("/v1/rooms/$room/members", who($first), 'cursor', 3)],
            @odd);
verify_room($room);

# power by the path; a creator as all see it

for my $who (@others) {
    my $row = ok_call(200, 'PUT', "/v1/rooms/$room/members/" . escape($who)
                      . '/power-level', $first, { power_level => 50 });

    is($row->{participant_id}, $who, 'in the answer');
}

for my $who (@odd) {
    my $own = ok_call(201, 'POST', '/v1/rooms', $who,
                      { room_type => 'public', name => 'Of one' });

    is($own->{creator_id}, $who, 'the creator');
    is(ok_call(200, 'GET', "/v1/rooms/$own->{id}", $who)->{creator_id}, $who,
       'and as it is read back');
    is(ok_call(200, 'PUT', "/v1/rooms/$own->{id}/topic", $who,
               { topic => '"' x 1000 })->{creator_id}, $who,
       'with a topic that is all quotes');
}

# messages: one's own can be edited, reacted to, redacted; others' can't

my %said;

for my $who (@odd) {
    my $event = ok_call(201, 'POST', "/v1/rooms/$room/send", $who,
                        { content => { body => "by $who" } });

    $said{$who} = $event->{id};
    is($event->{sender_id}, $who, 'the sender');
}

for my $i (0 .. $#odd) {
    my ($who, $other) = ($odd[$i], $odd[$i - 1]);
    my $path = "/v1/rooms/$room/events/$said{$who}";

    ok_call(200, 'POST', "$path/edit", $who, { content => { body => 'edited' } });
    ok_call(403, 'POST', "$path/edit", $other, { content => { body => 'x' } });
    ok_call(200, 'POST', "$path/reaction", $other, { emoji => '+' });
    ok_call(200, 'POST', "$path/reaction", $who, { emoji => '+' });
    ok_call(200, 'DELETE', "$path/reaction?emoji=%2B", $who);
}

same_people('the senders of all messages',
            [map { $_->{sender_id} }
             grep { $_->{event_type} eq 'swp.room.message'
                    && !$_->{content}{replaces} }
             events($room, who($first))], @odd);

# reading, and being woken

for my $who (@odd) {
    ok_call(200, 'PUT', "/v1/rooms/$room/read", $who,
            { event_id => $said{$odd[-1]} });
    is(ok_call(200, 'GET', "/v1/rooms/$room", $who)
           ->{me}{last_read_event_id}, $said{$odd[-1]}, 'read to the last');
}

for my $who ($all, '"' x 255, 'x' x 255, '/') {
    my $now = must('GET', '/v1/sync?timeout=0', who($who))->{next_cursor};

    known('waker');

    my $began = time;
    my $child = fork() // die;

    if ($child == 0) {
        sleep 1;
        call('POST', '/v1/rooms/dm', 'waker', { participant_id => $who });
        POSIX::_exit(0);
    }

    my $news = call('GET', "/v1/sync?timeout=30&since=$now", who($who));

    waitpid $child, 0;
    is($news->{status}, 200, 'a follower') || diag $news->{body};
    ok(scalar(@{$news->{data}{events} // []}), 'learns what concerns it');
    cmp_ok(time - $began, '<', 20, 'when it happens');
}

# DMs with all, by all

for my $i (0 .. $#odd) {
    my ($who, $other) = ($odd[$i], $odd[$i - 1]);
    my $dm = ok_call(201, 'POST', '/v1/rooms/dm', $who,
                     { participant_id => $other });

    is(ok_call(200, 'POST', '/v1/rooms/dm', $other,
               { participant_id => $who })->{id}, $dm->{id},
       'a DM is one, from both sides');
}

# workspaces

for my $who (@others) {
    my ($own) = @{ok_call(200, 'GET', '/v1/workspaces', $who)};

    ok_call(200, 'POST', "/v1/workspaces/$own->{id}/members", $who,
            { participant_id => $first, role => 'viewer' });
    same_people('members of a workspace',
                [map { $_->{participant_id} }
                 @{ok_call(200, 'GET', "/v1/workspaces/$own->{id}/members",
                           $first)}], $who, $first);
}

# out and back into a bundle, which names all of them

my $export = http_req('GET', "/v1/rooms/$room/export",
                      'mock:' . who($first));

is($export->[0], 200, 'an export');

my $boundary = 'rooms-test-boundary';
my $form = "--$boundary\r\nContent-Disposition: form-data; name=\"file\"; "
           . "filename=\"b.zip\"\r\nContent-Type: application/zip\r\n\r\n"
           . "$export->[2]\r\n--$boundary--\r\n";
my $import = http_req('POST', '/v1/rooms/import', 'mock:' . who($first),
                      $form, 'Content-Type' =>
                      "multipart/form-data; boundary=$boundary");

is($import->[0], 201, 'and its import') || diag $import->[2];

my $again = $json->decode($import->[2])->{data}{id};

same_people('have the same authors',
            [map { $_->{content}{_imported_sender}{fqid} }
             grep { $_->{event_type} eq 'swp.room.message'
                    && !$_->{content}{replaces} }
             events($again, who($first))], map { $fqid{$_} } @odd);

# out of the room: kicked, banned, unbanned by the body, and gone by itself

my ($last, @rest) = reverse @others;

for my $who (@rest) {
    ok_call(200, 'POST', "/v1/rooms/$room/ban", $first,
            { participant_id => $who, reason => $who });
}

same_people('all who were banned',
            [map { $_->{participant_id} }
             pages("/v1/rooms/$room/members?membership=ban", who($first),
                   'cursor', 3)], @rest);

ok_call(200, 'POST', "/v1/rooms/$room/unban", $first,
        { participant_id => $_ }) for @rest;
ok_call(200, 'POST', "/v1/rooms/$room/leave", $first);
is(member($room, who($last), $last)->{power_level}, 100,
   'who is left is the administrator');
verify_room($room);

# a participant who would be taken for the owner of a local id

my $fake = call('POST', '/v1/auth/register', '@auth0-64f0a1:' . host()
                . '@acme');

is($fake->{status}, 401, 'nobody is "@local:server" of ours');
like($fake->{headers}{'www-authenticate'}, qr/error_description=".*\@local/,
     'and is told so');

unlike(nginx_log(), qr/\[(?:alert|crit|emerg|error)\]/, 'a quiet log');

done_testing();
