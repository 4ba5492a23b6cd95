import { readFileSync } from 'node:fs'

/** Two copies of graphql in one process refuse each other's schemas: there is exactly one. */
const lock: { readonly packages: Readonly<Record<string, { readonly version?: string }>> } =
  JSON.parse(readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8'))
const copies = Object.keys(lock.packages).filter((path) =>
  /(^|\/)node_modules\/graphql$/.test(path),
)
if (copies.length !== 1) {
  console.error(`expected one copy of graphql, found ${copies.length}: ${copies.join(', ')}`)
  process.exitCode = 1
}
