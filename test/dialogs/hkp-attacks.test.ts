/** What must not work against the keyserver: each refused in words that say nothing of who is here. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { createFakeClock } from '../support/fake-clock.ts'
import { startHkp } from '../support/hkp-rig.ts'
import { madeKey } from '../support/published.ts'

const rig = await startHkp()
after(() => rig[Symbol.asyncDispose]())
const ann = await madeKey(['<ann@alpha.test>'])
await rig.house.addAccount('ann', ann)
await rig.house.addAccount('keyless', null)

test('nothing is taken: every method but GET, HEAD and OPTIONS', async () => {
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND']) {
    for (const path of ['/pks/add', '/pks/lookup?op=get&search=ann@alpha.test', '/', '/pks/v2/certs']) {
      const { status, fields } = await rig.ask(method, path)
      assert.equal(status, 405, `${method} ${path}`)
      assert.equal(fields.get('allow'), 'GET, HEAD, OPTIONS')
    }
  }
})

test('content that comes along is not read, and the connection ends', async () => {
  await using talk = await rig.connect()
  await talk.play(`
    C: POST /pks/add HTTP/1.1
    C: Host: alpha.test
    C: Content-Type: application/x-www-form-urlencoded
    C: Content-Length: 100000000
    C: Expect: 100-continue
    C:
    S: HTTP/1.1 405 Method Not Allowed
    S: ...
    S: Connection: close
  `)
})

test('nothing but one exact name is searched for', async () => {
  for (const search of [
    '*',
    '*@alpha.test',
    'an*@alpha.test',
    '%25@alpha.test',
    'ann',
    'alpha.test',
    '@alpha.test',
    'Ann+%3Cann@alpha.test%3E',
    `0x${ann.fingerprint.slice(32)}`,
    ann.fingerprint,
    '0x',
    `0x${ann.fingerprint}00`,
    'ann@alpha.test%0d%0aSet-Cookie:%20a=b',
    'ann@alpha.test%00',
  ]) {
    const { status, fields, body } = await rig.ask('GET', `/pks/lookup?op=get&search=${search}`)
    assert.ok(status === 400 || (status === 404 && search === '%25@alpha.test'), `${status} for ${search}`)
    assert.equal(fields.get('set-cookie'), undefined)
    assert.doesNotMatch(body.toString(), /ann|BEGIN/)
  }
})

test('queries that can be read in two ways are read in none', async () => {
  for (const query of [
    '',
    'op=get',
    'search=ann@alpha.test',
    'op=get&search=',
    'op=get&search=%zz',
    'op=get&search=%ff%fe',
    'op=get&search=ann@alpha.test&search=bob@alpha.test',
    'op=index&op=get&search=ann@alpha.test',
  ]) {
    assert.equal((await rig.ask('GET', `/pks/lookup?${query}`)).status, 400, query)
  }
  for (const operation of ['stats', 'hget', 'x-list', 'delete', '__proto__']) {
    assert.equal((await rig.ask('GET', `/pks/lookup?op=${operation}&search=ann@alpha.test`)).status, 501)
  }
})

test('the unknown is answered in the same words whatever it is', async () => {
  const targets = [
    '/pks/lookup?op=get&search=nobody@alpha.test',
    '/pks/lookup?op=get&search=keyless@alpha.test',
    '/pks/lookup?op=get&search=ann+detail@alpha.test',
    '/pks/lookup?op=get&search=ann%2Bdetail@alpha.test',
    '/pks/lookup?op=get&search=somebody@elsewhere.test',
    '/pks/lookup?op=get&search=0x0123456789ABCDEF',
    '/pks/v2/certs/by-identity/nobody@alpha.test',
    '/.well-known/openpgpkey/alpha.test/hu/yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy',
    '/pks/',
    '/',
    '/favicon.ico',
  ]
  const answers = await Promise.all(targets.map((target) => rig.ask('GET', target)))
  const shown = answers.map(({ status, fields, body }) => {
    const shared = [...fields].filter(([name]) => name !== 'date')
    return JSON.stringify([status, shared, body.toString()])
  })
  const plus = shown.splice(2, 1)
  assert.deepEqual(new Set(shown).size, 1, shown.join('\n'))
  assert.match(plus[0]!, /^\[400/, 'an unescaped plus is a blank')
})

test('paths lead nowhere but where they say', async () => {
  for (const path of [
    '/../../etc/passwd',
    '/pks/../etc/passwd',
    '/pks/%2e%2e/lookup?op=get&search=ann@alpha.test',
    '/pks//lookup?op=get&search=ann@alpha.test',
    '/pks/lookup/?op=get&search=ann@alpha.test',
    '/.well-known/openpgpkey/../../etc/passwd',
    '/.well-known/openpgpkey/alpha.test/hu/..%2f..%2fpasswd',
    '/.well-known/openpgpkey/%00/policy',
  ]) {
    assert.equal((await rig.ask('GET', path)).status, 404, path)
  }
  for (const target of ['pks/lookup', 'ftp://alpha.test/', '/pks/lookup#x', '/\x80']) {
    assert.equal((await rig.ask('GET', target)).status, 400, target)
  }
  const absolute = 'https://alpha.test/pks/lookup?op=get&search=ann@alpha.test'
  assert.equal((await rig.ask('GET', absolute)).status, 200)
})

test('too long is too long', async () => {
  const local = 'a'.repeat(3000)
  assert.equal((await rig.ask('GET', `/pks/lookup?op=get&search=${local}@alpha.test`)).status, 414)
  assert.equal((await rig.ask('GET', '/pks/lookup', { 'x-long': 'a'.repeat(9000) })).status, 431)
})

test('requests that end in two places for two readers are refused', async () => {
  for (const request of [
    'GET / HTTP/1.1\\r\\nHost: alpha.test\\r\\nContent-Length: 5\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n',
    'GET / HTTP/1.1\\r\\nHost: alpha.test\\r\\nContent-Length: 5\\r\\nContent-Length: 6\\r\\n\\r\\n',
    'GET / HTTP/1.1\\r\\nHost: alpha.test\\r\\nTransfer-Encoding : chunked\\r\\n\\r\\n',
    'GET / HTTP/1.1\\r\\nHost: alpha.test\\r\\nX: a\\nGET /pks/lookup HTTP/1.1\\r\\n\\r\\n',
    'GET / HTTP/1.1\\r\\nHost: alpha.test\\r\\nHost: beta.test\\r\\nConnection: close\\r\\n\\r\\n',
    'GET / HTTP/1.1\\r\\n\\r\\n',
    'GET / HTTP/1.1\\r\\nHost: alpha.test\\r\\nContent-Length: 30\\r\\n\\r\\nGET /pks/lookup?op=get HTTP/1.1\\r\\n\\r\\n',
    'EHLO client.test\\r\\n\\r\\n',
  ]) {
    await using talk = await rig.connect()
    await talk.play(`
      C> ${request}
      S: HTTP/1.1 400 Bad Request
      S: ...
      S: Connection: close
    `)
  }
})

test('no TLS, no answer', async () => {
  await using talk = await rig.connect({ tls: false })
  talk.send('GET / HTTP/1.1\r\nHost: alpha.test\r\n\r\n')
  await talk.closed()
})

test('who asks too often waits, and others do not', async () => {
  await using busy = await startHkp({ lookups: 3 }, createFakeClock())
  for (const status of [404, 404, 404, 429, 429]) {
    const answer = await busy.ask('GET', '/pks/lookup?op=get&search=ann@alpha.test')
    assert.equal(answer.status, status)
    if (status === 429) assert.match(answer.fields.get('retry-after')!, /^[1-9]\d?$/)
  }
  await using other = await busy.connect({ localAddress: '127.0.0.77' })
  await other.play(`
    C: GET / HTTP/1.1
    C: Host: alpha.test
    C:
    S: HTTP/1.1 404 Not Found
  `)
})

test('connections have their number, and their time for the handshake', async () => {
  const clock = createFakeClock()
  await using small = await startHkp({ connectionsPerAddress: 2, handshakeTime: 10_000 }, clock)
  await using greeted = await small.connect()
  await using silent = await small.connect({ tls: false })
  await using refused = await small.connect({ tls: false })
  await refused.play('CLOSED')
  await clock.advance(10_000)
  await silent.play('CLOSED')
  await greeted.play('C: GET / HTTP/1.1\nC: Host: alpha.test\nC:\nS: HTTP/1.1 404 Not Found')
  assert.deepEqual(small.log.lines, [])
})

test('a request has its time', async () => {
  await using small = await startHkp({ requestTime: 100 })
  await using slow = await small.connect()
  slow.send('GET / HTTP/1.1\r\nHos')
  await slow.play('S: HTTP/1.1 408 Request Timeout')
  assert.deepEqual(small.log.lines, [])
})

test('what goes wrong inside is told to the operator alone', async () => {
  await using broken = await startHkp()
  await broken.house.addAccount('ann', ann)
  const target = '/pks/lookup?op=get&search=ann@alpha.test'
  assert.equal((await broken.ask('GET', target)).status, 200)
  await broken.house.directory[Symbol.asyncDispose]()
  const { status, body } = await broken.ask('GET', target)
  assert.equal(status, 500)
  assert.equal(body.toString(), 'This did not work; try again later\n')
  const [line] = broken.log.said('lookup failed')
  assert.doesNotMatch(JSON.stringify(line), /ann/)
})

test('stopping lets nobody wait', async () => {
  await using rig = await startHkp()
  await using talk = await rig.connect()
  await talk.play(`
    C: HEAD / HTTP/1.1
    C: Host: alpha.test
    C:
    S: HTTP/1.1 404 Not Found
    S: ...
    S: Keep-Alive: timeout=15
  `)
  await using silent = await rig.connect({ tls: false })
  const closed = Promise.all([talk.closed(), silent.closed()])
  await rig.stop(60_000)
  await closed
})
