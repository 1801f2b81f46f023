/** Compares what DNS says about a domain of ours with what it should say. */
import { ipOctets } from '#formats/dns/ip-text.ts'
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

/** null: records of this type are not looked at. */
async function compare({ name, type, value }: DnsRecord, resolver: RecordResolver): Promise<Comparison | null> {
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
    default:
      return null
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
  return type !== 'MX' && type !== 'A' && type !== 'AAAA' && type !== 'TXT'
}

const isOff = ({ type, value }: DnsRecord) => type === 'SRV' && value.endsWith(' .')

const SIGN = 'sign the zone with DNSSEC and have its DS record published by the domain above it'

/** Looks at one record. null: nothing is known about this type. */
export async function diagnose(record: DnsRecord, resolver: RecordResolver): Promise<Diagnosis | null> {
  const found = await compare(record, resolver)
  if (found === null) return null
  const { answer, texts, isThere, remark } = found
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
    // Clients that find nothing guess, and find nothing.
    return said(isOff(record) && texts.length === 0 ? 'note' : 'wrong', there, publish)
  }
  if (!answer.secure && needsProof(record)) return said('wrong', 'there, but not secured by DNSSEC', SIGN)
  return remark === undefined ? said('ok', 'as it should be', null) : said('note', remark, null)
}
