import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLogger } from './log.ts'
import { Secret } from './secret.ts'

function printed(addresses: boolean): Record<string, unknown> {
  const lines: string[] = []
  const logger = createLogger({ level: 'info', addresses }, { write: (text) => lines.push(text) })
  const failed = new Error('failed', { cause: new Secret('hunter2') })
  logger.with({ queueId: 'q1' }).info(
    {
      password: new Secret('hunter2'),
      nested: { code: new Secret('hunter2'), to: [{ local: 'alice', domain: 'alpha.test' }] },
      bytes: Buffer.from('hunter2'),
      failed,
    },
    'said',
  )
  const line = lines.join('')
  assert.ok(!line.includes('hunter2'), line)
  return JSON.parse(line)
}

test('a line shows no secret, no bytes and no local part, whatever the field is called', () => {
  const line = printed(false)
  assert.equal(line['queueId'], 'q1')
  assert.equal(line['password'], '[secret]')
  assert.equal(line['bytes'], '[7 octets]')
  assert.deepEqual(line['nested'], { code: '[secret]', to: ['*@alpha.test'] })
})

test('whole addresses are shown when the operator asks for them', () => {
  assert.deepEqual((printed(true)['nested'] as { to: string[] }).to, ['alice@alpha.test'])
})
