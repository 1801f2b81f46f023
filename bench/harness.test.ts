import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { cpuMs, memoryMB, pidsOf } from '../test/support/processes.ts'
import { corpus, corpusIndex, meanSize } from './corpus.ts'
import { createReporter, median, percentile, tableOf } from './harness.ts'

describe('the benchmark harness', () => {
  it('takes medians', () => {
    assert.equal(median([3, 1, 2]), 2)
    assert.equal(median([4, 1, 2, 3]), 2.5)
    assert.throws(() => median([]))
  })

  it('takes percentiles', () => {
    const values = Array.from({ length: 200 }, (_, index) => 200 - index)
    assert.equal(percentile(values, 50), 100)
    assert.equal(percentile(values, 99), 198)
    assert.equal(percentile([7], 99), 7)
  })

  it('counts a ratio above one as better, whichever direction is better', () => {
    const report = createReporter(() => {})
    report.figure({
      figure: 'rate',
      unit: 'messages/s',
      ours: 800,
      peer: 200,
      peerName: 'peer',
      target: 4,
      better: 'higher',
    })
    report.figure({ figure: 'time', unit: 'ms', ours: 2, peer: 1, peerName: 'peer', target: 3, better: 'lower' })
    report.figure({ figure: 'idle', unit: 'MB', ours: 140, target: 150, better: 'lower' })
    assert.deepEqual(
      report.figures.map((figure) => figure.ratio),
      [4, 0.5, null],
    )
    assert.deepEqual(
      tableOf(report.figures)
        .split('\n')
        .slice(1)
        .map((line) => line.split(/\s+/).at(-1)),
      ['reached', 'missed', 'reached'],
    )
  })

  it('has a corpus of the promised mean size, in clean lines, the same every time', () => {
    const messages = corpus()
    assert.equal(messages.reduce((sum, message) => sum + message.length, 0) / messages.length, meanSize)
    assert.deepEqual(messages, corpus())
    for (const [index, message] of messages.entries()) {
      assert.equal(corpusIndex(message), index)
      const text = message.toString('latin1')
      assert.ok(text.endsWith('\r\n'))
      const lines = text.split('\r\n')
      assert.ok(
        lines.every((line) => line.length < 999 && !/[\r\n]/.test(line)),
        `message ${index}`,
      )
    }
  })

  it('reads its own process from /proc', () => {
    assert.ok(pidsOf([process.pid]).includes(process.pid))
    assert.ok(cpuMs([process.pid]) > 0)
    const { rss, pss } = memoryMB([process.pid])
    assert.ok(rss >= pss && pss > 10)
  })
})
