import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMetrics, mergedMetrics } from './metrics.ts'

test('counters add up by label, gauges are set, and label values are escaped', async () => {
  const metrics = createMetrics()
  metrics.count('messages', { role: 'mx' })
  metrics.count('messages', { role: 'mx' }, 2)
  metrics.count('messages', { role: 'a"b\\c\nd' })
  metrics.gauge('open', 3)
  metrics.gauge('open', 1)
  assert.equal(
    await metrics.text(),
    [
      '# TYPE letterlock_messages_total counter',
      'letterlock_messages_total{role="mx"} 3',
      'letterlock_messages_total{role="a\\"b\\\\c\\nd"} 1',
      '# TYPE letterlock_open gauge',
      'letterlock_open 1',
      '',
    ].join('\n'),
  )
})

test("a histogram's buckets are cumulative", async () => {
  const metrics = createMetrics()
  metrics.observe('wait', 0.02)
  metrics.observe('wait', 20)
  const lines = (await metrics.text()).split('\n')
  for (const line of [
    '# TYPE letterlock_wait_seconds histogram',
    'letterlock_wait_seconds_bucket{le="0.01"} 0',
    'letterlock_wait_seconds_bucket{le="0.03"} 1',
    'letterlock_wait_seconds_bucket{le="10"} 1',
    'letterlock_wait_seconds_bucket{le="+Inf"} 2',
    'letterlock_wait_seconds_sum 20.02',
    'letterlock_wait_seconds_count 2',
  ])
    assert.ok(lines.includes(line), line)
})

test('what several processes count is one text, added up', async () => {
  const [one, other] = [createMetrics(), createMetrics()]
  one.count('logins', { protocol: 'imap' }, 2)
  other.count('logins', { protocol: 'imap' })
  other.count('logins', { protocol: 'pop3' })
  other.gauge('open', 4)
  one.observe('took', 0.002)
  other.observe('took', 2)
  const text = mergedMetrics([await one.text(), await other.text()])
  assert.match(text, /^# TYPE letterlock_logins_total counter\nletterlock_logins_total\{protocol="imap"\} 3\n/)
  assert.match(text, /^letterlock_logins_total\{protocol="pop3"\} 1$/m)
  assert.match(text, /^letterlock_open 4$/m)
  assert.match(text, /^letterlock_took_seconds_bucket\{le="0.003"\} 1$/m)
  assert.match(text, /^letterlock_took_seconds_count 2$/m)
  assert.equal(text.match(/^# TYPE/gm)?.length, 3)
})
