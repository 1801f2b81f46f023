/** docs/rfc.md is printed from the pins in the source: `node test/rfc-page.test.ts --write` renews it. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const page = `${root}docs/rfc.md`

/** Rooms by RFC: `formats/smtp` and the like, from every `RFC n` in a comment. */
function pins(): Map<number, Map<string, Set<string>>> {
  const found = new Map<number, Map<string, Set<string>>>()
  const files = readdirSync(`${root}src`, { recursive: true }).map(String)
  for (const file of files.filter((name) => name.endsWith('.ts') && !/\.(test|contract)\.ts$/.test(name))) {
    const text = readFileSync(`${root}src/${file}`, 'utf8')
    const room = file.split('/').slice(0, -1).join('/') || 'src'
    for (const [, number, section] of text.matchAll(/RFC (\d{3,5})(?: §([0-9A-Z]+(?:\.\d+)*))?/g)) {
      const rooms = found.get(Number(number)) ?? new Map<string, Set<string>>()
      found.set(Number(number), rooms)
      const sections = rooms.get(room) ?? new Set<string>()
      rooms.set(room, sections)
      if (section) sections.add(section)
    }
  }
  return found
}

const inOrder = (sections: ReadonlySet<string>) =>
  [...sections].sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).map((section) => `§${section}`)

function print(): string {
  const lines = [...pins()]
    .sort(([a], [b]) => a - b)
    .map(([number, rooms]) => {
      const cells = [...rooms].sort(([a], [b]) => (a < b ? -1 : 1))
      return `| ${number} | ${cells.map(([room, sections]) => [`\`${room}\``, ...inOrder(sections)].join(' ')).join('<br>')} |`
    })
  return [
    '# Where each RFC is obeyed',
    '',
    'Printed from the pins in the source: a line of code that obeys a section names it.',
    '',
    '| RFC | room and sections |',
    '|---|---|',
    ...lines,
    '',
  ].join('\n')
}

if (process.argv.includes('--write')) writeFileSync(page, print())
else
  test('docs/rfc.md is what the pins say', () =>
    assert.ok(readFileSync(page, 'utf8') === print(), 'docs/rfc.md is older than the source: npm run pages renews it'))
