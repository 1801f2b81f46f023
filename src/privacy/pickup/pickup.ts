/**
 * Pickup: sealed mail that is kept here for a recipient outside who has no certificate, because its author's policy lets it leave
 * in no other way.
 *
 * Promises: a message is kept once however often the same journey brings it, on the disk before anybody is told so, for 30 days;
 * then it is deleted, and its author told. The message is the sealed form, its session key is sealed under a key that stands
 * elsewhere, and so is everything that says whom somebody writes to: in clear are the account, times and sizes.
 *
 * Must never: write down in clear what a message says, or fill the disk with what one account sends.
 */
import type { AccountId } from '#custody/accounts/directory.ts'
import type { Address } from '#formats/message/address.ts'
import type { Bytes } from '#lib/bytes.ts'

export interface MailForPickup {
  /** Names the journey: the same mail for the same recipient is kept once. */
  readonly queueId: string
  /** Of the author, who is told what becomes of it. */
  readonly account: AccountId
  readonly author: Address
  readonly recipient: Address
  /** Sealed to nobody: PGP/MIME without a recipient in it. */
  readonly message: Bytes
  /** The cipher octet, then the key. */
  readonly sessionKey: Bytes
}

/** Mail that is kept. Times in milliseconds since the epoch. */
export interface Pickup {
  readonly id: string
  readonly account: AccountId
  /** null, both: what was kept is damaged, or belongs to another key. */
  readonly author: Address | null
  readonly recipient: Address | null
  readonly size: number
  readonly arrived: number
  readonly expires: number
}

/** What one account has waiting fills its room; some of it must be dropped or expire first. */
export class PickupFull extends Error {
  override readonly name = 'PickupFull'
}

export interface PickupStore extends AsyncDisposable {
  /** Durable when it resolves to the id. Throws PickupFull. */
  keep(mail: MailForPickup): Promise<string>
  /** Oldest first. */
  list(account?: AccountId): Promise<readonly Pickup[]>
  /** What was kept, for its recipient; null when it is not there or does not open. The session key is the caller's to wipe. */
  read(id: string): Promise<{ readonly message: Buffer; readonly sessionKey: Buffer } | null>
  /** Says whether it was there. Nobody is told. */
  drop(id: string): Promise<boolean>
  /** Deletes what is too old, after its author was told; answers how many. */
  expire(): Promise<number>
}
