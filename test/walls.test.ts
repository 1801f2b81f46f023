/** The walls of ARCHITECTURE.md, enforced: who may import whom, which foreign thing is used where, and no import circle. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const source = join(root, 'src')
const architecture = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8')

interface Row {
  readonly name: string
  readonly pattern: RegExp
  readonly allowed: readonly string[]
  readonly line: string
}

/** `agents/*` names every room of a wing, `custody/store/sealed-mail-store` one file, `custody/store` a room. */
function toPattern(name: string): RegExp {
  const escaped = name.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '[^/]+')
  return new RegExp(`^${escaped}(/.*|(-[^/]*)?\\.ts|\\.ts)?$`)
}

/** Rows of the table under a heading: names in backticks in the first column, names in backticks in the second. */
function table(heading: string): Row[] {
  const section = architecture.split(`## ${heading}\n`)[1]?.split('\n## ')[0] ?? ''
  const ticked = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1]!)
  return section
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .flatMap((line) => {
      const [, first = '', second = ''] = line.split('|')
      return ticked(first).map((name) => ({ name, pattern: toPattern(name), allowed: ticked(second), line }))
    })
}

const files = readdirSync(source, { recursive: true })
  .map(String)
  .filter((name) => name.endsWith('.ts') && !/\.(test|contract|fixture)\.ts$/.test(name))
  .sort()

const texts = new Map(files.map((file) => [file, readFileSync(join(source, file), 'utf8')]))

/** Module names in import and export clauses and in dynamic imports; types count. */
function importsOf(file: string): string[] {
  const text = texts.get(file)!
  return [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'([^']+)'/g)].map((match) => match[1]!)
}

/** The imported file below src, or null for a foreign module. */
function ours(file: string, module: string): string | null {
  if (module.startsWith('#')) return module.slice(1)
  if (module.startsWith('.')) return relative(source, resolve(source, dirname(file), module))
  return null
}

/** The most specific row that a file falls under. */
function rowOf(file: string, rows: readonly Row[]): Row | undefined {
  return rows.filter((row) => row.pattern.test(file)).sort((a, b) => b.name.length - a.name.length)[0]
}

function roomOf(file: string): string {
  const parts = file.split('/')
  return parts.slice(0, Math.min(2, parts.length - 1)).join('/')
}

test('rooms import only what the walls table allows', () => {
  const rows = table('Walls')
  assert.ok(rows.length > 10, 'the walls table is not where it should be')
  const broken: string[] = []
  for (const file of files) {
    const row = rowOf(file, rows)
    if (!row) {
      broken.push(`${file}: belongs to no room of the table`)
      continue
    }
    for (const module of importsOf(file)) {
      const target = ours(file, module)
      if (target === null || target.startsWith('lib/') || row.allowed.includes('*')) continue
      if (roomOf(target) === roomOf(file)) continue
      if (!row.allowed.some((name) => toPattern(name).test(target)))
        broken.push(`${file} imports ${target}, but: ${row.line}`)
    }
  }
  assert.deepEqual(broken, [])
})

test('foreign things are used only where the foreign walls allow', () => {
  const rows = table('Foreign walls')
  assert.ok(rows.length > 5, 'the foreign walls table is not where it should be')
  const broken: string[] = []
  for (const file of files) {
    const modules = importsOf(file)
    for (const row of rows) {
      const used = row.name.startsWith('/')
        ? new RegExp(row.name.slice(1, -1)).test(texts.get(file)!.replace(/^\s*(\/\/|\*|\/\*).*$/gm, ''))
        : modules.some((module) => module === row.name || module.startsWith(`${row.name}/`))
      if (used && !row.allowed.some((name) => toPattern(name).test(file)))
        broken.push(`${file} uses ${row.name}: ${row.line}`)
    }
  }
  assert.deepEqual(broken, [])
})

test('no import circle, types counted', () => {
  const state = new Map<string, 'open' | 'done'>()
  const circles: string[] = []
  const visit = (file: string, trail: readonly string[]): void => {
    if (state.get(file) === 'done') return
    if (state.get(file) === 'open') {
      circles.push([...trail.slice(trail.indexOf(file)), file].join(' -> '))
      return
    }
    state.set(file, 'open')
    for (const module of importsOf(file)) {
      const target = ours(file, module)
      if (target && texts.has(target)) visit(target, [...trail, file])
    }
    state.set(file, 'done')
  }
  for (const file of files) visit(file, [])
  assert.deepEqual(circles, [])
})
