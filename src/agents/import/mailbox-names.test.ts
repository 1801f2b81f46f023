import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { canonicalName } from '#custody/store/mailbox-name.ts'
import { keptFlags } from './kept-flags.ts'
import { levelFromFile, specialUseOf, targetName } from './mailbox-names.ts'

const target = (levels: readonly string[], to: string | null = null) =>
  targetName({ levels, specialUse: specialUseOf(levels) }, to)

test('names are those of the source; special mailboxes are ours', () => {
  assert.equal(target([]), 'INBOX')
  assert.equal(target(['inbox']), 'INBOX')
  assert.equal(target(['inbox', 'Sub']), 'INBOX/Sub')
  assert.equal(target(['Work', 'a.b']), 'Work/a.b')
  assert.equal(target(['sent']), 'Sent')
  assert.equal(target(['Work', 'Sent']), 'Work/Sent')
  assert.equal(targetName({ levels: ['Gesendet'], specialUse: 'Sent' }, null), 'Sent')
})

test('with --to everything goes there and below', () => {
  assert.equal(target([], 'Old/2020'), 'Old/2020')
  assert.equal(target(['Inbox'], 'Old'), 'Old')
  assert.equal(target(['Sent'], 'Old'), 'Old/Sent')
  assert.equal(target(['Work', 'Sub'], 'inbox/Old'), 'INBOX/Old/Work/Sub')
})

test('every name that comes out is one that the store takes', () => {
  const level = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.constantFrom('', '..', '/', 'a\0b', '\ud800'),
  )
  fc.assert(
    fc.property(fc.array(level, { maxLength: 40 }), (levels) => {
      const name = target(levels)
      assert.equal(canonicalName(name), name)
    }),
    { numRuns: 30 },
  )
})

test('names in a file system are modified UTF-7, UTF-8 or just octets', () => {
  assert.equal(levelFromFile(Buffer.from('Entw&APw-rfe')), 'Entwürfe')
  assert.equal(levelFromFile(Buffer.from('Entwürfe')), 'Entwürfe')
  assert.equal(levelFromFile(Buffer.from('Entw\xfcrfe', 'latin1')), 'Entwürfe')
  assert.equal(levelFromFile(Buffer.from('R&D')), 'R&D')
})

test('flags are kept when they can be told to an IMAP client', () => {
  assert.deepEqual(keptFlags(['\\SEEN', '\\Recent', '\\Unknown', '$Forwarded', '$forwarded', 'NonJunk']), [
    '\\Seen',
    '$Forwarded',
    'NonJunk',
  ])
  for (const bad of ['a b', 'a(b', 'a)b', 'a{1}', 'a"b', 'a\\b', 'a]b', 'a%b', 'a*b', 'é', '', 'x'.repeat(101), 'a\nb'])
    assert.deepEqual(keptFlags([bad]), [], bad)
  assert.equal(keptFlags(Array.from({ length: 100 }, (_, i) => `k${i}`)).length, 64)
})
