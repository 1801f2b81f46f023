import { CliError } from './cli-error.ts'
import { untilInputEnds } from './end-of-input.ts'
import { notice } from './output.ts'

export interface Question {
  /** Shown first, whether or not there is anybody to ask. */
  readonly text: string
  readonly question: string
  /** The option that answers yes, such as `--agree`. */
  readonly option: string
}

/** Goes on when the answer is yes; `isYes`: it was given at the command line. Throws CliError otherwise. */
export async function confirm({ text, question, option }: Question, isYes: boolean | undefined): Promise<void> {
  notice(text)
  if (isYes) return
  if (!process.stdin.isTTY) throw new CliError(`nothing was changed: read the text above and repeat with ${option}`)
  const prompts = await import('@clack/prompts')
  const wanted = { message: question, initialValue: false, output: process.stderr }
  const answer = await untilInputEnds(process.stdin, (signal) => prompts.confirm({ ...wanted, signal }))
  if (answer !== true) throw new CliError('nothing was changed')
}
