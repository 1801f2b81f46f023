/** IMAP and submission with curl. Arguments travel on its standard input, so that no password is in a command line. */
import { writeFile } from 'node:fs/promises'
import { temporaryDirectory } from '../temporary.ts'
import { type Ran, run } from './run.ts'

export interface CurlTarget {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  /** PEM file; the server's certificate must be good for `host`. Without one the connection is plain. */
  readonly ca?: string
}

/** What one IMAP URL gives: `path` is "/INBOX;UID=1" (a message), "/" with `request` (a command). curl's status is in `code`. */
export async function curlImap(target: CurlTarget, path: string, request?: string): Promise<Ran> {
  const scheme = target.ca === undefined ? 'imap' : 'imaps'
  return await curl(target, [
    `url = ${quoted(`${scheme}://${target.host}:${target.port}${path}`)}`,
    ...(request === undefined ? [] : [`request = ${quoted(request)}`]),
  ])
}

/** One message into a mailbox, with APPEND. */
export async function curlAppend(target: CurlTarget, mailbox: string, message: Buffer): Promise<Ran> {
  const scheme = target.ca === undefined ? 'imap' : 'imaps'
  return await curl(target, [`url = ${quoted(`${scheme}://${target.host}:${target.port}/${mailbox}`)}`], message)
}

/** One message through submission with implicit TLS. */
export async function curlSubmit(
  target: CurlTarget,
  from: string,
  to: readonly string[],
  message: Buffer,
): Promise<Ran> {
  const lines = [
    `url = ${quoted(`${target.ca === undefined ? 'smtp' : 'smtps'}://${target.host}:${target.port}/client.test`)}`,
    `mail-from = ${quoted(from)}`,
    ...to.map((recipient) => `mail-rcpt = ${quoted(recipient)}`),
  ]
  return await curl(target, lines, message)
}

async function curl(target: CurlTarget, lines: readonly string[], upload?: Buffer): Promise<Ran> {
  const config = [
    'silent',
    'show-error',
    'max-time = 60',
    `user = ${quoted(`${target.user}:${target.password}`)}`,
    ...(target.ca === undefined ? [] : [`cacert = ${quoted(target.ca)}`]),
    ...lines,
  ]
  await using directory = await temporaryDirectory('curl')
  if (upload !== undefined) {
    // A file, because APPEND says the size first.
    await writeFile(directory.join('message'), upload)
    config.push(`upload-file = ${quoted(directory.join('message'))}`)
  }
  return await run('curl', ['--config', '-'], { input: config.join('\n'), mayFail: true })
}

function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}
