# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# What make installs: the module where NGINX looks for it, and packages only
# for what is asked of it.

use strict;
use warnings;

use Cwd ();
use File::Basename qw(dirname);
use File::Temp ();
use Test::More;

use lib 't/lib';
use RoomsTest -no_redis;
use RoomsTest::Process qw(find_program slurp);

my $dir = File::Temp->newdir('rooms-make-XXXXXXXX', TMPDIR => 1);
my ($module) = split ' ', $ENV{TEST_NGINX_LOAD_MODULES} // '';

plan skip_all => 'no make, or no module' if !$module || !find_program('make');

# the module as it is, whatever is newer
sub make {
    my ($target) = @_;
    my $build = dirname($module);

    return scalar `make -s $target BUILD=$build DESTDIR=$dir/root -o $module \\
                   -o setup 2>&1 </dev/null`;
}

my $path = `t/make/modules-path`;

chomp $path;
like($path, qr{^/}, 'where modules are');

my $there = "$dir/root$path/ngx_rooms_module.so";

my $tool = "$dir/root/usr/local/bin/roomsctl";

make('install');
ok(-s $there, 'make install');
unlike(`readelf -S $there`, qr/\.debug_|\.symtab/, 'the module is stripped');
like(scalar `bash $tool --help`, qr/^Usage: roomsctl /, 'and roomsctl');
like(scalar `bash $tool -u redis://127.0.0.1:1/0 doctor 2>&1`,
     qr/^roomsctl: the store says: /, 'which runs');
ok(-s "$dir/root/usr/local/share/ngx-rooms/$_", "with $_")
    for map { s{.*/}{}r } glob 'pkg/roomsctl/*.lua';
ok(-s "$dir/root/usr/local/share/ngx-rooms/web/$_", "with web/$_")
    for qw(index.html app.css app.js rooms.js icon.svg);
my $page = "$dir/root/usr/local/share/man/man8/roomsctl.8";
my $text = RoomsTest::Process::slurp($page) =~ s/\\f.|\\(?=-)|"//gr;
my @commands = `bash $tool --help` =~ /^  ([a-z]+(?: [a-z]+)?)/mg;

cmp_ok(scalar @commands, '>=', 8, 'commands');
is(join(', ', grep { $text !~ /^\.BI? $_/m } @commands), '',
   'its manual page has each of them');
is(make('uninstall'), '', 'make uninstall');
ok(!grep({ -e } $there, $tool, $page, "$dir/root/usr/local/share/ngx-rooms"),
   'takes all of it away');
is(make('uninstall'), '', 'as often as one likes');

# a suite that passes while NGINX is alarmed doesn't

open my $suite, '>', "$dir/says.t" or die $!;
print {$suite} 'print "1..1\nok 1\n"; warn "WARNING: nginx: 2026/01/01 ",',
               ' "0:0:0 [alert] 1#1: $ENV{SAYS}\n";';
close $suite;

sub says {
    local @ENV{qw(SAYS TEST_ROOMS_LOGS)} = ($_[0], "$dir");

    return system("t/make/suite $dir/says.t >/dev/null 2>&1") >> 8;
}

is(says('worker process 7 exited on signal 9'), 0, 'a worker was killed');
is(says('worker process 7 exited on signal 11'), 1, 'one has crashed');
is(says('open socket #7 left in connection 3'), 1, 'one has leaked');

# no package is there, and nobody who could install one

mkdir "$dir/bin" or die $!;
open my $out, '>', "$dir/bin/dpkg-query" or die $!;
print $out "#!/bin/sh\nexit 1\n";
close $out;
chmod 0755, "$dir/bin/dpkg-query";

sub wants {
    my $text = `PATH=$dir/bin /bin/sh t/make/setup @_ 2>&1`;

    $text =~ /^install these packages: (.*)$/m or return "nothing: $text";

    return join ' ', sort split ' ', $1;
}

my $libraries = 'libhiredis-dev libjansson-dev libpcre2-dev libsodium-dev '
                . 'libssl-dev libutf8proc-dev libwslay-dev';

is(wants('build'), "gcc $libraries make nginx nginx-dev zlib1g-dev",
   'what building needs');
is(wants('source'), "gcc $libraries make zlib1g-dev",
   'with a source tree, no NGINX');
unlike(wants($_), qr/cmocka|test-base|redis-server|curl/, "$_: none for tests")
    for 'build', 'source';
like(wants('test'), qr/cmocka.* libtest-base-perl .*redis-server/,
     'what testing needs');
like(wants('test valgrind'), qr/libtest-base-perl .*valgrind/,
     'and a package');
is(wants('run'), 'curl nginx redis-server', 'what make run needs');

# no other target brings them

my @targets = slurp('Makefile') =~ /^([\w-]+):.*\n((?:\t.*\n)*)/mg;
my %recipe = @targets;

unlike($recipe{$_} // '', qr/setup.*\btest\b/, "make $_ leaves tests alone")
    for qw(all install run setup deb);
like($recipe{'setup-test'}, qr/setup test/, 'make setup-test');

# the laws of the source: they hold, and each is noticed when it doesn't

sub law {
    my (%file) = @_;
    my $tree = File::Temp->newdir('rooms-laws-XXXXXXXX', TMPDIR => 1);
    my $script = Cwd::abs_path('t/make/laws');

    for my $name (sort keys %file) {
        mkdir "$tree/" . dirname(dirname($name));
        mkdir "$tree/" . dirname($name);
        open my $out, '>', "$tree/$name" or die "$name: $!";
        print $out $file{$name};
        close $out;
    }

    return scalar `cd $tree && $script 2>&1`;
}

is(`t/make/laws 2>&1`, '', 'make laws');
is(law('src/rooms/rooms_a.c' => qq{#include "rooms_b.h"\n},
       'src/base/rooms_b.h' => ''), '', 'an include that is allowed');
is(law('src/base/rooms_a.c' => qq{#include "rooms_b.h"\n},
       'src/rooms/rooms_b.h' => ''),
   "law: src/base/rooms_a.c includes src/rooms/rooms_b.h\n",
   'an include that runs back');
is(law('src/federation/rooms_a.c' => "#include <ngx_core.h>\n"),
   "law: src/federation/rooms_a.c is pure, and includes ngx_core.h\n",
   'a pure file with NGINX');
is(law('src/store/ngx_rooms_a.c' => qq{#include "ngx_rooms_b.h"\n},
       'src/store/ngx_rooms_a.h' => '', 'src/store/ngx_rooms_b.h' => '',
       'src/store/ngx_rooms_b.c' => qq{#include "ngx_rooms_a.h"\n}),
   "law: a circle: src/store/ngx_rooms_a -> src/store/ngx_rooms_b -> "
   . "src/store/ngx_rooms_a\n", 'a circle');
is(law('src/store/ngx_rooms_a.c' => "\n" x 1601),
   "law: src/store/ngx_rooms_a.c has 1601 lines, more than 1600\n",
   'a long file');

done_testing();
