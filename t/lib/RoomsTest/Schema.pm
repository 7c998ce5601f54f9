package RoomsTest::Schema;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# Checks values with the part of JSON Schema that docs/openapi.yaml uses.
# Properties that a schema doesn't describe are problems, unless
# additionalProperties allows them: every property of an answer is documented.

use strict;
use warnings;

use Exporter 'import';
use JSON::PP ();

use RoomsTest::JSON ();

our @EXPORT_OK = qw(resolve schema_problems);

my $json = JSON::PP->new->canonical->allow_nonref;

my %known = map { $_ => 1 } qw(
    $ref type properties required items enum const pattern minimum maximum
    minLength maxLength minItems maxItems oneOf anyOf allOf
    additionalProperties unevaluatedProperties format description default
    example examples contentMediaType discriminator
);

# Resolves a reference; dies if it has no target.
sub resolve {
    my ($doc, $thing) = @_;

    while (ref $thing eq 'HASH' && defined $thing->{'$ref'}) {
        my $ref = $thing->{'$ref'};
        my $found = $doc;

        $ref =~ m{^#/} or die "no reference: $ref\n";

        for (split m{/}, substr $ref, 2) {
            my $step = s/~1/\//gr =~ s/~0/~/gr;

            $found = ref $found eq 'HASH' ? $found->{$step} : undef;
            die "nothing is at $ref\n" if !defined $found;
        }

        $thing = $found;
    }

    return $thing;
}

# Returns the problems, as lines.  With open => 1, other properties are
# allowed.
sub schema_problems {
    my ($doc, $schema, $value, %o) = @_;

    return at($doc, $schema, $value, '$', $o{open});
}

# Checks one place in the value against its schema.
sub at {
    my ($doc, $schema, $value, $where, $open) = @_;
    my ($bad, $seen) = apply(@_);

    if (ref $value eq 'HASH' && !$open && !$seen->{'*'}) {
        push @$bad, map { "$where.$_: is not described" }
                    grep { !$seen->{$_} } sort keys %$value;
    }

    return @$bad;
}

# Returns the problems, and the names of the described properties.
sub apply {
    my ($doc, $schema, $value, $where, $open) = @_;
    my (@bad, %seen);
    my $type = RoomsTest::JSON::type_of($value);
    my $wrong = sub { push @bad, "$where: $_[0]" };

    $wrong->("the schema has $_") for grep { !$known{$_} } sort keys %$schema;

    my $sub = sub {
        my ($problems, $names) = apply($doc, $_[0], $value, $where, $open);

        return $problems if @$problems;

        @seen{keys %$names} = values %$names;

        return [];
    };

    if (defined $schema->{'$ref'}) {
        push @bad, @{ $sub->(resolve($doc, { '$ref' => $schema->{'$ref'} })) };
    }

    push @bad, @{ $sub->($_) } for @{ $schema->{allOf} // [] };

    for my $word (qw(oneOf anyOf)) {
        my $list = $schema->{$word} or next;
        my @results = map { $sub->($_) } @$list;
        my $good = grep { !@$_ } @results;

        next if $good == 1 || ($word eq 'anyOf' && $good);

        $wrong->("is $good of $word: "
                 . join ' | ', map { join ', ', @$_ } @results);
    }

    if (defined $schema->{type}) {
        my @types = ref $schema->{type} ? @{$schema->{type}} : $schema->{type};

        $wrong->("is no @types: " . $json->encode($value))
            if !grep { $_ eq $type
                       || ($_ eq 'integer' && $type eq 'number'
                           && $value == int $value) } @types;
    }

    my $is = sub { $json->encode($_[0]) eq $json->encode($value) };

    $wrong->('is none of the enum: ' . $json->encode($value))
        if $schema->{enum} && !grep { $is->($_) } @{$schema->{enum}};
    $wrong->('is not the const: ' . $json->encode($value))
        if exists $schema->{const} && !$is->($schema->{const});

    if ($type eq 'string') {
        my $n = length $value;

        $wrong->("doesn't match $schema->{pattern}: $value")
            if defined $schema->{pattern} && $value !~ /$schema->{pattern}/;
        $wrong->("has $n characters")
            if $n > ($schema->{maxLength} // $n)
               || $n < ($schema->{minLength} // 0);

    } elsif ($type eq 'number') {
        $wrong->("is out of bounds: $value")
            if $value > ($schema->{maximum} // $value)
               || $value < ($schema->{minimum} // $value);

    } elsif ($type eq 'array') {
        my $n = @$value;

        $wrong->("has $n items") if $n > ($schema->{maxItems} // $n)
                                    || $n < ($schema->{minItems} // 0);

        if ($schema->{items}) {
            push @bad, at($doc, $schema->{items}, $value->[$_],
                          "$where\[$_]", $open) for 0 .. $#$value;
        }

    } elsif ($type eq 'object') {
        my $properties = $schema->{properties} // {};
        my $others = $schema->{additionalProperties};

        $wrong->("lacks $_")
            for grep { !exists $value->{$_} } @{ $schema->{required} // [] };

        for my $name (sort keys %$value) {
            if ($properties->{$name}) {
                $seen{$name} = 1;
                push @bad, at($doc, $properties->{$name}, $value->{$name},
                              "$where.$name", $open);

            } elsif (ref $others eq 'HASH') {
                $seen{$name} = 1;
                push @bad, at($doc, $others, $value->{$name}, "$where.$name",
                              $open);

            } elsif (JSON::PP::is_bool($others) && $others) {
                $seen{$name} = 1;
            }
        }
    }

    return (\@bad, \%seen);
}

1;
