import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { mock, test } from 'node:test'
import { disk } from '#custody/keyring/durable-files.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'
import { type InitOptions, makeProvider } from './init.ts'

const filesIn = (data: string) =>
  readdirSync(data, { recursive: true, encoding: 'utf8' }).filter((name) => statSync(join(data, name)).isFile())

test('everything is for its owner alone, and synced before the configuration names it', async () => {
  await using dir = await temporaryDirectory('init')
  const data = dir.join('data')
  const written = mock.method(disk, 'writeNew')
  const synced = mock.method(disk, 'syncFolder')
  try {
    await makeProvider({ domain: 'Alpha.test', data })
  } finally {
    mock.restoreAll()
  }
  const paths = written.mock.calls.map(({ arguments: [path] }) => path)
  const own = filesIn(data).filter((name) => !name.startsWith('directory.db'))
  assert.deepEqual([...paths].sort(), own.map((name) => join(data, name)).sort())
  assert.equal(paths.at(-1), join(data, 'letterlock.toml'))
  const folders = synced.mock.calls.map(({ arguments: [path] }) => path)
  for (const folder of [dir.path, data, join(data, 'tls')]) assert.ok(folders.includes(folder), folder)
  assert.equal(folders.at(-1), data)
  for (const name of readdirSync(data, { recursive: true, encoding: 'utf8' }))
    assert.equal(statSync(join(data, name)).mode & 0o077, 0, name)
  assert.equal(statSync(data).mode & 0o777, 0o700)
})

test('what cannot serve is refused before anything is written', async () => {
  await using dir = await temporaryDirectory('init')
  const { data: made } = await makeProvider({ domain: 'alpha.test', data: dir.join('made') })
  const tlsCertificate = join(made, 'tls', 'server.crt')
  writeFileSync(dir.join('junk'), 'junk')
  const { privateKey } = generateKeyPairSync('ed25519')
  writeFileSync(dir.join('other.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
  const refused: [Partial<InitOptions>, RegExp][] = [
    [{ hostname: 'bad host' }, /--hostname: "bad host"/],
    [{ hostname: 'a..b' }, /--hostname/],
    [{ domain: 'alpha' }, /--domain/],
    [{ bind: 'here' }, /--bind/],
    [{ portBase: '65000' }, /--port-base/],
    [{ tlsKey: dir.join('junk') }, /go together/],
    [{ tlsCertificate: dir.join('junk'), tlsKey: dir.join('other.key') }, /junk: this is no certificate/],
    [{ tlsCertificate, tlsKey: dir.join('junk') }, /junk: this is no private key/],
    [{ tlsCertificate, tlsKey: dir.join('other.key') }, /is not the key of/],
    [{ data: dir.join('junk') }, /is not a directory/],
    [{ data: made }, /is already a data directory/],
  ]
  for (const [options, words] of refused) {
    const data = dir.join('never')
    await assert.rejects(makeProvider({ domain: 'alpha.test', data, ...options }), words)
    assert.equal(existsSync(data), false, String(words))
  }
})

test('a certificate and key that are given are the ones that serve', async () => {
  await using dir = await temporaryDirectory('init')
  const { data: made } = await makeProvider({ domain: 'alpha.test', data: dir.join('made') })
  const [tlsCertificate, tlsKey] = [join(made, 'tls', 'server.crt'), join(made, 'tls', 'server.key')]
  const { data } = await makeProvider({ domain: 'alpha.test', data: dir.join('data'), tlsCertificate, tlsKey })
  assert.deepEqual(filesIn(join(data, 'tls')).sort(), ['server.crt', 'server.key'])
  assert.equal(readFileSync(join(data, 'tls', 'server.key'), 'utf8'), readFileSync(tlsKey, 'utf8'))
})
