# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# web/ in a browser: two people chat while NGINX is reloaded, the store goes
# away and tokens expire; a page of another origin; the status page.  The
# scenario is t/browser/chat.mjs; Chromium and playwright-core are installed
# where they are missing.  ROOMS_PICTURES names a folder for pictures of it.

use strict;
use warnings;

use Cwd qw(abs_path);
use Digest::SHA qw(sha256_hex);
use File::Basename qw(dirname);
use File::Copy qw(copy);
use File::Path qw(make_path);
use File::Temp ();
use IPC::Open2 qw(open2);
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Process qw(find_program slurp);
use RoomsTest::Token qw(hs256);

my $build = dirname(abs_path($ENV{TEST_NGINX_LOAD_MODULES} // 'build/x'));
my $dir = "$build/browser";
my $web = abs_path($ENV{ROOMS_WEB} // 'web');

# Runs a command; what it says, if it fails.
sub problem {
    my ($in, @argv) = @_;
    my $quoted = join ' ', map { "'" . s/'/'\\''/gr . "'" } @argv;
    my $said = `cd '$in' && $quoted 2>&1 </dev/null`;

    return $? == 0 ? undef : "@argv: " . substr $said, -2000;
}

sub there { !grep { !`command -v $_ 2>/dev/null` } @_ }

# A machine may have Node.js from elsewhere, which Debian's npm conflicts with.
my @missing = ((there('chromium') ? () : qw(chromium fonts-noto-core
                                            fonts-noto-color-emoji)),
               (there('node', 'npm') ? () : qw(nodejs npm)));

if (@missing) {
    my $why = problem('.', 't/make/setup', @missing);

    plan(skip_all => "no browser: $why") if $why;
}

make_path($dir);
copy("t/browser/$_", "$dir/$_") or die "$_: $!"
    for qw(package.json package-lock.json chat.mjs);

my $stamp = "$dir/installed";
my $lock = sha256_hex(slurp("$dir/package-lock.json"));

if (!-e $stamp || slurp($stamp) ne $lock) {
    my $why = problem($dir, 'npm', 'ci', '--ignore-scripts', '--no-audit',
                      '--no-fund', '--no-progress', '--loglevel=error');

    plan(skip_all => "no playwright-core: $why") if $why;

    open my $file, '>', $stamp or die "$stamp: $!";
    print $file $lock;
    close $file;
}

unlike(slurp("$dir/package-lock.json"), qr/"resolved"/,
       'the lock file names no registry');

# Two servers: ours with the page, and one of another origin, with the client
# library and nothing else.

my $tmp = File::Temp->newdir('rooms-browser-XXXXXXXX', TMPDIR => 1);
my $other = free_port();
my $secret = 'a secret of thirty-two bytes, at least';
my %file = (secret => [$secret, 0644], url => ['u' x 40, 0600],
            'other/blank.html' => ["<!doctype html><title>Other</title>\n",
                                   0644]);

chmod 0755, "$tmp";
mkdir "$tmp/$_" for qw(other media);
chmod 0777, "$tmp/media";

for my $name (keys %file) {
    my ($text, $mode) = @{$file{$name}};

    open my $out, '>', "$tmp/$name" or die "$tmp/$name: $!";
    print $out $text;
    close $out;
    chmod $mode, "$tmp/$name";
}

copy("$web/rooms.js", "$tmp/other/rooms.js") or die "rooms.js: $!";

my $types = 'types { text/html html; text/css css; text/javascript js; '
            . 'image/svg+xml svg; }';
my $example = slurp($ENV{ROOMS_WEB_CONF} // 'conf/web.conf');

$example =~ s{/usr/share/[\w/.-]*web}{$web}g;

my $port = run_nginx(<<"END", workers => 2, http => <<"OTHER");
        rooms on;
        rooms_auth hybrid;
        rooms_auth_secret_file $tmp/secret;
        rooms_auth_leeway 0;
        rooms_url_secret_file $tmp/url;
        rooms_cors_origin http://127.0.0.1:$other;
        rooms_server_name rooms.test;
        rooms_media_path $tmp/media;
        rooms_redis redis://\$TEST_NGINX_REDIS/0;
        location = /status { rooms_status; }
        $example
END
    server {
        listen 127.0.0.1:$other;
        root $tmp/other;
        $types
    }
OTHER

# The store keeps what it has when it is stopped.
my %does = (
    reload => sub { nginx_reload(); 'done' },
    stop   => sub { redis('SAVE'); redis_stop(); 'done' },
    start  => sub { redis_start(); 'done' },
    epoch  => sub {
        redis('HSET', 'sw:{acme}:tenant', 'epoch', 'restored');
        nginx_reload();
        'done';
    },
    token  => sub { hs256($secret, sub => lc $_[0], name => $_[0],
                          exp => time() + $_[1]) },
);

$ENV{CHROMIUM} = find_program('chromium');

my $pid = open2(my $out, my $in, 'node', "$dir/chat.mjs",
                "http://127.0.0.1:$port", "http://127.0.0.1:$other",
                $ENV{ROOMS_PICTURES} // ());
my $done;

while (my $line = <$out>) {
    if ($line =~ /^(ok|not ok) - (.*)/) {
        ok($1 eq 'ok', $2);

    } elsif ($line =~ /^do (\w+) ?(.*)/) {
        print $in scalar $does{$1}->(split ' ', $2), "\n";

    } elsif ($line =~ /^# (.*)/) {
        note($1);

    } elsif ($line =~ /^done$/) {
        $done = 1;
    }
}

waitpid $pid, 0;
ok($done, 'the scenario has come to its end');

done_testing();
