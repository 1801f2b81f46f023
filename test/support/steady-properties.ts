/**
 * Loaded before the tests of the suite (scripts/check.js): properties there draw the same examples in every run, so that a run fails for
 * what was changed and not by luck. A test file that is run by itself draws others each time; an example that fails there tells its seed.
 */
import fc from 'fast-check'

fc.configureGlobal({ seed: 20_261_122 })
