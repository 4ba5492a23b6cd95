#!/usr/bin/env node
// The command. JavaScript, since what comes before the cache is compiled at every start: TypeScript is stripped and
// compiled once, and read from the cache after that, without the 12 MiB that its compiler takes. Where the cache cannot
// be written, it is compiled each time.
import { enableCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'

enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/coze-gateway', import.meta.url)))
await import('./cli.ts')
