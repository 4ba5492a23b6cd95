import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { SilenceReporter } from './kit/process/silence-reporter.ts'

interface ProjectOptions {
  /** A limit, not an assertion: what hangs is told in the end, and a machine that is very busy is no failure. */
  readonly testTimeout: number
  readonly globalSetup?: readonly string[]
}

const project = (name: string, { testTimeout, globalSetup = [] }: ProjectOptions) => ({
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
    reporters: ['default', new SilenceReporter()],
    projects: [
      project('unit', { testTimeout: 60_000 }),
      project('contract', {
        testTimeout: 120_000,
        globalSetup: ['kit/process/servers-setup.ts'],
      }),
      project('http', { testTimeout: 120_000 }),
      project('integration', {
        testTimeout: 300_000,
        globalSetup: ['kit/process/servers-setup.ts'],
      }),
      project('cluster', {
        testTimeout: 900_000,
        globalSetup: ['kit/process/servers-setup.ts'],
      }),
      project('docs', { testTimeout: 300_000 }),
      // Needs a Chromium, and is not part of `npm test`.
      project('e2e', { testTimeout: 300_000 }),
    ],
  },
})
