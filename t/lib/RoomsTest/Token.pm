package RoomsTest::Token;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# Tokens: those of t/data by name, and newly made HS256 tokens.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256);
use Exporter 'import';
use JSON::PP ();
use MIME::Base64 qw(encode_base64url);

our @EXPORT_OK = qw(hs256 token unsigned);

my $json = JSON::PP->new->utf8->canonical;
my %stored;

# One of t/data/tokens.
sub token {
    my ($name) = @_;

    if (!%stored) {
        open my $in, '<', 't/data/tokens' or die "t/data/tokens: $!\n";
        while (my $line = <$in>) {
            $stored{$1} = $2 if $line =~ /^(\w+) (\S+)$/;
        }
    }

    return $stored{$name} // die "no token $name in t/data/tokens\n";
}

# A token's first two parts: unsigned($header, $claims); either may be a
# string.
sub unsigned {
    return join '.', map { encode_base64url(ref $_ ? $json->encode($_)
                                                   : $_) } @_;
}

# hs256($secret, %claims): sub, tenant_id and an exp in one hour have defaults;
# undef leaves a claim out.  "header" has additional header members.
sub hs256 {
    my ($secret, %claims) = @_;
    my $header = delete $claims{header};

    %claims = (sub => 'hans', tenant_id => 'acme', exp => time() + 3600,
               %claims);
    defined $claims{$_} or delete $claims{$_} for keys %claims;

    my $text = unsigned({ alg => 'HS256', typ => 'JWT', %{$header // {}} },
                        \%claims);

    return "$text." . encode_base64url(hmac_sha256($text, $secret));
}

1;
