import assert from 'node:assert/strict'
import type { LookupAddress } from 'node:dns'
import { test } from 'node:test'
import { isOutside, parseEndpoint, socketOptions } from './endpoint.ts'

test('an endpoint is read as it is written', () => {
  assert.deepEqual(parseEndpoint('127.0.0.1:11333'), { kind: 'tcp', host: '127.0.0.1', port: 11_333 })
  assert.deepEqual(parseEndpoint('rspamd:1'), { kind: 'tcp', host: 'rspamd', port: 1 })
  assert.deepEqual(parseEndpoint('[::1]:65535'), { kind: 'tcp', host: '::1', port: 65_535 })
  assert.deepEqual(parseEndpoint('unix:/run/clamav/clamd.ctl'), { kind: 'unix', path: '/run/clamav/clamd.ctl' })
})

test('what is no endpoint is refused', () => {
  for (const text of ['', 'rspamd', ':1', 'a:0', 'a:65536', 'a:b', '::1:80', '[rspamd]:80', '[:]:80', 'https://a:1'])
    assert.equal(parseEndpoint(text), null, text)
  for (const text of ['unix:run/clamd', `unix:/${'x'.repeat(200)}`, 'unix:/a\0b', 'a b:1', 'a:1\n'])
    assert.equal(parseEndpoint(text), null, text)
})

test('what is out on the Internet is told', () => {
  const outside = (text: string) => isOutside(parseEndpoint(text)!)
  assert.deepEqual(['9.9.9.9:1', '[2620:fe::fe]:1', '[::ffff:9.9.9.9]:1'].map(outside), [true, true, true])
  assert.deepEqual(['10.0.0.1:1', '[fd00::1]:1', 'rspamd:1', 'unix:/run/x'].map(outside), [false, false, false, false])
})

test('a name that leads outside is not connected to', async () => {
  const options = socketOptions({ kind: 'tcp', host: 'scanner', port: 1 })
  assert.ok('lookup' in options)
  const lookup = (address: string, all: boolean) =>
    new Promise<string | LookupAddress[]>((resolve, reject) => {
      options.lookup(address, { all }, (error, found) => (error ? reject(error) : resolve(found)))
    })
  // An address instead of a name is resolved without asking anybody.
  await assert.rejects(lookup('9.9.9.9', false), /9\.9\.9\.9 is not of this machine or its own network/)
  await assert.rejects(lookup('9.9.9.9', true), /is not of this machine/)
  assert.equal(await lookup('10.0.0.1', false), '10.0.0.1')
  assert.deepEqual(await lookup('127.0.0.1', true), [{ address: '127.0.0.1', family: 4 }])
})
