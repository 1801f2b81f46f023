/** What could not be scanned when it arrived is scanned now, and what is found in it decides where it goes. */
import type { Bytes } from '#lib/bytes.ts'
import type { Logger } from '#lib/log.ts'
import type { AccountId } from '../accounts/directory.ts'
import type { IndexedAccountMail } from './indexed-mail-store.ts'
import { type Mailbox, MailboxExists, type MailboxId, type Uid } from './mail-store.ts'
import type { PatientAid } from './sealed-mail-store-aid.ts'

const JUNK = 'Junk'
const QUARANTINE = 'Quarantine'

interface Means {
  readonly account: AccountId
  readonly inner: IndexedAccountMail
  readonly logger: Logger
}

export class Scans {
  readonly #aid: PatientAid
  readonly #means: Means

  constructor(aid: PatientAid, means: Means) {
    this.#aid = aid
    this.#means = means
  }

  /** Moves the message when there is reason to. One that its owner has read, or put somewhere, is left alone. */
  async look(mailbox: MailboxId, uid: Uid, message: Bytes): Promise<void> {
    const { account, inner, logger } = this.#means
    const here = (await inner.mailboxes()).find(({ id }) => id === mailbox)
    if (!here || here.specialUse !== null || here.name === QUARANTINE) return
    if ((await inner.unseen(mailbox, [uid])).length === 0) return
    const verdict = await this.#aid.scan(message)
    if (verdict !== 'junk' && verdict !== 'malware') return
    try {
      const to = await (verdict === 'junk' ? this.#junk() : this.#named(QUARANTINE))
      await inner.move(mailbox, [uid], to)
      logger.info({ account, verdict }, 'moved a message that its sender had sealed')
    } catch (error) {
      logger.warn({ account, verdict, error: error as Error }, 'could not move a message that its sender had sealed')
    }
  }

  async #junk(): Promise<MailboxId> {
    const found = (await this.#means.inner.mailboxes()).find(({ specialUse }) => specialUse === 'Junk')
    return found?.id ?? this.#named(JUNK)
  }

  async #named(name: string): Promise<MailboxId> {
    const { inner } = this.#means
    const isIt = (mailbox: Mailbox) => mailbox.name === name
    const found = (await inner.mailboxes()).find(isIt)
    if (found) return found.id
    try {
      return (await inner.createMailbox(name, ...(name === JUNK ? ([JUNK] as const) : []))).id
    } catch (error) {
      const made = error instanceof MailboxExists && (await inner.mailboxes()).find(isIt)
      if (!made) throw error
      return made.id
    }
  }
}
