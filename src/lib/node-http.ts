/**
 * node:http, without what `import` of it takes into memory. A module of Node that is imported has each of its exports looked at, and
 * one of them is the WebSocket of browsers, which brings an HTTP client of eleven megabytes that nobody here uses.
 */
export const http = process.getBuiltinModule('node:http')
