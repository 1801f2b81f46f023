/**
 * The one importer of the OpenPGP library. Nothing that serves ordinary mail calls this: the library costs 23 MB of memory
 * once loaded. It serves what is foreign and rare: locked keys of any kind, password-encrypted messages, inline and cleartext
 * signatures, in short `letterlock sop`.
 */

/** The library's whole interface. */
export type Engine = typeof import('openpgp')

/** Four times the largest message. */
const LARGEST_CONTENT = 200 << 20
/** KiB as a power of two: 2 GiB, RFC 9106's first choice, which RFC 9580 §3.7.1.4 names. */
const MOST_ARGON2_MEMORY = 21

let loading: Promise<Engine> | null = null

/** Loads the library at the first call and makes its defaults safe. */
export function loadEngine(): Promise<Engine> {
  loading ??= load()
  return loading
}

async function load(): Promise<Engine> {
  const engine = await import('openpgp')
  const { config, enums } = engine
  // unlimited by default: a compression bomb would take all memory
  config.maxDecompressedMessageSize = LARGEST_CONTENT
  config.maxArgon2MemoryExponent = MOST_ARGON2_MEMORY
  // off by default: leaves a padding oracle
  config.constantTimePKCS1Decryption = true
  config.minRSABits = 2048
  config.allowUnauthenticatedMessages = false
  // RFC 9580 §9.5: no new signature with these, and certificates are held to it too
  config.rejectHashAlgorithms = new Set([enums.hash.md5, enums.hash.ripemd, enums.hash.sha1])
  return engine
}
