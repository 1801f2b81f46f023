/**
 * Escrow: what a provider needs to be able to open an account whose owner agreed to it, and what keeps that power narrow.
 *
 * The master key is an OpenPGP key that is made and kept away from the server; the server has its certificate (master-certificate.ts)
 * and nothing else, pinned by fingerprint in the configuration. Its secret half is locked by a passphrase, or by a random one that
 * is split among several people (shares.ts, share-text.ts). An account that agrees gets an escrow slot (custody/vault/escrow.ts).
 *
 * A recovery goes through two files: a request that leaves the server and a grant that comes back (packages.ts). Between them, on a
 * machine that has never seen the server, the master key turns the escrow slot of one account into one recovery code. So the power is used one
 * account at a time, by people who must come together, for a reason that is written into the account's own keyslot table, where
 * its owner sees it and nobody else can take it out.
 *
 * This room is formats, texts and rules. It must never: see a master secret key unlocked (the vault process does), decide for an
 * owner, or make anything of a master key that the configuration did not name.
 */

/** Something that has to do with escrow was refused; the message says what and what to do. */
export class EscrowRefused extends Error {
  override readonly name: string = 'EscrowRefused'
}

/** Texts that say why a recovery is made. One line. */
export const TICKET_CHARACTERS = 200
