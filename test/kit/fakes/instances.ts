import type { Instances } from '../../../src/store/store.ts'

/** Of a store that is one gateway's alone. */
export const alone: Instances = { isShared: false, live: 1, takeDuty: async () => true }
