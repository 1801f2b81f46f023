/**
 * argv -> command. Exit status: 0 done, 1 refused or failed with a clear line on standard error, 2 wrong usage.
 * The server is started from here without the command tree, which it would carry for as long as it runs.
 */
import { parseArgs } from 'node:util'
import { systemClock } from '#lib/clock.ts'

/** The options of a `serve` that needs no explanation; null for everything else. */
function plainServe([command, ...args]: readonly string[]): { config?: string; data?: string } | null {
  if (command !== 'serve') return null
  try {
    const options = { config: { type: 'string' }, data: { type: 'string' } } as const
    return { ...parseArgs({ args, options, strict: true }).values }
  } catch {
    return null
  }
}

async function run(args: readonly string[]): Promise<number> {
  if (args[0] === 'sop') {
    const { runSop } = await import('#cli/sop.ts')
    const { stdin, stdout, stderr, env } = process
    return runSop(args.slice(1), { stdin, stdout, stderr, env, now: systemClock.now() })
  }
  if (args[0] === 'warm') {
    await import('./warm.ts')
    return 0
  }
  const served = plainServe(args)
  if (!served) return (await import('#cli/program.ts')).runProgram(args)
  await (await import('#cli/serve.ts')).serve(served)
  return 0
}

async function main(args: readonly string[]): Promise<number> {
  try {
    return await run(args)
  } catch (error) {
    const { isMeantForPeople, statusOf } = await import('#cli/cli-error.ts')
    for (const line of (error as Error).message.split('\n')) process.stderr.write(`letterlock: ${line}\n`)
    if (!isMeantForPeople(error)) process.stderr.write(`${(error as Error).stack ?? ''}\n`)
    return statusOf(error)
  }
}

process.exitCode = await main(process.argv.slice(2))
