import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigError } from './config-file.ts'
import { parseConfig } from './load.ts'

test('a hostname alone is a whole configuration', () => {
  const config = parseConfig('hostname = "mail.example.org"\n', '/etc/letterlock/letterlock.toml')
  assert.equal(config.ports.smtp, 2525)
  assert.equal(config.data, '/etc/letterlock')
  assert.equal(config.tls.certificate, '/etc/letterlock/tls/server.crt')
  assert.equal(config.relay.giveUpAfter, 5 * 86_400_000)
})

test('times and sizes are read with their units', () => {
  const config = parseConfig('hostname = "m.test"\n[relay]\nwarnAfter = "90s"\n[limits]\nmessageSize = "25M"\n', '/c')
  assert.equal(config.relay.warnAfter, 90_000)
  assert.equal(config.limits.messageSize, 25 * 1024 * 1024)
})

test('all mistakes are told at once, with line, key and remedy', () => {
  const text = [
    'bind = "127.0.0.1"',
    'colour = "red"',
    '[ports]',
    'smtp = 70000',
    'imap = "x"',
    '[relay]',
    'warnAfter = "soon"',
  ].join('\n')
  assert.throws(
    () => parseConfig(text, 'letterlock.toml'),
    (error: Error) => {
      assert.ok(error instanceof ConfigError)
      const lines = error.message.split('\n')
      assert.equal(lines.length, 5)
      assert.match(error.message, /^letterlock\.toml:1: hostname: is missing; add it/m)
      assert.match(error.message, /^letterlock\.toml:2: colour: there is no such key/m)
      assert.match(error.message, /^letterlock\.toml:4: ports\.smtp: .*65535/m)
      assert.match(error.message, /^letterlock\.toml:5: ports\.imap: expected number/m)
      assert.match(error.message, /^letterlock\.toml:7: relay\.warnAfter: is no time: write/m)
      return true
    },
  )
})

test('a login at the smarthost needs a checked certificate', () => {
  assert.throws(
    () => parseConfig('hostname = "m.test"\n[relay]\nsmarthost = "s.test:587"\nuser = "us"\n', 'c.toml'),
    /relay\.passwordFile: .*go together[\s\S]*relay\.tls: a login needs "required"/,
  )
})

test('scanners are on this machine or its own network', () => {
  const scan = (lines: string) => parseConfig(`hostname = "m.test"\n[scan]\n${lines}\n`, '/etc/c.toml').scan
  assert.deepEqual([scan('').rspamd, scan('').clamd, scan('').timeout], [null, null, 15_000])
  const { rspamd, clamd, passwordFile } = scan(
    'rspamd = "http://[::1]:11333/"\nclamd = "unix:/run/c"\npasswordFile = "p"',
  )
  assert.deepEqual(rspamd, { kind: 'tcp', host: '::1', port: 11_333 })
  assert.deepEqual([clamd, passwordFile], [{ kind: 'unix', path: '/run/c' }, '/etc/p'])
  assert.throws(() => scan('rspamd = "9.9.9.9:11333"'), /c\.toml:3: scan\.rspamd: is an address of the Internet/)
  assert.throws(() => scan('clamd = "https://127.0.0.1"'), /c\.toml:3: scan\.clamd: is no address: write "host:port"/)
  assert.throws(() => scan('timeout = "0s"'), /scan\.timeout: must be from "1s" to "15s"/)
  assert.throws(() => scan('passwordFile = "p"'), /scan\.passwordFile: there is nobody to give it to/)
})

test('broken TOML names its line', () => {
  assert.throws(
    () => parseConfig('hostname = "m.test"\nbind = = 3\n', 'c.toml'),
    /^ConfigError: c\.toml:2: this is no TOML/,
  )
})
