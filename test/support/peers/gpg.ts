/** GnuPG with a home of its own, and Sequoia (sq, sqop), which keep no state. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { temporaryDirectory } from '../temporary.ts'
import { type Ran, run } from './run.ts'

export interface Gpg extends AsyncDisposable {
  readonly home: string
  /** Any gpg command, in batch mode; the passphrase goes through a descriptor. */
  run(args: readonly string[], options?: { input?: Uint8Array; passphrase?: string; mayFail?: boolean }): Promise<Ran>
  /** Imports certificates or secret keys; a locked one stays locked. */
  import(keys: Uint8Array): Promise<void>
  decrypt(message: Uint8Array, passphrase?: string): Promise<Buffer>
}

/**
 * For the gpg-agent.conf of every home that holds keys. They are locked quickly, instead of for a tenth of a second at every use; and kept in
 * the older format, because the newer one folds lines, and a salt with a space at the fold comes back shorter ("Corrupted protection",
 * about one key in some thousands).
 */
export const AGENT_SETTINGS = 's2k-count 65536\ndisable-extended-key-format\n'

export async function startGpg(): Promise<Gpg> {
  // Short, because the agent's socket lives here and its path may have 107 octets.
  const home = await mkdtemp(join(tmpdir(), 'gpg-'))
  await writeFile(join(home, 'gpg-agent.conf'), AGENT_SETTINGS)
  const env = { GNUPGHOME: home }
  const gpg: Gpg['run'] = async (args, options = {}) => {
    const passphraseFile = join(home, 'passphrase')
    await writeFile(passphraseFile, options.passphrase ?? '', { mode: 0o600 })
    const batch = ['--batch', '--no-tty', '--yes', '--pinentry-mode', 'loopback', '--passphrase-file', passphraseFile]
    return await run('gpg', [...batch, ...args], {
      env,
      input: options.input ?? '',
      ...(options.mayFail === undefined ? {} : { mayFail: options.mayFail }),
    })
  }
  return {
    home,
    run: gpg,
    import: async (keys) => {
      await gpg(['--import'], { input: keys })
    },
    decrypt: async (message, passphrase = '') => (await gpg(['--decrypt'], { input: message, passphrase })).stdout,
    [Symbol.asyncDispose]: async () => {
      await run('gpgconf', ['--kill', 'all'], { env, mayFail: true })
      await rm(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
    },
  }
}

/** Decrypts with sqop, the Stateless OpenPGP command of Sequoia. */
export async function sqopDecrypt(key: Uint8Array, passphrase: string, message: Uint8Array): Promise<Buffer> {
  await using directory = await temporaryDirectory('sqop')
  await writeFile(directory.join('key'), key, { mode: 0o600 })
  await writeFile(directory.join('passphrase'), passphrase, { mode: 0o600 })
  const args = ['decrypt', `--with-key-password=${directory.join('passphrase')}`, directory.join('key')]
  return (await run('sqop', args, { input: message })).stdout
}

/** Decrypts with sq, which asks for the passphrase on a terminal: `script` gives it one. */
export async function sqDecrypt(key: Uint8Array, passphrase: string, message: Uint8Array): Promise<Buffer> {
  await using directory = await temporaryDirectory('sq')
  const at = directory.join
  await writeFile(at('key'), key, { mode: 0o600 })
  await writeFile(at('message'), message)
  const command = `sq decrypt --recipient-key ${at('key')} --output ${at('plain')} ${at('message')}`
  await run('script', ['-qefc', command, '/dev/null'], { input: `${passphrase}\n` })
  return await readFile(at('plain'))
}
