/** Messages as APPEND takes them, odd in every way that a client must get back octet for octet. */
import type { Letter } from './letters.ts'

const head = (name: string, ...more: readonly string[]) =>
  [
    `From: Odd <odd@beta.test>`,
    'To: alice@alpha.test',
    `Message-ID: <${name}@odd.test>`,
    `Subject: Odd ${name}`,
    ...more,
  ]
    .map((line) => `${line}\r\n`)
    .join('')

const everyOctet = Buffer.from(
  Array.from({ length: 255 }, (_, octet) => octet + 1).filter((octet) => octet !== 10 && octet !== 13),
)

const attachment = (octets: number) => Buffer.alloc(octets, 'Letterlock').toString('base64').replace(/.{76}/g, '$&\r\n')

const contents: Readonly<Record<string, string | Buffer>> = {
  'empty-body': `${head('empty-body')}\r\n`,
  'no-final-crlf': `${head('no-final-crlf')}\r\nends without an end of line`,
  'raw-8bit': Buffer.concat([
    Buffer.from(head('raw-8bit', 'X-Raw: \xe4\xf6\xfc\xff'), 'latin1'),
    Buffer.from('\r\n'),
    everyOctet,
    Buffer.from('\r\n'),
  ]),
  'utf-8-header': `${head('utf-8-header', 'X-Greeting: Grüße ✉ 信')}\r\nGrüße\r\n`,
  'long-lines': `${head('long-lines', `X-Long: ${'h'.repeat(5000)}`)}\r\n${'x'.repeat(70_000)}\r\nshort\r\n`,
  'huge-header': `${head('huge-header', ...Array.from({ length: 1500 }, (_, index) => `X-Field-${index}: ${'v'.repeat(60)}`))}\r\nbody\r\n`,
  folded: `${head('folded', 'References: <a@odd.test>', '\t<b@odd.test>', '  <c@odd.test>')}\r\nfolded\r\n`,
  'no-colon': `${head('no-colon', 'this line is no field')}\r\nbody\r\n`,
  'from-and-dots': `${head('from-and-dots')}\r\nFrom here on\r\n>From there\r\n.\r\n..\r\n\r\n\r\n`,
  'crlf-only-body': `${head('crlf-only-body')}\r\n\r\n\r\n\r\n`,
  'literal-like': `${head('literal-like')}\r\n{12}\r\n* 1 EXPUNGE\r\nA1 OK done\r\n)\r\n`,
  attachment: `${head('attachment', 'MIME-Version: 1.0', 'Content-Type: multipart/mixed; boundary="b"')}\r\n--b\r\nContent-Type: text/plain\r\n\r\nSee there.\r\n--b\r\nContent-Type: application/octet-stream; name="big.bin"\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename="big.bin"\r\n\r\n${attachment(900_000)}\r\n--b--\r\n`,
  'unclosed-multipart': `${head('unclosed-multipart', 'MIME-Version: 1.0', 'Content-Type: multipart/mixed; boundary="gone"')}\r\n--gone\r\n\r\nno end`,
}

export const ODD_LETTERS: readonly Letter[] = Object.entries(contents).map(([name, content]) => ({
  name,
  content: Buffer.isBuffer(content) ? content : Buffer.from(content),
}))
