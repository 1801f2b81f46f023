/** Profiles of generate-key and encrypt; the first of each list is the default (draft § PROFILE). */
import type { KeyAlgorithm } from '#formats/openpgp/new-key.ts'
import { SopFailure } from './failure.ts'

interface Profile {
  readonly name: string
  readonly about: string
}

interface KeyProfile extends Profile {
  readonly version: 4 | 6
  readonly algorithm: KeyAlgorithm
}

const keyProfiles: readonly KeyProfile[] = [
  { name: 'rfc4880', about: 'version 4, Curve25519; every program reads it', version: 4, algorithm: 'curve25519' },
  { name: 'rfc4880-rsa3072', about: 'version 4, RSA of 3072 bits', version: 4, algorithm: 'rsa3072' },
  { name: 'rfc9580', about: 'version 6, Ed25519 and X25519', version: 6, algorithm: 'curve25519' },
]

const encryptProfiles: readonly Profile[] = [
  { name: 'rfc9580', about: 'SEIPDv2 where every recipient announces it, SEIPDv1 otherwise; sizes are padded' },
]

/** Names that the draft gives to everybody. */
const ALIASES = new Map([
  ['default', 'rfc4880'],
  ['compatibility', 'rfc4880'],
  ['performance', 'rfc4880'],
  ['security', 'rfc9580'],
])

export function keyProfile(name: string | null): KeyProfile {
  const wanted = ALIASES.get(name ?? 'default') ?? name
  const found = keyProfiles.find((profile) => profile.name === wanted)
  if (!found) throw new SopFailure('UNSUPPORTED_PROFILE', `generate-key has no profile ${name}`)
  return found
}

export function checkEncryptProfile(name: string | null): void {
  if (name === null || ALIASES.has(name) || encryptProfiles.some((profile) => profile.name === name)) return
  throw new SopFailure('UNSUPPORTED_PROFILE', `encrypt has no profile ${name}`)
}

/** Lines of list-profiles. */
export function profilesOf(subcommand: string): string {
  const lists: Record<string, readonly Profile[]> = { 'generate-key': keyProfiles, encrypt: encryptProfiles }
  const list = Object.hasOwn(lists, subcommand) ? lists[subcommand] : undefined
  if (!list) throw new SopFailure('UNSUPPORTED_PROFILE', `${subcommand} has no profiles`)
  return list.map(({ name, about }) => `${name}: ${about}\n`).join('')
}
