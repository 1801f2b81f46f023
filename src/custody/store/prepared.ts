import { preparing } from '#lib/prepared.ts'
import type { StoreSchema } from './schema.ts'

export const prepare = preparing<StoreSchema>()
