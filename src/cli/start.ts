/** `npm start`: a first provider to try, made once in the data directory, then run with a word on how to reach it. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { configFile, dataDirectory, loadConfig } from '#config/load.ts'
import { formatAddress } from '#formats/message/address.ts'
import { randomId } from '#lib/ids.ts'
import { createAccount } from './account.ts'
import { makeProvider } from './init.ts'
import { notice } from './output.ts'
import { type PlaceOptions, Premises } from './premises.ts'
import { portsText, run } from './serve.ts'

const DOMAIN = 'letterlock.test'
const NAMES = ['alice', 'bob']

interface FirstAccount {
  readonly address: string
  readonly password: string
  readonly recoveryCode: string
}

async function makeFirstProvider(data: string): Promise<FirstAccount[]> {
  notice(`letterlock: making a first provider for ${DOMAIN} in ${data}`)
  await makeProvider({ domain: DOMAIN, data })
  await using premises = new Premises({ data })
  const accounts: FirstAccount[] = []
  for (const name of NAMES) {
    const address = `${name}@${DOMAIN}`
    const password = randomId(16).replace(/(.{4})(?=.)/g, '$1-')
    const { recoveryCode } = await createAccount(premises, address, Buffer.from(password), {})
    accounts.push({ address, password, recoveryCode: recoveryCode.reveal() })
    notice(`letterlock: made ${address}`)
  }
  return accounts
}

export async function start(options: PlaceOptions): Promise<void> {
  const data = dataDirectory(options.data)
  const first = existsSync(configFile(options.config, options.data)) ? [] : await makeFirstProvider(data)
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
      ...(first.length > 0
        ? [
            'Accounts (passwords and recovery codes are shown this once and stored nowhere):',
            ...first.map((one) => `  ${one.address}   password ${one.password}   recovery code ${one.recoveryCode}`),
          ]
        : [
            'Accounts (their passwords were printed when they were made):',
            ...known.map((address) => `  ${address}`),
            '  A lost password: node bin/letterlock.js account password ADDRESS --recovery',
          ]),
      '',
      'Mail client: IMAP and submission on the ports above, user name = the address, TLS certificate from',
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
