/** Our DNS client with real servers: Debian's Knot signs zones, Debian's Unbound validates them. */
import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { systemClock } from '#lib/clock.ts'
import { createResolver } from '#policy/dns/dns-client.ts'
import { needs } from '../support/needs.ts'
import { eventually, freePort, ownLoopback, run, startDaemon } from '../support/peers/run.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary.ts'
import { selfSigned } from '../support/tls.ts'

const LONG_TEXT = 'x'.repeat(250)
const RECORDS = `
@ MX 20 mx2
@ MX 10 mx
mx A 192.0.2.1
mx AAAA 2001:db8::1
mx2 A 192.0.2.2
alias CNAME mx
nomail MX 0 .
text TXT "one " "two"
long TXT ${Array.from({ length: 20 }, () => `"${LONG_TEXT}"`).join(' ')}
_hkp._tcp SRV 1 2 443 keys
_25._tcp.mx TLSA 3 1 1 ${'ab'.repeat(32)}
hash._openpgpkey OPENPGPKEY mQENBF8=
`

interface Lab extends AsyncDisposable {
  readonly address: string
  readonly dot: { readonly address: string; readonly port: number; readonly ca: string }
}

async function startSigner(directory: TemporaryDirectory, zones: Readonly<Record<string, boolean>>) {
  const host = ownLoopback()
  const port = await freePort(host)
  const config = directory.join('knot.conf')
  await mkdir(directory.join('knot'))
  const lines = ['server:', `  listen: ${host}@${port}`, `  rundir: ${directory.join('knot')}`]
  lines.push('database:', `  storage: ${directory.join('knot')}`, 'zone:')
  for (const [zone, signed] of Object.entries(zones)) {
    const file = directory.join(`${zone}.zone`)
    const authority = `$ORIGIN ${zone}.\n$TTL 60\n@ SOA ns hostmaster 1 3600 900 86400 60\n@ NS ns\nns A ${host}\n`
    await writeFile(file, `${authority}${RECORDS}`)
    lines.push(`  - domain: ${zone}`, `    file: ${file}`, '    zonefile-sync: -1', '    journal-content: all')
    if (signed) lines.push('    dnssec-signing: on')
  }
  await writeFile(config, `${lines.join('\n')}\n`)
  const daemon = await startDaemon('knotd', ['-c', config], { ready: [{ host, port }] })
  // It listens before it has made the keys of its zones.
  const anchor = (zone: string) =>
    eventually(`the key of ${zone}`, async () => {
      const { stdout } = await run('keymgr', ['-c', config, zone, 'ds'], { mayFail: true })
      return stdout
        .toString()
        .split('\n')
        .find((line) => / 13 2 /.test(line))
    })
  return { host, port, anchor, daemon }
}

async function startLab(directory: TemporaryDirectory): Promise<Lab> {
  const zones = { 'signed.test': true, 'plain.test': false, 'broken.test': true }
  const signer = await startSigner(directory, zones)
  const host = ownLoopback()
  const [port, tlsPort] = [await freePort(host), await freePort(host)]
  const certificate = selfSigned('dns.alpha.test')
  await writeFile(directory.join('key.pem'), certificate.key, { mode: 0o600 })
  await writeFile(directory.join('cert.pem'), certificate.cert)
  const wrong = (await signer.anchor('broken.test')).replace(/[0-9A-Fa-f]{64}/, 'ab'.repeat(32))
  const lines = [
    'server:',
    `  interface: ${host}@${port}`,
    `  interface: ${host}@${tlsPort}`,
    `  tls-port: ${tlsPort}`,
    `  tls-service-key: ${directory.join('key.pem')}`,
    `  tls-service-pem: ${directory.join('cert.pem')}`,
    '  access-control: 127.0.0.0/8 allow',
    '  do-not-query-localhost: no',
    '  do-daemonize: no',
    '  use-syslog: no',
    '  username: ""',
    '  chroot: ""',
    '  pidfile: ""',
    `  directory: ${directory.path}`,
    '  num-threads: 1',
    '  module-config: "validator iterator"',
    '  local-zone: "test." nodefault',
    `  trust-anchor: "${await signer.anchor('signed.test')}"`,
    `  trust-anchor: "${wrong}"`,
    'remote-control:',
    '  control-enable: no',
    ...Object.keys(zones).flatMap((zone) => [
      'stub-zone:',
      `  name: ${zone}`,
      `  stub-addr: ${signer.host}@${signer.port}`,
    ]),
  ]
  await writeFile(directory.join('unbound.conf'), `${lines.join('\n')}\n`)
  const daemon = await startDaemon('unbound', ['-d', '-c', directory.join('unbound.conf')], {
    ready: [
      { host, port },
      { host, port: tlsPort },
    ],
  })
  return {
    address: `${host}:${port}`,
    dot: { address: host, port: tlsPort, ca: certificate.cert },
    async [Symbol.asyncDispose]() {
      await daemon.stop()
      await signer.daemon.stop()
    },
  }
}

test(
  'secure, insecure, bogus, absent; TCP when it does not fit; DoT',
  needs('knotd', 'keymgr', 'unbound'),
  async () => {
    await using directory = await temporaryDirectory('dns')
    await using lab = await startLab(directory)
    const common = { validating: true, clock: systemClock, timeoutMs: 5000 }
    using resolver = createResolver({ servers: [lab.address], ...common })
    const shown = async (answer: Promise<{ kind: string; secure?: boolean; records?: readonly unknown[] }>) => {
      const { kind, secure, records } = await answer
      return [kind, secure, records]
    }
    const byPreference = async (domain: string) => {
      const answer = await resolver.mx(domain)
      assert.ok(answer.kind === 'answer')
      return [answer.secure, ...answer.records.map((one) => `${one.preference} ${one.exchange}`).sort()]
    }
    assert.deepEqual(await byPreference('signed.test'), [true, '10 mx.signed.test', '20 mx2.signed.test'])
    assert.deepEqual(await byPreference('plain.test'), [false, '10 mx.plain.test', '20 mx2.plain.test'])
    assert.deepEqual(await resolver.mx('broken.test'), { kind: 'bogus' })
    assert.deepEqual(await resolver.addresses('mx.broken.test'), { kind: 'bogus' })

    const addresses = ['192.0.2.1', '2001:db8::1']
    assert.deepEqual(await shown(resolver.addresses('mx.signed.test')), ['answer', true, addresses])
    assert.deepEqual(await shown(resolver.addresses('Alias.Signed.test')), ['answer', true, addresses])
    assert.deepEqual(await shown(resolver.mx('nomail.signed.test')), [
      'answer',
      true,
      [{ preference: 0, exchange: '' }],
    ])
    assert.deepEqual(await shown(resolver.txt('text.signed.test')), ['answer', true, ['one two']])
    assert.deepEqual(await shown(resolver.srv('_hkp._tcp.signed.test')), [
      'answer',
      true,
      [{ priority: 1, weight: 2, port: 443, target: 'keys.signed.test' }],
    ])
    assert.deepEqual(await shown(resolver.tlsa('_25._tcp.mx.signed.test')), [
      'answer',
      true,
      [{ usage: 3, selector: 1, matching: 1, association: Buffer.alloc(32, 0xab) }],
    ])
    assert.deepEqual(await shown(resolver.openpgpkey('hash._openpgpkey.signed.test')), [
      'answer',
      true,
      [Buffer.from('mQENBF8=', 'base64')],
    ])
    assert.deepEqual(await shown(resolver.mx('absent.signed.test')), ['nxdomain', true, undefined])
    assert.deepEqual(await shown(resolver.mx('absent.plain.test')), ['nxdomain', false, undefined])
    assert.deepEqual(await shown(resolver.tlsa('mx.signed.test')), ['answer', true, []])

    // 5000 octets and their signature fit into no datagram of 1232.
    assert.deepEqual(await shown(resolver.txt('long.signed.test')), ['answer', true, [LONG_TEXT.repeat(20)]])

    const { address, port, ca } = lab.dot
    const overTlsAs = (name: string) => createResolver({ servers: [`${address}:${port}#${name}`], ca: [ca], ...common })
    using overTls = overTlsAs('dns.alpha.test')
    assert.deepEqual(await shown(overTls.txt('text.signed.test')), ['answer', true, ['one two']])
    using mistaken = overTlsAs('other.test')
    assert.equal((await mistaken.txt('text.signed.test')).kind, 'temporary')
    using careless = createResolver({ servers: [lab.address], ...common, validating: false })
    assert.deepEqual(await shown(careless.txt('text.signed.test')), ['answer', false, ['one two']])
  },
)
