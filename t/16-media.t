# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Media: upload, info, download.  Uploads at the same moment are in
# 16-media-races.t, what the disk does in 16-media-disk.t.

use strict;
use warnings;

use Compress::Zlib qw(crc32);
use Digest::SHA qw(sha256_hex);
use File::Find qw(find);
use File::Temp ();
use Test::More ();

use lib 't/lib';
use RoomsTest;
use Test::Nginx::Socket 'no_plan';

our $parent = File::Temp->newdir('rooms-media-XXXXXXXX', TMPDIR => 1);
our $media = "$parent/media";
our $boundary = 'XyZ0123456789';

mkdir $media or die "cannot make $media: $!\n";

our $text = "first line\r\nsecond line\n";
our $disposition = 'Content-Disposition: attachment; filename="a b.txt"';

save(sha => sha256_hex($text), crc => crc32($text));

default_config(<<"END");
    rooms on;
    rooms_auth mock;
    rooms_redis redis://\$TEST_NGINX_REDIS/0;
    rooms_media_path $media;
    large_client_header_buffers 4 32k;
END

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

sub upload { return "POST /v1/media/upload\n" . multipart(@_) }

# The upload of one file.
sub file {
    my ($name, $type, $content) = @_;

    return upload(['file', $name, $type, $content]);
}

# The headers of an upload by somebody of t1, or of another tenant.
sub form {
    my ($who, $type) = @_;

    return as($who =~ /\@/ ? $who : "$who\@t1") . "\nContent-Type: "
           . ($type // "multipart/form-data; boundary=$boundary");
}

sub refused {
    my ($field) = @_;

    return failure(SW_VALIDATION_FAILED => $field)
           . ($field ? 'error.details[0].problem ~ .' : '');
}

# Body filters: all files below the media path, and the hash of a body.
sub files {
    my @found;

    find({ no_chdir => 1, wanted => sub { push @found, $_ if -f } }, $media);

    return join "\n", sort map { s/\A\Q$media\E//r } @found;
}

sub file_modes {
    return join "\n", map { sprintf "%04o $_", (stat $media . $_)[2] & 07777 }
                          split /\n/, files();
}

# The folders beside that of media, and the files of tenants with a dot.
sub dotted {
    return join "\n", map({ s{.*/}{}r } glob "$parent/*"),
                      grep { m{\A/%2E} } split /\n/, files();
}

# How many files a folder has.
sub count { return scalar grep { m{\A/\Q$_[0]\E/} } split /\n/, files() }

sub sorted { return join "\n", sort @_ }

sub lines_of { return join '', map { "$_\n" } @_ }

sub sha { return sha256_hex($_[0]) }

sub blob {
    my ($tenant, $content) = @_;
    my $sha = sha256_hex($content);

    return "/$tenant/" . substr($sha, 0, 2) . "/$sha";
}

# So many bytes.
sub content {
    my ($size) = @_;

    return substr join('', map { sha256_hex($_) } 0 .. $size / 64), 0, $size;
}

# Content that is nearly a delimiter behind so many bytes.
sub nearly {
    my ($pad) = @_;

    return 'x' x $pad . "\r\n--$boundary" =~ s/9\z/8/r . "\r\n--\r\r\n"
           . 'y' x 300000;
}

our @sizes = (0, 1, 4095, 65536, 262144, 262145, 1_000_000);
our @pads = (0 .. 3, map { 262144 - $_ } 120 .. 124);

# A name as it is sent, as it is kept, and as it is shown to a browser.
our @names = (
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
    ["c1\xc2\x85x", 'c1_x', 'attachment; filename="c1_x"'],
    ["photo\xe2\x80\xaegpj.exe", 'photo_gpj.exe',
     'attachment; filename="photo_gpj.exe"'],
    ["two\xe2\x80\xa8lines", 'two_lines', 'attachment; filename="two_lines"'],
    ['n' x 300, 'n' x 200, 'attachment; filename="' . 'n' x 200 . '"'],
);

# A type as it is sent, and as it is kept.
our @types = (['IMAGE/SVG+xml; charset=utf-8', 'image/svg+xml'],
              (map { [$_, 'application/octet-stream'] }
                   undef, 'text', 'text/', '/plain', 'text/html, x',
                   'text/<b>'),
              ['t/' . 'x' x 124, 't/' . 'x' x 124]);

# A boundary as the header has it, and as the body has it.
our @marks = (['*****', '*****'], ['"*****"', '*****'], ['--&#~$', '--&#~$'],
              ['"--&#~$;,"', '--&#~$;,'],
              ["\"a b'()+_,-./:=?\"", "a b'()+_,-./:=?"]);

# What is no upload: the field that is wrong, the type, the body.
my $good = multipart(['file', 'x', undef, 'never']);
my $form = "multipart/form-data; boundary=$boundary";

our @wrong = (
    ['Content-Type', 'application/json', '{}'],
    ['Content-Type', 'multipart/form-data', $good],
    ['Content-Type', 'multipart/form-data; boundary=""', $good],
    ['Content-Type', 'multipart/form-data; boundary=' . 'b' x 10240, $good],
    ['body', $form . 'z', $good],
    ['file', $form, "--$boundary--\r\n"],
    ['body', $form, ''],
    ['file', $form, multipart(['fil', 'x', undef, 'y'])],
    ['file', $form, multipart((['file', 'x', undef, 'y']) x 2)],
    ['body', $form, substr($good, 0, -8)],
    ['body', $form, substr($good, 0, 40)],
    ['body', $form, $good =~ s/\r\n\r\n/\r\nContent-Transfer-Encoding: base64\r\n\r\n/r],
);

no_shuffle();
run_tests();

__DATA__

=== TEST 1: a file is taken from a form, whatever else it has
--- request eval
main::upload(['note', undef, undef, 'x'], (map { [$_, undef, undef, "\xff" x 2000] } ('name', 'workspace_id', 'dry_run') x 2), ['file', 'a b.txt', 'Text/Plain', $main::text])
--- more_headers eval
main::form('ann')
--- error_code: 201
--- response_headers
Content-Type: application/json
--- json
data # 9
data.media_id ~ ^med-[0-9a-z]{26}$
data.sha256 = "{{sha}}"
data.size = 24
data.mime_type = text/plain
data.name = "a b.txt"
--- capture
medium: json data.media_id
--- store
HGET sw:{t1}:blobs {{sha}} = 1
HGET sw:{t1}:media {{medium}} -> metadata



=== TEST 2: it is one file, under its hash, for nobody else
--- request
GET /v1/media/{{medium}}/info
--- more_headers eval
main::as('ben@t1')
--- response_body_filters eval
\&main::file_modes
--- response_body eval
'0600 ' . main::blob(t1 => $main::text)



=== TEST 3: what is known of it, to anybody of the tenant
--- calls
ben@t1 GET /v1/media/{{medium}}/info -> 200
    data # 11
    data.media_id = {{medium}}
    data.sha256 = "{{sha}}"
    data.size = 24
    data.mime_type = text/plain
    data.name = "a b.txt"
    data.owner_id = ann
    data.created_at ~ ^20\d\d-.*Z$



=== TEST 4: what the store keeps of it
--- request
GET /v1/media/{{medium}}/info
--- more_headers eval
main::as('ben@t1')
--- response_body_filters eval
sub { main::saved('metadata') }
--- json
$ # 8
media_id = {{medium}}
sha256 = "{{sha}}"
size = 24
crc32 = {{crc}}
mime_type = text/plain
name = "a b.txt"
owner_id = ann
created_at ~ ^20\d\d-.*Z$



=== TEST 5: a download has the bytes, and can't do harm in a browser
--- request
GET /v1/media/download/{{medium}}
--- more_headers eval
main::as('ben@t1')
--- response_headers
Content-Type: text/plain
Content-Length: 24
ETag: "{{sha}}"
Accept-Ranges: bytes
X-Content-Type-Options: nosniff
Content-Security-Policy: sandbox
Cache-Control: private
Content-Disposition: attachment; filename="a b.txt"
--- response_body eval
$main::text
--- raw_response_headers_like
(?m)^X-Request-Id: [0-9a-f]{32}\r$
--- capture
modified: header Last-Modified



=== TEST 6: HEAD
--- request
HEAD /v1/media/download/{{medium}}
--- more_headers eval
main::as('ann@t1')
--- response_headers
Content-Type: text/plain
Content-Length: 24
ETag: "{{sha}}"
Accept-Ranges: bytes
X-Content-Type-Options: nosniff
Content-Security-Policy: sandbox
Cache-Control: private
Content-Disposition: attachment; filename="a b.txt"
--- response_body
--- capture
modified: header Last-Modified



=== TEST 7: ranges
--- request eval
[("GET /v1/media/download/{{medium}}") x 5]
--- more_headers eval
[map { main::as('ann@t1') . "\n$_" } 'Range: bytes=6-9', 'Range: bytes=-5', 'Range: bytes=0-0,23-', 'Range: bytes=24-',
 "Range: bytes=0-1\nIf-Range: \"other\""]
--- error_code eval
[206, 206, 206, 416, 200]
--- response_headers eval
["Content-Range: bytes 6-9/24\n$main::disposition", $main::disposition, '', 
 "Content-Range: bytes */24\n! Content-Disposition\n! ETag\n! Content-Security-Policy", $main::disposition]
--- raw_response_headers_like eval
['', '', '(?m)^Content-Type: multipart/byteranges', '', '']
--- response_body_like eval
['\Aline\z', '\Aline\n\z', 'line|f', 'SW_VALIDATION_FAILED', '\Afirst line\r\nsecond line\n\z']



=== TEST 8: conditions
--- request eval
[("GET /v1/media/download/{{medium}}") x 4]
--- more_headers eval
[map { main::as('ann@t1') . "\n$_" } 'If-None-Match: "x", "{{sha}}"', 'If-None-Match: "x"', 'If-Modified-Since: {{modified}}', 'If-Match: "x"']
--- error_code eval
[304, 200, 304, 412]
--- response_headers eval
['ETag: "{{sha}}"', '', '', '']
--- response_body_like eval
['\A\z', 'line', '\A\z', '"code":"SW_PRECONDITION_FAILED"']



=== TEST 9: to another tenant, it is as if it weren't there
--- calls
ann@t1 GET /v1/media/<download/med-none|med-none/info> -> 404 SW_NOT_FOUND
    save said: json error.message
eve@t2 GET /v1/media/<download/{{medium}}|{{medium}}/info> -> 404 SW_NOT_FOUND
    error.message = "{{said}}"
    error.details !
- GET /v1/media/<download/{{medium}}|{{medium}}/info> -> 401 SW_AUTH_INVALID_TOKEN
ann@t1 GET /v1/media/download/<room-abc|med-|..%2Fmed-x|med-%01|info|med-{{a*80}}> -> 404 SW_NOT_FOUND
ann@t1 GET /v1/media/upload -> 405 SW_METHOD_NOT_ALLOWED
    < Allow: POST
- POST /v1/media/upload x -> 401 SW_AUTH_INVALID_TOKEN



=== TEST 10: the same content again is another medium with the same file; other tenants have their own
--- request eval
[(main::file('other.txt', 'text/markdown', $main::text)) x 2]
--- more_headers eval
[main::form('ben'), main::form('eve@t2')]
--- error_code eval
[201, 201]
--- capture eval
["again: json data.media_id", "theirs: json data.media_id"]
--- json eval
["data.media_id != {{medium}}\ndata.sha256 = \"{{sha}}\"", "data.sha256 = \"{{sha}}\""]
--- store
HGET sw:{t1}:blobs {{sha}} = 2
HGET sw:{t2}:blobs {{sha}} = 1



=== TEST 11: ... two files
--- request
GET /v1/media/download/{{again}}
--- more_headers eval
main::as('ann@t1')
--- response_body_filters eval
sub { ($_[0] eq $main::text ? "the same\n" : "another\n") . main::files() }
--- response_body eval
"the same\n" . main::blob(t1 => $main::text) . "\n" . main::blob(t2 => $main::text)



=== TEST 12: and no tenant reads another's
--- calls
ann@t1 GET /v1/media/download/{{theirs}} -> 404 SW_NOT_FOUND



=== TEST 13: a file that isn't whole is none
--- init
truncate $main::media . main::blob(t1 => $main::text), 3;
--- calls
ann@t1 GET /v1/media/download/{{medium}} -> 404



=== TEST 14: ... and is repaired by whoever has it
--- request eval
[main::file('x', 'text/plain', $main::text), 'GET /v1/media/download/{{medium}}']
--- more_headers eval
[main::form('ann'), main::as('ann@t1')]
--- error_code eval
[201, 200]
--- response_body_like eval
['{{sha}}', '\Afirst line\r\nsecond line\n\z']



=== TEST 15: tenants that look like folders
--- request eval
[(main::file('dot', 'text/plain', $main::text)) x 6]
--- more_headers eval
[map { main::form("dot\@$_") } '.', '..', '.incoming', '...', '-', '_']
--- error_code eval
[(201) x 6]
--- capture eval
[map { "dot$_: json data.media_id" } 1 .. 6]



=== TEST 16: ... have what is theirs
--- request eval
[map { "GET /v1/media/download/{{dot$_}}" } 1 .. 6]
--- more_headers eval
[map { main::as("dot\@$_") } '.', '..', '.incoming', '...', '-', '_']
--- error_code eval
[(200) x 6]
--- response_body eval
[($main::text) x 6]



=== TEST 17: ... in no folder with a leading dot, and nothing outside
--- request
GET /v1/media/{{medium}}/info
--- more_headers eval
main::as('ann@t1')
--- response_body_filters eval
sub { main::dotted() }
--- response_body eval
"media\n" . main::sorted(map { main::blob($_, $main::text) } '%2E', '%2E.', '%2E..', '%2Eincoming')



=== TEST 18: files of any size
--- request eval
[map { main::file('size', 'application/x-size', main::content($_)) } @main::sizes]
--- more_headers eval
main::form('ann')
--- error_code eval
[(201) x 7]
--- capture eval
[map { "size$_: json data.media_id" } @main::sizes]
--- json eval
[map { "data.size = $_\ndata.sha256 = \"" . main::sha(main::content($_)) . '"' } @main::sizes]
--- store eval
main::lines_of(map { "HGET sw:{t1}:media {{size$_}} ~ \"crc32\":" . Compress::Zlib::crc32(main::content($_)) . '\b' } @main::sizes)



=== TEST 19: ... are read as they were written
--- request eval
[map { "GET /v1/media/download/{{size$_}}" } @main::sizes]
--- more_headers eval
main::as('ann@t1')
--- error_code eval
[(200) x 7]
--- response_headers eval
[map { "Content-Length: $_" } @main::sizes]
--- response_body_filters eval
\&main::sha
--- response_body eval
[map { main::sha(main::content($_)) } @main::sizes]



=== TEST 20: delimiters that are none, at any place of a window
--- request eval
[map { main::file('d', undef, main::nearly($_)) } @main::pads]
--- more_headers eval
main::form('ann')
--- error_code eval
[(201) x 9]
--- json eval
[map { 'data.sha256 = "' . main::sha(main::nearly($_)) . '"' } @main::pads]



=== TEST 21: names are kept without what is no name
--- request eval
[map { main::file($_->[0], undef, 'named') } @main::names]
--- more_headers eval
main::form('ann')
--- error_code eval
[(201) x @main::names]
--- capture eval
[map { "name$_: json data.media_id" } 0 .. $#main::names]
--- json eval
[map { "data.name = \"$_->[1]\"" } @main::names]



=== TEST 22: ... and are no header of theirs
--- request eval
[map { "GET /v1/media/download/{{name$_}}" } 0 .. $#main::names]
--- more_headers eval
main::as('ann@t1')
--- error_code eval
[(200) x @main::names]
--- response_headers eval
[map { "Content-Disposition: $_->[2]\n! Set-Cookie" } @main::names]



=== TEST 23: a line break or a NUL in a name is refused; without one it is "file"
--- request eval
[main::file("x\r\nSet-Cookie: a", undef, 'x'), main::file("x\0y", undef, 'x'), main::file(undef, undef, 'no name')]
--- more_headers eval
main::form('ann')
--- error_code eval
[400, 400, 201]
--- json eval
[("error.code = SW_VALIDATION_FAILED") x 2, "data.name = file"]



=== TEST 24: forms as clients send them; the exact name goes first
--- request eval
[map { "POST /v1/media/upload\n--$_->[1]\r\nContent-Disposition: form-data; name=file; filename=\"=?utf-8?B?w7wudHh0?=\"; "
       . "filename*=utf-8''%C3%BC%20exact.txt\r\n\r\nx\r\n--$_->[1]--\r\n" } @main::marks]
--- more_headers eval
[map { main::form('ann', "multipart/form-data; charset=utf-8; boundary=$_->[0]") } @main::marks]
--- error_code eval
[(201) x 5]
--- json eval
[('data.name = "ü exact.txt"') x 5]



=== TEST 25: where no file was chosen there is none; but one may be empty
--- request eval
[main::file('', undef, ''), main::file(undef, undef, ''), main::file('empty.txt', undef, '')]
--- more_headers eval
main::form('ann')
--- error_code eval
[400, 400, 201]
--- json eval
[("error.code = SW_VALIDATION_FAILED") x 2, "data.size = 0"]



=== TEST 26: types are kept where they are types
--- request eval
[map { main::file('x', $_->[0], 'typed') } @main::types]
--- more_headers eval
main::form('ann')
--- error_code eval
[(201) x 8]
--- capture eval
[map { "type$_: json data.media_id" } 0 .. 7]
--- json eval
[map { "data.mime_type = \"$_->[1]\"" } @main::types]



=== TEST 27: ... and sent
--- request eval
[map { "GET /v1/media/download/{{type$_}}" } 0 .. 7]
--- more_headers eval
main::as('ann@t1')
--- error_code eval
[(200) x 8]
--- response_headers eval
[map { "Content-Type: $_->[1]" } @main::types]
--- store
HLEN sw:{t1}:media -> media
HLEN sw:{t1}:blobs -> blobs



=== TEST 28: what is no upload is refused, by its field
--- request eval
[map { "POST /v1/media/upload\n$_->[2]" } @main::wrong]
--- more_headers eval
[map { main::form('ann', $_->[1]) . ($_->[2] eq '' ? "\nContent-Length: 0" : '') } @main::wrong]
--- error_code eval
[(400) x 12]
--- json eval
[map { main::refused($_->[0]) } @main::wrong]



=== TEST 29: ... also without a type; nothing is kept of it
--- request eval
main::file('x', undef, 'never')
--- more_headers eval
main::as('ann@t1')
--- error_code: 400
--- json eval
main::refused('Content-Type')
--- store
HLEN sw:{t1}:media = {{media}}
HLEN sw:{t1}:blobs = {{blobs}}



=== TEST 30: ... no file, of any tenant
--- request
GET /v1/media/{{medium}}/info
--- more_headers eval
main::as('ann@t1')
--- response_body_filters eval
sub { main::count('t1') . ' ' . main::count('t2') . ' ' . main::count('.incoming') }
--- response_body chomp
{{blobs}} 1 0



=== TEST 31: a key: the same again is a replay, in whatever wrapping; another file is a conflict
--- request eval
[(main::file('k', 'text/plain', 'idempotent')) x 2, main::file('k', 'text/plain', 'other'), main::file('l', 'text/plain', 'idempotent'),
 main::file('k', 'text/plain', 'idempotent'), main::file('k', 'text/plain', 'idempotent') =~ s/$main::boundary/Other/gr]
--- more_headers eval
[map { "$_\nIdempotency-Key: k1" } (main::form('ann')) x 4, main::form('ben'), main::form('ann', 'multipart/form-data; boundary=Other')]
--- error_code eval
[201, 201, 409, 409, 201, 201]
--- response_headers eval
['! Idempotency-Replayed', 'Idempotency-Replayed: true', '', '', '! Idempotency-Replayed', 'Idempotency-Replayed: true']
--- capture eval
["keyed: json data.media_id\nkeyed_sha: json data.sha256", ('') x 5]
--- json eval
['data ?', 'data.media_id = {{keyed}}', ('error.code = SW_IDEMPOTENCY_CONFLICT') x 2, 'data.media_id != {{keyed}}', 'data.media_id = {{keyed}}']
--- store
HGET sw:{t1}:blobs {{keyed_sha}} = 2



=== TEST 32: a file to be lost
--- request eval
main::file('l', undef, 'to be lost')
--- more_headers eval
main::form('ann')
--- error_code: 201
--- capture
lost: json data.media_id



=== TEST 33: a medium whose file was lost isn't there; what it was is still known
--- init
unlink $main::media . main::blob(t1 => 'to be lost') or die $!;
--- calls
ann@t1 GET /v1/media/download/{{lost}} -> 404 SW_NOT_FOUND
ann@t1 GET /v1/media/{{lost}}/info -> 200



=== TEST 34: no temporary file is left
--- request
GET /v1/media/{{medium}}/info
--- more_headers eval
main::as('ann@t1')
--- response_body_filters eval
sub { main::count('.incoming') }
--- response_body chomp
0
