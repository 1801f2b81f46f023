/**
 * Every change of an account's keys as a scenario: how the account is made ready, what is changed, and which credentials count before
 * and after. Tests run them with a failpoint at each step and look at what is left.
 */
import type { Directory } from '#custody/accounts/directory.ts'
import type { Keyring, OwnerSecrets } from '#custody/keyring/keyring.ts'
import { MasterVault } from '#custody/keyring/master-vault.ts'
import { generateKeys } from '#formats/openpgp/generate.ts'
import { systemClock } from '#lib/clock.ts'
import { addressOf, PASSWORD, VAULT_UID } from './vault-keyring.ts'

/** Plain texts, since they travel to another process; the keyring wipes the Buffers that it is given. */
export interface Credentials {
  readonly password: string
  readonly passphrase?: string
}

export interface Notes {
  readonly account: string
  readonly before: Credentials
  readonly after: Credentials
  /** What the change needs besides, base64 where it is octets. */
  readonly extra: Readonly<Record<string, string>>
  /** The change makes old mail unreadable until `relinks` is shown. */
  readonly relinks?: string
}

export interface Rooms {
  readonly keyring: Keyring
  readonly directory: Directory
}

export interface KeyScenario {
  readonly prepare: (rooms: Rooms, account: string) => Promise<Notes>
  readonly change: (rooms: Rooms, notes: Notes) => Promise<unknown>
}

const NEXT = 'the next password'
const before: Credentials = { password: PASSWORD }
const next: Credentials = { password: NEXT }

export const ownerOf = ({ password, passphrase }: Credentials): OwnerSecrets => ({
  password: Buffer.from(password),
  ...(passphrase === undefined ? {} : { passphrase: Buffer.from(passphrase) }),
})

/** An account with a key and its recovery code. */
async function founded({ keyring, directory }: Rooms, account: string): Promise<string> {
  const address = addressOf(account)
  const keys = await keyring.create(account, address, Buffer.from(PASSWORD), 'curve25519')
  await directory.addAccount({ id: account, address, state: 'active', created: 1, quota: null }, keys.certificate)
  return keys.recoveryCode.reveal()
}

const same = (account: string, extra: Notes['extra'] = {}): Notes => ({ account, before, after: before, extra })
const base64 = (octets: Uint8Array) => Buffer.from(octets).toString('base64')
const octetsOf = (text: string | undefined) => Buffer.from(text ?? '', 'base64')
const userIds = (account: string) => [`<${account}@alpha.test>`]
const NEW_KEY = { algorithm: 'curve25519' } as const

const ownKey = (account: string) =>
  generateKeys({ userId: userIds(account)[0]!, ...NEW_KEY, created: new Date(Date.UTC(2025, 0, 1)) })

const MASTER_PASSPHRASE = 'of the master key'

async function master(): Promise<{ certificate: Uint8Array; secret: Uint8Array }> {
  await using vault = new MasterVault({ placement: { uid: VAULT_UID }, clock: systemClock })
  return await vault.make({ userId: 'Escrow of alpha.test', ...NEW_KEY, lock: Buffer.from(MASTER_PASSPHRASE) })
}

let made: ReturnType<typeof master> | null = null
const theMaster = () => {
  made ??= master()
  return made
}

async function agreed(rooms: Rooms, account: string): Promise<void> {
  await founded(rooms, account)
  await rooms.keyring.agreeToEscrow(account, ownerOf(before), (await theMaster()).certificate)
}

export const scenarios: Readonly<Record<string, KeyScenario>> = {
  'change of password': {
    async prepare(rooms, account) {
      await founded(rooms, account)
      return { account, before, after: next, extra: {} }
    },
    change: ({ keyring }, { account }) => keyring.changePassword(account, Buffer.from(PASSWORD), Buffer.from(NEXT)),
  },
  recovery: {
    async prepare(rooms, account) {
      return { account, before, after: next, extra: { code: await founded(rooms, account) } }
    },
    change: ({ keyring }, { account, extra }) =>
      keyring.recover(account, Buffer.from(extra['code']!), Buffer.from(NEXT)),
  },
  reset: {
    async prepare(rooms, account) {
      await founded(rooms, account)
      return { account, before, after: next, extra: {}, relinks: PASSWORD }
    },
    change: ({ keyring }, { account }) =>
      keyring.reset(account, addressOf(account), Buffer.from(NEXT), NEW_KEY.algorithm),
  },
  relink: {
    async prepare(rooms, account) {
      await founded(rooms, account)
      await rooms.keyring.reset(account, addressOf(account), Buffer.from(NEXT), NEW_KEY.algorithm)
      return { account, before: next, after: next, extra: {} }
    },
    change: ({ keyring }, { account }) => keyring.relink(account, ownerOf(next), Buffer.from(PASSWORD)),
  },
  'app password added': {
    async prepare(rooms, account) {
      await founded(rooms, account)
      return same(account)
    },
    change: ({ keyring }, { account }) =>
      keyring.addAppPassword(account, ownerOf(before), { label: 'phone', scope: ['imap'], expires: null }),
  },
  'app password revoked': {
    async prepare(rooms, account) {
      await founded(rooms, account)
      const wish = { label: 'phone', scope: ['imap'], expires: null }
      const { id } = (await rooms.keyring.addAppPassword(account, ownerOf(before), wish))!
      return same(account, { id })
    },
    change: ({ keyring }, { account, extra }) => keyring.revokeAppPasswords(account, ownerOf(before), [extra['id']!]),
  },
  'recovery code reissued': {
    async prepare(rooms, account) {
      await founded(rooms, account)
      return same(account)
    },
    change: ({ keyring }, { account }) => keyring.reissueRecoveryCode(account, ownerOf(before)),
  },
  'passphrase set': {
    async prepare(rooms, account) {
      await founded(rooms, account)
      return { account, before, after: { ...before, passphrase: 'and a phrase' }, extra: {} }
    },
    change: ({ keyring }, { account }) => keyring.setPassphrase(account, ownerOf(before), Buffer.from('and a phrase')),
  },
  'first key': {
    async prepare({ keyring, directory }, account) {
      await keyring.createWithoutKey(account, Buffer.from(PASSWORD))
      const address = addressOf(account)
      await directory.addAccount({ id: account, address, state: 'active', created: 1, quota: null }, null)
      return same(account)
    },
    change: ({ keyring }, { account }) =>
      keyring.generateKey(account, ownerOf(before), { userIds: userIds(account), ...NEW_KEY }),
  },
  rotation: {
    async prepare(rooms, account) {
      await founded(rooms, account)
      return same(account)
    },
    change: ({ keyring }, { account }) =>
      keyring.rotateKey(account, ownerOf(before), { userIds: userIds(account), ...NEW_KEY }),
  },
  'import of a key': {
    async prepare(rooms, account) {
      await founded(rooms, account)
      return same(account, { tsk: base64((await ownKey(account)).secret) })
    },
    change: ({ keyring }, { account, extra }) =>
      keyring.importKey(account, ownerOf(before), {
        tsk: octetsOf(extra['tsk']),
        keyPassphrase: null,
        use: 'both',
        addsSubkey: false,
        addresses: [`${account}@alpha.test`],
      }),
  },
  'device certificate': {
    async prepare(rooms, account) {
      await founded(rooms, account)
      return same(account, { certificate: base64((await ownKey(account)).certificate) })
    },
    change: ({ keyring }, { account, extra }) =>
      keyring.useDeviceCertificate(account, ownerOf(before), octetsOf(extra['certificate']), [`${account}@alpha.test`]),
  },
  'consent to escrow': {
    async prepare(rooms, account) {
      await founded(rooms, account)
      return same(account, { master: base64((await theMaster()).certificate) })
    },
    change: ({ keyring }, { account, extra }) =>
      keyring.agreeToEscrow(account, ownerOf(before), octetsOf(extra['master'])),
  },
  'opting out of escrow': {
    async prepare(rooms, account) {
      await agreed(rooms, account)
      return same(account)
    },
    change: ({ keyring }, { account }) =>
      keyring.rotateKey(account, ownerOf(before), { userIds: userIds(account), ...NEW_KEY, escrow: 'drop' }),
  },
  'recovery by escrow': {
    async prepare(rooms, account) {
      await agreed(rooms, account)
      const table = await rooms.keyring.requestEscrow(account, 'ticket 7')
      const { secret } = await theMaster()
      await using vault = new MasterVault({ placement: { uid: VAULT_UID }, clock: systemClock })
      const lock = { secret: Buffer.from(secret), passphrase: Buffer.from(MASTER_PASSPHRASE) }
      const opened = await vault.open({ account, table, ticket: 'ticket 7' }, lock)
      if (opened.kind !== 'opened') throw new Error(`the master key did not open: ${opened.kind}`)
      return same(account, { grant: base64(opened.table) })
    },
    change: ({ keyring }, { account, extra }) =>
      keyring.applyEscrow(account, { ticket: 'ticket 7', octets: octetsOf(extra['grant']) }),
  },
}
