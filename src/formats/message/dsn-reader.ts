/** Reads delivery status notifications, ours and those of others. */
import { asBuffer, type Bytes } from '#lib/bytes.ts'
import { fieldValues, type Header, scanHeader } from './header.ts'
import { indexMessage, type MimePart } from './mime-index.ts'

export interface ReadDsnRecipient {
  /** `type; address` as written, null when missing. */
  readonly originalRecipient: string | null
  readonly finalRecipient: string | null
  /** Lower case. */
  readonly action: string
  readonly status: string
  readonly remoteMta: string | null
  readonly diagnostic: string | null
  readonly willRetryUntil: string | null
}

export interface ReadDsn {
  readonly reportingMta: string | null
  readonly envid: string | null
  readonly recipients: readonly ReadDsnRecipient[]
  /** What came back of the message: all of it, its header, or nothing. */
  readonly returned: { readonly kind: 'message' | 'header'; readonly octets: Buffer } | null
}

/** More recipients of one notification are not read. */
const RECIPIENTS_LIMIT = 1_000

/** Null when the message is no multipart/report with a delivery status (RFC 3464 §2). */
export function parseDsn(message: Bytes): ReadDsn | null {
  const octets = asBuffer(message)
  const root = indexMessage(octets)
  const status = root.children.find(
    ({ type, subtype }) => type === 'message' && /^(global-)?delivery-status$/.test(subtype),
  )
  if (root.type !== 'multipart' || root.subtype !== 'report' || !status) return null
  const groups = readGroups(octets, status)
  const first = (header: Header | undefined, name: string) => (header && fieldValues(octets, header, name)[0]) ?? null
  return {
    reportingMta: first(groups[0], 'reporting-mta'),
    envid: first(groups[0], 'original-envelope-id'),
    recipients: groups.slice(1).map((group) => ({
      originalRecipient: first(group, 'original-recipient'),
      finalRecipient: first(group, 'final-recipient'),
      action: (first(group, 'action') ?? '').toLowerCase(),
      status: first(group, 'status') ?? '',
      remoteMta: first(group, 'remote-mta'),
      diagnostic: first(group, 'diagnostic-code'),
      willRetryUntil: first(group, 'will-retry-until'),
    })),
    returned: readReturned(octets, root.children[2]),
  }
}

/** Groups of fields with empty lines between. */
function readGroups(octets: Buffer, { body }: MimePart): Header[] {
  const groups: Header[] = []
  let at = body.start
  while (at < body.end && groups.length <= RECIPIENTS_LIMIT) {
    const group = scanHeader(octets, at, body.end)
    if (group.fields.length > 0) groups.push(group)
    at = group.range.end
  }
  return groups
}

function readReturned(octets: Buffer, part: MimePart | undefined): ReadDsn['returned'] {
  const kind = part && RETURNED.get(`${part.type}/${part.subtype}`)
  return kind ? { kind, octets: octets.subarray(part.body.start, part.body.end) } : null
}

const RETURNED = new Map<string, 'message' | 'header'>([
  ['message/rfc822', 'message'],
  ['message/global', 'message'],
  ['text/rfc822-headers', 'header'],
  ['message/global-headers', 'header'],
])
