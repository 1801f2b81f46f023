/** What secret keys are given besides their first lock: relinking those of parked generations, export under a passphrase. */
import { lockForExport } from '#formats/openpgp/lock.ts'
import { type Bytes, wipe } from '#lib/bytes.ts'
import { admitOwner, type Credential, together } from './credentials.ts'
import { masterKeys } from './generations.ts'
import { openFirst, slotsOf } from './keyslots.ts'
import { unlockKey } from './locked-key.ts'
import { checkNewPassword } from './password-rules.ts'
import type { AnswerOf, RequestOf } from './protocol/protocol.ts'
import type { ParkedSlots } from './protocol/slot-table.ts'
import { nextTable, tableOf } from './slot-changes.ts'
import type { Stretcher } from './stretcher.ts'
import { decodeCode, RECOVERY_CODE } from './typed-code.ts'

/** A parked generation leaves the table once its AMK is wrapped under the present one: what it opened, the present one opens. */
export async function relink(request: RequestOf<'relink'>, stretcher: Stretcher): Promise<AnswerOf<'relink'>> {
  const { account } = request
  const table = tableOf(account, request.table)
  const owner = await admitOwner(table, request, stretcher)
  if (owner.kind !== 'owner') return owner
  using masters = masterKeys(table, owner.amk)
  const code = decodeCode(RECOVERY_CODE, request.old)
  try {
    const opened: ParkedSlots[] = []
    for (const group of table.parked) {
      const credential = { password: request.old, passphrase: request.oldPassphrase, code }
      const amk = await openParked({ account, ...group }, credential, stretcher)
      if (!amk) continue
      opened.push(group)
      using found = masterKeys({ account, ...group }, amk)
      for (const generation of found.generations) masters.add(generation, Buffer.from(found.at(generation)!))
    }
    if (opened.length === 0) return { kind: 'nothing' }
    const change = {
      parked: table.parked.filter((group) => !opened.includes(group)),
      earlier: masters.wrappedFor(table, masters.current),
    }
    const generations = opened.map(({ generation }) => generation)
    return { kind: 'relinked', table: nextTable(table, change, masters.current), generations }
  } finally {
    if (code) wipe(code)
  }
}

async function openParked(
  group: ParkedSlots & { readonly account: string },
  { code, ...credential }: Credential & { readonly code: Bytes | null },
  stretcher: Stretcher,
): Promise<Buffer | null> {
  const byCode = code ? await openFirst(group, slotsOf(group.slots, 'recovery'), code, stretcher) : null
  const opened = byCode ?? (await openFirst(group, slotsOf(group.slots, 'password'), credential.password, stretcher))
  if (opened || credential.passphrase.byteLength === 0) return opened
  const both = together(credential)
  try {
    return await openFirst(group, slotsOf(group.slots, 'passphrase'), both, stretcher)
  } finally {
    wipe(both)
  }
}

export async function exportKeys(
  request: RequestOf<'exportKeys'>,
  stretcher: Stretcher,
): Promise<AnswerOf<'exportKeys'>> {
  checkNewPassword(request.lock)
  const table = tableOf(request.account, request.table)
  const owner = await admitOwner(table, request, stretcher)
  if (owner.kind !== 'owner') return owner
  using masters = masterKeys(table, owner.amk)
  const passphrase = Buffer.from(request.lock)
  const blocks: string[] = []
  try {
    for (const key of request.keys) {
      const master = masters.at(key.generation)
      if (!master) continue
      const secret = unlockKey({ account: table.account, generation: key.generation }, key, master)
      try {
        blocks.push(await lockForExport(secret, passphrase))
      } finally {
        wipe(secret)
      }
    }
    return { kind: 'exported', armored: Buffer.from(blocks.join('\n')) }
  } finally {
    wipe(passphrase)
  }
}
