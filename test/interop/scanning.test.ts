/** Debian's rspamd and clamd, started by hand without any network, look at mail for us. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { systemClock as clock } from '#lib/clock.ts'
import type { Endpoint } from '#lib/endpoint.ts'
import { noMetrics } from '#lib/metrics.ts'
import { createScanner, type ScannerOptions } from '#privacy/scanning/scanning.ts'
import { createFakeLog } from '../support/fake-log.ts'
import { needs } from '../support/needs.ts'
import { type Clamd, EICAR, startClamd } from '../support/peers/clamd.ts'
import { GTUBE, type Rspamd, startRspamd } from '../support/peers/rspamd.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary.ts'

const CANARY = 'canary-subject-of-ann'

/** With the text as its body and the attachment in Base64. */
function letter(text: string, attachment: string | Buffer = 'harmless'): Buffer {
  const lines = [
    'Return-Path: <ann@alpha.test>',
    'From: ann@alpha.test',
    'To: bob@beta.test',
    `Subject: ${CANARY}`,
    'Date: Sun, 22 Nov 2026 07:37:24 +0000',
    'Message-ID: <1@alpha.test>',
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary=b',
    '',
    '--b',
    '',
    text,
    '--b',
    'Content-Type: application/octet-stream; name="a.bin"',
    'Content-Transfer-Encoding: base64',
    '',
    Buffer.from(attachment).toString('base64').replace(/.{76}/g, '$&\r\n'),
    '--b--',
    '',
  ]
  return Buffer.from(lines.join('\r\n'))
}

describe('scanners of Debian', needs('rspamd', 'clamd', 'root'), () => {
  let directory: TemporaryDirectory
  let rspamd: Rspamd
  let clamd: Clamd

  before(async () => {
    directory = await temporaryDirectory('scanners')
    ;[rspamd, clamd] = await Promise.all([startRspamd(directory.join('r')), startClamd(directory.join('c'))])
  })

  after(async () => {
    await Promise.all([rspamd?.[Symbol.asyncDispose](), clamd?.[Symbol.asyncDispose]()])
    await directory?.[Symbol.asyncDispose]()
  })

  const tcp = ({ host, port }: { host: string; port: number }): Endpoint => ({ kind: 'tcp', host, port })
  const unix = ({ path }: { path: string }): Endpoint => ({ kind: 'unix', path })

  function scannerOf(options: Partial<ScannerOptions>) {
    const logger = createFakeLog()
    const scanner = createScanner({
      rspamd: null,
      clamd: null,
      passwordFile: '',
      timeoutMs: 15_000,
      hostname: 'mx.beta.test',
      metrics: noMetrics,
      clock,
      logger,
      ...options,
    })
    return { scanner, logger }
  }

  for (const [transport, endpoint] of [
    ['TCP', tcp],
    ['a Unix socket', unix],
  ] as const) {
    it(`over ${transport}: clean, junk and malware`, async () => {
      const { scanner, logger } = scannerOf({ rspamd: endpoint(rspamd), clamd: endpoint(clamd) })
      await scanner.ping('rspamd')
      await scanner.ping('clamd')
      assert.equal(await scanner.scan(letter('Good morning')), 'clean')
      assert.equal(await scanner.scan(letter(GTUBE)), 'junk')
      assert.equal(await scanner.scan(letter('Good morning', EICAR)), 'malware')
      assert.equal(await scanner.scan(letter(GTUBE, EICAR)), 'malware')
      const told = logger.lines.map((line) => `${line['scanner']} ${line['verdict']} ${line['names']}`)
      const [junk, malware] = ['rspamd junk GTUBE', 'clamd malware Eicar-Test.UNOFFICIAL']
      assert.deepEqual(told.sort(), [malware, malware, junk, junk])
      assert.doesNotMatch(JSON.stringify(logger.lines), new RegExp(CANARY))
    })
  }

  it('large mail is scanned whole, and mail that is too large for clamd is unscanned', async () => {
    const { scanner, logger } = scannerOf({ rspamd: tcp(rspamd), clamd: tcp(clamd) })
    const noise = Buffer.alloc(2 * 1024 ** 2, 'abcdefghijklmnopqrstuvwxyz')
    assert.equal(await scanner.scan(letter('Good morning', noise)), 'clean')
    const behind = Buffer.concat([
      letter('Good morning', noise).subarray(0, -7),
      Buffer.from(`\r\n${letter('', EICAR)}`),
    ])
    assert.equal(await scanner.scan(behind), 'malware')
    assert.equal(await scanner.scan(letter('Good morning', Buffer.alloc(clamd.streamMax, 'abcdefg'))), 'unscanned')
    assert.equal(logger.said('mail could not be scanned').length, 1)
  })

  it('their logs say nothing of what they saw', async () => {
    assert.doesNotMatch(rspamd.log() + (await clamd.log()), new RegExp(`${CANARY}|bob@beta|Good morning`))
    assert.match(rspamd.log(), /GTUBE/i)
  })
})
