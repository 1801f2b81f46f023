/** Annotations lie sealed like index records: under the account's index key, bound to their mailbox, in the place of uid 0. */
import { wipe } from '#lib/bytes.ts'
import { type AnnotationCodec, decodeAnnotations, encodeAnnotations } from './annotations.ts'
import type { IndexRecords } from './index-records.ts'
import type { IndexedAccountMail } from './indexed-mail-store.ts'
import type { MailboxId } from './mail-store.ts'

/** No message has this uid (RFC 3501 §9: it is not zero), and no mailbox this number. */
const placeOf = (mailbox: MailboxId | null) => ({ mailbox: mailbox ?? 0, uid: 0 })

export function sealedAnnotations(records: IndexRecords, mailbox: MailboxId | null): AnnotationCodec {
  return {
    encode(annotations) {
      const encoded = encodeAnnotations(annotations)
      const sealed = records.seal(placeOf(mailbox), encoded)
      wipe(encoded)
      return sealed
    },
    decode(octets) {
      const opened = records.open(placeOf(mailbox), octets)
      if (!opened) return new Map()
      const annotations = decodeAnnotations(opened.entry)
      wipe(opened.entry)
      return annotations
    },
  }
}

/** Brings what is under an older index key under the newest. */
export async function renewAnnotations(
  mail: IndexedAccountMail,
  records: IndexRecords,
  mailbox: MailboxId | null,
): Promise<void> {
  const place = mail.annotationPlace(mailbox)
  const before = await place.read()
  const opened = before && records.open(placeOf(mailbox), before)
  if (!opened?.isOld) return
  // Who changes them meanwhile has brought them under the newest key.
  await place.replace(before, records.seal(placeOf(mailbox), opened.entry), [])
  wipe(opened.entry)
}
