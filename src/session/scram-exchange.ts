/**
 * One SCRAM-SHA-256 exchange (RFC 5802 §5, RFC 7677) from the client's first message to its last, whoever has the keys. Nothing is tried
 * with a message that is not what it should be, and a nonce of ours is in every exchange: no proof is good twice.
 */
import { randomBytes } from 'node:crypto'
import {
  authMessageOf,
  type ClientFirst,
  type MalformedScram,
  readClientFinal,
  readClientFirst,
  type Salting,
  writeServerFinal,
  writeServerFirst,
} from '#formats/smtp/scram.ts'
import { wipe } from '#lib/bytes.ts'
import type { LoginResult, ScramBegun, ScramFinished } from './session.ts'

const NONCE_OCTETS = 18

export interface ShownProof {
  readonly authMessage: Buffer
  /** To be wiped. */
  readonly proof: Buffer
}

/** Who knows the accounts and may ask for their keys. */
export interface ScramHouse {
  /** null: not now. */
  termsOf(user: string): Promise<Salting | null>
  /** Calls `signed` with the server's signature before it answers welcome. */
  enter(user: string, shown: ShownProof, signed: (signature: Uint8Array) => void): Promise<LoginResult>
}

export async function beginExchange(message: Buffer, house: ScramHouse): Promise<ScramBegun> {
  const first = readClientFirst(message)
  if (first.kind === 'malformed') return first
  // Nobody may act as somebody else here.
  if (first.authorization !== '' && first.authorization !== first.user) return OTHER
  const terms = await house.termsOf(first.user)
  if (!terms) return { kind: 'unavailable' }
  const nonce = first.nonce + randomBytes(NONCE_OCTETS).toString('base64')
  const serverFirst = writeServerFirst(nonce, terms)
  const finish = (final: Buffer) => finishExchange(final, { first, nonce, serverFirst }, house)
  return { kind: 'challenge', challenge: Buffer.from(serverFirst), finish }
}

const OTHER: MalformedScram = { kind: 'malformed', why: 'other-error' }

interface Said {
  readonly first: ClientFirst
  readonly nonce: string
  readonly serverFirst: string
}

async function finishExchange(message: Buffer, said: Said, house: ScramHouse): Promise<ScramFinished> {
  const { first, nonce, serverFirst } = said
  const final = readClientFinal(message, { header: first.header, nonce })
  wipe(message)
  if (final.kind === 'malformed') return final
  let challenge: Buffer | null = null
  try {
    const shown = { authMessage: authMessageOf(first, serverFirst, final), proof: final.proof }
    const result = await house.enter(first.user, shown, (signature) => {
      challenge = Buffer.from(writeServerFinal(signature))
    })
    if (result.kind !== 'welcome') return result
    if (!challenge) throw new Error('a login without a signature')
    return { kind: 'welcome', session: result.session, challenge }
  } finally {
    wipe(final.proof)
  }
}
