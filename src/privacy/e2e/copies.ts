/** Which recipients share a copy of a message, so that no copy says more of the others than the message itself does. */
import { type Address, domainOf } from '#formats/message/address.ts'
import { parseAddressList } from '#formats/message/address-list.ts'
import { fieldValues, type Header } from '#formats/message/header.ts'
import type { Bytes } from '#lib/bytes.ts'
import type { Fate } from './e2e.ts'

/** Indexes of recipients. */
export interface Copies {
  /** All who get it as its author wrote it, here or elsewhere: they share one copy. */
  readonly written: readonly number[]
  /** Each of these is one sealed copy: first that of all whom the message names (several, for very many), then those of the others. */
  readonly sealed: readonly (readonly number[])[]
  /** Each has a copy of its own. */
  readonly waits: readonly number[]
  readonly pickup: readonly number[]
}

/** How recipients compare when it is decided who they are: only their own provider knows whether case counts (RFC 5321 §2.4). */
export const recipientName = (address: Address): string => `${address.local}@${domainOf(address).toLowerCase()}`

export function copiesOf(
  recipients: readonly Address[],
  fates: readonly Fate[],
  { content, header }: { readonly content: Bytes; readonly header: Header },
): Copies {
  const all = fates.map((_, index) => index)
  const of = (...kinds: readonly Fate['kind'][]) => all.filter((index) => kinds.includes(fates[index]!.kind))
  const sealed = of('sealed')
  return {
    written: of('kept', 'plain', 'already'),
    sealed: sealed.length === 0 ? [] : apart(sealed, recipients, namedIn(content, header)),
    waits: of('waits'),
    pickup: of('pickup'),
  }
}

/** Nobody has to look through more encrypted session keys for their own than this. */
const MOST_SHARING = 500

function apart(sealed: readonly number[], recipients: readonly Address[], named: ReadonlySet<string>): number[][] {
  const shared: number[] = []
  const alone = new Map<string, number[]>()
  for (const index of sealed) {
    const key = recipientName(recipients[index]!)
    if (named.has(key)) shared.push(index)
    else alone.set(key, [...(alone.get(key) ?? []), index])
  }
  const crowds: number[][] = []
  for (let at = 0; at < shared.length; at += MOST_SHARING) crowds.push(shared.slice(at, at + MOST_SHARING))
  return [...crowds, ...alone.values()]
}

/** The addresses of To and Cc, those in groups too. */
function namedIn(content: Bytes, header: Header): ReadonlySet<string> {
  const values = [...fieldValues(content, header, 'to'), ...fieldValues(content, header, 'cc')]
  const listed = values.flatMap((value) => parseAddressList(Buffer.from(value, 'latin1').toString()))
  return new Set(
    listed.flatMap(({ mailbox, host }) =>
      mailbox && host ? [recipientName({ local: mailbox, domain: host.toLowerCase() })] : [],
    ),
  )
}
