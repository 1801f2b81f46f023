/**
 * The configuration: one schema that is type, check, defaults and documentation (docs/config.md is printed from it).
 *
 * Few keys, because domains, accounts and keys are data and not configuration. Every key but `hostname` has a default.
 * Relative paths are relative to the file. Times are written as `30s`, `5m`, `4h`, `5d`; sizes as `25M`, `1G`.
 */
import { z } from 'zod'
import { isOutside, parseEndpoint } from '#lib/endpoint.ts'

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }
const SIZES: Readonly<Record<string, number>> = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 }

/** Octets of `25M`; null when it is no size. */
export function parseSize(text: string): number | null {
  const [, digits, unit] = /^(\d{1,12})([KMGT]?)$/.exec(text) ?? []
  return digits === undefined ? null : Number(digits) * SIZES[unit ?? '']!
}

const duration = z
  .string()
  .regex(/^\d{1,6}[smhd]$/, 'is no time: write a number and s, m, h or d, such as "90s"')
  .transform((text) => Number(text.slice(0, -1)) * UNITS[text.at(-1)!]! * 1000)

const size = z.string().transform((text, check) => {
  const octets = parseSize(text)
  if (octets === null)
    check.addIssue({ code: 'custom', message: 'is no size: write a number and K, M or G, such as "25M"' })
  return octets ?? 0
})

const port = z.number().int().min(0).max(65_535)
const doc = <T extends z.ZodType>(type: T, text: string): T => type.describe(text)

const ports = z
  .strictObject({
    smtp: doc(port.default(2525), 'mail from other servers (STARTTLS)'),
    lmtp: doc(port.default(2424), 'mail from a front server on this machine (LMTP)'),
    submissions: doc(port.default(4465), "users' outgoing mail (TLS)"),
    submission: doc(port.default(5587), "users' outgoing mail (STARTTLS)"),
    imaps: doc(port.default(9993), 'reading (TLS)'),
    imap: doc(port.default(1143), 'reading (STARTTLS)'),
    pop3s: doc(port.default(9995), 'fetching with POP3 (TLS)'),
    pop3: doc(port.default(1110), 'fetching with POP3 (STLS)'),
    https: doc(port.default(8443), 'keyserver and Web Key Directory (TLS)'),
    admin: doc(port.default(9090), '/health and /metrics, on 127.0.0.1 whatever `bind` says'),
  })
  .prefault({})

const tls = z
  .strictObject({
    certificate: doc(z.string().default('tls/server.crt'), 'PEM chain that all listeners show'),
    key: doc(z.string().default('tls/server.key'), 'its PEM private key'),
    trust: doc(
      z.array(z.string()).default([]),
      "PEM files of CAs that outgoing connections trust besides the system's",
    ),
  })
  .prefault({})

const dns = z
  .strictObject({
    servers: doc(
      z.array(z.string()).default([]),
      'resolvers as `address:port`, or `address:port#name` for DNS over TLS to a server whose certificate has that name; empty takes those of the system (/etc/resolv.conf)',
    ),
    validating: doc(
      z.boolean().default(false),
      'the resolvers validate DNSSEC; believed only where they are on a loopback address or asked over TLS',
    ),
  })
  .prefault({})

const relay = z
  .strictObject({
    smarthost: doc(
      z.string().default(''),
      'hand all outgoing mail to this server, as `host:port`; empty delivers by MX',
    ),
    tls: doc(
      z.enum(['none', 'opportunistic', 'required', 'implicit']).default('opportunistic'),
      'TLS to the smarthost; `required` and `implicit` check its certificate',
    ),
    user: doc(z.string().default(''), 'login at the smarthost; empty for none'),
    passwordFile: doc(z.string().default(''), 'file with the password for that login, readable by the server alone'),
    port: doc(port.default(25), 'port of other mail servers'),
    allowPrivate: doc(
      z.boolean().default(false),
      'deliver to loopback and private addresses too: for tests and several providers on one machine',
    ),
    warnAfter: doc(duration.prefault('4h'), 'tell the sender that mail is delayed after this time'),
    giveUpAfter: doc(duration.prefault('5d'), 'return mail that could not be delivered after this time'),
  })
  .superRefine(({ user, passwordFile, tls: mode }, check) => {
    const refuse = (key: string, message: string) => check.addIssue({ code: 'custom', path: [key], message })
    if ((user === '') !== (passwordFile === ''))
      refuse(user === '' ? 'user' : 'passwordFile', '`user` and `passwordFile` go together: give both, or neither')
    if (user !== '' && mode !== 'required' && mode !== 'implicit')
      refuse('tls', 'a login needs "required" or "implicit": the password must not go to whoever answers')
  })
  .prefault({})

const limits = z
  .strictObject({
    messageSize: doc(size.prefault('50M'), 'largest message'),
    memory: doc(
      size.prefault('256M'),
      'octets of messages held in memory at once: over all SMTP connections, and as much for all of IMAP',
    ),
    connections: doc(z.number().int().min(1).default(1000), 'connections to each listener'),
    connectionsPerAddress: doc(
      z.number().int().min(1).default(100),
      'connections to each listener from one IPv4 address or IPv6 /64',
    ),
    recipients: doc(
      z.number().int().min(100).default(1000),
      'recipients of one message (RFC 5321 asks for 100 at least)',
    ),
    quota: doc(size.prefault('0'), 'disk space of an account that has no quota of its own; "0" for no limit'),
    failedLogins: doc(
      z.number().int().min(1).default(20),
      'failed logins per ten minutes from one IPv4 address or IPv6 /64; ten times as many to one account',
    ),
    lookups: doc(
      z.number().int().min(1).default(1000),
      'requests per minute that the keyserver takes from one IP address',
    ),
  })
  .prefault({})

const sessions = z
  .strictObject({
    grace: doc(duration.prefault('60s'), 'how long keys stay unlocked after the last session of an account has ended'),
    idle: doc(
      duration.prefault('24h'),
      'a session that needed no key for this long ends, and its keys are wiped; the client logs in again',
    ),
    vaultUid: doc(
      z.number().int().min(1).default(65_533),
      'user and group id of the vault where the server runs as root',
    ),
  })
  .prefault({})

const store = z
  .strictObject({
    workers: doc(z.number().int().min(0).max(64).default(0), 'threads that seal and store; 0 for one less than cores'),
    queueKey: doc(z.string().default('keys/queue.key'), 'key that waiting mail is sealed under; made when missing'),
  })
  .prefault({})

const front = z
  .strictObject({
    processes: doc(
      z.number().int().min(0).max(64).default(0),
      'processes of their own that serve IMAP and POP3, each with a vault and threads of its own; 0: the main process serves them. `limits.connections`, `limits.connectionsPerAddress` and `limits.failedLogins` count over all of them, `limits.memory` is divided among them, and `store.workers` counts in each',
    ),
  })
  .prefault({})

const search = z
  .strictObject({
    index: doc(
      z.boolean().default(true),
      'keep a sealed index of the texts of messages, made while their owner is logged in; without it each search opens the messages',
    ),
  })
  .prefault({})

const submission = z
  .strictObject({
    saveSent: doc(z.boolean().default(true), 'keep a copy of submitted mail in Sent'),
    recipientsPerHour: doc(
      z.number().int().min(1).default(1000),
      'recipients that one account may write to in an hour',
    ),
  })
  .prefault({})

/** Mail goes there in clear. An empty text becomes null. */
const scannerAddress = z.string().transform((text, check) => {
  if (text === '') return null
  const endpoint = parseEndpoint(text.replace(/^http:\/\/(.*?)\/?$/, '$1'))
  const refuse = (message: string) => check.addIssue({ code: 'custom', message })
  if (endpoint === null) refuse('is no address: write "host:port", "[::1]:port" or "unix:/path"')
  else if (isOutside(endpoint))
    refuse(
      'is an address of the Internet, and mail goes there in clear: write a loopback or private one, or "unix:/path"',
    )
  return endpoint
})

const scan = z
  .strictObject({
    rspamd: doc(
      scannerAddress.prefault(''),
      'rspamd (its normal worker) that tells junk among mail that arrived sealed, when its owner opens it: `host:port`, `http://host:port` or `unix:/path`; empty for none',
    ),
    passwordFile: doc(z.string().default(''), 'file with the password that rspamd asks for; empty for none'),
    clamd: doc(
      scannerAddress.prefault(''),
      'clamd that tells malware in the same way: `host:port` or `unix:/path`; empty for none',
    ),
    timeout: doc(
      duration.prefault('15s').refine((ms) => ms >= 1000 && ms <= 15_000, 'must be from "1s" to "15s"'),
      'how long a message waits for scanners, at most `15s`; then it is shown unscanned',
    ),
  })
  .refine(({ rspamd, passwordFile }) => passwordFile === '' || rspamd !== null, {
    path: ['passwordFile'],
    message: 'there is nobody to give it to: set `rspamd` too, or remove it',
  })
  .prefault({})

const e2e = z
  .strictObject({
    seal: doc(
      z.boolean().default(true),
      'encrypt outgoing mail to whom it can be; off: nothing is, and mail that policy wants encrypted is refused',
    ),
    withoutKey: doc(
      z.enum(['plain', 'warn', 'refuse', 'pickup']).default('plain'),
      'what becomes of mail to people elsewhere without a key, where neither account nor domain chose: it leaves in clear, the same and its author is told, it is refused, or it is kept here encrypted',
    ),
  })
  .prefault({})

const log = z
  .strictObject({
    level: doc(z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'), 'least weight of a line'),
    addresses: doc(z.boolean().default(false), 'write whole addresses; otherwise their domains only'),
  })
  .prefault({})

const escrow = z
  .strictObject({
    certificate: doc(
      z.string().default(''),
      'certificate of the escrow master key, as `letterlock escrow init` makes it on another machine; empty for no escrow',
    ),
    fingerprint: doc(
      z.string().default(''),
      'its fingerprint; the server does not start when the file has another one',
    ),
    domains: doc(z.array(z.string()).default([]), 'domains whose accounts are offered escrow; empty for all'),
    consentText: doc(
      z.string().default(''),
      'file with the text that owners agree to; empty takes the one of Letterlock. Each consent keeps its text',
    ),
    optOutText: doc(z.string().default(''), 'file with the text shown to those who take their consent back'),
    label: doc(z.string().max(64).default(''), 'your name for this edition of the texts, such as "2026-01"'),
  })
  .superRefine(({ certificate, fingerprint }, check) => {
    if ((certificate === '') === (fingerprint === '')) return
    const key = certificate === '' ? 'certificate' : 'fingerprint'
    check.addIssue({
      code: 'custom',
      path: [key],
      message: '`certificate` and `fingerprint` go together: give both, or neither',
    })
  })
  .prefault({})

const custody = z
  .strictObject({
    termsText: doc(
      z.string().default(''),
      'file with what owners are told before their first key is made; empty takes the text of Letterlock. Each consent keeps its text',
    ),
    label: doc(z.string().max(64).default(''), 'your name for this edition of that text, such as "2026-01"'),
  })
  .prefault({})

export const configSchema = z.strictObject({
  hostname: doc(
    z
      .string()
      .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, 'is no host name: write lower-case letters, digits, dots and hyphens'),
    "this server's name, as in its certificate and in the domains' MX records",
  ),
  bind: doc(z.string().default('127.0.0.1'), 'IP address to listen on; `0.0.0.0` or `::` for all'),
  data: doc(z.string().default('.'), 'directory for everything that is kept'),
  ports,
  tls,
  dns,
  relay,
  limits,
  sessions,
  store,
  front,
  search,
  submission,
  custody,
  escrow,
  e2e,
  scan,
  log,
})

export type Config = z.infer<typeof configSchema>
