/**
 * Failpoints: every step in which a change of an account's keys reaches a disk (key files, audit log, directory) has a number, and one of
 * them can be made to fail. So a test runs the same change once for each step and each kind of fault, and looks at what is left.
 *
 *   stop     the power goes: neither this step nor any after it happens, a file that was being written is cut short
 *   ENOSPC   the disk says that it is full, once, and goes on afterwards, so that what cleans up runs
 *   EIO      the same for a broken disk
 *   kill     this very process is killed with SIGKILL in the middle of the step
 */
import type { Directory } from '#custody/accounts/directory.ts'
import { type AuditDisk, disk as auditDisk } from '#custody/audit/audit-disk.ts'
import { type Disk, disk } from '#custody/keyring/durable-files.ts'

export type Fault = 'stop' | 'ENOSPC' | 'EIO' | 'kill'

/** The power went: what was under way ends here. */
export class Stopped extends Error {
  override readonly name = 'Stopped'
}

function errnoError(code: string): Error {
  return Object.assign(new Error(`${code}: made by a failpoint`), { code })
}

export class Failpoints {
  #armed: { readonly at: number; readonly fault: Fault } | null = null
  #steps = 0
  #hit: string | null = null

  /** The step with this number, counted from 0, fails. */
  arm(at: number, fault: Fault): void {
    this.#armed = { at, fault }
    this.#steps = 0
    this.#hit = null
  }

  disarm(): void {
    this.#armed = null
  }

  /** The name of the step that failed; null when the change came to its end before. */
  get hit(): string | null {
    return this.#hit
  }

  /** Runs a step, or what is left of it. */
  async #step<T>(name: string, run: () => Promise<T>, half: () => Promise<void> = async () => {}): Promise<T> {
    const number = this.#steps++
    if (!this.#armed) return run()
    const { at, fault } = this.#armed
    const isHit = number === at
    if (isHit) this.#hit = name
    if (fault === 'stop' && number >= at) {
      if (isHit) await half()
      throw new Stopped(name)
    }
    if (!isHit) return run()
    if (fault === 'kill') {
      await half()
      process.kill(process.pid, 'SIGKILL')
    }
    throw errnoError(fault)
  }

  get disk(): Disk {
    return {
      writeNew: (path, content) =>
        this.#step(
          `write ${nameOf(path)}`,
          () => disk.writeNew(path, content),
          async () => {
            await disk.writeNew(path, content.subarray(0, content.length >> 1))
          },
        ),
      rename: (from, to) => this.#step(`rename ${nameOf(to)}`, () => disk.rename(from, to)),
      syncFolder: (path) => this.#step(`sync ${nameOf(path)}`, () => disk.syncFolder(path)),
    }
  }

  get auditDisk(): AuditDisk {
    return {
      ...auditDisk,
      writeAt: (path, content, position) =>
        this.#step(
          `record ${nameOf(path)}`,
          () => auditDisk.writeAt(path, content, position),
          () => auditDisk.writeAt(path, content.subarray(0, content.length >> 1), position),
        ),
    }
  }

  /** Every change of the directory is a step of its own; SQLite makes it whole or not at all. */
  directory(inner: Directory): Directory {
    const changes: ReadonlySet<string> = new Set([
      'addCertificate',
      'useCertificate',
      'revokeCertificate',
      'replaceCertificate',
    ])
    return new Proxy(inner, {
      get: (target, property) => {
        const member: unknown = Reflect.get(target, property, target)
        if (typeof member !== 'function') return member
        const method = (...args: readonly unknown[]) => Reflect.apply(member, target, args)
        if (typeof property !== 'string' || !changes.has(property)) return method
        return (...args: readonly unknown[]) => this.#step(`directory ${property}`, async () => method(...args))
      },
    })
  }
}

const nameOf = (path: string): string =>
  path
    .split('/')
    .slice(-2)
    .join('/')
    .replace(/\.[0-9a-z]{8}\.new$/, '')
