# Mail::IMAPTalk, whose parser takes every response apart.
use strict;
use warnings FATAL => 'all';
use FindBin;
use lib $FindBin::Bin;
use Expect;
use Mail::IMAPTalk;
use IO::Socket::SSL;

my $server = server();
my $socket = IO::Socket::SSL->new(
    PeerAddr => $server->{host}, PeerPort => $server->{port}, SSL_ca_file => $server->{ca}, SSL_verifycn_scheme => 'none', SSL_verify_mode => SSL_VERIFY_PEER,
) or die "connect: $SSL_ERROR";
my $talk = Mail::IMAPTalk->new(
    Socket => $socket, State => Mail::IMAPTalk::Unconnected(), UseBlocking => 1, Uid => 1, Pedantic => 1,
    Username => $server->{user}, Password => $server->{password},
) or die "login: $@";

expect('capability', $talk->capability->{move} ? 1 : 0, 1);
expect('namespace', $talk->namespace, [[['', '/']], undef, undef]);
expect('create', ($talk->create('Talk') && $talk->create('Talk/Below')) ? 1 : 0, 1);
expect('list', scalar $talk->list('', 'Talk*'), [[['\\HasChildren'], '/', 'Talk'], [['\\HasNoChildren'], '/', 'Talk/Below']]);
expect('lsub', scalar $talk->lsub('', 'Sent'), [[[], '/', 'Sent']]);

my $parts = join "\r\n", 'From: =?utf-8?Q?J=C3=BCrgen?= <a@beta.test>', 'To: x@alpha.test, "A, B" <q@alpha.test>, Team: c@alpha.test;', 'Subject: Hello "w" \\',
    'Message-ID: <1@beta.test>', 'Date: Tue, 3 Nov 2020 23:30:00 -0800', 'MIME-Version: 1.0', 'Content-Type: multipart/mixed; boundary=b', '',
    '--b', '', 'one', '--b', 'Content-Type: application/x-foo; name="a(b).bin"', 'Content-Transfer-Encoding: base64', 'Content-ID: <cid>', 'Content-Disposition: inline',
    'Content-Language: de, en', 'Content-Location: http://x/', 'Content-MD5: abc', '', 'AAEC',
    '--b', 'Content-Type: message/rfc822', '', 'From: in@beta.test', 'Subject: inner', '', 'body in', '--b--', '';
expect('append', $talk->append('Talk', '(\\Seen custom)', ' 3-Nov-2020 10:00:00 +0000', { Literal => $parts }) ? 1 : 0, 1);
expect('APPENDUID', $talk->get_response_code('appenduid')->[1], 1);
expect('append', $talk->append('Talk', { Literal => "Subject: two\r\nDate: Wed, 4 Nov 2020 10:00:00 +0000\r\n\r\nbody two\r\n" }) ? 1 : 0, 1);
expect('select', $talk->select('Talk') ? 1 : 0, 1);
expect('codes', [map { $talk->get_response_code($_) } qw(exists uidnext foldermode unseen)], [2, 3, 'read-write', 2]);

my $fetched = $talk->fetch('1:*', '(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE MODSEQ EMAILID THREADID PREVIEW SAVEDATE)');
my $first = $fetched->{1};
expect('size and date', [$first->{'rfc822.size'}, $first->{internaldate}], [length $parts, ' 3-Nov-2020 10:00:00 +0000']);
expect('envelope', [@{$first->{envelope}}{qw(Subject Message-ID)}], ['Hello "w" \\', '<1@beta.test>']);
my $attached = $first->{bodystructure}{'MIME-Subparts'}[1];
expect('attachment', [@{$attached}{qw(Content-ID Content-MD5 Content-Language Content-Location Disposition-Type)}, $attached->{'Content-Type'}{name}],
    ['<cid>', 'abc', ['de', 'en'], 'http://x/', 'inline', 'a(b).bin']);
expect('message inside', $first->{bodystructure}{'MIME-Subparts'}[2]{'Message-Envelope'}{Subject}, 'inner');
expect('preview', $fetched->{2}{preview}, 'body two');
expect('whole', $talk->fetch('1', 'body[]')->{1}{body}, $parts);
expect('decoded', $talk->fetch('1', '(binary.peek[2] binary.size[2])')->{1}{binary}, "\0\1\2");
expect('search', scalar $talk->search('charset', 'utf-8', 'text', { Literal => 'two' }), [2]);
expect('search', scalar $talk->search('header', 'message-id', '<1@beta.test>'), [1]);
expect('sort', scalar $talk->sort('(reverse subject)', 'utf-8', 'all'), [2, 1]);
expect('thread', scalar $talk->thread('references', 'utf-8', 'all'), [[1], [2]]);
expect('store', $talk->store('1', '+flags', '(\\Flagged foo)')->{1}{flags} ? 1 : 0, 1);
expect('copy', $talk->copy('1:2', 'Archive') ? 1 : 0, 1);
expect('COPYUID', scalar @{$talk->get_response_code('copyuid')}, 3);
expect('status', $talk->status('Talk', '(messages unseen uidnext deleted)'), { messages => 2, unseen => 1, uidnext => 3, deleted => 0 });
expect('statuses', $talk->multistatus('(messages)', 'Talk', 'Talk/Below'), { 'Talk' => { messages => 2 }, 'Talk/Below' => { messages => 0 } });
expect('metadata', $talk->setmetadata('Talk', '/private/comment', 'hey') ? 1 : 0, 1);
expect('metadata', $talk->getmetadata('Talk', { depth => 'infinity' }, '/private/comment'), { Talk => { '/private/comment' => 'hey' } });
expect('expunge', ($talk->store('1', '+flags', '\\Deleted') && $talk->expunge) ? 1 : 0, 1);
expect('unselect', $talk->unselect ? 1 : 0, 1);
expect('delete', ($talk->delete('Talk/Below') && $talk->rename('Talk', 'Talk2') && $talk->delete('Talk2')) ? 1 : 0, 1);
expect('no such mailbox', [$talk->select('Nix') ? 1 : 0, $@ =~ /NONEXISTENT/ ? 1 : 0], [0, 1]);
$talk->logout;
