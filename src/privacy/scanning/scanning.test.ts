import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createMetrics, noMetrics } from '#lib/metrics.ts'
import { createFakeClock } from '../../../test/support/fake-clock.ts'
import { createFakeLog } from '../../../test/support/fake-log.ts'
import { says, startFakeClamd, startFakeRspamd } from '../../../test/support/fake-scanners.ts'
import { temporaryDirectory } from '../../../test/support/temporary.ts'
import { readClamd } from './clamd.ts'
import { readRspamd } from './rspamd.ts'
import { createScanner, type ScannerOptions } from './scanning.ts'

const CANARY = 'the-canary-of-the-letter'
const message = Buffer.from(`From: ann@alpha.test\r\nSubject: ${CANARY}\r\n\r\n${CANARY}\r\n`)
const TIMEOUT_MS = 15_000

function rig(options: Partial<ScannerOptions>) {
  const [clock, logger] = [createFakeClock(), createFakeLog()]
  const scanner = createScanner({
    rspamd: null,
    clamd: null,
    passwordFile: '',
    timeoutMs: TIMEOUT_MS,
    hostname: 'mx.alpha.test',
    metrics: noMetrics,
    clock,
    logger,
    ...options,
  })
  return { scanner, clock, logger }
}

describe('verdicts', () => {
  it('the worse one counts, and who could not say makes no mail clean', async () => {
    for (const [action, answer, verdict] of [
      ['no action', 'stream: OK\0', 'clean'],
      ['greylist', 'stream: OK\0', 'clean'],
      ['soft reject', 'stream: OK\0', 'clean'],
      ['add header', 'stream: OK\0', 'junk'],
      ['rewrite subject', 'stream: OK\0', 'junk'],
      ['reject', 'stream: OK\0', 'junk'],
      ['reject', 'stream: Eicar FOUND\0', 'malware'],
      ['no action', 'stream: Eicar FOUND\0', 'malware'],
      ['our own action', 'stream: OK\0', 'unscanned'],
      ['our own action', 'stream: Eicar FOUND\0', 'malware'],
      ['no action', 'INSTREAM size limit exceeded. ERROR\0', 'unscanned'],
      ['no action', 'stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND\0', 'unscanned'],
      ['reject', 'Can not create temporary file. ERROR\0', 'junk'],
    ] as const) {
      await using rspamd = await startFakeRspamd(says(action))
      await using clamd = await startFakeClamd((socket) => socket.end(answer))
      const { scanner } = rig({ rspamd: rspamd.endpoint, clamd: clamd.endpoint })
      assert.equal(await scanner.scan(message), verdict, `${action}, ${answer}`)
    }
  })

  it('one scanner is enough, and none says nothing', async () => {
    await using rspamd = await startFakeRspamd(says('no action'))
    await using clamd = await startFakeClamd((socket) => socket.end('stream: OK\0'))
    assert.equal(await rig({ rspamd: rspamd.endpoint }).scanner.scan(message), 'clean')
    assert.equal(await rig({ clamd: clamd.endpoint }).scanner.scan(message), 'clean')
    const { scanner, logger } = rig({})
    assert.equal(await scanner.scan(message), 'unscanned')
    assert.deepEqual(logger.lines, [])
  })

  it('a virus that rspamd knows of is malware, whatever it would do about it', async () => {
    await using rspamd = await startFakeRspamd(says('no action', { CLAM_VIRUS: { score: 0 } }))
    assert.equal(await rig({ rspamd: rspamd.endpoint }).scanner.scan(message), 'malware')
  })

  it('any answer is read without an error', () => {
    const kinds = ['found', 'unable']
    const answers = fc.oneof(
      fc.string(),
      fc.string().map((name) => `stream: ${name} FOUND`),
    )
    fc.assert(fc.property(answers, (answer) => kinds.includes(readClamd(answer).kind)))
    const objects = fc
      .record({ action: fc.constantFrom('reject', 'x', 7), symbols: fc.jsonValue() })
      .map((one) => JSON.stringify(one))
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string(), objects), (answer) => kinds.includes(readRspamd(answer).kind)),
    )
  })
})

describe('what is sent', () => {
  it('is the message, whole and unchanged, also over Unix sockets', async () => {
    await using directory = await temporaryDirectory('scanning')
    const large = Buffer.alloc(700_000, 'abcdefg\r\n')
    for (const unix of [false, true]) {
      await using rspamd = await startFakeRspamd(says('no action'), unix ? directory.join('rspamd') : undefined)
      await using clamd = await startFakeClamd(
        (socket) => socket.end('stream: OK\0'),
        unix ? directory.join('clamd') : undefined,
      )
      const { scanner } = rig({ rspamd: rspamd.endpoint, clamd: clamd.endpoint })
      for (const content of [large, message, Buffer.alloc(0)]) assert.equal(await scanner.scan(content), 'clean')
      assert.deepEqual(rspamd.messages, [large, message, Buffer.alloc(0)])
      assert.deepEqual(clamd.messages, [large, message, Buffer.alloc(0)])
    }
  })

  it('comes with our name and the password, and the wish not to be logged', async () => {
    await using directory = await temporaryDirectory('scanning')
    const passwordFile = directory.join('password')
    await writeFile(passwordFile, 'open sesame\nnot this\n')
    const requests: IncomingMessage[] = []
    await using rspamd = await startFakeRspamd((response, asked) => {
      requests.push(asked)
      says('no action')(response)
    })
    assert.equal(await rig({ rspamd: rspamd.endpoint, passwordFile }).scanner.scan(message), 'clean')
    const { method, url, headers } = requests[0]!
    assert.deepEqual([method, url, headers['content-length']], ['POST', '/checkv2', String(message.length)])
    assert.deepEqual([headers['mta-name'], headers['flags']], ['mx.alpha.test', 'no_log'])
    assert.equal(headers['password'], 'open sesame')
  })

  it('is nothing when the password cannot be read', async () => {
    await using rspamd = await startFakeRspamd(says('no action'))
    const { scanner, logger } = rig({ rspamd: rspamd.endpoint, passwordFile: '/nowhere/password' })
    assert.equal(await scanner.scan(message), 'unscanned')
    assert.equal(rspamd.connections, 0)
    assert.match(String(logger.lines[0]?.['why']), /password file cannot be read: ENOENT/)
  })
})

describe('scanners that fail', () => {
  const endless = Buffer.alloc(64 * 1024, 'a')

  it('rspamd: garbage, errors, endless and broken answers leave mail unscanned', async () => {
    for (const answer of [
      ((response) => response.end('<html>')) as Parameters<typeof startFakeRspamd>[0],
      (response) => response.end('[]'),
      (response) => response.end('null'),
      (response) => response.writeHead(403).end(JSON.stringify({ action: 'no action' })),
      (response) => response.writeHead(200, { 'content-length': 1000 }).end(() => response.destroy()),
      (response) => response.destroy(),
      (response) => {
        const more = () => void (response.destroyed || response.write(endless, more))
        more()
      },
    ] satisfies Parameters<typeof startFakeRspamd>[0][]) {
      await using rspamd = await startFakeRspamd(answer)
      const { scanner, logger } = rig({ rspamd: rspamd.endpoint })
      assert.equal(await scanner.scan(message), 'unscanned', answer.toString())
      assert.equal(logger.said('mail could not be scanned').length, 1)
    }
  })

  it('clamd: garbage, endless and broken answers leave mail unscanned', async () => {
    for (const answer of [
      ((socket) => socket.end('HTTP/1.1 400\0')) as Parameters<typeof startFakeClamd>[0],
      (socket) => socket.end('stream: OK'),
      (socket) => socket.end(),
      (socket) => socket.resetAndDestroy(),
      (socket) => {
        const more = () => void (socket.destroyed || socket.write(endless, more))
        more()
      },
    ] satisfies Parameters<typeof startFakeClamd>[0][]) {
      await using clamd = await startFakeClamd(answer)
      const { scanner, logger } = rig({ clamd: clamd.endpoint })
      assert.equal(await scanner.scan(message), 'unscanned', answer.toString())
      assert.equal(logger.said('mail could not be scanned').length, 1)
    }
  })

  it('a connection that ends while the message is still being sent is no verdict', async () => {
    await using clamd = await startFakeClamd(() => {})
    const { scanner } = rig({ clamd: clamd.endpoint })
    const scanned = scanner.scan(Buffer.alloc(32 * 1024 ** 2))
    await clamd.connected()
    clamd.hangUp()
    assert.equal(await scanned, 'unscanned')
  })

  it('nobody listens', async () => {
    const closed = await startFakeClamd(() => {})
    await closed[Symbol.asyncDispose]()
    const { scanner, logger } = rig({ clamd: closed.endpoint, rspamd: closed.endpoint })
    assert.equal(await scanner.scan(message), 'unscanned')
    assert.deepEqual(
      logger.lines.map((line) => line['why']),
      ['ECONNREFUSED', 'ECONNREFUSED'],
    )
    await assert.rejects(scanner.ping('clamd'), { message: 'clamd does not answer: ECONNREFUSED' })
  })

  it('one that is silent is waited for until the time is over, and the other one counts', async () => {
    await using rspamd = await startFakeRspamd(says('reject', { BAD: { score: 9 } }))
    await using clamd = await startFakeClamd(() => {})
    const { scanner, clock, logger } = rig({ rspamd: rspamd.endpoint, clamd: clamd.endpoint })
    const scanned = scanner.scan(message)
    await Promise.all([clamd.asked(1), logger.heard('sealed mail was scanned')])
    await clock.advance(TIMEOUT_MS)
    assert.equal(await scanned, 'junk')
    assert.equal(logger.said('mail could not be scanned')[0]?.['why'], 'no answer in time')
  })

  it('one that was silent three times is left alone for half a minute', async () => {
    await using clamd = await startFakeClamd(() => {})
    const { scanner, clock } = rig({ clamd: clamd.endpoint })
    const silence = async (times: number) => {
      const scanned = scanner.scan(message)
      await clamd.asked(times)
      await clock.advance(TIMEOUT_MS)
      assert.equal(await scanned, 'unscanned')
    }
    for (const times of [1, 2, 3]) await silence(times)
    assert.equal(await scanner.scan(message), 'unscanned')
    assert.equal(clamd.connections, 3)
    await clock.advance(30_000)
    await silence(4)
    assert.equal(await scanner.scan(message), 'unscanned')
    assert.equal(clamd.connections, 4)
  })

  it('trouble is told once a minute, with how often it came', async () => {
    await using clamd = await startFakeClamd((socket) => socket.end('x ERROR\0'))
    const { scanner, clock, logger } = rig({ clamd: clamd.endpoint })
    for (let time = 0; time < 4; time++) await scanner.scan(message)
    await clock.advance(60_000)
    await scanner.scan(message)
    assert.deepEqual(
      logger.lines.map((line) => line['times']),
      [1, 4],
    )
  })
})

describe('bounds', () => {
  it('eight at once, the others wait', async () => {
    await using clamd = await startFakeClamd((socket) => setImmediate(() => socket.end('stream: OK\0')))
    const { scanner } = rig({ clamd: clamd.endpoint })
    const verdicts = await Promise.all(Array.from({ length: 30 }, () => scanner.scan(message)))
    assert.deepEqual(new Set(verdicts), new Set(['clean']))
    assert.equal(clamd.messages.length, 30)
    assert.ok(clamd.mostAtOnce <= 8, `${clamd.mostAtOnce} at once`)
  })

  it('neither too many messages wait, nor too large ones', async () => {
    await using clamd = await startFakeClamd((socket) => socket.end('stream: OK\0'))
    const { scanner, logger } = rig({ clamd: clamd.endpoint })
    const verdicts = await Promise.all(Array.from({ length: 270 }, () => scanner.scan(message)))
    assert.equal(verdicts.filter((verdict) => verdict === 'unscanned').length, 270 - 8 - 256)
    assert.equal(await scanner.scan({ length: 1024 ** 3 } as Buffer), 'unscanned')
    assert.equal(clamd.connections, 264)
    assert.match(String(logger.lines[0]?.['why']), /too much work waits/)
  })
})

describe('what is told', () => {
  it('names of rules and signatures, few and harmless, and nothing of the message', async () => {
    const wild = `X\n\u001b[31m${'y'.repeat(200)}`
    const symbols = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`RULE_${index}`, { score: index }]))
    await using rspamd = await startFakeRspamd(says('reject', { ...symbols, GOOD: { score: -5 } }))
    await using clamd = await startFakeClamd((socket) => socket.end(`stream: ${wild.replace('\n', ' ')} FOUND\0`))
    const { scanner, logger } = rig({ rspamd: rspamd.endpoint, clamd: clamd.endpoint })
    assert.equal(await scanner.scan(message), 'malware')
    const of = (name: string) => logger.lines.find((line) => line['scanner'] === name)?.['names'] as string[]
    assert.deepEqual(
      of('rspamd'),
      [49, 48, 47, 46, 45, 44, 43, 42].map((index) => `RULE_${index}`),
    )
    assert.match(of('clamd')[0]!, /^[\w.?-]{64}$/)
    assert.doesNotMatch(JSON.stringify(logger.lines), new RegExp(`${CANARY}|ann@|alpha`))
  })

  it('counts by scanner and verdict', async () => {
    await using clamd = await startFakeClamd((socket) => socket.end('stream: Eicar FOUND\0'))
    const metrics = createMetrics()
    await rig({ clamd: clamd.endpoint, metrics }).scanner.scan(message)
    assert.match(await metrics.text(), /letterlock_scans_total\{scanner="clamd",verdict="malware"\} 1/)
  })

  it('whether they answer', async () => {
    await using rspamd = await startFakeRspamd(says('no action'))
    await using clamd = await startFakeClamd(() => {})
    const { scanner } = rig({ rspamd: rspamd.endpoint, clamd: clamd.endpoint })
    await scanner.ping('rspamd')
    await scanner.ping('clamd')
    const swapped = rig({ rspamd: clamd.endpoint, clamd: rspamd.endpoint })
    await assert.rejects(swapped.scanner.ping('clamd'), /clamd does not answer: /)
    await assert.rejects(rig({}).scanner.ping('clamd'), /not configured/)
  })
})
