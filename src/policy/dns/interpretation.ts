/** What a resolver's message says about one name and type: pure. */
import { type DnsMessage, RCODES } from '#formats/dns/dns-message.ts'
import type { RecordContent, ResourceRecord, TypeName } from '#formats/dns/record.ts'
import type { DnsAnswer } from './resolver.ts'

/** A resolver follows aliases itself; we only find the end of what it wrote down. */
const ALIASES_CAP = 16
const TTL_CAP = 86_400
/** RFC 2308 §5 asks for no more than hours; for mail a name that appears should soon be seen. */
const NEGATIVE_TTL_CAP = 900

type Among<C, T> = C extends { readonly type: infer U } ? (T extends U ? C : never) : never
export type ContentOf<T extends TypeName> = Among<RecordContent, T>

/** null: it is no answer (SERVFAIL, REFUSED ...). `secure` is whether AD was set and may be believed. */
export function interpret<T extends TypeName>(
  message: DnsMessage,
  name: string,
  type: T,
  secure: boolean,
): DnsAnswer<ContentOf<T>> | null {
  if (message.rcode === RCODES.NXDOMAIN) return { kind: 'nxdomain', secure, ttl: negativeTtl(message) }
  if (message.rcode !== RCODES.NOERROR) return null
  const { owner, ttl } = endOfAliases(message.answers, name, type)
  const found = message.answers.filter((record) => record.content.type === type && isNamed(record, owner))
  if (found.length === 0) return { kind: 'answer', secure, records: [], ttl: negativeTtl(message) }
  return {
    kind: 'answer',
    secure,
    records: found.map((record) => record.content as unknown as ContentOf<T>),
    ttl: Math.min(ttl, ...found.map((record) => record.ttl)),
  }
}

const isNamed = (record: ResourceRecord, name: string) => record.name.toLowerCase() === name

function endOfAliases(answers: readonly ResourceRecord[], name: string, type: TypeName) {
  let owner = name.toLowerCase()
  let ttl = TTL_CAP
  for (let step = 0; step < ALIASES_CAP; step++) {
    if (answers.some((record) => record.content.type === type && isNamed(record, owner))) break
    const alias = answers.find((record) => record.content.type === 'CNAME' && isNamed(record, owner))
    if (alias?.content.type !== 'CNAME') break
    owner = alias.content.target.toLowerCase()
    ttl = Math.min(ttl, alias.ttl)
  }
  return { owner, ttl }
}

/** RFC 2308 §5 */
function negativeTtl({ authority }: DnsMessage): number {
  const soa = authority.find((record) => record.content.type === 'SOA')
  if (soa?.content.type !== 'SOA') return 0
  return Math.min(NEGATIVE_TTL_CAP, soa.ttl, soa.content.minimum)
}
