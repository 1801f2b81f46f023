/**
 * Counters, gauges and histograms for the loopback admin listener, in the text format that Prometheus reads (version 0.0.4).
 * Labels never carry an address. Ours and not a library: the format is a page, the library seven megabytes of memory.
 */

type Labels = Readonly<Record<string, string>>

export interface Metrics {
  /** Adds to a counter; the name gets the prefix `letterlock_` and the suffix `_total`. */
  count(name: string, labels?: Labels, by?: number): void
  gauge(name: string, value: number, labels?: Labels): void
  /** Seconds. */
  observe(name: string, seconds: number, labels?: Labels): void
  text(): Promise<string>
}

/** Upper bounds of a histogram's buckets, in seconds. */
const BOUNDS = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10]

interface Family {
  readonly type: 'counter' | 'gauge' | 'histogram'
  /** Lines by their name and labels, in the order of their first use. */
  readonly series: Map<string, number>
}

const escaped = (value: string): string =>
  /[\\"\n]/.test(value) ? value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n') : value

function seriesName(name: string, labels: Labels, more = ''): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${escaped(value)}"`)
  if (more) pairs.push(more)
  return pairs.length === 0 ? name : `${name}{${pairs.join(',')}}`
}

export function createMetrics(): Metrics {
  const families = new Map<string, Family>()
  const family = (name: string, type: Family['type']): Map<string, number> => {
    const found = families.get(name) ?? { type, series: new Map() }
    families.set(name, found)
    return found.series
  }
  const add = (series: Map<string, number>, key: string, by: number) =>
    void series.set(key, (series.get(key) ?? 0) + by)
  return {
    count(name, labels = {}, by = 1) {
      const full = `letterlock_${name}_total`
      add(family(full, 'counter'), seriesName(full, labels), by)
    },
    gauge(name, value, labels = {}) {
      const full = `letterlock_${name}`
      family(full, 'gauge').set(seriesName(full, labels), value)
    },
    observe(name, seconds, labels = {}) {
      const full = `letterlock_${name}_seconds`
      const series = family(full, 'histogram')
      for (const bound of BOUNDS)
        add(series, seriesName(`${full}_bucket`, labels, `le="${bound}"`), seconds <= bound ? 1 : 0)
      add(series, seriesName(`${full}_bucket`, labels, 'le="+Inf"'), 1)
      add(series, seriesName(`${full}_sum`, labels), seconds)
      add(series, seriesName(`${full}_count`, labels), 1)
    },
    async text() {
      const lines = [...families].flatMap(([name, { type, series }]) => [
        `# TYPE ${name} ${type}`,
        ...[...series].map(([key, value]) => `${key} ${value}`),
      ])
      return lines.map((line) => `${line}\n`).join('')
    },
  }
}

/** The texts of several processes as one: what has the same name and labels is added up, gauges too, which count what each has. */
export function mergedMetrics(texts: readonly string[]): string {
  const families = new Map<string, Map<string, number>>()
  for (const text of texts) {
    let series = new Map<string, number>()
    for (const line of text.split('\n')) {
      const at = line.lastIndexOf(' ')
      if (line.startsWith('# TYPE ')) {
        series = families.get(line) ?? new Map()
        families.set(line, series)
      } else if (at > 0)
        series.set(line.slice(0, at), (series.get(line.slice(0, at)) ?? 0) + Number(line.slice(at + 1)))
    }
  }
  return [...families]
    .map(([type, series]) => [type, ...[...series].map((pair) => pair.join(' ')), ''].join('\n'))
    .join('')
}

/** For tests and tools that nobody watches. */
export const noMetrics: Metrics = { count() {}, gauge() {}, observe() {}, text: async () => '' }
