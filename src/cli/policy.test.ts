import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Account, Directory, WithoutKey } from '#custody/accounts/directory.ts'
import { policyOf } from '#custody/accounts/policy.ts'
import { address } from '../../test/support/fake-mail.ts'
import { policyOfAccount } from './policy.ts'
import type { Premises } from './premises.ts'

const anna: Account = { id: 'a', address: address('anna@straße.test'), state: 'active', created: 0, quota: null }

async function said(own: WithoutKey | null, shared: WithoutKey | null): Promise<string> {
  const directory: Pick<Directory, 'policy' | 'policies'> = {
    policy: async () => policyOf(own, shared),
    policies: async () => ({
      accounts: new Map(own ? [['a', own]] : []),
      domains: new Map(shared ? [['straße.test', shared]] : []),
    }),
  }
  const premises = { directory: async () => directory, config: { e2e: { withoutKey: 'warn' } } } as unknown as Premises
  return (await policyOfAccount(premises, anna)).text
}

test('what counts is said with who chose it', async () => {
  assert.equal(await said(null, null), 'warn (as configured)')
  assert.equal(await said('plain', null), 'plain (by its own choice)')
  assert.equal(await said('warn', null), 'warn (by its own choice)')
  assert.equal(await said(null, 'warn'), 'warn (by the choice of its domain, xn--strae-oqa.test)')
  const overruled =
    'refuse (by the choice of its domain, xn--strae-oqa.test; its own choice, plain, is weaker than that)'
  assert.equal(await said('plain', 'refuse'), overruled)
  assert.equal(await said('pickup', 'refuse'), 'pickup (by its own choice)')
})
