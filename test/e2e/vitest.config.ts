import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

/** Apart from `npm test`: these need a Chromium. */
export default defineConfig({
  ssr: { resolve: { conditions: ['module-sync', 'node'] } },
  test: {
    name: 'e2e',
    root: fileURLToPath(new URL('.', import.meta.url)),
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'forks',
    maxWorkers: 1,
  },
})
