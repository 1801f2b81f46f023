import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeClosed, decodeSigned, encodeClosed, encodeSigned } from './sealed-mail-store-kept.ts'

const octets = fc.uint8Array({ maxLength: 300 })

test('signed octets are made again from the view and what was kept', () => {
  const given = fc.record({
    own: octets,
    shown: octets,
    shared: octets,
    behind: octets,
    signatures: fc.array(octets, { maxLength: 3 }),
  })
  fc.assert(
    fc.property(given, ({ own, shown, shared, behind, signatures }) => {
      const signed = Buffer.concat([own, shared])
      const view = Buffer.concat([shown, shared, behind])
      const kept = encodeSigned({ signed, signatures }, view, behind.length)!
      const again = decodeSigned(kept, view)!
      assert.ok(signed.equals(again.signed))
      assert.deepEqual(
        again.signatures.map((one) => [...one]),
        signatures.map((one) => [...one]),
      )
      assert.ok(kept.length <= own.length + signatures.flatMap((one) => [...one]).length + shared.length + 30)
    }),
  )
})

test('of long texts the part that is shown is not kept, and nothing when too much would have to be', () => {
  const text = Buffer.alloc(300_000, 'a line of text\r\n')
  const signed = Buffer.concat([Buffer.from('Content-Type: text/plain\r\n\r\n'), text])
  const view = Buffer.concat([Buffer.from('Received: x\r\n\r\n'), text])
  const kept = encodeSigned({ signed, signatures: [] }, view, 0)!
  assert.ok(kept.length < 100)
  assert.ok(signed.equals(decodeSigned(kept, view)!.signed))
  assert.equal(encodeSigned({ signed, signatures: [] }, view.subarray(0, -1), 0), null)
  assert.equal(encodeSigned({ signed, signatures: [] }, view, view.length + 1), null)
})

test('what no key opened comes back as it was kept', () => {
  const recipients = fc.array(fc.option(fc.string()))
  fc.assert(
    fc.property(recipients, fc.string(), (names, tried) => {
      assert.deepEqual(decodeClosed(encodeClosed({ recipients: names, tried })), { recipients: names, tried })
    }),
  )
})

test('anything else is neither', () => {
  const any = fc.tuple(fc.constantFrom('c', 's', 'x', 'c[', 'c[""'), octets)
  fc.assert(
    fc.property(any, octets, ([first, rest], view) => {
      const kept = Buffer.concat([Buffer.from(first), rest])
      const [closed, signed] = [decodeClosed(kept), decodeSigned(kept, view)]
      assert.ok(closed === null || signed === null)
    }),
  )
})
