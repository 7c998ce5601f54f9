package RoomsTest::Blocks;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# Sections of blocks beyond those of Test::Nginx::Socket, made with its public
# hooks:
#
#     --- capture                    no test; saves what it finds
#     room: "id":"([^"]+)"           first group of a regex on the body
#     id: json data.id               the value at a path of the JSON body
#     etag: header ETag              the value of a header (one test)
#
#     --- json                       one test, see RoomsTest::JSON
#     data.id = "{{room}}"
#
#     --- calls                      a table that replaces request, more_headers,
#                                    error_code and json: who sends which request
#     ann PUT /v1/rooms/{{room}}/name {"name": "x"} -> 200
#         data.name = x              a line of --- json
#         > If-Match: {{etag}}       a header of the request
#         < ETag: {{etag}}           one of the response ("< ! ETag": none)
#         save etag: header ETag     a line of --- capture
#         ~ "name":"x"               a regex that the body matches (one test)
#     bob! DELETE /v1/rooms/{{room}} -> 403 SW_ROOM_FORBIDDEN
#
# A call ends with its "->" and may take several lines.  "-> 201 x50" repeats
# the call fifty times, "ann,bob GET" makes a call by each, and
# "limit=<0|x|201>" one for each value; the lines below it apply to all of
# them.  The caller is a participant of acme or of another tenant (ann@east),
# an administrator (ann!), nobody (-), or another server, whose signature
# signs() defines.  An error's code, and the field that its details name,
# follow the status.  Every answer must have X-Request-Id, and must be JSON if
# it may have a body.
#
#     --- pages                      one test a line: reads all pages of a list
#     ann /v1/x?limit=<1|7>          and checks all rows together with a line of
#         $[*].id = ["{{a}}"]        --- json
#
#     --- store                      one test a line, after the last response:
#     ZCARD sw:{acme}:public = 1     Redis's reply to a command (an array with
#     GET sw:{acme}:x null           spaces between; "~": matches)
#     GET sw:{acme}:position -> now  no test: saves the reply
#
#     --- verify_room                one test a line: data that the store keeps
#     {{room}}                       twice of that room of acme must agree
#
# {{name}} is replaced, just before the block runs, by a value that an earlier
# block has saved (needs no_shuffle), or save(); code given to save() runs
# then, for tokens that expire.  Sections with expectations can also use values
# from earlier requests of the same block, and json and error_log those of the
# same request.  In regexes of sections the value matches literally.
# {{uc:name}} is in capitals, {{x*128}} is 128 times x, and {{\xff\x0a}} these
# two bytes.  A block without a config section gets default_config().  An alert
# in the error log fails the block, unless its error_log section expects it.

use strict;
use warnings;

use Digest::MD5 ();
use Exporter 'import';
use File::Temp ();
use JSON::PP ();
use Test::More ();
use Text::ParseWords qw(shellwords);

use RoomsTest::JSON ();
use RoomsTest::Redis ();
use RoomsTest::Secrets qw(secrets_in secrets_sent);

our @EXPORT_OK = qw(as default_config failure save saved sent signs);

my @sent = qw(config http_config main_config request raw_request
              pipelined_requests more_headers user_files init);
my @plain = qw(response_body response_headers json error_log no_error_log
               grep_error_log_out error_code store pages verify_room);
my @regex = qw(body_match response_body_like response_body_unlike response_headers_like
               raw_response_headers_like raw_response_headers_unlike
               grep_error_log error_code_like);

my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my (%saved, %original, %signs, $saved_more);
my ($registered, $media);

my $default_config = <<'END';
        rooms on;
        rooms_auth mock;
        rooms_redis redis://$TEST_NGINX_REDIS/0;
END

sub default_config {
    $default_config = shift if @_;
    return $default_config;
}

sub save {
    my %new = @_;

    @saved{keys %new} = values %new;
}

sub saved {
    my ($name) = @_;

    return ref $saved{$name} ? $saved{$name}->() : $saved{$name};
}

# signs($who => $code, ...): defines a caller for "--- calls".  Just before the
# block runs, the code gets the method, the target and the body; it returns the
# body to send and the headers.
sub signs {
    my %new = @_;

    @signs{keys %new} = values %new;
}

# For sections with "eval", for a list of several requests.

# The request: sent(POST => '/v1/rooms', { name => 'x' })
sub sent {
    my ($method, $path, $body) = @_;

    $body = $json->encode($body) if ref $body;

    return "$method $path" . (defined $body ? "\n$body" : '');
}

# The Authorization header of a participant of acme, or of "ann\@east"; "ann!"
# is an administrator.
sub as {
    my @headers = map {
        my ($who, $admin) = /^(.*?)(!?)$/;

        "Authorization: Bearer mock:$who" . ($who =~ /\@/ ? '' : '@acme')
            . ($admin ? ':admin' : '');
    } @_;

    return wantarray ? @headers : $headers[0];
}

# Lines of "--- json" for an error and the field that its details name.
sub failure {
    my ($code, $field) = @_;

    return "error.code = $code\nerror.message ~ .\n"
           . "error.request_id ~ ^[0-9a-f]{32}\$\n"
           . (defined $field ? "error.details[0].field = $field\n" : '')
           . (defined $field && $code eq 'SW_VALIDATION_FAILED'
              ? "error.message ~ ^the request is not valid: \Q$field\E: \n"
              : '');
}

sub register {
    return if $registered || !$INC{'Test/Nginx/Socket.pm'};

    my ($preprocessor, $check, $cleanup) =
        map { Test::Nginx::Socket->can($_) or return }
            qw(add_block_preprocessor add_response_body_check
               add_test_cleanup_handler);

    $registered = 1;

    # "debug", the default, is hundreds of lines a request
    Test::Nginx::Util::log_level('info') if !$ENV{TEST_NGINX_LOG_LEVEL};

    $preprocessor->(\&before_block);
    $check->(\&after_response);
    $cleanup->(\&no_alarm);
}

# The file that is read, and the offset.
my ($log, $read) = ('', 0);

sub no_alarm {
    my ($block) = @_;

    open my $in, '<', "$ENV{TEST_NGINX_SERVROOT}/logs/error.log" or return;

    my $inode = (stat $in)[1];

    ($log, $read) = ($inode, 0) if $log ne $inode || $read > -s $in;

    seek $in, $read, 0;

    my @lines = <$in>;
    my @bad = grep { /\[(?:alert|crit|emerg)\]/ } @lines;
    my @secrets = secrets_in(@lines);

    $read = tell $in;

    if (@secrets) {
        Test::More::fail($block->name . ' - no secret in the log');
        Test::More::diag(@secrets);
    }

    return if !@bad || defined $block->must_die
              || grep { /\[(?:alert|crit|emerg)/ } as_list($block->error_log);

    Test::More::fail($block->name . ' - no alarm in the log');
    Test::More::diag(@bad);
}

sub as_list { return map { ref eq 'ARRAY' ? @$_ : $_ // () } @_ }

sub before_block {
    my ($block) = @_;

    $block->set_value(config => $default_config)
        if !defined $block->config;

    # the default is a system folder, which suites must not use
    $block->set_value(http_config => media_path() . ($block->http_config // ''))
        if $ENV{TEST_NGINX_LOAD_MODULES}
           && ($block->http_config // '') !~ /rooms_media_path/;

    expand_calls($block);
    capture_headers($block);
    fill_in($block, 0, @sent);
    fill_in_answers($block);
    secrets_sent(grep { !ref } map { as_list($block->$_) }
                               qw(request more_headers));
    mark_config($block);
    show_files($block);
}

# Test::Nginx restarts NGINX where the config section is another one.  What
# else the configuration is made of has to make it another one, too; and so
# have must_die, for which NGINX is to start in any case, and grep_error_log,
# which looks at all that NGINX has said since.
sub mark_config {
    my ($block) = @_;
    my @rest = (as_list($block->main_config, $block->http_config),
                defined $block->must_die || defined $block->grep_error_log
                ? $block->name : '',
                $block->config =~ /\binclude\b/
                ? as_list($block->user_files) : '');

    utf8::encode($_) for @rest;

    $block->set_value(config => $block->config =~ s/\n +# [0-9a-f]{32}\n\z//r
                                . "\n        # "
                                . Digest::MD5::md5_hex(join "\0", @rest)
                                . "\n");
}

# Test::Nginx writes user_files where it starts NGINX only, and then takes away
# what was there.
my ($with_files, @shown);

sub show_files {
    my ($block) = @_;
    my @files = map { />>> (\S+)/g } as_list($block->user_files);

    return if !@files && !@shown;

    $with_files = $block;
    $block->set_value(init => join '', 'RoomsTest::Blocks::write_files(qw(',
                      join(' ', @shown), ')); ', $block->init // '');
    @shown = @files;
}

sub write_files {
    unlink map { "$ENV{TEST_NGINX_SERVER_ROOT}/html/$_" } @_;

    # the function of the distribution; our runner has written them
    &Test::Nginx::Util::write_user_files($with_files, {});
}

sub expand_calls {
    my ($block) = @_;
    my $name = $block->name;
    my (@calls, $call);

    return if !defined $block->calls;

    for my $line (whole_calls($name, lines($block->calls))) {

        if ($line !~ s/^\s+//) {
            my ($who, $method, $target, $body, $status, $code, $field, $n) =
                $line =~ /^(\S+)\ +([A-Z]+)\ +(\S+)(?:\ +(.*?))?\ +->
                          \ +(\d+)(?:\ +(SW_\w+)(?:\ +(?!x\d)(\S+))?)?
                          (?:\ +x(\d+))?\s*$/x
                or die "$name - not a call: $line\n";

            # the lines below a line apply to all of its calls
            $call = {
                status  => $status,
                shown   => [],
                sent    => [],
                capture => [],
                json    => [$method eq 'HEAD' || $status =~ /204|304/ ? ()
                            : defined $code ? failure($code, $field)
                            : $status >= 400 ? 'error ?' : 'data ?'],
            };
            my @requests = alternatives("$method $target"
                                        . ($body ? "\n$body" : ''));

            for my $one (split /,/, $who) {
                push @calls, map +{ of => $call, asked($one, $_) },
                                 (@requests) x ($n // 1);
            }

        } elsif ($line =~ s/^>\s*//) {
            push @{$call->{sent}}, $line;

        } elsif ($line =~ s/^<\s*//) {
            push @{$call->{shown}}, $line;

        } elsif ($line =~ s/^~\s*//) {
            $call->{like} = $line;

        } elsif ($line =~ s/^save\s+//) {
            push @{$call->{capture}}, $line;

        } else {
            push @{$call->{json}}, $line;
        }
    }

    my %sections = (
        request          => [map { $_->{request} } @calls],
        error_code       => [map { $_->{of}{status} } @calls],
        more_headers     => [map { join "\n", @{$_->{who}}, @{$_->{of}{sent}} }
                                 @calls],
        response_headers => [map { join "\n", @{$_->{of}{shown}} } @calls],
        capture          => [map { join "\n", @{$_->{of}{capture}} } @calls],
        body_match       => [map { $_->{of}{like} } @calls],
        json             => [map { @{$_->{of}{json}}
                                   ? join "\n", @{$_->{of}{json}} : undef }
                                 @calls],
    );

    for my $section (sort keys %sections) {
        my $values = $sections{$section};

        next if $section !~ /request|error_code/
                && !grep { defined && $_ ne '' } @$values;

        $block->set_value($section => @calls == 1 ? $values->[0] : $values);
    }
}

# Joins the lines of each call.
sub whole_calls {
    my ($name, @lines) = @_;
    my @whole;

    while (@lines) {
        my $line = shift @lines;

        while ($line =~ /^\S/ && $line !~ /\s->\s+\d/) {
            die "$name - not a call: $line\n" if !@lines;

            $line .= ' ' . shift(@lines) =~ s/^\s+//r;
        }

        push @whole, $line;
    }

    return @whole;
}

# A request, and the header lines of its caller.
sub asked {
    my ($who, $request) = @_;

    return (request => $request, who => $who eq '-' ? [] : [as($who)])
        if !$signs{$who};

    # values must be replaced before signing
    my ($line, $body) = split /\n/, replaced($request, 0), 2;

    ($body, my %headers) = $signs{$who}->(split(/ /, $line), $body);

    return (request => join("\n", $line, $body // ()),
            who => [map { "$_: $headers{$_}" } sort keys %headers]);
}

# "a<1|2>" is "a1" and "a2".
sub alternatives {
    my ($text) = @_;

    return $text if $text !~ /\A(.*?)<([^<>]*\|[^<>]*)>(.*)\z/s;

    my ($before, $choices, $after) = ($1, $2, $3);

    return map { alternatives("$before$_$after") }
           split /\|/, $choices, -1;
}

# The hooks don't pass headers, so a regex on the raw headers saves the value.
sub capture_headers {
    my ($block) = @_;
    my $spec = $block->capture;

    my $calls = $block->calls;

    return if defined $block->raw_response_headers_like
              || !defined $calls && !defined $spec;

    $spec //= ref $block->request ? [map { '' } @{$block->request}] : '';

    my @regex = map {
        my $regex = defined $calls
                        ? qr/\A(?=.*^X-Request-Id:[ ][0-9a-f]{32}\r\n)/ms
                        : qr/\A/;

        for my $line (lines($_)) {
            my ($key, $name) = $line =~ /^\s*(\w+)\s*:\s*header\s+(\S+)/ or next;

            $regex = qr/$regex(?=.*?^\Q$name\E:[ ]*([^\r\n]*)
                                (?{ $saved{$key} = $^N; $saved_more = 1 }))/xms;
        }

        $regex;
    } ref $spec ? @$spec : $spec;

    $block->set_value(raw_response_headers_like =>
                      ref $spec ? \@regex : $regex[0])
        if defined $calls
           || grep { /:\s*header\s/ } ref $spec ? @$spec : $spec;
}

sub media_path {
    $media //= File::Temp->newdir('rooms-media-XXXXXXXX', TMPDIR => 1);

    return "    rooms_media_path $media;\n";
}

sub after_response {
    my ($block, $body, $i, $repeat, $dry_run) = @_;
    my $name = $block->name;

    if (defined $block->capture && !$dry_run) {
        capture($name, element(scalar $block->capture, $i), $body);
        fill_in_answers($block) if $saved_more;
    }

    my $spec = element(scalar $block->json, $i);

    test($dry_run, sub {
        RoomsTest::JSON::json_like($body, $spec, $_[0]);
    }, "$name - json (req $i)") if defined $spec;

    my $regex = element(scalar $block->body_match, $i);

    test($dry_run, sub { Test::More::like($body, qr/$regex/s, $_[0]) },
         "$name - the body matches (req $i)") if defined $regex;

    return if ref $block->request eq 'ARRAY' && $i < $#{$block->request};

    for my $line (lines($block->store)) {
        $line =~ m{\s->\s} ? store_like($name, $line)
        : test($dry_run, \&store_like, "$name - $line", $line);
    }

    for my $line (unfolded($block->pages)) {
        test($dry_run, \&pages_like, "$name - pages: $line", $line);
    }

    for my $room (lines($block->verify_room)) {
        require RoomsTest::Calls;
        test($dry_run, sub { RoomsTest::Calls::verify_room($room, $_[0]) },
             "$name - the store agrees with itself about $room");
    }
}

sub test {
    my ($dry_run, $code, $name, @args) = @_;

    return $code->($name, @args) if !$dry_run;

    SKIP: { Test::More::skip("$name - $dry_run", 1) }
}

sub lines {
    my ($text) = @_;

    return grep { /\S/ } split /\n/, $text // '';
}

# A line that starts with spaces continues the previous one.
sub unfolded {
    my ($text) = @_;

    return map { alternatives($_) }
           lines(($text // '') =~ s/\n[ \t]+(?=\S)/ /gr);
}

sub pages_like {
    my ($name, $line) = @_;

    my ($who, $target, $spec) = $line =~ /^(\S+)\s+(\S+)\s+(\S.*)/
        or die "$name - not understood\n";
    my ($token) = as($who) =~ /Bearer (.*)/;
    my $next = $target =~ m{/messages\b} ? 'from' : 'cursor';
    my $sign = $target =~ /\?/ ? '&' : '?';
    my ($cursor, @rows);

    require RoomsTest::HTTP;

    for (1 .. 1000) {
        my $res = RoomsTest::HTTP::http_req('GET', $target
            . (defined $cursor ? "$sign$next=$cursor" : ''), $token);
        my $page = eval { $json->decode($res->[2]) } // {};

        return Test::More::is("$res->[0] $res->[2]", '200', $name)
            if ref $page->{data} ne 'ARRAY';

        push @rows, @{$page->{data}};
        $cursor = $page->{meta}{next_cursor};

        return RoomsTest::JSON::json_like($json->encode(\@rows), $spec, $name)
            if !$page->{meta}{has_more};
    }

    return Test::More::fail("$name - no end");
}

sub store_like {
    my ($name, $line) = @_;

    my ($command, $op, $want) =
        $line =~ /^\s*(.*)\s(=|~|->)(?:\s+(.*?))?\s*$/ ? ($1, $2, $3)
        : $line =~ /^\s*(.*)\snull\s*$/ ? ($1)
        : die "$name - not understood\n";
    my @command = shellwords($command)
        or die "$name - bad quotes: $command\n";
    my $got = eval { RoomsTest::Redis::redis(@command) };

    $want //= '';

    $got = "error: $@" if $@;
    $got = join ' ', map { $_ // 'null' } @$got if ref $got;

    return Test::More::is($got, undef, $name) if !defined $op;
    return save($want => $got) if $op eq '->';
    return Test::More::is($got, $want, $name) if $op eq '=';
    return Test::More::like($got // '', qr/$want/, $name);
}

# A string applies to each request of the block.
sub element {
    my ($value, $i) = @_;

    return ref $value eq 'ARRAY' ? $value->[$i] : $value;
}

sub capture {
    my ($name, $spec, $body) = @_;

    return if !defined $spec;

    for my $line (split /\n/, $spec) {
        next if $line !~ /\S/;

        my ($key, $regex) = $line =~ /^\s*(\w+)\s*:\s*(.*?)\s*$/
            or die "$name - bad capture line: $line\n";
        my $value;

        next if $regex =~ /^header\s/;

        if ($regex =~ /^json\s+(\S.*)/) {
            $value = eval { RoomsTest::JSON::json_get($body, $1) };
            $value = $json->encode($value) if ref $value;

        } elsif ($body =~ /$regex/) {
            $value = defined $1 ? $1 : $&;
        }

        $saved_more = 1;

        if (defined $value) {
            $saved{$key} = $value;

        } else {
            delete $saved{$key};
            Test::More::diag("$name - nothing to capture for $key in: $body");
        }
    }
}

sub fill_in_answers {
    my ($block) = @_;

    fill_in($block, 0, @plain);
    fill_in($block, 1, @regex);
    $saved_more = 0;
}

# Always starts with the text from the file, so that a repeated block gets the
# values of its own run.
sub fill_in {
    my ($block, $quote, @sections) = @_;
    my $original = $original{$block} ||= {};

    for my $section (@sections) {
        $original->{$section} = $block->$section
            if !exists $original->{$section};

        next if !defined $original->{$section};

        $block->set_value($section =>
                          scalar replaced($original->{$section}, $quote));
    }
}

# Leaves names without a saved value unchanged.
sub replaced {
    my ($value, $quote) = @_;

    if (ref $value eq 'ARRAY') {
        return [map { replaced($_, $quote) } @$value];
    }

    if (ref $value eq 'HASH') {
        return { map { $_ => replaced($value->{$_}, $quote) } keys %$value };
    }

    if (ref $value eq 'Regexp') {
        my $text = "$value";

        # In a regex, write literal braces as \{\{name}}.
        return $value if $text !~ s/\\?\{\\?\{(\w+)\}\}/{{$1}}/g;

        $text = replaced($text, 1);

        return qr/$text/;
    }

    return $value if ref $value || !defined $value;

    $value =~ s/\{\{((?:\\x[0-9a-f]{2})+)\}\}/
                my $bytes = pack 'H*', $1 =~ s{\\x}{}gr;
                $quote ? quotemeta $bytes : $bytes/gex;

    $value =~ s/\{\{([^{}*]+)\*(\d+)\}\}/$1 x $2/ge;

    $value =~ s/\{\{uc:(\w+)\}\}/uc(saved($1) \/\/ "{{uc:$1}}")/gex;

    $value =~ s/\{\{(\w+)\}\}/
                !defined $saved{$1} ? "{{$1}}"
                : $quote ? quotemeta saved($1) : saved($1)/gex;

    return $value;
}

1;
