package RoomsTest::Bundle;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# Valid and invalid bundles, and the form that uploads them.  The ZIP is
# written byte by byte, so that any of its fields can have a wrong value.

use strict;
use warnings;

use Compress::Raw::Zlib ();
use Digest::SHA qw(sha256_hex);
use Exporter 'import';
use File::Find ();
use JSON::PP ();

use RoomsTest::Redis qw(redis);

our @EXPORT_OK = qw(bundle event form imports manifest medium state unzip
                    zip);

my $json = JSON::PP->new->utf8->canonical;

sub deflated {
    my ($data) = @_;
    my ($d) = Compress::Raw::Zlib::Deflate->new(
        -WindowBits => -Compress::Raw::Zlib::MAX_WBITS(), -AppendOutput => 1);
    my $out = '';

    $d->deflate($data, $out);
    $d->flush($out);

    return $out;
}

# zip(\%entry, ...): an entry has name and data; method 0 stores.  `local` and
# `central` are hashes whose fields replace the true ones of that header:
# flags, method, crc, csize, usize, name, extra, attr, made, offset.  `zip64`
# puts the sizes there.  The last argument may be a hash reference with `end`,
# whose fields replace those of the end record: entries, size, offset,
# comment; with `gap` and `prefix`: bytes between entries and directory, and
# before all.
sub zip {
    my %o = @_ && !exists $_[-1]{name} ? %{ pop @_ } : ();
    my $out = $o{prefix} // '';
    my $directory = '';

    for my $e (@_) {
        my $method = $e->{method} // 8;
        my $data = $e->{data} // '';
        my $packed = $e->{packed} // ($method == 8 ? deflated($data) : $data);
        my %true = (
            flags => 0x0800, method => $method, name => $e->{name},
            crc => Compress::Raw::Zlib::crc32($data),
            csize => length $packed, usize => length $data, extra => '',
            attr => 0100644 << 16, made => 0x031e, offset => length $out,
        );

        if ($e->{zip64}) {
            $true{extra} = pack 'v v Q< Q<', 1, 16, @true{qw(usize csize)};
            $true{usize} = $true{csize} = 0xffffffff;
        }

        my %l = (%true, %{ $e->{local} // {} });
        my %c = (%true, %{ $e->{central} // {} });

        $out .= pack('V v v v v v V V V v v', 0x04034b50, 20,
                     @l{qw(flags method)}, 0, 0x21, @l{qw(crc csize usize)},
                     length $l{name}, length $l{extra})
                . $l{name} . $l{extra} . $packed . ($e->{after} // '');

        $directory .= pack('V v v v v v v V V V v v v v v V V', 0x02014b50,
                           $c{made}, 20, @c{qw(flags method)}, 0, 0x21,
                           @c{qw(crc csize usize)}, length $c{name},
                           length $c{extra}, 0, 0, 0, $c{attr}, $c{offset})
                      . $c{name} . $c{extra};
    }

    $out .= $o{gap} // '';

    my %end = (entries => scalar @_, size => length $directory,
               offset => length $out, comment => '', %{ $o{end} // {} });

    return $out . $directory . ($o{before_end} // '')
           . pack('V v v v v V V v', 0x06054b50, 0, 0, $end{entries},
                  $end{entries}, @end{qw(size offset)}, length $end{comment})
           . $end{comment};
}

# The entries of an archive with a directory: name => content.
sub unzip {
    my ($zip) = @_;
    my $end = rindex $zip, "PK\5\6";
    my ($n, undef, $at) = unpack 'v V V', substr $zip, $end + 10, 10;
    my %out;

    for (1 .. $n) {
        my ($flags, $method) = unpack 'x8 v v', substr $zip, $at, 12;
        my ($csize, $usize, $nl, $xl, $cl)
            = unpack 'x20 V V v v v', substr $zip, $at, 34;
        my $offset = unpack 'x42 V', substr $zip, $at, 46;
        my $name = substr $zip, $at + 46, $nl;
        my ($lnl, $lxl) = unpack 'x26 v v', substr $zip, $offset, 30;
        my $data = substr $zip, $offset + 30 + $lnl + $lxl, $csize;

        if ($method == 8) {
            my ($i) = Compress::Raw::Zlib::Inflate->new(
                -WindowBits => -Compress::Raw::Zlib::MAX_WBITS());
            my $plain = '';

            $i->inflate($data, $plain);
            $data = $plain;
        }

        $out{$name} = $data;
        $at += 46 + $nl + $xl + $cl;
    }

    return \%out;
}

# A message at a position; further arguments replace or add members.
sub event {
    my ($position, $body, %more) = @_;

    return {
        id => sprintf('evt-%013x%016x', $position, $position * 7919),
        room_id => 'room-01000000000000000000000000',
        sender_id => 'alice', event_type => 'swp.room.message',
        content => ref $body ? $body : { body => $body },
        stream_position => $position, origin_ts => 1700000000 + $position,
        created_at => sprintf('2023-11-14T22:%02d:%02d.%03dZ',
                              $position / 60 % 60, $position % 60,
                              $position % 1000),
        edited_at => undef, redacted_at => undef, %more,
    };
}

sub manifest {
    my (%more) = @_;

    return {
        format => 'scaiwave.room-export', version => 1,
        exported_at => '2024-01-01T00:00:00.000Z', exported_by => 'alice',
        server_name => 'old.example',
        room => { room_type => 'group', name => 'Old room', topic => 'Talk',
                  is_public => JSON::PP::false, scope_kind => undef,
                  federated => JSON::PP::false },
        participants => {
            alice => { display_name => 'Alice', fqid => '@alice:old.example',
                       avatar_url => undef },
        },
        media => [], missing_media => [],
        events => [map { event($_, "message $_") } 1 .. 3], %more,
    };
}

# A medium's element of the manifest, and its entry.
sub medium {
    my ($data, $name, %more) = @_;
    my $sha = sha256_hex($data);

    return (
        { sha256 => $sha, size => length $data, name => $name,
          mime_type => 'text/plain', %more },
        { name => "media/$sha/$name", data => $data, method => 0 },
    );
}

# The archive of a manifest (text, or what becomes JSON) and more entries.
sub bundle {
    my ($manifest, @entries) = @_;

    $manifest = $json->encode($manifest) if ref $manifest;

    return zip({ name => 'manifest.json', data => $manifest }, @entries);
}

# form($file, %fields) gives the body and its Content-Type.
sub form {
    my ($file, %fields) = @_;
    my $boundary = 'xXxXboundaryXxXx';
    my $body = '';

    for (sort keys %fields) {
        $body .= "--$boundary\r\nContent-Disposition: form-data; "
                 . "name=\"$_\"\r\n\r\n$fields{$_}\r\n";
    }

    $body .= "--$boundary\r\nContent-Disposition: form-data; name=\"file\"; "
             . "filename=\"room.zip\"\r\nContent-Type: application/zip\r\n"
             . "\r\n$file\r\n" if defined $file;

    return ("$body--$boundary--\r\n",
            "multipart/form-data; boundary=$boundary");
}

# What "--- request" takes for the import of a file.
sub imports { return "POST /v1/rooms/import\n" . (form(@_))[0] }

# All that an import could leave: keys with what they hold, and the files of a
# folder.
sub state {
    my ($media) = @_;
    my (@keys, @files);

    for my $key (sort @{ redis('KEYS', '*') }) {
        next if $key =~ /:(?:commit|idem|lease):/;
        push @keys, "$key " . join ' ', value($key);
    }

    File::Find::find(sub { push @files, $File::Find::name if -f }, $media);

    return join "\n", @keys, sort @files;
}

# What a key holds; DUMP would tell the order inside too, which Redis changes.
sub value {
    my ($key) = @_;
    my %read = (string => ['GET'], hash => ['HGETALL'],
                list => ['LRANGE', 0, -1], set => ['SMEMBERS'],
                zset => ['ZRANGE', 0, -1, 'WITHSCORES']);
    my ($command, @range) = @{ $read{ redis('TYPE', $key) } // return };
    my $reply = redis($command, $key, @range) // return;

    return $reply unless ref $reply;
    return @$reply unless $command eq 'HGETALL' || $command eq 'SMEMBERS';

    my $n = $command eq 'HGETALL' ? 2 : 1;
    my @items = map { join '=', @$reply[$n * $_ .. $n * $_ + $n - 1] }
                0 .. @$reply / $n - 1;

    return sort @items;
}

1;
