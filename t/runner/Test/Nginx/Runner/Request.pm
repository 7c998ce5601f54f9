package Test::Nginx::Runner::Request;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# Turns the request sections of a block into the bytes to send.  A request is a
# list of packets, each { value => bytes, delay_before => seconds }.

use strict;
use warnings;

use Test::Nginx::Util qw(bail_out expand_env_in_text);

sub requests {
    my ($block) = @_;

    my $name = $block->name;
    my $raw = $block->raw_request;

    if (defined $raw) {
        return [[map { packet($_) } ref $raw ? @$raw : $raw]];
    }

    my $pipelined = $block->pipelined_requests;

    return [pipelined($block, $pipelined)] if $pipelined;

    my $request = $block->request;

    bail_out("$name - no request") if !defined $request;

    if (!ref $request) {
        # Comment lines and blanks before the request line.
        1 while $request =~ s/\A(?:\s+|\#[^\n]*\n?)//;

        return [[packet(build($block, 0, 'close', $request))]];
    }

    bail_out("$name - a request is a string or an array")
        if ref $request ne 'ARRAY';

    my @list;

    for my $i (0 .. $#$request) {
        my $one = $request->[$i];
        my @parts = ref $one ? @$one : ($one);
        my @values = map { ref $_ ? $_->{value} : $_ } @parts;
        my @built = build($block, $i, 'close', @values);

        push @list, [map { +{ ref $parts[$_] ? %{$parts[$_]} : (),
                             value => $built[$_] } } 0 .. $#built];
    }

    return \@list;
}

sub packet { return { value => $_[0] } }

sub pipelined {
    my ($block, $list) = @_;

    my $name = $block->name;
    my $bytes = '';

    bail_out("$name - pipelined_requests is to be an array")
        if ref $list ne 'ARRAY';

    for my $i (0 .. $#$list) {
        my $last = $i == $#$list;

        $bytes .= (build($block, $i, $last ? 'close' : 'keep-alive',
                           expand_env_in_text($list->[$i], $name)))[0];
    }

    return [packet($bytes)];
}

# The header lines of request number $i, each ended with CRLF.
sub more_headers {
    my ($block, $i) = @_;

    my $text = $block->more_headers;

    $text = '' if !defined $text;

    if (ref $text eq 'ARRAY') {
        $text = $text->[$i];
        bail_out($block->name . " - more_headers has no element $i")
            if !defined $text;
    }

    my $lines = '';
    my $chunked = 0;

    for my $line (split /\n+/, $text) {
        next if $line =~ /^\s*#/;

        my ($key, $value) = split /:\s*/, $line, 2;

        $value = '' if !defined $value;
        $chunked = 1 if lc $key eq 'transfer-encoding'
                        && $value eq 'chunked';
        $lines .= "$key: $value\r\n";
    }

    return ($lines, $chunked);
}

# Turns a request in the short form, a list of packets, into a full request
# that is split at the same places.
sub build {
    my ($block, $i, $connection, @packets) = @_;

    my ($more, $chunked) = more_headers($block, $i);
    my $text = join '', @packets;

    $text =~ /\A(\s*)(\S+)([ ]*)(?:(\S+)([ ]*)(?:(\S+)([ ]*))?)?
                (\r?\n|\z)/x
        or bail_out($block->name . ' - bad request line: '
                    . ($text =~ /\A(.*)/)[0]);

    my $end = $+[0];
    my @at = map { [$-[$_], $+[$_]] } 0 .. $#-;
    my ($method, $url, $version) = ($2, $4, $6);
    my $body = substr $text, $end;

    my $headers = '';

    $headers .= "Host: $Test::Nginx::Util::ServerName\r\n"
        if $more !~ /^Host:/mi;
    $headers .= "Connection: $connection\r\n" if $more !~ /^Connection/mi;
    $headers .= $more;

    if (!$chunked && $body ne '' && $more !~ /^Content-Length:/m) {
        $body =~ s/\A\s+|\s+\z//g;
        $headers .= 'Content-Length: ' . length($body) . "\r\n";
    }

    # The parts of the new text, each with the position in the old text where
    # its source ends.
    my $url_end = defined $url ? $at[4][1] : $at[2][1];
    my $version_end = defined $version ? $at[6][1] : $url_end;

    my @parts = (
        [$at[2][0], ''],
        [$at[2][1], "$method "],
        [defined $url ? $at[4][0] : $url_end, ''],
        [$url_end, (defined $url ? $url : '/') . ' '],
        [defined $version ? $at[6][0] : $version_end, ''],
        [$version_end, (defined $version ? $version : 'HTTP/1.1') . "\r\n"],
        [$end, ''],
        [$end, "$headers\r\n"],
        [length $text, $body],
    );

    my $new = join '', map { $_->[1] } @parts;
    my ($old_pos, $new_pos, @out) = (0, 0);

    while (@packets > 1) {
        $old_pos += length shift @packets;

        my $cut = map_position(\@parts, $old_pos);

        push @out, substr $new, $new_pos, $cut - $new_pos;
        $new_pos = $cut;
    }

    return (@out, substr $new, $new_pos);
}

sub map_position {
    my ($parts, $pos) = @_;
    my ($old, $new) = (0, 0);

    for my $part (@$parts) {
        my ($old_end, $text) = @$part;

        if ($pos < $old_end) {
            my $in = $pos - $old;
            my $length = length $text;

            return $new + ($in < $length ? $in : $length);
        }

        $new += length $text;
        $old = $old_end;
    }

    return $new;
}

1;
