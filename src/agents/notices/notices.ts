/**
 * Notices: mail from the provider to its own user, put into their INBOX. Sealed like all mail, which needs the certificate only,
 * so a notice can be written while nobody is logged in. It is no mail of the network: it passes no queue, and nothing
 * bounces. RFC 5322; RFC 3834 §5 keeps vacation replies from answering it.
 *
 * Sent twice with one key, a notice is there once, as long as the store remembers delivery keys: two weeks. Who repeats one
 * must stop within that time.
 */
import type { AccountId, Directory } from '#custody/accounts/directory.ts'
import type { MailStore } from '#custody/store/mail-store.ts'
import { type Address, domainOf, formatAddress } from '#formats/message/address.ts'
import { composeMessage, type Field, textPart } from '#formats/message/compose.ts'
import { formatDate } from '#formats/message/date.ts'
import { encodeText } from '#formats/message/encoded-word.ts'
import { encodeSummary, summarize } from '#formats/message/summary.ts'
import { formatReturnPath } from '#formats/message/trace.ts'
import type { Clock } from '#lib/clock.ts'
import { randomId } from '#lib/ids.ts'
import type { Logger } from '#lib/log.ts'

export interface Notice {
  /** What it is about, such as `expiry.FINGERPRINT.14`: the account gets one notice of a key. */
  readonly key: string
  readonly subject: string
  /** Lines of plain text. */
  readonly text: string
}

export interface Notices {
  /**
   * On the disk when it resolves. Nothing is sent to an account that is not there or not active. Throws what the store throws, such
   * as OverQuota.
   */
  send(account: AccountId, notice: Notice): Promise<void>
}

export interface NoticesOptions {
  readonly store: Pick<MailStore, 'append'>
  readonly directory: Pick<Directory, 'account'>
  readonly hostname: string
  readonly clock: Clock
  readonly logger: Logger
}

export function createNotices({ store, directory, hostname, clock, logger }: NoticesOptions): Notices {
  return {
    async send(id, notice) {
      const account = await directory.account(id)
      if (account?.state !== 'active') return
      const now = clock.now()
      const content = compose(account.address, notice, { hostname, now })
      await store.append(id, 'INBOX', {
        content,
        summary: encodeSummary(summarize(content)),
        internalDate: now,
        flags: [],
        deliveryKey: `notice.${notice.key}`,
      })
      logger.info({ account: id, notice: notice.key }, 'notice sent')
    },
  }
}

function compose(to: Address, { subject, text }: Notice, { hostname, now }: { hostname: string; now: number }): Buffer {
  const domain = domainOf(to)
  const fields: Field[] = [
    ['From', `Letterlock <${formatAddress({ local: 'postmaster', domain })}>`],
    ['To', `<${formatAddress({ local: to.local, domain })}>`],
    ['Subject', encodeText(subject)],
    ['Date', formatDate(now)],
    ['Message-ID', `<${randomId(24)}@${hostname}>`],
    // RFC 3834 §5
    ['Auto-Submitted', 'auto-generated'],
  ]
  return Buffer.concat([Buffer.from(formatReturnPath(null)), composeMessage(fields, textPart(text))])
}
