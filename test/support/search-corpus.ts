/**
 * Odd messages together with what they say, put together from the clear side: so who searches them can be compared with somebody who
 * never decoded anything. The same seed makes the same messages.
 */
import fc from 'fast-check'
import { formatDate } from '#formats/message/date.ts'
import { formatParameter } from '#formats/message/encoded-word.ts'
import { encodeIn } from './encoders.ts'

export interface CorpusMessage {
  readonly octets: Buffer
  /** Lower-case names with their decoded values. */
  readonly fields: readonly (readonly [name: string, text: string])[]
  /** Text parts, and fields of parts, each a text of its own. */
  readonly bodies: readonly string[]
  /** Of the Date field: milliseconds since the epoch, and minutes east of UTC; null: it has none. */
  readonly sent: readonly [time: number, offset: number] | null
  /** Milliseconds since the epoch, to the second. */
  readonly internalDate: number
  readonly flags: readonly string[]
}

/** Each holds what some search trips over: case, accents, scripts without blanks, ligatures, what looks like syntax. */
export const PHRASES = [
  'Lunch at noon',
  'the usual PLACE',
  'Grüße aus der Straße',
  'naïve café crème',
  'Cre\u0300me BRU\u0302LE\u0301E',
  '日本語の件名',
  '東京都の天気予報',
  '会议记录 中文',
  '안녕하세요 세계',
  'Привет, мир',
  'Ελλάδα ΣΊΣΥΦΟΣ',
  'ﬁne oﬃce',
  'İstanbul ISPARTA',
  'Ｆｕｌｌ width',
  'a=b; c_d? =e',
  '100% "quoted" \\ back',
  'emoji 😀 here',
  'שלום עולם',
  'x',
]

const CHARSETS = ['utf-8', 'iso-8859-1', 'koi8-r', 'shift_jis', 'gbk', 'big5', 'euc-kr', 'iso-8859-7', 'windows-1255']

const phrase = fc.constantFrom(...PHRASES)
const line = fc.array(phrase, { minLength: 1, maxLength: 2 }).map((phrases) => phrases.join(' '))
const charset = fc.constantFrom(...CHARSETS)

/** The first of them that has all characters. */
function encoded(text: string, wanted: string): { charset: string; octets: Buffer } {
  const octets = encodeIn(wanted, text)
  return octets ? { charset: wanted, octets } : { charset: 'utf-8', octets: Buffer.from(text) }
}

interface Field {
  readonly name: string
  readonly raw: Buffer
  readonly clear: string
}

const plain = (name: string, value: string): Field => ({ name, raw: Buffer.from(value), clear: value })

type Manner = 'raw' | 'B' | 'Q' | 'folded'

/** RFC 2047 words, each of some characters. */
function encodedWords(text: string, wanted: string, manner: 'B' | 'Q' | 'folded'): string {
  const chars = [...text]
  const words: string[] = []
  for (let at = 0; at < chars.length; at += 9) {
    const { charset, octets } = encoded(chars.slice(at, at + 9).join(''), wanted)
    const q = [...octets].map((octet) => `=${octet.toString(16).toUpperCase().padStart(2, '0')}`).join('')
    words.push(manner === 'B' ? `=?${charset}?B?${octets.toString('base64')}?=` : `=?${charset}?Q?${q}?=`)
  }
  return words.join(manner === 'folded' ? '\r\n\t' : ' ')
}

const manner = fc.constantFrom<Manner>('raw', 'B', 'Q', 'folded')

/** Words are told in one charset each: a character between two words would be cut. */
const field = (name: string): fc.Arbitrary<Field> =>
  fc.tuple(line, manner, charset).map(([text, how, wanted]) => ({
    name,
    raw: Buffer.from(how === 'raw' ? text : encodedWords(text, wanted, how)),
    clear: text,
  }))

const person = (name: string): fc.Arbitrary<Field> =>
  fc
    .tuple(phrase, fc.constantFrom('ada', 'bob', 'carol'), fc.constantFrom<Manner>('B', 'Q'), charset)
    .map(([shown, local, how, wanted]) => ({
      name,
      raw: Buffer.from(`${encodedWords(shown, wanted, how as 'B' | 'Q')} <${local}@corpus.test>`),
      clear: `${shown} <${local}@corpus.test>`,
    }))

interface Entity {
  readonly fields: readonly Field[]
  readonly body: Buffer
  readonly texts: readonly string[]
}

function lines(base64: string): string {
  return base64.replace(/.{76}/g, '$&\r\n')
}

/** Every octet but line ends as `=XX`, with soft line breaks (RFC 2045 §6.7). */
function quotedPrintable(octets: Buffer): string {
  let written = ''
  let column = 0
  for (const octet of octets) {
    if (octet === 10 || octet === 13) {
      written += String.fromCharCode(octet)
      column = 0
      continue
    }
    if (column > 66) {
      written += '=\r\n'
      column = 0
    }
    written += `=${octet.toString(16).toUpperCase().padStart(2, '0')}`
    column += 3
  }
  return written
}

const text: fc.Arbitrary<Entity> = fc
  .tuple(
    fc.array(line, { minLength: 1, maxLength: 4 }),
    fc.constantFrom('plain', 'html'),
    fc.constantFrom('8bit', 'base64', 'quoted-printable'),
    charset,
  )
  .map(([paragraphs, subtype, encoding, wanted]) => {
    const clear = paragraphs.join('\r\n')
    const { charset: named, octets } = encoded(clear, wanted)
    const body =
      encoding === '8bit'
        ? octets
        : Buffer.from(encoding === 'base64' ? lines(octets.toString('base64')) : quotedPrintable(octets))
    const fields = [
      plain('Content-Type', `text/${subtype}; charset=${named}`),
      plain('Content-Transfer-Encoding', encoding),
    ]
    return { fields, body, texts: [clear] }
  })

/** A Content-Disposition: the name in encoded words, which is wrong but usual, or by RFC 2231, where it is looked at twice. */
function namedAs(name: string, wanted: string | null): Field {
  if (wanted !== null) {
    const raw = Buffer.from(`attachment; filename="${encodedWords(name, wanted, 'B')}"`)
    return { name: 'Content-Disposition', raw, clear: `attachment; filename="${name}"` }
  }
  const raw = `attachment; ${formatParameter('filename', name)}`
  const clear = raw.includes('*') ? `${raw}\nfilename="${name}"` : raw
  return { name: 'Content-Disposition', raw: Buffer.from(raw), clear }
}

const attachment: fc.Arbitrary<Entity> = fc.tuple(phrase, fc.option(charset)).map(([name, wanted]) => ({
  fields: [
    plain('Content-Type', 'application/octet-stream'),
    plain('Content-Transfer-Encoding', 'base64'),
    namedAs(name, wanted),
  ],
  body: Buffer.from(Buffer.from('Lunch in an attachment is no text').toString('base64')),
  texts: [],
}))

function written({ fields, body }: Entity): Buffer {
  const head = fields.flatMap(({ name, raw }) => [Buffer.from(`${name}: `), raw, Buffer.from('\r\n')])
  return Buffer.concat([...head, Buffer.from('\r\n'), body])
}

/** All that a search in a body finds of a part that stands in another. */
const asPart = ({ fields, texts }: Entity) => [
  ...fields.map(({ name, clear }) => `${name.toLowerCase()}: ${clear}`),
  ...texts,
]

const multipart = (part: fc.Arbitrary<Entity>, boundary: string): fc.Arbitrary<Entity> =>
  fc.tuple(fc.constantFrom('mixed', 'alternative'), fc.array(part, { minLength: 1, maxLength: 3 })).map(
    ([subtype, parts]): Entity => ({
      fields: [plain('Content-Type', `multipart/${subtype}; boundary="${boundary}"`)],
      body: Buffer.concat([
        ...parts.flatMap((one) => [Buffer.from(`--${boundary}\r\n`), written(one), Buffer.from('\r\n')]),
        Buffer.from(`--${boundary}--\r\n`),
      ]),
      texts: parts.flatMap(asPart),
    }),
  )

const enclosed = (inner: fc.Arbitrary<Entity>): fc.Arbitrary<Entity> =>
  fc.tuple(field('Subject'), person('From'), inner).map(([subject, from, entity]) => {
    const message = { ...entity, fields: [from, subject, ...entity.fields] }
    return { fields: [plain('Content-Type', 'message/rfc822')], body: written(message), texts: asPart(message) }
  })

const entity: fc.Arbitrary<Entity> = fc.oneof(
  { weight: 3, arbitrary: text },
  multipart(fc.oneof(text, attachment), 'one'),
  multipart(fc.oneof(text, attachment, enclosed(text), multipart(text, 'two')), 'three'),
)

/** 2026-10-01, and fifty days from there. */
const FIRST = Date.UTC(2026, 9, 1)
const second = fc.integer({ min: 0, max: 50 * 86_400 - 1 }).map((passed) => FIRST + passed * 1000)

const FLAGS = ['\\Seen', '\\Answered', '\\Flagged', '\\Deleted', '\\Draft', '$Junk', 'Work']

const message: fc.Arbitrary<CorpusMessage> = fc
  .record({
    sent: fc.option(fc.tuple(second, fc.constantFrom(0, 60, -300, 540)), { freq: 5 }),
    internalDate: second,
    flags: fc.subarray(FLAGS),
    from: person('From'),
    to: person('To'),
    optional: fc.subarray(['Cc', 'Subject', 'X-Odd']).chain((names) => {
      const arbitraries = names.map((name) => (name === 'Cc' ? person(name) : field(name)))
      return fc.tuple(...arbitraries)
    }),
    id: fc.nat(),
    entity,
  })
  .map(({ sent, internalDate, flags, from, to, optional, id, entity }) => {
    const date = sent ? [plain('Date', formatDate(...sent))] : []
    const own = [
      ...date,
      from,
      to,
      ...optional,
      plain('Message-ID', `<${id}@corpus.test>`),
      plain('MIME-Version', '1.0'),
    ]
    const whole = { ...entity, fields: [...own, ...entity.fields] }
    return {
      octets: written(whole),
      fields: whole.fields.map(({ name, clear }) => [name.toLowerCase(), clear] as const),
      bodies: entity.texts,
      sent,
      internalDate,
      flags,
    }
  })

export function searchCorpus(count: number, seed: number): readonly CorpusMessage[] {
  return fc.sample(message, { numRuns: count, seed })
}
