/** What gives secret keys another lock: relinking those of parked generations, and export under a passphrase. */
import { parseCertificate } from '#formats/openpgp/certificate.ts'
import { lockForExport } from '#formats/openpgp/lock.ts'
import { type Bytes, wipe } from '#lib/bytes.ts'
import { openFirst, openTable, slotsOf } from './keyslots.ts'
import { lockKey, unlockKey } from './locked-key.ts'
import { checkNewPassword } from './password-rules.ts'
import type { AnswerOf, RequestOf } from './protocol/protocol.ts'
import type { ParkedSlots } from './protocol/slot-table.ts'
import { decodeRecoveryCode } from './recovery-code.ts'
import { nextTable, tableOf } from './slot-changes.ts'
import type { Stretcher } from './stretcher.ts'

/** A parked generation leaves the table once its keys are locked anew: what its AMK opened, the current one opens now. */
export async function relink(request: RequestOf<'relink'>, stretcher: Stretcher): Promise<AnswerOf<'relink'>> {
  const { account } = request
  const table = tableOf(account, request.table)
  const amk = await openTable(table, request.password, stretcher)
  if (!amk) return { kind: 'wrong' }
  const code = decodeRecoveryCode(request.old)
  try {
    const opened: ParkedSlots[] = []
    const keys: { fingerprint: string; certificate: Bytes; locked: Bytes }[] = []
    for (const group of table.parked) {
      const oldAmk = await openParked({ account, ...group }, { password: request.old, code }, stretcher)
      if (!oldAmk) continue
      opened.push(group)
      for (const key of request.keys.filter(({ generation }) => generation === group.generation)) {
        const secret = unlockKey({ account, generation: group.generation }, key, oldAmk)
        keys.push({
          fingerprint: parseCertificate(key.certificate).fingerprint,
          certificate: key.certificate,
          locked: lockKey(table, secret, key.certificate, amk),
        })
        wipe(secret)
      }
      wipe(oldAmk)
    }
    if (opened.length === 0) return { kind: 'nothing' }
    const parked = table.parked.filter((group) => !opened.includes(group))
    return { kind: 'relinked', table: nextTable(table, table.slots, amk, parked), keys }
  } finally {
    wipe(amk)
    if (code) wipe(code)
  }
}

async function openParked(
  group: ParkedSlots & { readonly account: string },
  { password, code }: { password: Bytes; code: Bytes | null },
  stretcher: Stretcher,
): Promise<Buffer | null> {
  const byCode = code ? await openFirst(group, slotsOf(group.slots, 'recovery'), code, stretcher) : null
  return byCode ?? openFirst(group, slotsOf(group.slots, 'password'), password, stretcher)
}

export async function exportKeys(
  request: RequestOf<'exportKeys'>,
  stretcher: Stretcher,
): Promise<AnswerOf<'exportKeys'>> {
  checkNewPassword(request.passphrase)
  const table = tableOf(request.account, request.table)
  const amk = await openTable(table, request.password, stretcher)
  if (!amk) return { kind: 'wrong' }
  const passphrase = Buffer.from(request.passphrase)
  const blocks: string[] = []
  try {
    for (const key of request.keys) {
      const secret = unlockKey(table, key, amk)
      try {
        blocks.push(await lockForExport(secret, passphrase))
      } finally {
        wipe(secret)
      }
    }
    return { kind: 'exported', armored: Buffer.from(blocks.join('\n')) }
  } finally {
    wipe(amk)
    wipe(passphrase)
  }
}
