/** Compares what DNS says about a domain of ours with what it should say. */
import { ipOctets } from '#formats/dns/ip-text.ts'
import { parseCertificate } from '#formats/openpgp/certificate.ts'
import { MalformedOpenPgp } from '#formats/openpgp/openpgp.ts'
import { type DnsAnswer, type RecordResolver, type Security, securityOf } from '#policy/dns/resolver.ts'
import type { DnsRecord } from './domain-records.ts'

/** `note`: works, but somebody may want to know. */
export interface Diagnosis {
  readonly state: 'ok' | 'note' | 'wrong'
  readonly what: string
  /** null where it is not about DNS. */
  readonly security: Security | null
  readonly found: string
  /** What to do; null when there is nothing. */
  readonly fix: string | null
}

/** The answer as texts of one form, and whether the record is among them. */
interface Comparison {
  readonly answer: DnsAnswer<unknown>
  readonly texts: readonly string[]
  readonly isThere: boolean
  /** A remark about what else is there, or is different. */
  readonly remark?: string
}

const lower = (name: string) => name.replace(/\.$/, '').toLowerCase()

function compared<R>(answer: DnsAnswer<R>, spell: (record: R) => string, wanted: string): Comparison {
  const texts = answer.kind === 'answer' ? answer.records.map(spell) : []
  return { answer, texts, isThere: texts.includes(wanted) }
}

async function compare({ name, type, value }: DnsRecord, resolver: RecordResolver): Promise<Comparison> {
  const owner = lower(name)
  switch (type) {
    case 'MX': {
      const host = lower(value.split(' ')[1] ?? '')
      const found = compared(await resolver.mx(owner), ({ exchange }) => exchange, host)
      const others = found.texts.filter((one) => one !== host)
      return others.length === 0 ? found : { ...found, remark: `mail also goes to ${others.join(', ')}` }
    }
    case 'A':
    case 'AAAA': {
      const family = type === 'A' ? 4 : 6
      const wanted = ipOctets(value, family).toString('hex')
      const answer = await resolver.addresses(owner)
      const hex = (ip: string) => ipOctets(ip, ip.includes(':') ? 6 : 4).toString('hex')
      return { ...compared(answer, hex, wanted), texts: answer.kind === 'answer' ? answer.records : [] }
    }
    case 'TXT':
      return compareText(await resolver.txt(owner), value.replace(/^"|"$/g, '').replaceAll('" "', ''))
    case 'SRV': {
      const [, , port, target = ''] = value.split(' ')
      const spell = (host: string, number: number | string) => (host === '' ? 'not offered' : `${host}:${number}`)
      const answer = await resolver.srv(owner)
      return compared(answer, (one) => spell(one.target, one.port), spell(lower(target), port ?? ''))
    }
    case 'TLSA': {
      const spell = [0, 1, 2]
      const wanted = value.toLowerCase().split(' ')
      return compared(
        await resolver.tlsa(owner),
        ({ usage, selector, matching, association }) =>
          [usage, selector, matching, association.toString('hex')].join(' '),
        [...spell.map((at) => wanted[at]), wanted.slice(3).join('')].join(' '),
      )
    }
    case 'OPENPGPKEY':
      return compared(await resolver.openpgpkey(owner), fingerprintOf, fingerprintOf(Buffer.from(value, 'base64')))
    case 'CNAME': {
      const [answer, wanted] = await Promise.all([resolver.addresses(owner), resolver.addresses(lower(value))])
      const texts = answer.kind === 'answer' ? answer.records : []
      const isThere = wanted.kind === 'answer' && texts.some((ip) => wanted.records.includes(ip))
      return { answer, texts, isThere }
    }
  }
}

function fingerprintOf(certificate: Buffer): string {
  try {
    return parseCertificate(certificate).fingerprint
  } catch (error) {
    if (error instanceof MalformedOpenPgp) return 'no certificate'
    throw error
  }
}

/** SPF and DMARC are policies of the domain: that there is exactly one counts, what it says is its owner's. */
function compareText(answer: DnsAnswer<string>, wanted: string): Comparison {
  const tag = /^v=(spf1|DMARC1)\b/i.exec(wanted)?.[0].toLowerCase()
  const found = compared(answer, (text) => text, wanted)
  if (tag === undefined) return found
  const policies = found.texts.filter((text) => text.toLowerCase().startsWith(tag))
  const [only, another] = policies
  if (another !== undefined) return { ...found, texts: policies, isThere: false }
  const differs = only !== undefined && only !== wanted
  return {
    answer,
    texts: policies,
    isThere: only !== undefined,
    ...(differs ? { remark: `it says "${only}", where "${wanted}" is our advice` } : {}),
  }
}

/** Useless, or dangerous to follow, unless DNSSEC proves them: RFC 7672 §2.2, RFC 7929 §5, and the keyservers of discovery. */
function needsProof({ name, type }: DnsRecord): boolean {
  if (type === 'SRV') return /^_(hkps?|pgpkey-https?)\._tcp\./.test(name)
  return type === 'TLSA' || type === 'OPENPGPKEY'
}

/** Nobody needs to be told of what is off, and there are other ways to find a certificate. */
const isOptional = ({ type, value }: DnsRecord) =>
  type === 'OPENPGPKEY' || type === 'CNAME' || (type === 'SRV' && value.endsWith(' .'))

const SIGN = 'sign the zone with DNSSEC and have its DS record published by the domain above it'

/** Looks at one record. */
export async function diagnose(record: DnsRecord, resolver: RecordResolver): Promise<Diagnosis> {
  const { answer, texts, isThere, remark } = await compare(record, resolver)
  const what = `${lower(record.name)} ${record.type}`
  const security = securityOf(answer)
  const said = (state: Diagnosis['state'], text: string, fix: string | null) => ({
    state,
    what,
    security,
    found: text,
    fix,
  })
  if (answer.kind === 'bogus')
    return said('wrong', 'bogus: DNSSEC refutes it', 'sign the zone anew, and compare its DS record with its keys')
  if (answer.kind === 'temporary')
    return said('wrong', `no answer (${answer.why})`, "see whether the domain's name servers and the resolver run")
  const publish = `publish: ${record.name} IN ${record.type} ${record.value}`
  if (!isThere) {
    const there = texts.length === 0 ? 'missing' : `different: ${texts.join(', ')}`
    return said(isOptional(record) && texts.length === 0 ? 'note' : 'wrong', there, publish)
  }
  if (!answer.secure && needsProof(record)) return said('wrong', 'there, but not secured by DNSSEC', SIGN)
  return remark === undefined ? said('ok', 'as it should be', null) : said('note', remark, null)
}
