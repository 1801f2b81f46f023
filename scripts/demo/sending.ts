/** Sends by swaks where it is installed, else by a client of our own. */

import { submit } from '../../test/support/correspondence.ts'
import { swaks } from '../../test/support/peers/swaks.ts'
import type { Provider, ProviderAccount } from '../../test/support/provider.ts'

export interface Sending {
  readonly provider: Provider
  readonly author: ProviderAccount
  readonly to: string
  readonly message: Buffer
}

/** Answers what the server said to the message. */
export async function sendBySwaks({ provider, author, to, message }: Sending): Promise<string> {
  const login = { user: author.address, password: author.password }
  const { host, ports, ca } = provider
  const target = { host, port: ports.submissions, tls: 'implicit', ca } as const
  const { code, output } = await swaks({ ...target, from: author.address, to: [to], message, login })
  if (code !== 0) throw new Error(`swaks could not send:\n${output}`)
  // What follows the dot that ends the message.
  return /^ ~?> \.\n<[~*-]* +(.*)$/m.exec(output)?.[1] ?? ''
}

export async function sendByHand({ provider, author, to, message }: Sending): Promise<string> {
  const { code, lines } = await submit({ author: { ...author, provider }, to: [to], message })
  if (code !== 250) throw new Error(`${lines.join('\n')}`)
  return lines.at(-1)!
}
