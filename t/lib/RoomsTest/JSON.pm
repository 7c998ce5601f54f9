package RoomsTest::JSON;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# Short assertions on a JSON text, one a line:
#
#     data.name = "engineering"      equal to a JSON value (or bare text)
#     data.name != "sales"
#     data[0].id ~ ^room-            matches a regex; !~ does not
#     data # 3                       array length or number of members
#     data.x !                       absent;  ?  present
#     data.x null                    null
#     data.size : number             string number boolean array object null
#     data.size >= 10                also > < <=
#
# The path "$" is the whole text.  [-1] is the last element, [id=x] the first
# one whose id is x, and [*].id has the ids of all.  A member whose name has
# other characters than those of a word or "-" is written ["a.b"].

use strict;
use warnings;

use Exporter 'import';
use JSON::PP ();
use Test::More ();

our @EXPORT_OK = qw(json_decode json_get json_like json_problems);

my $json = JSON::PP->new->utf8->canonical->allow_nonref;

# Decodes like JSON::PP, but ten times as fast.  Dies of invalid JSON, and
# leaves rare forms to JSON::PP.
my %escape = (b => "\b", f => "\f", n => "\n", r => "\r", t => "\t",
              '"' => '"', '\\' => '\\', '/' => '/');

sub json_decode {
    my ($bytes) = @_;
    my $text = $bytes;

    utf8::decode($text) || $text !~ /[^\0-\x7f]/ or die "no UTF-8\n";

    return $json->decode($bytes) if $text =~ /\\u/;

    pos($text) = 0;

    my $value = json_value(\$text);

    $text =~ /\G[ \t\r\n]*\z/ or die "more than a value\n";

    return $value;
}

sub json_value {
    my ($text) = @_;

    $$text =~ /\G[ \t\r\n]+/gc;

    return json_string($text) if $$text =~ /\G"/gc;

    if ($$text =~ /\G\{[ \t\r\n]*/gc) {
        my %object;

        return \%object if $$text =~ /\G\}/gc;

        do {
            $$text =~ /\G[ \t\r\n]*"/gc or die "no name of a member\n";

            my $name = json_string($text);

            $$text =~ /\G[ \t\r\n]*:/gc or die "no colon\n";
            $object{$name} = json_value($text);
        } while ($$text =~ /\G[ \t\r\n]*,/gc);

        return \%object if $$text =~ /\G[ \t\r\n]*\}/gc;
        die "no end of an object\n";
    }

    if ($$text =~ /\G\[[ \t\r\n]*/gc) {
        my @array;

        return \@array if $$text =~ /\G\]/gc;

        do {
            push @array, json_value($text);
        } while ($$text =~ /\G[ \t\r\n]*,/gc);

        return \@array if $$text =~ /\G[ \t\r\n]*\]/gc;
        die "no end of an array\n";
    }

    return JSON::PP::true if $$text =~ /\Gtrue\b/gc;
    return JSON::PP::false if $$text =~ /\Gfalse\b/gc;
    return undef if $$text =~ /\Gnull\b/gc;
    return 0 + $1
        if $$text =~ /\G(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?)/gca;
    die "no value\n";
}

# Reads a string, after its opening quote.
sub json_string {
    my ($text) = @_;
    my $string = '';

    while (1) {
        $string .= $1 if $$text =~ /\G([^"\\\0-\x1f]+)/gc;

        # ASCII is the same as bytes and as characters
        utf8::downgrade($string) if $string !~ /[^\0-\x7f]/;

        return $string if $$text =~ /\G"/gc;

        $$text =~ m{\G\\(["\\/bfnrt])}gc or die "no end of a string\n";
        $string .= $escape{$1};
    }
}

# Caches the value of the last text; callers must not change it.
my ($last_text, $last_value);

sub decoded {
    my ($text) = @_;

    return $last_value if defined $last_text && $last_text eq $text;

    undef $last_text;
    $last_value = json_decode($text);
    $last_text = $text;

    return $last_value;
}

sub parse_path {
    my ($path) = @_;
    my @steps;

    return [] if $path eq '$';

    $path =~ s/\A\$(?=[.\[])//;

    while ($path ne '') {
        if ($path =~ s/\A\[(-?\d+)\]//) {
            push @steps, [$1];

        } elsif ($path =~ s/\A\[(\w+)=([^\]]+)\]//) {
            push @steps, [$1, $2];

        } elsif ($path =~ s/\A\[\*\]//) {
            push @steps, [];

        } elsif ($path =~ s/\A\["((?:[^"\\]|\\.)*)"\]//
                 || $path =~ s/\A\.?([\w-]+)//)
        {
            push @steps, $1;

        } else {
            return undef;
        }
    }

    return \@steps;
}

# Returns (1, value), or () if the path doesn't exist.
sub find_value {
    my ($value, $path) = @_;
    my $steps = parse_path($path) or die "bad path $path\n";

    return walk($value, @$steps);
}

sub walk {
    my ($value, @steps) = @_;

    while (@steps) {
        my $step = shift @steps;

        if (ref $step) {
            my ($i, $want) = @$step;

            return if ref $value ne 'ARRAY';
            return (1, [map { (walk($_, @steps))[1] } @$value]) if !@$step;

            if (defined $want) {
                my ($at) = grep { ref $value->[$_] eq 'HASH'
                                  && ($value->[$_]{$i} // '') eq $want }
                           0 .. $#$value;

                return if !defined $at;

                $i = $at;
            }

            $i += @$value if $i < 0;

            return if $i < 0 || $i > $#$value;

            $value = $value->[$i];

        } else {
            return if ref $value ne 'HASH' || !exists $value->{$step};

            $value = $value->{$step};
        }
    }

    return (1, $value);
}

# The value at a path of a JSON text, for use in Perl code.
sub json_get {
    my ($text, $path) = @_;
    my ($found, $value) = find_value(decoded($text), $path);

    return $value;
}

sub type_of {
    my ($value) = @_;

    return 'null' if !defined $value;
    return 'array' if ref $value eq 'ARRAY';
    return 'object' if ref $value eq 'HASH';
    return 'boolean' if JSON::PP::is_bool($value);
    return $json->encode($value) =~ /\A"/ ? 'string' : 'number';
}

sub plain {
    my ($value) = @_;
    my $type = type_of($value);

    return $value if $type eq 'string' || $type eq 'number';

    my $text = $json->encode($value);

    utf8::decode($text);

    return $text;
}

# A text that isn't JSON is taken literally.
sub literal {
    my ($text) = @_;
    my $value = eval { json_decode($text) };

    return $value if !$@;

    utf8::decode($text);

    return $text;
}

my %compare = (
    '>'  => sub { $_[0] > $_[1] },
    '>=' => sub { $_[0] >= $_[1] },
    '<'  => sub { $_[0] < $_[1] },
    '<=' => sub { $_[0] <= $_[1] },
);

sub holds {
    my ($root, $path, $op, $arg) = @_;
    my ($found, $value) = find_value($root, $path);

    return !$found if $op eq '!';
    return 0 if !$found;
    return 1 if $op eq '?';
    return !defined $value if $op eq 'null';

    if ($op eq '=' || $op eq '!=') {
        my $same = $json->encode($value) eq $json->encode(literal($arg));

        return $op eq '=' ? $same : !$same;
    }

    if ($op eq '~' || $op eq '!~') {
        utf8::decode($arg);

        my $match = plain($value) =~ /$arg/;

        return $op eq '~' ? $match : !$match;
    }

    if ($op eq '#') {
        my $count = ref $value eq 'ARRAY' ? @$value
                    : ref $value eq 'HASH' ? keys %$value : -1;

        return $count == $arg;
    }

    return type_of($value) eq $arg if $op eq ':';

    return type_of($value) eq 'number' && $compare{$op}->($value, $arg);
}

# Returns the problems, as a list of lines.
sub json_problems {
    my ($body, $spec) = @_;
    my $root = eval { decoded($body) };
    my @bad;

    return ("no JSON: $@") if $@;

    for my $line (split /\n/, $spec) {
        next if $line =~ /^\s*(?:#|$)/;

        my ($path, $op, $arg) = $line =~
            /^\s*((?:\["(?:[^"\\]|\\.)*"\]|\S)+?)\s+
             (null|!=|!~|!|\?|>=|<=|[=~#:<>])(?:\s+(.*?))?\s*$/x;

        if (!defined $op
            || ($op =~ /\A(?:null|!|\?)\z/) == (defined $arg && $arg ne ''))
        {
            push @bad, "not understood: $line";
            next;
        }

        my $good = eval { holds($root, $path, $op, $arg) };

        if ($@) {
            push @bad, "$line: $@";
            next;
        }

        next if $good;

        my ($found, $value) = find_value($root, $path);

        push @bad, "$line\n    got: "
                   . ($found ? $json->encode($value) : 'nothing');
    }

    return @bad;
}

# One test for the whole list of assertions.
sub json_like {
    my ($body, $spec, $name) = @_;
    my @bad = json_problems($body // '', $spec);

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return Test::More::ok(!@bad, $name)
           || Test::More::diag(map({ "failed: $_\n" } @bad),
                               'body: ', $body // 'undef');
}

1;
