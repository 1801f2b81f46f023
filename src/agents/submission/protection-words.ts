/** What an author is told of a plan: in the reply, in a refusal, and in the fields of the copy in Sent. */
import { type Address, domainOf, formatAddress } from '#formats/message/address.ts'
import { formatField } from '#formats/message/header.ts'
import { type Reply, reply } from '#formats/smtp/reply.ts'
import { DEMAND_FIELD, type Fate } from '#privacy/e2e/e2e.ts'
import type { Plan } from '#privacy/e2e/plan.ts'

const MOST_NAMED = 5
const FIELD = 'Letterlock-Protection'

/** Text of others (DNS, TLS) may be in it. */
const oneLine = (text: string): string => text.replace(/[^\x20-\x7e]+/g, ' ').trim()

const spelled = (address: Address): string => formatAddress({ local: address.local, domain: domainOf(address) })

/** null: nobody is refused. One line for each of the first of them; nothing is sent to anybody. */
export function refusalOf(recipients: readonly Address[], { fates, isSealedAnswer }: Plan): Reply | null {
  const lines = fates.flatMap((fate, index) =>
    fate.kind === 'refused' ? [`${spelled(recipients[index]!)}: ${oneLine(fate.why)}`] : [],
  )
  if (lines.length === 0) return null
  const more = lines.length > MOST_NAMED ? [`and ${lines.length - MOST_NAMED} more`] : []
  return reply(
    550,
    '5.7.1',
    ...lines.slice(0, MOST_NAMED),
    ...more,
    ...(isSealedAnswer ? ANSWER : ['it must be encrypted, so nothing was sent to anybody']),
  )
}

const ANSWER = [
  'it answers a message that came encrypted, so nothing was sent to anybody',
  `to send it in clear all the same, give it the header field ${DEMAND_FIELD}: no`,
]

/** What the positive reply says of the plan, in front of which the queue id stands: empty when all went as it should. */
export function remarkOn({ fates, seals }: Plan): string {
  if (!seals) return ''
  const count = (kind: Fate['kind']) => fates.filter((fate) => fate.kind === kind).length
  const remark = (kind: Fate['kind'], text: string) =>
    count(kind) === 0
      ? ''
      : `; ${text} ${count(kind)} of ${fates.length} ${fates.length === 1 ? 'recipient' : 'recipients'}`
  return [
    remark('plain', 'not encrypted for'),
    remark('waits', 'waiting for the keys of'),
    remark('pickup', 'kept for pickup by'),
  ].join('')
}

/** One field for each recipient whose copy leaves this provider; `isSigned`: our signature is in what was sealed. */
export function protectionFields(recipients: readonly Address[], { fates, seals }: Plan, isSigned: boolean): string {
  if (!seals) return ''
  return fates.map((fate, index) => fieldOf(spelled(recipients[index]!), fate, isSigned)).join('')
}

function fieldOf(to: string, fate: Fate, isSigned: boolean): string {
  const unsigned = isSigned ? '' : '; unsigned'
  switch (fate.kind) {
    case 'kept':
    case 'refused':
      return ''
    case 'already':
      return formatField(FIELD, `as-written; to=${to}; why="its author encrypted it"`)
    case 'sealed':
      return formatField(FIELD, `sealed; to=${to}; key=${fate.fingerprint}; found=${fate.evidence}${unsigned}`)
    case 'plain':
      return formatField(FIELD, `plain; to=${to}; why=${quoted(fate.why)}`)
    case 'waits':
    case 'pickup':
      return formatField(FIELD, `${fate.kind}; to=${to}; why=${quoted(fate.why)}${unsigned}`)
  }
}

const quoted = (text: string): string => `"${oneLine(text).replace(/["\\]/g, '\\$&')}"`
