/** Writing and reading at a whole provider through its ports, as mail programs do. */
import { readFile } from 'node:fs/promises'
import { MailLine } from './mail-line.ts'
import { eventually } from './peers/run.ts'
import type { Provider, ProviderAccount } from './provider.ts'
import { Reader } from './reader.ts'
import { dotStuffed } from './smtp-line.ts'

/** At one provider. */
export interface Correspondent extends ProviderAccount {
  readonly provider: Provider
}

export interface Submission {
  readonly author: Correspondent
  readonly to: readonly string[]
  /** Ends with CRLF. */
  readonly message: Buffer
}

/** The reply to the whole message, or the first one that was no success. */
export interface SubmissionReply {
  readonly code: number
  /** All lines, without CRLF. */
  readonly lines: readonly string[]
}

const REPLY = /^(?:\d{3}-.*\r\n)*\d{3} .*\r\n/

/** Over TLS, whose certificate is checked. */
export async function submit({ author, to, message }: Submission): Promise<SubmissionReply> {
  const { host, ports, ca } = author.provider
  using line = await MailLine.to(host, ports.submissions, await readFile(ca, 'utf8'))
  const plain = Buffer.from(`\0${author.address}\0${author.password}`).toString('base64')
  const steps = [
    '',
    'EHLO client.test\r\n',
    `AUTH PLAIN ${plain}\r\n`,
    `MAIL FROM:<${author.address}>\r\n`,
    ...to.map((recipient) => `RCPT TO:<${recipient}>\r\n`),
    'DATA\r\n',
    dotStuffed(message).toString('latin1'),
  ]
  for (const [index, step] of steps.entries()) {
    const pieces = step === '' ? [] : [Buffer.from(step, 'latin1')]
    const lines = (await line.say(REPLY, ...pieces)).trimEnd().split('\r\n')
    const code = Number(lines[0]!.slice(0, 3))
    if (index === steps.length - 1 || code >= 400) return { code, lines }
  }
  throw new Error('unreachable')
}

/** What is in a mailbox, oldest first. */
export async function mailOf({ provider, address, password }: Correspondent, mailbox = 'INBOX'): Promise<Buffer[]> {
  const login = { host: provider.host, port: provider.ports.imaps, user: address, password }
  await using reader = await Reader.login(login)
  return (await reader.fetch('1:*', mailbox)).map((octets) => Buffer.from(octets))
}

/** Waits until there are so many; the reader logs in again each time, as somebody does who looks for new mail. */
export function mailArrived(reader: Correspondent, count: number): Promise<Buffer[]> {
  return eventually(`${count} messages for ${reader.address}`, async () => {
    const messages = await mailOf(reader)
    return messages.length >= count && messages
  })
}

/** Waits until nothing is left in the queue. */
export async function queueEmpty(author: Correspondent): Promise<void> {
  await eventually('an empty queue', async () => (await queueOf(author)).length === 0)
}

export function letter(fields: Readonly<Record<string, string>>, ...body: readonly string[]): Buffer {
  const number = String(Math.random()).slice(2)
  const all = { Date: 'Sun, 22 Nov 2026 08:00:00 +0000', 'Message-ID': `<${number}@journey.test>`, ...fields }
  const head = Object.entries(all).map(([name, value]) => `${name}: ${value}`)
  return Buffer.from([...head, '', ...body, ''].join('\r\n'))
}

/** Values of the fields of a name, unfolded. */
export function fieldsOf(message: Buffer, name: string): string[] {
  const text = message.toString('latin1')
  const header = `${text.slice(0, text.indexOf('\r\n\r\n'))}\r\n`.replace(/\r\n(?=[ \t])/g, '')
  return [...header.matchAll(new RegExp(`^${name}:[ \t]*(.*)\r$`, 'gim'))].map(([, value]) => value!)
}

interface ShownKey {
  readonly fingerprint: string
  readonly current: boolean
}

/** The one that others write to. */
export async function currentKeyOf({ provider, address }: Correspondent): Promise<ShownKey> {
  const { certificates } = await provider.json<{ certificates: ShownKey[] }>(['account', 'show', address])
  return certificates.find(({ current }) => current)!
}

export interface Queued {
  readonly id: string
  readonly recipients: readonly {
    readonly address: string
    readonly tries: number
    readonly lastReply: string | null
  }[]
}

export function queueOf({ provider }: Correspondent): Promise<Queued[]> {
  return provider.json<Queued[]>(['queue', 'list'])
}
