/** Messages for IMAP tests, strictly CRLF. */

const lines = (...all: string[]) => `${all.join('\r\n')}\r\n`

export const PLAIN = lines(
  'Date: Mon, 2 Nov 2026 10:00:00 +0100',
  'From: Bob Miller <bob@beta.test>',
  'To: alice@alpha.test',
  'Subject: Lunch',
  'Message-ID: <1@beta.test>',
  '',
  'Noon at the usual place?',
)

export const MULTIPART = lines(
  'Date: Tue, 3 Nov 2026 23:30:00 -0800',
  'From: =?utf-8?Q?J=C3=BCrgen?= <jurgen@beta.test>',
  'To: alice@alpha.test, Team: carol@beta.test, dave@beta.test;',
  'Cc: "Smith, Eve" <eve@beta.test>',
  'Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?= und Bilder',
  'Message-ID: <2@beta.test>',
  'In-Reply-To: <1@beta.test>',
  'MIME-Version: 1.0',
  'Content-Type: multipart/mixed; boundary="outer"',
  '',
  'preamble',
  '--outer',
  'Content-Type: text/plain; charset=iso-8859-1',
  'Content-Transfer-Encoding: quoted-printable',
  '',
  'Stra=DFe und K=E4se',
  '--outer',
  'Content-Type: image/png; name="a.png"',
  'Content-Transfer-Encoding: base64',
  'Content-Disposition: attachment; filename="a.png"',
  '',
  'iVBORw0KGgo=',
  '--outer',
  'Content-Type: message/rfc822',
  '',
  'From: carol@beta.test',
  'Subject: Inner',
  'Content-Type: multipart/alternative; boundary=inner',
  '',
  '--inner',
  '',
  'plain inside',
  '--inner',
  'Content-Type: text/html; charset=utf-8',
  'Content-Transfer-Encoding: base64',
  '',
  Buffer.from('<b>Überraschung</b>').toString('base64'),
  '--inner--',
  '',
  '--outer--',
  'epilogue',
)

/** Broken on purpose: bare LF, NUL, 8-bit octets in the header, no end of line at the end. */
export const BROKEN = Buffer.concat([
  Buffer.from('Subject: caf'),
  Buffer.from([0xe9]),
  Buffer.from('\nFrom: nobody\nno colon here\n\nbare\nline \0 ends\rhere'),
])
