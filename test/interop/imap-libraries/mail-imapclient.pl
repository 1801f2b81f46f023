# Mail::IMAPClient, which imapsync and many scripts are built on.
use strict;
use warnings FATAL => 'all';
use FindBin;
use lib $FindBin::Bin;
use Expect;
use Mail::IMAPClient;
use IO::Socket::SSL;

my $server = server();
my $imap = Mail::IMAPClient->new(
    Server => $server->{host}, Port => $server->{port}, User => $server->{user}, Password => $server->{password}, Uid => 1,
    Ssl => [SSL_ca_file => $server->{ca}, SSL_verifycn_scheme => 'none', SSL_verify_mode => SSL_VERIFY_PEER],
) or die "login: $@";

my $box = 'Perl (client) "x" \\ y';
expect('separator', $imap->separator, '/');
expect('create', $imap->create($box) ? 1 : 0, 1);
expect('exists', $imap->exists($box) ? 1 : 0, 1);
expect('subscribe', $imap->subscribe($box) ? 1 : 0, 1);
expect('folders', [grep { $_ eq $box } $imap->folders], [$box]);
expect('subscribed', [grep { $_ eq $box } $imap->subscribed], [$box]);
my ($sent) = grep { $_->{name} eq 'Sent' } @{$imap->folders_hash};
expect('attributes', $sent->{attrs}, ['\\HasNoChildren', '\\Sent']);

my $parts = join "\r\n", 'From: "Bob \\"B\\"" <bob@beta.test>', 'To: alice@alpha.test', 'Subject: Hello', ' World', 'Message-ID: <1@beta.test>',
    'Date: Tue, 3 Nov 2020 23:30:00 -0800', 'Content-Type: multipart/mixed; boundary=b', '', '--b', '', 'one', '--b',
    'Content-Type: application/x-foo; name="a(b).bin"', 'Content-Transfer-Encoding: base64', 'Content-ID: <cid>', 'Content-Description: "quoted"', '', 'AAEC',
    '--b', 'Content-Type: message/rfc822', '', 'From: in@beta.test', 'Subject: inner', '', 'body in', '--b--', '';
expect('append', $imap->append($box, $parts), 1);
expect('append with flags', $imap->append_string($box, "Subject: two\r\nDate: Mon, 2 Nov 2020 10:00:00 +0000\r\n\r\nbody two\r\n", '\\Seen $Forwarded', '03-Nov-2020 10:00:00 +0100'), 2);
expect('append', $imap->append($box, "Subject: three\r\nReferences: <1\@beta.test>\r\nDate: Wed, 4 Nov 2020 10:00:00 +0000\r\n\r\nbody three\r\n"), 3);
expect('select', $imap->select($box) ? 1 : 0, 1);
expect('counts', [$imap->message_count, $imap->unseen_count, $imap->uidnext($box)], [3, 2, 4]);
expect('unseen', [$imap->unseen], [1, 3]);
expect('header', [$imap->subject(1), $imap->get_header(1, 'Message-Id')], ['Hello World', '<1@beta.test>']);
expect('headers', $imap->parse_headers(1, 'Subject', 'None'), { Subject => ['Hello World'] });
expect('whole', $imap->message_string(1), $parts);
expect('parts', [$imap->bodypart_string(1, 1), $imap->bodypart_string(1, '3.TEXT'), $imap->body_string(2)], ['one', 'body in', "body two\r\n"]);
expect('flags', [grep { $_ ne '\\Recent' } sort $imap->flags(2)], ['$Forwarded', '\\Seen']);
expect('date', $imap->internaldate(2), ' 3-Nov-2020 09:00:00 +0000');
expect('size', $imap->size(1), length $parts);
my $envelope = $imap->get_envelope(1);
expect('envelope', [$envelope->subject, $envelope->from_addresses], ['Hello World', 'Bob \\"B\\" <bob@beta.test>']);
expect('structure', [$imap->get_bodystructure(1)->parts], ['1', '2', '3', '3.HEAD', '3.1']);
expect('search', [$imap->search('SUBJECT', \'hello', 'SEEN')], [1]);
expect('search by date', [$imap->search('BEFORE 4-Nov-2020')], [2]);
expect('search for nothing', scalar(@{$imap->search('BODY', $imap->Quote('nothing')) || []}), 0);
expect('sort', [$imap->sort('REVERSE SUBJECT', 'UTF-8', 'ALL')], [2, 3, 1]);
expect('thread', $imap->thread('REFERENCES', 'UTF-8', 'ALL'), [[2], [1, 3]]);
my $fetched = $imap->fetch_hash('UID', 'FLAGS', 'INTERNALDATE', 'RFC822.SIZE', 'ENVELOPE', 'BODYSTRUCTURE', 'BODY[HEADER.FIELDS (Subject)]');
expect('fetched', [map { $fetched->{$_}{'BODY[HEADER.FIELDS (SUBJECT)]'} // $fetched->{$_}{'BODY[HEADER.FIELDS (Subject)]'} } 1, 3], ["Subject: Hello\r\n World\r\n\r\n", "Subject: three\r\n\r\n"]);
expect('see', $imap->see(3) ? 1 : 0, 1);
expect('deny', $imap->deny_seeing(3) ? 1 : 0, 1);
expect('keyword', ($imap->set_flag('Custom', 1) && $imap->unset_flag('Custom', [1])) ? 1 : 0, 1);
expect('copy', $imap->copy('Archive', 1, 2) ? 1 : 0, 1);
expect('move', ($imap->move('Trash', 1) && $imap->expunge) ? 1 : 0, 1);
expect('delete', ($imap->delete_message(2) && $imap->uidexpunge(2)) ? 1 : 0, 1);
expect('left', [$imap->messages], [3]);
my $tag = $imap->idle or die "idle: $@";
expect('idle', $imap->done($tag) ? 1 : 0, 1);
expect('close', $imap->close ? 1 : 0, 1);
expect('rename', $imap->rename($box, "$box/below") ? 1 : 0, 0);
expect('rename', ($imap->rename($box, 'Perl new') && $imap->delete('Perl new')) ? 1 : 0, 1);
expect('logout', $imap->logout ? 1 : 0, 1);
