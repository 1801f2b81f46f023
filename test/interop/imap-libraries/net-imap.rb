# Ruby's Net::IMAP: its parser follows the grammar to the letter and raises where a response does not.
require 'json'
require 'net/imap'

SERVER = JSON.parse(File.read(ARGV[0]))
$failures = 0

def expect(what, got, wanted)
  return if got == wanted

  $failures += 1
  warn "#{what}: got #{got.inspect}, wanted #{wanted.inspect}"
end

def refused(what, code)
  yield
  expect(what, 'OK', code)
rescue Net::IMAP::NoResponseError => e
  expect(what, e.response.data.code&.name, code)
end

imap = Net::IMAP.new(SERVER['host'], port: SERVER['port'], ssl: { ca_file: SERVER['ca'], verify_hostname: false })
expect('before login', imap.greeting.data.code.name, 'CAPABILITY')
refused('wrong password', 'AUTHENTICATIONFAILED') { imap.login(SERVER['user'], 'wrong') }
imap.authenticate('PLAIN', SERVER['user'], SERVER['password'])
expect('capability', imap.capability.include?('IMAP4REV1'), true)
expect('id', imap.id('name' => 'Net::IMAP', 'version' => nil), 'name' => 'Letterlock') if imap.respond_to?(:id)
expect('namespace', imap.namespace.personal.map { |one| [one.prefix, one.delim] }, [['', '/']])

box = Net::IMAP.encode_utf7('Röhre & Co')
imap.create(box)
imap.subscribe(box)
expect('list', imap.list('', "#{box[0]}*").map { |one| [one.name, one.delim, one.attr] }, [[box, '/', [:Hasnochildren]]])
expect('special use', imap.list('', 'Sent').first.attr, %i[Hasnochildren Sent])
expect('lsub', imap.lsub('', box).map(&:name), [box])

PARTS = [
  'From: =?utf-8?Q?J=C3=BCrgen?= <j@beta.test>', 'To: Team: carol@beta.test, dave@beta.test;, a@alpha.test', "Subject: Gr\u00fc\u00dfe \"q\" \\",
  'Message-ID: <1@beta.test>', 'Date: Tue, 3 Nov 2020 23:30:00 -0800', 'MIME-Version: 1.0', 'Content-Type: multipart/mixed; boundary=b', '',
  '--b', 'Content-Type: text/plain; charset=utf-8; format=flowed', '', "h\u00e4llo", '--b',
  'Content-Type: application/x-foo; name="a(b).bin"', 'Content-Transfer-Encoding: base64', 'Content-ID: <cid>', 'Content-Description: "quoted"',
  "Content-Disposition: attachment; filename*0*=utf-8''na%C3%AFve; filename*1=.bin", 'Content-Language: de, en', 'Content-MD5: abc', '', 'AAEC', '--b',
  'Content-Type: message/rfc822', '', 'From: in@beta.test', 'Subject: inner', 'Content-Type: multipart/alternative; boundary=c', '', '--c', '', 'plain', '--c--', '--b',
  'Content-Type: multipart/digest; boundary=d', '', '--d', '', 'Subject: first', '', 'one', '--d--', '--b--', ''
].join("\r\n")
ODD = "From: Group: a@b, \"C D\" <c@d>;\r\nTo: undisclosed-recipients:;\r\nCc: <>, foo, bad <a@b\r\nSubject:\r\nDate: bogus\r\nMessage-ID:\r\nContent-Type: text\r\n\r\nx\r\n"
appended = imap.append(box, PARTS, [:Seen, '$Forwarded'], Time.utc(2020, 11, 3, 10))
expect('APPENDUID', appended.data.code.name, 'APPENDUID')
imap.append(box, ODD)
refused('append nowhere', 'TRYCREATE') { imap.append('Nix', ODD) }
status = imap.status(box, %w[MESSAGES UIDNEXT UIDVALIDITY UNSEEN])
expect('status', status.values_at('MESSAGES', 'UIDNEXT', 'UNSEEN'), [2, 3, 1])
imap.select(box)
expect('exists', imap.responses['EXISTS'].last, 2)
expect('UIDNEXT', imap.responses['UIDNEXT'].last, 3)

items = %w[UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY]
first, second = imap.fetch(1..-1, items).map(&:attr)
expect('size', first['RFC822.SIZE'], PARTS.bytesize)
expect('date', first['INTERNALDATE'].strip, '3-Nov-2020 10:00:00 +0000')
expect('subject', first['ENVELOPE'].subject.b, "Gr\u00fc\u00dfe \"q\" \\".b)
expect('group', first['ENVELOPE'].to.map { |one| [one.mailbox, one.host] }, [['Team', nil], ['carol', 'beta.test'], ['dave', 'beta.test'], [nil, nil], ['a', 'alpha.test']])
expect('parts', first['BODYSTRUCTURE'].parts.map { |part| "#{part.media_type}/#{part.subtype}" }, %w[TEXT/PLAIN APPLICATION/X-FOO MESSAGE/RFC822 MULTIPART/DIGEST])
expect('inside', first['BODYSTRUCTURE'].parts[2].envelope.subject, 'inner')
expect('attachment', first['BODYSTRUCTURE'].parts[1].disposition.param, { 'FILENAME*' => "utf-8''na%C3%AFve.bin" })
expect('empty subject', second['ENVELOPE'].subject, '')
expect('odd', [second['ENVELOPE'].message_id, second['ENVELOPE'].date, second['BODYSTRUCTURE'].media_type], ['', 'bogus', 'TEXT'])
expect('whole', imap.uid_fetch(1, 'BODY.PEEK[]').first.attr['BODY[]'].b, PARTS.b)
expect('piece', imap.fetch(1, 'BODY.PEEK[3.1]<1.3>').first.attr['BODY[3.1]<1>'], 'lai')
expect('fields', imap.fetch(1, 'BODY.PEEK[HEADER.FIELDS (Message-ID)]').first.attr['BODY[HEADER.FIELDS (Message-ID)]'], "Message-ID: <1@beta.test>\r\n\r\n")
expect('MODSEQ', imap.fetch(1, %w[MODSEQ]).first.attr['MODSEQ'].is_a?(Integer), true)
expect('search', imap.search(['SUBJECT', "gr\u00fcsse".b], 'UTF-8'), [1])
expect('search by date', imap.uid_search(%w[BEFORE 4-Nov-2020]), [1])
expect('search with MODSEQ', imap.search(%w[MODSEQ 1]).to_a, [1, 2])
expect('sort', imap.sort(['REVERSE', 'SIZE'], ['ALL'], 'UTF-8'), [1, 2])
expect('thread', imap.uid_thread('REFERENCES', ['ALL'], 'UTF-8').map(&:seqno), [1, 2])
expect('store', imap.store(2, '+FLAGS', [:Flagged, 'foo']).first.attr['FLAGS'].include?(:Flagged), true)
expect('copy', imap.copy(1, 'Archive').data.code.name, 'COPYUID')
imap.uid_move(1, 'Trash')
expect('COPYUID', imap.responses['COPYUID'].length, 1)
imap.store(1, '+FLAGS.SILENT', [:Deleted])
# Before, they hold those of the move.
imap.responses.clear
expect('expunge', imap.expunge, [1])
expect('quota', imap.getquotaroot('INBOX').first.mailbox, 'INBOX')
imap.close
imap.rename(box, 'Rohr')
refused('rename what is not', 'NONEXISTENT') { imap.rename(box, 'Rohr') }
refused('make it twice', 'ALREADYEXISTS') { imap.create('Rohr') }
imap.delete('Rohr')
imap.logout
imap.disconnect
exit($failures.zero?)
