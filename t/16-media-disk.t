# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# Media: the body's way to the disk, what goes wrong there, and the sweep.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use File::Find qw(find);
use File::Path qw(make_path remove_tree);
use Test::More;
use Time::HiRes qw(time sleep);

use lib 't/lib';
use RoomsTest;
use RoomsTest::Process qw(slurp);

my $ann = 'mock:ann@t1';
my $boundary = 'XyZ0123456789';
my $form = "multipart/form-data; boundary=$boundary";
my $media = tempdir();

sub tempdir { File::Temp::tempdir('rooms-media-XXXXXXXX', DIR => $_[0],
                                  TMPDIR => !defined $_[0], CLEANUP => 1) }

sub server {
    my (%o) = @_;
    my $path = $o{path} // $media;
    my $limit = $o{limit} // '100m';
    my $more = $o{more} // '';

    $more .= 'rooms_redis_timeout ' . 2 * patience() . 's;'
        if $more !~ /redis_timeout/;

    return <<"END" . $more;
        rooms on;
        rooms_auth mock;
        rooms_redis redis://\$TEST_NGINX_REDIS/0;
        rooms_media_path $path;
        client_max_body_size $limit;
END
}

sub multipart {
    my ($content, $name) = @_;

    return "--$boundary\r\nContent-Disposition: form-data; name=\"file\";"
           . ' filename="' . ($name // 'f') . "\"\r\n\r\n$content\r\n"
           . "--$boundary--\r\n";
}

sub upload_raw {
    my ($token, $body, %headers) = @_;

    return http_req('POST', '/v1/media/upload', $token, $body,
                    'Content-Type' => $form, %headers);
}

sub upload {
    my ($token, $content, %headers) = @_;
    my $res = upload_raw($token, multipart($content), %headers);

    die "upload: $res->[0] $res->[2]" if $res->[0] != 201;

    return JSON::PP::decode_json($res->[2])->{data};
}

sub download { http_req('GET', "/v1/media/download/$_[1]", $_[0]) }

sub chunked {
    my ($body, $size) = @_;
    my $out = '';

    for (my $at = 0; $at < length $body; $at += $size) {
        my $chunk = substr $body, $at, $size;
        $out .= sprintf("%x\r\n", length $chunk) . "$chunk\r\n";
    }

    return "${out}0\r\n\r\n";
}

sub files {
    my ($dir) = @_;
    my @found;

    $dir //= $media;
    find({ no_chdir => 1, follow_fast => 1, follow_skip => 2,
           wanted => sub { push @found, $_ if -f } }, $dir);

    @found = sort map { s/\A\Q$dir\E//r } @found;

    return @found;
}

sub blob { my ($sha, $tenant) = @_;
           return '/' . ($tenant // 't1') . '/' . substr($sha, 0, 2)
                  . "/$sha" }

sub put {
    my ($path, $content, $age) = @_;

    make_path($path =~ s{/[^/]*\z}{}r);
    open my $out, '>:raw', $path or die "$path: $!";
    print $out $content;
    close $out or die "$path: $!";

    my $time = time() - $age;
    utime $time, $time, $path or die "$path: $!";
}

sub error_is {
    my ($res, $status, $code, $name, @like) = @_;

    is($res->[0], $status, "$name - status");
    json_like($res->[2], "error.code = $code\n" . join("\n", @like), $name);
}

my $counter = 0;

sub noise {
    my ($size) = @_;
    my $seed = sha256_hex($counter++);

    return substr($seed x ($size / 64 + 1), 0, $size);
}

# Any form of transfer, and any place of the body.

my $big = noise(20 * 1024 * 1024);
my $chunks = chunked(multipart($big), 100_000);
my %chunked = ('Transfer-Encoding' => 'chunked');

for my $conf ('', 'client_body_in_file_only on;',
              'client_body_in_file_only clean; client_body_buffer_size 1k;',
              'client_body_buffer_size 64m;',
              'client_body_in_single_buffer on; aio threads; sendfile off;')
{
    run_nginx(server(more => $conf));

    my $res = upload_raw($ann, $chunks, %chunked);

    is($res->[0], 201, "20 MiB in chunks: $conf");
    is(json_get($res->[2], 'data.sha256'), sha256_hex($big), 'its hash');
    ok(download($ann, json_get($res->[2], 'data.media_id'))->[2] eq $big,
       'it comes back');

    for my $size (10, 5000, 200_000, 400_000) {
        my $content = noise($size);

        is(upload($ann, $content)->{sha256}, sha256_hex($content),
           "$size bytes: $conf");
        is(json_get(upload_raw($ann, chunked(multipart($content), 777),
                               %chunked)->[2], 'data.sha256'),
           sha256_hex($content), "$size bytes in chunks: $conf");
    }
}

SKIP: {
    skip 'curl has no HTTP/2', 3 if `curl -V 2>/dev/null` !~ /HTTP2/;

    my $port = free_port();

    run_nginx(server(), http => <<"END");
        server {
            listen 127.0.0.1:$port http2;
            @{[server()]}
        }
END
    put("$media.body", $big, 0);

    my $out = `curl -s --http2-prior-knowledge -H 'Authorization: Bearer $ann' \\
               -F 'file=\@$media.body;filename=h2' \\
               http://127.0.0.1:$port/v1/media/upload`;

    is(json_get($out, 'data.sha256'), sha256_hex($big), 'by HTTP/2');

    my $id = json_get($out, 'data.media_id');

    $out = `curl -s --http2-prior-knowledge -H 'Authorization: Bearer $ann' \\
            http://127.0.0.1:$port/v1/media/download/$id`;
    ok($out eq $big, 'and back');

    $out = `head -c 300000 $media.body \\
            | curl -s --http2-prior-knowledge -H 'Authorization: Bearer $ann' \\
              -F 'file=\@-;filename=h2' \\
              http://127.0.0.1:$port/v1/media/upload`;
    is(json_get($out, 'data.sha256'), sha256_hex(substr $big, 0, 300_000),
       'by HTTP/2 without a length');
    unlink "$media.body";
}

# Too large.

run_nginx(server(limit => '10k'));

for (['by its length', multipart(noise(20_000))],
     ['by its chunks', chunked(multipart(noise(20_000)), 1000), %chunked],
     ['in one chunk', chunked(multipart(noise(20_000)), 30_000), %chunked])
{
    my ($name, $body, %headers) = @$_;

    error_is(upload_raw($ann, $body, %headers), 413, 'SW_PAYLOAD_TOO_LARGE',
             "too large $name",
             'error.details[0].problem ~ client_max_body_size');
}

is(upload_raw($ann, multipart(noise(9_000)))->[0], 201, 'less is taken');

# A location of the operator's own.

run_nginx(server(limit => '1k', more => <<'END'));
        location = /v1/media/upload { rooms on; client_max_body_size 1m; }
END
is(upload_raw($ann, multipart(noise(900_000)))->[0], 201,
   'its limit governs');

# Folders on other file systems.

SKIP: {
    skip 'no second file system', 6
        if !-d '/dev/shm' || !-w _
           || (stat '/dev/shm')[0] == (stat $media)[0];

    my $shm = tempdir('/dev/shm');

    run_nginx(server(path => $shm));

    my $content = noise(300_000);
    my $medium = upload($ann, $content);

    is_deeply([files($shm)], [blob(sha256_hex($content))],
              'from the temporary folder to another file system');
    ok(download($ann, $medium->{media_id})->[2] eq $content, 'all of it');

    my ($disk, $volume) = (tempdir(), tempdir('/dev/shm'));

    symlink $volume, "$disk/t1" or die $!;
    run_nginx(server(path => $disk));
    $medium = upload($ann, $content);

    is_deeply([files("$volume")],
              [blob(sha256_hex($content)) =~ s{/t1}{}r],
              'to a tenant with a volume of its own');
    ok(download($ann, $medium->{media_id})->[2] eq $content, 'all of it');
    is(upload($ann, $content)->{sha256}, sha256_hex($content), 'again');
    is(scalar(files("$disk/.incoming")), 0, 'nothing else is left');
}

# A full disk.

SKIP: {
    my $dir = tempdir();

    skip 'no file system can be mounted', 5
        if $> != 0
           || system("mount -t tmpfs -o size=256k none $dir 2>/dev/null");

    eval {
        run_nginx(server(path => $dir));

        my $res = upload_raw($ann, multipart(noise(400_000)));

        error_is($res, 503, 'SW_STORE_UNAVAILABLE', 'a full disk');
        is($res->[1]{'retry-after'}, 60, 'Retry-After');
        is(scalar files($dir), 0, 'nothing is left');
        like(nginx_log(), qr/\[crit\].*write\(\) failed.*No space/,
             'and it is told');
        is(upload_raw($ann, multipart(noise(40_000)))->[0], 201,
           'a smaller one fits');
    };
    warn $@ if $@;

    {
        local $SIG{__WARN__} = sub {};         # of the [crit]
        stop_nginx();
    }
    system "umount $dir";
}

# A folder that isn't one.

{
    my $dir = tempdir();

    put("$dir/.incoming", '', 0);
    run_nginx(server(path => $dir));
    error_is(upload_raw($ann, multipart('x')), 500, 'SW_INTERNAL',
             'no folder for what comes in');
    unlink "$dir/.incoming";
    put("$dir/t1", '', 0);
    error_is(upload_raw($ann, multipart('x')), 500, 'SW_INTERNAL',
             'no folder for the tenant');
    is_deeply([files($dir)], ['/t1'], 'nothing is left');
    unlink "$dir/t1";
    is(upload_raw($ann, multipart('x'))->[0], 201, 'mended');

    local $SIG{__WARN__} = sub {};
    stop_nginx();
}

# The store goes away.

run_nginx(server(more => 'rooms_redis_timeout 300ms;'));
upload($ann, 'before');

{
    my $content = noise(1000);

    redis_stop();
    error_is(upload_raw($ann, multipart($content)), 503,
             'SW_STORE_UNAVAILABLE', 'the store is away');
    redis_start();
    ok(RoomsTest::Process::wait_for(10, sub {
           upload_raw($ann, multipart($content))->[0] == 201 }),
       'and then it is taken');
}

# The loop isn't kept waiting.

run_nginx(server(more => 'location = /ping { return 200 pong; }'));

{
    my $body = multipart(noise(64 * 1024 * 1024));
    my $sock = http_begin('POST', '/v1/media/upload', $ann, $body,
                          'Content-Type' => $form);
    my ($worst, $pings, $start) = (0, 0, time());

    # all of it is on its way, and most is read: what follows is the thread
    my $select = IO::Select->new($sock);

    until ($select->can_read(0)) {
        my $from = time();

        last if http_req('GET', '/ping')->[2] ne 'pong';
        $worst = time() - $from if time() - $from > $worst;
        $pings++;
    }

    sysread $sock, my $answer, 65536;
    like($answer, qr{\AHTTP/1.1 201}, '64 MiB');
    note sprintf '%d pings in %.0f ms, the slowest took %.1f ms', $pings,
                 1000 * (time() - $start), 1000 * $worst;

    # had the loop done it, there would be one or two, and one very long
    cmp_ok($pings, '>', 10, 'others are answered meanwhile');
    cmp_ok($worst, '<', patience(), 'soon');
}

# Clients that leave.

sub leave {
    my ($bytes) = @_;
    my $sock = http_begin($bytes);

    $sock->sockopt(Socket::SO_LINGER(), pack 'ii', 1, 0) if $_[1];
    close $sock;
}

{
    my $content = noise(8 * 1024 * 1024);
    my $raw = http_raw('POST', '/v1/media/upload', $ann, multipart($content),
                       'Content-Type' => $form);

    leave(substr $raw, 0, $_), leave(substr($raw, 0, $_), 1)
        for 100, 400, 500_000, length($raw) - 1;
    leave($raw), leave($raw, 1) for 1 .. 4;

    ok(RoomsTest::Process::wait_for(20, sub {
           -f $media . blob(sha256_hex($content)) && !files_incoming() }),
       'what was sent whole is stored, and nothing is left of the rest');
    is(upload_raw($ann, multipart('after'))->[0], 201, 'it goes on');
    unlike(nginx_log(), qr/\[(alert|emerg|crit)\]/, 'no alert');
}

sub files_incoming { return -d "$media/.incoming"
                     ? scalar files("$media/.incoming") : 0 }

# A request that is ended by force while its thread works.

run_nginx(server(), workers => 2, main => 'worker_shutdown_timeout 1ms;');

{
    for (1 .. 5) {
        my $raw = http_raw('POST', '/v1/media/upload', $ann,
                           multipart(noise(24 * 1024 * 1024)),
                           'Content-Type' => $form);
        my $sock = http_begin($raw);

        RoomsTest::Process::wait_for(5, \&files_incoming);
        ok(nginx_reload(), 'a reload while a thread works');
    }

    ok(RoomsTest::Process::wait_for(20, sub { !files_incoming() }),
       'nothing is left');
    unlike(nginx_log(), qr/\[(alert|emerg|crit)\]|signal 11|signal 6/,
           'nobody crashed');
    is(upload_raw($ann, multipart('after'))->[0], 201, 'it goes on');
}

# And one that may end in peace.

run_nginx(server(), workers => 2);

{
    my $body = multipart(noise(24 * 1024 * 1024));
    my $sock = http_begin('POST', '/v1/media/upload', $ann, $body,
                          'Content-Type' => $form);

    RoomsTest::Process::wait_for(5, \&files_incoming);
    nginx_reload();
    sysread $sock, my $answer, 65536;
    like($answer // '', qr{\AHTTP/1.1 201}, 'an old worker ends its work');
}

# The sweep.

my $day = 24 * 60 * 60;
my %old = map { $_ => noise(1000) } 'kept', 'orphan', 'young', 'again';
my %sha = map { $_ => sha256_hex($old{$_}) } keys %old;

run_nginx(server());
upload($ann, $old{kept});
stop_nginx();

sub litter {
    my ($root) = @_;

    put($root . blob($sha{kept}), $old{kept}, 3 * $day);
    put($root . blob($sha{$_}), $old{$_}, 2 * $day) for 'orphan', 'again';
    put($root . blob($sha{young}), $old{young}, $day - 600);
    put("$root/.incoming/old", 'x', 2 * $day);
    put("$root/.incoming/young", 'x', 60);
    put("$root/t1/00/.copy", 'x', 2 * $day);
    put("$root/t1/00/strange", 'x', 2 * $day);
    put($root . blob($sha{orphan}, 'nobody'), 'x', 2 * $day);
    put("$root/lost+found/00/$sha{orphan}", 'x', 2 * $day);
}

litter($media);
redis('DEL', 'sw:{t1}:lease:sweep');
redis('HSET', 'sw:{t1}:blobs', $sha{again}, 0);
run_nginx(server(more => 'rooms_media_sweep 200ms;'), workers => 2);

ok(RoomsTest::Process::wait_for(20, sub {
       !-e $media . blob($sha{orphan}) && !-e $media . blob($sha{again})
       && !-e "$media/.incoming/old" && !-e "$media/t1/00/.copy" }),
   'what is old and has no reference is removed');
ok(RoomsTest::Process::wait_for(5, sub {
       nginx_log() =~ /\[notice\].*rooms: 4 files without references/ }),
   'and it is told');
ok(-e $media . $_, "$_ stays")
    for blob($sha{kept}), blob($sha{young}), '/.incoming/young',
        '/t1/00/strange', blob($sha{orphan}, 'nobody'),
        "/lost+found/00/$sha{orphan}";

# one more whole round
put("$media/.incoming/mark", 'x', 2 * $day);
RoomsTest::Process::wait_for(20, sub { !-e "$media/.incoming/mark" });
ok(-e $media . blob($sha{kept}), 'it stays for good');

# Somebody else has the lease.

stop_nginx();
litter($media);
redis('SET', 'sw:{t1}:lease:sweep', 'other');
run_nginx(server(more => 'rooms_media_sweep 100ms;'));
put("$media/.incoming/mark", 'x', 2 * $day);

for (1 .. 2) {
    RoomsTest::Process::wait_for(20, sub { !-e "$media/.incoming/mark" });
    put("$media/.incoming/mark", 'x', 2 * $day);
}

ok(-e $media . blob($sha{orphan}), 'without the lease nothing is removed');
redis('DEL', 'sw:{t1}:lease:sweep');
ok(RoomsTest::Process::wait_for(20, sub { !-e $media . blob($sha{orphan}) }),
   'with it, it is');

# The store is away: nothing is removed, and later it goes on.

stop_nginx();
litter($media);
redis_pause();
run_nginx(server(more => 'rooms_media_sweep 100ms; rooms_redis_timeout 100ms;'));

for (1 .. 3) {
    put("$media/.incoming/mark", 'x', 2 * $day);
    RoomsTest::Process::wait_for(20, sub { !-e "$media/.incoming/mark" });
}

ok(-e $media . blob($sha{orphan}), 'nothing is removed without the store');
redis_resume();
ok(RoomsTest::Process::wait_for(20, sub { !-e $media . blob($sha{orphan}) }),
   'then it is');

# Adding makes young: the sweep never takes what was just added again.

{
    my $content = noise(500);
    my $path = $media . blob(sha256_hex($content));

    for (1 .. 20) {
        put($path, $content, 2 * $day);
        redis('HDEL', 'sw:{t1}:blobs', sha256_hex($content));
        redis('DEL', 'sw:{t1}:lease:sweep');

        my $medium = upload($ann, $content);

        download($ann, $medium->{media_id})->[0] == 200 or fail('swept away');
    }

    cmp_ok(-M $path, '<', 0.5, 'what is added again is young again');
}

# Two stores in one folder.

stop_nginx();
litter($media);
run_nginx(server(more => <<'END'));
        rooms_media_sweep 50ms;
        location = /v1/auth/register { rooms on; rooms_key_prefix other; }
END
ok(RoomsTest::Process::wait_for(5, sub {
       nginx_log() =~ /\[warn\].*used with more than one store/ }),
   'a folder of two stores');
sleep 0.3;
ok(-e $media . blob($sha{orphan}), 'is not swept');

# Off.

run_nginx(server(more => 'rooms_media_sweep off;'));
sleep 0.2;
ok(-e "$media/.incoming/old", 'off');
stop_nginx();

# The directives.

sub config_test {
    my ($snippet, $main) = @_;
    my $dir = tempdir();
    my $nginx = RoomsTest::Process::find_program(
        $ENV{TEST_NGINX_BINARY} || 'nginx');
    my $modules = join '', map { "load_module $_;\n" }
                  split ' ', $ENV{TEST_NGINX_LOAD_MODULES} // '';
    my $temp = join '', map { "${_}_temp_path $dir/$_;\n" }
               qw(client_body proxy fastcgi scgi uwsgi);

    $main //= '';
    open my $out, '>', "$dir/nginx.conf" or die $!;
    print $out "$modules$main pid $dir/pid; error_log stderr notice;\n"
               . "events {} http { $temp access_log off;\n"
               . "server { listen 127.0.0.1:1; rooms on; rooms_auth mock;\n"
               . "$snippet\n} }";
    close $out;

    return ($dir,
            scalar `$nginx -t -p $dir -e stderr -c $dir/nginx.conf 2>&1`);
}

for (['rooms_media_path a; rooms_media_path b;', 'is duplicate'],
     ['rooms_media_path ' . '/x' x 600 . ';', 'has a path that is too long'],
     ["\nrooms_media_path /no/such/parent;", '"/no/such/parent" can\'t be created: '
      . 'its parent folder is missing in \S+nginx.conf:\d+'],
     ['rooms_media_path /dev/null;', 'rooms_media_path "/dev/null" is not a folder'],
     ['rooms_media_path /dev/null/x;', "can't be created: its parent"],
     ['rooms_media_sweep 1h; rooms_media_sweep 2h;', 'is duplicate'],
     ['rooms_media_sweep soon;', 'must be a time or "off"'],
     ['rooms_media_sweep 0;', 'must be a time or "off"'])
{
    my ($snippet, $message) = @$_;
    my ($dir, $out) = config_test($snippet);

    like($out, qr/$message/, substr $snippet, 0, 40);
}

my ($dir, $out) = config_test('rooms_media_path some//;');

like($out, qr/test is successful/, 'slashes at the end');
ok(!-e "$dir/some", 'nginx -t makes nothing');

# at start

sub started {
    my ($main, $snippet) = @_;
    my ($dir) = config_test($snippet, $main);
    my $conf = slurp("$dir/nginx.conf");

    $conf =~ s/listen 127\.0\.0\.1:1;/'listen 127.0.0.1:' . free_port() . ';'/e;
    open my $out, '>', "$dir/nginx.conf" or die $!;
    print $out $conf;
    close $out;

    my $nginx = RoomsTest::Process::find_program(
        $ENV{TEST_NGINX_BINARY} || 'nginx');
    # a daemon holds what it got as stderr
    my $status = system("$nginx -p $dir -e $dir/error.log -c $dir/nginx.conf "
                        . ">$dir/said 2>&1 </dev/null");
    my $said = slurp("$dir/said");
    my $pid = slurp("$dir/pid");

    if ($pid && $pid =~ /^(\d+)/) {
        kill 'QUIT', $1;
        RoomsTest::Process::wait_for(20, sub { !-e "$dir/pid" });
    }

    return ($dir, $status, $said);
}

my $status;

($dir, $status) = started('', 'rooms_media_path some//;');
is($status, 0, 'it starts');
ok(-d "$dir/some", 'the folder is made');
is((stat _)[2] & 07777, 0700, 'for nobody else');

SKIP: {
    my $uid = getpwnam 'nobody';

    skip 'not root', 4 if $> != 0 || !defined $uid;

    ($dir, $status) = started('user nobody nogroup;', 'rooms_media_path m;');
    is((stat "$dir/m")[4], $uid, "the folder is the workers' own");

    # a folder that can't be made: on a file system without room for names
    my $full = tempdir();

    skip 'no file systems here', 3
        if system("mount -t tmpfs -o ro none $full 2>/dev/null") != 0;

    ($dir, $status, $out) = started('', "rooms_media_path $full/m;");
    isnt($status, 0, 'one that was asked for and can\'t be made');
    like($out, qr{\[emerg\].*mkdir\(\) "\Q$full\E/m" failed; rooms_media_path},
         'is an error of the start');
    system("umount $full");
    ok(!-e "$full/m", 'and nothing is left');
}

# the default: beside the folder for bodies that NGINX was built with

my $built = do {
    my $nginx = RoomsTest::Process::find_program(
        $ENV{TEST_NGINX_BINARY} || 'nginx');

    `$nginx -V 2>&1` =~ m{--http-client-body-temp-path=(/\S*)/} ? $1 : undef;
};

SKIP: {
    skip 'not root, or NGINX was built with a relative one', 2
        if $> != 0 || !defined $built;

    my $had = -e "$built/rooms_media";

    # two names of one folder, of two stores, which a worker warns of
    run_nginx("rooms on; rooms_auth mock; rooms_redis redis://127.0.0.1:1/0;",
              default_media => 1,
              http => "server { listen 127.0.0.1:" . free_port() . "; "
                      . "rooms on; rooms_auth mock; "
                      . "rooms_media_path $built/rooms_media; "
                      . "rooms_redis redis://127.0.0.1:2/0; }");
    ok(RoomsTest::Process::wait_for(20, sub {
        nginx_log() =~ m{rooms_media_path "\Q$built\E/rooms_media" is used with}
    }), 'the default path');
    ok(-d "$built/rooms_media", 'is made');
    stop_nginx();
    rmdir "$built/rooms_media" if !$had;
}

done_testing();
