/** `letterlock sop` called in this process, with what it reads and writes as values. */
import { Writable } from 'node:stream'
import { runSop } from '#cli/sop.ts'

export interface SopRan {
  readonly status: number
  readonly out: Buffer
  readonly err: string
}

export interface SopInput {
  readonly stdin?: Uint8Array | string
  readonly env?: Readonly<Record<string, string>>
  /** Milliseconds since the epoch. */
  readonly now?: number
}

export async function callSop(args: readonly string[], input: SopInput = {}): Promise<SopRan> {
  const [out, err] = [collecting(), collecting()]
  async function* stdin() {
    yield input.stdin ?? ''
  }
  const { env = {}, now = Date.now() } = input
  const status = await runSop(args, { stdin: stdin(), stdout: out.stream, stderr: err.stream, env, now })
  return { status, out: out.whole(), err: err.whole().toString() }
}

function collecting(): { readonly stream: Writable; readonly whole: () => Buffer } {
  const chunks: Buffer[] = []
  const write = (chunk: Buffer, _: string, done: () => void) => {
    chunks.push(chunk)
    done()
  }
  return { stream: new Writable({ write }), whole: () => Buffer.concat(chunks) }
}
