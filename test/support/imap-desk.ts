/** A session desk over the memory store with a table of passwords: what the IMAP server needs of the rest of the house. */

import type { AccountMail, Appended, MailStore } from '#custody/store/mail-store.ts'
import { createMemoryMailStore } from '#custody/store/memory-mail-store.ts'
import { encodeSummary, summarize } from '#formats/message/summary.ts'
import { wipe } from '#lib/bytes.ts'
import { systemClock } from '#lib/clock.ts'
import type { LoginAttempt, LoginResult, SessionDesk, UserSession } from '#session/session.ts'
import { scramDesk } from './scram.ts'

export interface Delivery {
  readonly mailbox?: string
  readonly flags?: readonly string[]
  readonly internalDate?: number
  /** When it came into the mailbox; left out: at its internal date. */
  readonly savedDate?: number
}

export interface TestDesk extends SessionDesk, AsyncDisposable {
  readonly store: MailStore
  /** Login attempts so far, without their passwords; by SCRAM none is shown. */
  readonly attempts: readonly { readonly user: string; readonly credentialLength: number; readonly ip: string }[]
  /** Sessions that are open. */
  readonly open: number
  /** Set to answer every login with this. */
  answer: 'refused' | 'passphrase' | 'unavailable' | null
  /** Set to false where nobody has an app password. */
  offers: boolean
  /** What sessions that begin now tell their owner. */
  notices: readonly string[]
  deliver(user: string, message: Buffer | string, delivery?: Delivery): Promise<Appended>
  /** The account's mail, as another front-end sees it. */
  mail(user: string): Promise<AccountMail>
  /** Ends all sessions of a user, as a password change does. */
  endSessions(user: string): void
  /** Wraps what sessions are given, to make it fail. */
  wrap: (mail: AccountMail) => AccountMail
}

/** `users` maps what is typed as user to its password; the local-part is the account's id. */
export async function createTestDesk(users: Readonly<Record<string, string>>, now: () => number): Promise<TestDesk> {
  let coming: number | null = null
  const store = createMemoryMailStore({ ...systemClock, now: () => coming ?? now() })
  const accountOf = (user: string) => user.split('@')[0]!
  for (const user of Object.keys(users)) await store.create(accountOf(user))
  const attempts: { user: string; credentialLength: number; ip: string }[] = []
  const open = new Map<AbortController, string>()
  const sessionOf = (user: string): UserSession => {
    const ending = new AbortController()
    open.set(ending, user)
    let mail: Promise<AccountMail> | null = null
    const [local = '', domain = ''] = user.split('@')
    return {
      account: { id: local, address: { local, domain }, state: 'active', created: 0, quota: null },
      mail: () => {
        mail ??= store.open(local, null).then((opened) => desk.wrap(opened))
        return mail
      },
      notices: desk.notices,
      changes: store.changes,
      summarize: (message) => encodeSummary(summarize(message)),
      checkSender: async () => null,
      checkRecipient: async () => null,
      submit: async () => ({ code: 554, enhanced: '5.5.1', lines: ['no submission here'] }),
      ended: ending.signal,
      async [Symbol.asyncDispose]() {
        open.delete(ending)
        await (await mail)?.[Symbol.asyncDispose]()
      },
    }
  }
  const desk: TestDesk = {
    store,
    attempts,
    answer: null,
    offers: true,
    notices: [],
    wrap: (mail) => mail,
    get open() {
      return open.size
    },
    async login({ user, credential, ip }: LoginAttempt): Promise<LoginResult> {
      attempts.push({ user, credentialLength: credential.length, ip })
      const right = users[user] !== undefined && credential.equals(Buffer.from(users[user]))
      wipe(credential)
      if (desk.answer) return { kind: desk.answer }
      return right ? { kind: 'welcome', session: sessionOf(user) } : { kind: 'refused' }
    },
    offersScram: () => desk.offers,
    beginScram: ({ clientFirst, ip }) =>
      scramDesk(
        clientFirst,
        (user) => {
          attempts.push({ user, credentialLength: 0, ip })
          return users[user] ?? null
        },
        (user) => (desk.answer ? { kind: desk.answer } : { kind: 'welcome', session: sessionOf(user) }),
      ),
    async deliver(
      user,
      message,
      { mailbox = 'INBOX', flags = [], internalDate = now(), savedDate = internalDate } = {},
    ) {
      const content = Buffer.isBuffer(message) ? message : Buffer.from(message)
      const summary = encodeSummary(summarize(content))
      coming = savedDate
      const appended = store.append(accountOf(user), mailbox, { content, summary, internalDate, flags })
      coming = null
      return appended
    },
    mail: (user) => store.open(accountOf(user), null),
    endSessions(user) {
      for (const [ending, owner] of open) if (owner === user) ending.abort(new Error('password changed'))
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
  return desk
}
