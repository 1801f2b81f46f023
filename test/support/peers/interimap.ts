/** Synchronises two accounts with InterIMAP, which asks each server with QRESYNC for what changed and takes nothing amiss lightly. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Ran, run } from './run.ts'

export interface InterImapAccount {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
}

export interface InterImapOptions {
  /** Keeps what it knows of both accounts. */
  readonly directory: string
  readonly ca: string
  /** A name in the servers' certificates: it knows none that are addresses. */
  readonly name: string
  readonly local: InterImapAccount
  readonly remote: InterImapAccount
}

/** Makes it ready; each call of what is answered synchronises once. */
export async function interImap(options: InterImapOptions): Promise<() => Promise<Ran>> {
  const at = (name: string) => join(options.directory, name)
  await mkdir(options.directory, { recursive: true, mode: 0o700 })
  const section = (name: string, { host, port, user, password }: InterImapAccount) => `
[${name}]
type = imaps
host = ${host}
port = ${port}
username = ${user}
password = ${password}
SSL_verify = YES
SSL_CAfile = ${options.ca}
SSL_hostname = ${options.name}
compress = YES
`
  const sections = section('local', options.local) + section('remote', options.remote)
  await writeFile(at('config'), `database = ${at('state.db')}\n${sections}`, { mode: 0o600 })
  const env = { HOME: options.directory, XDG_DATA_HOME: options.directory }
  return () => run('interimap', [`--config=${at('config')}`], { env, mayFail: true })
}
