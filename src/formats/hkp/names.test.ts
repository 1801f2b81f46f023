import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openPgpKeyName, wkdHash } from './names.ts'

test('the example of draft-koch-openpgp-webkey-service §3.1', () => {
  assert.equal(wkdHash('Joe.Doe'), 'iy9q119eutrkn8s1mk4r39qejnbu3n5q')
  assert.equal(wkdHash('joe.doe'), wkdHash('JOE.DOE'))
  assert.notEqual(wkdHash('jöe'), wkdHash('jÖe'), 'ASCII letters alone are folded')
})

test('the example of RFC 7929 §3', () => {
  assert.equal(
    openPgpKeyName({ local: 'hugh', domain: 'example.com' }),
    'c93f1e400f26708f98cb19d936620da35eec8f72e57f9eec01c1afd6._openpgpkey.example.com',
  )
  assert.match(
    openPgpKeyName({ local: 'ann', domain: 'straße.test' }),
    /^[0-9a-f]{56}\._openpgpkey\.xn--strae-oqa\.test$/,
  )
})
