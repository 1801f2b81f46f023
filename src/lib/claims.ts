/** What only one at a time may do, by name, among all who ask the same Claims; within one process, or over several where they are passed on. */
export interface Claims {
  /** null: somebody else has it. Otherwise dispose when done. */
  take(name: string): Promise<Disposable | null>
}

export function createClaims(): Claims {
  const taken = new Set<string>()
  return {
    async take(name) {
      if (taken.has(name)) return null
      taken.add(name)
      let isOver = false
      return {
        [Symbol.dispose]: () => {
          if (!isOver) taken.delete(name)
          isOver = true
        },
      }
    },
  }
}
