# What the Perl scripts share: warnings are errors, and what is not as expected is told and ends with status 1.
package Expect;
use strict;
use warnings;
use Exporter 'import';
use JSON::PP;
our @EXPORT = qw(expect server);

my $failures = 0;

sub shown {
    my $text = JSON::PP->new->canonical->allow_nonref->allow_blessed->encode($_[0]);
    $text =~ s{"(\d+)"}{$1}g;
    return $text;
}

sub expect {
    my ($what, $got, $wanted) = @_;
    return if shown($got) eq shown($wanted);
    $failures++;
    print STDERR "$what: got ", shown($got), ', wanted ', shown($wanted), "\n";
}

# The file that the first argument names: host, port, user, password, ca.
sub server {
    open my $file, '<', $ARGV[0] or die "$ARGV[0]: $!";
    local $/;
    return decode_json(<$file>);
}

END { $? = 1 if $failures > 0 }

1;
