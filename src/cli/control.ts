/** Tells the running server that a command changed something, over its socket in the data directory. */
import { join } from 'node:path'
import { http } from '#lib/node-http.ts'

export const controlSocket = (data: string): string => join(data, 'run', 'control.sock')

/** Posts to the running server. false: no server runs on this data directory, so there is nobody to tell. */
export function tellServer(data: string, path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const asked = { socketPath: controlSocket(data), path, method: 'POST', timeout: 10_000 }
    const call = http.request(asked, (response) => {
      response.resume()
      response.on('end', () =>
        response.statusCode === 204
          ? resolve(true)
          : reject(new Error(`the running server answered ${response.statusCode}`)),
      )
    })
    call.on('timeout', () => call.destroy(new Error('the running server did not answer in 10 seconds')))
    call.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'ENOENT' || error.code === 'ECONNREFUSED' ? resolve(false) : reject(error),
    )
    call.end()
  })
}

/** Whether a server runs on this data directory: a second one would send the same mail again. Any answer shows it. */
export const isServed = (data: string): Promise<boolean> => tellServer(data, '/').catch(() => true)
