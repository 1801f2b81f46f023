/**
 * Sealing and unsealing one 20 kB message to the certificate that accounts have: our native path beside openpgp.js alone, with
 * the same certificate and container, and beside the bare primitives that the format cannot do without.
 */
import {
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { parseCertificate } from '#formats/openpgp/certificate.ts'
import { loadEngine } from '#formats/openpgp/engine.ts'
import { generateKeys } from '#formats/openpgp/generate.ts'
import { seal } from '#formats/openpgp/seal.ts'
import { openSecretKeys, sessionKeyOf } from '#formats/openpgp/secret-key.ts'
import { splitMessage, unseal } from '#formats/openpgp/unseal.ts'
import { median } from './harness.ts'
import type { Benchmark, Reporter } from './reporter.ts'

const SIZE = 20_000
const WARMING = 5
const ROUNDS = 25
const REPEATED = 40

type Work = () => unknown

interface Cost {
  /** Microseconds until it is done. */
  readonly wall: number
  /** Microseconds of processor time in all threads, which other programs' load blurs less. */
  readonly cpu: number
}

/** For one, on average over a round. Each has a turn of the event loop to itself, as mail has. */
async function timed(work: Work): Promise<Cost> {
  let taken = 0n
  const before = process.cpuUsage()
  for (let i = 0; i < REPEATED; i++) {
    const start = process.hrtime.bigint()
    await work()
    taken += process.hrtime.bigint() - start
    await setImmediate()
  }
  const { user, system } = process.cpuUsage(before)
  return { wall: Number(taken) / 1000 / REPEATED, cpu: (user + system) / REPEATED }
}

/** Medians over rounds in which each has its turn; the first rounds warm up and do not count. */
async function compare<K extends string>(works: Record<K, Work>): Promise<Record<K, Cost>> {
  const names = Object.keys(works) as K[]
  const rounds = new Map(names.map((name) => [name, [] as Cost[]]))
  for (let round = -WARMING; round < ROUNDS; round++) {
    for (const name of names) {
      const cost = await timed(works[name])
      if (round >= 0) rounds.get(name)!.push(cost)
    }
  }
  const middle = (costs: readonly Cost[]) => ({
    wall: median(costs.map(({ wall }) => wall)),
    cpu: median(costs.map(({ cpu }) => cpu)),
  })
  return Object.fromEntries(names.map((name) => [name, middle(rounds.get(name)!)])) as Record<K, Cost>
}

const WRAP_IV = Buffer.alloc(8, 0xa6)

/** X25519, HKDF, AES key wrap, AES-256-GCM: what sealing costs when there is no format around it. */
function bareSeal(
  recipient: KeyObject,
  content: Buffer,
): { point: string; wrapped: Buffer; nonce: Buffer; sealed: Buffer; tag: Buffer } {
  const ephemeral = generateKeyPairSync('x25519')
  const point = ephemeral.publicKey.export({ format: 'jwk' }).x!
  const shared = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: recipient })
  const kek = Buffer.from(hkdfSync('sha256', shared, '', 'bench', 16))
  const [key, nonce] = [randomBytes(32), randomBytes(12)]
  const wrapped = createCipheriv('id-aes128-wrap', kek, WRAP_IV).update(key)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  const sealed = Buffer.concat([cipher.update(content), cipher.final()])
  return { point, wrapped, nonce, sealed, tag: cipher.getAuthTag() }
}

function bareUnseal(secret: KeyObject, { point, wrapped, nonce, sealed, tag }: ReturnType<typeof bareSeal>): Buffer {
  const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x: point }, format: 'jwk' })
  const shared = diffieHellman({ privateKey: secret, publicKey })
  const kek = Buffer.from(hkdfSync('sha256', shared, '', 'bench', 16))
  const key = createDecipheriv('id-aes128-wrap', kek, WRAP_IV).update(wrapped)
  const cipher = createDecipheriv('aes-256-gcm', key, nonce).setAuthTag(tag)
  return Buffer.concat([cipher.update(sealed), cipher.final()])
}

async function run(report: Reporter): Promise<void> {
  const content = randomBytes(SIZE)
  const made = await generateKeys({ userId: 'bench', algorithm: 'curve25519', created: new Date(Date.now() - 60_000) })
  const { encryptionKeys } = parseCertificate(made.certificate)
  const secretKeys = openSecretKeys(made.secret)
  const { message, sessionKey } = seal(encryptionKeys, content)

  const engine = await loadEngine()
  const encryptionKey = await engine.readKey({ binaryKey: new Uint8Array(made.certificate) })
  const decryptionKeys = await engine.readPrivateKey({ binaryKey: new Uint8Array(made.secret) })
  const binary = new Uint8Array(content)
  const sealedByPeer = (await peerSeal()) as Uint8Array

  async function peerSeal(): Promise<unknown> {
    const plain = await engine.createMessage({ binary })
    return engine.encrypt({ message: plain, encryptionKeys: encryptionKey, format: 'binary' })
  }
  async function peerUnseal(keys: object): Promise<Uint8Array> {
    const read = await engine.readMessage({ binaryMessage: sealedByPeer })
    return (await engine.decrypt({ message: read, format: 'binary', ...keys })).data as Uint8Array
  }
  const nativeUnseal = (octets: Buffer) => unseal(octets, sessionKeyOf(secretKeys, splitMessage(octets).pkesks[0]!)!)

  const bare = generateKeyPairSync('x25519')
  const bareMessage = bareSeal(bare.publicKey, content)
  const peerSessionKey = sessionKeyOf(secretKeys, splitMessage(sealedByPeer).pkesks[0]!)!
  const peerSessionKeys = { sessionKeys: { data: new Uint8Array(peerSessionKey.key), algorithm: 'aes256' } }

  const same = [
    nativeUnseal(message),
    nativeUnseal(Buffer.from(sealedByPeer)),
    await peerUnseal({ decryptionKeys }),
    bareUnseal(bare.privateKey, bareMessage),
  ]
  if (!same.every((one) => content.equals(one))) throw new Error('not everybody reads the same octets')

  report.note(`${ROUNDS} rounds of ${REPEATED}, ${SIZE} octets, Curve25519, SEIPDv1`)
  const sealing = await compare({
    ours: () => seal(encryptionKeys, content),
    peer: peerSeal,
    bare: () => bareSeal(bare.publicKey, content),
  })
  const opening = await compare({
    ours: () => nativeUnseal(message),
    peer: () => peerUnseal({ decryptionKeys }),
    bare: () => bareUnseal(bare.privateKey, bareMessage),
  })
  const again = await compare({
    ours: () => unseal(message, sessionKey),
    peer: () => peerUnseal(peerSessionKeys),
  })
  const library = { peerName: 'openpgp.js', target: 3 }
  figures(report, 'seal', sealing.ours, sealing.peer, library)
  figures(report, 'unseal', opening.ours, opening.peer, library)
  figures(report, 'unseal, session key known', again.ours, again.peer, library)
  const primitives = { peerName: 'bare primitives', target: 0.5 }
  figures(report, 'seal', sealing.ours, sealing.bare, primitives)
  figures(report, 'unseal', opening.ours, opening.bare, primitives)
}

function figures(
  report: Reporter,
  figure: string,
  ours: Cost,
  peer: Cost,
  about: { readonly peerName: string; readonly target: number },
): void {
  report.figure({ figure, unit: 'µs', better: 'lower', ours: ours.wall, peer: peer.wall, ...about })
  report.figure({ figure: `${figure}, CPU`, unit: 'µs', better: 'lower', ours: ours.cpu, peer: peer.cpu, ...about })
}

export const bench: Benchmark = {
  name: 'seal',
  about: 'sealing and unsealing one 20 kB message, beside openpgp.js and the bare primitives',
  run,
}
