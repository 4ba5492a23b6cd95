import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const project = (name: string, testTimeout: number) => ({
  // As Node resolves, or a test and a dependency would each have a graphql of their own.
  ssr: { resolve: { conditions: ['module-sync', 'node'] } },
  test: {
    name,
    root: fileURLToPath(new URL('.', import.meta.url)),
    include: [`${name}/**/*.test.ts`],
    testTimeout,
    hookTimeout: 30_000,
    pool: 'forks' as const,
  },
})

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      project('unit', 10_000),
      project('contract', 30_000),
      project('integration', 120_000),
      project('e2e', 120_000), // needs a Chromium, and is not part of `npm test`
    ],
  },
})
