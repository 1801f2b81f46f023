/** What the parts of the mail store's contract work with: accounts and messages of their own. */
import assert from 'node:assert/strict'
import type { AccountId } from '../accounts/directory.ts'
import type { AccountMail, MailboxId, MailStore, MessageRow, NewMessage, ReadingKeys } from './mail-store.ts'

export interface ContractStore extends AsyncDisposable {
  readonly store: MailStore
  /** Keys that open the account's mail; null for stores that need none. */
  keys(account: AccountId): ReadingKeys | null
}

export type MakeStore = () => Promise<ContractStore>

let accountsMade = 0
/** Every test has accounts of its own, so that stores that are slow to start can be shared. */
export const newAccount = (): AccountId => `account${String(++accountsMade).padStart(16, '0')}`

export const DATE = 1_700_000_000_000

export function newMessage(text: string, more: Partial<NewMessage> = {}): NewMessage {
  return {
    content: Buffer.from(`Subject: ${text}\r\n\r\n${text}\r\n`),
    summary: Buffer.from(`summary of ${text}`),
    internalDate: DATE,
    flags: [],
    ...more,
  }
}

export const uidsOf = (rows: readonly MessageRow[]) => rows.map((row) => row.uid)
export const flagsOf = (rows: readonly MessageRow[]) => rows.map((row) => [...row.flags].sort().join(' '))
export const text = (octets: Uint8Array | null) => (octets === null ? null : Buffer.from(octets).toString())

export interface Opened {
  readonly account: AccountId
  readonly store: MailStore
  readonly mail: AccountMail
  mailbox(name: string): Promise<MailboxId>
}

export async function withAccount(make: MakeStore, run: (opened: Opened) => Promise<void>): Promise<void> {
  await using made = await make()
  const account = newAccount()
  await made.store.create(account)
  await using mail = await made.store.open(account, made.keys(account))
  const mailbox = async (name: string) => {
    const found = (await mail.mailboxes()).find((one) => one.name === name)
    assert.ok(found, `mailbox ${name}`)
    return found.id
  }
  await run({ account, store: made.store, mail, mailbox })
}

/** The uids in pairs of first and last of each run. */
export function expand(pairs: Uint32Array): number[] {
  const uids: number[] = []
  for (let i = 0; i < pairs.length; i += 2) for (let uid = pairs[i]!; uid <= pairs[i + 1]!; uid++) uids.push(uid)
  return uids
}

export type Check = (title: string, run: (opened: Opened) => Promise<void>) => void
