/**
 * Loads all that the server runs, and nothing more: Node then keeps the compiled code on the disk, types stripped. A server
 * started after it carries neither the type stripper nor the compiler's leavings in memory for as long as it runs.
 * bin/letterlock.js does this before the first `serve` of a version.
 */
import '#cli/serve.ts'
import '#cli/start.ts'
import '#config/load-thread.ts'
import '#custody/store/sealed-mail-store-unsealing.ts'
import '#custody/store/store-worker.ts'
import '#privacy/keyserver/keyserver.ts'
import '#servers/hkp/routes.ts'
import '#servers/pop3/connection.ts'
import './server/front.ts'
import './server/fronts.ts'
