/** From the names of other people's mailboxes to ours (custody/store/mail-store.ts: levels by `/`, INBOX in capitals). */
import { isUtf8 } from 'node:buffer'
import type { MailboxName, SpecialUse } from '#custody/store/mail-store.ts'
import { decodeMailboxName } from '#formats/imap/mailbox-name.ts'

const SPECIAL_USES: ReadonlyMap<string, SpecialUse> = new Map(
  (['Sent', 'Drafts', 'Trash', 'Junk', 'Archive'] as const).map((use) => [use.toLowerCase(), use]),
)

const LEVELS = 32
const NAME_OCTETS = 1000

/** A level as it stands in a file system: modified UTF-7 (Dovecot, Courier), UTF-8, or else just its characters. */
export function levelFromFile(octets: Buffer): string {
  const raw = isUtf8(octets) ? octets.toString() : octets.toString('latin1')
  return decodeMailboxName(raw) ?? raw
}

/** `Sent` for a mailbox of that name. */
export function specialUseOf(levels: readonly string[]): SpecialUse | null {
  return levels.length === 1 ? (SPECIAL_USES.get(levels[0]!.toLowerCase()) ?? null) : null
}

/** As the store would take it: what it refuses in a name is left out or replaced. */
function storable(levels: readonly string[]): MailboxName {
  const kept = levels
    .map((level) =>
      level
        .toWellFormed()
        .normalize('NFC')
        .replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029/]/g, '_')
        .trim(),
    )
    .filter((level) => level !== '')
    .slice(0, LEVELS)
  const name = kept.join('/').replace(/^inbox(?=\/|$)/i, 'INBOX')
  if (Buffer.byteLength(name) <= NAME_OCTETS) return name
  const cut = Buffer.from(name).subarray(0, NAME_OCTETS).toString()
  return cut.replace(/[\ufffd/]+$/, '')
}

/**
 * Where a mailbox of a source goes. Without `to`: special ones to ours of that use, the rest to the same name. With `to`: the
 * source's inbox to it, all others below it.
 */
export function targetName(
  { levels, specialUse }: { readonly levels: readonly string[]; readonly specialUse: SpecialUse | null },
  to: MailboxName | null,
): MailboxName {
  const isInbox = levels.length === 0 || (levels.length === 1 && levels[0]!.toLowerCase() === 'inbox')
  if (to !== null) return storable([...to.split('/'), ...(isInbox ? [] : levels)])
  if (isInbox) return 'INBOX'
  return specialUse ?? (storable(levels) || 'INBOX')
}
