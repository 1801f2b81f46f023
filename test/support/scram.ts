/** SCRAM-SHA-256 for dialogs: a client that says its three lines, and a desk that knows passwords in clear. */
import assert from 'node:assert/strict'
import { clientKeyIn, proofOf, scramKeys, serverSignature } from '#custody/vault/scram-lock.ts'
import { beginExchange } from '#session/scram-exchange.ts'
import type { LoginResult, ScramBegun } from '#session/session.ts'
import type { Dialog } from './dialog.ts'

const TERMS = { salt: Buffer.alloc(16, 1), iterations: 4096 }

export const base64 = (text: string | Uint8Array): string => Buffer.from(text).toString('base64')
const unpacked = (encoded: string): string => Buffer.from(encoded, 'base64').toString()

/** `passwordOf`: null for nobody; `enter` says what becomes of who has shown the password. */
export function scramDesk(
  clientFirst: Buffer,
  passwordOf: (user: string) => string | null,
  enter: (user: string) => LoginResult,
): Promise<ScramBegun> {
  return beginExchange(clientFirst, {
    termsOf: async () => TERMS,
    async enter(user, shown, signed) {
      const password = passwordOf(user)
      const keys = password === null ? null : scramKeys(Buffer.from(password), TERMS)
      if (!keys || !clientKeyIn(shown, keys.storedKey)) return { kind: 'refused' }
      signed(serverSignature(keys, shown.authMessage))
      return enter(user)
    },
  })
}

/** One exchange, all in base64 as it travels. */
export class ScramClient {
  readonly #bare: string
  readonly #password: string
  readonly #header: string
  #expected = ''
  /** What the server must not keep of the last answer. */
  secrets: Readonly<Record<string, Buffer>> = {}

  constructor(user: string, password: string, header = 'n,,') {
    this.#bare = `n=${user.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=fyko+d2lbbFgONRv9qkxdawL`
    this.#password = password
    this.#header = header
  }

  get first(): string {
    return base64(this.#header + this.#bare)
  }

  /** The answer to the server's first message. */
  final(serverFirst: string): string {
    const said = unpacked(serverFirst)
    const [, nonce, salt, iterations] = /^r=([^,]+),s=([^,]+),i=(\d+)$/.exec(said) ?? assert.fail(said)
    assert.ok(nonce!.startsWith('fyko+d2lbbFgONRv9qkxdawL') && nonce!.length >= 48, nonce)
    const withoutProof = `c=${base64(this.#header)},r=${nonce}`
    const authMessage = Buffer.from(`${this.#bare},${said},${withoutProof}`)
    const terms = { salt: Buffer.from(salt!, 'base64'), iterations: Number(iterations) }
    const keys = scramKeys(Buffer.from(this.#password), terms)
    this.#expected = `v=${base64(serverSignature(keys, authMessage))}`
    const proof = proofOf(keys, authMessage)
    this.secrets = { proof, clientKey: keys.clientKey }
    return base64(`${withoutProof},p=${base64(proof)}`)
  }

  /** Whether the server has shown that it knows the password's keys. */
  believes(serverFinal: string): boolean {
    return unpacked(serverFinal) === this.#expected
  }
}

export interface ScramLines {
  /** The command up to the mechanism. */
  readonly command: string
  /** What a challenge begins with. */
  readonly prompt: string
}

/** Says the whole exchange, with the first message in the command; answers the line that ends it. */
export async function playScram(talk: Dialog, client: ScramClient, { command, prompt }: ScramLines): Promise<string> {
  const challenge = async () => {
    const line = (await talk.line()) ?? assert.fail('the connection is closed')
    return line.startsWith(prompt) ? { text: line.slice(prompt.length), line: null } : { text: '', line }
  }
  talk.send(`${command} SCRAM-SHA-256 ${client.first}\r\n`)
  const first = await challenge()
  if (first.line !== null) return first.line
  talk.send(`${client.final(first.text)}\r\n`)
  const last = await challenge()
  if (last.line !== null) return last.line
  assert.ok(client.believes(last.text), 'the server has signed what was said')
  talk.send('\r\n')
  return (await talk.line()) ?? assert.fail('the connection is closed')
}
