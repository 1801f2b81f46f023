/** Sends by swaks where it is installed, else by a client of our own. */

import { swaks } from '../../test/support/peers/swaks.ts'
import type { Provider, ProviderAccount } from '../../test/support/provider.ts'
import { dotStuffed, openLine } from '../../test/support/smtp-line.ts'

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
  const line = await openLine(provider.host, provider.ports.submission)
  await line.say('', '220')
  await line.say('EHLO demo.test\r\n', '250')
  await line.startTls()
  await line.say('EHLO demo.test\r\n', '250')
  const plain = Buffer.from(`\0${author.address}\0${author.password}`).toString('base64')
  await line.say(`AUTH PLAIN ${plain}\r\n`, '235')
  await line.say(`MAIL FROM:<${author.address}>\r\nRCPT TO:<${to}>\r\nDATA\r\n`, '250', '250', '354')
  const [reply = ''] = await line.say(dotStuffed(message), '250')
  line.end()
  return reply
}
