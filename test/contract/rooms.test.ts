import { expect, it } from 'vitest'
import { forbiddenImports } from '../check/rooms.ts'

it('a room may import what its row allows and nothing else, types included', () => {
  const source = [
    `import { a } from '../store/ledger.ts'`,
    `import { b } from '../domain.ts'`,
    `import { c } from './guard.ts'`,
    `import { d } from '../lib/clock.ts'`,
    `import type { E } from '../config/config.ts'`,
    `import { type E2 } from '../observe/logger.ts'`,
    `import { f } from 'node:fs'`,
    `import { g, type G } from '../config/config.ts'`,
    `import type { H } from '../reply/run.ts'`,
    `import {\n  i,\n} from '../a-room-that-is-new/file.ts'`,
    `import 'zod'`,
    `import { k } from 'node:sqlite'`,
    `export { l } from '../coze/client.ts'`,
    `const m = await import('undici')`,
    `import { n } from '../../test/kit/random.ts'`,
  ].join('\n')
  expect(forbiddenImports('src/isolation/stranger.ts', source)).toEqual([
    'src/isolation/stranger.ts: isolation may not import ../config/config.ts',
    'src/isolation/stranger.ts: isolation may not import types of ../reply/run.ts',
    'src/isolation/stranger.ts: isolation may not import ../a-room-that-is-new/file.ts',
    'src/isolation/stranger.ts: isolation may not import zod',
    'src/isolation/stranger.ts: isolation may not import node:sqlite',
    'src/isolation/stranger.ts: isolation may not import ../coze/client.ts',
    'src/isolation/stranger.ts: isolation may not import undici',
    'src/isolation/stranger.ts: isolation may not import ../../test/kit/random.ts',
  ])
})

it('a folder of a room is bound as the room is, and the composition is not', () => {
  const source = [
    `import { a } from '../stored.ts'`,
    `import { b } from '../../ledger.ts'`,
    `import { c } from 'node:sqlite'`,
    `import { d } from '../../../coze/client.ts'`,
  ].join('\n')
  expect(forbiddenImports('src/store/sqlite/worker/stranger.ts', source)).toHaveLength(1)
  expect(forbiddenImports('src/compose/sqlite/worker/stranger.ts', source)).toEqual([])
})

it('what runs in browsers imports nothing of Node and nothing of the gateway', () => {
  const source = [
    `import { a } from './chat-error.ts'`,
    `import { b } from 'node:crypto'`,
    `import { c } from '../lib/backoff.ts'`,
    `import type { D } from '../domain.ts'`,
  ].join('\n')
  expect(forbiddenImports('src/client/stranger.ts', source)).toEqual([
    'src/client/stranger.ts: client may not import node:crypto',
    'src/client/stranger.ts: client may not import ../lib/backoff.ts',
    'src/client/stranger.ts: client may not import types of ../domain.ts',
  ])
})
