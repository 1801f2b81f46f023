import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createSign } from 'node:crypto'
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { loadEngine } from '#formats/openpgp/engine.ts'
import { writeMpi } from '#formats/openpgp/octet-reader.ts'
import { packet } from '#formats/openpgp/packets.ts'
import { openSecretKeys } from '#formats/openpgp/secret-key.ts'
import { hashedOctets } from '#formats/openpgp/signature.ts'
import { callSop, type SopInput } from '../../test/support/sop.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'

const NOW = Date.UTC(2026, 10, 22, 8)
const dir = await temporaryDirectory('sop')
after(() => dir[Symbol.asyncDispose]())
const path = (name: string) => dir.join(name)

const sop = (args: readonly string[], input: SopInput = {}) => callSop(args, { now: NOW, ...input })

/** For what must succeed. */
async function done(args: readonly string[], input?: SopInput): Promise<Buffer> {
  const { status, out, err } = await sop(args, input)
  assert.equal(status, 0, err)
  return out
}

async function fails(status: number, args: readonly string[], input?: SopInput): Promise<void> {
  const ran = await sop(args, input)
  assert.equal(ran.status, status, ran.err)
  assert.equal(ran.out.length, 0, 'nothing is written when it fails')
  assert.match(ran.err, /^sop: [A-Z_]+: .*\n$/)
}

const letter = Buffer.from('Dear Ada,\n\n- yes. \nFrom now on\n')
writeFileSync(path('password'), 'open sesame\n')
writeFileSync(path('other'), 'wrong\n')
for (const [name, profile] of [
  ['v4', 'rfc4880'],
  ['v6', 'rfc9580'],
  ['rsa', 'rfc4880-rsa3072'],
] as const) {
  writeFileSync(path(`${name}.key`), await done(['generate-key', `--profile=${profile}`, 'Ada <ada@alpha.test>']))
  writeFileSync(path(`${name}.cert`), await done(['extract-cert'], { stdin: readFileSync(path(`${name}.key`)) }))
}
const locked = ['generate-key', `--with-key-password=${path('password')}`, 'Ada <ada@alpha.test>']
writeFileSync(path('locked.key'), await done(locked))
writeFileSync(path('locked.cert'), await done(['extract-cert'], { stdin: readFileSync(path('locked.key')) }))

test('version and list-profiles speak as the draft wants', async () => {
  assert.match((await done(['version'])).toString(), /^\S+ \S+\n$/)
  for (const question of ['--backend', '--extended', '--sop-spec'])
    assert.ok((await done(['version', question])).length > 0)
  assert.match((await done(['list-profiles', 'generate-key'])).toString(), /^(\S+: .+\n)+$/)
  await fails(83, ['version', '--backend', '--extended'])
  await fails(89, ['list-profiles', 'sign'])
})

for (const name of ['v4', 'v6', 'rsa']) {
  test(`${name}: what is signed and encrypted is decrypted and verified`, async () => {
    const [key, cert] = [path(`${name}.key`), path(`${name}.cert`)]
    for (const as of ['binary', 'text']) {
      const signature = await done(['sign', `--as=${as}`, key], { stdin: letter })
      writeFileSync(path(`${name}.${as}.sig`), signature)
      const line = (await done(['verify', path(`${name}.${as}.sig`), cert], { stdin: letter })).toString()
      assert.match(line, new RegExp(`^2026-11-22T08:00:00Z [0-9A-F]{40,64} [0-9A-F]{40,64} mode:${as}\n$`))
      const sealed = await done(['encrypt', `--as=${as}`, `--sign-with=${key}`, cert], { stdin: letter })
      const out = path(`${name}.${as}.verified`)
      const opened = await done(['decrypt', `--verify-with=${cert}`, `--verifications-out=${out}`, key], {
        stdin: sealed,
      })
      assert.deepEqual(opened, letter)
      assert.equal(readFileSync(out, 'utf8'), line)
    }
    for (const as of ['binary', 'text', 'clearsigned']) {
      const signed = await done(['inline-sign', `--as=${as}`, key], { stdin: letter })
      const expected = as === 'clearsigned' ? Buffer.from(letter.toString().replace('yes. ', 'yes.')) : letter
      assert.deepEqual(await done(['inline-verify', cert], { stdin: signed }), expected)
      const out = path(`${name}.${as}.detached`)
      assert.deepEqual(await done(['inline-detach', `--signatures-out=${out}`], { stdin: signed }), expected)
      await done(['verify', out, cert], { stdin: expected })
      const changed = Buffer.from(signed.toString().replace('Dear', 'Dead'))
      if (as === 'clearsigned') await fails(3, ['inline-verify', cert], { stdin: changed })
    }
  })
}

test('text signatures hold whatever the line ends, binary ones do not', async () => {
  const crlf = Buffer.from(letter.toString().replaceAll('\n', '\r\n'))
  for (const [as, status] of [
    ['text', 0],
    ['binary', 3],
  ] as const) {
    writeFileSync(path(`ends.${as}`), await done(['sign', `--as=${as}`, path('v4.key')], { stdin: letter }))
    assert.equal((await sop(['verify', path(`ends.${as}`), path('v4.cert')], { stdin: crlf })).status, status)
  }
})

test('micalg names the hash for RFC 3156', async () => {
  await done(['sign', `--micalg-out=${path('micalg')}`, path('v4.key')], { stdin: letter })
  assert.equal(readFileSync(path('micalg'), 'utf8'), 'pgp-sha256')
})

test('locked keys open with their password and are refused without', async () => {
  const [key, cert] = [path('locked.key'), path('locked.cert')]
  const sealed = await done(['encrypt', cert], { stdin: letter })
  await fails(67, ['decrypt', key], { stdin: sealed })
  await fails(67, ['decrypt', `--with-key-password=${path('other')}`, key], { stdin: sealed })
  assert.deepEqual(await done(['decrypt', `--with-key-password=${path('password')}`, key], { stdin: sealed }), letter)
  await fails(67, ['sign', key], { stdin: letter })
})

test('change-key-password unlocks, locks again, and keeps the key', async () => {
  const env = { NEXT: 'sésame' }
  const old = `--old-key-password=${path('password')}`
  const change = ['change-key-password', '--new-key-password=@ENV:NEXT', old]
  const changed = await done(change, { stdin: readFileSync(path('locked.key')), env })
  await fails(67, ['change-key-password', old], { stdin: changed })
  const open = await done(['change-key-password', '--old-key-password=@ENV:NEXT'], { stdin: changed, env })
  writeFileSync(path('open.key'), open)
  const sealed = await done(['encrypt', path('locked.cert')], { stdin: letter })
  assert.deepEqual(await done(['decrypt', path('open.key')], { stdin: sealed }), letter)
  await fails(67, ['change-key-password'], { stdin: readFileSync(path('locked.key')) })
})

test('a locked version 6 key is opened', async () => {
  const password = `--with-key-password=${path('password')}`
  writeFileSync(
    path('locked6.key'),
    await done(['generate-key', '--profile=rfc9580', '--signing-only', password, 'Ada']),
  )
  await fails(67, ['sign', path('locked6.key')], { stdin: letter })
  await done(['sign', password, path('locked6.key')], { stdin: letter })
})

test('passwords, session keys and keys each open a message', async () => {
  const sealed = await done(
    ['encrypt', `--with-password=${path('password')}`, `--session-key-out=${path('session')}`, path('v4.cert')],
    { stdin: letter },
  )
  assert.match(readFileSync(path('session'), 'utf8'), /^9:[0-9A-F]{64}\n$/)
  for (const way of [`--with-password=${path('password')}`, `--with-session-key=${path('session')}`, path('v4.key')]) {
    assert.deepEqual(await done(['decrypt', way], { stdin: sealed }), letter)
  }
  await fails(29, ['decrypt', `--with-password=${path('other')}`], { stdin: sealed })
  await fails(29, ['decrypt', path('v6.key')], { stdin: sealed })
  const out = path('session.again')
  await done(['decrypt', `--session-key-out=${out}`, path('v4.key')], { stdin: sealed })
  assert.equal(readFileSync(out, 'utf8'), readFileSync(path('session'), 'utf8'))
})

test('revoked and expired keys neither seal, sign nor verify', async () => {
  writeFileSync(path('revoked.cert'), await done(['revoke-key'], { stdin: readFileSync(path('v4.key')) }))
  await fails(17, ['encrypt', path('revoked.cert')], { stdin: letter })
  writeFileSync(path('good.sig'), await done(['sign', path('v4.key')], { stdin: letter }))
  await fails(3, ['verify', path('good.sig'), path('revoked.cert')], { stdin: letter })
  const engine = await loadEngine()
  const date = new Date(NOW - 10 * 86_400_000)
  const made = await engine.generateKey({
    type: 'curve25519',
    userIDs: [{ name: 'Old' }],
    date,
    keyExpirationTime: 86_400,
  })
  writeFileSync(path('old.key'), made.privateKey)
  writeFileSync(path('old.cert'), made.publicKey)
  await fails(17, ['encrypt', path('old.cert')], { stdin: letter })
  await fails(79, ['sign', path('old.key')], { stdin: letter })
  const then = await done(['sign', path('old.key')], { stdin: letter, now: date.getTime() + 1000 })
  writeFileSync(path('old.sig'), then)
  await done(['verify', path('old.sig'), path('old.cert')], { stdin: letter })
})

test('a key that cannot do it says so', async () => {
  const signing = await done(['generate-key', '--signing-only', 'Ada'])
  writeFileSync(path('signing.cert'), await done(['extract-cert'], { stdin: signing }))
  await fails(17, ['encrypt', path('signing.cert')], { stdin: letter })
  const nameless = await done(['generate-key'])
  writeFileSync(path('nameless.cert'), await done(['extract-cert'], { stdin: nameless }))
  await done(['encrypt', path('nameless.cert')], { stdin: letter })
})

test('signatures outside the wanted time do not count', async () => {
  writeFileSync(path('timed.sig'), await done(['sign', path('v4.key')], { stdin: letter }))
  const verify = (...dates: string[]) => ['verify', ...dates, path('timed.sig'), path('v4.cert')]
  await done(verify('--not-before=2026-11-22T08:00:00Z', '--not-after=20261122T080000Z'), { stdin: letter })
  await done(verify('--not-before=-', '--not-after=now'), { stdin: letter })
  await fails(3, verify('--not-before=2026-11-22T08:00:01Z'), { stdin: letter })
  await fails(3, verify('--not-after=2026-11-22T10:59:59+03:00'), { stdin: letter })
  await fails(3, verify(), { stdin: letter, now: NOW - 5000 })
  await fails(37, verify('--not-before=yesterday'), { stdin: letter })
})

/** A signature over the letter as RFC 9580 §5.2.3 describes it, with a hash of the caller's choice. */
function signatureWith(hash: number, name: string): Buffer {
  const { object } = openSecretKeys(readFileSync(path('rsa.key'))).keys[0]!
  const created = Buffer.of(5, 2, 0, 0, 0, 0)
  created.writeUInt32BE(NOW / 1000, 2)
  const hashedPart = Buffer.concat([Buffer.of(4, 0, 1, hash, 0, created.length), created])
  const signer = createSign(name)
  for (const part of hashedOctets({ version: 4, hashedPart, salt: Buffer.alloc(0) }, [letter])) signer.update(part)
  return packet(2, hashedPart, Buffer.of(0, 0, 0, 0), writeMpi(signer.sign(object)))
}

test('SHA-1, MD5 and RIPEMD-160 signatures are none', async () => {
  for (const [hash, name, status] of [
    [1, 'md5', 3],
    [2, 'sha1', 3],
    [3, 'ripemd160', 3],
    [8, 'sha256', 0],
  ] as const) {
    writeFileSync(path(`${name}.sig`), signatureWith(hash, name))
    const ran = await sop(['verify', path(`${name}.sig`), path('rsa.cert')], { stdin: letter })
    assert.equal(ran.status, status, name)
  }
})

test('armor and dearmor are inverses, and armor stays as it is', async () => {
  for (const name of ['v4.key', 'v4.cert', 'v6.cert']) {
    const text = readFileSync(path(name))
    const binary = await done(['dearmor'], { stdin: text })
    assert.ok((binary[0]! & 0x80) !== 0)
    assert.deepEqual(await done(['armor'], { stdin: binary }), text)
    assert.deepEqual(await done(['armor'], { stdin: text }), text)
  }
  assert.match((await done(['armor', '--label=sig'], { stdin: Buffer.of(0xcb, 0) })).toString(), /BEGIN PGP SIGNATURE/)
  await fails(41, ['armor'], { stdin: 'no packets' })
})

test('each mistake has its exit status', async () => {
  const { key, cert } = { key: path('v4.key'), cert: path('v4.cert') }
  const sealed = await done(['encrypt', cert], { stdin: letter })
  await fails(69, ['sing'])
  await fails(19, [])
  await fails(37, ['encrypt', '--as=mime', cert])
  await fails(37, ['encrypt', '--loudly', cert])
  await fails(37, ['sign', '-v', key])
  await fails(19, ['encrypt'])
  await fails(19, ['decrypt'])
  await fails(19, ['sign'])
  await fails(19, ['verify', cert])
  await fails(23, ['decrypt', `--verify-with=${cert}`, key], { stdin: sealed })
  await fails(23, ['decrypt', `--verifications-out=${path('nothing')}`, key], { stdin: sealed })
  await fails(61, ['encrypt', path('absent')])
  await fails(61, ['decrypt', '--with-password=@ENV:ABSENT'], { stdin: sealed })
  await fails(71, ['encrypt', '@HARDWARE:1'])
  await fails(41, ['encrypt', key], { stdin: letter })
  await fails(41, ['decrypt', cert], { stdin: sealed })
  await fails(41, ['decrypt', key], { stdin: 'no message' })
  await fails(41, ['decrypt', key], { stdin: readFileSync(cert) })
  await fails(41, ['extract-cert'], { stdin: readFileSync(cert) })
  await fails(53, ['sign', '--as=text', key], { stdin: Buffer.of(0xff, 0xfe) })
  await fails(53, ['encrypt', '--as=text', cert], { stdin: Buffer.of(0xff) })
  await fails(83, ['inline-sign', '--as=clearsigned', '--no-armor', key], { stdin: letter })
  await fails(89, ['generate-key', '--profile=enigma'])
  await fails(89, ['encrypt', '--profile=enigma', cert], { stdin: letter })
  await fails(31, ['encrypt', '--with-password=@ENV:P'], { stdin: letter, env: { P: 'a\u0007b' } })
  writeFileSync(path('there'), 'keep me')
  await fails(59, ['decrypt', `--session-key-out=${path('there')}`, key], { stdin: sealed })
  assert.equal(readFileSync(path('there'), 'utf8'), 'keep me')
})

test('nothing is written for a message that was changed', async () => {
  const [key, cert] = [path('v4.key'), path('v4.cert')]
  const sealed = await done(['encrypt', '--no-armor', `--sign-with=${key}`, cert], { stdin: letter })
  sealed[sealed.length - 5] = sealed[sealed.length - 5]! ^ 1
  const out = path('never')
  await fails(29, ['decrypt', `--verify-with=${cert}`, `--verifications-out=${out}`, key], { stdin: sealed })
  assert.equal(existsSync(out), false)
})

test('a signature by somebody else leaves an empty list of verifications', async () => {
  const sealed = await done(['encrypt', `--sign-with=${path('rsa.key')}`, path('v4.cert')], { stdin: letter })
  const out = path('unverified')
  assert.deepEqual(
    await done(['decrypt', `--verify-with=${path('v4.cert')}`, `--verifications-out=${out}`, path('v4.key')], {
      stdin: sealed,
    }),
    letter,
  )
  assert.equal(readFileSync(out, 'utf8'), '')
})

test('the names of older drafts are understood: --verify-out', async () => {
  const [key, cert] = [path('v4.key'), path('v4.cert')]
  const sealed = await done(['encrypt', `--sign-with=${key}`, cert], { stdin: letter })
  const args = ['decrypt', `--verify-with=${cert}`, '--verify-out', path('verify-out'), key]
  assert.deepEqual(await done(args, { stdin: sealed }), letter)
  assert.match(readFileSync(path('verify-out'), 'utf8'), / mode:binary\n$/)
})

test('encrypt --for takes the keys that serve the purpose', async () => {
  for (const purpose of ['any', 'storage', 'communications'])
    assert.ok((await done(['encrypt', `--for=${purpose}`, path('v4.cert')], { stdin: letter })).length > 0)
  await fails(37, ['encrypt', '--for=fun', path('v4.cert')], { stdin: letter })
})

test('nothing is neither armored nor dearmored', async () => {
  for (const subcommand of ['armor', 'dearmor']) await fails(41, [subcommand], { stdin: Buffer.alloc(0) })
})

test('the command itself hands descriptors on, numbered and as /dev/fd', () => {
  const command = fileURLToPath(new URL('../../bin/letterlock.js', import.meta.url))
  for (const name of ['@FD:5', '/dev/fd/5']) {
    const password = openSync(path('password'), 'r')
    const stdio = [openSync(path('locked.key'), 'r'), 'pipe', 'pipe', 'ignore', 'ignore', password] as const
    const args = ['sop', 'change-key-password', `--old-key-password=${name}`]
    const { status, stdout, stderr } = spawnSync(command, args, { stdio: [...stdio] })
    assert.equal(status, 0, stderr.toString())
    assert.match(stdout.toString(), /^-----BEGIN PGP PRIVATE KEY BLOCK-----/)
    for (const descriptor of [stdio[0], password]) closeSync(descriptor)
  }
})
