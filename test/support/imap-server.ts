/** An IMAP server on a free loopback port, with its test desk, for dialogs and real clients. */
import { createImapServer, type ImapServer } from '#servers/imap/imap-server.ts'
import type { ImapLimits } from '#servers/imap/limits.ts'
import { ALICE, type LineFixture, type LineFixtureOptions, PASSWORD, startLineServer } from './line-fixture.ts'

export { ALICE, BOB, PASSWORD } from './line-fixture.ts'

export type ImapFixture = LineFixture<ImapServer>

export function startImap(options: LineFixtureOptions<ImapLimits> = {}): Promise<ImapFixture> {
  const protocol = {
    passwordOfBob: 'tr0ub4dor "&\\3',
    greeting: '* OK [CAPABILITY …] …',
    login: (user: string) => {
      const password = user === ALICE ? PASSWORD : 'tr0ub4dor \\"&\\\\3'
      return `C: l LOGIN ${user} "${password}"\nS: l OK [CAPABILITY …] …`
    },
  }
  return startLineServer(createImapServer, protocol, options)
}
