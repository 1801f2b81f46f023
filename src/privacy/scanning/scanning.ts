/**
 * Scanners for mail that was sealed when it arrived. Nobody could look into it then; when its owner's keys have opened it,
 * rspamd says whether it is junk and clamd whether it is malware. Both are asked at once, and the worse verdict counts.
 *
 * Promises: a message waits for scanners no longer than the configured time, however slow, silent or confused they are;
 * where one that is configured could not say, the answer is `unscanned` and never `clean`; a scanner that does not answer is
 * left alone for a while, so that a mailbox full of new mail opens without it. Logged are verdicts, names of rules and
 * signatures, and once a minute that something could not be scanned.
 *
 * Must never: log or keep what a message says, copy it, or send it out of this machine and its own network: to scanners it
 * goes in clear.
 */
import type { ScanVerdict } from '#custody/store/unsealing-aid.ts'
import type { Bytes } from '#lib/bytes.ts'
import type { Clock } from '#lib/clock.ts'
import type { Endpoint } from '#lib/endpoint.ts'
import type { Logger } from '#lib/log.ts'
import type { Metrics } from '#lib/metrics.ts'
import { Admission } from './admission.ts'
import { askClamd, pingClamd } from './clamd.ts'
import { type Finding, failureOf } from './finding.ts'
import { askRspamd, pingRspamd } from './rspamd.ts'

export interface Scanner {
  scan(message: Bytes): Promise<ScanVerdict>
  /** Throws, in words for the operator, when the scanner of this name does not answer. */
  ping(name: ScannerName): Promise<void>
}

export type ScannerName = 'rspamd' | 'clamd'

export interface ScannerOptions {
  /** null: there is none. */
  readonly rspamd: Endpoint | null
  readonly clamd: Endpoint | null
  /** File with the password for rspamd; empty for none. */
  readonly passwordFile: string
  readonly timeoutMs: number
  readonly hostname: string
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

/** So many times in a row without an answer, and a scanner is left alone for REST_MS. */
const PATIENCE = 3
const REST_MS = 30_000
const COMPLAINT_MS = 60_000
const PING_MS = 3000

interface Engine {
  readonly name: ScannerName
  ask(message: Bytes, signal: AbortSignal): Promise<Finding>
  ping(signal: AbortSignal): Promise<void>
}

function enginesOf({ rspamd, clamd, passwordFile, hostname }: ScannerOptions): Engine[] {
  const engines: Engine[] = []
  if (rspamd !== null) {
    const asked = { endpoint: rspamd, passwordFile, hostname }
    engines.push({
      name: 'rspamd',
      ask: (message, signal) => askRspamd(asked, message, signal),
      ping: (signal) => pingRspamd(asked, signal),
    })
  }
  if (clamd !== null)
    engines.push({
      name: 'clamd',
      ask: (message, signal) => askClamd(clamd, message, signal),
      ping: (signal) => pingClamd(clamd, signal),
    })
  return engines
}

/** Answers at once while a scanner that was silent too often is left alone. */
function patient(engine: Engine, clock: Clock): Engine['ask'] {
  let silences = 0
  let restsUntil = 0
  return async (message, signal) => {
    if (clock.now() < restsUntil) return { kind: 'away', why: 'it did not answer lately' }
    const finding = await engine.ask(message, signal)
    silences = finding.kind === 'away' ? silences + 1 : 0
    if (silences >= PATIENCE) restsUntil = clock.now() + REST_MS
    return finding
  }
}

/** At most one line a minute for each scanner, with how often it happened since the last. */
function complaints({ clock, logger }: ScannerOptions): (scanner: string, why: string) => void {
  const said = new Map<string, { at: number; missed: number }>()
  return (scanner, why) => {
    const last = said.get(scanner)
    if (last && clock.now() - last.at < COMPLAINT_MS) {
      last.missed++
      return
    }
    logger.warn({ scanner, why, times: 1 + (last?.missed ?? 0) }, 'mail could not be scanned')
    said.set(scanner, { at: clock.now(), missed: 0 })
  }
}

/** A signal that comes when the time is over. */
function deadline(clock: Clock, ms: number): { readonly signal: AbortSignal } & Disposable {
  const late = new AbortController()
  const timer = clock.after(ms, () => late.abort())
  return { signal: late.signal, [Symbol.dispose]: () => timer[Symbol.dispose]() }
}

function worst(findings: readonly Finding[]): ScanVerdict {
  const verdicts = findings.map((finding) => (finding.kind === 'found' ? finding.verdict : 'unscanned'))
  return (['malware', 'junk', 'unscanned'] as const).find((verdict) => verdicts.includes(verdict)) ?? 'clean'
}

export function createScanner(options: ScannerOptions): Scanner {
  const { clock, logger, metrics, timeoutMs } = options
  const engines = enginesOf(options).map((engine) => ({ ...engine, ask: patient(engine, clock) }))
  const complain = complaints(options)
  const admission = new Admission()

  const ask = async ({ name, ask: askEngine }: Engine, message: Bytes, signal: AbortSignal): Promise<Finding> => {
    const began = clock.now()
    const finding = await askEngine(message, signal)
    metrics.observe('scan', (clock.now() - began) / 1000, { scanner: name })
    const verdict = finding.kind === 'found' ? finding.verdict : 'unscanned'
    metrics.count('scans', { scanner: name, verdict })
    if (finding.kind !== 'found') complain(name, finding.why)
    else if (verdict !== 'clean')
      logger.info({ scanner: name, verdict, names: finding.names }, 'sealed mail was scanned')
    return finding
  }

  return {
    async scan(message) {
      if (engines.length === 0) return 'unscanned'
      using late = deadline(clock, timeoutMs)
      try {
        const all = () => Promise.all(engines.map((engine) => ask(engine, message, late.signal)))
        return worst(await admission.run(message.length, late.signal, all))
      } catch (error) {
        complain('all', (error as Error).message)
        return 'unscanned'
      }
    },
    async ping(name) {
      const engine = engines.find((one) => one.name === name)
      if (!engine) throw new Error('it is not configured')
      using late = deadline(clock, PING_MS)
      try {
        await engine.ping(late.signal)
      } catch (error) {
        throw new Error(`${name} does not answer: ${failureOf(error, late.signal).why}`)
      }
    },
  }
}
