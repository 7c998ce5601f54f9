# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

# docs/openapi.yaml: against the table of endpoints, the table of errors, and
# what a running server answers.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use File::Temp ();
use JSON::PP ();
use Test::More;

use lib 't/lib';
use RoomsTest;
use RoomsTest::Bundle qw(bundle form manifest);
use RoomsTest::Process qw(slurp);
use RoomsTest::Schema qw(resolve schema_problems);
use RoomsTest::Stranger;
use RoomsTest::Table qw(table_rows table_fields);
use RoomsTest::Token qw(hs256);
use RoomsTest::YAML qw(yaml_load);

my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my $text = slurp('docs/openapi.yaml');

utf8::decode($text);

my $doc = yaml_load($text);
my @methods = qw(get put post patch delete);

# Every operation, by "METHOD /path".
my %op;

for my $path (sort keys %{$doc->{paths}}) {
    for my $method (grep { $doc->{paths}{$path}{$_} } @methods) {
        $op{uc($method) . " $path"} = $doc->{paths}{$path}{$method};
    }
}

# The table of endpoints

my %fields = table_fields();
# SCIM describes itself, and has another envelope (RFC 7644)
my %row = map { ("$_->{method} $_->{path}" => $_) }
          grep { !$_->{envelope} } table_rows();

# a name in braces may be longer in the document
my %named = map { my $short = s/_id\}/}/gr; ($short => $_) } keys %op;

cmp_ok(scalar keys %row, '>', 50, 'rows of the table');
is_deeply([sort keys %named], [sort keys %row],
          'the document has the rows of the table, and no others');

# Bodies: what the table checks

my %type = (string => 'string', bool => 'boolean', int => 'integer',
            object => 'object', array => 'array');

sub body_schema {
    my ($op) = @_;
    my $body = resolve($doc, $op->{requestBody} // {})->{content} // {};

    return ($body->{'application/json'} // {})->{schema};
}

# The types that a schema allows.
sub types {
    my ($schema) = @_;

    $schema = resolve($doc, $schema);

    return map { types($_) } @{$schema->{oneOf}} if $schema->{oneOf};
    return ref $schema->{type} ? @{$schema->{type}} : $schema->{type};
}

my @bad;

for my $name (sort keys %row) {
    my $row = $row{$name};
    my $op = $op{$named{$name} // ''} or next;
    my $flags = $row->{flags};
    my $schema = body_schema($op);
    my $keyed = grep { $_->{name} eq 'Idempotency-Key' }
                map { resolve($doc, $_) } @{$op->{parameters} // []};

    push @bad, "$name: Idempotency-Key"
        if !!$keyed != !!($flags =~ /CREATES/);
    push @bad, "$name: a body" if !!$schema != !!($flags =~ /\bBODY\b/);
    push @bad, "$name: a form" if !!($flags =~ /UPLOAD/)
        != !!(resolve($doc, $op->{requestBody} // {})->{content} // {})
             ->{'multipart/form-data'};
    push @bad, "$name: a body that is optional"
        if $schema && !resolve($doc, $op->{requestBody})->{required}
           != !!($flags =~ /OPTIONAL/);
    push @bad, "$name: federation's tag"
        if !!($flags =~ /\b(?:PEER|OPEN)\b/)
           != !!($op->{tags}[0] eq 'federation');
    push @bad, "$name: an admin's row"
        if !!($flags =~ /ADMIN/) != !!($op->{tags}[0] eq 'administration');

    next if !$row->{fields};

    my $said = $schema->{properties};
    my %required = map { $_ => 1 } @{ $schema->{required} // [] };
    my %here = map {
        my %t = map { $_ => 1 } types($said->{$_});
        my $null = delete $t{null} ? 1 : 0;

        ($_ => join(' ', sort keys %t) . " $null "
               . ($required{$_} ? 1 : 0));
    } keys %$said;
    my %there = map {
        my $f = $fields{$row->{fields}}{$_};

        ($_ => "$type{$f->{type}} $f->{null} $f->{required}");
    } keys %{$fields{$row->{fields}}};

    push @bad, "$name: " . $json->encode([\%here, \%there])
        if $json->encode(\%here) ne $json->encode(\%there);
}

is_deeply(\@bad, [], 'bodies are as the table checks them');

# References

my %used;
@bad = ();

sub walk {
    my ($thing) = @_;

    if (ref $thing eq 'ARRAY') {
        walk($_) for @$thing;

    } elsif (ref $thing eq 'HASH') {
        if (defined $thing->{'$ref'} && !ref $thing->{'$ref'}) {
            $used{$thing->{'$ref'}}++;
            push @bad, $@ if !eval { resolve($doc, $thing) };
        }

        walk($thing->{$_}) for sort keys %$thing;
    }
}

walk($doc);
is_deeply(\@bad, [], 'every reference leads somewhere');

my @idle = grep { !$used{$_} }
           map { my $kind = $_;
                 map { "#/components/$kind/$_" }
                     keys %{$doc->{components}{$kind}} }
           grep { $_ ne 'securitySchemes' } keys %{$doc->{components}};

is_deeply([sort @idle], [], 'and every component is used');

# What generators stumble over

@bad = map { my $kind = $_;
             map { "$kind/$_" } grep { !/\A[A-Za-z][A-Za-z0-9]*\z/ }
                 keys %{$doc->{components}{$kind}} }
       keys %{$doc->{components}};
is_deeply([sort @bad], [], 'names of components are identifiers');

@bad = ();

sub generated {
    my ($thing, $where) = @_;

    if (ref $thing eq 'ARRAY') {
        generated($thing->[$_], "$where/$_") for 0 .. $#$thing;

    } elsif (ref $thing eq 'HASH') {
        my $ref = $thing->{'$ref'};

        push @bad, "$where: a \$ref that isn't alone"
            if defined $ref && !ref $ref && keys %$thing > 1;
        push @bad, "$where: null in an enum"
            if ref $thing->{enum} eq 'ARRAY'
               && grep { !defined } @{$thing->{enum}};
        push @bad, "$where: a file that isn't binary"
            if $thing->{contentMediaType}
               && ($thing->{format} // '') ne 'binary';
        push @bad, "$where: a body without a schema"
            if $where =~ m{/content/[^/]+~1[^/]+\z} && !$thing->{schema};

        for (sort keys %$thing) {
            generated($thing->{$_}, "$where/" . s{/}{~1}gr)
                if !/\A(?:example|examples)\z/;
        }
    }
}

generated($doc, '');
is_deeply(\@bad, [], 'schemas are what generators understand');

my %ids;

$ids{$_->{operationId} // ''}++ for values %op;
is_deeply([grep { !/\A[a-z][A-Za-z]*\z/ || $ids{$_} > 1 } sort keys %ids],
          [], 'every operation has a name of its own');

sub type_of_schema {
    return $json->encode(resolve($doc, $_[0])->{type} // '');
}

my $sync = $op{'GET /v1/sync'};
my ($since) = grep { $_->{name} eq 'since' }
              map { resolve($doc, $_) } @{$sync->{parameters}};
my $page = resolve($doc, $sync->{responses}{200})->{content}
           {'application/json'}{schema}{properties}{data};

is(type_of_schema($since->{schema}),
   type_of_schema(resolve($doc, $page)->{properties}{next_cursor}),
   'since takes what next_cursor gives');

my $made = body_schema($op{'POST /v1/rooms'})->{properties}{room_type};

is_deeply(resolve($doc, $made)->{enum}, [qw(group public incognito)],
          'no type of room is offered that cannot be made');

my $event_types = $doc->{components}{schemas}{EventType}{enum};
my %variant = %{$doc->{components}{schemas}{Event}{discriminator}{mapping}};

is_deeply([sort keys %variant], [sort @$event_types],
          'each type of event has a schema');
is_deeply([sort map { $_->{'$ref'} }
                @{$doc->{components}{schemas}{Event}{oneOf}}],
          [sort values %variant], 'by which events are told apart');

# Codes

my $errors = slurp('src/http/ngx_rooms_error.c');
my %status;

$status{$2}{$1} = 1 while $errors =~ /\{\s*(\d+),\s*"(SW_\w+)"/g;

is_deeply([sort @{$doc->{components}{schemas}{Code}{enum}}],
          [sort keys %status], 'the codes are those of the table of errors');

sub codes {
    my ($response) = @_;
    my $thing = $response->{content} // {};

    for (qw(application/json schema properties error)) {
        $thing = $thing->{$_} // {};
    }

    return map { @{ ($_->{properties}{code} // {})->{enum} // [] } }
           @{ $thing->{allOf} // [] };
}

my %told;
@bad = ();

for my $name (sort keys %op) {
    my $responses = $op{$name}{responses};

    for my $status (sort keys %$responses) {
        my $response = resolve($doc, $responses->{$status});
        my @codes = codes($response);

        push @bad, "$name: $status has no codes"
            if $status =~ /^[45]/ && !@codes;

        for my $code (@codes) {
            $told{$code} = 1;

            # what NGINX refuses by itself
            next if $status eq 'default'
                    || "$status $code" eq '416 SW_VALIDATION_FAILED';

            push @bad, "$name: $code is no $status"
                if !$status{$code}{$status};
        }
    }
}

is_deeply(\@bad, [], 'each stands under its status');
is_deeply([grep { !$told{$_} } sort keys %status], [], 'and all are told of');

# Examples

@bad = ();

sub examples {
    my ($where, $content) = @_;

    for my $type (sort keys %{ $content // {} }) {
        my $media = $content->{$type};
        my @examples = map { $_->{value} } values %{$media->{examples} // {}};

        push @examples, $media->{example} if exists $media->{example};
        push @bad, map { "$where: $_" }
                   schema_problems($doc, $media->{schema}, $_) for @examples;
    }
}

for my $name (sort keys %op) {
    examples("$name, body",
             resolve($doc, $op{$name}{requestBody} // {})->{content});
    examples("$name, $_",
             resolve($doc, $op{$name}{responses}{$_})->{content})
        for sort keys %{$op{$name}{responses}};
}

is_deeply(\@bad, [], 'examples are what the schemas say');

# A session

my $dir = File::Temp->newdir('rooms-openapi-XXXXXXXX', TMPDIR => 1);
my $port = free_port();
my $b = RoomsTest::Stranger->new("127.0.0.1:$port", 'b' x 32, 'a.example');
my $zed = '{"data":{"local_id":"zed","server_name":"' . $b->name
          . '","display_name":"Zed","avatar_url":null}}';

chmod 0755, "$dir";
RoomsTest::Signer::write_file("$dir/b.json", $b->signer->descriptor);
RoomsTest::Signer::write_file("$dir/url-secret", 's' x 32);
chmod 0600, "$dir/url-secret";

RoomsTest::Stranger::around('a.example', 'acme', {
    workers => 1,
    server => "rooms_url_secret_file $dir/url-secret;"
              . 'location = /v1/rooms/archived { rooms on;'
              . ' limit_req zone=one; }',
    http => <<"END" });
    limit_req_zone \$binary_remote_addr zone=one:1m rate=1r/m;
    server {
        listen 127.0.0.1:$port;
        location = /.well-known/scaiwave/server { alias $dir/b.json; }
        location = /_scaiwave/federation/v1/profile/zed { return 200 '$zed'; }
        location ~ /backfill\$ {
            return 200 '{"data":[],"meta":{"has_more":false}}';
        }
    }
END

my %asked;
my %watched = map { $_ => 1 } qw(location etag allow retry-after referrer-policy
    www-authenticate idempotency-replayed content-disposition content-range
    accept-ranges last-modified cache-control content-security-policy
    x-content-type-options);

# What is wrong with an answer, as lines.
sub problems {
    my ($name, $res, $response) = @_;
    my ($status, $headers, $body) = @$res;
    my $content = $response->{content};
    my %left = map { $_ => 1 } grep { $watched{$_} } keys %$headers;
    my @problems;

    # said once, of all JSON
    if (($status == 304
         || ($headers->{'content-type'} // '') eq 'application/json')
        && !($response->{headers} // {})->{'Cache-Control'})
    {
        delete $left{'cache-control'};
        push @problems, 'may be kept by a cache'
            if ($headers->{'cache-control'} // '') ne 'no-store';
    }

    for my $header (sort keys %{$response->{headers}}) {
        my $said = resolve($doc, $response->{headers}{$header});
        my $value = $headers->{lc $header};

        delete $left{lc $header};

        if (defined $value) {
            push @problems, map { "$header: $_" }
                schema_problems($doc, $said->{schema}, $value);

        } elsif ($said->{required}) {
            push @problems, "no $header";
        }
    }

    push @problems, map { "$_ is not described" } sort keys %left;

    return @problems if !$content || $name =~ /^HEAD/;

    my $media = $content->{$headers->{'content-type'} // ''}
                // $content->{'*/*'};

    return (@problems, 'type ' . ($headers->{'content-type'} // 'none'))
        if !$media;

    return @problems if ($media->{schema}{format} // '') eq 'binary';

    my $value = eval { $json->decode($body) };

    return (@problems, "no JSON: $body") if $@;
    return (@problems, schema_problems($doc, $media->{schema}, $value));
}

# ask('404 SW_ROOM_NOT_FOUND', 'ada', 'GET /v1/rooms/{room_id}',
#     { room_id => ... }, $body, query => '?...', headers => {...})
sub ask {
    my ($want, $who, $name, $in, $body, %o) = @_;
    my ($method, $path) = split / /, $name;
    my ($status, $code) = split / /, $want;
    my $template = $name =~ s/^HEAD/GET/r;
    my %headers = %{$o{headers} // {}};
    my $op = $op{$template};

    $path =~ s/\{(\w+)\}/
              $in->{$1} =~ s{([^A-Za-z0-9._~-])}{sprintf '%%%02X', ord $1}ger
              /gex;
    $path .= $o{query} // '';
    my $bytes = ref $body ? $json->encode($body) : $body;

    if (ref $who) {
        %headers = $who->signer->headers($method, $path, body => $bytes,
                                         authority => 'a.example', %headers);
        $who = undef;

    } elsif (defined $who && $who =~ /\A\w+!?\z/) {
        $who = "mock:$who\@acme" =~ s/!\@acme/\@acme:admin/r;
    }

    my $res = http_req($method, $path, $who, $bytes, %headers);
    my $answer = eval { $json->decode($res->[2]) };
    my $got = $res->[0];

    $got .= " $answer->{error}{code}"
        if ref $answer eq 'HASH' && ref $answer->{error} eq 'HASH';
    $asked{$template}{$status} = 1;

    if ($got ne $want) {
        is($got, $want, "$name: $want") or diag($res->[2]);
        return $res;
    }

    my @problems;
    my $response = $o{other} ? $op{'GET /v1/sync'}{responses}{default}
                   : $op ? $op->{responses}{$status} : undef;

    if (!$response) {
        push @problems, 'is not described';

    } else {
        @problems = problems($name, $res, resolve($doc, $response));
    }

    push @problems, map { "body: $_" }
                    schema_problems($doc, body_schema($op), $body, open => 1)
        if ref $body && $status < 300;

    ok(!@problems, "$name: $want") or diag(join "\n", @problems, $res->[2]);
    $res->[3] = $answer;

    return $res;
}

sub data_of { $_[0][3]{data} }

my ($true, $false) = (JSON::PP::true, JSON::PP::false);

# Participants and workspaces
ask('200', $_, 'POST /v1/auth/register') for 'ada', 'bob', 'carol';
ask('401 SW_AUTH_INVALID_TOKEN', undef, 'POST /v1/auth/register');

my $person = 'PUT /v1/admin/participants/{participant_id}';
my $ann = { participant_id => 'u|ann' };

ask('201', 'root!', $person, $ann, { local_id => 'ann', email => 'ann@a.example' });
ask('200', 'root!', $person, $ann, { display_name => 'Ann', email => undef });
ask('400 SW_VALIDATION_FAILED', 'root!', $person, $ann, { local_id => 'a b' });
ask('403 SW_AUTH_INSUFFICIENT_PERMISSION', 'ada', $person, $ann, {});
ask('404 SW_PARTICIPANT_NOT_FOUND', 'root!', $person,
    { participant_id => '@x:far.example' }, {});
ask('409 SW_PARTICIPANT_EXISTS', 'root!', $person, $ann, { local_id => 'ada' });
ask('200', 'ada', 'GET /v1/participants/{participant_id}', $ann);
ask('404 SW_PARTICIPANT_NOT_FOUND', 'ada',
    'GET /v1/participants/{participant_id}', { participant_id => 'nobody' });
ask('200', 'ada', 'GET /v1/directory/participants', {}, undef,
    query => '?q=an&limit=1');
ask('200', 'root!', 'GET /v1/admin/participants');
ask('200', 'ada', 'GET /v1/me');
ask('200', 'ada', 'PUT /v1/me', {}, { bio => 'Engines.' });
ask('400 SW_VALIDATION_FAILED', 'ada', 'PUT /v1/me', {}, { display_name => '' });
ask('200', 'ada', 'PUT /v1/me/preferences', {}, { default_mode => 'all' });
ask('200', 'ada', 'GET /v1/me/preferences');
ask('403 SW_AUTH_INSUFFICIENT_PERMISSION', 'ada', 'GET /v1/admin/participants');

ask('403 SW_AUTH_TENANT_MISMATCH', 'mock:eve@globex', 'GET /v1/workspaces');

my $ws = data_of(ask('201', 'ada', 'POST /v1/workspaces', {},
                     { name => 'Platform' }))->{id};

ask('400 SW_VALIDATION_FAILED', 'ada', 'POST /v1/workspaces', {},
    { name => ' ' });
ask('200', 'ada', 'GET /v1/workspaces', {}, undef, query => '?limit=1');
ask('400 SW_VALIDATION_FAILED', 'ada', 'GET /v1/workspaces', {}, undef,
    query => '?limit=201');

my $members = 'POST /v1/workspaces/{workspace_id}/members';
my $in = { workspace_id => $ws };

ask('200', 'ada', $members, $in, { participant_id => 'bob',
                                   role => 'editor' });
ask('403 SW_WORKSPACE_FORBIDDEN', 'bob', $members, $in,
    { participant_id => 'carol', role => 'viewer' });
ask('404 SW_PARTICIPANT_NOT_FOUND', 'ada', $members, $in,
    { participant_id => 'nobody', role => 'viewer' });
ask('200', 'ada', 'GET /v1/workspaces/{workspace_id}/members', $in);
ask('404 SW_WORKSPACE_NOT_FOUND', 'ada',
    'GET /v1/workspaces/{workspace_id}/members', { workspace_id => 'x' });

my $one = '/v1/workspaces/{workspace_id}';
my $member = "$one/members/{participant_id}";

ask('200', 'bob', "GET $one", $in);
ask('404 SW_WORKSPACE_NOT_FOUND', 'carol', "GET $one", $in);
ask('200', 'ada', "PATCH $one", $in, { description => 'About it' });
ask('400 SW_VALIDATION_FAILED', 'ada', "PATCH $one", $in, { name => '' });
ask('403 SW_WORKSPACE_FORBIDDEN', 'bob', "PATCH $one", $in, { name => 'x' });
ask('200', 'ada', "PATCH $member", { %$in, participant_id => 'bob' },
    { role => 'viewer' });
ask('404 SW_PARTICIPANT_NOT_FOUND', 'ada', "PATCH $member",
    { %$in, participant_id => 'carol' }, { role => 'viewer' });
ask('409 SW_WORKSPACE_NEEDS_OWNER', 'ada', "PATCH $member",
    { %$in, participant_id => 'ada' }, { role => 'viewer' });
ask('409 SW_WORKSPACE_NEEDS_OWNER', 'ada', "DELETE $member",
    { %$in, participant_id => 'ada' });
ask('200', 'bob', "DELETE $member", { %$in, participant_id => 'bob' });
ask('200', 'ada', $members, $in, { participant_id => 'bob',
                                   role => 'viewer' });
ask('409 SW_WORKSPACE_PERSONAL', 'ada', "DELETE $one",
    { workspace_id => (grep { $_->{kind} eq 'personal' }
                       @{data_of(ask('200', 'ada', 'GET /v1/workspaces'))})
                      [0]{id} });
ask('200', 'ada', "DELETE $one",
    { workspace_id => data_of(ask('201', 'ada', 'POST /v1/workspaces', {},
                                  { name => 'Gone',
                                    description => 'soon' }))->{id} });

# Rooms
my $create = 'POST /v1/rooms';
my %engineering = (room_type => 'group', name => 'engineering',
                   topic => 'All things eng');
my @key = (headers => { 'Idempotency-Key' => 'k1' });

my $room = data_of(ask('201', 'ada', $create, {}, \%engineering, @key))->{id};
ask('201', 'ada', $create, {}, \%engineering, @key);
ask('409 SW_IDEMPOTENCY_CONFLICT', 'ada', $create, {},
    { %engineering, topic => undef }, @key);
ask('400 SW_VALIDATION_FAILED', 'ada', $create, {}, { room_type => 'group' });
ask('400 SW_ROOM_TYPE_INVARIANT', 'ada', $create, {}, { room_type => 'dm' });
ask('403 SW_WORKSPACE_FORBIDDEN', 'bob', $create, {},
    { %engineering, workspace_id => $ws });
ask('404 SW_WORKSPACE_NOT_FOUND', 'carol', $create, {},
    { %engineering, workspace_id => $ws });
ask('413 SW_PAYLOAD_TOO_LARGE', 'ada', $create, {},
    { %engineering, x => 'x' x 131072 });

my $secret = data_of(ask('201', 'ada', $create, {},
                         { room_type => 'incognito',
                           close_on_leave => $false }))->{id};
my $public = data_of(ask('201', 'ada', $create, {},
                         { room_type => 'public', name => 'Town square',
                           workspace_id => $ws }))->{id};

ask('200', 'ada', 'GET /v1/directory/rooms', {}, undef,
    query => '?limit=1&count=true');
ask('409 SW_WORKSPACE_IN_USE', 'ada', "DELETE $one", { workspace_id => $ws });
ask('400 SW_VALIDATION_FAILED', 'ada', 'GET /v1/directory/rooms', {}, undef,
    query => '?cursor=x');
ask('200', 'ada', 'GET /v1/directory/alias/{alias}', { alias => $_ })
    for '#town-square:a.example', '@bob:a.example';
ask('404 SW_ROOM_NOT_FOUND', 'ada', 'GET /v1/directory/alias/{alias}',
    { alias => '#none:a.example' });
ask('404 SW_PARTICIPANT_NOT_FOUND', 'ada', 'GET /v1/directory/alias/{alias}',
    { alias => '@none:a.example' });

my $dm = data_of(ask('201', 'ada', 'POST /v1/rooms/dm', {},
                     { participant_id => 'bob' }))->{id};

ask('200', 'bob', 'POST /v1/rooms/dm', {}, { participant_id => 'ada' });
ask('400 SW_ROOM_TYPE_INVARIANT', 'ada', 'POST /v1/rooms/dm', {},
    { participant_id => 'ada' });
ask('404 SW_PARTICIPANT_NOT_FOUND', 'ada', 'POST /v1/rooms/dm', {},
    { participant_id => 'nobody' });

$in = { room_id => $room };

my $get = 'GET /v1/rooms/{room_id}';
my $etag = ask('200', 'ada', $get, $in)->[1]{etag};

ask('200', 'bob', $get, { room_id => '#town-square:a.example' });
ask('304', 'ada', $get, $in, undef, headers => { 'If-None-Match' => $etag });
ask('412 SW_PRECONDITION_FAILED', 'ada', $get, $in, undef,
    headers => { 'If-Match' => '"x"' });
ask('200', 'ada', 'HEAD /v1/rooms/{room_id}', $in);
ask('404 SW_ROOM_NOT_FOUND', 'bob', $get, $in);
ask('404 SW_NOT_FOUND', 'ada', 'GET /v1/rooms/a/b/c', {}, undef, other => 1);
ask('405 SW_METHOD_NOT_ALLOWED', 'ada', 'DELETE /v1/rooms', {}, undef,
    other => 1);

# Membership
sub on { "POST /v1/rooms/{room_id}/$_[0]" }

ask('200', 'ada', on('invite'), $in, { participant_id => 'bob' });
ask('200', 'ada', on('invite'), $in,
    { participant_ids => [qw(bob carol nobody)] });
ask('400 SW_VALIDATION_FAILED', 'ada', on('invite'), $in, {});
ask('404 SW_PARTICIPANT_NOT_FOUND', 'ada', on('invite'), $in,
    { participant_id => 'nobody' });
ask('200', 'bob', on('join'), $in);
ask('200', 'carol', on('leave'), $in);
ask('404 SW_ROOM_NOT_FOUND', 'carol', on('leave'), $in);
ask('403 SW_ROOM_FORBIDDEN', 'bob', on('kick'), $in,
    { participant_id => 'ada' });
ask('200', 'ada', on('ban'), $in, { participant_id => 'carol',
                                    reason => 'off topic' });
ask('200', 'ada', 'GET /v1/rooms/{room_id}/members', $in, undef,
    query => '?membership=ban');
ask('200', 'ada', on('unban'), $in, { participant_id => 'carol' });
ask('200', 'ada', on('invite'), $in, { participant_id => 'carol' });
ask('200', 'ada', on('kick'), $in, { participant_id => 'carol' });
ask('404 SW_PARTICIPANT_NOT_FOUND', 'ada', on('kick'), $in,
    { participant_id => 'carol' });
ask('400 SW_ROOM_TYPE_INVARIANT', 'ada', on('leave'), { room_id => $dm });

my $power = 'PUT /v1/rooms/{room_id}/members/{participant_id}/power-level';

ask('200', 'ada', $power, { %$in, participant_id => 'bob' },
    { power_level => 50 });
ask('409 SW_ROOM_LAST_ADMIN', 'ada', $power, { %$in, participant_id => 'ada' },
    { power_level => 50 });
ask('400 SW_VALIDATION_FAILED', 'ada', $power,
    { %$in, participant_id => 'bob' }, { power_level => 101 });
ask('200', 'ada', 'GET /v1/rooms/{room_id}/members', $in);
ask('200', 'ada', 'GET /v1/rooms/{room_id}/state', $in);
ask('404 SW_ROOM_NOT_FOUND', 'ada', 'GET /v1/rooms/{room_id}/state',
    { room_id => 'x' });

# Seats
redis('HSET', 'sw:{acme}:tenant', 'max_participants', 2, 'max_rooms', 1);
ask('409 SW_ROOM_CAPACITY', 'ada', on('invite'), $in,
    { participant_id => 'carol' });
ask('409 SW_TENANT_CAPACITY', 'ada', $create, {}, \%engineering);
redis('HDEL', 'sw:{acme}:tenant', 'max_participants', 'max_rooms');

# Metadata
ask('412 SW_PRECONDITION_FAILED', 'ada', 'PUT /v1/rooms/{room_id}/name', $in,
    { name => 'eng' }, headers => { 'If-Match' => '"x"' });
ask('200', 'ada', 'PUT /v1/rooms/{room_id}/name', $in, { name => 'eng' });
ask('200', 'ada', 'PUT /v1/rooms/{room_id}/topic', $in, { topic => undef });
ask('200', 'ada', 'PUT /v1/rooms/{room_id}/workspace', $in,
    { workspace_id => $ws });
ask('404 SW_WORKSPACE_NOT_FOUND', 'ada', 'PUT /v1/rooms/{room_id}/workspace',
    $in, { workspace_id => 'ws-none' });

# Messages
my $hello = data_of(ask('201', 'bob', on('send'), $in,
                        { content => { body => 'hello' } },
                        headers => { 'Idempotency-Key' => 'k2' }));
my $event = { %$in, event_id => $hello->{id} };
my $about = '{room_id}/events/{event_id}';

ask('201', 'ada', on('send'), { room_id => $secret },
    { content => { body => 'psst' }, event_uuid => 'u1' });
ask('413 SW_CONTENT_TOO_LARGE', 'bob', on('send'), $in,
    { content => { body => 'x' x 70000 } });
ask('403 SW_ROOM_FORBIDDEN', 'bob', on('send'), { room_id => $public },
    { content => {} });
ask('200', 'bob', "POST /v1/rooms/$about/edit", $event,
    { content => { body => 'hello there' } });
ask('200', 'ada', "GET /v1/rooms/$about", $event);
ask('404 SW_EVENT_NOT_FOUND', 'ada', "GET /v1/rooms/$about",
    { %$in, event_id => 'evt-none' });
ask('403 SW_ROOM_FORBIDDEN', 'ada', "POST /v1/rooms/$about/edit", $event,
    { content => {} });
ask('200', 'ada', "POST /v1/rooms/$about/reaction", $event,
    { emoji => "\x{1F44B}" });
ask('200', 'ada', "DELETE /v1/rooms/$about/reaction", $event, undef,
    query => '?emoji=%F0%9F%91%8B');
ask('404 SW_EVENT_NOT_FOUND', 'ada', "POST /v1/rooms/$about/reaction",
    { %$in, event_id => 'evt-none' }, { emoji => '+' });
ask('200', 'ada', 'PUT /v1/rooms/{room_id}/read', $in,
    { event_id => $hello->{id} });
ask('404 SW_EVENT_NOT_FOUND', 'ada', 'PUT /v1/rooms/{room_id}/read', $in,
    { event_id => 'evt-none' });
ask('200', 'bob', 'GET /v1/rooms/{room_id}/messages', $in, undef,
    query => '?limit=2');
ask('200', 'bob', "POST /v1/rooms/$about/redact", $event,
    { reason => 'off topic' });
ask('200', 'ada', 'GET /v1/rooms/{room_id}/messages', $in, undef,
    query => '?limit=200&direction=forward');
ask('200', 'ada', 'GET /v1/sync', {}, undef, query => '?limit=500');
ask('200', 'ada', 'GET /v1/sync', {}, undef, query => '?since=now&timeout=0');
ask('200', 'ada', 'GET /v1/sync', {}, undef, query => '?since=9007199254740991');
ask('200', 'ada', 'GET /v1/sync', {}, undef, query => '?epoch=another');
ask('400 SW_VALIDATION_FAILED', 'ada', 'GET /v1/sync', {}, undef,
    query => '?since=x');

# One's own settings
ask('200', 'ada', 'PUT /v1/rooms/{room_id}/notification-mode', $in,
    { notification_mode => 'mentions' });
ask('400 SW_VALIDATION_FAILED', 'ada',
    'PUT /v1/rooms/{room_id}/notification-mode', $in, { mode => 'loud' });
ask('200', 'ada', 'PUT /v1/rooms/{room_id}/mute', $in, { duration => 3600 });
ask('200', 'ada', 'GET /v1/rooms/{room_id}/members', $in, undef,
    query => '?limit=1');
ask('200', 'ada', 'PUT /v1/rooms/{room_id}/mute', $in, { muted => $false });

# Media and bundles
my ($body, $form) = form('a picture');

$body =~ s/room\.zip/picture.txt/;
$body =~ s{application/zip}{text/plain};

my $medium = data_of(ask('201', 'ada', 'POST /v1/media/upload', {}, $body,
                         headers => { 'Content-Type' => $form }))->{media_id};
my $download = 'GET /v1/media/download/{media_id}';

$in = { media_id => $medium };
ask('400 SW_VALIDATION_FAILED', 'ada', 'POST /v1/media/upload', {}, '{}');
ask('200', 'bob', 'GET /v1/media/{media_id}/info', $in);
ask('404 SW_NOT_FOUND', 'bob', 'GET /v1/media/{media_id}/info',
    { media_id => 'med-none' });
ask('200', 'bob', $download, $in);
ask('206', 'bob', $download, $in, undef, headers => { Range => 'bytes=2-' });
ask('416 SW_VALIDATION_FAILED', 'bob', $download, $in, undef,
    headers => { Range => 'bytes=99-' });
ask('200', 'bob', 'GET /v1/media/signed/{media_id}', $in);
ask('400 SW_VALIDATION_FAILED', 'bob', 'GET /v1/media/signed/{media_id}', $in,
    undef, query => '?expires_in=1');
ask('404 SW_NOT_FOUND', 'bob', 'GET /v1/media/signed/{media_id}',
    { media_id => 'med-none' });
ask('403 SW_MEDIA_LINK_INVALID', undef, $download, $in, undef,
    query => '?signature=x');
ask('200', 'bob', 'POST /v1/auth/ticket', {}, { purpose => 'stream' });
ask('400 SW_VALIDATION_FAILED', 'bob', 'POST /v1/auth/ticket', {}, {});
ask('304', 'bob', $download, $in, undef,
    headers => { 'If-None-Match' => '"' . sha256_hex('a picture') . '"' });
ask('412 SW_PRECONDITION_FAILED', 'bob', $download, $in, undef,
    headers => { 'If-Match' => '"x"' });

$in = { room_id => $room };

ask('200', 'ada', 'POST /v1/rooms/{room_id}/export/link', $in);
ask('200', 'ada', 'POST /v1/rooms/{room_id}/export/link', $in,
    { expires_in => 60 });
ask('400 SW_ROOM_EXPORT_REFUSED', 'ada',
    'POST /v1/rooms/{room_id}/export/link', { room_id => $secret });
ask('403 SW_MEDIA_LINK_INVALID', undef, 'GET /v1/rooms/{room_id}/export', $in,
    undef, query => '?signature=x');

my $zip = ask('200', 'ada', 'GET /v1/rooms/{room_id}/export', $in, undef,
              query => '?media=all')->[2];

ask('400 SW_ROOM_EXPORT_REFUSED', 'ada', 'GET /v1/rooms/{room_id}/export',
    { room_id => $secret });

sub import_of {
    my ($want, $file, %fields) = @_;
    my ($body, $type) = form($file, %fields);

    return ask($want, 'carol', 'POST /v1/rooms/import', {}, $body,
               headers => { 'Content-Type' => $type });
}

import_of('200', $zip, dry_run => 'true');
import_of('200', 'no ZIP', dry_run => 'true');
my $copy = data_of(import_of('201', $zip))->{id};
import_of('400 SW_BUNDLE_INVALID', 'no ZIP');
import_of('404 SW_WORKSPACE_NOT_FOUND', $zip, workspace_id => $ws);
ask('200', 'carol', 'GET /v1/rooms/{room_id}/messages', { room_id => $copy });

# Lifecycle
ask('200', 'bob', on('archive'), $in);
ask('409 SW_ROOM_FROZEN', 'bob', on('send'), $in, { content => {} });
ask('200', 'bob', 'GET /v1/rooms/archived');
ask('429 SW_RATE_LIMIT_EXCEEDED', 'bob', 'GET /v1/rooms/archived');
ask('200', 'bob', on('rejoin'), $in);
ask('403 SW_ROOM_FORBIDDEN', 'bob', on('close'), $in);
ask('200', 'ada', on('close'), $in);
ask('409 SW_ROOM_FROZEN', 'ada', on('archive'), $in);

# Other servers
my $admin = 'root!';
my $fed = '/v1/admin/federation';
my $send = 'POST /_scaiwave/federation/v1/send';
my $told = $b->signed($b->event($public, 'zed', 'member',
                                { fqid => $b->fqid('zed'),
                                  membership => 'join' }));

ask('200', undef, 'GET /.well-known/scaiwave/server');
ask('403 SW_AUTH_INSUFFICIENT_PERMISSION', 'ada', "GET $fed/identity");
ask('200', $admin, "GET $fed/identity");
ask('200', $admin, "GET $fed/policy");
ask('403 SW_FED_POLICY', $b, $send, {}, { events => [$told] });
ask('200', $admin, "PUT $fed/policy", {}, { allowed_peers => [$b->name] });
ask('400 SW_VALIDATION_FAILED', $admin, "PUT $fed/policy", {}, { default_mode => 1 });

$in = { room_id => $public };

my $invitations = 'POST /v1/rooms/{room_id}/invitations';

ask('400 SW_ROOM_TYPE_INVARIANT', 'ada', $invitations, $in,
    { fqid => $b->fqid('zed') });
ask('200', $admin, 'PUT /v1/admin/rooms/{room_id}/federate', $in,
    { enabled => $true });
ask('200', 'ada', $invitations, $in, { fqid => $b->fqid('zed') });
ask('200', $admin, 'POST /v1/admin/rooms/{room_id}/federation/invite', $in,
    { fqid => $b->fqid('yan') });
ask('400 SW_VALIDATION_FAILED', 'ada', $invitations, $in, { fqid => 'zed' });
ask('201', 'ada', 'POST /v1/me/federated-dms', {},
    { fqid => $b->fqid('zed') });
ask('200', 'ada', 'POST /v1/me/federated-dms', {},
    { fqid => $b->fqid('zed') });
ask('403 SW_FED_POLICY', $admin,
    'POST /v1/admin/rooms/{room_id}/federation/backfill', $in, { limit => 1 });
ask('200', $b, $send, {}, { events => [$told, { %$told, id => 'evt-1' }] });
ask('401 SW_FED_SIGNATURE_MISMATCH', undef, $send, {}, { events => [] });
ask('200', $b, 'GET /_scaiwave/federation/v1/rooms/{room_id}/members', $in);
ask('200', $b, 'GET /_scaiwave/federation/v1/rooms/{room_id}/backfill', $in);
ask('404 SW_ROOM_NOT_FOUND', $b,
    'GET /_scaiwave/federation/v1/rooms/{room_id}/backfill',
    { room_id => $copy });
ask('200', $b, 'GET /_scaiwave/federation/v1/profile/{local_id}',
    { local_id => 'ada' });
ask('404 SW_PARTICIPANT_NOT_FOUND', $b,
    'GET /_scaiwave/federation/v1/profile/{local_id}', { local_id => 'x' });
ask('200', 'ada', 'GET /v1/rooms/{room_id}/members', $in);
ask('200', $admin, "GET $fed/peers");
ask('200', $admin, "POST $fed/peers/{server}/retry", { server => $b->name });
ask('404 SW_NOT_FOUND', $admin, "POST $fed/peers/{server}/retry",
    { server => 'c.example' });
ask('200', $admin, "POST $fed/foreign/{participant_id}/refresh",
    { participant_id => $b->fqid('zed') });
ask('404 SW_PARTICIPANT_NOT_FOUND', $admin,
    "POST $fed/foreign/{participant_id}/refresh",
    { participant_id => $b->fqid('yan') });

# one that isn't there
my $away = '127.0.0.1:' . free_port();

ask('200', $admin, "PUT $fed/policy", {},
    { allowed_peers => [$b->name, $away], default_mode => 'open' });
ask('200', 'ada', $invitations, $in, { fqid => "\@yan:$away" });
ask('502 SW_FED_PEER_UNREACHABLE', $admin,
    "POST $fed/foreign/{participant_id}/refresh",
    { participant_id => "\@yan:$away" });

# a room of theirs
my $theirs = 'room-01111111111111111111111111';
my $bea = $b->fqid('bea');

ask('200', $b, $send, {}, { events => [$b->signed($b->event(
    $theirs, 'bea', 'member',
    { fqid => '@ada:a.example', membership => 'invite' },
    room => $b->room('Theirs', creator => $bea),
    members => [RoomsTest::Stranger::member('@ada:a.example', 'invite'),
                RoomsTest::Stranger::member($bea, 'join', 100)]))] });
ask('200', 'ada', $get, { room_id => $theirs });
ask('200', 'ada', 'GET /v1/sync', {}, undef, query => '?limit=500');
ask('200', $admin, 'POST /v1/admin/rooms/{room_id}/federation/backfill',
    { room_id => $theirs }, { limit => 10 });

# Bounds of arguments
for my $name (grep { /^GET/ && !/archived/ && !$op{$_}{responses}{101} }
              sort keys %op)
{
    my $who = $name =~ /_scaiwave/ ? $b : $name =~ /admin/ ? $admin : 'ada';
    my $in = { room_id => ref $who ? $public : $room, workspace_id => $ws,
               media_id => $medium };

    for my $said (map { resolve($doc, $_) } @{$op{$name}{parameters} // []}) {
        my $schema = resolve($doc, $said->{schema});
        my @no = $schema->{enum} ? 'x' : ();
        my @yes = @{ $schema->{enum} // [] };

        next if $said->{in} ne 'query';

        if ($schema->{type} eq 'integer') {
            @yes = @$schema{qw(minimum maximum)};
            @no = ($yes[0] - 1, $yes[1] + 1, 'x');

            # a position to come
            pop @yes if $said->{name} eq 'since';
        }

        ask('200', $who, $name, $in, undef, query => "?$said->{name}=$_")
            for @yes;
        ask('400 SW_VALIDATION_FAILED', $who, $name, $in, undef,
            query => "?$said->{name}=$_") for @no;
    }
}

# Somebody goes
my $gone = { participant_id => 'gone' };
my $participants = '/v1/admin/participants/{participant_id}';

ask('200', 'gone', 'POST /v1/auth/register');
ask('409 SW_PARTICIPANT_ACTIVE', $admin, "POST $participants/erase", $gone);
ask('200', $admin, "POST $participants/deactivate", $gone);
ask('403 SW_PARTICIPANT_DEACTIVATED', 'gone', 'POST /v1/auth/register');
ask('200', $admin, "POST $participants/reactivate", $gone);
ask('200', $admin, "POST $participants/deactivate", $gone);
ask('202', $admin, "POST $participants/erase", $gone);
ask('200', $admin, "GET $participants/erasure", $gone);

# The store is away
redis_pause();
ask('503 SW_STORE_UNAVAILABLE', 'ada', 'GET /v1/workspaces');
redis_resume();

# Tokens, tenants that are registered, small bundles
my $secret_text = 'a secret of thirty-two bytes, at least';

RoomsTest::Signer::write_file("$dir/secret", $secret_text);
redis('HSET', 'sw:{acme}:tenant', 'registered', 1);
run_nginx(<<"END");
        rooms on;
        rooms_auth hybrid;
        rooms_auth_secret_file $dir/secret;
        rooms_tenants strict;
        rooms_import_limits unpacked=1k;
        rooms_redis redis://\$TEST_NGINX_REDIS/0;
END

ask('200', hs256($secret_text), 'POST /v1/auth/register');
ask('401 SW_AUTH_EXPIRED_TOKEN', hs256($secret_text, exp => time - 3600),
    'POST /v1/auth/register');
ask('404 SW_TENANT_NOT_FOUND', 'mock:eve@globex', 'GET /v1/sync');
import_of('413 SW_BUNDLE_TOO_LARGE', $zip);
import_of('400 SW_ROOM_IMPORT_REFUSED',
          bundle(manifest(room => { room_type => 'incognito' },
                          events => [])));

# a WebSocket is no answer that http_req() could read (t/62-websocket.t)
ask('426 SW_UPGRADE_REQUIRED', 'ada', 'GET /v1/stream');

is_deeply([grep { !$op{$_}{responses}{101}
                  && !grep { /^2/ } keys %{$asked{$_} // {}} } sort keys %op],
          [], 'each endpoint has answered well at least once');

done_testing();
