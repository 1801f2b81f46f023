/** For tests: mail that its sender sealed or signed, an account that it is for, and what its sessions ask outside. */
import assert from 'node:assert/strict'
import { encodeSummary, summarize } from '#formats/message/summary.ts'
import { parseCertificate } from '#formats/openpgp/certificate.ts'
import { openSecretKeys, sessionKeyOf } from '#formats/openpgp/secret-key.ts'
import { encodeSessionKey } from '#formats/openpgp/session-key.ts'
import type { Bytes } from '#lib/bytes.ts'
import type { Clock } from '#lib/clock.ts'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { createFakeLog } from '../../../test/support/fake-log.ts'
import {
  crlf,
  encryptedMessage,
  KEYS_MADE,
  type Person,
  person,
  SIGNED,
  signatureBy,
  signedEntity,
} from '../../../test/support/sealed-letters.ts'
import { ChangingKeys } from './changing-keys.contract.ts'
import type { IndexedMailStore } from './indexed-mail-store.ts'
import type { AccountMail, NewMessage, ReadingKeys } from './mail-store.ts'
import { createSealedMailStore } from './sealed-mail-store.ts'
import type { ScanVerdict, Signers, UnsealingAid } from './unsealing-aid.ts'

export const ACCOUNT = 'bob00000000000000000001'
export const NOW = SIGNED + 86_400_000
export const AUTHSERV_ID = 'mx.beta.test'

export const ada = await person('Ada <ada@alpha.test>')
/** The account's end-to-end key. */
export const bob = await person('Bob <bob@beta.test>')
export const mallory = await person('Mallory <mallory@evil.test>', KEYS_MADE + 1)

export const SECRET = 'CANARY-7d31b0'
const outer = (subject: string) => [
  'Received: from alpha.test by mx.beta.test; Mon, 2 Nov 2026 12:00:00 +0000',
  'From: Ada <ada@alpha.test>',
  'To: bob@beta.test',
  `Subject: ${subject}`,
]
const entityOf = (text: string, more: string): Buffer =>
  crlf(
    'From: Ada <ada@alpha.test>',
    'To: bob@beta.test',
    `Subject: ${text}`,
    'Content-Type: text/plain; charset=utf-8; protected-headers="v1"; hp="cipher"',
    '',
    `${SECRET} ${text}${more}`,
  )

export interface Wish {
  readonly reader?: Person
  readonly signer?: Person | null
  readonly flags?: readonly string[]
  /** More text. */
  readonly more?: string
}

function asNew(content: Buffer, flags: readonly string[] = []): NewMessage {
  return { content, summary: encodeSummary(summarize(content)), internalDate: 1_700_000_000_000, flags }
}

export function sealedLetter(
  text: string,
  { reader = bob, signer = ada, flags = [], more = '' }: Wish = {},
): NewMessage {
  const entity = entityOf(text, more)
  const signatures = signer ? signatureBy(signer, entity) : Buffer.alloc(0)
  return asNew(encryptedMessage(outer('...'), entity, reader, signatures).message, flags)
}

export function signedLetter(text: string, signer = ada): NewMessage {
  const entity = crlf('Content-Type: text/plain', '', text)
  return asNew(signedEntity(outer(text), entity, signatureBy(signer, entity)))
}

export const plainLetter = (text: string): NewMessage =>
  asNew(crlf('From: ada@alpha.test', `Subject: ${text}`, '', text))

export const damagedLetter = (text: string): NewMessage => {
  const { content } = sealedLetter(text)
  const armored = Buffer.from(content).toString('latin1').split('\r\n')
  const line = armored.findLastIndex((one) => one.length === 64)
  armored[line] = `${armored[line]!.slice(0, 30)}AAAA${armored[line]!.slice(34)}`
  return asNew(Buffer.from(armored.join('\r\n'), 'latin1'))
}

export interface FakeAid extends UnsealingAid {
  readonly asked: string[]
  readonly scanned: string[]
}

export interface AidWish {
  readonly own?: readonly Person[]
  readonly signers?: (author: string) => Promise<Signers>
  readonly scan?: (message: Bytes) => Promise<ScanVerdict>
}

export const knowing = (...people: readonly Person[]): Signers => ({
  certificates: people.map(({ certificate }) => ({ certificate, evidence: 'secure-srv', isCurrent: true })),
  trouble: null,
})

export function fakeAid({ own = [bob], signers, scan }: AidWish = {}): FakeAid {
  const asked: string[] = []
  const scanned: string[] = []
  const keys = own.flatMap(({ certificate }) => parseCertificate(certificate).encryptionKeys)
  return {
    asked,
    scanned,
    authservId: AUTHSERV_ID,
    now: () => NOW,
    own: async () => ({
      certificates: own.map(({ fingerprint }) => fingerprint),
      keys: keys.flatMap(({ fingerprint }) => [fingerprint, fingerprint.slice(-16)]),
    }),
    async signers(author) {
      asked.push(author)
      return signers ? signers(author) : knowing(ada)
    },
    async scan(message) {
      scanned.push(Buffer.from(message).toString())
      return scan ? scan(message) : 'clean'
    },
  }
}

export interface SessionKeys extends ReadingKeys {
  /** PKESKs of senders' messages that were asked for. */
  readonly inner: number
}

/** Keys of a session: those at rest, and the secrets of these people. */
export function sessionKeys(atRest: ChangingKeys, people: readonly Person[], aid: UnsealingAid | null): SessionKeys {
  const secrets = people.map(({ secret }) => openSecretKeys(secret))
  const resting = atRest.reading()
  let inner = 0
  return {
    ...(aid ? { aid } : {}),
    get inner() {
      return inner
    },
    indexKey: () => resting.indexKey(),
    olderIndexKeys: () => resting.olderIndexKeys!(),
    async sessionKeys(pkesks) {
      const found = await resting.sessionKeys(pkesks)
      return found.map((key, index) => {
        if (key) return key
        inner++
        const [own] = secrets.flatMap((secret) => sessionKeyOf(secret, pkesks[index]!) ?? [])
        return own ? encodeSessionKey(own) : null
      })
    },
  }
}

export async function house(inner: IndexedMailStore, clock: Clock = createFakeClock(NOW)) {
  const keys = new ChangingKeys()
  await keys.change()
  const log = createFakeLog()
  const store = createSealedMailStore(inner, { sealing: keys.sealing, clock, logger: log })
  await store.create(ACCOUNT)
  const raw = await inner.open(ACCOUNT, null)
  const login = (aid: UnsealingAid | null = fakeAid(), people: readonly Person[] = [bob]) => {
    const session = sessionKeys(keys, people, aid)
    return store.open(ACCOUNT, session).then((mail) => Object.assign(mail, { session }))
  }
  return { keys, log, store, raw, login, inner }
}

export async function idOf(mail: AccountMail, name: string): Promise<number> {
  const found = (await mail.mailboxes()).find((one) => one.name === name)
  assert.ok(found, name)
  return found.id
}

export const text = (octets: Bytes | null): string | null => octets && Buffer.from(octets).toString()
