# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Media: upload, info, download.

use strict;
use warnings;
use Compress::Zlib qw(crc32);
use Digest::SHA qw(sha256_hex);
use File::Find qw(find);
use Test::More;

use lib 't/lib';
use RoomsTest;

my $ann = 'mock:ann@t1';
my $ben = 'mock:ben@t1';
my $eve = 'mock:eve@t2';
my $boundary = 'XyZ0123456789';

my $parent = File::Temp::tempdir('rooms-media-XXXXXXXX', TMPDIR => 1,
                                 CLEANUP => 1);
my $media = "$parent/media";

mkdir $media or die "cannot make $media: $!\n";

sub server {
    my ($more) = @_;

    return <<"END" . ($more // '');
        rooms on;
        rooms_auth mock;
        rooms_redis redis://\$TEST_NGINX_REDIS/0;
        rooms_media_path $media;
        client_max_body_size 100m;
        large_client_header_buffers 4 32k;
END
}

# A multipart body of [name, filename, type, content] parts.
sub multipart {
    my $body = '';

    for (@_) {
        my ($name, $filename, $type, $content) = @$_;

        $body .= "--$boundary\r\nContent-Disposition: form-data;"
                 . " name=\"$name\""
                 . (defined $filename ? "; filename=\"$filename\"" : '')
                 . "\r\n"
                 . (defined $type ? "Content-Type: $type\r\n" : '')
                 . "\r\n$content\r\n";
    }

    return "$body--$boundary--\r\n";
}

sub upload_raw {
    my ($token, $body, %headers) = @_;

    return http_req('POST', '/v1/media/upload', $token, $body,
                    'Content-Type' => "multipart/form-data;"
                                      . " boundary=$boundary", %headers);
}

# A file; dies unless it was taken, and returns the answer's data.
sub upload {
    my ($token, $name, $type, $content, %headers) = @_;
    my $res = upload_raw($token, multipart(['file', $name, $type, $content]),
                         %headers);

    die "upload: $res->[0] $res->[2]" if $res->[0] != 201;

    return JSON::PP::decode_json($res->[2])->{data};
}

sub download { http_req('GET', "/v1/media/download/$_[1]", $_[0], undef,
                        @_[2 .. $#_]) }

sub error_is {
    my ($res, $status, $code, $name, @like) = @_;

    is($res->[0], $status, "$name - status");
    json_like($res->[2], "error.code = $code\n" . join("\n", @like), $name);
}

# All files below the media path, without it.
sub files {
    my @found;

    find({ no_chdir => 1, wanted => sub { push @found, $_ if -f } }, $media);

    return sort map { s/\A\Q$media\E//r } @found;
}

sub blob { my ($sha, $tenant) = @_;
           return '/' . ($tenant // 't1') . '/' . substr($sha, 0, 2)
                  . "/$sha" }

run_nginx(server());

# There and back.

my $text = "first line\r\nsecond line\n";
my $res = upload_raw($ann, multipart(['note', undef, undef, 'x'],
                                     ['file', 'a b.txt', 'Text/Plain', $text]));
my $sha = sha256_hex($text);

is($res->[0], 201, 'upload');
is($res->[1]{'content-type'}, 'application/json', 'JSON');
json_like($res->[2], <<"END", 'what it says');
data # 9
data.media_id ~ ^med-[0-9a-z]{26}\$
data.sha256 = $sha
data.size = 24
data.mime_type = text/plain
data.name = "a b.txt"
END

my $id = json_get($res->[2], 'data.media_id');

is_deeply([files()], [blob($sha)], 'one file, under its hash');
is((stat $media . blob($sha))[2] & 07777, 0600, 'for nobody else');
is(redis('HGET', 'sw:{t1}:blobs', $sha), 1, 'one reference');
json_like(redis('HGET', 'sw:{t1}:media', $id), <<"END", 'metadata');
\$ # 8
media_id = $id
sha256 = $sha
size = 24
crc32 = @{[crc32($text)]}
mime_type = text/plain
name = "a b.txt"
owner_id = ann
created_at ~ ^20\\d\\d-.*Z\$
END

$res = http_req('GET', "/v1/media/$id/info", $ben);
is($res->[0], 200, 'info, to anybody of the tenant');
json_like($res->[2], <<"END", 'info');
data # 11
data.media_id = $id
data.sha256 = $sha
data.size = 24
data.mime_type = text/plain
data.name = "a b.txt"
data.owner_id = ann
data.created_at ~ Z\$
END

$res = download($ben, $id);
is($res->[0], 200, 'download');
is($res->[2], $text, 'the bytes');

my %expected = (
    'content-type' => 'text/plain',
    'content-length' => 24,
    'etag' => "\"$sha\"",
    'accept-ranges' => 'bytes',
    'x-content-type-options' => 'nosniff',
    'content-security-policy' => 'sandbox',
    'cache-control' => 'private',
    'content-disposition' => 'attachment; filename="a b.txt"',
);

is($res->[1]{$_}, $expected{$_}, "header $_") for sort keys %expected;
like($res->[1]{'x-request-id'}, qr/\A[0-9a-f]{32}\z/, 'X-Request-Id');
like($res->[1]{'last-modified'}, qr/GMT\z/, 'Last-Modified');

my $modified = $res->[1]{'last-modified'};

$res = http_req('HEAD', "/v1/media/download/$id", $ann);
is($res->[0], 200, 'HEAD');
is($res->[2], '', 'HEAD has no body');
is($res->[1]{$_}, $expected{$_}, "HEAD: $_") for sort keys %expected;

# Ranges and conditions are NGINX's own.

$res = download($ann, $id, Range => 'bytes=6-9');
is($res->[0], 206, 'a range');
is($res->[2], 'line', 'its bytes');
is($res->[1]{'content-range'}, 'bytes 6-9/24', 'Content-Range');
is($res->[1]{'content-disposition'}, $expected{'content-disposition'},
   'an attachment, too');

$res = download($ann, $id, Range => 'bytes=-5');
is($res->[2], "line\n", 'from the end');

$res = download($ann, $id, Range => 'bytes=0-0,23-');
is($res->[0], 206, 'two ranges');
like($res->[1]{'content-type'}, qr/\Amultipart\/byteranges/, 'in parts');

$res = download($ann, $id, Range => 'bytes=24-');
error_is($res, 416, 'SW_VALIDATION_FAILED', 'past the end');
is($res->[1]{'content-range'}, 'bytes */24', 'the size is told');

$res = download($ann, $id, Range => 'bytes=0-1', 'If-Range' => '"other"');
is($res->[0], 200, 'If-Range of another content');

$res = download($ann, $id, 'If-None-Match' => "\"x\", \"$sha\"");
is_deeply([@$res[0, 2]], [304, ''], 'If-None-Match');
is($res->[1]{etag}, "\"$sha\"", '304 has the ETag');

is(download($ann, $id, 'If-None-Match' => '"x"')->[0], 200, 'another');
is(download($ann, $id, 'If-Modified-Since' => $modified)->[0], 304,
   'If-Modified-Since');
error_is(download($ann, $id, 'If-Match' => '"x"'), 412,
         'SW_PRECONDITION_FAILED', 'If-Match');

# Nobody else's.

for my $path ("/v1/media/download/$id", "/v1/media/$id/info") {
    my $other = http_req('GET', $path, $eve);
    my $none = http_req('GET', $path =~ s/\Q$id\E/med-none/r, $ann);

    error_is($other, 404, 'SW_NOT_FOUND', "another tenant's: $path");
    error_is($none, 404, 'SW_NOT_FOUND', "unknown: $path");

    s/"request_id":"[^"]*"// for $other->[2], $none->[2];
    is($other->[2], $none->[2], 'which are the same');

    is(http_req('GET', $path, undef)->[0], 401, "no token: $path");
}

error_is(http_req('GET', "/v1/media/download/$_", $ann), 404,
         'SW_NOT_FOUND', "no id: $_")
    for 'room-abc', 'med-', '..%2Fmed-x', 'med-%01', 'info',
        'med-' . 'a' x 80;

$res = http_req('GET', '/v1/media/upload', $ann);
error_is($res, 405, 'SW_METHOD_NOT_ALLOWED', 'GET of upload');
is($res->[1]{allow}, 'POST', 'Allow');

is(http_req('POST', '/v1/media/upload', undef, 'x')->[0], 401,
   'no token, no upload');

# The same content again: another medium, the same file.

my $again = upload($ben, 'other.txt', 'text/markdown', $text);

isnt($again->{media_id}, $id, 'another medium');
is($again->{sha256}, $sha, 'of the same content');
is_deeply([files()], [blob($sha)], 'in one file');
is(redis('HGET', 'sw:{t1}:blobs', $sha), 2, 'two references');
is(download($ann, $again->{media_id})->[2], $text, 'it is the same');

my $theirs = upload($eve, 'e.txt', 'text/plain', $text);

is_deeply([files()], [blob($sha), blob($sha, 't2')],
          'other tenants have their own');
is(download($ann, $theirs->{media_id})->[0], 404, "not ann's");

# A file that is there, but not whole, is replaced.

truncate $media . blob($sha), 3;
is(download($ann, $id)->[0], 404, 'a damaged file is none');
upload($ann, 'x', 'text/plain', $text);
is(download($ann, $id)->[2], $text, 'repaired by whoever has it');

# Tenants that look like folders.

for my $tenant ('.', '..', '.incoming', '...', '-', '_') {
    my $medium = upload("mock:dot\@$tenant", 'dot', 'text/plain', $text);

    is(download("mock:dot\@$tenant", $medium->{media_id})->[2], $text,
       "tenant $tenant");
}

is_deeply([grep { m{\A/%2E} } files()],
          [sort map { blob($sha, $_) } '%2E', '%2E.', '%2E..', '%2Eincoming'],
          'no folder has a leading dot');
is_deeply([glob "$parent/*"], [$media], 'nothing outside');

# Sizes.

for my $size (0, 1, 4095, 65536, 262144, 262145, 1_000_000) {
    my $content = $size ? substr(join('', map { sha256_hex($_) }
                                          1 .. $size / 64 + 1), 0, $size)
                        : '';
    my $medium = upload($ann, 'size', 'application/x-size', $content);

    is($medium->{sha256}, sha256_hex($content), "sha256 of $size bytes");
    is($medium->{size}, $size, "size $size");

    $res = download($ann, $medium->{media_id});
    is($res->[0], 200, "download of $size bytes");
    ok($res->[2] eq $content, "the same $size bytes");
    is(JSON::PP::decode_json(redis('HGET', 'sw:{t1}:media',
                                   $medium->{media_id}))->{crc32},
       crc32($content), "CRC of $size bytes");
}

# Delimiters that are none, at any place of a window.

for my $pad (0 .. 3, map { 262144 - $_ } 120 .. 124) {
    my $content = 'x' x $pad . "\r\n--$boundary" =~ s/9\z/8/r . "\r\n--\r\r\n"
                  . "y" x 300000;

    is(upload($ann, 'd', undef, $content)->{sha256}, sha256_hex($content),
       "nearly a delimiter behind $pad bytes");
}

# Names and types.

my @names = (
    ['résumé.pdf', 'résumé.pdf',
     'attachment; filename="r_sum_.pdf";'
     . " filename*=UTF-8''r%C3%A9sum%C3%A9.pdf"],
    ['a%41;b.txt', 'a%41;b.txt',
     "attachment; filename=\"a_41;b.txt\"; filename*=UTF-8''a%2541%3Bb.txt"],
    ['../../etc/passwd', 'passwd', 'attachment; filename="passwd"'],
    ['C:\\\\temp\\\\x.exe', 'x.exe', 'attachment; filename="x.exe"'],
    ['', 'file', 'attachment; filename="file"'],
    ['..', 'file', 'attachment; filename="file"'],
    ["\xff\xfe.txt", '__.txt', 'attachment; filename="__.txt"'],
    ['q\\"q.txt', 'q_q.txt', 'attachment; filename="q_q.txt"'],
    ['x%0d%0aSet-Cookie: a=b', 'x%0d%0aSet-Cookie_ a=b',
     "attachment; filename=\"x_0d_0aSet-Cookie_ a=b\";"
     . " filename*=UTF-8''x%250d%250aSet-Cookie_%20a%3Db"],
    ["c1\xc2\x85x", 'file', 'attachment; filename="file"'],
    ['n' x 300, 'n' x 200, 'attachment; filename="' . 'n' x 200 . '"'],
);

for (@names) {
    my ($raw, $name, $disposition) = @$_;
    my $medium = upload($ann, $raw, undef, 'named');

    utf8::encode($medium->{name}) if utf8::is_utf8($medium->{name});
    is($medium->{name}, $name, "name " . substr($raw, 0, 30));

    $res = download($ann, $medium->{media_id});
    is($res->[1]{'content-disposition'}, $disposition, 'as it is sent');
    is($res->[1]{'set-cookie'}, undef, 'no header of theirs');
}

error_is(upload_raw($ann, multipart(['file', "x\r\nSet-Cookie: a", undef,
                                     'x'])),
         400, 'SW_VALIDATION_FAILED', 'a line break in a name');
error_is(upload_raw($ann, multipart(['file', "x\0y", undef, 'x'])),
         400, 'SW_VALIDATION_FAILED', 'NUL in a name');

is(upload($ann, undef, undef, 'no name')->{name}, 'file', 'no file name');

# Forms as clients send them.

for (['*****', '*****'], ['"*****"', '*****'], ['--&#~$', '--&#~$'],
     ['"--&#~$;,"', '--&#~$;,'], ["\"a b'()+_,-./:=?\"", "a b'()+_,-./:=?"])
{
    my ($param, $mark) = @$_;

    $res = http_req('POST', '/v1/media/upload', $ann,
                    "--$mark\r\nContent-Disposition: form-data; name=file; "
                    . "filename=\"=?utf-8?B?w7wudHh0?=\"; "
                    . "filename*=utf-8''%C3%BC%20exact.txt\r\n\r\nx\r\n"
                    . "--$mark--\r\n", 'Content-Type' =>
                    "multipart/form-data; charset=utf-8; boundary=$param");

    is($res->[0], 201, "boundary $param");
    like($res->[2], qr/"name":"\xc3\xbc exact.txt"/, 'the exact name');
}

error_is(upload_raw($ann, multipart(['file', '', undef, ''])),
         400, 'SW_VALIDATION_FAILED', 'no file was chosen');
error_is(upload_raw($ann, multipart(['file', undef, undef, ''])),
         400, 'SW_VALIDATION_FAILED', 'nor was there a name');
is(upload($ann, 'empty.txt', undef, '')->{size}, 0, 'but one may be empty');

for (['IMAGE/SVG+xml; charset=utf-8', 'image/svg+xml'],
     [undef, 'application/octet-stream'],
     ['text', 'application/octet-stream'],
     ['text/', 'application/octet-stream'],
     ['/plain', 'application/octet-stream'],
     ['text/html, x', 'application/octet-stream'],
     ['text/<b>', 'application/octet-stream'],
     ['t/' . 'x' x 124, 't/' . 'x' x 124])
{
    my ($type, $mime) = @$_;
    my $medium = upload($ann, 'x', $type, 'typed');

    is($medium->{mime_type}, $mime, 'type ' . ($type // 'none'));
    is(download($ann, $medium->{media_id})->[1]{'content-type'}, $mime,
       'as it is sent');
}

# What is no upload changes nothing.

my ($files, $count) = (join("\n", files()), redis('HLEN', 'sw:{t1}:media'));
my $good = multipart(['file', 'x', undef, 'never']);
my $form = "multipart/form-data; boundary=$boundary";

for (['no multipart', 'Content-Type', 'application/json', '{}'],
     ['no boundary', 'Content-Type', 'multipart/form-data', $good],
     ['an empty boundary', 'Content-Type', 'multipart/form-data; boundary=""',
      $good],
     ['a boundary of 10 KB', 'Content-Type',
      'multipart/form-data; boundary=' . 'b' x 10240, $good],
     ['another boundary', 'body', $form . 'z', $good],
     ['no parts', 'file', $form, "--$boundary--\r\n"],
     ['an empty body', 'body', $form, ''],
     ['no part "file"', 'file', $form, multipart(['fil', 'x', undef, 'y'])],
     ['two files', 'file', $form, multipart((['file', 'x', undef, 'y']) x 2)],
     ['truncated', 'body', $form, substr($good, 0, -8)],
     ['truncated in the header', 'body', $form, substr($good, 0, 40)],
     ['a transfer encoding', 'body', $form,
      $good =~ s/\r\n\r\n/\r\nContent-Transfer-Encoding: base64\r\n\r\n/r])
{
    my ($name, $field, $type, $body) = @$_;

    error_is(upload_raw($ann, $body, 'Content-Type' => $type), 400,
             'SW_VALIDATION_FAILED', $name,
             "error.details[0].field = $field",
             'error.details[0].problem ~ .');
}

$res = http_raw('POST', '/v1/media/upload', $ann, $good);
$res =~ s/Content-Type: [^\r]*\r\n//;
error_is(http_many([$res])->[0], 400, 'SW_VALIDATION_FAILED',
         'no Content-Type', 'error.details[0].field = Content-Type');

is(redis('HLEN', 'sw:{t1}:media'), $count, 'no medium more');
is(join("\n", files()), $files, 'no file more');

# Idempotency-Key.

my %key = ('Idempotency-Key' => 'k1');
my $first = upload($ann, 'k', 'text/plain', 'idempotent', %key);

$res = upload_raw($ann, multipart(['file', 'k', 'text/plain', 'idempotent']),
                  %key);
is($res->[0], 201, 'the same again');
is($res->[1]{'idempotency-replayed'}, 'true', 'is a replay');
is(json_get($res->[2], 'data.media_id'), $first->{media_id},
   'and the same medium');
is(redis('HGET', 'sw:{t1}:blobs', $first->{sha256}), 1, 'with one reference');

error_is(upload_raw($ann, multipart(['file', 'k', 'text/plain', 'other']),
                    %key),
         409, 'SW_IDEMPOTENCY_CONFLICT', 'other bytes');
error_is(upload_raw($ann, multipart(['file', 'l', 'text/plain',
                                     'idempotent']), %key),
         409, 'SW_IDEMPOTENCY_CONFLICT', 'another name');
isnt(upload($ben, 'k', 'text/plain', 'idempotent', %key)->{media_id},
     $first->{media_id}, "another caller's key");

# a multipart boundary is no part of what is uploaded
$res = multipart(['file', 'k', 'text/plain', 'idempotent']);
$res =~ s/$boundary/Other/g;
$res = upload_raw($ann, $res, %key,
                  'Content-Type' => 'multipart/form-data; boundary=Other');
is(json_get($res->[2], 'data.media_id'), $first->{media_id},
   'the same file in another wrapping');

my @same = (['POST', '/v1/media/upload', $ann,
             multipart(['file', 'race', 'text/plain', 'race' x 1000]),
             'Content-Type' => $form, 'Idempotency-Key' => 'k2']) x 8;
my %seen;

for (@{http_many(\@same)}) {
    next if $_->[0] == 409;
    is($_->[0], 201, 'created or replayed');
    $seen{json_get($_->[2], 'data.media_id')}++;
}

is(scalar keys %seen, 1, 'eight at once make one');

# A medium whose file was lost.

my $lost = upload($ann, 'l', undef, 'to be lost');
unlink $media . blob($lost->{sha256}) or die $!;
error_is(download($ann, $lost->{media_id}), 404, 'SW_NOT_FOUND', 'lost');
is(http_req('GET', "/v1/media/$lost->{media_id}/info", $ann)->[0], 200,
   'what it was is still known');

ok(!(grep { m{\A/\.incoming/} } files()), 'no temporary file is left');

stop_nginx();
done_testing();
