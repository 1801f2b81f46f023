/** `letterlock queue`: mail that waits for another try. */
import { join } from 'node:path'
import type { QueueEntry } from '#agents/queue/queue.ts'
import { openQueueDesk } from '#agents/queue/queue-desk.ts'
import { formatAddress } from '#formats/message/address.ts'
import { systemClock } from '#lib/clock.ts'
import { CliError, UsageError } from './cli-error.ts'
import { answer, day, type OutputOptions, octets, tabulate } from './output.ts'
import { type PlaceOptions, Premises } from './premises.ts'

type Options = PlaceOptions & OutputOptions

const openDesk = (premises: Premises) =>
  openQueueDesk({ path: join(premises.config.data, 'queue.db'), clock: systemClock })

function described(entry: QueueEntry) {
  return {
    id: entry.queueId,
    from: entry.envelope.reversePath ? formatAddress(entry.envelope.reversePath) : '',
    size: entry.size,
    waitsForCertificate: entry.waitsForCertificate,
    arrived: day(entry.arrived),
    recipients: entry.recipients.map((one) => ({
      address: formatAddress(one.address),
      state: one.state,
      tries: one.tries,
      nextTry: day(one.nextTry),
      lastReply: one.lastReply
        ? `${one.lastReply.code} ${one.lastReply.enhanced ?? ''} ${one.lastReply.lines.join(' ')}`
        : null,
      remote: one.remote,
    })),
  }
}

const missing = (id: string): CliError =>
  new CliError(`there is no ${id} in the queue; letterlock queue list shows what is`)

export async function list(options: Options): Promise<void> {
  await using premises = new Premises(options)
  await using desk = await openDesk(premises)
  const entries = (await desk.entries()).map(described)
  answer(
    options,
    entries,
    entries.length === 0
      ? 'The queue is empty.'
      : tabulate(
          ['id', 'from', 'to', 'size', 'tries', 'next try', 'last reply'],
          entries.flatMap((entry) =>
            entry.recipients.map((one) => [
              entry.id,
              entry.from || '<>',
              one.address,
              octets(entry.size),
              String(one.tries),
              one.nextTry,
              one.lastReply ?? '',
            ]),
          ),
        ),
  )
}

export async function show(id: string, options: Options): Promise<void> {
  await using premises = new Premises(options)
  await using desk = await openDesk(premises)
  const entry = await desk.entry(id)
  if (!entry) throw missing(id)
  const shown = described(entry)
  answer(
    options,
    shown,
    [
      `id       ${shown.id}`,
      `from     ${shown.from || '<>'}`,
      `size     ${octets(shown.size)}`,
      `arrived  ${shown.arrived}`,
      ...(shown.waitsForCertificate ? ['waits    for a certificate, sealed to nobody until it is found'] : []),
      ...shown.recipients.map(
        (one) =>
          `to       ${one.address}: ${one.tries} ${one.tries === 1 ? 'try' : 'tries'}, next ${one.nextTry}${one.lastReply ? `\n         ${one.lastReply}` : ''}`,
      ),
    ].join('\n'),
  )
}

export async function retry(id: string | undefined, options: Options & { all?: boolean }): Promise<void> {
  if ((id === undefined) !== (options.all === true)) throw new UsageError('name one message, or --all')
  await using premises = new Premises(options)
  await using desk = await openDesk(premises)
  const concerned = await desk.retry(id ?? null)
  if (id !== undefined && concerned === 0) throw missing(id)
  await premises.tell('/queue/wake')
  answer(options, { retried: concerned }, `${concerned} recipient(s) are tried again now.`)
}

export async function drop(id: string, options: Options & { bounce?: boolean }): Promise<void> {
  await using premises = new Premises(options)
  await using desk = await openDesk(premises)
  if (!(await desk.drop(id, options.bounce === true))) throw missing(id)
  await premises.tell('/queue/wake')
  answer(
    options,
    { dropped: id, bounced: options.bounce === true },
    options.bounce ? `${id} is given up; its sender is told.` : `${id} is dropped; nobody is told.`,
  )
}
