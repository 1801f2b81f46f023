/** `letterlock init`: a data directory with configuration, TLS and directory, ready to serve. */
import { existsSync } from 'node:fs'
import { chmod, copyFile, mkdir, readdir, writeFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join, resolve } from 'node:path'
import { CONFIG_FILE, dataDirectory, loadConfig } from '#config/load.ts'
import { openDirectory } from '#custody/accounts/sql-directory.ts'
import { systemClock } from '#lib/clock.ts'
import { CliError } from './cli-error.ts'
import { writeDataVersion } from './data-version.ts'
import { makeDevelopmentCa } from './development-ca.ts'
import { recordsOf, zoneText } from './domain-records.ts'
import { answer, type OutputOptions } from './output.ts'

export interface InitOptions extends OutputOptions {
  readonly domain: string
  readonly data?: string
  readonly bind?: string
  readonly portBase?: string
  readonly hostname?: string
  readonly tlsCertificate?: string
  readonly tlsKey?: string
}

const STANDARD_PORTS = {
  smtp: 25,
  lmtp: 24,
  submissions: 465,
  submission: 587,
  imaps: 993,
  imap: 143,
  pop3s: 995,
  https: 443,
  admin: 90,
}
const HIGHEST_BASE = 65_535 - Math.max(...Object.values(STANDARD_PORTS))
const DOMAIN = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$/

function portLines(base: string | undefined): string[] {
  if (base === undefined) return []
  const number = Number(base)
  if (!/^\d+$/.test(base) || number > HIGHEST_BASE)
    throw new CliError(
      `--port-base: "${base}" is no number from 0 to ${HIGHEST_BASE}; every port is the base and its standard number`,
    )
  const ports = Object.entries(STANDARD_PORTS).map(
    ([name, standard]) => `${name} = ${name === 'admin' && number === 0 ? 9090 : number + standard}`,
  )
  return ['', '[ports]', ...ports]
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1'
}

function configText(options: InitOptions, hostname: string, bind: string): string {
  const own = options.tlsCertificate === undefined
  return [
    '# Letterlock. Every key, its meaning and its default: docs/config.md',
    `hostname = ${JSON.stringify(hostname)}`,
    `bind = ${JSON.stringify(bind)}`,
    ...portLines(options.portBase),
    ...(own
      ? [
          '',
          '[tls]',
          '# The development CA that init made. Replace certificate and key by real ones for use on the Internet.',
          'trust = ["tls/ca.crt"]',
        ]
      : []),
    ...(isLoopback(bind)
      ? [
          '',
          '[relay]',
          '# This provider is reachable on this machine only, and so are the others that it may write to.',
          'allowPrivate = true',
        ]
      : []),
    '',
  ].join('\n')
}

async function writeTls(data: string, options: InitOptions, names: readonly string[]): Promise<void> {
  const tls = join(data, 'tls')
  await mkdir(tls, { mode: 0o700 })
  if (options.tlsCertificate && options.tlsKey) {
    await copyFile(resolve(options.tlsCertificate), join(tls, 'server.crt'))
    await copyFile(resolve(options.tlsKey), join(tls, 'server.key'))
    await chmod(join(tls, 'server.key'), 0o600)
    return
  }
  const { ca, server } = await makeDevelopmentCa(names, systemClock.now())
  await writeFile(join(tls, 'ca.crt'), ca.certificate)
  await writeFile(join(tls, 'ca.key'), ca.key, { mode: 0o600 })
  await writeFile(join(tls, 'server.crt'), server.certificate)
  await writeFile(join(tls, 'server.key'), server.key, { mode: 0o600 })
}

async function checkOptions(options: InitOptions, data: string, bind: string): Promise<void> {
  if (!DOMAIN.test(options.domain.toLowerCase()))
    throw new CliError(`--domain: "${options.domain}" is no domain name such as example.org`)
  if (!isIP(bind)) throw new CliError(`--bind: "${bind}" is no IP address such as 127.0.0.1 or 0.0.0.0`)
  if ((options.tlsCertificate === undefined) !== (options.tlsKey === undefined))
    throw new CliError(
      '--tls-certificate and --tls-key go together: give both files, or neither for a development certificate',
    )
  for (const file of [options.tlsCertificate, options.tlsKey])
    if (file !== undefined && !existsSync(file)) throw new CliError(`${file}: there is no such file`)
  if (existsSync(join(data, CONFIG_FILE)))
    throw new CliError(`${data} is already a data directory of Letterlock; name another with --data`)
  if (existsSync(data) && (await readdir(data)).length > 0)
    throw new CliError(`${data} is not empty; name an empty or new directory with --data`)
}

/** Makes the data directory. The configuration is written last, so that an interrupted init is no half provider. */
export async function makeProvider(options: InitOptions): Promise<{ data: string; hostname: string; file: string }> {
  const data = dataDirectory(options.data)
  const bind = options.bind ?? '127.0.0.1'
  await checkOptions(options, data, bind)
  const domain = options.domain.toLowerCase()
  const hostname = (options.hostname ?? `mail.${domain}`).toLowerCase()
  const text = configText(options, hostname, bind)
  await mkdir(data, { recursive: true })
  await chmod(data, 0o711)
  for (const folder of ['accounts', 'keys', 'run'])
    await mkdir(join(data, folder), { mode: folder === 'accounts' ? 0o700 : 0o700 })
  const addresses =
    bind === '0.0.0.0' || bind === '::' ? ['127.0.0.1', '::1'] : [bind, ...(isLoopback(bind) ? ['127.0.0.1'] : [])]
  await writeTls(data, options, [...new Set([hostname, domain, 'localhost', ...addresses])])
  writeDataVersion(data)
  {
    await using directory = await openDirectory(join(data, 'directory.db'))
    await directory.addDomain(domain)
  }
  const file = join(data, CONFIG_FILE)
  await writeFile(file, text, { mode: 0o600 })
  return { data, hostname, file }
}

export async function init(options: InitOptions): Promise<void> {
  const { data, hostname, file } = await makeProvider(options)
  const config = loadConfig(file)
  const records = await recordsOf(options.domain.toLowerCase(), config)
  const { admin, ...ports } = config.ports
  answer(
    options,
    {
      domain: options.domain.toLowerCase(),
      hostname,
      data,
      config: file,
      bind: config.bind,
      ports: { ...ports, admin },
      records,
    },
    [
      `Made a provider for ${options.domain.toLowerCase()} in ${data}.`,
      '',
      'Publish these DNS records:',
      '',
      zoneText(records),
      '',
      `Next:  letterlock account add somebody@${options.domain.toLowerCase()} --data ${data}`,
      `       letterlock serve --data ${data}`,
    ].join('\n'),
  )
}
