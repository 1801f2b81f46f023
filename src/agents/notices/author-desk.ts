/** Tells authors, in their INBOX, what became of mail that could not be sealed. Words are loaded when there is something to say. */
import type { AccountId } from '#custody/accounts/directory.ts'
import { type Address, formatAddress } from '#formats/message/address.ts'
import type { Notices } from './notices.ts'

interface Told {
  readonly account: AccountId
  readonly queueId: string
  readonly recipient: Address
  readonly why: string
  /** Milliseconds since the epoch. */
  readonly arrived: number
}

export function createAuthorDesk(notices: Notices) {
  return {
    async sentInClear(
      mail: Pick<Told, 'account' | 'queueId' | 'arrived'> & { recipients: readonly Pick<Told, 'recipient' | 'why'>[] },
    ): Promise<void> {
      const { sentInClearNotice } = await import('./sealing-words.ts')
      const recipients = mail.recipients.map(({ recipient, why }) => ({ recipient: formatAddress(recipient), why }))
      await notices.send(mail.account, sentInClearNotice({ ...mail, recipients }))
    },
    async leftInClear(mail: Told): Promise<void> {
      const { leftInClearNotice } = await import('./sealing-words.ts')
      await notices.send(mail.account, leftInClearNotice({ ...mail, recipient: formatAddress(mail.recipient) }))
    },
    async keptForPickup(mail: Told): Promise<void> {
      const { keptForPickupNotice } = await import('./sealing-words.ts')
      await notices.send(mail.account, keptForPickupNotice({ ...mail, recipient: formatAddress(mail.recipient) }))
    },
    async pickupExpired(
      mail: Pick<Told, 'account' | 'arrived'> & { id: string; recipient: Address | null },
    ): Promise<void> {
      const { pickupExpiredNotice } = await import('./sealing-words.ts')
      const recipient = mail.recipient && formatAddress(mail.recipient)
      await notices.send(mail.account, pickupExpiredNotice({ ...mail, recipient }))
    },
  }
}
