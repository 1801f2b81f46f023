/** How to look around in both providers while they run. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ProviderAccount } from '../../test/support/provider.ts'
import type { World } from '../../test/support/world.ts'

const program = fileURLToPath(new URL('../../bin/letterlock.js', import.meta.url))

export function connections(world: World, accounts: readonly ProviderAccount[]): string {
  const lines = [
    '',
    'Both go on until Ctrl-C. TLS certificates: accept them, or trust the file',
    'behind "ca". The mail hosts in DNS are the taps on the wire, which doctor sees.',
  ]
  for (const [domain, { host, ports, data, ca }] of Object.entries(world.providers)) {
    lines.push(
      '',
      domain,
      ...accounts
        .filter(({ address }) => address.endsWith(`@${domain}`))
        .map(({ address, password }) => `  account     ${address}   password ${password}`),
      `  sending     ${host} port ${ports.submissions} (TLS) or ${ports.submission} (STARTTLS)`,
      `  reading     ${host} port ${ports.imaps} (TLS) or ${ports.imap} (STARTTLS)`,
      `  keyserver   https://${host}:${ports.https}/pks/lookup?op=index&search=${accounts.find(({ address }) => address.endsWith(`@${domain}`))?.address}`,
      `  data        ${data}`,
      `  ca          ${ca}`,
      `  log         ${join(data, '..', 'serve.log')}`,
    )
  }
  const [from, to] = [accounts[0]!.address, accounts.at(-1)!.address]
  const [near, far] = [from, to].map((address) => world.providers[address.split('@')[1]!]!)
  const [resolver, port] = world.resolver.split(':')
  lines.push(
    '',
    'By hand:',
    `  ${program} check ${to} --data ${near!.data}`,
    `  swaks --server ${near!.host}:${near!.ports.submissions} --tls-on-connect --auth-user ${from} --from ${from} --to ${to} --header "Subject: Hello"`,
    `  curl --insecure --user ${to} "imaps://${far!.host}:${far!.ports.imaps}/INBOX;MAILINDEX=1"`,
    `  dig @${resolver} -p ${port} +adflag _hkp._tcp.${to.split('@')[1]} SRV`,
  )
  return lines.join('\n')
}
