package Test::Nginx::Runner::Checks;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# The sections that are tests.  Tests are counted as in the CPAN distribution,
# so that one plan fits both.

use strict;
use warnings;

use JSON::PP ();
use Test::More ();
use Time::HiRes qw(sleep time);

use Test::Nginx::Runner::Client ();
use Test::Nginx::Util qw(bail_out expand_env_in_text parse_headers);

our @ResponseBodyChecks;

# The offset in the error log where the next check starts.
our $LogPos = 0;

# The value of a section for request number $i.
sub value {
    my ($block, $section, $i, $need_array) = @_;
    my $value = $block->$section;

    if (ref $value eq 'ARRAY') {
        return $value->[$i];
    }

    bail_out($block->name . " - several requests, so $section is to be an"
             . ' array') if $need_array;

    return $value;
}

sub server_ports {
    my ($text) = @_;

    return $text if !defined $text || ref $text;

    $text =~ s/\$ServerPort\b/$Test::Nginx::Util::ServerPort/g;
    $text =~ s/\$ServerPortForClient\b
              /$Test::Nginx::Util::ServerPortForClient/gx;

    return $text;
}

sub check_response {
    my ($block, $res, $i, $repeat, $need_array) = @_;

    check_code($block, $res, $i, $need_array);
    check_raw_headers($block, $res, $i, $need_array);
    check_headers($block, $res, $i, $need_array);
    filter_body($block, $res, $i);
    check_body($block, $res, $i, $repeat, $need_array);

    $_->($block, $res->{content}, $i, $repeat, 0) for @ResponseBodyChecks;
}

sub check_code {
    my ($block, $res, $i, $need_array) = @_;

    my $test = $block->name . ' - status code ok';
    my $code = $res->{code} || '';

    if (defined $block->error_code_like) {
        my $like = value($block, 'error_code_like', $i, $need_array);

        Test::More::like($code, qr/$like/sm, $test);

    } elsif (defined $block->error_code) {
        Test::More::is($code, value($block, 'error_code', $i, $need_array),
                       $test);

    } else {
        Test::More::is($code, 200, $test);
    }
}

sub check_raw_headers {
    my ($block, $res, $i, $need_array) = @_;
    my $name = $block->name;

    if (defined $block->raw_response_headers_like) {
        my $re = value($block, 'raw_response_headers_like', $i, $need_array);

        Test::More::like($res->{raw_headers}, qr/$re/s,
                         "$name - raw response headers match");
    }

    if (defined $block->raw_response_headers_unlike) {
        my $re = value($block, 'raw_response_headers_unlike', $i,
                       $need_array);

        Test::More::unlike($res->{raw_headers}, qr/$re/s,
                           "$name - raw response headers do not match");
    }
}

# One test for each field; the last line of a repeated name counts.
sub check_headers {
    my ($block, $res, $i, $need_array) = @_;
    my $name = $block->name;

    if (defined $block->response_headers) {
        my $want = parse_headers(value($block, 'response_headers', $i,
                                       $need_array));

        for my $key (sort keys %$want) {
            my $value = server_ports($want->{$key});

            if (!defined $value) {
                Test::More::unlike($res->{raw_headers},
                                   qr/^\s*\Q$key\E\s*:/m,
                                   "$name - no header $key");
                next;
            }

            my $got = Test::Nginx::Runner::Client::header($res, $key);

            Test::More::is($got // '', $value, "$name - header $key");
        }

    } elsif (defined $block->response_headers_like) {
        my $want = parse_headers(value($block, 'response_headers_like', $i,
                                       $need_array));

        for my $key (sort keys %$want) {
            my $got = Test::Nginx::Runner::Client::header($res, $key);

            Test::More::like($got // '', qr/^$want->{$key}$/,
                             "$name - header $key matches");
        }
    }
}

my %filters = (
    uc       => sub { uc $_[0] },
    lc       => sub { lc $_[0] },
    ucfirst  => sub { ucfirst $_[0] },
    lcfirst  => sub { lcfirst $_[0] },
    length   => sub { length $_[0] },
    md5_hex  => sub { require Digest::MD5; Digest::MD5::md5_hex($_[0]) },
    sha1_hex => sub { require Digest::SHA; Digest::SHA::sha1_hex($_[0]) },
);

sub filter_body {
    my ($block, $res, $i) = @_;
    my $list = $block->response_body_filters;

    return if !defined $list;

    $list = [split ' ', $list] if !ref $list;
    $list = [$list] if ref $list ne 'ARRAY';
    $list = $list->[$i] if ref $list->[0] eq 'ARRAY';

    for my $filter (@$list) {
        my $code = ref $filter ? $filter : $filters{$filter};

        bail_out($block->name . " - no body filter $filter") if !$code;
        $res->{content} = $code->($res->{content});
    }
}

sub check_body {
    my ($block, $res, $i, $repeat, $need_array) = @_;
    my $name = $block->name;
    my $content = $res->{content};
    my $at = "(repeated req $repeat, req $i)";

    if (defined $block->response_body) {
        my $want = value($block, 'response_body', $i, $need_array);

        $content = sorted_json($content)
            if defined $block->response_body_json_sort;

        if (ref $want) {
            Test::More::like($content, $want, "$name - response_body $at");

        } else {
            $want = expand_env_in_text(server_ports($want), $name);
            Test::Base::is($content, $want, "$name - response_body $at");
        }

        return;
    }

    for my $section (qw(response_body_like response_body_unlike)) {
        next if !defined $block->$section;

        my $re = server_ports(value($block, $section, $i, $need_array));
        my $check = $section eq 'response_body_like'
                        ? \&Test::More::like : \&Test::More::unlike;

        $check->($content, qr/$re/s, "$name - $section $at");

        return;
    }
}

sub sorted_json {
    my ($text) = @_;
    my $json = JSON::PP->new->canonical(1)->loose(1);
    my $value = eval { $json->decode($text) };

    return $@ ? $text : $json->encode($value) . "\n";
}

# The list of patterns of a log section: lines, a regex or an array.
sub patterns {
    my ($value) = @_;

    return () if !defined $value;
    return grep { defined } @$value if ref $value eq 'ARRAY';
    return ($value) if ref $value;
    return grep { $_ ne '' } split /\n+/, $value;
}

sub found {
    my ($pattern, $lines) = @_;
    my $re = ref $pattern ? $pattern : qr/\Q$pattern\E/;

    return grep { $_ =~ $re } @$lines;
}

sub log_size { return -s $Test::Nginx::Util::ErrLogFile || 0 }

sub read_log {
    my ($file, $pos) = @_;

    open my $in, '<', $file or return ([], $pos);
    seek $in, $pos, 0;

    my @lines = <$in>;

    return (\@lines, tell $in);
}

sub grep_log {
    my ($pattern, $lines) = @_;
    my $re = ref $pattern ? $pattern : qr/\Q$pattern\E/;
    my $out = '';

    for my $line (@$lines) {
        next if $line !~ $re;

        my $match = substr $line, $-[0], $+[0] - $-[0];

        $out .= "$match\n" if $match !~ /\n/;
    }

    return $out;
}

sub check_error_log {
    my ($block, $repeat) = @_;

    my $name = $block->name;
    my @want = patterns($block->error_log);
    my @reject = patterns($block->no_error_log);
    my ($grep, $grep_out) = map { my $v = $block->$_;
                                  ref $v eq 'ARRAY' ? $v->[$repeat] : $v }
                                qw(grep_error_log grep_error_log_out);

    bail_out("$name - grep_error_log and grep_error_log_out go together")
        if defined $block->grep_error_log
           != defined $block->grep_error_log_out;

    $grep_out = expand_env_in_text($grep_out, $name);

    # Expected lines may be a moment late; also wait a moment for unwanted
    # ones.
    my $now = time();
    my $slow = $Test::Nginx::Util::UseValgrind ? 10 : 1;
    my $until = $now + $slow * (@want || defined $grep ? 0.4 : 0);
    my $settled = $now + $slow * (@reject ? 0.02 : 0);
    my ($lines, $pos, $out);

    while (1) {
        ($lines, $pos) = read_log($Test::Nginx::Util::ErrLogFile, $LogPos);
        $out = grep_log($grep, $lines) if defined $grep;
        $now = time();

        my $done = !grep({ !found($_, $lines) } @want)
                   && (!defined $grep
                       || (ref $grep_out ? $out =~ $grep_out
                                         : $out eq $grep_out));

        last if $now >= $settled && ($done || $now >= $until);

        sleep 0.005;
    }

    $LogPos = $pos if !$Test::Nginx::Util::CheckAccumErrLog;

    if (defined $grep) {
        my $test = "$name - grep_error_log_out (req $repeat)";

        if (ref $grep_out) {
            Test::More::like($out, $grep_out, $test);

        } else {
            Test::Base::is($out, $grep_out, $test);
        }
    }

    log_tests($name, 'error_log', \@want, \@reject, $lines, $repeat);
    check_alarms($name, \@want, \@reject, $lines);
}

# One test for each pattern.
sub log_tests {
    my ($name, $what, $want, $reject, $lines, $repeat) = @_;

    for my $pattern (@$want) {
        Test::More::ok(scalar(found($pattern, $lines)),
                       "$name - $what has \"$pattern\" (req $repeat)");
    }

    for my $pattern (@$reject) {
        my @bad = found($pattern, $lines);

        Test::More::ok(!@bad,
                       "$name - $what lacks \"$pattern\" (req $repeat)")
            or Test::More::diag(@bad[0 .. ($#bad > 9 ? 9 : $#bad)]);
    }
}

# Lines that are always reported, even if the block doesn't look for them.
sub check_alarms {
    my ($name, $want, $reject, $lines) = @_;

    for my $level (qw(alert crit emerg)) {
        next if grep { index("$_", "[$level") >= 0
                       || index("$_", "\\[$level") >= 0 }
                     @$want, @$reject;

        warn "WARNING: $name - $_" for grep { /\[$level\]/ } @$lines;
    }

    for my $line (@$lines) {
        next if $line !~ /\bAssertion .*?failed\b
                          |exited\ on\ signal\ (?:4|6|7|8|11)\b/x;
        next if grep { found($_, [$line]) } @$want;

        Test::Nginx::Runner::Client::extra_failure("$name - $line");
    }
}

sub check_access_log {
    my ($block, $repeat) = @_;
    my @want = patterns($block->access_log);
    my @reject = patterns($block->no_access_log);

    return if !@want && !@reject;

    sleep 0.02;

    my ($lines) = read_log($Test::Nginx::Util::AccLogFile, 0);

    log_tests($block->name, 'access_log', \@want, \@reject, $lines, $repeat);
}

# Called when the nginx of that block has stopped.
sub check_shutdown_log {
    my ($block) = @_;

    my ($lines) = read_log($Test::Nginx::Util::ErrLogFile, $LogPos);

    log_tests($block->name, 'log at shutdown',
              [patterns($block->shutdown_error_log)],
              [patterns($block->no_shutdown_error_log)], $lines, 0);
}

1;
