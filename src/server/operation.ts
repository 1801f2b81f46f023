/** The server as its operator meets it: ports that are bound, health, and what commands of the same machine tell it. */
import { statfs } from 'node:fs/promises'
import type { Queue } from '#agents/queue/queue.ts'
import { mergedMetrics } from '#lib/metrics.ts'
import type { Foundation } from './foundation.ts'
import type { Fronts } from './fronts.ts'

/** What of the running server its operator asks. */
export interface Running {
  readonly foundation: Foundation
  readonly queue: Queue
  /** null: one process serves everything. */
  readonly fronts: Fronts | null
}

/** A port is taken or may not be bound; the message names the key to change. */
export class PortTaken extends Error {
  override readonly name = 'PortTaken'
}

/** Binds one port, in words that name the key when it cannot be. */
export async function bind(name: string, host: string, port: number, listen: () => Promise<number>): Promise<number> {
  try {
    return await listen()
  } catch (error) {
    const why: Readonly<Record<string, string>> = {
      EADDRINUSE: 'is taken by another program; stop that one, or choose another port',
      EACCES: 'may be bound by root only; start as root, or choose a port above 1023',
      EADDRNOTAVAIL: 'is not an address of this machine; correct `bind`',
    }
    const known = why[(error as NodeJS.ErrnoException).code ?? '']
    if (!known) throw error
    throw new PortTaken(`${host}:${port} ${known} (key ports.${name})`)
  }
}

/** Below this, mail is about to be refused. */
const LOW_DISK = 256 * 1024 ** 2

export async function health({ foundation, queue, fronts }: Running, { https }: Record<string, number>) {
  const { config, directory, keyring, scanner } = foundation
  const check = async (name: string, look: () => Promise<string>) => {
    try {
      return { name, ok: true, detail: await look() }
    } catch (error) {
      return { name, ok: false, detail: (error as Error).message }
    }
  }
  return Promise.all([
    check('directory', async () => `${(await directory.accounts()).length} accounts`),
    check('vault', async () => `${(await keyring.status()).accounts} accounts unlocked`),
    check('disk', async () => {
      const { bavail, bsize } = await statfs(config.data)
      const free = `${Math.floor((bavail * bsize) / 1024 ** 2)} MiB free`
      if (bavail * bsize < LOW_DISK) throw new Error(`${free}: make room, mail is refused when nothing is left`)
      return free
    }),
    check('queue', async () => `${(await queue.entries()).length} messages waiting`),
    ...(fronts ? [check('fronts', () => fronts.health())] : []),
    check('keyserver', async () => (https ? `listens on port ${https}` : 'off')),
    ...(['rspamd', 'clamd'] as const)
      .filter((name) => config.scan[name] !== null)
      .map((name) =>
        check(name, async () => {
          await (await scanner?.())?.ping(name)
          return 'answers'
        }),
      ),
  ])
}

/** Of all processes together, in the text format that Prometheus reads. */
export async function metrics({ foundation, fronts }: Running): Promise<string> {
  const own = await foundation.metrics.text()
  return fronts ? mergedMetrics([own, ...(await fronts.metrics())]) : own
}

/** What commands of the same machine tell the running server. */
export async function control(path: string, { foundation, queue, fronts }: Running): Promise<boolean> {
  const { keyring, certificates } = foundation
  const [, account, list] = /^\/accounts\/([a-z0-9]+)\/end-sessions(?:\/([0-9a-f,]+))?$/.exec(path) ?? []
  if (account) {
    const slots = list?.split(',')
    await Promise.all([keyring.endSessions(account, slots), fronts?.endSessions(account, slots)])
  } else if (path === '/queue/wake') queue.wake()
  else if (path === '/certificates/reload') {
    certificates.reload()
    fronts?.reload()
  } else return false
  return true
}
