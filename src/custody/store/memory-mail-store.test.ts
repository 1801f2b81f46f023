import { contract } from './mail-store.contract.ts'
import { createMemoryMailStore } from './memory-mail-store.ts'

contract('the memory mail store', async () => {
  const store = createMemoryMailStore()
  return { store, keys: () => null, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() }
})
