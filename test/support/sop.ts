/** `letterlock sop` as a process of its own, for tests beside other programs: `node test/support/sop.ts ARGS...`. */
import { runSop } from '#cli/sop.ts'

const { stdin, stdout, stderr, env } = process
process.exitCode = await runSop(process.argv.slice(2), { stdin, stdout, stderr, env, now: Date.now() })
