/** `letterlock key list|show`: an account's certificates, without any secret. */
import { formatAddress } from '#formats/message/address.ts'
import { armor } from '#formats/openpgp/armor.ts'
import { systemClock } from '#lib/clock.ts'
import { CliError } from '../cli-error.ts'
import { answer, notice, tabulate } from '../output.ts'
import { Premises } from '../premises.ts'
import type { KeyOptions } from './desk.ts'
import { CUSTODY_WORDS, type KeyFacts, keyFacts } from './facts.ts'

const WARNING_MS = 30 * 86_400_000

function expiryOf({ expires, expiresAt }: KeyFacts, now: number): string {
  if (expires === null || expiresAt === null) return 'never'
  const left = Math.floor((expiresAt - now) / 86_400_000)
  return `${expires.slice(0, 10)}${left < 0 ? ' (expired)' : expiresAt - now <= WARNING_MS ? ` (in ${left} days)` : ''}`
}

const USES: Readonly<Record<KeyFacts['use'], string>> = {
  both: 'current',
  rest: 'current, at rest',
  'end-to-end': 'current, end to end',
  reading: 'old: reads old mail',
}

const stateOf = ({ use, revoked }: KeyFacts): string => `${USES[use]}${revoked ? ', revoked' : ''}`

function documentOf({ octets, expiresAt: _, ...facts }: KeyFacts) {
  return { ...facts, certificate: armor('PUBLIC KEY BLOCK', octets) }
}

export async function list(text: string, options: KeyOptions): Promise<void> {
  await using premises = new Premises(options)
  const account = await premises.account(text)
  const address = formatAddress(account.address)
  const { custody, keys } = await keyFacts(premises, account)
  const now = systemClock.now()
  if (!options.json) {
    for (const { fingerprint, use, expiresAt } of keys) {
      if (use === 'reading' || expiresAt === null || expiresAt - now > WARNING_MS) continue
      notice(
        `letterlock: ${fingerprint} expires soon or has expired: extend it and import it again, or letterlock key rotate ${address}`,
      )
    }
  }
  const rows = keys.map((key) => [
    key.fingerprint,
    key.algorithm,
    key.custody,
    key.since.slice(0, 10),
    expiryOf(key, now),
    stateOf(key),
  ])
  const table = tabulate(['fingerprint', 'algorithm', 'custody', 'since', 'expires', 'state'], rows)
  answer(
    options,
    { address, custody: custody.mode, keys: keys.map(documentOf) },
    keys.length === 0 ? `${address} has no key yet. letterlock key generate ${address} makes one.` : table,
  )
}

export async function show(text: string, fingerprint: string, options: KeyOptions): Promise<void> {
  await using premises = new Premises(options)
  const account = await premises.account(text)
  const address = formatAddress(account.address)
  const { keys } = await keyFacts(premises, account)
  const key = findKey(keys, fingerprint, address)
  const document = documentOf(key)
  answer(
    options,
    { address, ...document },
    [
      `fingerprint  ${key.fingerprint}`,
      `algorithm    ${key.algorithm}`,
      ...key.userIds.map((userId) => `user id      ${printable(userId)}`),
      `state        ${stateOf(key)}`,
      `custody      ${CUSTODY_WORDS[key.custody]}`,
      `since        ${key.since}`,
      `expires      ${expiryOf(key, systemClock.now())}`,
      '',
      document.certificate,
    ].join('\n'),
  )
}

/** What somebody wrote into a certificate must not steer the terminal. */
const printable = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cf}]/gu, '?')

/** By fingerprint or its last 16 digits or more, with or without spaces. Throws CliError. */
export function findKey<K extends { readonly fingerprint: string }>(
  keys: readonly K[],
  typed: string,
  address: string,
): K {
  const digits = typed.replaceAll(/\s/g, '').replace(/^0x/i, '').toUpperCase()
  const found = digits.length < 16 ? [] : keys.filter(({ fingerprint }) => fingerprint.endsWith(digits))
  if (found.length === 1) return found[0]!
  throw new CliError(`${address} has no certificate ${typed}; letterlock key list ${address} shows all`)
}
