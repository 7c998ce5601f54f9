package RoomsTest::Export;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# Exports for suites: rooms with many events, the content of bundles, and a
# client that can read slowly.

use strict;
use warnings;

use Exporter 'import';
use File::Path ();
use Digest::SHA qw(sha256_hex);
use IO::Select;
use IO::Socket::INET;
use IO::Uncompress::Unzip qw($UnzipError);
use JSON::PP ();
use Socket qw(PF_INET SOCK_STREAM SOL_SOCKET SO_RCVBUF);
use Test::More ();
use Time::HiRes qw(time);

use RoomsTest::Calls;
use RoomsTest::Redis ();

our @EXPORT = qw(bundle entries fill manifest medium read_rest
                 reader rss slow_reader spool unchunk);

my $json = JSON::PP->new->utf8->canonical->allow_nonref;

# Writes messages directly into the store, with about the given size, which
# hardly compress.
sub fill {
    my ($room, $who, $n, $size) = @_;
    my $script = <<'END';
local events, room, position = KEYS[1], KEYS[2], KEYS[3]
local who, n, size = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local noise = {}
for i = 1, 64 do noise[i] = redis.sha1hex(ARGV[4] .. i) end
local long = table.concat(noise)
local last
for i = 1, n do
  local at = redis.call('INCR', position)
  local text = redis.sha1hex(at)
  while #text < size do text = text .. redis.sha1hex(#text .. at)
                               .. string.sub(long, 1, size) end
  last = string.format('%013x%s message %s %.0f {"body":"%s"}', at,
    string.sub(redis.sha1hex(at), 1, 16), who,
    (1704067200 + i % 86400) * 1000, string.sub(text, 1, size))
  redis.call('ZADD', events, at, last)
  if i == n then redis.call('HSET', room, 'position', at) end
end
local big = tonumber(redis.call('HGET', room, 'big') or 0)
if size + 1024 > big then redis.call('HSET', room, 'big', size + 1024) end
END

    while ($n > 0) {
        my $part = $n > 2000 ? 2000 : $n;
        my $res = RoomsTest::Redis::redis('EVAL', $script, 3,
            key("r:$room:events"), key("r:$room"), key('position'),
            $who, $part, $size, rand());

        die "fill: $res\n" if defined $res && $res =~ /ERR/;

        $n -= $part;
    }
}

# Writes a content to a media path and a medium to the store; returns its id.
sub medium {
    my ($root, $name, $bytes, %more) = @_;
    my $id = sprintf 'med-%026d', ++$RoomsTest::Export::media;
    my $sha = sha256_hex($bytes);
    my $dir = sprintf '%s/%s/%s', $root, tenant(), substr $sha, 0, 2;
    my $crc = do {
        require Compress::Zlib;
        Compress::Zlib::crc32($bytes);
    };

    File::Path::make_path($dir);
    spool("$dir/$sha", $bytes) if !$more{lost};

    RoomsTest::Redis::redis('HSET', key('media'), $id, $json->encode({
        media_id => $id, sha256 => $sha, size => length $bytes,
        crc32 => 0 + $crc, mime_type => 'text/plain', name => $name,
        owner_id => 'ann', created_at => '2024-02-03T04:05:06.000Z' }));

    return wantarray ? ($id, $sha, "$dir/$sha") : $id;
}

sub spool {
    my ($file, $bytes) = @_;

    open my $out, '>', $file or die "$file: $!\n";
    binmode $out;
    print $out $bytes;
    close $out or die "$file: $!\n";

    return $file;
}

# The entries of an archive, in order: [name, bytes] each.
sub entries {
    my ($zip) = @_;
    my @all;
    my $in = IO::Uncompress::Unzip->new(\$zip, Strict => 1)
        or die "no archive: $UnzipError\n";

    for (my $more = 1; $more > 0; $more = $in->nextStream) {
        my $name = $in->getHeaderInfo->{Name};
        my $bytes = '';

        while ((my $n = $in->read(my $part, 65536)) > 0) { $bytes .= $part }

        die "$name: ", $in->error, "\n" if $in->error;

        push @all, [$name, $bytes];
    }

    return @all;
}

sub manifest {
    my ($zip) = @_;
    my ($first) = entries($zip);

    return $json->decode($first->[1]);
}

# Exports a room; returns the manifest and the archive.
sub bundle {
    my ($room, $who, $args) = @_;
    my $res = call('GET', "/v1/rooms/$room/export" . ($args // ''), $who);

    die "export: $res->{status} $res->{body}\n" if $res->{status} != 200;

    return (manifest($res->{body}), $res->{body});
}

# A request whose client reads only on demand.
sub reader {
    my ($port, $path, $who, $buffer) = @_;

    socket(my $sock, PF_INET, SOCK_STREAM, 0) or die "socket: $!\n";
    setsockopt($sock, SOL_SOCKET, SO_RCVBUF, $buffer) or die "rcvbuf: $!\n"
        if $buffer;
    connect($sock, Socket::pack_sockaddr_in($port, "\x7f\0\0\1"))
        or die "connect: $!\n";

    $sock->autoflush(1);
    print $sock RoomsTest::HTTP::http_raw('GET', $path, token($who));

    return $sock;
}

# The same with a small receive buffer.
sub slow_reader { return reader(@_, 4096) }

# Reads to the end, or the given number of bytes; returns (bytes, ended).
sub read_rest {
    my ($sock, $max) = @_;
    my $deadline = time() + 30;
    my $in = '';

    # read fast now: a small window costs a delayed ACK for each 4 KiB
    setsockopt($sock, SOL_SOCKET, SO_RCVBUF, 1 << 20) if !defined $max;

    while (!defined $max || length $in < $max) {
        my $left = $deadline - time();

        return ($in, 0) if $left <= 0
                           || !IO::Select->new($sock)->can_read($left);

        my $n = sysread $sock, $in, defined $max ? $max - length $in : 65536,
                        length $in;

        return ($in, 1) if !$n;
    }

    return ($in, 0);
}

# The body of a chunked response, and whether it has its last chunk.
sub unchunk {
    my ($raw) = @_;
    my ($body, $at) = ('', index($raw, "\r\n\r\n") + 4);

    while ($at < length $raw
           && substr($raw, $at, 20) =~ /\A([0-9a-f]+)\r\n/)
    {
        my $size = hex $1;

        $at += 2 + length $1;

        return ($body, 1) if $size == 0;

        $body .= substr $raw, $at, $size;
        $at += $size + 2;
    }

    return ($body, 0);
}

# A process's memory, KiB.
sub rss {
    my ($pid) = @_;

    open my $in, '<', "/proc/$pid/status" or die "status: $!\n";
    my ($kib) = map { /^VmRSS:\s+(\d+)/ } <$in>;

    return $kib;
}

1;
