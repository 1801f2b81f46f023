/** Messages for journeys: the awkward ones that must come back octet for octet. */

export interface Letter {
  readonly name: string
  readonly content: Buffer
}

function letter(name: string, from: string, to: string, lines: readonly (string | Buffer)[]): Letter {
  const head = [
    `From: ${from}`,
    `To: ${to}`,
    `Message-ID: <${name}@journey.test>`,
    'Date: Sun, 22 Nov 2026 08:00:00 +0000',
  ]
  const octets = [...head, ...lines].flatMap((line) => [Buffer.from(line), Buffer.from('\r\n')])
  return { name, content: Buffer.concat(octets) }
}

/** `subject` and `body` are planted in each. */
export function letters(from: string, to: string, subject: string, body: string): Letter[] {
  const plain = ['MIME-Version: 1.0', 'Content-Type: text/plain; charset=utf-8']
  const nested = (depth: number): string[] =>
    depth === 0
      ? ['Content-Type: text/plain', '', body]
      : [
          `Content-Type: multipart/mixed; boundary="level${depth}"`,
          '',
          `--level${depth}`,
          ...nested(depth - 1),
          `--level${depth}--`,
        ]
  return [
    letter('plain', from, to, [`Subject: ${subject}`, ...plain, '', body]),
    letter('dots', from, to, [`Subject: ${subject}`, '', '.', '..', '.dot first', body, '...', '']),
    letter('empty-body', from, to, [`Subject: ${subject} ${body}`, '']),
    letter('umlauts', from, to, [
      'Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=',
      ...plain,
      'Content-Transfer-Encoding: 8bit',
      '',
      `Grüße, ${subject}: ${body} ✉`,
    ]),
    letter('not-utf-8', from, to, [
      Buffer.from(`Subject: ${subject} \xe4\xff`, 'latin1'),
      '',
      Buffer.from(`\xe4\xf6\xfc ${body}`, 'latin1'),
    ]),
    letter('broken-header', from, to, [
      `Subject: ${subject}`,
      'this line is no field',
      ': no name',
      'X-Empty:',
      '',
      body,
    ]),
    letter('long-line', from, to, [`Subject: ${subject}`, '', `${body} ${'x'.repeat(900)}`]),
    letter('nested', from, to, [`Subject: ${subject}`, 'MIME-Version: 1.0', ...nested(20)]),
    letter('from-line', from, to, [`Subject: ${subject}`, '', 'From here on', '>From there', body]),
    letter('large', from, to, [
      `Subject: ${subject}`,
      '',
      ...Array.from({ length: 6000 }, (_, line) => `${line} ${body}`),
    ]),
  ]
}

/** The stored message must end with what was sent; what stands before are the trace fields that servers put on top. */
export function traceOf(stored: Buffer, sent: Buffer): string | null {
  const start = stored.length - sent.length
  return start >= 0 && stored.subarray(start).equals(sent) ? stored.subarray(0, start).toString() : null
}

/** One with canaries in subject and body, and octets beyond ASCII. */
export const CANARY_LETTER = Buffer.from(
  [
    'From: anna@alpha.test',
    'To: bob@beta.test',
    'Subject: canary-subject',
    'Date: Mon, 02 Nov 2026 12:00:00 +0000',
    'Message-ID: <1@alpha.test>',
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: 8bit',
    '',
    'canary-bödy',
    '',
  ].join('\r\n'),
)
