import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { EVIDENCE, type Evidence } from '#privacy/discovery/discovery.ts'
import { DEMANDS, WITHOUT_KEY } from './e2e.ts'
import { fateOf, isStrict, type Known, needsDiscovery, ruleOf, type Wish } from './fate.ts'

const found = (evidence: Evidence): Known & { readonly kind: 'found' } => ({
  kind: 'found',
  certificate: Buffer.from('certificate'),
  fingerprint: 'AB'.repeat(20),
  evidence,
  steps: [],
  at: 0,
  until: 1,
})

const KNOWN = {
  here: { kind: 'here' },
  local: found('local'),
  'secure-srv': found('secure-srv'),
  openpgpkey: found('openpgpkey'),
  accepted: found('accepted'),
  wkd: found('wkd'),
  none: { kind: 'none', steps: [] },
  unusable: { kind: 'unusable', why: 'it is revoked', steps: [] },
  keyless: { kind: 'keyless', why: 'nobody asked' },
  temporary: { kind: 'temporary', why: 'no answer', steps: [] },
} as const satisfies Record<string, Known>

type Name = keyof typeof KNOWN
const NAMES = Object.keys(KNOWN) as Name[]

const wish = (rest: Partial<Wish>): Wish => ({
  rule: 'plain',
  demand: 'automatic',
  already: null,
  seals: true,
  ...rest,
})

function word(known: Known, wanted: Wish): string {
  const fate = fateOf(known, wanted)
  return fate.kind === 'plain' && fate.warns ? 'warned' : fate.kind
}

test('a Web Key Directory is enough where the author accepted a certificate', () =>
  assert.equal(word({ ...found('wkd'), isAccepted: true }, wish({})), 'sealed'))

test('trouble of what could not start sealing holds up only mail that it could seal', () => {
  const trouble = { ...KNOWN.temporary, isUnproven: true }
  assert.deepEqual(
    WITHOUT_KEY.map((rule) => word(trouble, wish({ rule }))),
    ['plain', 'warned', 'waits', 'waits'],
  )
})

/** One line per rule, in the order of the names. */
const row = (rest: Partial<Wish>) =>
  WITHOUT_KEY.map((rule) => NAMES.map((name) => word(KNOWN[name], wish({ rule, ...rest }))))

test('what is known, against what becomes of mail without a key', () => {
  assert.deepEqual(NAMES, [
    'here',
    'local',
    'secure-srv',
    'openpgpkey',
    'accepted',
    'wkd',
    'none',
    'unusable',
    'keyless',
    'temporary',
  ])
  const sealed = ['sealed', 'sealed', 'sealed']
  assert.deepEqual(row({}), [
    ['kept', 'kept', ...sealed, 'plain', 'plain', 'plain', 'plain', 'waits'],
    ['kept', 'kept', ...sealed, 'warned', 'warned', 'warned', 'warned', 'waits'],
    ['kept', 'kept', ...sealed, 'sealed', 'refused', 'refused', 'refused', 'waits'],
    ['kept', 'kept', ...sealed, 'sealed', 'pickup', 'pickup', 'pickup', 'waits'],
  ])
})

test('where nothing is sealed, strict rules refuse and the others send as before', () => {
  const all = (fate: string) => ['kept', ...NAMES.slice(1).map(() => fate)]
  assert.deepEqual(row({ seals: false }), [all('plain'), all('warned'), all('refused'), all('refused')])
})

test('what its author encrypted goes as it is, whatever the rule', () => {
  const all = ['kept', ...NAMES.slice(1).map(() => 'already')]
  assert.deepEqual(row({ already: 'encrypted' }), [all, all, all, all])
  assert.deepEqual(row({ already: 'encrypted', seals: false }), [all, all, all, all])
})

test('what its author signed is not changed where it may leave in clear, and sealed like all other mail where it may not', () => {
  const [, , refuse, pickup] = row({})
  const all = (fate: string) => ['kept', ...NAMES.slice(1).map(() => fate)]
  assert.deepEqual(row({ already: 'signed' }), [all('plain'), all('warned'), refuse, pickup])
})

test('an author who wants it in clear gets that, without a warning; waits for nothing', () => {
  const all = ['kept', ...NAMES.slice(1).map(() => 'plain')]
  assert.deepEqual(row({ demand: 'no' }).slice(0, 2), [all, all])
})

test('policy and demand make the rule; nothing weakens a strict policy', () => {
  const rules = Object.fromEntries(
    DEMANDS.map((demand) => [demand, WITHOUT_KEY.map((policy) => ruleOf(policy, demand))]),
  )
  assert.deepEqual(rules, {
    required: ['refuse', 'refuse', 'refuse', 'refuse'],
    automatic: ['plain', 'warn', 'refuse', 'pickup'],
    pickup: ['pickup', 'pickup', 'pickup', 'pickup'],
    no: ['plain', 'warn', null, null],
  })
})

const anyKnown = fc.constantFrom(...NAMES).map((name): Known => KNOWN[name])
const anyWish = fc
  .record({
    policy: fc.constantFrom(...WITHOUT_KEY),
    demand: fc.constantFrom(...DEMANDS),
    already: fc.constantFrom(null, 'signed' as const, 'encrypted' as const),
    seals: fc.boolean(),
  })
  .map(({ policy, ...rest }) => ({ policy, rule: ruleOf(policy, rest.demand), ...rest }))

test('readable mail leaves only where the policy lets it and nothing better was found, or its author wants that', () => {
  fc.assert(
    fc.property(anyKnown, anyWish, (known, { policy, rule, ...rest }) => {
      if (rule === null) return assert.equal(isStrict(policy), true)
      const fate = fateOf(known, { rule, ...rest })
      if (fate.kind !== 'plain') return
      assert.equal(policy === 'plain' || policy === 'warn', true)
      assert.notEqual(rest.demand, 'required')
      assert.notEqual(rest.demand, 'pickup')
      const isUnsealable =
        ['none', 'unusable', 'keyless'].includes(known.kind) || (known.kind === 'found' && known.evidence === 'wkd')
      assert.equal(isUnsealable || rest.demand === 'no' || !rest.seals || rest.already === 'signed', true)
    }),
    { numRuns: 2000 },
  )
})

test('whoever need not be asked has the same fate whatever is known elsewhere', () => {
  fc.assert(
    fc.property(anyKnown, anyKnown, anyWish, (one, other, { rule, demand, already, seals }) => {
      if (rule === null) return
      const wanted: Wish = { rule, demand, already, seals }
      if (needsDiscovery(wanted) || one.kind === 'here' || other.kind === 'here') return
      assert.deepEqual(fateOf(one, wanted), fateOf(other, wanted))
    }),
    { numRuns: 1000 },
  )
})

test('evidence of every kind is in the table', () => {
  for (const evidence of EVIDENCE) assert.equal(evidence in KNOWN, true, evidence)
})
