/** Mailboxes as folders of an export: names that are one folder on every file system, and no two the same on any. */
import { createHash } from 'node:crypto'
import type { MailboxName } from '#custody/store/mail-store.ts'
import { encodeMailboxName } from '#formats/imap/mailbox-name.ts'

/** File names have 255 octets; what makes one distinct is put behind. */
const NAME_OCTETS = 200

/** Modified UTF-7 as Dovecot and Courier have it, levels by `.`; what a file system or shell could mistake as `%` and two digits. */
function plainFolder(name: MailboxName): string {
  return name
    .split('/')
    .map((level) =>
      encodeMailboxName(level).replace(
        /[^A-Za-z0-9 _&+,()@=-]/g,
        (character) => `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
      ),
    )
    .join('.')
}

/** A folder for each name: only ASCII, never beginning with a dot. Where the plain one is too long, or taken in another case, cut and told apart by a hash. */
export function folderNames(names: readonly MailboxName[]): ReadonlyMap<MailboxName, string> {
  const taken = new Set<string>()
  const folders = new Map<MailboxName, string>()
  for (const name of names) {
    const plain = plainFolder(name)
    const isDistinct = plain.length <= NAME_OCTETS && !taken.has(plain.toLowerCase())
    const hash = createHash('sha256').update(name).digest('hex').slice(0, 16)
    const folder = isDistinct ? plain : `${plain.slice(0, NAME_OCTETS - 20)}~${hash}`
    taken.add(folder.toLowerCase())
    folders.set(name, folder)
  }
  return folders
}
