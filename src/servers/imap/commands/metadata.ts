/**
 * Annotations of mailboxes and of the server (RFC 5464). Values are the owner's and lie sealed; nobody else sees what is shared,
 * for there is nobody else. Of the server, only what is private can be set.
 */
import { ANNOTATIONS_PER_MAILBOX, type Mailbox, TooManyAnnotations } from '#custody/store/mail-store.ts'
import type { Command, GetMetadataCommand } from '#formats/imap/command.ts'
import { formatMetadata } from '#formats/imap/mailbox-response.ts'
import type { Bytes } from '#lib/bytes.ts'
import { type Completion, done } from '../completion.ts'
import type { Conversation } from '../conversation.ts'
import { bad, no } from '../imap-error.ts'

const VALUE_OCTETS = 16_384
const NAME_OCTETS = 255

/** RFC 6154 §4: the use of a mailbox is one of its annotations, which CREATE alone sets. */
const SPECIAL_USE = '/private/specialuse'

type Entries = readonly (readonly [name: string, value: Bytes | null])[]

/** RFC 5464 §4.2. */
export async function getMetadata(talk: Conversation, command: GetMetadataCommand): Promise<Completion> {
  const mailbox = await aboutWhich(talk, command.mailbox)
  const kept = new Map(await talk.mail.annotations(mailbox?.id ?? null))
  if (mailbox?.specialUse) kept.set(SPECIAL_USE, Buffer.from(`\\${mailbox.specialUse}`))
  const found = command.entries.flatMap((entry) => entriesAt(kept, entryName(entry), command.depth))
  const { maxSize } = command
  const isLong = (value: Bytes | null) => maxSize !== null && value !== null && value.byteLength > maxSize
  const told = [...new Map(found)].filter(([, value]) => !isLong(value))
  if (told.length > 0) talk.wire.send('* ', ...formatMetadata(talk.name(command.mailbox), told), '\r\n')
  const longest = Math.max(0, ...found.map(([, value]) => (isLong(value) ? value!.byteLength : 0)))
  // RFC 5464 §4.2.1
  return done('Told', longest > 0 ? `METADATA LONGENTRIES ${longest}` : null)
}

/** RFC 5464 §4.2.2: what was asked for by name is told also when it is not there, as NIL. */
function entriesAt(kept: ReadonlyMap<string, Bytes>, name: string, depth: GetMetadataCommand['depth']): Entries {
  if (depth === '0') return [[name, kept.get(name) ?? null]]
  const isBelow = (other: string) =>
    other.startsWith(`${name}/`) && (depth === 'infinity' || !other.slice(name.length + 1).includes('/'))
  return [...kept].filter(([other]) => other === name || isBelow(other))
}

/** RFC 5464 §4.3: all of the entries are set, or none. */
export async function setMetadata(talk: Conversation, command: Command & { kind: 'setMetadata' }): Promise<Completion> {
  const mailbox = await aboutWhich(talk, command.mailbox)
  const entries = command.entries.map(([name, value]) => [entryName(name), value] as const)
  for (const [name, value] of entries) {
    if (!/^\/(private|shared)\/./.test(name)) throw bad('Entries are below /private or /shared')
    if (mailbox === null && name.startsWith('/shared/')) throw no('NOPERM', 'Only the operator says what all can read')
    if (name === SPECIAL_USE) throw no('USEATTR', 'A use is given when a mailbox is made')
    if (value && value.byteLength > VALUE_OCTETS) throw no(`METADATA MAXSIZE ${VALUE_OCTETS}`, 'The value is too large')
  }
  await talk.mail.annotate(mailbox?.id ?? null, entries).catch((error) => {
    if (!(error instanceof TooManyAnnotations)) throw error
    throw no('METADATA TOOMANY', `No more than ${ANNOTATIONS_PER_MAILBOX} annotations are kept of one mailbox`)
  })
  const names = entries.map(([name]) => name)
  talk.notifier?.ownEntries(mailbox?.id ?? 0, names)
  return done('Set')
}

/** null: the server itself (RFC 5464 §4.2: an empty name). */
async function aboutWhich(talk: Conversation, name: string): Promise<Mailbox | null> {
  return name === '' ? null : talk.existing(name)
}

/** In lower case: names of entries have no case. Throws BAD for what is none (RFC 5464 §3.2). */
function entryName(name: string): string {
  const isName = name.length <= NAME_OCTETS && /^(\/[^/*%\x00-\x19\x7f-\u{10ffff}]+)+$/u.test(name)
  if (!isName) throw bad('This is not the name of an entry')
  return name.toLowerCase()
}
