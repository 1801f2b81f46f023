/** A POP3 server on free loopback ports, with its test desk, for dialogs and real clients. */
import type { Pop3Limits } from '#servers/pop3/limits.ts'
import { createPop3Server, type Pop3Server } from '#servers/pop3/pop3-server.ts'
import { type LineFixture, type LineFixtureOptions, PASSWORD, startLineServer } from './line-fixture.ts'

export { ALICE, BOB, PASSWORD } from './line-fixture.ts'

export type Pop3Fixture = LineFixture<Pop3Server>

export function startPop3(options: LineFixtureOptions<Pop3Limits> = {}): Promise<Pop3Fixture> {
  const protocol = {
    passwordOfBob: PASSWORD,
    greeting: '+OK Letterlock is ready',
    login: (user: string) => `C: USER ${user}\nS: +OK …\nC: PASS ${PASSWORD}\nS: +OK Welcome`,
  }
  return startLineServer(createPop3Server, protocol, options)
}
