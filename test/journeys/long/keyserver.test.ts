/** What others see of a key while it is rotated: at every moment one current certificate, and the old one revoked in the end. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { Agent, get } from 'node:https'
import { test } from 'node:test'
import { setTimeout as after } from 'node:timers/promises'
import { wkdHash } from '#formats/hkp/names.ts'
import { dearmor } from '#formats/openpgp/armor.ts'
import { parseCertificate } from '#formats/openpgp/certificate.ts'
import { makeProvider } from '../../support/provider.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

const ann = { address: 'ann@alpha.test', password: 'the password of ann' }
const LOOKUPS_PER_SECOND = 50

test('50 lookups a second while a key is rotated: never none, never two, never back', async () => {
  await using directory = await temporaryDirectory('keyserver')
  await using provider = await makeProvider({
    directory: directory.path,
    domain: 'alpha.test',
    accounts: [ann],
    settings: { 'limits.lookups': '100000' },
  })
  await provider.start()
  const agent = new Agent({ keepAlive: true, ca: await readFile(provider.ca) })
  const fetched = (path: string) =>
    new Promise<{ status: number; body: Buffer }>((resolve, reject) => {
      const request = get({ host: provider.host, port: provider.ports.https, path, agent }, async (response) => {
        const chunks: Buffer[] = []
        for await (const chunk of response) chunks.push(chunk)
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) })
      })
      request.once('error', reject)
    })
  const byAddress = `/pks/lookup?op=get&search=${ann.address}`
  const inDirectory = `/.well-known/openpgpkey/alpha.test/hu/${wkdHash('ann')}?l=ann`

  const seen: string[] = []
  let over = false
  const look = async () => {
    for (let turn = 0, isLast = false; !isLast; turn++) {
      // The last one is asked when all is over, so it sees the end.
      isLast = over
      const { status, body } = await fetched(turn % 2 === 0 ? byAddress : inDirectory)
      assert.equal(status, 200)
      // Two certificates in one answer would not be read as one.
      const certificate = parseCertificate(turn % 2 === 0 ? dearmor(body).octets : body)
      assert.equal(certificate.revoked, false)
      if (seen.at(-1) !== certificate.fingerprint) seen.push(certificate.fingerprint)
      await after(1000 / LOOKUPS_PER_SECOND)
    }
  }
  const rotate = async () => {
    await provider.command(['key', 'rotate', ann.address, '--password-stdin'], { input: `${ann.password}\n` })
    const { body } = await fetched(byAddress)
    return parseCertificate(dearmor(body).octets).fingerprint
  }
  const first = parseCertificate(dearmor((await fetched(byAddress)).body).octets).fingerprint
  const rotated = rotate().finally(() => {
    over = true
  })
  const [second] = await Promise.all([rotated, look()])
  assert.deepEqual(seen, [first, second])

  for (const [fingerprint, revoked] of [
    [first, true],
    [second, false],
  ] as const) {
    const { body } = await fetched(`/pks/v2/certs/by-vfingerprint/04/${fingerprint}`)
    assert.equal(parseCertificate(body).fingerprint, fingerprint)
    assert.equal(parseCertificate(body).revoked, revoked)
  }
  await provider.command(['account', 'suspend', ann.address])
  assert.equal((await fetched(byAddress)).status, 404)
  agent.destroy()
})
