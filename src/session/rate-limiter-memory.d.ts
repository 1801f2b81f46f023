/** One class of the library by its own file: the library's index loads its limiters for eighteen databases, seven megabytes of them. */
declare module 'rate-limiter-flexible/lib/RateLimiterMemory.js' {
  export { RateLimiterMemory as default } from 'rate-limiter-flexible'
}
