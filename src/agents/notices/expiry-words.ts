/** What the owner of a key that expires is told. */
import type { Notice } from './notices.ts'

export interface ExpiringKey {
  readonly address: string
  readonly fingerprint: string
  readonly custody: 'held' | 'device'
  /** Milliseconds since the epoch. */
  readonly expires: number
  /** 0: it has expired. */
  readonly daysLeft: number
}

const rotate = (address: string): string[] => [
  'If Letterlock made the key, a new one takes its place with one command, and',
  'all mail stays readable:',
  '',
  `  letterlock key rotate ${address}`,
  '',
  'If you brought the key yourself, extend it in your own OpenPGP program and',
  'import it again:',
]

/** GnuPG extends the primary key and its subkeys by a command each. */
const extend = (fingerprint: string): string[] => [
  `  gpg --quick-set-expire ${fingerprint} 2y`,
  `  gpg --quick-set-expire ${fingerprint} 2y '*'`,
]

/** `stage` is part of the notice's key: the same key, date and stage are one notice. */
export function expiryNotice(key: ExpiringKey, stage: number): Notice {
  const { address, fingerprint, custody, expires, daysLeft } = key
  const date = new Date(expires).toISOString().slice(0, 10)
  const when =
    daysLeft === 0 ? `expired on ${date}` : `expires on ${date}, in ${daysLeft === 1 ? 'one day' : `${daysLeft} days`}`
  const lines = [
    `The OpenPGP key of ${address} ${when}:`,
    '',
    `  ${fingerprint}`,
    '',
    'No mail is lost by that. Mail for you goes on arriving, is sealed to this',
    'key as before, and stays readable. But programs of other people refuse to',
    'seal mail to a key that has expired: they may write to you unsealed, or not',
    'at all.',
    '',
    'What to do:',
    '',
    ...(custody === 'held'
      ? rotate(address)
      : ['Extend the key on your device, where it is kept, and import its public half', 'again:']),
    '',
    ...extend(fingerprint),
    custody === 'held'
      ? `  gpg --armor --export-secret-keys ${fingerprint} > key.asc`
      : `  gpg --armor --export ${fingerprint} > key.asc`,
    `  letterlock key import ${address} key.asc${custody === 'held' ? '' : ' --device'}`,
    '',
    'The commands of Letterlock are run where the server is; if you have no',
    'access to it, ask whoever runs it.',
  ]
  return {
    key: `expiry.${fingerprint}.${expires}.${stage}`,
    subject: daysLeft === 0 ? 'Your OpenPGP key has expired' : `Your OpenPGP key expires on ${date}`,
    text: lines.join('\n'),
  }
}
