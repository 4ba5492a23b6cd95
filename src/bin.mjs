#!/usr/bin/env node
// The command. JavaScript, since what comes before the cache is compiled at every start: TypeScript is stripped and
// compiled once, and read from the cache after that, without the 12 MiB that its compiler takes. Where the cache cannot
// be written, it is compiled each time.

// A Node.js that is too old could not even link what follows: it is loaded after the check.
const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 24 || (major === 24 && minor < 9)) {
  const found = `this is ${process.versions.node} at ${process.execPath}`
  const instead = 'in the repository, npm run and npx start the one that npm ci has installed'
  process.stderr.write(
    `coze-graphql-gateway: Node.js 24.9 or later is needed, ${found}; ${instead}\n`,
  )
  process.exit(2)
}

const { existsSync } = await import('node:fs')
const { enableCompileCache } = await import('node:module')
const cache = new URL('../node_modules/.cache/coze-graphql-gateway', import.meta.url)
enableCompileCache((await import('node:url')).fileURLToPath(cache))
// A package has what `npm run build` made of the sources, since Node strips no types below node_modules.
const isRepository = existsSync(new URL('./cli.ts', import.meta.url))
await import(isRepository ? './cli.ts' : '../dist/cli.js')
