/** The command tree: what can be typed, and which file does it. Each command's code is loaded when it is called. */
import { Command, CommanderError } from 'commander'

const program = new Command('letterlock')
  .description('A secure mail provider in one program.')
  .version('0.1.0', '--version')
  .exitOverride()
  .configureOutput({ writeErr: (text) => process.stderr.write(text) })
  .showHelpAfterError('(letterlock --help, or --help behind a command, tells the usage)')

/** A command that works on a data directory. */
function inPlace(parent: Command, usage: string, description: string): Command {
  return parent
    .command(usage)
    .description(description)
    .option('--data <dir>', 'data directory (default: LETTERLOCK_DATA, else ./data)')
    .option('--config <file>', 'configuration (default: LETTERLOCK_CONFIG, else letterlock.toml in the data directory)')
}

/** The same, printing an answer. */
const asking = (parent: Command, usage: string, description: string): Command =>
  inPlace(parent, usage, description).option('--json', 'print one JSON document')

const withSecrets = (command: Command): Command =>
  command.option('--password-stdin', 'read secrets from standard input, one per line, in the order of the prompts')

program
  .command('init')
  .description('make a provider: configuration, TLS, directory; print the DNS records to publish')
  .requiredOption('--domain <domain>', 'its first domain')
  .option('--data <dir>', 'data directory (default: LETTERLOCK_DATA, else ./data)')
  .option('--bind <address>', 'IP address to listen on (default: 127.0.0.1)')
  .option('--port-base <n>', 'every port is n and its standard number; 0 means the standard ports')
  .option('--hostname <name>', "the server's name (default: mail. and the domain)")
  .option('--tls-certificate <file>', 'PEM chain (default: a development CA is made)')
  .option('--tls-key <file>', 'its PEM private key')
  .option('--json', 'print one JSON document')
  .action(async (options) => (await import('#cli/init.ts')).init(options))

inPlace(program, 'serve', 'run everything').action(async (options) => (await import('#cli/serve.ts')).serve(options))
inPlace(program, 'start', 'make a first provider to try when there is none, and run it').action(async (options) =>
  (await import('#cli/start.ts')).start(options),
)

const account = program.command('account').description('people, their passwords and their state')
withSecrets(asking(account, 'add <address>', 'make an account; prints its recovery code'))
  .option('--algorithm <name>', 'curve25519 or rsa3072', 'curve25519')
  .option('--quota <size>', 'disk space, such as 2G; 0 for no limit')
  .option('--without-key', 'its owner brings a key or makes one later; mail is put off until then')
  .action(async (address, options) => (await import('#cli/account.ts')).add(address, options))
asking(account, 'list', 'all accounts').action(async (options) => (await import('#cli/account.ts')).list(options))
asking(account, 'show <address>', 'one account, its certificates and mailboxes').action(async (address, options) =>
  (await import('#cli/account.ts')).show(address, options),
)
withSecrets(asking(account, 'password <address>', 'change the password; keeps all mail'))
  .option('--recovery', 'with the recovery code instead of the old password; keeps all mail')
  .option('--reset', 'without either: says what that means')
  .option('--algorithm <name>', 'of the new key that --reset makes', 'curve25519')
  .action(async (address, options) => (await import('#cli/account-password.ts')).password(address, options))
withSecrets(asking(account, 'relink <address>', 'open mail from before a reset with the old password or recovery code'))
  .option('--with-passphrase', 'with the separate passphrase of that time besides the password')
  .action(async (address, options) => (await import('#cli/account-password.ts')).relink(address, options))
withSecrets(asking(account, 'recovery-code <address>', 'a new recovery code in place of the one before')).action(
  async (address, options) => (await import('#cli/account-password.ts')).recoveryCode(address, options),
)
withSecrets(
  asking(
    account,
    'passphrase <address>',
    'set or change a passphrase that is asked for besides the password; mail programs then need app passwords',
  ),
)
  .option('--remove', 'end it: the password alone is enough again')
  .action(async (address, options) => (await import('#cli/account-password.ts')).passphrase(address, options))
asking(account, 'suspend <address>', 'no login, no new mail; everything is kept').action(async (address, options) =>
  (await import('#cli/account.ts')).suspend(address, options),
)
asking(account, 'resume <address>', 'lift a suspension').action(async (address, options) =>
  (await import('#cli/account.ts')).resume(address, options),
)
asking(account, 'quota <address> <size>', 'limit the disk space; 0 for no limit').action(
  async (address, size, options) => (await import('#cli/account.ts')).quota(address, size, options),
)
asking(account, 'remove <address>', 'remove the account; its sealed mail is kept aside')
  .option('--purge', 'delete its mail and keys too')
  .action(async (address, options) => (await import('#cli/account.ts')).remove(address, options))

asking(
  account,
  'policy <address> [choice]',
  'what becomes of its mail to people without a key: plain, warn, refuse, pickup or default',
).action(async (address, choice, options) => (await import('#cli/policy.ts')).ofAccount(address, choice, options))

const appPassword = program
  .command('app-password')
  .description('passwords for single devices and mail programs, each revocable alone')
withSecrets(asking(appPassword, 'add <address>', 'make one; prints it this once'))
  .requiredOption('--label <label>', "the device or program it is for, such as 'phone'")
  .option('--scope <protocols>', 'of imap,pop3,smtp,jmap (default: all of them, and signing)')
  .option('--sign', 'with --scope: it may also sign mail as the account; smtp alone opens no keys without this')
  .option('--expires <when>', 'such as 90d or 12h from now, or a last day such as 2027-03-31 (UTC)')
  .action(async (address, options) => (await import('#cli/app-password.ts')).add(address, options))
asking(appPassword, 'list <address>', 'what each is for, when it was last used, and whether it still works').action(
  async (address, options) => (await import('#cli/app-password.ts')).list(address, options),
)
withSecrets(asking(appPassword, 'revoke <address> [id...]', 'end them and their sessions'))
  .option('--all', 'every one of the account')
  .option('--operator', "without the owner's password: blocks them until the owner's next change removes them")
  .action(async (address, ids, options) => (await import('#cli/app-password.ts')).revoke(address, ids, options))

const key = program.command('key').description('certificates and secret keys')
asking(key, 'list <address>', "an account's certificates").action(async (address, options) =>
  (await import('#cli/key/list.ts')).list(address, options),
)
asking(key, 'show <address> <fingerprint>', 'one of them').action(async (address, fingerprint, options) =>
  (await import('#cli/key/list.ts')).show(address, fingerprint, options),
)
withSecrets(
  asking(key, 'generate <address>', 'the first key of an account without one, on terms that its owner agrees to'),
)
  .option('--agree', 'the owner has read the terms and agrees')
  .option('--algorithm <name>', 'curve25519, rsa3072 or rsa4096', 'curve25519')
  .action(async (address, options) => (await import('#cli/key/generate.ts')).generate(address, options))
withSecrets(
  asking(key, 'import <address> [file]', "a key of the owner's own: secret, or with --device the certificate alone"),
)
  .option('--file <file>', 'the same as naming the file behind the address')
  .option('--use <use>', 'both, end-to-end, or reading (old mail only)', 'both')
  .option('--add-subkey', 'give a key that nothing can be encrypted to a Curve25519 subkey')
  .option('--keep-old', 'do not revoke the managed key that it takes over from')
  .option('--device', 'the certificate alone: what arrives can be read on the device of its owner only')
  .option('--reseal', 'bring old mail under it while the owner is logged in')
  .action(async (address, file, options) => (await import('#cli/key/import.ts')).importKey(address, file, options))
withSecrets(asking(key, 'managed <address>', 'back to a key that the provider makes and keeps locked'))
  .option('--algorithm <name>', 'of a new key, if one is needed', 'curve25519')
  .option('--reseal', 'bring old mail under a new key while the owner is logged in')
  .action(async (address, options) => (await import('#cli/key/import.ts')).managed(address, options))
withSecrets(asking(key, 'rotate <address>', 'a new key, current at once; revokes the one before, which reads old mail'))
  .option('--algorithm <name>', 'curve25519, rsa3072 or rsa4096', 'curve25519')
  .option('--end-to-end', 'only the key that others write to, as a key of its own')
  .option('--reseal', 'bring old mail under it while the owner is logged in')
  .action(async (address, options) => (await import('#cli/key/rotate.ts')).rotate(address, options))
withSecrets(
  asking(key, 'revoke <address> [fingerprint]', 'give a certificate up; the one that others write to if none is named'),
)
  .option('--reason <reason>', 'none, superseded, compromised or retired', 'none')
  .option('--text <text>', 'for those who look at it')
  .option('--force', 'also one that is in use and has no successor')
  .action(async (address, fingerprint, options) =>
    (await import('#cli/key/revoke.ts')).revoke(address, fingerprint, options),
  )
asking(
  key,
  'revocation <address> <file>',
  'publish a revocation that the owner made elsewhere; needs no password',
).action(async (address, file, options) => (await import('#cli/key/revoke.ts')).revocation(address, file, options))
withSecrets(asking(key, 'export <address>', 'the secret keys as OpenPGP, locked with a passphrase of your choice'))
  .option('--out <file>', 'file to write (default: standard output)')
  .option('--public', 'the certificate only')
  .option('--fingerprint <fingerprint>', 'with --public: this one')
  .action(async (address, options) => (await import('#cli/key/export.ts')).exportKey(address, options))
withSecrets(asking(key, 'reseal <address>', 'bring all mail under the current key, here and now'))
  .option('--pause', 'stop it wherever it runs; needs no password')
  .option('--resume', 'let the server do it while the owner is logged in; needs no password')
  .option('--status', 'how much is done; needs no password')
  .action(async (address, options) => (await import('#cli/reseal.ts')).reseal(address, options))

const escrow = program
  .command('escrow')
  .description('opening accounts whose owners agreed to it, with a key that is elsewhere')
/** With the master key, away from the server. */
const withMaster = (command: Command): Command =>
  withSecrets(command)
    .requiredOption('--secret <file>', 'escrow-secret.asc, the locked master key')
    .option('--shares <files...>', 'as many shares as are needed (default: ask for the passphrase)')
    .option('--json', 'print one JSON document')
withSecrets(escrow.command('init'))
  .description('make the master key, on a machine that is not the server')
  .requiredOption('--out <dir>', 'new folder for its files')
  .option('--name <name>', 'whose key it is, as owners see it', 'Letterlock escrow')
  .option('--shares <n>', 'split what unlocks it among so many people')
  .option('--threshold <k>', 'of whom so many are needed')
  .option('--algorithm <name>', 'curve25519 or rsa4096', 'curve25519')
  .option('--json', 'print one JSON document')
  .action(async (options) => (await import('#cli/escrow-master.ts')).init(options))
withMaster(escrow.command('check').description('try whether the master key opens; nothing is changed')).action(
  async (options) => (await import('#cli/escrow-master.ts')).check(options),
)
withMaster(escrow.command('recover').description('make one recovery code, on the machine with the master key'))
  .requiredOption('--package <file>', 'what `escrow request` wrote')
  .requiredOption('--ticket <text>', 'the reason, as in the request')
  .requiredOption('--out <file>', 'new file for the grant, which goes back to the server')
  .option('--log <dir>', 'keep a record on this machine too')
  .option('--yes', 'do not ask')
  .action(async (options) => (await import('#cli/escrow-master.ts')).recover(options))
withSecrets(asking(escrow, 'consent <address>', 'the owner agrees to escrow'))
  .option('--agree', 'the text was read and is agreed to')
  .action(async (address, options) => (await import('#cli/escrow.ts')).consent(address, options))
withSecrets(asking(escrow, 'opt-out <address>', 'the owner takes that back; new keys, so that it counts'))
  .option('--agree', 'the text was read')
  .option('--no-reseal', 'leave old mail under the old key')
  .action(async (address, options) => (await import('#cli/escrow-opt-out.ts')).optOut(address, options))
asking(escrow, 'status [address]', 'whether escrow is on, whose key it is, and every opening').action(
  async (address, options) => (await import('#cli/escrow-status.ts')).status(address, options),
)
asking(escrow, 'request <address>', 'what the master key needs to open an account')
  .requiredOption('--ticket <text>', 'the reason, which the owner will read')
  .requiredOption('--out <file>', 'new file')
  .action(async (address, options) => (await import('#cli/escrow.ts')).request(address, options))
asking(escrow, 'apply <grant>', 'let the recovery code of a grant work').action(async (file, options) =>
  (await import('#cli/escrow.ts')).apply(file, options),
)

asking(program, 'consents <address>', "what an account's owner agreed to, and whether the signatures hold")
  .option('--text', 'with the whole texts')
  .action(async (address, options) => (await import('#cli/consents.ts')).consents(address, options))

const domain = program.command('domain').description('what this provider takes mail for')
asking(domain, 'list', 'all domains').action(async (options) => (await import('#cli/domain.ts')).list(options))
asking(domain, 'add <domain>', 'take mail for another domain').action(async (name, options) =>
  (await import('#cli/domain.ts')).add(name, options),
)
asking(domain, 'records <domain>', 'every DNS record to publish')
  .option('--format <format>', 'bind or json', 'bind')
  .option('--keys', 'with the current key of every address of the domain (OPENPGPKEY)')
  .action(async (name, options) => (await import('#cli/domain.ts')).records(name, options))

asking(
  domain,
  'policy <domain> [choice]',
  'what becomes of mail of its accounts to people without a key: plain, warn, refuse, pickup or default; refuse and pickup bind accounts that chose otherwise',
).action(async (name, choice, options) => (await import('#cli/policy.ts')).ofDomain(name, choice, options))

const alias = program.command('alias').description('addresses that lead to other addresses')
asking(alias, 'list', 'all aliases').action(async (options) => (await import('#cli/domain.ts')).listAliases(options))
asking(alias, 'add <alias> <target...>', 'let mail for an address go to others').action(
  async (name, targets, options) => (await import('#cli/domain.ts')).addAlias(name, targets, options),
)
asking(alias, 'remove <alias>', 'end an alias').action(async (name, options) =>
  (await import('#cli/domain.ts')).removeAlias(name, options),
)

const correspondent = program
  .command('correspondent')
  .description('certificates of others that an account accepts where nobody publishes one')
withSecrets(asking(correspondent, 'accept <account> <address>', 'write to the address with the certificate in a file'))
  .requiredOption('--file <file>', 'the certificate, as gpg --export writes it')
  .option('--fingerprint <fingerprint>', 'that it must have; nothing is asked then')
  .option('--yes', 'the fingerprint was compared')
  .action(async (account, address, options) =>
    (await import('#cli/correspondent.ts')).accept(account, address, options),
  )
withSecrets(asking(correspondent, 'list <account>', 'what the account accepts')).action(async (account, options) =>
  (await import('#cli/correspondent.ts')).list(account, options),
)
withSecrets(asking(correspondent, 'forget <account> <address>', 'accept it no longer')).action(
  async (account, address, options) => (await import('#cli/correspondent.ts')).forget(account, address, options),
)

asking(
  program,
  'check <address...>',
  'what becomes of mail to somebody: which certificate is found, where, and what follows',
)
  .option('--fresh', 'ask again whatever is remembered')
  .option('--from <account>', 'by the policy of this account, and with what it accepts')
  .action(async (addresses, options) => (await import('#cli/check.ts')).check(addresses, options))
asking(program, 'doctor <domain>', 'what others see of a domain of ours: what is wrong, and the remedy').action(
  async (name, options) => (await import('#cli/doctor.ts')).doctor(name, options),
)

const queue = program.command('queue').description('mail that waits for another try')
asking(queue, 'list', 'everything that waits').action(async (options) => (await import('#cli/queue.ts')).list(options))
asking(queue, 'show <id>', 'one message').action(async (id, options) =>
  (await import('#cli/queue.ts')).show(id, options),
)
asking(queue, 'retry [id]', 'try again now')
  .option('--all', 'everything')
  .action(async (id, options) => (await import('#cli/queue.ts')).retry(id, options))
asking(queue, 'drop <id>', 'give a message up')
  .option('--bounce', 'tell its sender')
  .action(async (id, options) => (await import('#cli/queue.ts')).drop(id, options))

const pickup = program.command('pickup').description('sealed mail kept for recipients who have no certificate')
asking(pickup, 'list [address]', 'all of it, or that of one account').action(async (address, options) =>
  (await import('#cli/pickup.ts')).list(address, options),
)
asking(pickup, 'drop <id>', 'delete one message; nobody is told').action(async (id, options) =>
  (await import('#cli/pickup.ts')).drop(id, options),
)

withSecrets(
  asking(program, 'import <address>', 'take mail in from elsewhere, sealed as it is read; repeated, it continues'),
)
  .requiredOption('--from <source>', 'maildir:DIR, mbox:FILE, imaps://USER@HOST[:PORT]/[MAILBOX] or imap://...')
  .option('--to <mailbox>', 'put everything into this mailbox and below it (default: the same names)')
  .option('--dry-run', 'read and count, store nothing')
  .option('--ca <file>', 'PEM certificates of a private authority that the IMAP server has its certificate from')
  .action(async (address, options) => (await import('#cli/import.ts')).importInto(address, options))

withSecrets(asking(program, 'export <address>', "an account's mail as Maildir, or sealed"))
  .requiredOption('--to <dir>', 'empty or new directory')
  .option('--sealed', 'one OpenPGP message per file, as stored')
  .action(async (address, options) => (await import('#cli/export.ts')).exportMail(address, options))

const audit = program.command('audit').description('what was done to accounts, keys and mail')
asking(audit, 'list', 'the entries, oldest first')
  .option('--account <address>', 'about one account')
  .option('--since <date>', 'from a date on, such as 2026-11-02')
  .action(async (options) => (await import('#cli/audit.ts')).list(options))
asking(audit, 'verify', 'find altered, dropped, inserted and moved lines; prints the head to note')
  .option('--head <hash>', 'a head that was noted earlier')
  .action(async (options) => (await import('#cli/audit.ts')).verify(options))

program
  .command('sop', { hidden: false })
  .description('the OpenPGP engine as a Stateless OpenPGP command line')
  .helpOption(false)
  .allowUnknownOption()
  .allowExcessArguments()
  .argument('[arguments...]')

/** Answers the exit status for what commander says itself; what a command throws is thrown. */
export async function runProgram(args: readonly string[]): Promise<number> {
  try {
    await program.parseAsync(args, { from: 'user' })
    return 0
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    throw error
  }
}
