# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Signed links to a medium and to an export; sizes of pictures; streams by a
# ticket.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256);
use File::Temp ();
use MIME::Base64 qw(decode_base64 decode_base64url encode_base64url);
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;
use RoomsTest::Stream;
use RoomsTest::WebSocket;

my $dir = File::Temp->newdir('rooms-links-XXXXXXXX', TMPDIR => 1);
my $secret = 's' x 32;

chmod 0755, "$dir";
mkdir "$dir/media";
open my $file, '>', "$dir/secret" or die "$dir/secret: $!\n";
print $file $secret;
close $file;
chmod 0600, "$dir/secret";

start(<<"END");
        rooms_url_secret_file $dir/secret;
        rooms_media_path $dir/media;
        rooms_cors_origin https://chat.example.com;
END
known(qw(ann bob));

my $png = decode_base64('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4'
                        . '2mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==');
my $gif = "GIF89a\x20\x03\x58\x02\x00\x00\x00";

sub upload {
    my ($who, $name, $type, $content, %headers) = @_;
    my $res = call('POST', '/v1/media/upload', $who,
                   "--b\r\nContent-Disposition: form-data; name=\"file\"; "
                   . "filename=\"$name\"\r\nContent-Type: $type\r\n\r\n"
                   . "$content\r\n--b--\r\n",
                   'Content-Type' => 'multipart/form-data; boundary=b',
                   %headers);

    die "upload: $res->{status} $res->{body}\n" if $res->{status} != 201;

    return $res->{data};
}

# Without a token, as a browser follows a link.
sub follow { return call('GET', $_[0], undef, undef, @_[1 .. $#_]) }

sub link_to {
    my ($id, $args) = @_;

    return call('GET', "/v1/media/signed/$id" . ($args // ''), 'ann');
}

sub sign {
    my ($purpose, $who, $object, $exp, $tenant) = @_;
    my $raw = pack 'CCCQ>C/aC/aC/a', 1, $purpose, 0, $exp, $tenant // 'acme',
              $who, $object;

    return encode_base64url($raw . hmac_sha256($raw, $secret));
}

# what an upload says of a picture

my $picture = upload('ann', 'dot.png', 'image/png', $png);

is("$picture->{width} x $picture->{height}", '1 x 1', 'a PNG');
ok(exists $picture->{thumbnail_id} && !defined $picture->{thumbnail_id},
   'thumbnail_id is null');
is($picture->{scan_status}, 'clean', 'scan_status');

my $same = call('GET', "/v1/media/$picture->{media_id}/info", 'bob')->{data};

is("$same->{width} x $same->{height}", '1 x 1', 'info has it, too');

my $named = upload('ann', 'x.txt', 'text/plain', $gif);

is("$named->{width} x $named->{height}", '800 x 600',
   'by its bytes, whatever it is called');

my $text = upload('ann', 'page.html', 'text/html',
                  '<script>alert(1)</script>');

ok(exists $text->{width} && !defined $text->{width}
   && exists $text->{height} && !defined $text->{height}, 'no picture: null');
is(upload('ann', 'cut.png', 'image/png', substr $png, 0, 20)->{width}, undef,
   'nor what is cut off');

# a large head: the size comes in the second window of the thread

my $far = "\xff\xd8" . ("\xff\xe1\xff\xff" . "\xff" x 65533) x 6
          . "\xff\xc0\0\x11\x08\0\x02\0\x03\x03" . 'x' x 100;

is(upload('ann', 'far.jpg', 'image/jpeg', $far)->{width}, 3,
   'a JPEG whose size comes late');

# an import finds it by itself

my $room = make(group => 'ann', name => 'Pictures');

must('POST', "/v1/rooms/$room/send", 'ann',
     { content => { body => 'look', media_id => $picture->{media_id} } });

require RoomsTest::Export;
require RoomsTest::Bundle;

my (undef, $zip) = RoomsTest::Export::bundle($room, 'ann');
my ($form, $type) = RoomsTest::Bundle::form($zip);
my $copy = call('POST', '/v1/rooms/import', 'ann', $form,
                'Content-Type' => $type)->{data}{id};
my ($new) = map { $_->{content}{media_id} // () }
            @{call('GET', "/v1/rooms/$copy/messages", 'ann')->{data}};

isnt($new, $picture->{media_id}, 'the imported one is another');
is(call('GET', "/v1/media/$new/info", 'ann')->{data}{width}, 1,
   'and has its size');

# a link

my $id = $picture->{media_id};
my $res = link_to($id);
my $url = $res->{data}{url};

is($res->{status}, 200, 'a link is made');
like($url, qr{^/v1/media/download/\Q$id\E\?signature=[\w-]+$}, 'of this form');
like($res->{data}{expires_at}, qr/^\d{4}-.*Z$/, 'and says when it ends');

my ($exp) = unpack 'x3Q>', decode_base64url($url =~ /signature=(.*)/);

cmp_ok(abs($exp - time() - 300), '<=', 60, 'in 300 s, unless told otherwise');

for my $case ([30, 30], [3600, 3600], ['6e1', 60]) {
    my ($arg, $life) = @$case;
    my $u = link_to($id, "?expires_in=$arg")->{data}{url};
    my ($e) = unpack 'x3Q>', decode_base64url($u =~ /signature=(.*)/);

    cmp_ok(abs($e - time() - $life), '<=', 20, "or in $arg s");
}

for my $arg (qw(29 3601 0 -1 x 1.5)) {
    expect('400 SW_VALIDATION_FAILED expires_in', 'GET',
           "/v1/media/signed/$id?expires_in=$arg", 'ann');
}

$res = follow($url);
is($res->{status}, 200, 'it needs no token');
is($res->{body}, $png, 'the bytes');
is($res->{headers}{'cache-control'}, 'private', 'Cache-Control');
is($res->{headers}{'content-disposition'}, 'attachment; filename="dot.png"',
   'an attachment');
is($res->{headers}{'x-content-type-options'}, 'nosniff', 'nosniff');
is($res->{headers}{'referrer-policy'}, 'no-referrer',
   'what it leads to is not told where it was');
is(follow($url, Range => 'bytes=0-3')->{status}, 206, 'ranges');
is(call('HEAD', $url, undef)->{status}, 200, 'HEAD');
is(follow($url)->{status}, 200, 'more than once');
is(follow($url, Origin => 'https://chat.example.com')
   ->{headers}{'access-control-allow-origin'}, 'https://chat.example.com',
   'and a page of a listed origin may read it');

# inline

$res = follow("$url&disposition=inline");
is($res->{headers}{'content-disposition'}, 'inline; filename="dot.png"',
   'inline: a picture');
is($res->{headers}{'content-security-policy'}, "sandbox; default-src 'none'",
   'which can do nothing');
is($res->{headers}{'content-type'}, 'image/png', 'as what it is');

$res = link_to($id, '?disposition=inline');
like($res->{data}{url}, qr/&disposition=inline$/, 'asked for with the link');

for my $t (qw(text/html image/svg+xml application/pdf text/plain)) {
    my $m = upload('ann', 'x', $t, '<script>alert(1)</script>');
    my $u = link_to($m->{media_id}, '?disposition=inline')->{data}{url};

    like(follow($u)->{headers}{'content-disposition'}, qr/^attachment/,
         "inline: never $t");
}

for my $t (qw(image/jpeg image/gif image/webp video/mp4)) {
    my $m = upload('ann', 'x', $t, 'x');

    like(follow(link_to($m->{media_id})->{data}{url} . '&disposition=inline')
         ->{headers}{'content-disposition'}, qr/^inline/, "inline: $t");
}

expect('400 SW_VALIDATION_FAILED disposition', 'GET',
       "/v1/media/download/$id?disposition=x", 'ann');
expect('400 SW_VALIDATION_FAILED disposition', 'GET',
       "/v1/media/signed/$id?disposition=x", 'ann');
like(call('GET', "/v1/media/download/$id?disposition=inline", 'ann')
     ->{headers}{'content-disposition'}, qr/^inline/, 'with a token, too');

# who may make one

expect('401 SW_AUTH_INVALID_TOKEN', 'GET', "/v1/media/signed/$id", undef);
expect('404 SW_NOT_FOUND', 'GET', "/v1/media/signed/$id", 'eve@west');
expect('404 SW_NOT_FOUND', 'GET', '/v1/media/signed/med-none', 'ann');
expect('404 SW_NOT_FOUND', 'GET', '/v1/media/signed/x', 'ann');
is(call('GET', $url =~ s{\?signature}{?ticket}r, undef)->{status}, 401,
   'a link is no ticket');

# one that is wrong, or late

my $later = time() + 100;
my ($signature) = $url =~ /signature=(.*)/;

for my $case ([$signature . 'A', 'longer'], [substr($signature, 1), 'shorter'],
              [sign(2, 'ann', $id, time() - 1), 'ended'],
              [sign(2, 'ann', $text->{media_id}, $later), 'of another'],
              [sign(3, 'ann', $id, $later), 'of another kind'],
              [sign(1, 'ann', '', $later), 'a ticket'], ['x', 'nothing'])
{
    my $r = follow("/v1/media/download/$id?signature=$case->[0]");

    is("$r->{status} $r->{code}", '403 SW_MEDIA_LINK_INVALID',
       "refused: $case->[1]");
}

is(follow("/v1/media/download/$id?signature="
          . sign(2, 'ann', $id, $later))->{status}, 200,
   'and the same way a good one');
is(follow("/v1/media/download/$id?signature="
          . sign(2, 'eve', $id, $later, 'west'))->{status}, 404,
   'one of another tenant finds nothing');
is(call('GET', "/v1/media/download/$id?signature=x", 'ann')->{status}, 200,
   'a token comes first');
is(call('GET', "/v1/media/$id/info?signature=$signature", undef)->{status},
   401, 'a link opens the file alone');

# an export

$res = call('POST', "/v1/rooms/$room/export/link", 'ann');
is($res->{status}, 200, 'a link to an export');
$url = $res->{data}{url};
like($url, qr{^/v1/rooms/\Q$room\E/export\?signature=[\w-]+$}, 'of this form');

$res = follow($url);
is($res->{status}, 200, 'it needs no token');
like($res->{body}, qr/^PK/, 'a ZIP');
is($res->{headers}{'content-disposition'}, 'attachment; filename="Pictures.zip"',
   'that is saved');
like($res->{headers}{'cache-control'}, qr/^private/, 'Cache-Control: private');
is(follow("$url&media=none")->{status}, 200, 'it can be narrowed');

my $alias = must('GET', "/v1/rooms/$room", 'ann')->{room_alias};

$res = call('POST', '/v1/rooms/' . ($alias =~ s/#/%23/r) . '/export/link',
            'ann', { expires_in => 60 });
like($res->{data}{url}, qr{/v1/rooms/\Q$room\E/export}, 'by an alias');
expect('400 SW_VALIDATION_FAILED expires_in', 'POST',
       "/v1/rooms/$room/export/link", 'ann', { expires_in => 29 });
expect('400 SW_VALIDATION_FAILED expires_in', 'POST',
       "/v1/rooms/$room/export/link?expires_in=5000", 'ann');

# who may make one: who may export

expect('404 SW_ROOM_NOT_FOUND', 'POST', "/v1/rooms/$room/export/link", 'bob');
expect('404 SW_ROOM_NOT_FOUND', 'POST', "/v1/rooms/$room/export/link",
       'eve@west');

my $dark = make(incognito => 'ann');

expect('400 SW_ROOM_EXPORT_REFUSED', 'POST', "/v1/rooms/$dark/export/link",
       'ann');
must('POST', "/v1/rooms/$room/invite", 'ann', { participant_id => 'bob' });
expect('403 SW_ROOM_FORBIDDEN', 'POST', "/v1/rooms/$room/export/link", 'bob');
must('POST', "/v1/rooms/$room/join", 'bob');

my $bobs = must('POST', "/v1/rooms/$room/export/link", 'bob')->{url};

is(follow($bobs)->{status}, 200, 'a member has a link');
must('POST', "/v1/rooms/$room/kick", 'ann', { participant_id => 'bob' });
is(follow($bobs)->{code}, 'SW_ROOM_NOT_FOUND', 'until he is removed');

for my $case ([sign(3, 'ann', $room, time() - 1), 'ended'],
              [sign(3, 'ann', $dark, $later), 'of another room'],
              [sign(2, 'ann', $room, $later), 'of another kind'])
{
    my $r = follow("/v1/rooms/$room/export?signature=$case->[0]");

    is("$r->{status} $r->{code}", '403 SW_MEDIA_LINK_INVALID',
       "refused: $case->[1]");
}

is(follow("/v1/rooms/$room/messages?signature="
          . sign(3, 'ann', $room, $later))->{status}, 401,
   'it opens the export alone');

# streams by a ticket

my $ticket = must('POST', '/v1/auth/ticket', 'ann',
                  { purpose => 'stream' })->{ticket};
my $sse = RoomsTest::Stream->new("/v1/sync?since=now&ticket=$ticket", undef);
my $ws = RoomsTest::WebSocket->new("/v1/stream?since=now&ticket=$ticket",
                                   undef);

is($sse->head, 200, 'server-sent events');
ok($sse->next('hello'), 'which begin');
is($ws->{status}, 101, 'a WebSocket');
ok($ws->next('hello'), 'which begins');
must('POST', "/v1/rooms/$room/send", 'ann', { content => { body => 'hi' } });
like($sse->next('message')->{raw}, qr/"hi"/, 'a message comes by the one');
is($ws->next('swp.room.message')->{content}{body}, 'hi', 'and the other');
$_->close for $sse, $ws;

my $brief = sign(1, 'ann', '', time() + 3);

$sse = RoomsTest::Stream->new("/v1/sync?since=now&ticket=$brief", undef);
like($sse->next('end', 20)->{raw}, qr/"SW_AUTH_EXPIRED_TOKEN"/,
     'a stream ends with its ticket');

for my $case ([sign(1, 'ann', '', time() - 1), 'SW_AUTH_EXPIRED_TOKEN'],
              [sign(2, 'ann', '', $later), 'SW_AUTH_INVALID_TOKEN'],
              ["${ticket}A", 'SW_AUTH_INVALID_TOKEN'])
{
    my ($text, $code) = @$case;

    $ws = RoomsTest::WebSocket->new("/v1/stream?ticket=$text", undef);
    is_deeply([$ws->closed], [4001, $code], "a WebSocket refused: $code");
    is(follow("/v1/sync?ticket=$text", Accept => 'text/event-stream')
       ->{code}, $code, 'and events');
}

# without a secret there are none

stop_nginx();
start("        rooms_media_path $dir/media;\n");
expect('404 SW_NOT_FOUND', 'GET', "/v1/media/signed/$id", 'ann');
expect('404 SW_NOT_FOUND', 'POST', "/v1/rooms/$room/export/link", 'ann');
expect('403 SW_MEDIA_LINK_INVALID', 'GET',
       "/v1/media/download/$id?signature=$signature", undef);

done_testing();
