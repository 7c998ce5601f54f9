package RoomsTest::Signer;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# A server that signs its requests.  It is written only from the contract: RFC
# 9421, with openssl(1) for Ed25519.
#
#     my $peer = RoomsTest::Signer->new('b.example', $seed_of_32_bytes);
#     http_req('GET', $path, undef, undef,
#              $peer->headers('GET', $path, authority => 'a.example'));

use strict;
use warnings;

use Digest::SHA qw(sha256 sha256_hex);
use File::Temp ();
use JSON::PP ();
use MIME::Base64 qw(decode_base64 encode_base64);

use RoomsTest::Process qw(write_file);

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

# Whether this server has signed a text; the signature is in base64.
sub verified {
    my ($self, $text, $signature) = @_;
    my $dir = $self->{dir};

    write_file("$dir/text", $text);
    write_file("$dir/signature", decode_base64($signature));

    return system("openssl pkeyutl -verify -rawin -pubin -keyform DER"
                  . " -inkey $dir/public -in $dir/text"
                  . " -sigfile $dir/signature >/dev/null 2>&1") == 0;
}

# Checks its signature of a request to a peer of this name: a hash with method,
# target, headers (lower case) and body.  Returns the problem.
sub request_problem {
    my ($self, $authority, $r) = @_;
    my $h = $r->{headers};
    my ($label, $params) = ($h->{'signature-input'} // '') =~ /\A(\w+)=(.*)/;
    my ($signature) = ($h->{signature} // '') =~ /\A\w+=:(.*):\z/;
    my $digest = 'sha-256=:' . encode_base64(sha256($r->{body}), '') . ':';

    return 'not signed' if !defined $params || !defined $signature;
    return 'another digest' if $h->{'content-digest'} ne $digest;

    my ($keyid) = $params =~ /;keyid="([^"]*)"/;
    my ($created) = $params =~ /;created=(\d+)/;

    return "key $keyid" if $keyid ne "$self->{name}#" . $self->key_id;
    return "created $created" if abs($created - time) > 60;

    my %value = ('@method' => $r->{method}, '@authority' => $authority,
                 '@request-target' => $r->{target},
                 'content-digest' => $digest);
    my ($names) = $params =~ /\A\(([^)]*)\)/;
    my $base = join '', map { my ($n) = /"(.*)"/; "$_: $value{$n}\n" }
                        split ' ', $names;

    return $self->verified(qq($base"\@signature-params": $params),
                           $signature)
           ? undef : 'a wrong signature';
}

# Checks its signature of an event with plain text and integers only, for which
# JSON::PP writes canonical JSON.
sub event_problem {
    my ($self, $event) = @_;
    my %copy = %$event;
    my $by = (delete $copy{signatures})->{$self->{name}};

    return 'no signature' if !$by || !$by->{$self->key_id};

    return $self->verified(JSON::PP->new->utf8->canonical->encode(\%copy),
                           $by->{$self->key_id})
           ? undef : 'a wrong signature';
}

# Options: authority (the receiver), body, and to forge: created, name, key_id,
# digest.
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
