/**
 * The printed records, published as they are in a really signed zone: the doctor finds nothing wrong, and another provider finds the
 * certificate, and keeps it when the keyserver is down, which the doctor then sees.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DnsRecord } from '#cli/domain-records.ts'
import type { Diagnosis } from '#cli/published.ts'
import { needs } from '../support/needs.ts'
import { LAB, startDnssecLab } from '../support/peers/dnssec.ts'
import { makeProvider } from '../support/provider.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const DOMAIN = `secure.${LAB}`

interface Checked {
  readonly kind: string
  readonly evidence?: string
  readonly fingerprint?: string
  readonly fate?: string
  readonly meaning?: string
}

test(
  'records as printed, a doctor who finds nothing, and a certificate that another provider finds',
  needs('knotd', 'keymgr', 'kzonesign', 'unbound'),
  async () => {
    await using directory = await temporaryDirectory('doctor')
    const alice = { address: `alice@${DOMAIN}`, password: 'correct horse battery' }
    const options = { directory: directory.join('alpha'), domain: DOMAIN, accounts: [alice] }
    await using alpha = await makeProvider(options)
    const records = await alpha.json<DnsRecord[]>(['domain', 'records', DOMAIN, '--keys'])
    const zone = records.map(({ name, type, value }) => `${name} ${type} ${value}`).join('\n')
    await using lab = await startDnssecLab(directory.path, { secure: { state: 'secure', records: zone } })
    const dns = { 'dns.servers': `["${lab.resolver}"]`, 'dns.validating': 'true' }
    await alpha.configure(dns)
    await alpha.start()

    const { diagnoses } = await alpha.json<{ diagnoses: Diagnosis[] }>(['doctor', DOMAIN])
    assert.deepEqual(
      diagnoses.filter(({ state }) => state === 'wrong'),
      [],
    )
    const key = diagnoses.find(({ what }) => what.endsWith('OPENPGPKEY'))
    assert.equal(`${key?.state} ${key?.security}`, 'ok secure')
    const certificate = diagnoses.find(({ what }) => what === 'TLS certificate')
    assert.match(`${certificate?.state} ${certificate?.found}`, /^note it is by the CA in .*ca\.crt/)
    const [nobody] = await alpha.json<Checked[]>(['check', `nobody@${DOMAIN}`])
    assert.equal(nobody?.fate, 'unknown')
    assert.match(nobody?.meaning ?? '', /nobody has the address: mail to it is refused/)

    const trust = { 'tls.trust': `["tls/ca.crt", "${alpha.ca}"]` }
    const other = { directory: directory.join('beta'), domain: 'beta.test', settings: { ...dns, ...trust } }
    await using beta = await makeProvider(other)
    const [found] = await beta.json<Checked[]>(['check', alice.address])
    assert.equal(`${found?.kind} ${found?.evidence}`, 'found secure-srv', JSON.stringify(found))

    await alpha.stop()
    const said = await beta.command(['check', '--fresh', alice.address, `nobody@${DOMAIN}`])
    const [kept, unknown] = said.stdout.toString().split('\n\n')
    assert.ok(kept?.startsWith(`${alice.address}\n  Certificate ${found?.fingerprint}\n`), kept)
    assert.match(kept ?? '', /\n {2}\? mail\.secure\.lab\.test:[0-9]+: .*ECONNREFUSED/)
    assert.match(unknown ?? '', /^nobody@.*\n {2}It cannot be known now: .*ECONNREFUSED/)

    const sick = await alpha.command(['doctor', DOMAIN], { mayFail: true })
    assert.equal(sick.code, 1)
    assert.match(sick.stdout.toString(), /^WRONG certificate of alice@.*ECONNREFUSED.*\n +mend what is wrong above/m)
    assert.match(sick.stderr, /1 of [0-9]+ things about secure\.lab\.test are wrong/)
  },
)
