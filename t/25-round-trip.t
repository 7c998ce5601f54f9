# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# A room that is exported, imported by another tenant, and exported again.

use strict;
use warnings;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Bundle qw(form unzip zip);
use Test::More;

use File::Temp qw(tempdir);
use JSON::PP ();

my $media = tempdir('rooms-media-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
my $json = JSON::PP->new->utf8->canonical;

run_nginx(<<"CONF");
    rooms on;
    rooms_auth mock;
    rooms_redis redis://\$TEST_NGINX_REDIS/0;
    rooms_server_name both.example;
    rooms_media_path $media;
    client_max_body_size 50m;
CONF

sub call {
    my ($method, $path, $token, $body, %headers) = @_;
    my $r = http_req($method, $path, "mock:$token", $body, %headers);

    $r->[0] =~ /^20[01]$/ or die "$method $path: $r->[0] $r->[2]\n";

    return $r->[1]{'content-type'} =~ /json/ ? $json->decode($r->[2])->{data}
                                             : $r->[2];
}

sub upload {
    my ($token, $name, $mime, $data) = @_;
    my $b = 'uploadboundary';

    return call('POST', '/v1/media/upload', $token,
                "--$b\r\nContent-Disposition: form-data; name=\"file\"; "
                . "filename=\"$name\"\r\nContent-Type: $mime\r\n\r\n$data\r\n"
                . "--$b--\r\n",
                'Content-Type' => "multipart/form-data; boundary=$b")
           ->{media_id};
}

sub export_of {
    my ($token, $room) = @_;
    my $zip = call('GET', "/v1/rooms/$room/export", $token);
    my $entries = unzip($zip);

    return ($zip, $json->decode($entries->{'manifest.json'}), $entries);
}

sub import_of {
    my ($token, $zip, %fields) = @_;
    my ($body, $type) = form($zip, %fields);

    return call('POST', '/v1/rooms/import', $token, $body,
                'Content-Type' => $type);
}


# ----------------------------------------------------------- a room of all kinds

my $room = call('POST', '/v1/rooms', 'ann@a',
                { room_type => 'group', name => "Caf\x{e9} \x{1f600}",
                  topic => 'of "all" \\ kinds' })->{id};

call('POST', '/v1/auth/register', 'bob@a');
call('POST', "/v1/rooms/$room/invite", 'ann@a', { participant_id => 'bob' });
call('POST', "/v1/rooms/$room/join", 'bob@a');

my $bytes = join '', map { chr($_ * 7 % 256) } 1 .. 100_000;
my $one = upload('ann@a', 'one.bin', 'application/x-one', $bytes);
my $two = upload('bob@a', 'two words.txt', 'text/plain', 'small');
my $same = upload('bob@a', 'same.bin', 'application/x-one', $bytes);

my $send = sub {
    my ($who, $content) = @_;
    return call('POST', "/v1/rooms/$room/send", "$who\@a",
                { content => $content })->{id};
};

my $first = $send->('ann', { body => "line\n\t\"\\ \x{2028} \x{10ffff}" });
my $edited = $send->('bob', { body => 'first version', media_id => $two });
my $gone = $send->('ann', { body => 'secret' });
my $reacted = $send->('ann', { body => 'see', attachments =>
              [{ media_id => $one, n => 1.5 }, { media_id => $same }] });

call('POST', "/v1/rooms/$room/events/$edited/edit", 'bob@a',
     { content => { body => "version $_", media_id => $two } }) for 2 .. 3;
call('POST', "/v1/rooms/$room/events/$gone/redact", 'ann@a',
     { reason => 'oops' });
call('POST', "/v1/rooms/$room/events/$reacted/reaction", 'bob@a',
     { emoji => "\x{1f44d}" });

sub react {
    my ($method, $where, $who, $event, $emoji) = @_;

    return call($method, "/v1/rooms/$where/events/$event/reaction", $who,
                { emoji => $emoji });
}

# Of messages with reactions: what there is, as text.
sub reactions_of {
    my ($token, $where) = @_;
    my $r = http_req('GET', "/v1/rooms/$where/messages?direction=forward"
                            . '&limit=100', "mock:$token");

    return [map { my $e = $_; map { sprintf '%s %x=%d%s', $e->{content}{body},
                                    ord $_->{emoji}, $_->{count},
                                    $_->{me} ? '*' : '' }
                              @{ $e->{reactions} // [] } }
            @{ $json->decode($r->[2])->{data} }];
}

react('POST', $room, 'ann@a', $reacted, "\x{1f44d}");
react('POST', $room, 'ann@a', $edited, $_) for 'a', 'b';
react('POST', $room, 'bob@a', $edited, $_) for 'a', 'b', 'c';
react('DELETE', $room, 'bob@a', $edited, 'b');
react('DELETE', $room, 'bob@a', $edited, 'c');
react('POST', $room, 'ann@a', $first, 'a');
react('POST', $room, 'ann@a', my $late = $send->('ann', { body => 'late' }),
      'a');
call('POST', "/v1/rooms/$room/events/$late/redact", 'ann@a', {});

call('PUT', "/v1/rooms/$room/read", 'bob@a', { event_id => $first });
call('PUT', "/v1/rooms/$room/topic", 'ann@a', { topic => 'changed' });
$send->('ann', { body => "message $_", list => [1, -2, 1e3, 'x', undef] })
    for 1 .. 500;

my ($zip, $old, $old_entries) = export_of('ann@a', $room);
my $made = import_of('zoe@b', $zip);
my ($zip2, $new, $new_entries) = export_of('zoe@b', $made->{id});

is($made->{events_imported}, scalar @{ $old->{events} }, 'all events');
is($made->{media_imported}, 3, 'all media');
is($new->{room}{name}, $old->{room}{name}, 'the name');
is($new->{room}{topic}, $old->{room}{topic}, 'the topic');
is(scalar @{ $new->{events} }, @{ $old->{events} } + 1,
   'and the event of the creation');

my $created = pop @{ $new->{events} };

is($created->{event_type}, 'swp.room.create', 'which comes last');


# ------------------------------------------- what is the same, but for its names

my %names;

for my $i (0 .. $#{ $old->{events} }) {
    $names{ $old->{events}[$i]{id} } = $new->{events}[$i]{id};
}

my %sha = map { $_->{media_id} => $_->{sha256} } @{ $old->{media} };
my %new_sha = map { $_->{media_id} => $_->{sha256} } @{ $new->{media} };

# What an old event must look like now: a medium by its content.
sub renamed {
    my ($v, $media) = @_;

    if (ref $v eq 'ARRAY') {
        return [map { renamed($_, $media) } @$v];
    }

    return $v if ref $v ne 'HASH';

    my %out = map { $_ => renamed($v->{$_}, $media) } keys %$v;

    for (qw(event_id replaces)) {
        $out{$_} = $names{ $out{$_} } // $out{$_}
            if defined $out{$_} && $media == \%sha;
    }

    $out{media_id} = $media->{ $out{media_id} } // 'unknown'
        if defined $out{media_id};

    return \%out;
}

my ($wrong, $authors) = (0, 0);

for my $i (0 .. $#{ $old->{events} }) {
    my ($e, $f) = ($old->{events}[$i], $new->{events}[$i]);
    my $author = delete $f->{content}{_imported_sender};
    my $who = $old->{participants}{ $e->{sender_id} };

    $authors++ if $author && $author->{display_name} eq $who->{display_name}
                  && $author->{fqid} eq $who->{fqid};

    for (qw(event_type origin_ts created_at edited_at redacted_at content
            original_content))
    {
        next if $json->encode([renamed($e->{$_}, \%sha)])
                eq $json->encode([renamed($f->{$_}, \%new_sha)]);
        $wrong++;
        diag("events[$i].$_: " . $json->encode([$e->{$_}, $f->{$_}]));
    }
}

is($wrong, 0, 'contents, times, order, references');
is($authors, scalar @{ $old->{events} }, 'authors');
is_deeply([map { $_->{sender_id} } @{ $new->{events} }],
          [('zoe') x @{ $new->{events} }], 'sent by who imported them');
is(scalar(grep { $_->{do_not_index} } @{ $new->{events} }),
   scalar @{ $new->{events} }, 'none is indexed');
is_deeply([sort values %new_sha], [sort values %sha], 'sha256 of media');
is_deeply([map { "$_->{name} $_->{mime_type} $_->{size}" }
           @{ $new->{media} }],
          [map { "$_->{name} $_->{mime_type} $_->{size}" }
           @{ $old->{media} }], 'their names, types, sizes');

my ($a, $b) = map {
    my %e = %$_;
    delete $e{'manifest.json'};
    \%e;
} $old_entries, $new_entries;

is_deeply([map { substr $_, 0, 71 } sort keys %$b],
          [map { substr $_, 0, 71 } sort keys %$a], 'entries of contents');
is_deeply([map { $b->{$_} } sort keys %$b], [map { $a->{$_} } sort keys %$a],
          'every byte of them');


# ------------------------------------------------------------------- reactions

my $counts = reactions_of('zoe@b', $made->{id});

is_deeply($counts, [map { s/\*//r } @{ reactions_of('ann@a', $room) }],
          'as many reactions, and none is the importer\'s');
is_deeply([map { s/.* //rs } @$counts], [qw(61=1 61=2 62=1 1f44d=2)],
          'which are these');

react('DELETE', $made->{id}, 'zoe@b', $names{$edited}, 'a');
is_deeply(reactions_of('zoe@b', $made->{id}), $counts,
          'the importer can\'t take them back');
react('POST', $made->{id}, 'zoe@b', $names{$edited}, 'a');
is_deeply([map { s/.* //rs } @{ reactions_of('zoe@b', $made->{id}) }],
          [qw(61=1 61=3* 62=1 1f44d=2)], 'but may react besides');

my $both = import_of('zoe@b', (export_of('zoe@b', $made->{id}))[0]);

is_deeply([map { s/.* //rs } @{ reactions_of('zoe@b', $both->{id}) }],
          [qw(61=1 61=3 62=1 1f44d=2)], 'which comes along, too');
react('DELETE', $made->{id}, 'zoe@b', $names{$edited}, 'a') for 1 .. 2;
is_deeply(reactions_of('zoe@b', $made->{id}), $counts,
          'and take that one back');

call('POST', "/v1/rooms/$made->{id}/events/$names{$edited}/redact", 'zoe@b',
     {});
is_deeply([map { s/.* //rs } @{ reactions_of('zoe@b', $made->{id}) }],
          [qw(61=1 1f44d=2)], 'a redaction wipes imported ones');


# ---------------------------------------------------------------- a third time

my $third = import_of('zoe@b', $zip2);
my (undef, $again) = export_of('zoe@b', $third->{id});

is($again->{events}[1]{content}{_imported_sender}{fqid},
   $old->{participants}{ $old->{events}[1]{sender_id} }{fqid},
   'an author from before the first import stays');
is($third->{events_imported}, $made->{events_imported} + 1,
   'with the creation of the second');
is_deeply(reactions_of('zoe@b', $third->{id}), $counts,
          'and as many reactions');


# ------------------------------------------------------------------- a re-packer

my @again = map { { name => $_, data => $old_entries->{$_},
                    method => /manifest/ ? 0 : 8 } } reverse sort
            keys %$old_entries;

is(import_of('zoe@b', zip(@again))->{events_imported},
   $made->{events_imported}, 're-packed in another order');

SKIP: {
    my ($python) = grep { -x } '/usr/bin/python3', '/usr/local/bin/python3';

    skip 'no python3', 2 if !$python;

    my $dir = tempdir('rooms-repack-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);

    open my $out, '>:raw', "$dir/in.zip" or die;
    print $out $zip;
    close $out;

    is(system($python, '-c', <<'PY', $dir), 0, 'Python unpacks and packs it');
import sys, zipfile
d = sys.argv[1]
with zipfile.ZipFile(d + '/in.zip') as i:
    assert i.testzip() is None
    with zipfile.ZipFile(d + '/out.zip', 'w', zipfile.ZIP_DEFLATED) as o:
        for n in i.namelist():
            o.writestr(n, i.read(n))
PY
    open my $in, '<:raw', "$dir/out.zip" or die;
    my $packed = do { local $/; <$in> };

    is(import_of('zoe@b', $packed)->{events_imported},
       $made->{events_imported}, 'and we take it');
}


# -------------------------------------------------------------------------- a DM

my $dm = call('POST', '/v1/rooms/dm', 'ann@a',
              { participant_id => 'bob' })->{id};

call('POST', "/v1/rooms/$dm/send", 'bob@a', { content => { body => 'hi' } });
($zip) = export_of('ann@a', $dm);
$made = import_of('zoe@b', $zip);
is(call('GET', "/v1/rooms/$made->{id}", 'zoe@b')->{room_type}, 'group',
   'of a DM a group is made');

my @odd = grep { /\[(?:alert|crit|emerg|error)\]/ } split /^/m, nginx_log();

is("@odd", '', 'the log is quiet');

done_testing();
