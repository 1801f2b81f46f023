/** The two servers under measurement, seen only through their ports and their processes. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { startDovecot } from '../../test/support/peers/dovecot.ts'
import { startPostfix } from '../../test/support/peers/postfix.ts'
import { startProvider } from '../../test/support/provider.ts'

export interface BenchAccount {
  readonly address: string
  readonly password: string
}

export interface MailServer extends AsyncDisposable {
  readonly name: string
  readonly smtp: { readonly host: string; readonly port: number }
  readonly imaps: { readonly host: string; readonly port: number }
  /** Roots of its process trees. */
  readonly roots: readonly number[]
}

const domain = 'bench.test'

export function benchAccounts(count: number): BenchAccount[] {
  return Array.from({ length: count }, (_, number) => ({
    address: `user${String(number).padStart(2, '0')}@${domain}`,
    password: `bench password ${number}`,
  }))
}

/** Postfix takes the mail and hands it by LMTP to Dovecot, which with `mailCrypt` encrypts it to each user's key. */
export async function startPeer(
  directory: string,
  accounts: readonly BenchAccount[],
  mailCrypt: boolean,
): Promise<MailServer> {
  const at = (name: string) => join(directory, name)
  for (const name of ['dovecot', 'postfix']) await mkdir(at(name), { recursive: true })
  const dovecot = await startDovecot({ directory: at('dovecot'), users: accounts, mailCrypt })
  try {
    const postfix = await startPostfix({
      directory: at('postfix'),
      domains: [domain],
      addresses: accounts.map((account) => account.address),
      deliverTo: { host: dovecot.host, lmtpPort: dovecot.lmtpPort },
      tls: true,
    })
    return {
      name: mailCrypt ? 'Postfix + Dovecot mail_crypt' : 'Postfix + Dovecot unencrypted',
      smtp: postfix,
      imaps: { host: dovecot.host, port: dovecot.imapsPort },
      roots: [postfix.pid, dovecot.pid],
      [Symbol.asyncDispose]: async () => {
        await postfix.stop()
        await dovecot.stop()
      },
    }
  } catch (error) {
    await dovecot.stop()
    throw error
  }
}

export async function startOurs(directory: string, accounts: readonly BenchAccount[]): Promise<MailServer> {
  const provider = await startProvider({ directory, domain, accounts })
  return {
    name: 'Letterlock',
    smtp: { host: provider.host, port: provider.ports.smtp },
    imaps: { host: provider.host, port: provider.ports.imaps },
    roots: [provider.pid],
    [Symbol.asyncDispose]: () => provider[Symbol.asyncDispose](),
  }
}
