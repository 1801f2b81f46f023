import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { authMessageOf, readClientFinal, readClientFirst, writeServerFinal, writeServerFirst } from './scram.ts'

/** RFC 7677 §3 */
const NONCE = 'rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0'
const FIRST = 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO'
const FINAL = `c=biws,r=${NONCE},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`

const first = (text: string) => readClientFirst(Buffer.from(text))
const whyNot = (text: string) => {
  const read = first(text)
  return read.kind === 'malformed' ? read.why : read.kind
}
const final = (text: string | Buffer, header = 'n,,') => readClientFinal(Buffer.from(text), { header, nonce: NONCE })
const whyNotFinal = (text: string, header?: string) => {
  const read = final(text, header)
  return read.kind === 'malformed' ? read.why : read.kind
}

test('the example of RFC 7677 §3', () => {
  const one = first(FIRST)
  assert.ok(one.kind === 'first')
  assert.deepEqual(one, {
    kind: 'first',
    user: 'user',
    authorization: '',
    nonce: 'rOprNGfwEbeRWgbNEkqO',
    header: 'n,,',
    bare: 'n=user,r=rOprNGfwEbeRWgbNEkqO',
  })
  const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')
  const answer = writeServerFirst(NONCE, { salt, iterations: 4096 })
  assert.equal(answer, `r=${NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`)
  const last = final(FINAL)
  assert.ok(last.kind === 'final')
  assert.equal(last.proof.toString('base64'), 'dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=')
  const proved = `n=user,r=rOprNGfwEbeRWgbNEkqO,${answer},c=biws,r=${NONCE}`
  assert.equal(authMessageOf(one, answer, last).toString(), proved)
  const signature = Buffer.from('6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=', 'base64')
  assert.equal(writeServerFinal(signature), 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')
})

test('any name and any acting name are read as they were meant', () => {
  const name = fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' }).filter((text) => !text.includes('\0'))
  const escaped = (text: string) => text.replaceAll('=', '=3D').replaceAll(',', '=2C')
  fc.assert(
    fc.property(name, fc.option(name), fc.constantFrom('n', 'y'), (user, other, flag) => {
      const header = `${flag},${other === null ? '' : `a=${escaped(other)}`},`
      const bare = `n=${escaped(user)},r=abc,x=later`
      const read = first(header + bare)
      assert.deepEqual(read, { kind: 'first', user, authorization: other ?? '', nonce: 'abc', header, bare })
    }),
  )
})

test('what a first message must not be, by name', () => {
  assert.equal(whyNot('p=tls-exporter,,n=user,r=abc'), 'channel-binding-not-supported')
  assert.equal(whyNot('n,,m=must,n=user,r=abc'), 'extensions-not-supported')
  assert.equal(whyNot('n,,n=a=2Db,r=abc'), 'invalid-username-encoding')
  assert.equal(whyNot('n,,n=a=2cb,r=abc'), 'invalid-username-encoding')
  assert.equal(whyNot('n,,n=,r=abc'), 'invalid-username-encoding')
  assert.equal(whyNot('n,a=,n=user,r=abc'), 'invalid-username-encoding')
  for (const text of [
    ...['', 'n', 'n,,', 'x,,n=user,r=abc', 'p=,,n=user,r=abc', 'n,b=x,n=user,r=abc', 'n,,n=user', 'n,,r=abc,n=user'],
    ...[
      'n,,n=user,r=',
      'n,,n=user,r=a b',
      'n,,n=user,r=ä',
      'n,,n=user,r=abc,',
      'n,,n=user,r=abc,x',
      'n,,n=us\0er,r=abc',
    ],
    `n,,n=user,r=${'a'.repeat(2048)}`,
  ])
    assert.equal(whyNot(text), 'invalid-encoding', JSON.stringify(text.slice(0, 40)))
  assert.equal(readClientFirst(Buffer.from('n,,n=us\xe9r,r=abc', 'latin1')).kind, 'malformed')
})

test('what a last message must not be, by name', () => {
  const proof = FINAL.slice(FINAL.indexOf(',p='))
  assert.equal(whyNotFinal(`c=biws,r=${NONCE},x=later${proof}`), 'final')
  assert.equal(whyNotFinal(FINAL, 'y,,'), 'channel-bindings-dont-match')
  assert.equal(whyNotFinal(`c=eSws,r=${NONCE}${proof}`), 'channel-bindings-dont-match')
  assert.equal(whyNotFinal(`c=biws,r=${NONCE}x${proof}`), 'other-error')
  for (const text of [
    ...[
      '',
      `c=biws,r=${NONCE}`,
      `r=${NONCE},c=biws${proof}`,
      `c=biw,r=${NONCE}${proof}`,
      `c=biws,r=${NONCE},x${proof}`,
    ],
    ...[`${FINAL},x=y`, `${FINAL.slice(0, -2)}=`, `${FINAL}=`, `c=biws,r=${NONCE},p=`, `c=biws,r=${NONCE},p=AAAA`],
  ])
    assert.equal(whyNotFinal(text), 'invalid-encoding', text)
})

test('random octets are a message or malformed, nothing else', () => {
  const octets = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc.stringMatching(/^[nycrpa=,AB]{0,40}$/).map((text) => Buffer.from(text)),
  )
  fc.assert(
    fc.property(octets, (some) => {
      const message = Buffer.from(some)
      assert.ok(['first', 'malformed'].includes(readClientFirst(message).kind))
      assert.ok(['final', 'malformed'].includes(final(message).kind))
    }),
  )
})
