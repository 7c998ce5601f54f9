# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# docs/directives.md and docs/operations.md against the source: directives with
# their levels, choices and defaults, variables, metrics, classes of requests.
# All pages: links, NGINX's view of snippets, and examples, which run in order
# and give the answers that are printed below them.

use strict;
use warnings;
use utf8;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp ();
use MIME::Base64 qw(encode_base64 encode_base64url);
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Page qw(page page_answer page_run page_tables
                       page_unset);
use RoomsTest::Process qw(end_process find_program slurp start_process
                          wait_for write_file);
use RoomsTest::Table qw(table_rows);
use RoomsTest::Token qw(hs256);

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


# Numbers in sentences.  "{NAME}" is the macro's value, and "{NAME/1024}" a
# part of it; the page may write it with commas.

my %source = map { $_ => slurp($_) } glob 'src/*/*.[ch]';

sub value {
    my ($name) = @_;
    my ($macro, $part) = split m{/}, $name;
    my %of = map { $_ => 1 }
             map { /^#define $macro +(\(?[\d()* A-Z_]+?)(?: *\/\*.*)?$/mg }
             values %source;

    return "{$name: " . keys(%of) . ' values}' if keys %of != 1;

    my ($value) = map { s/INT64_C//r } keys %of;

    return eval($value) / ($part // 1);
}

for my $row (
    ['api', '`participant_ids` (≤ {ROOMS_BATCH_MAX})'],
    ['api', '`timeout` ms ≤ {NGX_ROOMS_SYNC_WAIT_MAX} '
                . '({NGX_ROOMS_SYNC_WAIT})'],
    ['api', '`expires_in` ({NGX_ROOMS_LINK_LIFE_MIN} to '
                . '{NGX_ROOMS_LINK_LIFE_MAX} s, {NGX_ROOMS_LINK_LIFE})'],
    ['api', 'at most {ROOMS_EMOJIS_MAX} different emojis per message'],
    ['api', 'any names (up to {NGX_ROOMS_PREFERENCES_MAX})'],
    ['api', '(object, ≤ {NGX_ROOMS_CONTENT_MAX} bytes)'],
    ['api', 'the first {NGX_ROOMS_STATE_MEMBERS} joined and invited'],
    ['api', 'A name has 1 to {ROOMS_NAME_MAX} characters'],
    ['api', 'at most {ROOMS_JWT_MAX/1024} KiB'],
    ['api', '`limit` ≤ {NGX_ROOMS_PEERS_LIMIT} ({NGX_ROOMS_PEERS_PAGE})'],
    ['api', '`limit` ({NGX_ROOMS_BACKFILL_MAX})'],
    ['api', 'more than {ROOMS_CONTENT_DEPTH} levels of nesting'],
    ['live', 'a message of more than {ROOMS_WS_FRAME_MAX/1024} KiB'],
    ['browsers', 'with {ROOMS_TICKET_SECRET_MIN} to '
                     . '{ROOMS_TICKET_SECRET_MAX} bytes'],
    ['browsers', '({NGX_ROOMS_LINK_LIFE_MIN} to '
                     . '{NGX_ROOMS_LINK_LIFE_MAX})'],
    ['directives', '{ROOMS_TICKET_SECRET_MIN} to '
                       . '{ROOMS_TICKET_SECRET_MAX} bytes'],
    ['directives', '{ROOMS_SECRET_MIN} to {ROOMS_SECRET_MAX} bytes'],
    ['people', '`bio` has at most {NGX_ROOMS_BIO_MAX} characters'],
    ['people', 'under up to {NGX_ROOMS_PREFERENCES_MAX} names'],
    ['people', 'in pages of {NGX_ROOMS_ERASE_EVENTS},'],
    ['federation', 'the keys of {NGX_ROOMS_PEERS} known peers'],
    ['federation', 'and of {NGX_ROOMS_STRANGERS} strangers'],
    ['federation', '_per_room` ({ROOMS_POLICY_FOREIGN}) counts'],
    ['federation', 'may differ by {ROOMS_SIGNATURE_WINDOW} seconds'],
    ['federation', 'the first {ROOMS_FEDKEY_ID} hexadecimal digits'],
    ['federation', 'may have {NGX_ROOMS_UNACCEPTED_MAX} rooms here that '
                   . 'nobody'],
    ['federation', 'up to {NGX_ROOMS_OUTBOX_ITEMS} events or '
                       . '{NGX_ROOMS_OUTBOX_BODY/1024} KiB a request'],
    ['federation', 'here in the last {NGX_ROOMS_LINK_SEEN} seconds'],
    ['federation', 'An outbox holds {NGX_ROOMS_OUTBOX_MAX} items'],
    ['federation', 'in pages of {NGX_ROOMS_OUTBOX_PAGE}:'],
    ['federation', '{NGX_ROOMS_PROFILES_ASKED} servers at once'],
    ['federation', 'Up to {NGX_ROOMS_PROFILES_MAX} participants may wait'],
    ['federation', 'in pages of {NGX_ROOMS_BACKFILL_PAGE}, at most '
                       . '`limit` new events ({NGX_ROOMS_BACKFILL_MAX})'],
    ['federation', 'in commits of {NGX_ROOMS_BACKFILL_PART}.'],
    ['federation', 'after {NGX_ROOMS_BACKFILL_PAGES} pages'],
    ['federation-protocol', '1 to {ROOMS_REMOTE_EVENTS}, at most '
                                . '{NGX_ROOMS_BODY_MAX/1024} KiB in all'],
    ['federation-protocol', 'at most {ROOMS_REMOTE_MEMBERS} members.'],
    ['federation-protocol', 'at most {NGX_ROOMS_HISTORY_SIZE/1024} KiB'],
    ['export-import', '{ROOMS_MANIFEST_EVENT_MAX/1024} KiB for an event; '
                          . '{ROOMS_IMPORT_CONTENT_MAX/1024} KiB and '
                          . '{ROOMS_CONTENT_DEPTH} levels'],
    ['export-import', '{ROOMS_IMPORT_EDITS_MAX} edits for a message'],
    ['export-import', 'names up to {ROOMS_FAULTS_MAX} of them'],
    ['operations', 'checked every {NGX_ROOMS_PUBSUB_PING/1000} seconds'],
    ['operations', 'counted every {NGX_ROOMS_LINK_COUNT/1000} s'],
    ['operations', '`Retry-After: {NGX_ROOMS_LATER}`'],
    ['operations', '| participants of an invite | {ROOMS_BATCH_MAX} |'],
    ['architecture', 'has begun {NGX_ROOMS_COMMIT_RING} other commits'],
    ['architecture', 'records their positions, '
                         . '{NGX_ROOMS_COMMIT_HASH} in a small hash'],
    ['architecture', 'nest at most {ROOMS_CONTENT_DEPTH} levels'],
    ['architecture', 'For more than {NGX_ROOMS_PAGE_ROOMS} rooms'],
    ['architecture', 'A walk ends after {NGX_ROOMS_DIRECTORY_MAX} rooms'],
    ['architecture', 'cache for {NGX_ROOMS_SEEN_TTL} s which'],
) {
    my ($file, $sentence) = @$row;
    my $text = slurp("docs/$file.md") =~ s/\s+/ /gr
               =~ s/(?<=\d),(?=\d{3})//gr;

    $sentence =~ s/\{(.*?)\}/value($1)/ge;
    utf8::encode($sentence);
    cmp_ok(index($text, $sentence), '>=', 0, "$file.md: $sentence");
}


# Keys of the store: a pattern of each against the page's first column

{
    my $source = slurp('src/store/ngx_rooms_store.c');
    my $string = qr/ngx_(?:string\("([^"]*)"\)|null_string)/;
    my @key = slurp('docs/data-model.md')
              =~ /^\| (`[^|]+) \| (?:string|hash|zset|pub\/sub) \|/mg;
    my %told = map { map { $_ => 0 } words($_) } @key;
    my @untold;

    while ($source =~ /\[NGX_ROOMS_KEY_\w+\] =\s+\{ $string, $string \}/g) {
        my ($before, $after) = ($1, $2 // '');
        my $id = $before =~ /:$/ ? '[^ ]+' : '';
        my @found = grep { /^\Q$before\E$id\Q$after\E$/ } keys %told;

        push @untold, "$before$after" if !@found && $before ne 'tenants';
        $told{$_} = 1 for @found;
    }

    cmp_ok(scalar keys %told, '>', 60, 'keys of the store');
    is_deeply(\@untold, [], 'the page has them');
    is_deeply([grep { !$told{$_} } sort keys %told], [], 'and no others');
}


# Requests: each row of the table, by its path or by "…/" and what follows the
# first name in it; SCIM describes itself

{
    my $page = slurp('docs/api.md');
    my %told;

    utf8::decode($page);

    for my $cell ($page =~ /^\| (`[^|]+) \|/mg) {
        for my $path (map { s/^[A-Z]+ //r =~ s/\{\w+\}/{}/gr } words($cell)) {
            $told{"$_ $path"} = 1 for $cell =~ /\b([A-Z]{3,})\b/g;
        }
    }

    my @rows = grep { !$_->{envelope} && $_->{path} =~ m{^/v1/} } table_rows();
    my @untold = grep {
        my ($method, $path) = ($_->{method}, $_->{path} =~ s/\{\w+\}/{}/gr);

        !$told{"$method $path"}
        && !$told{"$method " . $path =~ s{^.*?/\{\}/}{…/}r};
    } @rows;

    cmp_ok(scalar @rows, '>', 60, 'requests');
    is_deeply([map { "$_->{method} $_->{path}" } @untold], [],
              'docs/api.md has them');
}


# Pages: links and paths

my $nginx = find_program($ENV{TEST_NGINX_BINARY} || 'nginx');
my ($so) = grep { /ngx_rooms_module/ }
           split ' ', $ENV{TEST_NGINX_LOAD_MODULES} // '';
my $stream = stream_module();
my @pages = map { page($_) } 'README.md', 'CONTRIBUTING.md',
                             sort glob 'docs/*.md';
my %page = map { $_->{name} => $_ } @pages;
my %target = map { $_ => 1 } map { slurp($_) =~ /^([a-z-]+):(?!=)/mg }
             qw(Makefile t/make/tests.mk);

# names of files, too
my $sources = join "\n", map { ($_, slurp($_)) }
              glob('src/*.[ch] src/*/* conf/* pkg/*/* t/*/*.[chp]*');

# Where a link of a page leads nowhere.
sub broken {
    my ($page) = @_;
    my $dir = dirname($page->{name});

    return grep {
        my ($file, $anchor) = /^([^#]*)#?(.*)/;
        my $name = $file eq '' ? $page->{name}
                               : "$dir/$file" =~ s{^(?:\./|docs/\.\./)}{}r;

        !-e $name || $anchor ne '' && $page{$name}
                     && !$page{$name}{anchors}{$anchor};
    } grep { !/^https?:/ } @{$page->{links}};
}

# Names in the text that are gone: files, things to make, the source's words.
sub absent {
    my ($page) = @_;
    my @names = map { /\b((?:ngx_)?rooms_\w+|NGX_ROOMS_\w+|SW_[A-Z]\w+)\b/g }
                words($page->{prose});

    return (grep { !-e } $page->{prose} =~
                m{`((?:src|t|conf|docs|pkg|web)/[\w./-]+)`}g),
           (grep { $sources !~ /\b\Q$_\E/ } @names),
           grep { !$target{$_} }
           $page->{text} =~ /(?:^|`)(?:\w+=\S+ )*make ([a-z-]+)/mg;
}

# Commits that are named as examples; a copy without the history has none.
SKIP: {
    my $shallow = `git rev-parse --is-shallow-repository 2>/dev/null`;

    skip 'not the whole history', 1 if $shallow ne "false\n";

    is_deeply([grep { system("git cat-file -e $_ 2>/dev/null") }
               map { $_->{text} =~ /`([0-9a-f]{7})`/g } @pages], [],
              'commits');
}

# Whether a block is for a shell, or of a language that isn't known here, and
# doesn't say so.
sub unnamed {
    my ($block) = @_;

    return $block->{text} =~ /^(?:curl|jq|make|openssl|redis-cli|roomsctl) /m
        if $block->{lang} eq '';
    return $block->{lang} !~ /^(?:sh|nginx|js|json)$/;
}

for my $page (@pages) {
    is_deeply([broken($page)], [], "$page->{name}: links");
    is_deeply([absent($page)], [], '... and files that it names');
    is_deeply([page_tables($page)], [], '... and its tables');
    is_deeply([page_unset($page)], [], '... and its variables are set');
    is_deeply([map { $_->{line} } grep { unnamed($_) } @{$page->{blocks}}],
              [], '... and blocks of a shell say so');
}


# What the examples of this host are for: a folder instead of /etc, with the
# files that snippets name, for whichever host they are

my $dir = File::Temp->newdir('rooms-pages-XXXXXXXX', TMPDIR => 1);
my $secret = 'a secret of thirty-two bytes, at least';
my $scim = 'scim-token-of-this-suite';
my @hosts = qw(a.example b.example chat.example.com rooms.example);

make_path(map { "$dir/$_" } qw(bin etc/nginx run));
chmod 0755, $dir;    # workers may run as another user
write_file("$dir/etc/nginx/jwks.json",
           qq({"keys":[{"kty":"oct","k":"@{[encode_base64url($secret)]}"}]}));
write_file("$dir/etc/nginx/scim.tokens", "$scim\n");
write_file("$dir/etc/nginx/" . s{.*/}{}r, slurp($_)) for glob 'conf/*.conf';
system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
       . " -keyout $dir/key -out $dir/cert -days 2 -subj /CN=pages -addext "
       . join(',', 'subjectAltName=DNS:pages', map { "DNS:$_" } @hosts)
       . ' 2>/dev/null') == 0 or die "no certificate\n";

# A file in the folder for one in /etc.
sub here {
    my ($path) = @_;
    my $file = "$dir$path";

    return "$dir/cert" if $path =~ /ca-certificates\.crt$/;

    if (!-e $file) {
        make_path(dirname($file));
        write_file($file, $path =~ /pem$/ ? slurp("$dir/cert")
                          : $path =~ m{nginx/rooms.*\.key$}
                          ? encode_base64('k' x 32) : slurp("$dir/key"));
        chmod 0600, $file;
    }

    return $file;
}

# A snippet as it is valid here.  "..." in a server is what it has besides.
sub localized {
    my ($text, $port) = @_;
    my $rest = '';

    $rest .= ' rooms_auth_jwks_file /etc/nginx/jwks.json;'
        if $text !~ /rooms_auth_jwks_file/;
    $rest .= ' ssl_certificate /etc/ssl/chat.pem;'
             . ' ssl_certificate_key /etc/ssl/chat.key;' if $text =~ / ssl;/;

    for ($text) {
        s/^ +\.\.\.$/$rest/m;
        s{load_module modules/ngx_rooms_module\.so}{load_module $so};
        s{(?<![\w.])(/etc/(?:nginx|ssl)/[\w./-]+)}{here($1)}ge;
        s{/(?:var/log/nginx|run)/}{$dir/}g;
        s{include (?=\w)}{include $dir/etc/nginx/};
        s{listen 443 }{listen 127.0.0.1:$port }g;
        s{proxy_pass (?:https?://)?\K[a-z][\w.-]*\.(?:com|example)\b}
         {127.0.0.1}g;
    }

    return $text;
}

# folders that NGINX would look for elsewhere
my $places = join '', "access_log $dir/access.log;\n",
             map { "${_}_temp_path $dir/${_}_temp;\n" }
             qw(client_body proxy fastcgi scgi uwsgi);

# ... in what it belongs into; a server that isn't shown has what it needs.
sub enclosed {
    my ($text, $port) = @_;
    my $load = $text =~ s/^(load_module .*\n)//m ? $1 : "load_module $so;\n";

    $load .= "load_module $stream;\n" if $stream && $text =~ /^stream \{/m;
    $text = "server {\n listen 127.0.0.1:$port;\n ...\n"
            . ($text =~ /^rooms on;/m ? '' : " rooms on;\n") . "$text}\n"
        if $text !~ /^(?:server|http|stream)[ ]\{
                     |^(?:log_format|limit_req_zone|include)\s/mx;
    $text = "http {\n$text}\n" if $text !~ /^(?:http|stream) \{/m;
    $text =~ s/^http \{$/http {\n$places/m;

    return "${load}pid $dir/nginx.pid;\nevents {}\n$text";
}

# What nginx -t has to say against a snippet.
sub nginx_says {
    my ($block) = @_;
    my $port = free_port();

    write_file("$dir/etc/nginx/nginx.conf",
               localized(enclosed($block->{text}, $port), $port));

    my $text = `$nginx -t -e stderr -c $dir/etc/nginx/nginx.conf 2>&1`;

    return $text =~ s/^nginx: .* (?:syntax is ok|test is successful)\n//mgr;
}

# (since NGINX 1.25.1 it has a directive of its own for HTTP/2)
is(nginx_says({ text => slurp('pkg/examples/rooms.conf') =~ s/ http2;/;/r }),
   '', 'pkg/examples/rooms.conf');

# Where NGINX has the module for streams, if it isn't a part of it.
sub stream_module {
    my $text = `$nginx -V 2>&1`;
    my ($path) = $text =~ /--modules-path=(\S+)/;

    return '' if $text =~ /--with-stream(?!=|_)/;
    return $path && -e "$path/ngx_stream_module.so"
           ? "$path/ngx_stream_module.so" : undef;
}

for my $page (@pages) {
    for my $block (grep { $_->{lang} eq 'nginx' } @{$page->{blocks}}) {
        SKIP: {
            skip 'this NGINX has no stream module', 1
                if $block->{text} =~ /^stream \{/m && !defined $stream;

            is(nginx_says($block), '',
               "$page->{name}:$block->{line}: nginx -t");
        }
    }
}


# Examples.  Addresses are those of the pages: curl connects to this suite's
# servers instead.  One is "make run"; the hosts with names have the snippets
# of their pages.

my ($plain, $tls) = (free_port(), free_port());
my ($path) = map { "$_/pkg/roomsctl:$dir/bin:$ENV{PATH}" } abs_path('.');

write_file("$dir/bin/kcadm.sh", <<'END');
#!/bin/sh
cat <<JSON
[{"id": "1f", "enabled": true, "username": "una", "firstName": "Una"},
 {"id": "2f", "enabled": false, "username": "vic", "email": "v@b.example"}]
JSON
END
chmod 0755, "$dir/bin/kcadm.sh";
write_file("$dir/.curlrc", join '', map { "$_\n" }
           "connect-to = 127.0.0.1:8080:127.0.0.1:$plain",
           (map { "connect-to = $_:443:127.0.0.1:$tls" } @hosts),
           "cacert = $dir/cert", 'max-time = 60', 'noproxy = *');

# The server of a page, with a store of its own.
sub server_of {
    my ($name, $db, $host) = (@_, 'a.example');
    my ($block) = grep { $_->{lang} eq 'nginx'
                         && $_->{text} =~ /^server \{/ }
                  @{$page{$name}{blocks}};
    my $text = localized($block->{text} =~ s/a\.example/$host/gr, $tls);

    $text =~ s/^ *rooms_redis .*\n//m;

    return $text =~ s{rooms on;}{rooms on; rooms_federation_allow_private on;
                      rooms_redis redis://$ENV{TEST_NGINX_REDIS}/$db;}r;
}

# with the suite's port in place of that of https
write_file("$dir/etc/nginx/federation.conf",
           slurp('conf/federation.conf')
           =~ s{https://\$rooms_peer_address}{https://127.0.0.1:$tls}r
           =~ s{/etc/ssl/certs/ca-certificates\.crt}{$dir/cert}r);

# stopped, too, if this suite dies
my $running;

END {
    local $?;

    end_process($running, 'TERM', 10) if $running;
}

sub token { return hs256($secret, sub => $_[0], @_[1 .. $#_]) }

# Blocks that don't run here, and who does run them.
my %elsewhere = ('make run' => 'this suite does', 'make bench' => 'takes long',
                 'make deb' => 'make deb-check', 'sudo ' => 'make deb-check',
                 'make' => 't/39-make.t', 'NGINX_SRC=' => 'make matrix',
                 't/make/compat' => 'make matrix');
my ($not_here) = map { qr/^(?:$_)/ } join '|', map { quotemeta }
                 sort { length $b <=> length $a } keys %elsewhere;

sub runs {
    my ($page, $between) = @_;

    local @ENV{qw(CURL_HOME PATH)} = ("$dir", $path);

    my $patience = int patience();
    my ($status, @blocks) = page_run($page,
        sub { $_[0]{text} =~ $not_here },
        dir => "$dir/run", between => $between,
        before => "sleep() { command sleep \$((\$1 * $patience)); }",
        given => { SCIM => $scim, ANN => token('ann'), BOB => token('bob'),
                   TOKEN => token('ann', name => 'Ann Lee'),
                   map { $_ => token('root', roles => ['tenant_admin']) }
                   qw(ADMIN ADMIN_A ADMIN_B) },
        edit => sub { $_[0] =~ s{/etc/nginx/}{$dir/run/}gr });

    for my $block (@blocks) {
        is(page_answer($block), '', "$page->{name}:$block->{line}: runs");
    }

    is($status, 0, "$page->{name}: to its end")
        or diag(map { $_->{err} // () } @blocks);
}

{
    $running = do {
        local @ENV{qw(PORT TMPDIR NGINX)} = ($plain, "$dir/run", $nginx);

        start_process("$dir/run.log", 't/make/run', $so);
    };

    ok(wait_for(30, sub { slurp("$dir/run.log") =~ /^Ctrl-C stops it/m }),
       'make run') or diag(slurp("$dir/run.log"));

    run_nginx('', http => ''
                  . server_of('docs/install.md', 0)
                  . server_of('docs/people.md', 1)
                  . server_of('docs/federation.md', 2, 'a.example')
                  . server_of('docs/federation.md', 3, 'b.example'));

    local $ENV{ROOMS_REDIS} = 'redis+unix://'
                              . (glob "$dir/run/rooms-run.*/redis.sock")[0];

    # what is on its way to the other server has a moment
    my $arrived = <<"END";
cli() { redis-cli -p $ENV{TEST_NGINX_REDIS_PORT} -n "\$@"; }
for n in 2 3; do
  for i in \$(seq 200); do
    [ "\$(cli \$n ZCARD 'sw:{acme}:outboxes')" != 0 ] || break
    command sleep 0.1
  done
done
END

    runs($_, $_->{name} eq 'docs/federation.md' ? $arrived : '') for @pages;
    end_process($running, 'TERM', 10);
    $running = undef;
    ok(!glob("$dir/run/rooms-run.*"), 'make run leaves nothing');
}

done_testing();
