/**
 * The canary sweep: secrets and plaintext that a journey planted must be found nowhere afterwards. Looked for in the plain form and in
 * the encodings in which octets usually leak: hexadecimal, base64 at any offset, UTF-16 as JavaScript strings are in memory images.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { decryptKey, readPrivateKey } from 'openpgp'
import { pidsOf } from './processes.ts'

export interface Sweep {
  /** What must not be found, by a name that may be printed. Shorter ones than 8 octets would be found by chance. */
  readonly canaries: Readonly<Record<string, string | Uint8Array>>
  /** Searched with everything below, file names included. */
  readonly directories: readonly string[]
  /** Roots of process trees whose command lines and environments are searched. */
  readonly processes: readonly number[]
}

interface Form {
  readonly name: string
  readonly octets: Buffer
}

/** The stretch of base64 that is the same whatever stands before and after. */
function base64Forms(octets: Buffer): Buffer[] {
  return [0, 1, 2].map((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), octets])
      .toString('base64')
      .replace(/=+$/, '')
    return Buffer.from(text.slice(offset === 0 ? 0 : offset + 1, -1))
  })
}

/** The octets themselves, and what they look like in the usual encodings. */
export function formsOf(name: string, canary: string | Uint8Array): Form[] {
  const octets = Buffer.from(canary)
  if (octets.length < 8) throw new Error(`the canary "${name}" is too short to mean anything`)
  const hex = octets.toString('hex')
  return [
    { name, octets },
    { name: `${name}, hexadecimal`, octets: Buffer.from(hex) },
    { name: `${name}, hexadecimal`, octets: Buffer.from(hex.toUpperCase()) },
    ...base64Forms(octets).map((form) => ({ name: `${name}, base64`, octets: form })),
    ...(typeof canary === 'string' ? [{ name: `${name}, UTF-16`, octets: Buffer.from(canary, 'utf16le') }] : []),
  ]
}

/** Where canaries were found, one line each; empty when all is well. */
export async function sweep(options: Sweep): Promise<string[]> {
  const forms = Object.entries(options.canaries).flatMap(([name, canary]) => formsOf(name, canary))
  const findings: string[] = []
  const search = (place: string, content: Buffer) => {
    for (const form of forms) if (content.includes(form.octets)) findings.push(`${form.name}: in ${place}`)
  }
  for (const directory of options.directories) {
    for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name)
      search(`the name of ${path}`, Buffer.from(entry.name))
      if (entry.isFile()) search(path, await fileOf(path))
    }
  }
  for (const pid of pidsOf(options.processes)) {
    for (const name of ['cmdline', 'environ']) search(`/proc/${pid}/${name}`, await fileOf(`/proc/${pid}/${name}`))
  }
  return findings
}

/** Files come and go while the server runs; one that is gone shows nothing. */
async function fileOf(path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ESRCH') return Buffer.alloc(0)
    throw error
  }
}

/** The secret numbers of an exported key: canaries that no provider may have lying about unlocked. */
export async function secretNumbers(armored: string, passphrase: string): Promise<Record<string, Uint8Array>> {
  const privateKey = await decryptKey({ privateKey: await readPrivateKey({ armoredKey: armored }), passphrase })
  const numbers: Record<string, Uint8Array> = {}
  for (const [index, { keyPacket }] of [privateKey, ...privateKey.subkeys].entries()) {
    const secrets = (keyPacket as unknown as { privateParams: Record<string, unknown> }).privateParams
    for (const [letter, value] of Object.entries(secrets)) {
      if (!(value instanceof Uint8Array)) continue
      numbers[`secret number ${letter} of key ${index}`] = value
      // RFC 9580 §5.5.5.3: some stand in OpenPGP in the other octet order than libraries use.
      numbers[`secret number ${letter} of key ${index}, reversed`] = Uint8Array.from(value).reverse()
    }
  }
  return numbers
}
