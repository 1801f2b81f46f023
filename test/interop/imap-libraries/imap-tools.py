"""imap-tools over Python's own imaplib: names in modified UTF-7, criteria in UTF-8, decoded messages."""

import datetime
import json
import ssl
import sys

from imap_tools import AND, NOT, OR, H, MailBox, MailMessageFlags

server = json.load(open(sys.argv[1]))
failures = 0


def expect(what, got, wanted):
    global failures
    if got != wanted:
        failures += 1
        print(f'{what}: got {got!r}, wanted {wanted!r}', file=sys.stderr)


PARTS = '\r\n'.join([
    'From: =?utf-8?Q?J=C3=BCrgen?= <j@beta.test>', 'To: a@alpha.test, Team: c@beta.test;', 'Subject: Grüße', 'Message-ID: <1@beta.test>',
    'Date: Tue, 3 Nov 2020 23:30:00 -0800', 'MIME-Version: 1.0', 'Content-Type: multipart/mixed; boundary=b', '',
    '--b', 'Content-Type: text/plain; charset=utf-8', '', 'hällo', '--b', 'Content-Type: image/png; name=a.png', 'Content-Transfer-Encoding: base64', '',
    'iVBORw0KGgo=', '--b--', '',
]).encode()
BOX = 'Ünï & x'

context = ssl.create_default_context(cafile=server['ca'])
context.check_hostname = False
with MailBox(server['host'], port=server['port'], ssl_context=context).login(server['user'], server['password'], initial_folder=None) as box:
    box.folder.create(BOX)
    expect('exists', box.folder.exists(BOX), True)
    expect('list', [(one.name, one.delim) for one in box.folder.list('', 'Sent')], [('Sent', '/')])
    box.append(PARTS, BOX, dt=datetime.datetime(2020, 11, 3, 10, 0, tzinfo=datetime.timezone.utc), flag_set=(MailMessageFlags.SEEN, '$label1'))
    box.append(b'Subject: two\r\nDate: Wed, 4 Nov 2020 10:00:00 +0000\r\n\r\nbody\r\n', BOX)
    status = box.folder.status(BOX)
    expect('status', [status['MESSAGES'], status['UNSEEN'], status['UIDNEXT']], [2, 1, 3])
    box.folder.set(BOX)
    first, second = list(box.fetch(mark_seen=False))
    expect('uids', [first.uid, second.uid], ['1', '2'])
    expect('subject', first.subject, 'Grüße')
    expect('addresses', [first.from_values.name, first.to], ['Jürgen', ('a@alpha.test', 'c@beta.test')])
    expect('attachment', [one.payload for one in first.attachments], [b'\x89PNG\r\n\x1a\n'])
    expect('flags', sorted(set(first.flags) - {MailMessageFlags.RECENT}), ['$label1', MailMessageFlags.SEEN])
    expect('size', first.size_rfc822, len(PARTS))
    # Its documentation names the charset without a dash.
    expect('search', box.uids(AND(subject='GRÜSSE'), charset='utf8'), ['1'])
    expect('search', box.uids(OR(text='hällo', seen=False), charset='utf-8'), ['1', '2'])
    expect('search', box.uids(AND(NOT(seen=True), size_gt=1, header=H('subject', 'two'))), ['2'])
    expect('search by date', box.uids(AND(keyword='$label1', sent_date=datetime.date(2020, 11, 3), date=datetime.date(2020, 11, 3))), ['1'])
    expect('in bulk', [one.uid for one in box.fetch(bulk=True, headers_only=True, mark_seen=False, reverse=True)], ['2', '1'])
    box.flag(['1', '2'], [MailMessageFlags.FLAGGED, 'x'], True)
    box.flag('1', 'x', False)
    box.copy('1,2', 'Archive')
    box.move('2', 'Trash')
    box.delete(['1'])
    expect('left', box.uids(), [])
    with box.idle:
        pass
    box.folder.rename(BOX, 'Neu/ß')
    box.folder.subscribe('Neu/ß', True)
    expect('subscribed', [one.name for one in box.folder.list('', 'Neu/*', subscribed_only=True)], ['Neu/ß'])
    box.folder.set('INBOX')
    box.folder.delete('Neu/ß')

sys.exit(1 if failures else 0)
