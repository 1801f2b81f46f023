import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { leftPadded, OctetReader, writeMpi } from './octet-reader.ts'
import { MalformedOpenPgp } from './openpgp.ts'

test('numbers come back without their leading zeros', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (magnitude) => {
      const reader = new OctetReader(writeMpi(magnitude))
      assert.deepEqual(leftPadded(reader.mpi(), magnitude.length), Buffer.from(magnitude))
      assert.equal(reader.left, 0)
    }),
  )
})

test('a bit count that is not the number is refused', () => {
  // RFC 9580 §3.2: 511 has 9 bits
  assert.deepEqual(new OctetReader(Buffer.of(0, 9, 1, 0xff)).mpi(), Buffer.of(1, 0xff))
  assert.throws(() => new OctetReader(Buffer.of(0, 10, 1, 0xff)).mpi(), MalformedOpenPgp)
  assert.throws(() => new OctetReader(Buffer.of(0, 16, 1, 0xff)).mpi(), MalformedOpenPgp)
  assert.throws(() => new OctetReader(Buffer.of(0xff, 0xff, ...Buffer.alloc(9000))).mpi(), /too large/)
})
