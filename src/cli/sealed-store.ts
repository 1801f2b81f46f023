import type { Account } from '#custody/accounts/directory.ts'
import { sealingOf } from '#custody/accounts/sealing.ts'
import { type MailStore, NoCertificate } from '#custody/store/mail-store.ts'
import { createSealedMailStore } from '#custody/store/sealed-mail-store.ts'
import { createSqlMailStore } from '#custody/store/sql-mail-store.ts'
import { systemClock } from '#lib/clock.ts'
import { silentLogger } from '#lib/log.ts'
import type { Premises } from './premises.ts'

/** The sealed mail store in this process, beside the running server or without one. */
export async function openSealedStore(premises: Premises): Promise<MailStore> {
  const directory = await premises.directory()
  const sql = createSqlMailStore({ dataDir: premises.config.data, clock: systemClock, logger: silentLogger })
  return createSealedMailStore(sql, {
    sealing: async (account) => {
      const { certificate, device } = await sealingOf(directory, account)
      if (!certificate) throw new NoCertificate('the account has no key yet that its mail could be sealed to')
      return { certificate, device }
    },
    logger: silentLogger,
  })
}

/** An old key has come back: what none opened when mail was re-sealed waits again, and re-sealing goes on if it was not paused. */
export async function retryUnreadable(premises: Premises, account: Account): Promise<void> {
  await using store = await openSealedStore(premises)
  await using mail = await store.open(account.id, null)
  const { unreadable, state } = await mail.coverage()
  if (unreadable === 0) return
  await mail.resealing('running')
  if (state === 'paused') await mail.resealing('paused')
}
