# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# docs/directives.md and docs/operations.md against the source: directives with
# their levels, choices and defaults, variables, metrics, classes of requests.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use RoomsTest -no_redis;
use RoomsTest::Process qw(slurp);

my $module = slurp('src/ngx_rooms_module.c');
my $conf = slurp('src/ngx_rooms_conf.c');
my $page = slurp('docs/directives.md');
my $operations = slurp('docs/operations.md');

# The rows of a table, each a list of its cells; "\|" is no border.
sub rows {
    my ($text, $head) = @_;
    my ($table) = $text =~ /^\Q| $head |\E.*\n\|-.*\n((?:\|.*\n)+)/m
        or die "no table of $head\n";

    return map { [map { s/^\s+|\s+$//gr } splice @{[split /(?<!\\)\|/]}, 1] }
           split /\n/, $table;
}

sub words { return $_[0] =~ /`([^`]+)`/g }


# Directives

my ($table) = $module =~ /^static ngx_command_t .*?\{\n(.*?)^\};/ms;
my %command;

while ($table =~ /\{ ngx_string\("(\w+)"\),\s*([\w|]+),(.*?)\},\n/gs) {
    my ($name, $flags, $rest) = ($1, $2, $3);
    my ($field, $index) = $rest =~ /offsetof\(\w+, (\w+)(?:\[(\w+)\])?\)/;

    $command{$name} = { flags => $flags, field => $field,
                        post => $rest =~ /&?(\w+) $/ };
}

my %row = map { ($_->[0] =~ /`(\w+)/)[0] => $_ } rows($page, 'directive');

cmp_ok(scalar keys %command, '>', 45, 'directives');
is_deeply([sort keys %row], [sort keys %command],
          'the page has all of them, and no others');

my %level = ('NGX_ROOMS_ANY' => '', 'NGX_HTTP_MAIN_CONF' => 'http',
             'NGX_HTTP_SRV_CONF' => 'server',
             'NGX_HTTP_LOC_CONF' => 'location',
             'NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF' => 'server, location');

is_deeply({ map { $_ => ($row{$_}[0] =~ /\(([^)]*)\)$/)[0] // '' }
            keys %row },
          { map { $_ => $level{$command{$_}{flags}
                               =~ s/\|NGX_CONF_\w+$//r} } keys %command },
          'and says where each may be');

# The choices of an enumeration or a bitmask, with their constants.
sub choices {
    my ($name) = @_;
    my ($text) = $module =~ /^static\ ngx_conf_(?:enum|bitmask)_t\s+\Q$name\E
                             \[\]\ =\ \{\n(.*?)^\};/msx or return;

    return map { [/"(\w+)"\), *(\w+)/] } grep { /"/ } split /\n/, $text;
}

my (@odd, $several);

for my $name (sort keys %command) {
    my $post = $command{$name}{post} or next;
    my @choices = map { $_->[0] } choices($post) or next;

    $several++;

    my %said = map { $_ => 1 } "$row{$name}[0] $row{$name}[2]" =~ /[\w-]+/g;

    push @odd, map { "$name: $_" } grep { !$said{$_} } @choices;
}

cmp_ok($several, '>=', 4, 'directives with choices');
is_deeply(\@odd, [], 'each choice of those that have some');

# What a member has if nothing sets it, by the macro that merges it.

my %merged;

while ($conf =~ /ngx_conf_merge_(?:(\w+)_)?value\(conf->(\w+)(?:\[\w+\])?,\s*
                 prev->\w+(?:\[\w+\])?,\s*(.*?)\);/gsx)
{
    my ($kind, $member, $value) = ($1, $2, $3);

    $merged{$member} = [$kind // '', $value];
}

sub span {
    my ($ms) = @_;

    return $ms % 1000 ? "${ms}ms" : $ms % 3_600_000 ? $ms / 1000 . 's'
           : $ms / 3_600_000 . 'h';
}

# ... as a configuration would say it; '' is none.
sub said {
    my ($name, $kind, $value) = @_;
    my $flags = $command{$name}{flags};
    my ($chosen) = grep { $_->[1] eq $value }
                   choices($command{$name}{post} // '');

    return $chosen->[0] if $chosen;
    return '' if $value eq '""' || $value eq 'NULL';
    return 'unlimited' if $value eq 'NGX_ROOMS_UNLIMITED';
    return $value ? 'on' : 'off' if $flags =~ /CONF_FLAG/;
    return span($value) if $kind eq 'msec';
    return $value . 's' if $kind eq 'sec';
    return $value =~ s/^"(.*)"$/$1/r;
}

my %member = (rooms_auth_token => 'token', rooms_cors_origin => 'cors',
              rooms_scim_token_file => 'scim_tokens',
              rooms_url_secret_file => 'url_secrets',
              rooms_federation_allow_private => 'federation_private');

# What isn't merged by such a macro: from the place that has it instead.

my @limits = map { eval s/UINT64_C\((\d+)\)/$1/r }
             split /,/, ($conf =~ /ngx_rooms_limits = \{(.*?)\}/s)[0];

my %other = (
    rooms => $conf =~ /conf->enable = clcf->noname && prev/ ? 'off' : '?',
    rooms_serve => $conf =~ /conf->serve = NGX_ROOMS_PART_ALL/ ? 'all' : '?',
    rooms_cache => $module =~ /cache == NGX_CONF_UNSET_SIZE\s*\? 0/ ? 'off'
                                                                    : '?',
    rooms_redis_wait => 'off ' . said('rooms_redis_wait',
                                      @{$merged{redis_wait_timeout}}),
    rooms_import_limits => join(' ', map { $_ >= 1 << 30
                                           ? $_ / (1 << 30) . 'g' : $_ }
                                     @limits),
    rooms_server_name => $conf =~ /server_name = cf->cycle->hostname/
                         ? "the host's name" : '?',
    rooms_media_path => $conf =~ /"rooms_media"/ ? 'rooms_media' : '?',
    rooms_health => '', rooms_status => '',
);

my (%have, %want);

for my $name (sort keys %command) {
    my $cell = $row{$name}[1];

    my @words = words($cell);

    $have{$name} = @words ? "@words" : $cell eq "\xe2\x80\x93" ? '' : $cell;
    $have{$name} = '' if $have{$name} eq 'off'
                         && ($merged{$member{$name} // ''} // [0, ''])->[1]
                            eq 'NULL';

    my $field = $member{$name} // $command{$name}{field}
                // $name =~ s/^rooms_//r;
    my $merged = $merged{$field};

    $want{$name} = $other{$name}
                   // ($merged ? said($name, @$merged) : '? not merged');
}

is($merged{redis_wait}[1], 0, 'rooms_redis_wait is off by itself');

# the page has a note beside the folder; claims and roles are lists of words
$have{rooms_media_path} =~ s/ .*//;

my $jwt = slurp('src/auth/rooms_jwt.c');
my @claims = slurp('src/rooms/rooms_principal.h')
             =~ /^    ROOMS_CLAIM_\w+.*?\/\*( ".*") \*\//mg;

is(delete $have{rooms_auth_claim}, join(' ', map { /"(\w+)"/g } @claims),
   'claims');
is(delete $have{rooms_auth_admin},
   join(' ', map { /"([\w:]+)"/g }
             $jwt =~ /^static const rooms_str_t  rooms_admin_.*?\};/msg),
   'the roles of administrators');
delete @want{qw(rooms_auth_claim rooms_auth_admin)};

is_deeply(\%have, \%want, 'and each default');


# Variables

my %variable = map { $_ => 1 } map { slurp($_) =~ /ngx_string\("(rooms_\w+)"\)(?:, NULL, ngx_|;)/g }
               grep { !m{^src/ngx_rooms_module} } glob 'src/*/*.c';

is_deeply([sort map { map { /^\$(\w+)$/ ? $1 : () } words($_->[0]) }
           rows($page, 'variable')],
          [sort keys %variable], 'variables');


# Metrics: the page, and somebody who looks at each

my %metric = map { $_ => 1 } slurp('src/http/ngx_rooms_status.c')
                             =~ /ngx_rooms_status_metric\(out, "(\w+)"/g;
my %told = map { $_ => 1 } map { map { /^(rooms_\w+)/ } words($_->[0]) }
           rows($operations, 'metric');

is_deeply([sort keys %told], [sort keys %metric], 'metrics');

my $shown = slurp('pkg/grafana/rooms.json')
            . slurp('pkg/prometheus/rooms.rules.yml');

is_deeply([grep { $shown !~ /\b$_(?:_bucket)?\b/ } sort keys %metric], [],
          'the dashboard or an alert shows each');


# Classes of requests

my ($route) = slurp('src/http/ngx_rooms_route.c')
              =~ /^ngx_rooms_endpoint_class.*?\n\}\n/ms ? $& : '';
my %class = map { $_ => 1 } $route =~ /[?:n] "(\w+)"/g;
my ($classes) = map { $_->[1] } grep { $_->[0] =~ /rooms_class/ }
                rows($page, 'variable');
my $limits = slurp('conf/limits.conf');
my %zone = map { $_ => 1 } $limits =~ /^map \$rooms_class .*; (\w+) /mg;

cmp_ok(scalar keys %class, '>=', 10, 'classes');
is_deeply([sort grep { $class{$_} } words($classes)], [sort keys %class],
          'the page has them');
is_deeply([grep { !$class{$_} } keys %zone], [], 'conf/limits.conf limits none that is none');
is_deeply([grep { $limits !~ /\b$_\b/ } sort keys %class], [],
          'and explains all');

# a zone that is made is used by the lines to copy, and the other way round
is_deeply([sort $limits =~ /^#     limit_req zone=(\w+)/mg],
          [sort $limits =~ /^limit_req_zone .* zone=(\w+):/mg], 'zones');


# Settings of Redis

{
    my %told = $operations =~ /`([a-z-]+) ([a-z0-9]+)`/g;
    my %set = slurp('conf/redis.conf') =~ /^([a-z-]+) (\S+)$/mg;

    cmp_ok(scalar keys %set, '>=', 4, 'settings of Redis');
    $told{'maxmemory-policy'} = $1
        if $operations =~ /`maxmemory-policy` must be `(\w+)`/;
    is($told{$_}, $set{$_}, "the page has $_") for sort keys %set;
}


# Limits of the page

my $request = slurp('src/http/ngx_rooms_request.h');

for my $limit (['JSON body', $request, 'NGX_ROOMS_BODY_MAX'],
               ['content of a message', $request, 'NGX_ROOMS_CONTENT_MAX'],
               ['token', slurp('src/auth/rooms_jws.h'), 'ROOMS_JWT_MAX'],
               ['attempts of a change that conflicts with others', $request, 'NGX_ROOMS_RACES'],
               ['`Idempotency-Key`', slurp('src/http/ngx_rooms_idempotency.c'),
                'NGX_ROOMS_IDEM_MAX'])
{
    my ($what, $source, $macro) = @$limit;
    my ($value) = $source =~ /^#define $macro +([\d()* ]+)/m;
    my ($said) = map { $_->[1] =~ /^(\d+)/ } grep { $_->[0] eq $what }
                 rows($operations, 'what');

    is($said, eval $value, "the limit: $what");
}

done_testing();
