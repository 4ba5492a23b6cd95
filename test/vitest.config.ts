import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

/** Limits, not assertions: what hangs is told in the end, and a machine that is very busy is no failure. */
const project = (name: string, testTimeout: number, globalSetup: readonly string[] = []) => ({
  // As Node resolves, or a test and a dependency would each have a graphql of their own.
  ssr: { resolve: { conditions: ['module-sync', 'node'] } },
  test: {
    name,
    root: fileURLToPath(new URL('.', import.meta.url)),
    include: [`${name}/**/*.test.ts`],
    testTimeout,
    hookTimeout: 120_000,
    globalSetup: globalSetup.map((path) => fileURLToPath(new URL(path, import.meta.url))),
    pool: 'forks' as const,
    // The thread of each store loads its modules from there, which takes half the time.
    env: {
      NODE_COMPILE_CACHE: fileURLToPath(new URL('../node_modules/.cache/node', import.meta.url)),
    },
  },
})

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      project('unit', 60_000),
      project('contract', 120_000, ['kit/process/postgres-setup.ts']),
      project('http', 120_000),
      project('integration', 300_000),
      project('docs', 300_000),
      project('e2e', 300_000), // needs a Chromium, and is not part of `npm test`
    ],
  },
})
