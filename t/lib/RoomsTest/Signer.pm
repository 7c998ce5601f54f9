package RoomsTest::Signer;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# A server that signs its requests, written from the contract alone: RFC 9421
# with openssl(1) for Ed25519.
#
#     my $peer = RoomsTest::Signer->new('b.example', $seed_of_32_bytes);
#     http_req('GET', $path, undef, undef,
#              $peer->headers('GET', $path, authority => 'a.example'));

use strict;
use warnings;

use Digest::SHA qw(sha256 sha256_hex);
use File::Temp ();
use MIME::Base64 qw(encode_base64);

my $PKCS8 = pack 'H*', '302e020100300506032b657004220420';

sub new {
    my ($class, $name, $seed) = @_;
    my $dir = File::Temp->newdir('rooms-signer-XXXXXXXX', TMPDIR => 1);

    write_file("$dir/key", $PKCS8 . $seed);
    system("openssl pkey -inform DER -in $dir/key -pubout -outform DER"
           . " -out $dir/public 2>/dev/null") == 0 or die "no openssl\n";

    my $public = substr read_file("$dir/public"), -32;

    return bless { name => $name, dir => $dir, public => $public }, $class;
}

sub write_file {
    my ($name, $data) = @_;

    open my $out, '>:raw', $name or die "$name: $!\n";
    print $out $data;
    close $out or die "$name: $!\n";
}

sub read_file {
    my ($name) = @_;

    open my $in, '<:raw', $name or die "$name: $!\n";
    local $/;

    return scalar <$in>;
}

sub public_key { 'ed25519:' . encode_base64($_[0]{public}, '') }

sub key_id { substr sha256_hex($_[0]{public}), 0, 16 }

sub descriptor {
    my ($self) = @_;

    return qq({"data":{"server_name":"$self->{name}","public_key":")
           . $self->public_key
           . qq(","old_public_keys":[],"protocol_versions":["v1"]}});
}

sub sign {
    my ($self, $text) = @_;
    my $dir = $self->{dir};

    write_file("$dir/text", $text);
    system("openssl pkeyutl -sign -rawin -keyform DER -inkey $dir/key"
           . " -in $dir/text -out $dir/signature 2>/dev/null") == 0
        or die "openssl can't sign\n";

    return encode_base64(read_file("$dir/signature"), '');
}

# Options: authority (whom it is for), body, and to lie: created, name,
# key_id, digest.
sub headers {
    my ($self, $method, $target, %o) = @_;
    my $digest = $o{digest}
        // 'sha-256=:' . encode_base64(sha256($o{body} // ''), '') . ':';
    my $created = $o{created} // time;
    my $keyid = ($o{name} // $self->{name}) . '#'
                . ($o{key_id} // $self->key_id);
    my $params = '("@method" "@authority" "@request-target" "content-digest")'
                 . qq(;created=$created;keyid="$keyid";alg="ed25519");
    my $base = qq("\@method": $method\n"\@authority": $o{authority}\n)
               . qq("\@request-target": $target\n"content-digest": $digest\n)
               . qq("\@signature-params": $params);

    return ('Content-Digest' => $digest,
            'Signature-Input' => "sig=$params",
            'Signature' => 'sig=:' . $self->sign($base) . ':');
}

1;
