/** Counters, gauges and histograms for the loopback admin listener, in Prometheus text. Labels never carry an address. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client'

export interface Metrics {
  /** Adds to a counter; the name gets the prefix `letterlock_` and the suffix `_total`. Labels must always be the same set for a name. */
  count(name: string, labels?: Readonly<Record<string, string>>, by?: number): void
  gauge(name: string, value: number, labels?: Readonly<Record<string, string>>): void
  /** Seconds. */
  observe(name: string, seconds: number, labels?: Readonly<Record<string, string>>): void
  text(): Promise<string>
}

const SECONDS = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10]

export function createMetrics(): Metrics {
  const registry = new Registry()
  const counters = new Map<string, Counter>()
  const gauges = new Map<string, Gauge>()
  const histograms = new Map<string, Histogram>()
  const named = <T>(kept: Map<string, T>, name: string, make: () => T): T => {
    const found = kept.get(name) ?? make()
    kept.set(name, found)
    return found
  }
  const shape = (name: string, suffix: string, labels: Readonly<Record<string, string>>) => ({
    name: `letterlock_${name}${suffix}`,
    help: name.replaceAll('_', ' '),
    labelNames: Object.keys(labels),
    registers: [registry],
  })
  return {
    count(name, labels = {}, by = 1) {
      named(counters, name, () => new Counter(shape(name, '_total', labels))).inc(labels, by)
    },
    gauge(name, value, labels = {}) {
      named(gauges, name, () => new Gauge(shape(name, '', labels))).set(labels, value)
    },
    observe(name, seconds, labels = {}) {
      named(histograms, name, () => new Histogram({ ...shape(name, '_seconds', labels), buckets: SECONDS })).observe(
        labels,
        seconds,
      )
    },
    text: () => registry.metrics(),
  }
}

/** For tests and tools that nobody watches. */
export const noMetrics: Metrics = { count() {}, gauge() {}, observe() {}, text: async () => '' }
