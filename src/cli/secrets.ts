/**
 * How commands get passwords and codes: from a prompt that does not show them, or with --password-stdin one line per secret
 * in the order in which the prompts would ask. Never from argv or the environment.
 */
import { asBuffer } from '#lib/bytes.ts'
import { CliError } from './cli-error.ts'
import { untilInputEnds } from './end-of-input.ts'

export interface SecretPrompt {
  readonly label: string
  /** Ask twice at a prompt, because a typing error would lock its owner out. */
  readonly isNew?: boolean
}

const LINE_LIMIT = 64 * 1024

async function readLines(labels: readonly string[]): Promise<Buffer[]> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of process.stdin) {
    chunks.push(chunk as Buffer)
    size += (chunk as Buffer).length
    if (size > LINE_LIMIT)
      throw new CliError(`standard input is longer than ${LINE_LIMIT} octets; one line per secret is expected`)
  }
  const all = Buffer.concat(chunks)
  for (const chunk of chunks) chunk.fill(0)
  const lines: Buffer[] = []
  let start = 0
  while (start < all.length) {
    const found = all.indexOf(10, start)
    const end = found === -1 ? all.length : found
    lines.push(Buffer.from(all.subarray(start, end > start && all[end - 1] === 13 ? end - 1 : end)))
    start = end + 1
  }
  all.fill(0)
  if (lines.length < labels.length) {
    for (const line of lines) line.fill(0)
    throw new CliError(
      `standard input has ${lines.length} line(s), but ${labels.length} are needed: ${labels.join(', then ')}`,
    )
  }
  return lines.slice(0, labels.length)
}

async function ask(label: string): Promise<Buffer> {
  const { isCancel, password } = await import('@clack/prompts')
  const ask = (signal: AbortSignal) => password({ message: label, output: process.stderr, signal })
  const typed = await untilInputEnds(process.stdin, ask)
  if (isCancel(typed)) throw new CliError('cancelled; nothing was changed')
  // nothing typed is no text at all
  return Buffer.from(typed ?? '', 'utf8')
}

/** The secrets, in order. Their owner wipes them. */
export async function readSecrets(prompts: readonly SecretPrompt[], fromStdin: boolean): Promise<Buffer[]> {
  if (fromStdin) return readLines(prompts.map((prompt) => prompt.label.toLowerCase()))
  if (!process.stdin.isTTY) throw new CliError('there is no terminal to ask for a password on; use --password-stdin')
  const secrets: Buffer[] = []
  for (const { label, isNew } of prompts) {
    const secret = await ask(label)
    if (isNew) {
      const again = await ask(`${label}, again`)
      const same = asBuffer(secret).equals(again)
      again.fill(0)
      if (!same) throw new CliError('the two entries differ; nothing was changed')
    }
    secrets.push(secret)
  }
  return secrets
}
