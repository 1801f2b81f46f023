/** What GnuPG, Sequoia, browsers and the curious say to the keyserver, and what they hear. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { wkdHash } from '#formats/hkp/names.ts'
import { dearmor } from '#formats/openpgp/armor.ts'
import { verifyCertificate } from '#formats/openpgp/certificate.ts'
import { keyIdOf } from '#privacy/keyserver/publication.ts'
import { startHkp } from '../support/hkp-rig.ts'
import { MADE, madeKey, stored } from '../support/published.ts'

const rig = await startHkp()
after(() => rig[Symbol.asyncDispose]())

const old = await madeKey(['<ann@alpha.test>'])
const ann = await madeKey(['Ann <ann@alpha.test>', '<ann@elsewhere.test>'])
await rig.house.addAccount('ann', old)
await rig.house.directory.addCertificate('ann', stored(ann))
await rig.house.directory.revokeCertificate('ann', old.fingerprint, Buffer.from(old.revocation))

const lookup = (search: string, more = '') => `/pks/lookup?op=get&search=${encodeURIComponent(search)}${more}`
const fingerprintIn = (armored: Buffer) => verifyCertificate(dearmor(armored).octets, Date.now()).fingerprint
const hash = wkdHash('ann')

test('a lookup by address, start to end', async () => {
  await using talk = await rig.connect()
  await talk.play(`
    C: GET /pks/lookup?op=get&options=mr&search=ann@alpha.test HTTP/1.1
    C: Host: alpha.test
    C:
    S: HTTP/1.1 200 OK
    S: access-control-allow-origin: *
    S: x-content-type-options: nosniff
    S: cache-control: public, max-age=300
    S: etag: "…"
    S: content-type: application/pgp-keys
    S: content-length: …
    S: content-disposition: attachment; filename="key.asc"
    S: Date: …
    S: Connection: keep-alive
    S: Keep-Alive: timeout=15
    S: …
  `)
})

test('the index for programs', async () => {
  await using talk = await rig.connect()
  await talk.play(`
    C: GET /pks/lookup?op=index&options=mr&search=%3CAnn%40Alpha.Test%3E&exact=on HTTP/1.1
    C: Host: alpha.test
    C: Connection: close
    C:
    S: HTTP/1.1 200 OK
    S: ...
    S: content-type: text/plain; charset=utf-8
    S: content-length: …
    S: Date: …
    S: Connection: close
    S: …
  `)
  const { body } = await rig.ask('GET', '/pks/lookup?op=index&options=mr&search=ann@alpha.test')
  const made = MADE / 1000
  assert.equal(body.toString(), `info:1:1\npub:${ann.fingerprint}:22:256:${made}::\nuid:Ann <ann@alpha.test>:::\n`)
  const revoked = await rig.ask('GET', `/pks/lookup?op=vindex&options=mr&search=0x${old.fingerprint}`)
  assert.match(revoked.body.toString(), new RegExp(`^pub:${old.fingerprint}:22:256:${made}::r$`, 'm'))
})

test('several requests on one connection, HEAD among them, in order', async () => {
  await using talk = await rig.connect()
  await talk.play(`
    C: HEAD /pks/lookup?op=get&search=ann@alpha.test HTTP/1.1
    C: Host: alpha.test
    C:
    C: GET /pks/lookup?op=get&search=bob@alpha.test HTTP/1.1
    C: Host: alpha.test
    C:
    C: OPTIONS /pks/lookup HTTP/1.1
    C: Host: alpha.test
    C: Origin: https://elsewhere.test
    C: Connection: close
    C:
    S: HTTP/1.1 200 OK
    S: ...
    S: content-length: …
    S: ...
    S: Keep-Alive: timeout=15
    S: …
    S: HTTP/1.1 404 Not Found
    S: access-control-allow-origin: *
    S: ...
    S: Keep-Alive: timeout=15
    S: …
  `)
  assert.equal(await talk.line().then((line) => line?.startsWith('Not found\nHTTP/1.1 200 OK')), true)
  await talk.play(`
    S: access-control-allow-origin: *
    S: x-content-type-options: nosniff
    S: allow: GET, HEAD, OPTIONS
    S: access-control-allow-methods: GET, HEAD, OPTIONS
    S: content-length: 0
    S: Date: …
    S: Connection: close
    S: …
    CLOSED
  `)
})

test('by address the current one, by fingerprint and key id each of them, the old one revoked', async () => {
  const get = async (search: string) => fingerprintIn((await rig.ask('GET', lookup(search))).body)
  assert.equal(await get('ann@alpha.test'), ann.fingerprint)
  assert.equal(await get('<ANN@ALPHA.TEST>'), ann.fingerprint)
  for (const key of [old, ann]) {
    assert.equal(await get(`0x${key.fingerprint}`), key.fingerprint)
    assert.equal(await get(`0x${keyIdOf(key.fingerprint).toLowerCase()}`), key.fingerprint)
    assert.equal(await get(`0x${keyIdOf(key.subkey)}`), key.fingerprint)
    const { body } = await rig.ask('GET', lookup(`0x${key.subkey}`))
    assert.equal(verifyCertificate(dearmor(body).octets, Date.now()).revoked, key === old)
  }
})

test('what was fetched before is not sent again', async () => {
  const first = await rig.ask('GET', lookup('ann@alpha.test'))
  const etag = first.fields.get('etag')!
  for (const condition of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
    const again = await rig.ask('GET', lookup('ann@alpha.test'), { 'if-none-match': condition })
    assert.equal(again.status, 304)
    assert.equal(again.body.length, 0)
    assert.equal(again.fields.get('etag'), etag)
    assert.equal(again.fields.get('content-type'), undefined)
  }
  assert.equal((await rig.ask('GET', lookup('ann@alpha.test'), { 'if-none-match': '"other"' })).status, 200)
  const byKey = await rig.ask('GET', lookup(`0x${ann.fingerprint}`))
  assert.equal(byKey.fields.get('cache-control'), 'public, max-age=3600')
})

test('the index for people', async () => {
  await rig.house.addAccount('eve', await madeKey(['"<script>alert(1)</script>" <eve@alpha.test>', '<eve@alpha.test>']))
  const { body, fields } = await rig.ask('GET', '/pks/lookup?op=index&search=ann@alpha.test')
  assert.match(body.toString(), new RegExp(`search=0x${ann.fingerprint}`))
  assert.match(body.toString(), /Ann &lt;ann@alpha\.test&gt;/)
  assert.match(fields.get('content-security-policy')!, /^default-src 'none'/)
  const hostile = await rig.ask('GET', '/pks/lookup?op=index&search=eve@alpha.test')
  assert.doesNotMatch(hostile.body.toString(), /<script/)
})

test('version 2: binary, with versioned fingerprints', async () => {
  const get = async (path: string) => rig.ask('GET', `/pks/v2/${path}`)
  for (const path of [
    `certs/by-vfingerprint/04/${ann.fingerprint.toLowerCase()}`,
    `certs/by-vfingerprint/04/${ann.subkey}`,
    `certs/by-keyid/${keyIdOf(ann.fingerprint)}`,
    'certs/by-identity/ann%40alpha.test',
    'certs/by-identity/ann@alpha.test',
  ]) {
    const { status, body, fields } = await get(path)
    assert.equal(status, 200, path)
    assert.equal(fields.get('content-type'), 'application/pgp')
    assert.equal(fields.get('access-control-allow-origin'), '*')
    assert.equal(verifyCertificate(body, Date.now()).fingerprint, ann.fingerprint)
  }
  const index = await get('index/ann@alpha.test')
  assert.equal(index.fields.get('content-type'), 'application/json')
  const [entry] = JSON.parse(index.body.toString())
  assert.equal(entry.fingerprint, ann.fingerprint.toLowerCase())
  assert.deepEqual(entry.userIDs, [{ uidString: 'Ann <ann@alpha.test>', isRevoked: false }])
})

test('version 2: what there is and what there is not', async () => {
  for (const category of ['certs/by-vfingerprint', 'certs/by-keyid', 'certs/by-identity', 'index']) {
    const answer = await rig.ask('OPTIONS', `/pks/v2/${category}`)
    assert.equal(answer.status, 200)
    assert.equal(answer.fields.get('allow'), 'GET, HEAD, OPTIONS')
    assert.equal((await rig.ask('GET', `/pks/v2/${category}`)).status, 403)
    assert.equal((await rig.ask('GET', `/pks/v2/${category}/`)).status, 403)
  }
  for (const category of ['certs', 'canonical/ann@alpha.test', 'sendtoken', 'prefixlog/2026-11-01', 'x']) {
    assert.equal((await rig.ask('OPTIONS', `/pks/v2/${category}`)).status, 501)
    const got = await rig.ask('GET', `/pks/v2/${category}`)
    assert.equal(got.status, 501)
    assert.equal(got.fields.get('access-control-allow-origin'), '*')
  }
  assert.equal((await rig.ask('POST', '/pks/v2/certs')).status, 405)
})

test('a version 6 certificate is for version 2 and the Web Key Directory, never for version 1', async () => {
  const six = await madeKey(['<six@alpha.test>'], 'v6-curve25519')
  await rig.house.addAccount('six', six)
  for (const search of ['six@alpha.test', `0x${six.fingerprint}`, `0x${six.fingerprint.slice(0, 16)}`]) {
    assert.equal((await rig.ask('GET', lookup(search))).status, 404)
  }
  assert.equal((await rig.ask('GET', `/pks/v2/certs/by-keyid/${six.fingerprint.slice(0, 16)}`)).status, 404)
  for (const path of [
    `/pks/v2/certs/by-vfingerprint/06/${six.fingerprint}`,
    '/pks/v2/certs/by-identity/six@alpha.test',
    `/.well-known/openpgpkey/alpha.test/hu/${wkdHash('six')}?l=six`,
  ]) {
    const { body } = await rig.ask('GET', path)
    assert.equal(verifyCertificate(body, Date.now()).fingerprint, six.fingerprint)
  }
})

test('the Web Key Directory, advanced and direct', async () => {
  const advanced = await rig.ask('GET', `/.well-known/openpgpkey/alpha.test/hu/${hash}?l=Ann`, {
    host: 'openpgpkey.alpha.test',
  })
  assert.equal(advanced.fields.get('content-type'), 'application/octet-stream')
  const certificate = verifyCertificate(advanced.body, Date.now())
  assert.equal(certificate.fingerprint, ann.fingerprint)
  assert.deepEqual(certificate.userIds, ['Ann <ann@alpha.test>'])
  for (const [host, path] of [
    ['alpha.test', `/.well-known/openpgpkey/hu/${hash}?l=ann`],
    ['Alpha.Test:8443', `/.well-known/openpgpkey/hu/${hash}`],
    ['openpgpkey.alpha.test', `/.well-known/openpgpkey/ALPHA.test/hu/${hash}`],
  ] as const) {
    const { status, body } = await rig.ask('GET', path, { host })
    assert.equal(status, 200, path)
    assert.ok(body.equals(advanced.body))
  }
  for (const [host, path] of [
    ['openpgpkey.alpha.test', '/.well-known/openpgpkey/alpha.test/policy'],
    ['alpha.test', '/.well-known/openpgpkey/policy'],
  ] as const) {
    const { status, body } = await rig.ask('GET', path, { host })
    assert.equal(status, 200)
    assert.equal(body.length, 0)
  }
  for (const [host, path] of [
    ['beta.test', `/.well-known/openpgpkey/hu/${hash}?l=ann`],
    ['elsewhere.test', `/.well-known/openpgpkey/hu/${hash}?l=ann`],
    ['elsewhere.test', '/.well-known/openpgpkey/policy'],
    ['alpha.test', '/.well-known/openpgpkey/elsewhere.test/policy'],
    ['alpha.test', `/.well-known/openpgpkey/alpha.test/hu/${hash}?l=bob`],
    ['alpha.test', `/.well-known/openpgpkey/alpha.test/hu/${wkdHash('bob')}?l=bob`],
    ['alpha.test', '/.well-known/openpgpkey/alpha.test/hu/'],
    ['alpha.test', '/.well-known/openpgpkey/alpha.test/submission-address'],
    ['alpha.test', `/.well-known/openpgpkey/alpha.test/hu/${hash}/..`],
  ] as const) {
    assert.equal((await rig.ask('GET', path, { host })).status, 404, `${host} ${path}`)
  }
})
