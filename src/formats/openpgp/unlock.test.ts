import assert from 'node:assert/strict'
import { createCipheriv, createHash, hash, hkdfSync, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { armor } from './armor.ts'
import { loadEngine } from './engine.ts'
import { generateKeys } from './generate.ts'
import { parsePublicPart } from './key-packet.ts'
import { lockForExport } from './lock.ts'
import { MalformedOpenPgp } from './openpgp.ts'
import { packet, readPackets } from './packets.ts'
import { openSecretKeys } from './secret-key.ts'
import { PassphraseNeeded, UnsupportedLock, unlockSecretKey, WrongPassphrase } from './unlock.ts'

const created = new Date(1_700_000_000_000)
const ada = await generateKeys({ userId: 'Ada <ada@alpha.test>', algorithm: 'curve25519', created })
const passphrase = Buffer.from('open sesame')

/** Puts every secret packet in another form: `lock` gets the public part and the secret fields without their sum. */
function relocked(tsk: Buffer, lock: (type: number, open: Buffer, fields: Buffer) => Buffer): Buffer {
  const packets = [...readPackets(tsk)].map((one) => {
    if (one.type !== 5 && one.type !== 7) return one.octets
    const { key, rest } = parsePublicPart(one.body)
    rest.u8()
    const open = Buffer.from(key.body)
    return packet(one.type, open, lock(one.type, open, rest.rest().subarray(0, -2)))
  })
  return Buffer.concat(packets)
}

const CIPHERS = new Map([
  [2, ['des-ede3-cfb', 24, 8]],
  [7, ['aes-128-cfb', 16, 16]],
  [8, ['aes-192-cfb', 24, 16]],
  [9, ['aes-256-cfb', 32, 16]],
  [12, ['camellia-192-cfb', 24, 16]],
] as const)

/** RFC 9580 §3.7.1.1 to 3, in one line for each of its sentences. */
function hashedKey(name: string, salt: Buffer, count: number, size: number): Buffer {
  const unit = Buffer.concat([salt, passphrase])
  const input = Buffer.alloc(Math.max(count, unit.length), unit)
  const digests = [0, 1].map((zeros) => createHash(name).update(Buffer.alloc(zeros)).update(input).digest())
  return Buffer.concat(digests).subarray(0, size)
}

const sumOf = (fields: Buffer) => {
  const sum = fields.reduce((total, octet) => total + octet, 0)
  return Buffer.of((sum >> 8) & 0xff, sum & 0xff)
}

interface Form {
  readonly usage: 254 | 255 | 'legacy'
  readonly cipher: 2 | 7 | 8 | 9 | 12
  readonly s2k: 'simple' | 'salted' | 'iterated'
  readonly digest: readonly [number, string]
}

function inForm({ usage, cipher, s2k, digest }: Form): Buffer {
  const [name, keySize, block] = CIPHERS.get(cipher)!
  const salt = randomBytes(8)
  const specifier = {
    simple: Buffer.of(0, digest[0]),
    salted: Buffer.of(1, digest[0], ...salt),
    iterated: Buffer.of(3, digest[0], ...salt, 0x10),
  }[s2k]
  const key =
    usage === 'legacy'
      ? hashedKey('md5', Buffer.alloc(0), 0, keySize)
      : hashedKey(digest[1], s2k === 'simple' ? Buffer.alloc(0) : salt, s2k === 'iterated' ? 16 << 7 : 0, keySize)
  return relocked(ada.secret, (_type, _open, fields) => {
    const iv = randomBytes(block)
    const plain = Buffer.concat([fields, usage === 254 ? hash('sha1', fields, 'buffer') : sumOf(fields)])
    const head = usage === 'legacy' ? Buffer.of(cipher) : Buffer.concat([Buffer.of(usage, cipher), specifier])
    return Buffer.concat([head, iv, createCipheriv(name, key, iv).update(plain)])
  })
}

const digests = [
  [1, 'md5'],
  [2, 'sha1'],
  [3, 'ripemd160'],
  [8, 'sha256'],
  [10, 'sha512'],
] as const

test('every form of lock there was in version 4 opens to the same key, armored or not', async () => {
  const forms = fc.record<Form>({
    usage: fc.constantFrom<Form['usage'][]>(254, 255, 'legacy'),
    cipher: fc.constantFrom<Form['cipher'][]>(2, 7, 8, 9, 12),
    s2k: fc.constantFrom<Form['s2k'][]>('simple', 'salted', 'iterated'),
    digest: fc.constantFrom(...digests),
  })
  await fc.assert(
    fc.asyncProperty(forms, fc.boolean(), async (form, armored) => {
      const locked = inForm(form)
      const given = armored ? Buffer.from(armor('PRIVATE KEY BLOCK', locked)) : locked
      assert.ok((await unlockSecretKey(given, passphrase)).equals(ada.secret))
      await assert.rejects(unlockSecretKey(locked, Buffer.from('close')), { name: 'WrongPassphrase' })
      await assert.rejects(unlockSecretKey(locked, null), PassphraseNeeded)
    }),
    { numRuns: 60 },
  )
})

test('what we export we take back; what is not locked needs no passphrase', async () => {
  const exported = Buffer.from(await lockForExport(ada.secret, passphrase))
  assert.ok((await unlockSecretKey(exported, passphrase)).equals(ada.secret))
  assert.ok((await unlockSecretKey(ada.secret, null)).equals(ada.secret))
  assert.ok((await unlockSecretKey(ada.secret, passphrase)).equals(ada.secret))
})

/** RFC 9580 §3.7.2.1, with AES-128 in GCM. */
function aeadLocked(specifier: Buffer, key: Buffer): Buffer {
  return relocked(ada.secret, (type, open, fields) => {
    const nonce = randomBytes(12)
    const info = Buffer.of(0xc0 | type, 4, 7, 3)
    const kek = Buffer.from(hkdfSync('sha256', key, '', info, 16))
    const cipher = createCipheriv('aes-128-gcm', kek, nonce)
    cipher.setAAD(Buffer.concat([Buffer.of(0xc0 | type), open]))
    const encrypted = Buffer.concat([cipher.update(fields), cipher.final(), cipher.getAuthTag()])
    return Buffer.concat([Buffer.of(253, 7, 3), specifier, nonce, encrypted])
  })
}

test('AEAD locks open, and a changed public half does not', async () => {
  const locked = aeadLocked(Buffer.of(0, 8), hashedKey('sha256', Buffer.alloc(0), 0, 16))
  assert.ok((await unlockSecretKey(locked, passphrase)).equals(ada.secret))
  const [primary, ...others] = [...readPackets(locked)]
  const body = Buffer.from(primary!.body)
  body[4] = body[4]! ^ 1 // its creation time
  const changed = Buffer.concat([packet(5, body), ...others.map((one) => one.octets)])
  await assert.rejects(unlockSecretKey(changed, passphrase), WrongPassphrase)
})

test('Argon2 and OCB, EAX, GCM of version 6, as another program locks them', async () => {
  const engine = await loadEngine()
  const { privateKey: made } = await engine.generateKey({
    type: 'curve25519',
    userIDs: [{ name: 'Ada' }],
    format: 'object',
    date: created,
    config: { v6Keys: true },
  })
  for (const preferredAEADAlgorithm of [engine.enums.aead.ocb, engine.enums.aead.eax, engine.enums.aead.gcm]) {
    const config = {
      aeadProtect: true,
      preferredAEADAlgorithm,
      s2kType: engine.enums.s2k.argon2,
      s2kArgon2Params: { passes: 1, parallelism: 2, memoryExponent: 10 },
    } as const
    const locked = await engine.encryptKey({ privateKey: made, passphrase: 'open sesame', config })
    const unlocked = await unlockSecretKey(Buffer.from(locked.write()), passphrase)
    assert.ok(unlocked.equals(Buffer.from(made.write())))
    assert.equal(openSecretKeys(unlocked).keys.length, 2)
    await assert.rejects(unlockSecretKey(Buffer.from(locked.write()), Buffer.from('?')), WrongPassphrase)
  }
})

const withSpecifier = (cipher: number, ...specifier: number[]) =>
  relocked(ada.secret, (_type, _open, fields) => Buffer.concat([Buffer.of(254, cipher, ...specifier), fields, fields]))

test('what cannot be opened is refused before a passphrase is asked, with the remedy', async () => {
  const argon2 = [4, ...Buffer.alloc(16)]
  const refused = [
    [withSpecifier(3, 3, 8, ...Buffer.alloc(8), 96), /CAST5.*gpg --export-secret-keys/],
    [withSpecifier(10, 3, 8, ...Buffer.alloc(8), 96), /Twofish/],
    [withSpecifier(9, 3, 7, ...Buffer.alloc(8), 96), /hash algorithm 7/],
    [withSpecifier(9, 77, 8), /specifier 77/],
    [withSpecifier(9, ...argon2, 1, 4, 19), /256 MiB/],
    [withSpecifier(9, ...argon2, 17, 4, 10), /16 passes/],
    [withSpecifier(9, ...argon2, 1, 17, 10), /16 lanes/],
  ] as const
  for (const [tsk, message] of refused) {
    await assert.rejects(unlockSecretKey(tsk, null), (error: Error) => {
      assert.ok(error instanceof UnsupportedLock)
      assert.match(error.message, message)
      return true
    })
  }
  await assert.rejects(unlockSecretKey(withSpecifier(9, ...argon2, 1, 4, 40), passphrase), MalformedOpenPgp)
})

test('stubs leave a public packet; a key of stubs alone is refused', async () => {
  const stub = Buffer.concat([Buffer.of(255, 7, 101, 2), Buffer.from('GNU'), Buffer.of(1)])
  const card = Buffer.concat([Buffer.of(255, 7, 101, 2), Buffer.from('GNU'), Buffer.of(2, 4, 1, 2, 3, 4)])
  const half = relocked(ada.secret, (type, _open, fields) =>
    type === 5 ? stub : Buffer.concat([Buffer.of(0), fields, sumOf(fields)]),
  )
  const unlocked = await unlockSecretKey(half, null)
  const keys = openSecretKeys(unlocked)
  assert.equal(keys.certificate.fingerprint, openSecretKeys(ada.secret).certificate.fingerprint)
  assert.deepEqual(keys.certificate.bytes, ada.certificate)
  assert.deepEqual(
    keys.keys.map((one) => one.key.fingerprint),
    [keys.certificate.encryptionKeys[0]!.fingerprint],
  )
  assert.ok((await unlockSecretKey(unlocked, null)).equals(unlocked))
  await assert.rejects(
    unlockSecretKey(
      relocked(ada.secret, () => card),
      null,
    ),
    UnsupportedLock,
  )
})

test('a secret subkey of an unknown algorithm is left out with its signatures: its secret must not look public', async () => {
  const unknown = packet(7, Buffer.of(4, 0, 0, 0, 0, 99), Buffer.from('public and secret in one'))
  const binding = [...readPackets(ada.secret)].at(-1)!.octets
  const tsk = Buffer.concat([ada.secret, unknown, binding])
  assert.ok((await unlockSecretKey(tsk, null)).equals(ada.secret))
  assert.deepEqual(openSecretKeys(tsk).certificate.bytes, ada.certificate)
})

test('any octets: unlocked, or one of four errors; never more secrets than 32', async () => {
  const names = ['WrongPassphrase', 'PassphraseNeeded', 'UnsupportedLock', 'MalformedOpenPgp', 'UnknownSecretKey']
  const locked = inForm({ usage: 254, cipher: 9, s2k: 'salted', digest: [8, 'sha256'] })
  const change = fc.tuple(fc.nat({ max: locked.length - 1 }), fc.nat({ max: 255 }))
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 4 }), fc.nat({ max: locked.length }), async (changes, end) => {
      const octets = Buffer.from(locked)
      for (const [at, value] of changes) octets[at] = value
      await unlockSecretKey(octets.subarray(0, end), passphrase).catch((error: Error) => {
        assert.ok(names.includes(error.name), String(error))
      })
    }),
    { numRuns: 200 },
  )
  const subkey = [...readPackets(ada.secret)].slice(3)
  const crowd = Buffer.concat([ada.secret, ...Array.from({ length: 32 }, () => subkey.map((one) => one.octets)).flat()])
  await assert.rejects(unlockSecretKey(crowd, null), /too many/)
})
