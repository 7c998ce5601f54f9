package RoomsTest::Secrets;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# Checks that NGINX's error log has no token, ticket, link, password or
# message.  Each suite checks its logs with this.

use strict;
use warnings;

use Exporter 'import';

use RoomsTest::Process qw(slurp);

our @EXPORT_OK = qw(secrets_in secrets_sent secrets_warn);

# Secrets that this suite has sent or received.  More than this number aren't
# recorded.
my $most = 2000;
my %marks;

# Patterns of secrets, also in NGINX's escaped form.
my $quote = qr/(?:"|\\"|\\x22)/;
my $shape = qr/\beyJ[\w-]{8,}\.[\w-]{8,}              # a token,
               |\bmock:[\w.|-]+\@\w                   # or one of tests
               |\bBearer[ ](?!\()
               |[?&](?:ticket|signature|token)=[^-&"\s]
               |$quote(?:body|content)$quote\s*:      # a message
               |\brediss?:\/\/[^\s"@\/]*:[^\s"@\/]+@  # a password
              /x;

# Records the secrets in the bytes of a request or an answer.
sub secrets_sent {
    for my $bytes (grep { length() < 100_000 } @_) {
        last if keys %marks > $most;

        @marks{$bytes =~ /"body"\s*:\s*"([^"\\]{12,200})"/g} = ();
        @marks{$bytes =~ /"(?:ticket|secret)"\s*:\s*"([^"\\]{16,})"/g} = ();
        @marks{$bytes =~ /^authorization: bearer (?!mock:)([!-~]{16,})/mig}
            = ();
    }
}

# The lines of an error log that have a secret.  NGINX itself logs requests at
# the level "debug", and refused header lines at "info".
sub secrets_in {
    my @lines = grep { !/ \[debug\] | client sent \w+(?: \w+)? header line/ } @_;
    my $marks = join '|', map { quotemeta } keys %marks;
    my $sent = $marks eq '' ? qr/(?!)/ : qr/$marks/;

    return grep { /$shape/ || /$sent/ } @lines;
}

# t/make/suite fails a suite that prints this.
sub secrets_warn {
    my @files = @_;

    warn "SECRET: $_" for map { secrets_in(split /^/, slurp($_)) } @files;
}

1;
