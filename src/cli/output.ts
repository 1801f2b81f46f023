/** What commands print: answers on standard output, one JSON document with --json; notices on standard error. */

export interface OutputOptions {
  readonly json?: boolean
}

/** Prints `document` as JSON, or `text` for people. */
export function answer(options: OutputOptions, document: unknown, text: string): void {
  process.stdout.write(
    options.json ? `${JSON.stringify(document, null, 2)}\n` : text.endsWith('\n') ? text : `${text}\n`,
  )
}

/** A line beside the answer, for people only. */
export function notice(text: string): void {
  process.stderr.write(`${text}\n`)
}

/** Columns under their titles, as wide as their widest cell. */
export function tabulate(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = titles.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd()
  return [line(titles), ...rows.map(line)].join('\n')
}

export const day = (ms: number): string => new Date(ms).toISOString()

/** 1536 as `1.5 KiB`. */
export function octets(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let unit = 0
  let value = count
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`
}
