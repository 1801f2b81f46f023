/** The parts that benchmarks share: the table, medians, and what machine it was. */
import { readFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { tabulate } from '#cli/output.ts'
import type { Figure, Measured, Reporter } from './reporter.ts'

/** The middle value; the mean of the two middle ones when their number is even. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new Error('no values')
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** The value that so many percent of them do not exceed. */
export function percentile(values: readonly number[], percent: number): number {
  if (values.length === 0) throw new Error('no values')
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)]!
}

/** How many times better `ours` is. */
export function ratioOf(measured: Measured): number | null {
  if (measured.peer === undefined) return null
  return measured.better === 'higher' ? measured.ours / measured.peer : measured.peer / measured.ours
}

/** Whether the figure reaches what is promised; null when nothing is. */
export function reached(figure: Figure): boolean | null {
  if (figure.target === null) return null
  if (figure.ratio !== null) return figure.ratio >= figure.target
  return figure.better === 'higher' ? figure.ours >= figure.target : figure.ours <= figure.target
}

export interface CollectingReporter extends Reporter {
  readonly figures: readonly Figure[]
}

export function createReporter(print: (line: string) => void): CollectingReporter {
  const figures: Figure[] = []
  return {
    figures,
    note: print,
    figure: (measured) => {
      const { figure, unit, ours, peer = null, peerName = null, target = null, better } = measured
      figures.push({ figure, unit, ours, peer, peerName, ratio: ratioOf(measured), target, better })
    },
  }
}

/** The figures as an aligned table. */
export function tableOf(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => {
    const verdict = reached(figure)
    return [
      figure.figure,
      figure.unit,
      shown(figure.ours),
      figure.peer === null ? '' : `${shown(figure.peer)} (${figure.peerName})`,
      figure.ratio === null ? '' : `${figure.ratio.toFixed(2)}x`,
      figure.target === null ? '' : targetOf(figure),
      verdict === null ? '' : verdict ? 'reached' : 'missed',
    ]
  })
  return tabulate(['figure', 'unit', 'Letterlock', 'peer', 'ratio', 'target', ''], rows)
}

function targetOf(figure: Figure): string {
  if (figure.ratio !== null) return `${figure.target}x`
  return `${figure.better === 'higher' ? 'at least' : 'at most'} ${figure.target}`
}

/** Four significant digits; more would be noise. */
function shown(value: number): string {
  return value >= 1000 ? String(Math.round(value)) : String(Number(value.toPrecision(4)))
}

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGB: number
  readonly kernel: string
  readonly node: string
  /** The one-minute load when the benchmark began: others' work blurs the figures. */
  readonly load: number
}

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGB: Math.round(totalmem() / 1e9),
    kernel: release(),
    node: process.versions.node,
    load: Number(readFileSync('/proc/loadavg', 'utf8').split(' ')[0]),
  }
}
