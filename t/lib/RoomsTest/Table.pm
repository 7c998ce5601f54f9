# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause

package RoomsTest::Table;

# The table of endpoints, read from the source.

use strict;
use warnings;

use Exporter 'import';

use RoomsTest::Process qw(slurp);

our @EXPORT_OK = qw(table_rows table_fields);

# All files with rows of the table.
sub sources {
    return join "\n", map { slurp($_) } sort glob 'src/*/ngx_rooms_*.c';
}

# Each row: { method, path, flags, fields }; flags and fields are words of C.
sub table_rows {
    my $source = sources();
    my @rows;

    while ($source =~ /\n    \{ (\.method = .*?) \},\n/gs) {
        my %row = $1 =~ /\.(\w+) = ("[^"]*"|[^,]+)/g;

        $row{method} =~ s/^NGX_HTTP_//;
        $row{path} =~ s/"//g;
        $row{flags} = join '|', map { s/^NGX_ROOMS_//r } split /[|\s]+/,
                                                        $row{flags} // '';
        push @rows, \%row;
    }

    return @rows;
}

# Lists of body fields: each field with its type, and whether it is required
# and may be null.
sub table_fields {
    my $source = sources();
    my %fields;

    while ($source =~ /ngx_rooms_field_t\s+(\w+)\[\] = \{(.*?)\n\};/gs) {
        my ($name, $rows) = ($1, $2);

        while ($rows =~ /\{ "(\w+)", NGX_ROOMS_T_(\w+)([|\w]*) \}/g) {
            my ($field, $type, $flags) = ($1, lc $2, $3);

            next if $type eq 'refused';

            $fields{$name}{$field} =
                { type => $type, required => $flags =~ /REQUIRED/ ? 1 : 0,
                  null => $flags =~ /NULL/ ? 1 : 0 };
        }
    }

    return %fields;
}

1;
