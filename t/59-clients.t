# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Clients that three generators make of docs/openapi.yaml: they compile under
# strict TypeScript, and one of them goes through a scenario.  The generators
# are npm packages, pinned by t/clients/package-lock.json; they are installed
# in build/clients, and nothing but this suite needs them.

use strict;
use warnings;

use Cwd qw(abs_path);
use Digest::SHA qw(sha256_hex);
use File::Basename qw(dirname);
use File::Copy qw(copy);
use File::Path qw(make_path remove_tree);
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Calls;
use RoomsTest::Process qw(slurp);

my $build = dirname(abs_path($ENV{TEST_NGINX_LOAD_MODULES} // 'build/x'));
my $dir = "$build/clients";

# One command, without standard input; what it says, if it fails.
sub command {
    my ($name, $in, @argv) = @_;
    my $quoted = join ' ', map { "'" . s/'/'\\''/gr . "'" } @argv;
    my $said = `cd '$in' && $quoted 2>&1 </dev/null`;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return ok($? == 0, $name) || diag(substr $said, -8000);
}

sub there { !grep { !`command -v $_ 2>/dev/null` } @_ }

# Node is installed by those who need it.
if (!there('node', 'npm')) {
    command('node and npm are installed', '.', 't/make/setup', 'nodejs npm')
        or BAIL_OUT('no node');
}

make_path($dir);
copy("t/clients/$_", "$dir/$_") or die "$_: $!"
    for qw(package.json package-lock.json tsconfig.json generate.mjs
           scenario.ts);

# The packages, once for each lock file.
my $stamp = "$dir/installed";
my $lock = sha256_hex(slurp("$dir/package-lock.json"));

unlike(slurp("$dir/package-lock.json"), qr/"resolved"/,
       'the lock file names no registry');

if (!-e $stamp || slurp($stamp) ne $lock) {
    command('the generators are installed', $dir, 'npm', 'ci',
            '--ignore-scripts', '--no-audit', '--no-fund', '--no-progress',
            '--loglevel=error') or die "npm ci failed\n";

    open my $file, '>', $stamp or die "$stamp: $!";
    print $file $lock;
    close $file;
}

remove_tree("$dir/gen", "$dir/out");

my $spec = abs_path('docs/openapi.yaml');

command('openapi-typescript, orval and hey-api understand openapi.yaml', $dir,
        'node', 'generate.mjs', $spec, 'gen');
command('what they make compiles under strict TypeScript', $dir, 'node',
        'node_modules/typescript/bin/tsc', '-p', 'tsconfig.json');

ok(-s "$dir/$_", "$_ is there") for qw(out/gen/orval/rooms.js
    out/gen/heyapi/sdk.gen.js out/scenario.js);

my $port = start('', workers => 1);
my $said = `node '$dir/out/scenario.js' http://127.0.0.1:$port 2>&1 </dev/null`;

for my $line (split /\n/, $said) {
    ok($1 eq 'ok', $2) if $line =~ /^(ok|not ok) - (.*)/;
}

like($said, qr/^done$/m, 'one of them goes through a scenario')
    or diag(substr $said, -4000);
stop_nginx();

done_testing();
