/** Which mailboxes and subscriptions there were, and what changed of them, as LIST responses (RFC 5465 §5.4, §5.5). */
import type { AccountMail, Mailbox, MailboxId, MailboxName } from '#custody/store/mail-store.ts'
import { formatList } from '#formats/imap/mailbox-response.ts'
import { attributesOf } from '../list/attributes.ts'
import { mailboxTree } from '../list/tree.ts'
import { DELIMITER } from '../mailbox-name.ts'
import type { Wishes } from './wishes.ts'

export interface Known {
  readonly mailboxes: ReadonlyMap<MailboxId, Mailbox>
  readonly subscriptions: ReadonlySet<MailboxName>
}

export async function namesIn(mail: AccountMail): Promise<Known> {
  const mailboxes = new Map((await mail.mailboxes()).map((mailbox) => [mailbox.id, mailbox]))
  return { mailboxes, subscriptions: new Set(await mail.subscriptions()) }
}

interface Told {
  readonly name: MailboxName
  /** Without its star. */
  readonly response: string
}

/** `written` writes a name for the client. */
export function listChanges(
  before: Known,
  after: Known,
  wishes: Wishes,
  written: (name: MailboxName) => string,
): readonly Told[] {
  const renamed = renames(before, after)
  const changed = new Set<MailboxName>()
  for (const name of changedNames(before, after))
    if (wants(name, 'MailboxName') || wants(renamed.get(name), 'MailboxName')) changed.add(name)
  for (const name of symmetricDifference(before.subscriptions, after.subscriptions))
    if (wants(name, 'SubscriptionChange')) changed.add(name)
  const tree = mailboxTree([...after.mailboxes.values()], [...after.subscriptions])
  const entries = new Map(tree.map((entry) => [entry.name, entry]))
  return [...changed].sort().map((name) => {
    const entry = entries.get(name) ?? { name, mailbox: null, subscribed: false, children: false }
    const attributes = attributesOf(entry, { withSubscribed: true })
    const oldName = renamed.get(name)
    const listed = { attributes, delimiter: DELIMITER, name: written(name) }
    return { name, response: formatList(oldName === undefined ? listed : { ...listed, oldName: written(oldName) }) }
  })

  function wants(name: MailboxName | undefined, event: 'MailboxName' | 'SubscriptionChange'): boolean {
    if (name === undefined) return false
    return wishes.of(name, before.subscriptions.has(name) || after.subscriptions.has(name)).has(event)
  }
}

/** Old names by new ones. */
function renames(before: Known, after: Known): ReadonlyMap<MailboxName, MailboxName> {
  const renamed = new Map<MailboxName, MailboxName>()
  for (const [id, { name }] of after.mailboxes) {
    const old = before.mailboxes.get(id)?.name
    if (old !== undefined && old !== name) renamed.set(name, old)
  }
  return renamed
}

/** Names of mailboxes that are new or have another mailbox now, and of those that are no more: but for the old names of renamed ones. */
function changedNames(before: Known, after: Known): ReadonlySet<MailboxName> {
  const names = new Set<MailboxName>()
  for (const [id, { name }] of after.mailboxes) if (before.mailboxes.get(id)?.name !== name) names.add(name)
  for (const [id, { name }] of before.mailboxes) if (!after.mailboxes.has(id)) names.add(name)
  return names
}

function symmetricDifference<T>(a: ReadonlySet<T>, b: ReadonlySet<T>): readonly T[] {
  return [...[...a].filter((one) => !b.has(one)), ...[...b].filter((one) => !a.has(one))]
}
