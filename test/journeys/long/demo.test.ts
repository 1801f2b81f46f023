/** `npm run demo`, as somebody sees it who has only what npm brings; and that what it looks for would be found. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { isKept, searchOctets } from '../../../scripts/demo/places.ts'
import { eventually, run } from '../../support/peers/run.ts'

const program = fileURLToPath(new URL('../../../scripts/demo.js', import.meta.url))

it('keeps both running until it is told to stop, and says that nothing was seen between', async () => {
  const demo = spawn(process.execPath, [program, '--plain', '--keep'], { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  demo.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const ended = once(demo, 'exit')
  await eventually('both are running', async () => said.includes('By hand:') || demo.exitCode !== null, 180_000)
  demo.kill('SIGINT')
  assert.deepEqual(await ended, [0, null], said)
  assert.equal(said.match(/^Kept: /gm)?.length, 2, said)
  assert.equal(said.match(/ shows:\n {2}Authentication-Results: .*\n {4}openpgp=pass/g)?.length, 2, said)
  const before = said.slice(0, said.indexOf('Both go on'))
  assert.deepEqual(
    before.split('\n').filter((line) => line.length > 80),
    [],
  )
  assert.doesNotMatch(said, /BROKEN/)
})

it('has two options', async () => {
  const { code, stderr } = await run(process.execPath, [program, '--quiet'], { mayFail: true })
  assert.equal(code, 2)
  assert.match(stderr, /^usage: /)
})

it('finds what is there in clear, encoded, or in columns', () => {
  const wanted = { subject: 'The subject', body: 'The body.', sender: 'alice@alpha.test', recipient: 'bob@beta.test' }
  const seenIn = (text: string) => searchOctets('somewhere', 'closed', wanted, [Buffer.from(text)])
  assert.equal(isKept(seenIn('alice@alpha.test bob\0beta.test')), true)
  assert.deepEqual(seenIn('alice@alpha.test bob\0beta.test').seen, {
    subject: false,
    body: false,
    sender: true,
    recipient: true,
  })
  assert.equal(isKept(seenIn(`xx The subject`)), false)
  assert.equal(isKept(seenIn(Buffer.from('12The body. And more').toString('base64'))), false)
  assert.equal(isKept(searchOctets('the reader', 'readable', wanted, [Buffer.from('The subject')])), false)
})
