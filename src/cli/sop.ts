/**
 * `letterlock sop`: the OpenPGP engine as a Stateless OpenPGP command (draft-dkg-openpgp-stateless-cli), so that foreign
 * interoperability suites can measure it, and people can use it without an account.
 *
 * Promises: it keeps no state and asks nobody; the exit statuses are the draft's; no plaintext and no verification is
 * written unless it holds; outputs that exist are not overwritten. Weak signatures, keys and containers count as none.
 */
import { armorCommand, dearmorCommand } from './sop/armor-commands.ts'
import { Call, type Options, type SopIo } from './sop/call.ts'
import { decrypt, encrypt } from './sop/encryption-commands.ts'
import { failureOf, SopFailure, statusOf } from './sop/failure.ts'
import { changeKeyPassword, extractCert, generateKey, revokeKey } from './sop/key-commands.ts'
import { profilesOf } from './sop/profiles.ts'
import { inlineDetach, inlineSign, inlineVerify, sign, verify } from './sop/signature-commands.ts'
import { version } from './sop/version.ts'

interface Subcommand extends Options {
  readonly run: (call: Call) => Promise<void>
}

const ARMOR = ['no-armor', 'armor']

const subcommands = new Map<string, Subcommand>([
  ['version', { flags: ['backend', 'extended', 'sop-spec', 'sopv'], run: version }],
  ['list-profiles', { run: listProfiles }],
  ['generate-key', { flags: [...ARMOR, 'signing-only'], values: ['with-key-password', 'profile'], run: generateKey }],
  ['change-key-password', { flags: ARMOR, values: ['new-key-password', 'old-key-password'], run: changeKeyPassword }],
  ['revoke-key', { flags: ARMOR, values: ['with-key-password'], run: revokeKey }],
  ['extract-cert', { flags: ARMOR, run: extractCert }],
  ['sign', { flags: ARMOR, values: ['as', 'micalg-out', 'with-key-password'], run: sign }],
  ['verify', { values: ['not-before', 'not-after'], run: verify }],
  [
    'encrypt',
    {
      flags: ARMOR,
      values: ['as', 'for', 'with-password', 'sign-with', 'with-key-password', 'profile', 'session-key-out'],
      run: encrypt,
    },
  ],
  [
    'decrypt',
    {
      values: [
        'session-key-out',
        'with-session-key',
        'with-password',
        'with-key-password',
        'verify-with',
        'verifications-out',
        'verify-not-before',
        'verify-not-after',
      ],
      // drafts before -04, and gosop
      renamed: { 'verify-out': 'verifications-out' },
      run: decrypt,
    },
  ],
  ['inline-detach', { flags: ARMOR, values: ['signatures-out'], run: inlineDetach }],
  ['inline-verify', { values: ['not-before', 'not-after', 'verifications-out'], run: inlineVerify }],
  ['inline-sign', { flags: ARMOR, values: ['as', 'with-key-password'], run: inlineSign }],
  ['armor', { values: ['label'], run: armorCommand }],
  ['dearmor', { run: dearmorCommand }],
])

async function listProfiles(call: Call): Promise<void> {
  const [subcommand] = call.positionals
  if (!subcommand) throw new SopFailure('MISSING_ARG', 'list-profiles needs a subcommand')
  await call.write(profilesOf(subcommand))
}

/** Runs `sop ARGS...`; answers the exit status. One line on standard error says what failed. */
export async function runSop(args: readonly string[], io: SopIo): Promise<number> {
  try {
    const [name, ...rest] = args
    if (name === undefined) throw new SopFailure('MISSING_ARG', `a subcommand: ${[...subcommands.keys()].join(', ')}`)
    const subcommand = subcommands.get(name)
    if (!subcommand) throw new SopFailure('UNSUPPORTED_SUBCOMMAND', `there is no subcommand ${name}`)
    await subcommand.run(new Call(rest, subcommand, io))
    return 0
  } catch (error) {
    const failure = failureOf(error)
    io.stderr.write(`sop: ${failure}: ${error instanceof Error ? error.message : 'unknown'}\n`)
    return statusOf(failure)
  }
}
