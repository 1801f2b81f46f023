/** `letterlock init`: a data directory with configuration, TLS and directory, ready to serve. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { existsSync, statSync } from 'node:fs'
import { chmod, readdir, readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { CONFIG_FILE, dataDirectory } from '#config/config-file.ts'
import { loadConfig } from '#config/load.ts'
import { openDirectory } from '#custody/accounts/sql-directory.ts'
import { disk, makeFolder } from '#custody/keyring/durable-files.ts'
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
  pop3: 110,
  https: 443,
  admin: 90,
}
const HIGHEST_BASE = 65_535 - Math.max(...Object.values(STANDARD_PORTS))
const HOSTNAME = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/
const isDomain = (name: string): boolean => HOSTNAME.test(name) && name.includes('.')

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

/** File names and contents. Throws a CliError when the certificate or key that was given does not serve. */
async function tlsFiles(options: InitOptions, names: readonly string[]): Promise<Record<string, string>> {
  const { tlsCertificate, tlsKey } = options
  if (tlsCertificate !== undefined && tlsKey !== undefined) {
    const [certificate, key] = [await readFile(tlsCertificate, 'utf8'), await readFile(tlsKey, 'utf8')]
    checkPair(tlsCertificate, certificate, tlsKey, key)
    return { 'server.crt': certificate, 'server.key': key }
  }
  const { ca, server } = await makeDevelopmentCa(names, systemClock.now())
  return { 'ca.crt': ca.certificate, 'ca.key': ca.key, 'server.crt': server.certificate, 'server.key': server.key }
}

function checkPair(certificateFile: string, certificate: string, keyFile: string, key: string): void {
  const read = <T>(file: string, kind: string, reading: () => T): T => {
    try {
      return reading()
    } catch {
      throw new CliError(`${file}: this is no ${kind} in PEM`)
    }
  }
  const leaf = read(certificateFile, 'certificate', () => new X509Certificate(certificate))
  const privateKey = read(keyFile, 'private key without a passphrase', () => createPrivateKey(key))
  if (!leaf.checkPrivateKey(privateKey))
    throw new CliError(`${keyFile} is not the key of the first certificate in ${certificateFile}`)
}

async function checkOptions(options: InitOptions, data: string, bind: string): Promise<void> {
  if (!isDomain(options.domain.toLowerCase()))
    throw new CliError(`--domain: "${options.domain}" is no domain name such as example.org`)
  if (options.hostname !== undefined && !HOSTNAME.test(options.hostname.toLowerCase()))
    throw new CliError(`--hostname: "${options.hostname}" is no host name such as mail.example.org`)
  if (!isIP(bind)) throw new CliError(`--bind: "${bind}" is no IP address such as 127.0.0.1 or 0.0.0.0`)
  if ((options.tlsCertificate === undefined) !== (options.tlsKey === undefined))
    throw new CliError(
      '--tls-certificate and --tls-key go together: give both files, or neither for a development certificate',
    )
  for (const file of [options.tlsCertificate, options.tlsKey])
    if (file !== undefined && !existsSync(file)) throw new CliError(`${file}: there is no such file`)
  if (existsSync(join(data, CONFIG_FILE)))
    throw new CliError(`${data} is already a data directory of Letterlock; name another with --data`)
  if (existsSync(data) && !statSync(data).isDirectory())
    throw new CliError(`${data} is not a directory; name another with --data`)
  if (existsSync(data) && (await readdir(data)).length > 0)
    throw new CliError(`${data} is not empty; name an empty or new directory with --data`)
}

/** Makes the data directory, on the disk when it resolves. The configuration comes last: an interrupted init is no provider. */
export async function makeProvider(options: InitOptions): Promise<{ data: string; hostname: string; file: string }> {
  const data = dataDirectory(options.data)
  const bind = options.bind ?? '127.0.0.1'
  await checkOptions(options, data, bind)
  const domain = options.domain.toLowerCase()
  const hostname = (options.hostname ?? `mail.${domain}`).toLowerCase()
  const text = configText(options, hostname, bind)
  const addresses =
    bind === '0.0.0.0' || bind === '::' ? ['127.0.0.1', '::1'] : [bind, ...(isLoopback(bind) ? ['127.0.0.1'] : [])]
  const tls = await tlsFiles(options, [
    ...new Set([hostname, domain, `openpgpkey.${domain}`, 'localhost', ...addresses]),
  ])
  await makeFolder(disk, data)
  await chmod(data, 0o700)
  for (const folder of ['accounts', 'keys', 'run', 'tls']) await makeFolder(disk, join(data, folder))
  for (const [name, content] of Object.entries(tls)) await disk.writeNew(join(data, 'tls', name), Buffer.from(content))
  await disk.syncFolder(join(data, 'tls'))
  await writeDataVersion(data)
  {
    await using directory = await openDirectory(join(data, 'directory.db'))
    await directory.addDomain(domain)
  }
  await disk.syncFolder(data)
  const file = join(data, CONFIG_FILE)
  await disk.writeNew(file, Buffer.from(text))
  await disk.syncFolder(data)
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
