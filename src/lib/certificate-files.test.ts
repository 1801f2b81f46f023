import assert from 'node:assert/strict'
import { utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { createFakeLog } from '../../test/support/fake-log.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'
import { selfSigned } from '../../test/support/tls.ts'
import { openCertificateFiles } from './certificate-files.ts'

test('a renewed certificate is taken up, a broken one leaves the last good one in use', async () => {
  await using directory = await temporaryDirectory('certificate')
  const files = { certificate: join(directory.path, 'server.crt'), key: join(directory.path, 'server.key') }
  const write = async (text: { cert: string; key: string }, seconds: number) => {
    await writeFile(files.certificate, text.cert)
    await writeFile(files.key, text.key)
    await utimes(files.certificate, seconds, seconds)
  }
  const clock = createFakeClock()
  const log = createFakeLog()
  await write(selfSigned('one.test'), 1000)
  const certificates = openCertificateFiles(files, clock, log)
  const first = certificates.current()
  await write(selfSigned('two.test'), 2000)
  assert.equal(certificates.current(), first, 'not looked at again within the minute')
  await clock.advance(61_000)
  const second = certificates.current()
  assert.notEqual(second, first)
  await write({ cert: 'no certificate', key: 'no key' }, 3000)
  certificates.reload()
  assert.equal(certificates.current(), second)
})
