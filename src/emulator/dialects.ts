import { cloud } from './cloud/dialect.ts'
import type { Dialect } from './dialect.ts'
import type { DialectName } from './options.ts'
import { studio } from './studio/dialect.ts'

/** The platforms that the emulator can be. */
export const dialects: Readonly<Record<DialectName, Dialect>> = { cloud, studio }
