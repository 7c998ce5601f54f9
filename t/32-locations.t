# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# The location tree that `rooms on` of a server registers, against locations
# of the operator's: theirs go first, whatever their form, with all of their
# settings; and the rest is served as if they weren't there.
#
# One block has many servers.  A case is [config, path, status] and perhaps
# [..., status of /v1/directory/rooms].

use strict;
use warnings;

use MIME::Base64 qw(encode_base64);

use lib 't/lib';
use RoomsTest;
use Test::Nginx::Socket 'no_plan';

my %cases;

# the servers of a block, those with an even number with `rooms on` behind
sub servers {
    my ($name, $more) = @_;
    my $n = 0;

    return ($more // '') . join '', map {
        my $conf = $_->[0] =~ /\brooms_serve\b.*rooms on;/
                   ? $_->[0]
                   : $n % 2 ? "rooms on; $_->[0]" : "$_->[0] rooms on;";

        "server { listen 127.0.0.1:\$TEST_NGINX_SERVER_PORT; server_name n"
        . $n++ . "; $conf }\n";
    } @{$cases{$name}};
}

sub each_case {
    my ($name, $what) = @_;
    my $n = 0;

    return [map { $what->($_, $n++) } @{$cases{$name}}];
}

sub requests { each_case(shift, sub { $_[0][3] ? $_[0][3]
                                               : "GET $_[0][1]" }) }
sub statuses { each_case(shift, sub { $_[0][2] }) }

sub hosts {
    my ($name, @more) = @_;

    return each_case($name, sub {
        join "\n", "Host: n$_[1]", 'Authorization: Bearer mock:ada@acme',
                   @more;
    });
}

# every part of the tree: its base, a path in it, and what we answer there
my @parts = (
    ['/v1/sync', '/v1/sync?timeout=0', 200],
    ['/v1/rooms', '/v1/rooms', 405],
    ['/v1/rooms', '/v1/rooms/archived', 200],
    ['/v1/rooms', '/v1/rooms/room-0/messages', 404],
    ['/v1/rooms/room-0', '/v1/rooms/room-0/messages', 404],
    ['/v1/workspaces', '/v1/workspaces', 200],
    ['/v1/workspaces', '/v1/workspaces/ws-0/members', 404],
    ['/v1/directory', '/v1/directory/rooms', 200],
    ['/v1/media', '/v1/media/med-0/info', 404],
    ['/v1/media/med-0', '/v1/media/med-0/info', 404],
    ['/v1/auth', '/v1/auth/register', 405],
    ['/v1/admin', '/v1/admin/federation/peers', 404],
    ['/v1/me/federated-dms', '/v1/me/federated-dms', 404],
    ['/.well-known/scaiwave', '/.well-known/scaiwave/server', 404],
    ['/_scaiwave/federation', '/_scaiwave/federation/v1/send', 404],
);

# and all forms of a location for it
sub forms {
    my ($base, $path, $in) = @_;

    (my $uri = $path) =~ s/\?.*//;
    my ($outer) = $base =~ m{\A(/[^/]+/)};
    my $re = quotemeta $base;

    my @forms = (
        "location $base { $in }",
        "location ^~ $base { $in }",
        "location = $uri { $in }",
        "location ~ ^$re { $in }",
        'location ~* ^' . uc($re) . " { $in }",
        "location $outer { location $base { $in } }",
        "location $outer { location = $uri { $in } }",
        "location $outer { location ~ ^$re { $in } }",
        "location ^~ $outer { location ~ ^$re { $in } return 402; }",
        "location / { location ~ ^$re { $in } return 402; }",
        "location / { location $outer { location $base { $in } } return 402; }",
        "location ~ ^$outer { location ~ ^$re { $in } return 402; }",
    );

    push @forms, "location $base/ { $in }", "location $outer { $in } "
                 . "location $base/ { $in }"
        if $uri ne $base;

    return @forms;
}

for my $part (@parts) {
    my ($base, $path, $status) = @$part;

    push @{$cases{denied}},
         map { [$_, $path, 403] } forms($base, $path, 'rooms on; deny all;'),
                                  forms($base, $path, 'deny all;');
    push @{$cases{theirs}},
         map { [$_, $path, 418] } forms($base, $path, 'return 418;');
    push @{$cases{own}},
         map { [$_, $path, $status] }
             forms($base, $path, 'rooms on; add_header X-Own yes always;');

    # what covers all of it
    for my $wide ('/', '/v1', '/v1/', '^~ /', '~ ^/', '^~ /v1/') {
        next if $wide =~ /v1/ && $base !~ m{^/v1};

        push @{$cases{denied}}, ["location $wide { rooms on; deny all; }",
                                 $path, 403];
        push @{$cases{own}},
             ["location $wide { rooms on; add_header X-Own yes always; }",
              $path, $status];
    }

    # what is merely shorter is for the rest
    for my $wide ('/', '/v1', '/v1/', '/v', '^~ /', '^~ /v1/', '= /',
                  '= /v1/', '~ ^/v2', '~ /nothing$', '@named')
    {
        push @{$cases{shorter}},
             ["location $wide { return 418; }", $path, $status],
             ["location $wide { deny all; return 418; }", $path, $status];
    }

    push @{$cases{shorter}},
         ['location / { location ~ \.php$ { deny all; } location /v1/x '
          . '{ deny all; } deny all; return 418; }', $path, $status],
         ['location ^~ /v1/ { return 418; } location ~ ^/v1/ { return 418; }',
          $path, $status]
         if $base =~ m{^/v1};
}

# a regex at a level that isn't looked at
$cases{unseen} = [
    ['location ^~ /v1/ { location ~ export { return 418; } } '
     . 'location ~ archived { return 402; }', '/v1/rooms/archived', 200],
    ['location ^~ /v1/ { location ~ archived { return 418; } } '
     . 'location ~ archived { return 402; }', '/v1/rooms/archived', 418],
    ['location / { location /v1/ { location ~ archived { return 418; } } } '
     . 'location ~ archived { return 402; }', '/v1/rooms/archived', 418],
    ['location / { location /v1/ { } } location ~ archived { return 418; }',
     '/v1/rooms/archived', 418],
    ['location ~ ^/v1/.*export { return 418; }',
     '/v1/rooms/room-0/export', 418],
    ['location ~ ^/v1/.*export { return 418; }', '/v1/rooms/archived', 200],
    ['location / { location ~ ^/v1/.*export { return 418; } }',
     '/v1/rooms/room-0/export', 418],
    ['location / { location ~ ^/v1/.*export { return 418; } }',
     '/v1/rooms/archived', 200],
    ['location /v1/rooms/ { location ~ export { return 418; } return 402; }',
     '/v1/rooms/archived', 402],
    ['location /v1/rooms { rooms on; location ~ export { return 418; } }',
     '/v1/rooms/room-0/export', 418],
    ['location /v1/rooms { rooms on; location ~ export { return 418; } }',
     '/v1/rooms/archived', 200],
    ['location /v1/sy { return 418; }', '/v1/sync?timeout=0', 200],
    ['location /v1/sync/ { return 418; }', '/v1/sync?timeout=0', 200],
    ['location /v1/syncs { return 418; }', '/v1/sync?timeout=0', 200],
    ['location /v1/syncs { return 418; }', '/v1/syncs', 418],
    ['location / { return 418; }', '/v1/syncs', 418],
    ['location / { return 418; }', '/v1/sync/', 418],
    ['location / { return 418; }', '/v1/directory', 418],
    ['location / { return 418; }', '/v1/roomsx', 418],
    ['location /v1/room { return 418; }', '/v1/rooms/archived', 200],
    ['location /v1/room { location /v1/rooms/archived { return 418; } }',
     '/v1/rooms/archived', 418],
    ['location /v1/rooms/archived { return 418; }', '/v1/rooms/room-0', 404],
    ['location = /v1/rooms { return 418; }', '/v1/rooms/archived', 200],
    ['location = /v1/rooms { return 418; }', '/v1/rooms', 418],
    ['location /v1/rooms/ { return 418; }', '/v1/rooms', 405],
    ['location /v1/rooms { return 418; }', '/v1/rooms', 418],
    ['rooms_serve directory; location /v1/ { return 418; } rooms on;',
     '/v1/rooms/archived', 418],
    ['rooms_serve directory; location /v1/ { return 418; } rooms on;',
     '/v1/directory/rooms', 200],
    ['rooms_serve messages; location /v1/rooms { rooms on; deny all; }'
     . ' rooms on;', '/v1/rooms/room-0/messages', 403],
    ['include $TEST_NGINX_SERVER_ROOT/html/mine.conf;', '/v1/sync', 403],
    ['location @mine { rooms on; add_header X-Own yes always; } '
     . 'location /x { try_files /none @mine; }', '/x', 404],
    ['location @mine { rooms on; } location /v1/rooms/archived '
     . '{ error_page 418 = @mine; return 418; }', '/v1/rooms/archived', 200],
    ['location /x/ { rooms on; rewrite ^/x(/.*)$ $1 break; }',
     '/x/v1/rooms/archived', 200],
    ['location /x/ { rewrite ^/x(/.*)$ $1 last; } location /v1/rooms/archived '
     . '{ return 418; }', '/x/v1/rooms/archived', 418],
    ['location /v1/sync { rooms off; return 418; }', '/v1/sync', 418],
    ['location /v1/ { rooms off; return 418; }', '/v1/sync?timeout=0', 418],
    ['location /v1/ { rooms off; return 418; }',
     '/.well-known/scaiwave/server', 404],
    ['location / { rooms off; return 418; } location /v1/ { rooms on; }',
     '/v1/sync?timeout=0', 200],
];

# settings of each kind, in each form
my $htpasswd = '$TEST_NGINX_SERVER_ROOT/html/htpasswd';

sub settings {
    my ($in, $path, $status) = @_;

    return map { [$_, $path, $status] } forms($path =~ m{^(/v1/[a-z]+)}, $path,
                                              "rooms on; $in");
}

for my $path ('/v1/sync?timeout=0', '/v1/directory/rooms') {
    push @{$cases{settings}},
         settings("auth_basic x; auth_basic_user_file $htpasswd;", $path, 401),
         settings('satisfy all; allow 127.0.0.1; auth_basic x; '
                  . "auth_basic_user_file $htpasswd;", $path, 401),
         settings("satisfy any; allow 127.0.0.1; deny all; auth_basic x; "
                  . "auth_basic_user_file $htpasswd;", $path, 200),
         settings('auth_request /denied;', $path, 403),
         settings('auth_request /allowed;', $path, 200),
         settings('limit_except POST { deny all; }', $path, 403),
         settings('limit_except POST { allow 127.0.0.1; deny all; }', $path,
                  200),
         settings('limit_except GET { deny all; }', $path, 200),
         settings('limit_req zone=none;', $path, 429),
         settings('if ($arg_timeout = 0) { return 402; } '
                  . 'if ($uri ~ directory) { return 402; }', $path, 402),
         settings('internal;', $path, 404),
         settings('rooms_tenant other;', $path, 403);
}

$_->[0] .= ' location = /denied { internal; return 403; } '
           . 'location = /allowed { internal; return 204; }'
    for @{$cases{settings}};

# bodies that are too long for the location alone
for my $path ('/v1/rooms', '/v1/workspaces', '/v1/media/upload') {
    my ($base) = $path =~ m{^(/v1/[a-z]+)};

    push @{$cases{bodies}},
         map { [$_, $path, 413, "POST $path\n" . 'x' x 50] }
             forms($base, $path, 'rooms on; client_max_body_size 10;');
}

our $before = <<'END';
    rooms_auth mock;
    rooms_redis redis://$TEST_NGINX_REDIS/0;
    limit_req_zone $server_name zone=none:1m rate=1r/m;
    server_names_hash_max_size 4096;
    access_log off;
END

save(config => "location = /ok { return 200; }\n");

no_shuffle();
run_tests();

__DATA__

=== TEST 1: access rules in each form, for each part, with and without rooms on
--- http_config eval: $main::before . main::servers('denied')
--- config
        location = /ok { return 200; }
--- request eval: main::requests('denied')
--- more_headers eval: main::hosts('denied')
--- error_code eval: main::statuses('denied')



=== TEST 2: whatever else a location does
--- http_config eval: $main::before . main::servers('theirs')
--- config
        location = /ok { return 200; }
--- request eval: main::requests('theirs')
--- more_headers eval: main::hosts('theirs')
--- error_code eval: main::statuses('theirs')



=== TEST 3: a location with rooms on serves its part by itself
--- http_config eval: $main::before . main::servers('own')
--- config
        location = /ok { return 200; }
--- request eval: main::requests('own')
--- more_headers eval: main::hosts('own')
--- error_code eval: main::statuses('own')
--- response_headers eval: main::each_case('own', sub { "X-Own: yes" })



=== TEST 4: a shorter location is for the rest
--- http_config eval: $main::before . main::servers('shorter')
--- config
        location = /ok { return 200; }
--- request eval: main::requests('shorter')
--- more_headers eval: main::hosts('shorter')
--- error_code eval: main::statuses('shorter')



=== TEST 5: what NGINX looks at, and what it doesn't
--- http_config eval: $main::before . main::servers('unseen')
--- config
        location = /ok { return 200; }
--- user_files
>>> mine.conf
location /v1/sync { rooms on; deny all; }
--- request eval: main::requests('unseen')
--- more_headers eval: main::hosts('unseen')
--- error_code eval: main::statuses('unseen')



=== TEST 6: settings of each kind
--- http_config eval: $main::before . main::servers('settings')
--- config
        location = /ok { return 200; }
--- user_files
>>> htpasswd
ada:{PLAIN}secret
--- request eval: [map { ($_) x 2 } @{main::requests('settings')}]
--- more_headers eval: [map { ($_) x 2 } @{main::hosts('settings')}]
--- error_code eval: my $n; [map { my $s = $_; ($s == 429 ? 200 : $s, $s) } @{main::statuses('settings')}]



=== TEST 7: bodies
--- http_config eval: $main::before . main::servers('bodies')
--- config
        location = /ok { return 200; }
--- request eval: main::requests('bodies')
--- more_headers eval: main::hosts('bodies')
--- error_code eval: main::statuses('bodies')
