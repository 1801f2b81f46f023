/** docs/config.md is printed from the schema: `node test/config-page.test.ts --write` renews it. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { configSchema } from '#config/config.ts'

const page = fileURLToPath(new URL('../docs/config.md', import.meta.url))

interface Shape {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly enum?: readonly string[]
  readonly properties?: Readonly<Record<string, Shape>>
}

function rows(prefix: string, shape: Shape): string[] {
  return Object.entries(shape.properties ?? {}).flatMap(([name, key]) => {
    if (key.properties)
      return [
        '',
        `## [${prefix}${name}]`,
        '',
        '| key | default | meaning |',
        '|---|---|---|',
        ...rows(`${prefix}${name}.`, key),
      ]
    const choice = key.enum ? ` (${key.enum.map((one) => `\`${one}\``).join(', ')})` : ''
    const standard = key.default === undefined ? 'required' : `\`${JSON.stringify(key.default)}\``
    return [`| \`${name}\` | ${standard} | ${key.description}${choice} |`]
  })
}

function print(): string {
  const shape = z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }) as Shape
  return [
    '# Configuration',
    '',
    '`letterlock.toml` lies in the data directory; `--config` or `LETTERLOCK_CONFIG` names another file. Relative paths are relative to it. Times are',
    'written `30s`, `5m`, `4h`, `5d`, sizes `25M`, `1G`. A port `0` turns its listener off. This page is printed from the schema.',
    '',
    '| key | default | meaning |',
    '|---|---|---|',
    ...rows('', shape),
    '',
  ].join('\n')
}

if (process.argv.includes('--write')) writeFileSync(page, print())
else test('docs/config.md is what the schema says', () => assert.equal(readFileSync(page, 'utf8'), print()))
