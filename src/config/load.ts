/**
 * Finds and reads the configuration file. All mistakes are told at once, each with its line, its key and the remedy.
 */
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parse, TomlError } from 'smol-toml'
import type { z } from 'zod'
import { type Config, configSchema } from './config.ts'
import { ConfigError } from './config-file.ts'

export interface LoadedConfig extends Config {
  /** Absolute path of the file. */
  readonly file: string
}

/** Line of every table and key, by dotted path: enough of TOML's syntax to point at a mistake, not to parse it. */
function linesOf(text: string): Map<string, number> {
  const lines = new Map<string, number>()
  let table = ''
  for (const [index, line] of text.split('\n').entries()) {
    const header = /^\s*\[([\w.-]+)\]/.exec(line)?.[1]
    const key = /^\s*([\w.-]+)\s*=/.exec(line)?.[1]
    if (header) table = `${header}.`
    const path = header ?? (key && table + key)
    if (path && !lines.has(path)) lines.set(path, index + 1)
  }
  return lines
}

interface Mistake {
  readonly line: number
  readonly text: string
}

function mistakesOf(issue: z.core.$ZodIssue, lines: ReadonlyMap<string, number>): Mistake[] {
  const path = issue.path.map(String)
  const at = (keys: readonly string[]): number => {
    for (let length = keys.length; length > 0; length--) {
      const line = lines.get(keys.slice(0, length).join('.'))
      if (line) return line
    }
    return 1
  }
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({
      line: at([...path, key]),
      text: `${[...path, key].join('.')}: there is no such key; remove it or correct its name (docs/config.md lists all)`,
    }))
  const key = path.join('.')
  if (issue.code === 'invalid_type' && !lines.has(key))
    return [{ line: at(path), text: `${key}: is missing; add it, such as ${path.at(-1)} = "mail.example.org"` }]
  return [{ line: at(path), text: `${key}: ${issue.message.replace(/^Invalid input: /, '')}` }]
}

/** Checks a configuration text. Throws a ConfigError that names every mistake. */
export function parseConfig(text: string, file: string): LoadedConfig {
  let values: unknown
  try {
    values = parse(text)
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const reason = error.message.split('\n')[0]?.replace('Invalid TOML document: ', '')
    throw new ConfigError(`${file}:${error.line}: this is no TOML: ${reason}`)
  }
  const checked = configSchema.safeParse(values)
  if (!checked.success) {
    const lines = linesOf(text)
    const mistakes = checked.error.issues.flatMap((issue) => mistakesOf(issue, lines)).sort((a, b) => a.line - b.line)
    throw new ConfigError(mistakes.map(({ line, text: mistake }) => `${file}:${line}: ${mistake}`).join('\n'))
  }
  const base = dirname(file)
  const config = checked.data
  const data = resolve(base, config.data)
  const inData = (path: string) => (path === '' ? '' : resolve(base, path))
  return {
    ...config,
    file,
    data,
    tls: {
      certificate: inData(config.tls.certificate),
      key: inData(config.tls.key),
      trust: config.tls.trust.map(inData),
    },
    relay: { ...config.relay, passwordFile: inData(config.relay.passwordFile) },
    scan: { ...config.scan, passwordFile: inData(config.scan.passwordFile) },
    store: { ...config.store, queueKey: inData(config.store.queueKey) },
    custody: { ...config.custody, termsText: inData(config.custody.termsText) },
    escrow: {
      ...config.escrow,
      certificate: inData(config.escrow.certificate),
      consentText: inData(config.escrow.consentText),
      optOutText: inData(config.escrow.optOutText),
    },
  }
}

/** Reads and checks the file. Throws ConfigError, also when there is none. */
export function loadConfig(file: string): LoadedConfig {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new ConfigError(
        `${file}: there is no configuration here. Run: letterlock init --domain DOMAIN, or name the file with --config`,
      )
    throw new ConfigError(`${file}: cannot be read: ${(error as Error).message}`)
  }
  return parseConfig(text, file)
}
