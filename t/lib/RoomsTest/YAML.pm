package RoomsTest::YAML;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# Reads the part of YAML that docs/openapi.yaml uses: blocks of mappings and
# sequences, flow collections (so all of JSON), quoted and plain scalars of one
# line, and "|".  Not anchors, tags or several documents.

use strict;
use warnings;

use Exporter 'import';
use JSON::PP ();

our @EXPORT_OK = qw(yaml_load);

my $json = JSON::PP->new->allow_nonref;

my (@lines, $at);

sub yaml_load {
    my ($text) = @_;

    @lines = split /\n/, $text;
    $at = 0;

    my $value = node(0);

    fail('not understood') if defined next_line();

    return $value;
}

sub fail { die sprintf "line %d: %s: %s\n", $at + 1, $_[0], $lines[$at] // '' }

# Goes to the next line with content, and returns its indentation.
sub next_line {
    $at++ while $at < @lines && $lines[$at] =~ /^\s*(?:#.*)?$/;

    return if $at >= @lines;

    $lines[$at] =~ /^( *)/;

    return length $1;
}

sub node {
    my ($least) = @_;
    my $indent = next_line();

    return undef if !defined $indent || $indent < $least;

    return $lines[$at] =~ /^ *- / ? sequence($indent) : mapping($indent);
}

my $quoted = qr/'(?:[^']|'')*'|"(?:[^"\\]|\\.)*"/;

sub mapping {
    my ($indent) = @_;
    my (%map, $is);

    while (defined($is = next_line()) && $is == $indent) {
        my ($key, $rest) = $lines[$at] =~ /^ *($quoted|\S.*?):(?: +(.*?))?\s*$/
            or fail('no key');

        $key = scalar_of($key) if $key =~ /^['"]/;
        fail('a key that is there twice') if exists $map{$key};

        $map{$key} = value($rest // '', $indent);
    }

    fail('indented by another width') if defined $is && $is > $indent;

    return \%map;
}

sub sequence {
    my ($indent) = @_;
    my (@list, $is);

    while (defined($is = next_line()) && $is == $indent
           && $lines[$at] =~ /^ *- +(.*?)\s*$/)
    {
        my $rest = $1;

        if ($rest =~ /^(?:$quoted|[^\s\[\{'"].*?):(?: |$)/) {
            # a mapping that starts after the dash
            $lines[$at] =~ s/^( *)-/$1 /;
            push @list, node($indent + 1);

        } else {
            push @list, value($rest, $indent);
        }
    }

    return \@list;
}

# The value after a key or a dash.
sub value {
    my ($rest, $indent) = @_;

    if ($rest eq '') {
        $at++;
        return node($indent + 1);
    }

    return literal($indent) if $rest eq '|';

    if ($rest =~ /^[\[\{]/) {
        my $from = $at;

        while (1) {
            pos($rest) = 0;

            my $value = eval { [flow(\$rest)] };

            if ($value && $rest =~ /\G\s*$/gc) {
                $at++;
                return $value->[0];
            }

            if ($value || ++$at >= @lines) {
                $at = $from;
                fail('no flow collection');
            }

            $rest .= "\n$lines[$at]";
        }
    }

    fail('a comment behind a value') if $rest !~ /^['"]/ && $rest =~ / #/;
    $at++;

    return scalar_of($rest);
}

sub literal {
    my ($indent) = @_;
    my ($width, @text);

    for ($at++; $at < @lines; $at++) {
        if ($lines[$at] =~ /^\s*$/) {
            push @text, '';
            next;
        }

        $lines[$at] =~ /^( *)/;
        last if length $1 <= $indent;

        $width //= length $1;
        push @text, substr $lines[$at], $width;
    }

    pop @text while @text && $text[-1] eq '';

    return join '', map { "$_\n" } @text;
}

# A collection or a scalar inside of one, from where pos() is.
sub flow {
    my ($text) = @_;

    if ($$text =~ /\G\s*\[/gc) {
        my @list;

        until ($$text =~ /\G\s*\]/gc) {
            push @list, flow($text);
            $$text =~ /\G\s*(?:,|(?=\]))/gc or die "no comma\n";
        }

        return \@list;
    }

    if ($$text =~ /\G\s*\{/gc) {
        my %map;

        until ($$text =~ /\G\s*\}/gc) {
            $$text =~ /\G\s*($quoted|[^\s'"\[\]\{\},:]+)\s*:/gc
                or die "no key\n";

            my $key = $1;

            $key = scalar_of($key) if $key =~ /^['"]/;
            die "twice: $key\n" if exists $map{$key};

            $map{$key} = flow($text);
            $$text =~ /\G\s*(?:,|(?=\}))/gc or die "no comma\n";
        }

        return \%map;
    }

    $$text =~ /\G\s*($quoted|[^\s'"\[\]\{\},][^\[\]\{\},\n]*?)\s*(?=[,\]\}])/gc
        or die "no value\n";

    return scalar_of($1);
}

sub scalar_of {
    my ($text) = @_;

    if ($text =~ /^'(.*)'$/s) {
        my $value = $1;

        $value =~ s/''/'/g;
        return $value;
    }

    return $json->decode($text) if $text =~ /^"/;
    return undef if $text eq 'null';
    return $json->decode($text) if $text =~ /^(?:true|false)$/
                                   || $text =~ /^-?\d+(?:\.\d+)?$/;
    fail('must be quoted') if $text =~ /^[&*!|>%@`]/ || $text =~ /:(?: |$)/;

    return $text;
}

1;
