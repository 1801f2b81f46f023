/**
 * A power cut: what the operating system had in memory is gone, only what was synced to the disk is left. kill -9 does not show that.
 * The server runs on a file system of its own; in the middle of deliveries everything stops and the disk under it is copied as it is at
 * that moment. The server then starts on the copy.
 */
import assert from 'node:assert/strict'
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { addMessages, checkBooks, deliver, openBooks } from '../support/deliveries.ts'
import { needs } from '../support/needs.ts'
import { run } from '../support/peers/run.ts'
import { pidsOf } from '../support/processes.ts'
import { makeProvider, type Provider } from '../support/provider.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const accounts = ['ann', 'ben'].map((name) => ({ address: `${name}@alpha.test`, password: `the password of ${name}` }))
const messages = 300

/** The disk is an image file, mounted; the kernel writes back on its own only after minutes. */
async function mountDisk(image: string, place: string): Promise<void> {
  await run('mount', ['-o', 'loop,commit=300', image, place])
}

/** Cuts the power once and looks. False where that shows nothing: the kernel had written back early, as it does when memory is short. */
async function isProven(): Promise<boolean> {
  await using directory = await temporaryDirectory('power')
  const [image, copy, disk] = [directory.join('disk'), directory.join('copy'), directory.join('mounted')]
  await mkdir(disk)
  await writeFile(image, '')
  await run('truncate', ['--size', '96M', image])
  await run('mkfs.ext4', ['-q', image])
  await mountDisk(image, disk)
  let provider: Provider | null = null
  try {
    provider = await makeProvider({ directory: disk, domain: 'alpha.test' })
    // What `init` made is old by the time of a power cut; accounts and everything the server makes are not.
    await run('sync', ['--file-system', disk])
    for (const account of accounts) await provider.addAccount(account)
    await provider.start()
    const books = openBooks(accounts)
    addMessages(books, messages)
    const { pid, kill9 } = provider
    const cut = async () => {
      await writeFile(`${disk}/unsynced`, 'still in memory')
      for (const one of pidsOf([pid])) process.kill(one, 'SIGSTOP')
      await copyFile(image, copy)
      await kill9()
    }
    await deliver(provider, books, { after: 1 + Math.floor(Math.random() * (messages - 1)), end: cut })
    assert.equal(await readFile(`${disk}/unsynced`, 'utf8'), 'still in memory')
    await run('umount', [disk])

    await mountDisk(copy, disk)
    if ((await readFile(`${disk}/unsynced`, 'utf8').catch(() => '')) !== '') return false
    await provider.start()
    await checkBooks(provider, books)
    await deliver(provider, books)
    await checkBooks(provider, books)
    return true
  } finally {
    await provider?.[Symbol.asyncDispose]()
    await run('umount', ['-l', disk], { mayFail: true })
  }
}

describe('a power cut', needs('root', 'mounting', 'mkfs.ext4'), () => {
  it('loses nothing that was acknowledged', async () => {
    for (let time = 0; time < 3; time++) if (await isProven()) return
    assert.fail('every copy has what was never synced')
  })
})
