/** Sends one message with swaks, an SMTP client written to show what goes over the wire. */
import { writeFile } from 'node:fs/promises'
import { temporaryDirectory } from '../temporary.ts'
import { type Ran, run } from './run.ts'

export interface SwaksOptions {
  readonly host: string
  readonly port: number
  readonly from: string
  readonly to: readonly string[]
  /** Exact octets with CRLF line ends; swaks changes nothing in them. */
  readonly message: Buffer
  readonly tls?: 'starttls' | 'implicit'
  /** PEM file; the server's certificate must then be good for `host`. */
  readonly ca?: string
  readonly protocol?: 'ESMTP' | 'LMTP'
  readonly login?: { readonly user: string; readonly password: string }
}

/** The status is 0 when the server took the message; `output` is the transcript. */
export async function swaks(options: SwaksOptions): Promise<Ran> {
  await using directory = await temporaryDirectory('swaks')
  const lines = [
    `server ${options.host}`,
    `port ${options.port}`,
    `protocol ${options.protocol ?? 'ESMTP'}`,
    `from ${options.from}`,
    `to ${options.to.join(',')}`,
    `data @${directory.join('message')}`,
    'no-data-fixup',
    'timeout 60s',
    'helo client.test',
    'pipeline',
  ]
  if (options.tls === 'starttls') lines.push('tls')
  if (options.tls === 'implicit') lines.push('tls-on-connect')
  if (options.ca !== undefined) lines.push('tls-verify', `tls-ca-path ${options.ca}`)
  if (options.login !== undefined) {
    lines.push('auth PLAIN', `auth-user ${options.login.user}`, `auth-password ${options.login.password}`)
  }
  await writeFile(directory.join('message'), dotStuffed(options.message))
  await writeFile(directory.join('config'), `${lines.join('\n')}\n`, { mode: 0o600 })
  return await run('swaks', ['--config', directory.join('config')], { mayFail: true })
}

/** RFC 5321 §4.5.2, with the final dot; swaks adds the last CRLF. */
function dotStuffed(message: Buffer): Buffer {
  const stuffed = message.toString('latin1').replaceAll('\r\n.', '\r\n..')
  const begun = stuffed.startsWith('.') ? `.${stuffed}` : stuffed
  return Buffer.from(begun.endsWith('\r\n') ? `${begun}.` : `${begun}\r\n.`, 'latin1')
}
