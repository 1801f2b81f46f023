/** The certificate that listeners show, read again when its files change, so that a renewed one needs no restart. */
import { constants } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { createSecureContext, type SecureContext } from 'node:tls'
import type { Clock } from '#lib/clock.ts'
import type { Logger } from '#lib/log.ts'

/** SSL_OP_CLEANSE_PLAINTEXT (SSL_CTX_set_options(3)), which Node does not name: no password stays in a buffer of OpenSSL. */
const CLEANSE_PLAINTEXT = 2
const CHECK_EVERY_MS = 60_000

export interface CertificateFiles {
  /** The current one; asked for at every handshake. */
  current(): SecureContext
  /** Looks at the files now. */
  reload(): void
}

/** Throws when the files cannot be used at all; later, a bad renewal is logged and the last good certificate stays. */
export function openCertificateFiles(
  files: { readonly certificate: string; readonly key: string },
  clock: Clock,
  logger: Logger,
): CertificateFiles {
  const stamp = () => `${statSync(files.certificate).mtimeMs} ${statSync(files.key).mtimeMs}`
  const read = () =>
    createSecureContext({
      cert: readFileSync(files.certificate),
      key: readFileSync(files.key),
      // No client shows us a certificate: without this every root of the runtime is loaded for checking them.
      ca: [],
      // RFC 9325 §3.1.1: nothing below TLS 1.2.
      minVersion: 'TLSv1.2',
      // A client must not make us do handshakes over and over on one connection.
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION | CLEANSE_PLAINTEXT,
    })
  let seen = stamp()
  let context = read()
  let checked = clock.now()

  const reload = (): void => {
    checked = clock.now()
    try {
      const now = stamp()
      if (now === seen) return
      context = read()
      seen = now
      logger.info({ file: files.certificate }, 'certificate renewed')
    } catch (error) {
      logger.error(
        { file: files.certificate, error: error as Error },
        'certificate not usable, the last good one stays',
      )
    }
  }
  return {
    current() {
      if (clock.now() - checked > CHECK_EVERY_MS) reload()
      return context
    },
    reload,
  }
}
