import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openMailHouse } from '../../../test/support/mail-house.ts'
import { createNotices } from './notices.ts'

const notice = { key: 'test.1', subject: 'Schlüssel läuft ab', text: 'One line.\nÜber alles.' }

test('a notice is one message of the provider in INBOX, however often it is sent', async () => {
  await using house = await openMailHouse()
  const notices = createNotices({ ...house, hostname: 'mx.alpha.test', logger: house.log })
  await notices.send('anna', notice)
  await notices.send('anna', notice)
  await notices.send('bob', notice)
  await notices.send('nobody', notice)
  const [{ text, flags } = assert.fail(), ...more] = await house.kept('anna')
  assert.deepEqual([more, flags], [[], []])
  assert.equal(
    text.replace(/<[a-z0-9]{24}@mx/, '<ID@mx'),
    [
      'Return-Path: <>',
      'From: Letterlock <postmaster@alpha.test>',
      'To: <anna@alpha.test>',
      'Subject: =?utf-8?B?U2NobMO8c3NlbCBsw6R1ZnQgYWI=?=',
      'Date: Mon, 2 Nov 2026 12:00:00 +0000',
      'Message-ID: <ID@mx.alpha.test>',
      'Auto-Submitted: auto-generated',
      'MIME-Version: 1.0',
      'Content-Type: text/plain; charset=utf-8',
      'Content-Transfer-Encoding: quoted-printable',
      '',
      'One line.',
      '=C3=9Cber alles.',
      '',
    ].join('\r\n'),
  )
  assert.equal((await house.kept('bob')).length, 1)
})

test('a suspended account gets none, and what the store refuses is heard', async () => {
  await using house = await openMailHouse()
  const notices = createNotices({ ...house, hostname: 'mx.alpha.test', logger: house.log })
  await house.directory.setState('anna', 'suspended')
  await notices.send('anna', notice)
  assert.deepEqual(await house.kept('anna'), [])
  house.broken.set('bob', new Error('the disk is gone'))
  await assert.rejects(notices.send('bob', notice), /the disk is gone/)
})
