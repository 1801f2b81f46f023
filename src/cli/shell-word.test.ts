import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { shellWord } from './shell-word.ts'

test('a shell takes the word as it stands', () => {
  const words = ['court order 7/2026', 'a"b', "it's $(id) `id` \\", '', '*', '/tmp/req-1', '-n', 'ünï']
  const printed = execFileSync('sh', ['-c', `printf '%s\\n' ${words.map(shellWord).join(' ')}`], { encoding: 'utf8' })
  assert.deepEqual(printed, `${words.join('\n')}\n`)
})

test('what needs no quotes has none', () => {
  assert.equal(shellWord('anna@example.org'), 'anna@example.org')
})
