import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Address } from '#formats/message/address.ts'
import { temporaryDirectory } from '../../../test/support/temporary.ts'
import { addressKey, splitDetail } from './address-key.ts'
import { type Account, AddressTaken, type Directory, UnknownAccount, UnknownDomain } from './directory.ts'
import { openDirectory } from './sql-directory.ts'

const at = (text: string): Address => ({ local: text.split('@')[0]!, domain: text.split('@')[1]! })

function account(id: string, address: string, created = 1): Account {
  return { id, address: at(address), state: 'active', created, quota: null }
}

const certificate = (fingerprint: string) => ({
  fingerprint,
  certificate: Buffer.from(`certificate ${fingerprint}`),
  since: 5,
  use: 'both' as const,
  custody: 'held' as const,
})

async function inDirectory(run: (directory: Directory, path: string) => Promise<void>): Promise<void> {
  await using folder = await temporaryDirectory('directory')
  const path = join(folder.path, 'directory.db')
  await using directory = await openDirectory(path)
  await directory.addDomain('alpha.test')
  await directory.addAccount(account('a1', 'Alice@alpha.test'), certificate('AA'))
  await run(directory, path)
}

const idOf = async (directory: Directory, address: string) => {
  const route = await directory.route(at(address))
  return route.kind === 'account' ? `${route.account.id}${route.detail === null ? '' : `+${route.detail}`}` : route.kind
}

test('an address leads to its account, without case, with its detail', () =>
  inDirectory(async (directory) => {
    await directory.addAccount(account('b1', 'bob+work@alpha.test'), certificate('BB'))
    await directory.addAlias(at('bob@alpha.test'), [at('alice@alpha.test')])
    assert.equal(await idOf(directory, 'alice@alpha.test'), 'a1')
    assert.equal(await idOf(directory, 'ALICE@alpha.test'), 'a1')
    assert.equal(await idOf(directory, 'alice+Lists@alpha.test'), 'a1+Lists')
    assert.equal(await idOf(directory, 'alice+@alpha.test'), 'a1')
    assert.equal(await idOf(directory, 'Bob+Work@alpha.test'), 'b1', 'an exact address wins over a detail')
    assert.equal(await idOf(directory, 'bob+else@alpha.test'), 'alias')
    assert.equal(await idOf(directory, '+alice@alpha.test'), 'unknown')
    assert.equal(await idOf(directory, 'carol@alpha.test'), 'unknown')
    assert.equal(await idOf(directory, 'alice@beta.test'), 'foreign')
    assert.equal(await idOf(directory, 'alice@[127.0.0.1]'), 'foreign')
    await directory.setState('a1', 'suspended')
    assert.equal(await idOf(directory, 'alice@alpha.test'), 'a1', 'suspended accounts are still somebody')
  }))

test('international domains and local-parts are found in every spelling', () =>
  inDirectory(async (directory) => {
    await directory.addDomain('straße.test')
    await directory.addAccount(account('s1', 'jos\u00e9@straße.test'), certificate('55'))
    assert.equal(await idOf(directory, 'jose\u0301@xn--strae-oqa.test'), 's1')
    assert.equal(await idOf(directory, 'JOSÉ@straße.test'), 's1')
    assert.deepEqual(await directory.domains(), ['alpha.test', 'straße.test'])
  }))

// RFC 5321 §4.5.1
test('postmaster is always there: its alias, or else the first active account of the domain', () =>
  inDirectory(async (directory) => {
    await directory.addAccount(account('b1', 'bob@alpha.test', 2), certificate('BB'))
    assert.equal(await idOf(directory, 'PostMaster@alpha.test'), 'a1')
    await directory.setState('a1', 'suspended')
    assert.equal(await idOf(directory, 'postmaster@alpha.test'), 'b1')
    await directory.addAlias(at('postmaster@alpha.test'), [at('bob@alpha.test'), at('carol@else.test')])
    assert.deepEqual(await directory.route(at('postmaster@alpha.test')), {
      kind: 'alias',
      targets: [at('bob@alpha.test'), at('carol@else.test')],
    })
    await directory.addDomain('empty.test')
    assert.equal(await idOf(directory, 'postmaster@empty.test'), 'b1')
    assert.equal(await idOf(directory, 'webmaster@empty.test'), 'unknown')
  }))

test('an address is given once, in our own domains only', () =>
  inDirectory(async (directory) => {
    await assert.rejects(directory.addAccount(account('a2', 'aLICE@alpha.test'), certificate('CC')), AddressTaken)
    await assert.rejects(directory.addAlias(at('alice@alpha.test'), []), AddressTaken)
    await assert.rejects(directory.addAccount(account('a2', 'alice@beta.test'), certificate('CC')), UnknownDomain)
    assert.equal((await directory.accounts()).length, 1, 'nothing of a refused account stays')
    assert.deepEqual(await directory.certificates('a2'), [])
    await assert.rejects(directory.setQuota('nobody', 5), UnknownAccount)
    await assert.rejects(directory.removeAccount('nobody'), UnknownAccount)
    await directory.addDomain('ALPHA.test')
    assert.deepEqual(await directory.domains(), ['alpha.test'])
  }))

test('an account may send from its address and from aliases that lead to it alone', () =>
  inDirectory(async (directory) => {
    await directory.addAccount(account('b1', 'bob@alpha.test', 2), certificate('BB'))
    await directory.addAlias(at('sales@alpha.test'), [at('ALICE@alpha.test'), at('alice@alpha.test')])
    await directory.addAlias(at('team@alpha.test'), [at('alice@alpha.test'), at('bob@alpha.test')])
    assert.deepEqual(await directory.addresses('a1'), [at('Alice@alpha.test'), at('sales@alpha.test')])
    assert.deepEqual(await directory.addresses('b1'), [at('bob@alpha.test')])
    assert.deepEqual(await directory.addresses('nobody'), [])
    assert.equal((await directory.accountByLogin('Sales@Alpha.test'))?.id, 'a1')
    assert.equal((await directory.accountByLogin('Alice@alpha.test'))?.id, 'a1')
    for (const user of ['team@alpha.test', 'alice', 'alice@', '@alpha.test', '', 'alice+x@alpha.test']) {
      assert.equal(await directory.accountByLogin(user), null, user)
    }
    assert.deepEqual(
      (await directory.aliases()).map(({ alias, targets }) => [alias.local, targets.length]),
      [
        ['sales', 1],
        ['team', 2],
      ],
    )
    await directory.removeAlias(at('alice@alpha.test'))
    assert.ok(await directory.account('a1'), 'an account is not an alias')
    await directory.removeAlias(at('TEAM@alpha.test'))
    assert.equal(await idOf(directory, 'team@alpha.test'), 'unknown')
  }))

test('the certificate added last is current; adding one again changes nothing', () =>
  inDirectory(async (directory) => {
    await directory.addCertificate('a1', certificate('DD'))
    await directory.addCertificate('a1', certificate('AA'))
    const all = await directory.certificates('a1')
    assert.deepEqual(
      all.map(({ fingerprint, current }) => [fingerprint, current]),
      [
        ['DD', true],
        ['AA', false],
      ],
    )
    assert.equal(Buffer.from(all[1]!.certificate).toString(), 'certificate AA')
    await directory.revokeCertificate('a1', 'AA', Buffer.from('revocation'))
    const [current, old] = await directory.certificates('a1')
    assert.equal(current!.revocation, undefined)
    assert.equal(Buffer.from(old!.revocation!).toString(), 'revocation')
    await assert.rejects(directory.addCertificate('nobody', certificate('EE')), UnknownAccount)
  }))

test('certificates for one use each: the newest of a use counts, and a renewed one stays where it is', () =>
  inDirectory(async (directory) => {
    const uses = async () => {
      const all = await directory.certificates('a1')
      return [all.find((one) => one.current)?.fingerprint, all.find((one) => one.endToEnd)?.fingerprint]
    }
    await directory.addCertificate('a1', { ...certificate('DD'), use: 'end-to-end', custody: 'device' })
    await directory.addCertificate('a1', { ...certificate('EE'), use: 'reading' })
    assert.deepEqual(await uses(), ['AA', 'DD'])
    await directory.replaceCertificate('a1', 'DD', { certificate: Buffer.from('renewed'), custody: 'held' })
    const renewed = (await directory.certificates('a1')).find(({ fingerprint }) => fingerprint === 'DD')!
    assert.deepEqual([Buffer.from(renewed.certificate).toString(), renewed.custody], ['renewed', 'held'])
    assert.deepEqual(await uses(), ['AA', 'DD'])
    await directory.useCertificate('a1', 'AA', 'both')
    assert.deepEqual(await uses(), ['AA', 'AA'])
    await directory.useCertificate('a1', 'EE', 'rest')
    assert.deepEqual(await uses(), ['EE', 'AA'])
  }))

test('what another process changes is seen at once, and survives closing', () =>
  inDirectory(async (directory, path) => {
    {
      await using other = await openDirectory(path)
      await other.addAccount(account('b1', 'bob@alpha.test', 2), certificate('BB'))
      await other.setQuota('a1', 1_000)
      await other.setState('b1', 'suspended')
    }
    assert.equal(await idOf(directory, 'bob@alpha.test'), 'b1')
    assert.equal((await directory.account('a1'))?.quota, 1_000)
    await directory.removeAccount('b1')
    await using again = await openDirectory(path)
    assert.equal(await idOf(again, 'bob@alpha.test'), 'unknown')
    assert.deepEqual(await again.certificates('b1'), [])
    assert.equal(await again.account('b1'), null)
  }))

test('keys fold case and composition, and nothing else', () => {
  const local = fc.stringMatching(/^[a-z0-9.+_-]{1,20}$/)
  fc.assert(
    fc.property(local, local, (one, two) => {
      const [a, b] = [one, two].map((name) => addressKey({ local: name, domain: 'alpha.test' }))
      assert.equal(a === b, one === two)
      assert.equal(addressKey({ local: one.toUpperCase(), domain: 'ALPHA.test' }), a)
    }),
  )
  fc.assert(
    fc.property(fc.string(), (text) => {
      const split = splitDetail(text)
      if (split) assert.equal(`${split.base}+${split.detail}`, text)
      else assert.ok(text.indexOf('+') < 1)
    }),
  )
})

test('what becomes of mail without a key: an account chooses, then its domain; strictness of a domain stands', () =>
  inDirectory(async (directory) => {
    assert.equal(await directory.policy('a1'), null)
    assert.equal(await directory.policy('nobody'), null)
    const kinds = [null, 'plain', 'warn', 'refuse', 'pickup'] as const
    const counted: Record<string, string | null> = {}
    for (const own of kinds) {
      for (const shared of kinds) {
        await directory.setAccountPolicy('a1', own)
        await directory.setDomainPolicy('ALPHA.test', shared)
        counted[`${own} in ${shared}`] = await directory.policy('a1')
      }
    }
    assert.deepEqual(counted, {
      'null in null': null,
      'null in plain': 'plain',
      'null in warn': 'warn',
      'null in refuse': 'refuse',
      'null in pickup': 'pickup',
      'plain in null': 'plain',
      'plain in plain': 'plain',
      'plain in warn': 'plain',
      'plain in refuse': 'refuse',
      'plain in pickup': 'pickup',
      'warn in null': 'warn',
      'warn in plain': 'warn',
      'warn in warn': 'warn',
      'warn in refuse': 'refuse',
      'warn in pickup': 'pickup',
      'refuse in null': 'refuse',
      'refuse in plain': 'refuse',
      'refuse in warn': 'refuse',
      'refuse in refuse': 'refuse',
      'refuse in pickup': 'refuse',
      'pickup in null': 'pickup',
      'pickup in plain': 'pickup',
      'pickup in warn': 'pickup',
      'pickup in refuse': 'pickup',
      'pickup in pickup': 'pickup',
    })
    await directory.addDomain('gamma.test')
    const { accounts, domains } = await directory.policies()
    assert.deepEqual([[...accounts], [...domains]], [[['a1', 'pickup']], [['alpha.test', 'pickup']]])
    assert.deepEqual(
      await Promise.all(['Alpha.TEST', 'gamma.test', 'beta.test'].map((name) => directory.domainPolicy(name))),
      ['pickup', null, null],
    )
    await assert.rejects(directory.setAccountPolicy('nobody', 'warn'), UnknownAccount)
    await assert.rejects(directory.setDomainPolicy('beta.test', 'warn'), UnknownDomain)
  }))
