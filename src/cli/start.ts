/** `npm start`: a first provider to try, made once in the data directory, then run with a word on how to reach it. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { configFile, dataDirectory } from '#config/config-file.ts'
import { loadConfig } from '#config/load.ts'
import { formatAddress } from '#formats/message/address.ts'
import { randomId } from '#lib/ids.ts'
import { createAccount } from './account.ts'
import { makeProvider } from './init.ts'
import { notice } from './output.ts'
import { type PlaceOptions, Premises } from './premises.ts'
import { portsText, run } from './serve.ts'

const DOMAIN = 'letterlock.test'
const NAMES = ['alice', 'bob']

/** Prints what is shown only once: it is stored nowhere. */
async function makeFirstProvider(data: string): Promise<void> {
  notice(`letterlock: making a first provider for ${DOMAIN} in ${data}`)
  await makeProvider({ domain: DOMAIN, data })
  await using premises = new Premises({ data })
  for (const name of NAMES) {
    const address = `${name}@${DOMAIN}`
    const password = randomId(16).replace(/(.{4})(?=.)/g, '$1-')
    const { recoveryCode } = await createAccount(premises, address, Buffer.from(password), {})
    process.stdout.write(`  ${address}   password ${password}   recovery code ${recoveryCode.reveal()}\n`)
  }
  process.stdout.write('Passwords and recovery codes are shown this once and stored nowhere: write them down.\n')
}

export async function start(options: PlaceOptions): Promise<void> {
  const data = dataDirectory(options.data)
  if (!existsSync(configFile(options.config, options.data))) {
    await makeFirstProvider(data)
    // The server runs in a process that has not carried the making of keys and certificates.
    process.execve?.(process.execPath, [process.execPath, ...process.execArgv, ...process.argv.slice(1)])
  }
  const config = loadConfig(configFile(options.config, options.data))
  const known = await accountsOf(options)
  const { bind, ports } = config
  const [from, to] = known
  await run(config, (running) =>
    [
      '',
      'Letterlock is running.',
      '',
      portsText(config, running),
      '',
      'Accounts (their passwords were printed when they were made):',
      ...known.map((address) => `  ${address}`),
      '  A lost password: bin/letterlock.js account password ADDRESS --recovery',
      '',
      'Mail client: IMAP (or POP3) and submission on the ports above, user name = the address, TLS certificate from',
      `  ${join(config.data, 'tls', 'ca.crt')} (import it, or accept the certificate).`,
      ...(from && to
        ? [
            'By hand:',
            `  swaks --server ${bind}:${ports.smtp} --tls --from ${from} --to ${to} --header "Subject: Hello"`,
            `  curl --cacert ${join(config.data, 'tls', 'ca.crt')} --user ${to} "imaps://${bind}:${ports.imaps}/INBOX;MAILINDEX=1"`,
          ]
        : []),
      `In a browser: http://127.0.0.1:${ports.admin}/health`,
      'Ctrl-C stops; npm start goes on with the same data.',
    ].join('\n'),
  )
}

async function accountsOf(options: PlaceOptions): Promise<string[]> {
  await using premises = new Premises(options)
  return (await (await premises.directory()).accounts()).map((account) => formatAddress(account.address))
}
