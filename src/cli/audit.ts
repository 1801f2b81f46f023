/** `letterlock audit`: what was done to accounts, keys and mail, and whether that record is as it was written. */
import { once } from 'node:events'
import { addressKey } from '#custody/accounts/address-key.ts'
import type { AuditEntry } from '#custody/audit/audit-log.ts'
import { verifyAuditLog } from '#custody/audit/verify-audit-log.ts'
import { parseAddress } from '#formats/message/address.ts'
import { CliError, UsageError } from './cli-error.ts'
import { answer, day, type OutputOptions } from './output.ts'
import { addressOf, type PlaceOptions, Premises } from './premises.ts'

export interface ListOptions extends PlaceOptions, OutputOptions {
  readonly account?: string
  readonly since?: string
}

const DATE = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?Z)?$/

function timeOf(text: string | undefined): number {
  if (text === undefined) return 0
  const time = DATE.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(time))
    throw new UsageError(`--since: "${text}" is no date such as 2026-11-02 or 2026-11-02T12:00:00Z`)
  return time
}

const lineOf = ({ seq, at, event, account, address, actor, detail }: AuditEntry): string =>
  [
    String(seq).padStart(6),
    day(at),
    event,
    `by ${actor}`,
    address ?? account ?? '',
    ...Object.entries(detail).map(([name, value]) => `${name}=${value}`),
  ]
    .filter((word) => word !== '')
    .join('  ')

/** Entries about one address: of the account that has it, or, when it was removed, those that name it. */
async function aboutAddress(premises: Premises, text: string): Promise<(entry: AuditEntry) => boolean> {
  const named = addressKey(addressOf(text))
  const account = await (await premises.directory()).accountByLogin(text)
  if (account) return (entry) => entry.account === account.id
  return (entry) => {
    const address = parseAddress(entry.address ?? '')
    return address !== null && addressKey(address) === named
  }
}

/** Written as they are read, because a log may be longer than memory. */
async function print(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain')
}

export async function list(options: ListOptions): Promise<void> {
  await using premises = new Premises(options)
  const since = timeOf(options.since)
  const isAsked = options.account === undefined ? () => true : await aboutAddress(premises, options.account)
  let count = 0
  if (options.json) await print('[')
  try {
    for await (const entry of premises.audit().entries({ since })) {
      if (!isAsked(entry)) continue
      const text = options.json ? JSON.stringify(entry) : lineOf(entry)
      await print(options.json ? `${count === 0 ? '\n' : ',\n'}${text}` : `${text}\n`)
      count++
    }
  } finally {
    if (options.json) await print('\n]\n')
  }
  if (count === 0 && !options.json) answer(options, [], 'No such entries.')
}

export interface VerifyOptions extends PlaceOptions, OutputOptions {
  readonly head?: string
}

export async function verify(options: VerifyOptions): Promise<void> {
  await using premises = new Premises(options)
  const noted = options.head?.toLowerCase()
  if (noted !== undefined && !/^[0-9a-f]{64}$/.test(noted))
    throw new UsageError('--head: 64 hexadecimal digits are expected, as an earlier verify printed them')
  const verdict = await verifyAuditLog(premises.config.data, noted)
  const { kind, entries, head, faults, remarks, notedAt } = verdict
  const state = {
    none: 'Nothing was recorded yet.',
    intact: `The audit log is intact: ${entries} entries.`,
    broken: `THE AUDIT LOG IS BROKEN. ${entries} entries are as they were written, but:`,
  }
  answer(
    options,
    verdict,
    [
      state[kind],
      ...faults.map(({ line, what }) => (line === null ? `- ${what}` : `- line ${line} ${what}`)),
      ...remarks,
      ...(notedAt === null ? [] : [`It is the log whose head was noted at entry ${notedAt}.`]),
      ...(kind === 'none' ? [] : [`Head: ${head}`]),
      ...(kind === 'intact'
        ? ['Note it elsewhere; letterlock audit verify --head HEAD later shows that nothing before it was changed.']
        : []),
    ].join('\n'),
  )
  if (kind === 'broken') throw new CliError('the audit log is not as it was written')
}
