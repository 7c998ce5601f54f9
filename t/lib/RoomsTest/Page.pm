package RoomsTest::Page;

# Copyright (C) the ngx_rooms_module authors
# SPDX-License-Identifier: BSD-2-Clause
#
# A page of Markdown: its blocks of code, its headings and its links; which
# variables its shell blocks leave unset; and the run of these blocks, as a
# reader would run them in one shell.
#
# A block below a shell block is what that block prints: "json" is the answer
# of its last command, a block without a language all of its output.  What
# differs from run to run (ids, times, positions, keys) is masked in both; "…"
# in a string stands for anything.  A variable with "…" for a value is the
# reader's to fill in.

use strict;
use warnings;
use utf8;

use Exporter 'import';
use JSON::PP ();

use RoomsTest::Process qw(slurp write_file);

our @EXPORT_OK = qw(page page_answer page_run page_tables page_unset);

my $json = JSON::PP->new->utf8->allow_nonref;

# {name, text, blocks => [{lang, text, line, printed}], anchors, links}; the
# block in `printed` is what this one prints.
sub page {
    my ($name) = @_;
    my $text = slurp($name);
    my (@blocks, $shell, $end, %seen);

    utf8::decode($text);

    while ($text =~ /^( *)```(\w*)\n(.*?)^\1```$/msg) {
        my ($indent, $lang, $code, $from, $to) = ($1, $2, $3, $-[0], $+[0]);
        my $block = { lang => $lang, text => $code =~ s/^$indent//mgr,
                      line => 1 + (substr($text, 0, $from) =~ tr/\n//) };

        push @blocks, $block;
        $shell->{printed} = $block
            if $shell && $lang =~ /^(?:json)?$/
               && substr($text, $end, $from - $end) !~ /\S/;

        ($shell, $end) = ($lang eq 'sh' ? $block : undef, $to);
    }

    my $prose = $text =~ s/^( *)```\w*\n.*?^\1```$//msgr;
    my %anchor = map { heading_anchor($_, \%seen) => 1 }
                 $prose =~ /^#+ +(.*)$/mg;

    return { name => $name, text => $text, prose => $prose,
             blocks => \@blocks, anchors => \%anchor,
             links => [$prose =~ /\]\(([^)\s]+)\)/g] };
}

# As GitHub makes it.
sub heading_anchor {
    my ($heading, $seen) = @_;
    my $anchor = lc($heading =~ s/\]\([^)]*\)//gr =~ s/[^\w\- ]//gr)
                 =~ tr/ /-/r;
    my $n = $seen->{$anchor}++;

    return $n ? "$anchor-$n" : $anchor;
}

# The first lines of tables that aren't shown as one: without a line below the
# head, or with another number of cells in a row.
sub page_tables {
    my ($page) = @_;
    my @odd;

    while ($page->{prose} =~ /((?:^ *\|.*\n)+)/mg) {
        my @rows = split /\n/, $1;
        my %cells = map { s/\\.//gr =~ tr/|// => 1 } @rows;

        push @odd, $rows[0]
            if ($rows[1] // '') !~ /^ *\|[-|: ]+\|$/ || keys %cells > 1;
    }

    return @odd;
}

sub shell_blocks { return grep { $_->{lang} eq 'sh' } @{$_[0]{blocks}} }

# The variables that a page's shell blocks use before they set them.
sub page_unset {
    my ($page) = @_;
    my (%set, @unset);

    for my $block (shell_blocks($page)) {
        # comments and quotes, which the shell doesn't look into
        my $text = $block->{text} =~ s/(?<=\s)# .*//gr =~ s/'[^']*'/''/gr;

        while ($text =~ /(?:^|[\s(;])(\w+)=|\bread[ ](?:-r[ ])?([\w ]+)
                         |\bfor[ ](\w+)[ ]in|\$\{?([A-Za-z_]\w*)/gmx)
        {
            if (defined $4) {
                push @unset, "line $block->{line}: \$$4" if !$set{$4};
            } else {
                $set{$_} = 1 for split ' ', $1 // $2 // $3;
            }
        }
    }

    return @unset;
}

# Runs the page's shell blocks but those that $skip->($block) is true of, in
# order, in one bash that ends at the first command that fails.  Options: dir
# (the folder to run in), given (values to fill in), edit (changes a block's
# text), before (shell code to begin with), between (... after each block).
# Returns its status and the blocks, each with its output in `out` and `err`.
sub page_run {
    my ($page, $skip, %o) = @_;
    my @blocks = grep { !$skip->($_) } shell_blocks($page);
    my $script = 'set -eu -o pipefail; ' . ($o{before} // '') . "\n";

    for my $n (0 .. $#blocks) {
        my $text = $blocks[$n]{text};

        $text =~ s{^(\w+)=…}{"$1=" . ($o{given}{$1} // die "no $1\n")}mge;
        $text = $o{edit}->($text) if $o{edit};
        $script .= "exec >$n.out 2>$n.err\n$text\n";
        $script .= "exec >/dev/null 2>&1\n$o{between}\n" if $o{between};
    }

    utf8::encode($script);
    unlink glob "$o{dir}/*.out $o{dir}/*.err";
    write_file("$o{dir}/page.sh", $script);

    my $status = system "cd $o{dir} && exec bash page.sh </dev/null";

    for my $n (0 .. $#blocks) {
        @{$blocks[$n]}{qw(out err)} = map { slurp("$o{dir}/$n.$_") }
                                      qw(out err);
    }

    return ($status, @blocks);
}

# The first difference between what a block has printed and what its page
# says; "" if there is none.
sub page_answer {
    my ($block) = @_;
    my @answers = $block->{out} =~ /^(\{.*\})$/mg;
    my $printed = $block->{printed};
    my ($refused) = grep { /^\{"error":|:api:messages:2\.0:Error"/ } @answers;

    return "$refused" if $refused && (!$printed || $refused ne $answers[-1]);
    return '' if !$printed;

    if ($printed->{lang} eq 'json') {
        my $bytes = $printed->{text};

        utf8::encode($bytes);

        my $said = eval { $json->decode($bytes) } // return "not JSON: $@";

        return 'no answer' if !@answers;
        return difference($said, $json->decode($answers[-1]), '');
    }

    utf8::decode(my $out = $block->{out});

    return text_difference($printed->{text}, $out);
}

# Lines of text; JSON in them (behind a word, as in an event) as JSON.
sub text_difference {
    my ($said, $out) = @_;
    my @said = split /\n/, $said;
    my @out = split /\n/, $out;

    for my $line (@said) {
        my $real = shift @out // return "no line '$line'";
        my ($word, $value) = $line =~ /^(\w+: )(\{.*\})$/;
        my $why;

        if ($value && $real =~ /^\Q$word\E(\{.*\})$/) {
            utf8::encode(my $one = $value);
            utf8::encode(my $other = $1);
            $why = difference(map { $json->decode($_) } $one, $other) and
                return $why;
        } else {
            $why = difference(map { s/\d{4}-\d\d-\d\d +[\d:]+|\d{4,}/NUMBER/gr
                                    =~ s/ +/ /gr =~ s/ $//r } $line, $real)
                and return $why;
        }
    }

    return @out ? "further lines: '$out[0]'" : '';
}

sub difference {
    my ($said, $real, $at) = @_;

    $at //= '';

    return "$at: another kind" if ref $said ne ref $real;

    if (ref $said eq 'HASH') {
        my @keys = grep { exists $said->{$_} xor exists $real->{$_} }
                   sort keys %{{%$said, %$real}};

        return "$at.$keys[0] is only in the "
               . (exists $said->{$keys[0]} ? 'page' : 'answer') if @keys;

        for my $key (sort keys %$said) {
            my $why = difference($said->{$key}, $real->{$key}, "$at.$key");

            return $why if $why ne '';
        }

        return '';
    }

    if (ref $said eq 'ARRAY') {
        return "$at: " . @$real . ' elements' if @$said != @$real;

        for my $n (0 .. $#$said) {
            my $why = difference($said->[$n], $real->[$n], "$at\[$n]");

            return $why if $why ne '';
        }

        return '';
    }

    my ($one, $other) = map { $_ // 'null' } $said, $real;

    return '' if mask($one) eq mask($other);

    my $pattern = join '.*', map { quotemeta } split /…/, mask($one), -1;

    return '' if $one =~ /…/ && mask($other) =~ /\A$pattern\z/s;
    return "$at: '$one' is printed, '$other' comes";
}

# What differs from run to run.
sub mask {
    return $_[0] =~ s/\b(room|evt|ws|med)-[0-9a-z]{20,}/$1-ID/gr
                 =~ s/\b\d{4}-\d\d-\d\dT[\d:.]+Z/TIME/gr
                 =~ s/\b[0-9a-f]{16,64}\b/HEX/gr
                 =~ s/\A\d{7,}\z/NUMBER/r;
}

1;
