# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# POST /v1/rooms/import: bundles that were unpacked and packed again.  The
# headers are those that these programs write; behind them come the programs
# themselves, those that are here.  Each archive has three media.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use File::Path ();
use File::Temp ();
use JSON::PP ();

use lib 't/lib';
use RoomsTest;
use RoomsTest::Bundle qw(event form imports manifest zip);
use RoomsTest::Process qw(slurp write_file);
use Test::Nginx::Socket 'no_plan';

my $dir = File::Temp->newdir('rooms-media-XXXXXXXX', TMPDIR => 1);

$ENV{TEST_NGINX_MEDIA} = "$dir";

default_config(<<'END');
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
        rooms_media_path $TEST_NGINX_MEDIA;
END

my @content = ("first \x{e9}", 'second', '');
our @sha = map { sha256_hex($_) } @content;

our %json = (data => JSON::PP->new->utf8->canonical->encode(manifest(
    media => [map { { sha256 => $sha[$_], size => length $content[$_],
                      media_id => "m$_", mime_type => 'text/plain',
                      name => "n$_.txt" } } 0 .. 2],
    events => [map { event($_ + 1, { media_id => "m$_" }) } 0 .. 2])));

# Every block asks for an import, and is told of three media.
add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(more_headers =>
                      as('ina') . "\nContent-Type: " . (form('x'))[1]);
    $block->set_value(error_code => 201);
    $block->set_value(json => 'data.media_imported = 3');
    $block->set_value(no_error_log => '[error]');
});

# An archive with the manifest in front.
sub packed { return imports(zip({ name => 'manifest.json', %json }, @_)) }

# The media, where a path says (of a SHA-256 and a name): entries.
sub media {
    my ($path, %more) = @_;

    return map { { name => $path->($sha[$_], "n$_.txt"),
                   data => $content[$_], %more } } 0 .. 2;
}

# Where we put them.
sub ours { return "media/$_[0]/$_[1]" }

sub folder {
    my ($name, $attr) = @_;

    return { name => $name, method => 0, local => { flags => 0 },
             central => { flags => 0, attr => $attr } };
}

# An entry as the Archive Utility of macOS writes it: its name in UTF-8 without
# the flag, its sizes behind the data.
sub mac {
    my ($e) = @_;
    my $packed = RoomsTest::Bundle::deflated($e->{data});

    return { %$e, method => 8,
             local => { flags => 8, crc => 0, csize => 0, usize => 0,
                        extra => "UX\x0c\0" . 'x' x 12 },
             central => { flags => 8, made => 0x0315,
                          extra => "UX\x08\0" . 'x' x 8 },
             after => pack('V V V V', 0x08074b50,
                           Compress::Raw::Zlib::crc32($e->{data}),
                           length $packed, length $e->{data}) };
}

# The headers of programs that know the code page of DOS only.
our %dos = (local => { flags => 0 },
            central => { flags => 0, made => 20, attr => 0x20 });

# An entry with the sizes of ZIP64 beside the true ones.
sub sizes {
    my ($e) = @_;
    my $packed = RoomsTest::Bundle::deflated($e->{data});
    my $both = pack 'v v Q< Q<', 1, 16, length $e->{data}, length $packed;

    return { %$e, method => 8, local => { extra => $both },
             central => { extra => $both } };
}

# An entry with a name in a code page, and the right one in an extra field.
sub unicode {
    my ($e, $name) = @_;
    my $extra = pack('v v C V', 0x7075, 5 + length $name, 1,
                     Compress::Raw::Zlib::crc32($e->{name})) . $name;

    return { %$e, local => { flags => 0, extra => $extra },
             central => { flags => 0, extra => $extra } };
}

# What a program makes of the unpacked bundle in the folder room; nothing if it
# isn't here.
my $unpacked = File::Temp->newdir('rooms-pack-XXXXXXXX', TMPDIR => 1);

File::Path::make_path(map { "$unpacked/room/media/$_" } @sha);
write_file("$unpacked/room/manifest.json", $json{data});
write_file("$unpacked/room/media/$sha[$_]/n$_.txt", $content[$_]) for 0 .. 2;

sub made {
    my ($command) = @_;
    my ($program) = $command =~ /(7zz|bsdtar|python3|zip)/;

    return if !grep { -x "$_/$program" } split /:/, $ENV{PATH};

    unlink "$unpacked/out.zip";
    system("cd $unpacked && $command") == 0 or die "$command: $?\n";

    return imports(slurp("$unpacked/out.zip"));
}

no_shuffle();
run_tests();

__DATA__

=== TEST 1: media/<sha>
--- request eval
package main; packed(media(sub { "media/$_[0]" }))



=== TEST 2: media/<sha>.<ext>
--- request eval
package main; packed(media(sub { "media/$_[0].tar.gz" }))



=== TEST 3: media/<sha>/<any name>
--- request eval
package main; packed(media(sub { "media/$_[0]/\xc3\xbc b" }))



=== TEST 4: macOS: all in a folder, and a second tree of what only macOS understands
--- request eval
package main; our (%json, @sha);
imports(zip(folder('Old room/', 040755 << 16),
            (map { mac($_) }
             { name => 'Old room/.DS_Store', data => "\0\0\0\1Bud1" },
             { name => '__MACOSX/Old room/._.DS_Store', data => "\0\5" },
             { name => 'Old room/manifest.json', %json },
             { name => '__MACOSX/Old room/._manifest.json', data => "\0\5" },
             { name => '__MACOSX/Old room/manifest.json', data => "\0\5" }),
            folder('Old room/media/', 040755 << 16),
            (map { mac($_) }
             media(sub { "Old room/media/$_[0]/u\xcc\x88" }),
             media(sub { "__MACOSX/Old room/media/$_[0]/._u\xcc\x88" }),
             { name => "Old room/media/$sha[0]/._n0.txt", data => "\0\5" })))



=== TEST 5: bsdtar: "./" before all, as an entry, too; filled up with NULs
--- request eval
package main; our (%json, @sha);
my $zip = zip(folder('./', 040755 << 16), { name => './manifest.json', %json },
              folder('./media/', 040755 << 16), (map { folder("./media/$_/", 040755 << 16) } @sha),
              media(sub { './' . ours(@_) }));
imports($zip . "\0" x (10240 - length($zip) % 10240))



=== TEST 6: Windows Explorer and 7-Zip: names in the code page of DOS
--- request eval
package main; our (%json, %dos);
imports(zip({ name => "Raum f\x81r Gr\x81\xe1e\\manifest.json", %json, %dos },
            media(sub { "Raum f\x81r Gr\x81\xe1e/media/$_[0]/\x8e\xff.txt" }, %dos)))



=== TEST 7: an empty folder
--- request eval
package main; packed(folder('media/empty/', 0x10), media(\&ours))



=== TEST 8: PowerShell 5: backslashes
--- request eval
package main; our (%json, %dos);
imports(zip({ name => 'manifest.json', %json, %dos }, folder('media\\', 0),
            media(sub { "media\\$_[0]\\$_[1]" }, %dos)))



=== TEST 9: .NET and others: ZIP64 fields that nobody needs
--- request eval
package main; our %json;
imports(zip(map { sizes($_) } { name => 'manifest.json', %json }, media(\&ours)))



=== TEST 10: names in a code page, with the right ones beside them
--- request eval
package main;
packed(map { my $n = $_->{name}; unicode({ %$_, name => $n =~ s/media/m\x82dia/r }, $n =~ s/n\d/\xc3\xbc/r) }
       media(\&ours))



=== TEST 11: zip
--- skip_eval: 3: !::made('zip -qr out.zip room')
--- request eval: ::made('zip -qr out.zip room')



=== TEST 12: ... that stores, without a folder
--- skip_eval: 3: !::made('cd room; zip -qr0 ../out.zip .')
--- request eval: ::made('cd room; zip -qr0 ../out.zip .')



=== TEST 13: ... with ZIP64
--- skip_eval: 3: !::made('zip -qr -fz out.zip room')
--- request eval: ::made('zip -qr -fz out.zip room')



=== TEST 14: ... into a pipe
--- skip_eval: 3: !::made('zip -qr - room >out.zip')
--- request eval: ::made('zip -qr - room >out.zip')



=== TEST 15: bsdtar
--- skip_eval: 3: !::made('bsdtar -a -cf out.zip room')
--- request eval: ::made('bsdtar -a -cf out.zip room')



=== TEST 16: ... without a folder
--- skip_eval: 3: !::made('cd room; bsdtar --format zip -cf ../out.zip .')
--- request eval: ::made('cd room; bsdtar --format zip -cf ../out.zip .')



=== TEST 17: ... into a pipe
--- skip_eval: 3: !::made('bsdtar --format zip -cf - ./room | cat >out.zip')
--- request eval: ::made('bsdtar --format zip -cf - ./room | cat >out.zip')



=== TEST 18: 7-Zip
--- skip_eval: 3: !::made('7zz a out.zip room >/dev/null')
--- request eval: ::made('7zz a out.zip room >/dev/null')



=== TEST 19: ... that packs as well as it can, without a folder
--- skip_eval: 3: !::made('cd room; 7zz a -mx=9 ../out.zip . >/dev/null')
--- request eval: ::made('cd room; 7zz a -mx=9 ../out.zip . >/dev/null')



=== TEST 20: a manifest that an editor has put a byte order mark before
--- request eval
::imports(::zip({ name => 'manifest.json', data => "\xef\xbb\xbf$::json{data}" },
                ::media(\&::ours)))



=== TEST 21: Python
--- skip_eval: 3: !::made('python3 -m zipfile -c out.zip room')
--- request eval: ::made('python3 -m zipfile -c out.zip room')
