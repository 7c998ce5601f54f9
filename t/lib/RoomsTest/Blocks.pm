package RoomsTest::Blocks;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# Sections of blocks beyond those of Test::Nginx::Socket, made with its public
# hooks:
#
#     --- capture                    no test; what is found is saved
#     room: "id":"([^"]+)"           first group of a regex on the body
#     id: json data.id               the value at a path of the JSON body
#     etag: header ETag              the value of a header (one test)
#
#     --- json                       one test, see RoomsTest::JSON
#     data.id = "{{room}}"
#
#     --- calls                      a table in place of request, more_headers,
#                                    error_code and json: who asks for what
#     ann PUT /v1/rooms/{{room}}/name {"name": "x"} -> 200
#         data.name = x              a line of --- json
#         > If-Match: {{etag}}       a header of the request
#         < ETag: {{etag}}           one of the response ("< ! ETag": none)
#         save etag: header ETag     a line of --- capture
#         ~ "name":"x"               a regex that the body matches (one test)
#     bob! DELETE /v1/rooms/{{room}} -> 403 SW_ROOM_FORBIDDEN
#
# A call goes on until its "->", over several lines if it is long.
# "-> 201 x50" is that call fifty times, "ann,bob GET" is a call of each, and
# "limit=<0|x|201>" one for each of these; the lines below are for all of them.
# Who asks is a participant of acme, or of another tenant (ann@east), an
# administrator (ann!), nobody (-), or another server, if the suite has said by
# signs() how that signs.  Behind the status stand an error's code
# and the field that its details name.  Every answer has to have X-Request-Id,
# and to be JSON where one may have a body.
#
#     --- pages                      one test a line: all rows of a list, asked
#     ann /v1/x?limit=<1|7>          for page by page, are as a line of --- json
#         $[*].id = ["{{a}}"]        says
#
#     --- store                      one test a line, after the last response:
#     ZCARD sw:{acme}:public = 1     what Redis answers to a command (an array
#     GET sw:{acme}:x null           with blanks between; "~": matches)
#     GET sw:{acme}:position -> now  no test: is saved
#
#     --- verify_room                one test a line: whatever the store keeps
#     {{room}}                       twice of that room of acme says the same
#
# {{name}} is replaced with what was saved by an earlier block (no_shuffle)
# or with save(), just before the block runs (what code saves is made then,
# for tokens that expire); in the sections that tell what
# is expected also when an earlier request of the same block saved it (or,
# for json and what the log is to have, the same request).  In the regexes of
# sections it matches literally.  {{uc:name}} is in capitals, {{x*128}} is as many x, and {{\xff\x0a}}
# these two bytes.  A block without a config
# section gets default_config().  An alarm in the error log fails the block,
# unless its error_log section asks for one.

use strict;
use warnings;

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

# signs($who => $code, ...): who asks for something in "--- calls".  The code
# gets the method, the target and the body, just before the block runs; it
# gives the body that is sent, and the headers.
sub signs {
    my %new = @_;

    @signs{keys %new} = values %new;
}

# For sections with "eval", where several requests stand in a list.

# The request: sent(POST => '/v1/rooms', { name => 'x' })
sub sent {
    my ($method, $path, $body) = @_;

    $body = $json->encode($body) if ref $body;

    return "$method $path" . (defined $body ? "\n$body" : '');
}

# The header of participants of acme, or of "ann\@east"; "ann!" administrates.
sub as {
    my @headers = map {
        my ($who, $admin) = /^(.*?)(!?)$/;

        "Authorization: Bearer mock:$who" . ($who =~ /\@/ ? '' : '@acme')
            . ($admin ? ':admin' : '');
    } @_;

    return wantarray ? @headers : $headers[0];
}

# The lines of "--- json" for an error, and for the field that it names.
sub failure {
    my ($code, $field) = @_;

    return "error.code = $code\nerror.message ~ .\n"
           . "error.request_id ~ ^[0-9a-f]{32}\$\n"
           . (defined $field ? "error.details[0].field = $field\n" : '');
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

# The file that is read, and how far.
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

    # the default is a folder of this machine, which suites leave alone
    $block->set_value(http_config => media_path() . ($block->http_config // ''))
        if $ENV{TEST_NGINX_LOAD_MODULES}
           && ($block->http_config // '') !~ /rooms_media_path/;

    expand_calls($block);
    capture_headers($block);
    fill_in($block, 0, @sent);
    fill_in_answers($block);
    secrets_sent(grep { !ref } map { as_list($block->$_) }
                               qw(request more_headers));
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

            # what is below a line is for all of its calls
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

# A request, and the lines by which it says who asks.
sub asked {
    my ($who, $request) = @_;

    return (request => $request, who => $who eq '-' ? [] : [as($who)])
        if !$signs{$who};

    # what is signed has to be known
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

# The hooks don't show headers: a regex that looks at them saves what it finds.
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

# A line that begins with blanks goes on with the one before.
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

# A string is for each request of the block.
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

# Always from the text in the file, so that a repeated block gets the values
# of its own run.
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

# What has not been saved stays as it is.
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

        # The braces are best written as \{\{name}} in a regex.
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
