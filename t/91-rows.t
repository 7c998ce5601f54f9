# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# What holds for all rows of the table of endpoints alike: HEAD, limits of
# pages, times, conditional requests, fields that nobody knows, and the
# Idempotency-Key of each row that creates something.  A row that is added to
# the table fails here until its request is written down below.

use strict;
use warnings;

use File::Temp ();
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Bundle ();
use RoomsTest::Calls;
use RoomsTest::Export qw(bundle);
use RoomsTest::Table qw(table_rows);

my $dir = File::Temp->newdir('rooms-rows-XXXXXXXX', TMPDIR => 1);

open my $key, '>', "$dir/key" or die $!;
print $key encode_base64('k' x 32, '');
close $key;
chmod 0600, "$dir/key";

start(<<"END");
        rooms_tenant acme;
        rooms_federation on;
        rooms_federation_key $dir/key;
        rooms_url_secret_file $dir/key;
        location = /_rooms_peer { internal; return 502; }
END

known(qw(ada! bob cy dan));

my $form = 'multipart/form-data; boundary=b';

sub upload {
    my ($text) = @_;

    return qq(--b\r\nContent-Disposition: form-data; name="file"; )
           . qq(filename="a.txt"\r\n\r\n$text\r\n--b--\r\n);
}

# One of each, for the paths.
my $room = make(public => 'ada', name => 'Room');

admit($room, 'ada', 'bob=50', 'cy');
must('POST', "/v1/rooms/$room/ban", 'ada', { participant_id => 'dan' });

my $event = must('POST', "/v1/rooms/$room/send", 'ada',
                 { content => { body => 'hello' } })->{id};

must('POST', "/v1/rooms/$room/events/$event/reaction", 'bob',
     { emoji => 'x' });
must('POST', "/v1/rooms/$room/events/$event/edit", 'ada',
     { content => { body => 'hallo' } });
must('PUT', "/v1/rooms/$room/mute", 'ada', { duration => 1000 });

my $old = make(group => 'ada', name => 'Old');

must('POST', "/v1/rooms/$old/archive", 'ada');

my $guests = make(group => 'ada', name => 'Guests');

must('PUT', "/v1/admin/rooms/$guests/federate", 'ada!', { enabled => true });

my $workspace = must('POST', '/v1/workspaces', 'ada', { name => 'W' })->{id};
my $medium = must('POST', '/v1/media/upload', 'ada', upload('one'),
                  'Content-Type' => $form)->{media_id};
my %param = (room => $room, participant => 'cy', event => $event,
             workspace => $workspace, media => $medium,
             server => 'b.example', alias => '%23room', local => 'ada');

sub path_of {
    my ($row) = @_;

    return $row->{path} =~ s/\{(\w+)\}/$param{$1} \/\/ die $1/ger
           . ($row->{path} eq '/v1/sync' ? '?timeout=0' : '');
}

my @rows = grep { $_->{path} !~ m{^/scim/} } table_rows();
my @gets = grep { $_->{method} eq 'GET' && $_->{path} ne '/v1/stream' } @rows;

# HEAD says what GET says, without a body

for my $row (@gets) {
    my $path = path_of($row);
    my ($get, $head) = map { call($_, $path, 'ada!') } qw(GET HEAD);
    my ($is, $must) = map {
        my %of = %{$_->{headers}};

        delete @of{qw(date x-request-id connection transfer-encoding)};

        # an error has the id of its request
        delete $of{'content-length'} if $_->{status} >= 400;
        join "\n", $_->{status}, map { "$_: $of{$_}" } sort keys %of;
    } $head, $get;

    is($is, $must, "HEAD $row->{path}");
    is($head->{body}, '', '... has no body');
    cmp_ok($get->{status}, '==', $row->{flags} =~ /PEER/ ? 401 : 200,
           '... and GET');
}

# Times are RFC 3339 in UTC, origin_ts is Unix seconds

my %seen;

sub times_in {
    my ($value, $name) = @_;

    return map { times_in($_, $name) } @$value if ref $value eq 'ARRAY';
    return map { times_in($value->{$_}, $_) } sort keys %$value
        if ref $value eq 'HASH';
    return () if !defined $value || $name !~ /_(?:at|until|ts|seen)\z/;

    $seen{$name}++;

    return $value =~ ($name eq 'origin_ts' ? qr/^\d{10}\z/
                      : qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\z/)
           ? () : "$name: $value";
}

for my $row (@gets) {
    my $res = call('GET', path_of($row), 'ada!');

    is_deeply([times_in($res->{json}, '')], [], "times of $row->{path}");
}

cmp_ok(scalar keys %seen, '>=', 8, 'times: ' . join ' ', sort keys %seen);

# Pages: a limit of 1 to the row's maximum, and cursors that are none

my %lists = (
    '/v1/directory/rooms' => 200, '/v1/rooms/archived' => 200,
    '/v1/rooms/{room}/members' => 1000, '/v1/rooms/{room}/messages' => 200,
    '/v1/sync' => 500, '/v1/workspaces' => 200,
    '/v1/workspaces/{workspace}/members' => 1000,
    '/v1/directory/participants' => 200, '/v1/admin/participants' => 200,
    '/v1/admin/federation/peers' => 1000,
);
my %cursor = ('/v1/rooms/{room}/messages' => 'from', '/v1/sync' => 'since');

for my $row (@gets) {
    my $path = path_of($row);
    my $max = $lists{$row->{path}};
    my $meta = call('GET', $path, 'ada!')->{json}{meta};

    is(ref $meta ? 1 : 0, $max && $row->{path} ne '/v1/sync' ? 1 : 0,
       "$row->{path}: a list has meta, and no other") if $row->{flags} !~ /PEER|OPEN/;
    next if !$max;

    my $sign = $path =~ /\?/ ? '&' : '?';

    for (['1', 200], [$max, 200], [$max + 1, 400], ['0', 400], ['-1', 400],
         ['x', 400], ['1.5', 400], ['', 200], ["${max}.0", 200])
    {
        expect($_->[1] . ($_->[1] == 400 ? ' SW_VALIDATION_FAILED limit' : ''),
               'GET', "$path${sign}limit=$_->[0]", 'ada!');
    }

    my $name = $cursor{$row->{path}} // 'cursor';

    # a position that is ahead of the store isn't a bad one
    for my $bad ('%ff', '%00', 'a%20b', '-1', '!',
                 $name eq 'since' ? '9' x 40 . 'x' : '9' x 40)
    {
        expect("400 SW_VALIDATION_FAILED $name", 'GET',
               "$path${sign}$name=$bad", 'ada!');
    }
}

# Conditional requests.  A list of tags is one line: NGINX refuses two.

my $path = "/v1/rooms/$room";
my $etag = call('GET', $path, 'ada')->{headers}{etag};

for my $name (qw(If-None-Match If-Match)) {
    for my $method ('GET', 'HEAD', 'PUT') {
        my ($at, $body) = $method eq 'PUT' ? ("$path/topic", '{"topic":"t"}')
                          : ($path);
        my $raw = http_raw($method, $at, token('ada'), $body,
                           $name => "\"x\"\r\n$name: $etag");
        my $res = RoomsTest::Calls::answer(http_many([$raw])->[0]);

        is($res->{status}, 400, "$method with $name twice");
        is($res->{code}, 'SW_VALIDATION_FAILED', '... as JSON')
            if $method ne 'HEAD';
    }
}

for (['"x"', 200, 412], ['ETAG', 304, 200], ['W/ETAG', 304, 412],
     ['"x", ETAG', 304, 200], ['"x",ETAG,"y"', 304, 200],
     ['"a, b", ETAG', 304, 200], ['"x", W/ETAG', 304, 412],
     ['*', 304, 200], ['""', 200, 412])
{
    my ($value, $read, $write) = @$_;
    my $now = sub {
        return $value =~ s/ETAG/call('GET', $path, 'ada')->{headers}{etag}/er;
    };

    is(call($_, $path, 'ada', undef, 'If-None-Match' => $now->())->{status},
       $read, "$_ with If-None-Match: $value") for qw(GET HEAD);

    for my $field (qw(name topic workspace)) {
        my $body = { name => 'Room', topic => 't', workspace_id => $workspace };

        is(call('PUT', "$path/$field", 'ada', $body, 'If-Match' => $now->())
           ->{status}, $write, "If-Match: $value for the $field");
    }
}

# Fields and arguments that nobody knows are ignored

my $nowhere = 'room-0' . '0' x 25;
my %other = (%param, room => $nowhere, workspace => 'ws-0' . '0' x 25);

for my $row (grep { $_->{flags} =~ /\bBODY\b/ && $_->{flags} !~ /PEER/
                    && $_->{path} !~ /preferences/ } @rows)
{
    my $at = $row->{path} =~ s/\{(\w+)\}/$other{$1}/ger;
    my ($with, $without) = map { call($row->{method}, $at, 'ada!', $_) }
                           { zzz => { a => [1, undef] }, '' => 1 }, {};

    is("$with->{status} $with->{code} " . ($with->{field} // ''),
       "$without->{status} $without->{code} " . ($without->{field} // ''),
       "unknown fields: $row->{method} $row->{path}");
}

for my $row (@gets) {
    my $at = path_of($row);
    my $sign = $at =~ /\?/ ? '&' : '?';

    is(call('GET', "$at${sign}zzz=1&%ff=%ff&=&&x", 'ada!')->{status},
       call('GET', $at, 'ada!')->{status}, "unknown arguments: $row->{path}");
}

# Idempotency-Key: on each row that creates, the body, another one, and one
# that is refused

my (undef, $zip) = bundle($old, 'ada');
my ($import, $type) = RoomsTest::Bundle::form($zip);
my ($other_import) = RoomsTest::Bundle::form($zip, name => 'Other');
my ($bad_import) = RoomsTest::Bundle::form('no ZIP');
my %creates = (
    '/v1/rooms' => [{ room_type => 'group', name => 'I' },
                    { room_type => 'group', name => 'J' },
                    { room_type => 'group' }],
    '/v1/rooms/dm' => [{ participant_id => 'bob' }, { participant_id => 'cy' },
                       { participant_id => 'nobody' }],
    '/v1/rooms/{room}/send' => [{ content => { a => 1 } },
                                { content => { a => 2 } },
                                { content => 1 }],
    '/v1/workspaces' => [{ name => 'I' }, { name => 'J' }, { name => '' }],
    '/v1/media/upload' => [upload('two'), upload('three'), '--b--',
                           'Content-Type' => $form],
    '/v1/rooms/import' => [$import, $other_import, $bad_import,
                           'Content-Type' => $type],
    '/v1/admin/rooms/{room}/federation/invite' =>
        [{ fqid => '@x:b.example' }, { fqid => '@y:b.example' },
         { fqid => 'x' }],
    '/v1/rooms/{room}/invitations' =>
        [{ fqid => '@v:b.example' }, { fqid => '@w:b.example' },
         { fqid => 'x' }],
    '/v1/me/federated-dms' => [{ fqid => '@x:b.example' },
                               { fqid => '@y:b.example' }, { fqid => 'x' }],
);

# The keys of the records.  A claim of a request that was refused may stay for
# the moment after its answer.
sub records {
    return map { $_ => 1 } grep { (redis('GET', $_) // '') =~ /^[de] / }
           @{redis('KEYS', key('idem:*'))};
}

# What changes with each thing that is made.
sub made {
    return join ' ', redis('GET', key('position')),
           map({ redis('HLEN', key($_)) } qw(media blobs)),
           scalar @{redis('KEYS', key('w:*'))};
}

my @creates = grep { $_->{flags} =~ /CREATES/ } @rows;

is_deeply([sort map { $_->{path} } @creates], [sort keys %creates],
          'the rows that create');

for my $row (@creates) {
    my ($body, $another, $bad, @headers) = @{$creates{$row->{path}} // next};
    my $at = $row->{path} =~ s/\{room\}/$row->{path} =~ m{send} ? $room
                                        : $guests/er;
    my $ask = sub {
        my ($who, $body, $key) = @_;

        return call('POST', $at, $who, $body, @headers,
                    'Idempotency-Key' => $key // $at);
    };

    cmp_ok($ask->('ada!', $bad)->{status}, '>=', 400, "$row->{path}: refused");

    my %before = records();
    my $first = $ask->('ada!', $body);
    my ($record) = grep { !$before{$_} } keys %{{ records() }};

    like($first->{status}, qr/^20[01]\z/, '... then made: the key was unused')
        or diag $first->{body};
    ok(defined $record, '... and recorded') or next;

    my $state = made();
    my $again = $ask->('ada!', $body);

    is($again->{body}, $first->{body}, '... a replay has the same body');
    is("$again->{status} " . ($again->{headers}{location} // ''),
       "$first->{status} " . ($first->{headers}{location} // ''),
       '... status and location');
    is(join(' ', map { $_->{headers}{'idempotency-replayed'} // 'first' }
            $first, $again), 'first true', '... and says that it is one');
    is($ask->('ada!', $another)->{code}, 'SW_IDEMPOTENCY_CONFLICT',
       '... another body is refused');

    my $kept = redis('GET', $record);
    my ($hash) = $kept =~ /^[de] (\S{22}) / or die $kept;

    redis('SET', $record, "p $hash 0123456789abcdef", 'EX', 60);

    my $waits = $ask->('ada!', $body);

    is("$waits->{status} $waits->{code}", '409 SW_CONFLICT',
       '... one that is under way is waited for');
    ok($waits->{headers}{'retry-after'}, '... and when to come back');
    is($ask->('ada!', $another)->{code}, 'SW_IDEMPOTENCY_CONFLICT',
       '... another body is refused then, too');
    is(made(), $state, '... nothing of that has made anything');

    redis('SET', $record, $kept, 'EX', 60);
    is($ask->('cy!', $body)->{headers}{'idempotency-replayed'}, undef,
       '... the key of somebody else is another');
    isnt(made(), $state, '... and makes something')
        if $row->{path} !~ /invit/;
}

unlike(nginx_log(), qr/\[(?:alert|crit|emerg)\]/, 'no alarm in the log');

done_testing();
