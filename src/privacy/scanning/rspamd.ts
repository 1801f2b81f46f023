/**
 * Rspamd over HTTP: POST /checkv2 with the message as it is; the answer is JSON.
 *
 * What its actions mean for mail that was delivered long ago: `reject`, `add header`, `rewrite subject`, `quarantine` and
 * `discard` are junk; `no action`, `greylist` and `soft reject` (come again later) are clean; any other is one that the
 * administrator made up, of which nothing is known. A symbol whose name ends in `_VIRUS`, as its antivirus module sets
 * them, is malware whatever the action.
 */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import type { Bytes } from '#lib/bytes.ts'
import { type Endpoint, httpOptions } from '#lib/endpoint.ts'
import { http } from '#lib/node-http.ts'
import { type Finding, failureOf, printableNames } from './finding.ts'

export interface Rspamd {
  readonly endpoint: Endpoint
  /** Read anew each time, its first line; empty for none. */
  readonly passwordFile: string
  /** Our name, so that it knows whose Authentication-Results it may believe. */
  readonly hostname: string
}

/** Answers name every rule that matched and every link: a few kilobytes. */
const ANSWER_MAX = 1024 ** 2

const ACTIONS: ReadonlyMap<string, 'clean' | 'junk'> = new Map([
  ['no action', 'clean'],
  ['greylist', 'clean'],
  ['soft reject', 'clean'],
  ['add header', 'junk'],
  ['rewrite subject', 'junk'],
  ['reject', 'junk'],
  ['quarantine', 'junk'],
  ['discard', 'junk'],
])

interface Call {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly fields?: Readonly<Record<string, string | number>>
  readonly content?: Bytes
}

async function call({ endpoint }: Rspamd, { method, path, fields = {}, content }: Call, signal: AbortSignal) {
  const asking = http.request({ ...httpOptions(endpoint), agent: false, method, path, headers: fields, signal })
  // Also after the answer: whoever answers early may hang up on the rest.
  asking.on('error', () => {})
  try {
    asking.end(content)
    const [response] = (await once(asking, 'response')) as [IncomingMessage]
    const pieces: Buffer[] = []
    let length = 0
    for await (const piece of response as AsyncIterable<Buffer>) {
      length += piece.length
      if (length > ANSWER_MAX) throw new Error('an endless answer')
      pieces.push(piece)
    }
    return { status: response.statusCode, text: Buffer.concat(pieces).toString() }
  } finally {
    asking.destroy()
  }
}

const unable = (why: string): Finding => ({ kind: 'unable', why })

/** What an answer of /checkv2 means. */
export function readRspamd(text: string): Finding {
  let answer: { action?: unknown; symbols?: unknown } | null
  try {
    answer = JSON.parse(text)
  } catch {
    answer = null
  }
  if (typeof answer?.action !== 'string') return unable('it does not speak as rspamd does')
  const symbols = Object.entries((answer.symbols ?? {}) as Record<string, { score?: unknown } | null>)
  const viruses = symbols.map(([name]) => name).filter((name) => name.endsWith('_VIRUS'))
  if (viruses.length > 0) return { kind: 'found', verdict: 'malware', names: printableNames(viruses) }
  const verdict = ACTIONS.get(answer.action)
  if (verdict === undefined) return unable('its action is none that is known here')
  const score = ([, symbol]: (typeof symbols)[number]) => (typeof symbol?.score === 'number' ? symbol.score : 0)
  const names = symbols.filter((one) => score(one) >= 0).sort((one, other) => score(other) - score(one))
  return { kind: 'found', verdict, names: printableNames(names.map(([name]) => name)) }
}

/** HTTP carries it as text, so a string of it cannot be avoided. */
async function password({ passwordFile }: Rspamd): Promise<string> {
  return (await readFile(passwordFile, 'latin1')).split(/\r?\n/, 1)[0] ?? ''
}

export async function askRspamd(rspamd: Rspamd, message: Bytes, signal: AbortSignal): Promise<Finding> {
  const fields: Record<string, string | number> = {
    'Content-Length': message.length,
    'MTA-Name': rspamd.hostname,
    // Keeps what it found, and in whose mail, out of its log and its history.
    Flags: 'no_log',
  }
  try {
    if (rspamd.passwordFile !== '') fields['Password'] = await password(rspamd)
  } catch (error) {
    return unable(`its password file cannot be read: ${(error as NodeJS.ErrnoException).code}`)
  }
  try {
    const { status, text } = await call(rspamd, { method: 'POST', path: '/checkv2', fields, content: message }, signal)
    return status === 200 ? readRspamd(text) : unable(`it answers with status ${status}`)
  } catch (error) {
    return failureOf(error, signal)
  }
}

/** Throws when it does not answer. */
export async function pingRspamd(rspamd: Rspamd, signal: AbortSignal): Promise<void> {
  const { status } = await call(rspamd, { method: 'GET', path: '/ping' }, signal)
  if (status !== 200) throw new Error(`it answers with status ${status}`)
}
