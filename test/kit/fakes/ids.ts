import { createRandomIds } from '../../../src/lib/id.ts'

export const randomId = createRandomIds()
