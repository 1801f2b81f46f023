/** `letterlock serve`: runs everything until it is told to stop. */
import { configFile } from '#config/config-file.ts'
import type { LoadedConfig } from '#config/load.ts'
import { loadConfigApart } from '#config/load-apart.ts'
import { systemClock } from '#lib/clock.ts'
import { settleAfterStart } from '#lib/started.ts'
import { type RunningServer, startServer } from '../server.ts'
import { CliError } from './cli-error.ts'
import { isServed } from './control.ts'
import { checkDataVersion } from './data-version.ts'
import { notice } from './output.ts'
import type { PlaceOptions } from './premises.ts'

/** Resolves with the name of the first stop signal; a second one ends the process at once. */
function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal))
  })
}

type Listener = keyof LoadedConfig['ports']

export function portsText({ bind, ports }: LoadedConfig, running: RunningServer): string {
  const names: Readonly<Record<Listener, string>> = {
    smtp: 'SMTP, STARTTLS',
    lmtp: 'LMTP',
    submissions: 'submission, TLS',
    submission: 'submission, STARTTLS',
    imaps: 'IMAP, TLS',
    imap: 'IMAP, STARTTLS',
    pop3s: 'POP3, TLS',
    pop3: 'POP3, STLS',
    https: 'keyserver: HKP and Web Key Directory, TLS',
    admin: '/health and /metrics',
  }
  return Object.entries(running.ports)
    .filter(([name]) => ports[name as Listener] !== 0)
    .map(
      ([name, port]) =>
        `  ${(name === 'admin' ? '127.0.0.1' : bind).padEnd(15)} ${String(port).padStart(5)}  ${names[name as Listener]}`,
    )
    .join('\n')
}

export async function run(config: LoadedConfig, banner: (running: RunningServer) => string): Promise<void> {
  checkDataVersion(config.data)
  if (await isServed(config.data)) throw new CliError(`a server runs on ${config.data} already; stop that one first`)
  const stopped = stopSignal()
  const running = await startServer(config)
  process.on('SIGHUP', () => running.reload())
  process.stdout.write(`${banner(running)}\n`)
  using _settling = settleAfterStart(systemClock)
  notice(`letterlock: ${await stopped}, stopping`)
  await running.stop()
}

export async function serve(options: PlaceOptions): Promise<void> {
  const config = await loadConfigApart(configFile(options.config, options.data))
  await run(config, (running) => `letterlock: ready\n${portsText(config, running)}`)
}
