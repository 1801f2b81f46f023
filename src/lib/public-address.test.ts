import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isPublicAddress } from './public-address.ts'

test('whatever form an address of our own network is written in', () => {
  const inside = ['127.0.0.1', '10.1.2.3', '169.254.169.254', '192.168.0.1', '::1', '::', 'fe80::1', 'fd00::1']
  const embedded = [
    '::ffff:127.0.0.1',
    '::ffff:a00:1',
    '::127.0.0.1',
    '64:ff9b::7f00:1',
    '64:ff9b::192.168.0.1',
    '2002:7f00:1::1',
  ]
  for (const ip of [...inside, ...embedded, '2001:0:1::1', 'localhost', ''])
    assert.equal(isPublicAddress(ip), false, ip)
  for (const ip of ['9.9.9.9', '2620:fe::fe', '64:ff9b::9.9.9.9', '2001:4860::1'])
    assert.equal(isPublicAddress(ip), true, ip)
})
