package RoomsTest::Secrets;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# No token, ticket, link, password or message is in NGINX's error log, whatever
# a suite does: each suite looks through its logs with this.

use strict;
use warnings;

use Exporter 'import';

use RoomsTest::Process qw(slurp);

our @EXPORT_OK = qw(secrets_in secrets_sent secrets_warn);

# What this suite has sent or got and may be in no log.  More than so many add
# nothing.
my $most = 2000;
my %marks;

# How something secret looks, also escaped as NGINX escapes it.
my $quote = qr/(?:"|\\"|\\x22)/;
my $shape = qr/\beyJ[\w-]{8,}\.[\w-]{8,}              # a token,
               |\bmock:[\w.|-]+\@\w                   # or one of tests
               |\bBearer[ ](?!\()
               |[?&](?:ticket|signature|token)=[^-&"\s]
               |$quote(?:body|content)$quote\s*:      # a message
               |\brediss?:\/\/[^\s"@\/]*:[^\s"@\/]+@  # a password
              /x;

# The bytes of a request or an answer: texts, and what is given once.
sub secrets_sent {
    for my $bytes (grep { length() < 100_000 } @_) {
        last if keys %marks > $most;

        @marks{$bytes =~ /"body"\s*:\s*"([^"\\]{12,200})"/g} = ();
        @marks{$bytes =~ /"(?:ticket|secret)"\s*:\s*"([^"\\]{16,})"/g} = ();
        @marks{$bytes =~ /^authorization: bearer (?!mock:)([!-~]{16,})/mig}
            = ();
    }
}

# Of these lines of an error log, those with a secret.  NGINX itself writes
# what it gets at the level "debug", and at "info" a header line that it refuses.
sub secrets_in {
    my @lines = grep { !/ \[debug\] | client sent \w+(?: \w+)? header line/ } @_;
    my $marks = join '|', map { quotemeta } keys %marks;
    my $sent = $marks eq '' ? qr/(?!)/ : qr/$marks/;

    return grep { /$shape/ || /$sent/ } @lines;
}

# t/make/suite fails a suite that says so.
sub secrets_warn {
    my @files = @_;

    warn "SECRET: $_" for map { secrets_in(split /^/, slurp($_)) } @files;
}

1;
