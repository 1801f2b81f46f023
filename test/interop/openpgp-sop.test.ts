/** `letterlock sop` beside sqop (Sequoia) and gosop (GopenPGP), in both directions, and sq with stored messages. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { parseCertificate } from '#formats/openpgp/certificate.ts'
import { generateKeys } from '#formats/openpgp/generate.ts'
import { lockForExport } from '#formats/openpgp/lock.ts'
import { seal } from '#formats/openpgp/seal.ts'
import { needs } from '../support/needs.ts'
import { callSop } from '../support/sop.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const dir = await temporaryDirectory('sops')
after(() => dir[Symbol.asyncDispose]())
interface Ran {
  readonly status: number | null
  readonly out: Buffer
  readonly err: string
}

type Sop = (args: readonly string[], input?: Uint8Array) => Ran | Promise<Ran>

function sopOf(command: string): Sop {
  return (args, input) => {
    const ran = spawnSync(command, args, { input, maxBuffer: 1 << 28 })
    return { status: ran.status, out: ran.stdout, err: `${command}: ${ran.stderr}` }
  }
}

const ours: Sop = (args, stdin = Buffer.alloc(0)) => callSop(args, { stdin })
const peers = { sqop: sopOf('sqop'), gosop: sopOf('gosop') }
/** What each calls the option that names the file for verifications. */
const verifyOut = { sqop: '--verify-out', gosop: '--verify-out' }

async function done(sop: Sop, args: readonly string[], input?: Uint8Array): Promise<Buffer> {
  const { status, out, err } = await sop(args, input)
  assert.equal(status, 0, err)
  return out
}

// text: gosop of Debian 12 hands out nothing else unharmed
const letter = Buffer.from(`Dear Ada,\n\n${randomBytes(15_000).toString('base64')}\n`)
/** gosop encrypts to passwords as text, with CRLF. */
const lines = (octets: Buffer) => Buffer.from(octets.toString().replaceAll('\r\n', '\n'))
const file = (name: string, octets: Uint8Array | string) => {
  writeFileSync(dir.join(name), octets)
  return dir.join(name)
}

for (const peerName of ['sqop', 'gosop'] as const) {
  const peer = peers[peerName]
  for (const maker of [peerName, 'ours'] as const) {
    const made = maker === 'ours' ? ours : peer
    test(
      `${peerName} and we understand each other with a key of ${maker === 'ours' ? 'ours' : 'its own'}`,
      needs(peerName),
      async () => {
        const key = file(`${peerName}.${maker}.key`, await done(made, ['generate-key', 'Ada <ada@alpha.test>']))
        const cert = file(`${peerName}.${maker}.cert`, await done(made, ['extract-cert'], readFileSync(key)))
        for (const [writer, reader, out] of [
          [ours, peer, verifyOut[peerName]],
          [peer, ours, '--verifications-out'],
        ] as const) {
          const signature = file('signature.sig', await done(writer, ['sign', key], letter))
          assert.match(
            (await done(reader, ['verify', signature, cert], letter)).toString(),
            /^\S+Z [0-9A-F]{40} [0-9A-F]{40}/,
          )
          assert.notEqual((await reader(['verify', signature, cert], Buffer.from('Dead Ada'))).status, 0)
          assert.ok(
            (await done(reader, ['decrypt', key], await done(writer, ['encrypt', cert], letter))).equals(letter),
          )
          const sealed = await done(writer, ['encrypt', `--sign-with=${key}`, cert], letter)
          const verifications = dir.join(`${peerName}.${maker}.${out}.${writer === ours ? 'w' : 'r'}`)
          const opened = await done(
            reader,
            ['decrypt', `--verify-with=${cert}`, `${out}=${verifications}`, key],
            sealed,
          )
          assert.ok(opened.equals(letter))
          assert.match(readFileSync(verifications, 'utf8'), /^\S+Z [0-9A-F]{40} [0-9A-F]{40}/)
          const binary = await done(writer, ['dearmor'], readFileSync(signature))
          assert.deepEqual(await done(reader, ['dearmor'], await done(reader, ['armor'], binary)), binary)
        }
      },
    )
  }

  test(`${peerName} and we share passwords`, needs(peerName), async () => {
    const password = file('shared.password', 'open sesame')
    for (const [writer, reader] of [
      [ours, peer],
      [peer, ours],
    ] as const) {
      const sealed = await done(writer, ['encrypt', `--with-password=${password}`], letter)
      assert.ok(lines(await done(reader, ['decrypt', `--with-password=${password}`], sealed)).equals(letter))
    }
  })
}

test('sqop reads what we sign inline, and we what it signs', needs('sqop'), async () => {
  const key = file('inline.key', await done(ours, ['generate-key', 'Ada <ada@alpha.test>']))
  const cert = file('inline.cert', await done(ours, ['extract-cert'], readFileSync(key)))
  const text = Buffer.from('Dear Ada,\n\n- yes.\nFrom now on')
  for (const as of ['binary', 'text', 'clearsigned']) {
    const signed = await done(ours, ['inline-sign', `--as=${as}`, key], text)
    // it counts the line end before the signature into the text
    assert.equal((await done(peers.sqop, ['inline-verify', cert], signed)).toString().trimEnd(), text.toString())
    const theirs = await done(peers.sqop, ['inline-sign', `--as=${as}`, key], text)
    assert.equal((await done(ours, ['inline-verify', cert], theirs)).toString().trimEnd(), text.toString())
    const changed = Buffer.from(theirs.toString().replace('Dear', 'Dead'))
    if (as === 'clearsigned') assert.equal((await ours(['inline-verify', cert], changed)).status, 3)
  }
})

test('sq opens stored messages with an exported key, to the octet', needs('sq'), async () => {
  for (const algorithm of ['curve25519', 'rsa3072'] as const) {
    const { secret, certificate } = await generateKeys({
      userId: 'Ada',
      algorithm,
      created: new Date(Date.now() - 60_000),
    })
    const exported = file(`sq.${algorithm}.key`, await lockForExport(secret, Buffer.from('open sesame')))
    const open = file(
      `sq.${algorithm}.open`,
      await done(
        ours,
        ['change-key-password', `--old-key-password=${file('sq.password', 'open sesame')}`],
        readFileSync(exported),
      ),
    )
    for (const content of [Buffer.alloc(0), randomBytes(20_000), randomBytes(200_000)]) {
      const message = file('sq.message', seal(parseCertificate(certificate).encryptionKeys, content).message)
      assert.ok((await done(sopOf('sq'), ['decrypt', '--recipient-key', open, message])).equals(content))
      const password = file('sq.password', 'open sesame')
      const unlocking = `--with-key-password=${password}`
      assert.ok((await done(peers.sqop, ['decrypt', unlocking, exported], readFileSync(message))).equals(content))
    }
  }
})
