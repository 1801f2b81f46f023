/** `letterlock pickup`: sealed mail that is kept for recipients without a certificate. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { formatAddress } from '#formats/message/address.ts'
import { wipe } from '#lib/bytes.ts'
import { systemClock } from '#lib/clock.ts'
import { loadKeyFile } from '#lib/key-file.ts'
import { silentLogger } from '#lib/log.ts'
import type { Pickup, PickupStore } from '#privacy/pickup/pickup.ts'
import { openPickupStore } from '#privacy/pickup/pickup-store.ts'
import { CliError } from './cli-error.ts'
import { answer, day, type OutputOptions, octets, tabulate } from './output.ts'
import { type PlaceOptions, Premises } from './premises.ts'

type Options = PlaceOptions & OutputOptions

/** null: nothing was ever kept here. */
async function openStore({ config }: Premises): Promise<PickupStore | null> {
  const path = join(config.data, 'pickup.db')
  if (!existsSync(path)) return null
  const key = await loadKeyFile(config.store.queueKey)
  try {
    return await openPickupStore({ path, key, clock: systemClock, logger: silentLogger })
  } finally {
    wipe(key)
  }
}

function described({ id, account, author, recipient, size, arrived, expires }: Pickup) {
  return {
    id,
    account,
    author: author && formatAddress(author),
    recipient: recipient && formatAddress(recipient),
    size,
    arrived: day(arrived),
    expires: day(expires),
  }
}

export async function list(address: string | undefined, options: Options): Promise<void> {
  await using premises = new Premises(options)
  const account = address === undefined ? undefined : (await premises.account(address)).id
  await using store = await openStore(premises)
  const kept = (store ? await store.list(account) : []).map(described)
  answer(
    options,
    kept,
    kept.length === 0
      ? 'Nothing is kept for pickup.'
      : tabulate(
          ['id', 'author', 'recipient', 'size', 'arrived', 'deleted'],
          kept.map((one) => [
            one.id,
            one.author ?? '?',
            one.recipient ?? '?',
            octets(one.size),
            one.arrived,
            one.expires,
          ]),
        ),
  )
}

export async function drop(id: string, options: Options): Promise<void> {
  await using premises = new Premises(options)
  await using store = await openStore(premises)
  if (!(await store?.drop(id)))
    throw new CliError(`nothing is kept for pickup as ${id}; letterlock pickup list shows what is`)
  answer(options, { dropped: id }, `${id} is deleted; nobody is told.`)
}
