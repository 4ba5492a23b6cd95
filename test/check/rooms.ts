import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'

interface Room {
  /** Rooms that it may import, beside itself and `lib`. */
  readonly uses: readonly string[]
  /** Rooms of which it may import types, beside `config`, `observe` and `rate`. */
  readonly types: readonly string[]
  /** Packages that it may import, beside what comes with Node. */
  readonly packages: readonly string[]
  /** Whether it runs in browsers, and so imports neither `lib` nor what comes with Node. */
  readonly isForBrowsers?: boolean
}

/**
 * Who may import whom. A room may import what is written here and nothing else; nothing leaves the folder `src`. The
 * composition of the gateway, the commands and the demo are no rooms: they may import everything.
 */
const rooms: Readonly<Record<string, Room>> = {
  lib: { uses: [], types: [], packages: [] },
  domain: { uses: [], types: [], packages: [] },
  errors: { uses: [], types: ['domain'], packages: [] },
  observe: {
    uses: [],
    types: ['domain'],
    packages: ['pino', 'prom-client', '@opentelemetry/api'],
  },
  config: { uses: ['domain', 'errors'], types: [], packages: ['zod'] },
  rate: { uses: ['errors'], types: [], packages: [] },
  store: { uses: ['domain', 'errors'], types: [], packages: ['node:sqlite', 'pg'] },
  coze: {
    uses: ['errors'],
    types: ['domain'],
    packages: ['undici', 'jose', 'eventsource-parser', 'lru-cache'],
  },
  lane: {
    uses: ['domain', 'errors'],
    types: ['coze', 'reply', 'store'],
    packages: ['redis', 'jose', 'lru-cache'],
  },
  auth: { uses: ['domain', 'errors'], types: [], packages: ['jose'] },
  isolation: { uses: ['domain', 'errors', 'store'], types: [], packages: [] },
  strategy: { uses: ['domain', 'errors', 'coze'], types: ['isolation'], packages: [] },
  reply: {
    uses: ['domain', 'errors', 'strategy', 'isolation', 'store'],
    types: [],
    packages: [],
  },
  session: {
    uses: ['domain', 'errors', 'reply', 'strategy', 'isolation', 'store'],
    types: [],
    packages: [],
  },
  graphql: {
    uses: ['domain', 'errors'],
    types: ['reply', 'session', 'store'],
    packages: [
      'graphql',
      '@pothos/core',
      '@pothos/plugin-dataloader',
      '@pothos/plugin-errors',
      '@pothos/plugin-relay',
      '@pothos/plugin-scope-auth',
    ],
  },
  server: {
    uses: ['errors', 'graphql', 'auth', 'session'],
    types: ['domain', 'reply'],
    packages: [
      'graphql',
      'graphql-yoga',
      '@graphql-yoga/plugin-persisted-operations',
      '@graphql-yoga/render-graphiql',
      '@fastify/busboy',
      'ws',
    ],
  },
  probe: {
    uses: ['domain', 'errors', 'strategy', 'coze', 'isolation'],
    types: [],
    packages: [],
  },
  // A client of the gateway: it knows the protocol and nothing of the code that is examined.
  conformance: { uses: [], types: [], packages: ['ws'] },
  // It shares nothing with `coze`: a mistake that both make would pass every test.
  emulator: { uses: [], types: [], packages: ['jose', 'zod', '@fastify/busboy'] },
  client: { uses: [], types: [], packages: [], isForBrowsers: true },
  react: { uses: ['client'], types: [], packages: ['react'], isForBrowsers: true },
  'ai-sdk': { uses: ['client'], types: [], packages: ['ai'], isForBrowsers: true },
  adapters: {
    uses: ['client'],
    types: [],
    packages: ['@urql/core', '@apollo/client', 'relay-runtime'],
    isForBrowsers: true,
  },
  pages: { uses: ['client'], types: [], packages: [], isForBrowsers: true },
}

/** Their types, which hold no decisions, may be known everywhere. */
const typesOfAll = ['config', 'observe', 'rate']
/** Modules of Node that have their way in in one room. */
const claimed = ['node:sqlite']

/** `import` and `export … from`, and `import()`; the words between tell whether only types are imported. */
const statements =
  /\b(?:import|export)\s+([^'"();]*?)\bfrom\s+'([^']+)'|\bimport\s*\(?\s*'([^']+)'/g

/** The imports of a file of `src` that its room may not make, each as a sentence. */
export function forbiddenImports(path: string, source: string): readonly string[] {
  const name = roomOf(path)
  const room = rooms[name]
  if (room === undefined) return []
  return [...source.matchAll(statements)].flatMap(([, words = '', from, alone]) => {
    const specifier = from ?? alone ?? ''
    return mayImport(room, name, path, specifier, isTypeOnly(words))
      ? []
      : [`${path}: ${name} may not import ${isTypeOnly(words) ? 'types of ' : ''}${specifier}`]
  })
}

function mayImport(room: Room, name: string, path: string, specifier: string, isType: boolean) {
  if (specifier.startsWith('.')) {
    const target = normalize(join(dirname(path), specifier))
    if (!target.startsWith('src/')) return false
    const other = roomOf(target)
    if (other === name || room.uses.includes(other)) return true
    if (room.isForBrowsers) return isType && room.types.includes(other)
    if (other === 'lib') return true
    return isType && name !== 'lib' && [...room.types, ...typesOfAll].includes(other)
  }
  if (!room.isForBrowsers && specifier.startsWith('node:') && !claimed.includes(specifier))
    return true
  return room.packages.some((one) => specifier === one || specifier.startsWith(`${one}/`))
}

/** A file that stands beside the rooms is a room of its name. */
function roomOf(path: string): string {
  return (path.split('/')[1] ?? '').replace(/\.ts$/, '')
}

function isTypeOnly(words: string): boolean {
  const named = /\{([^}]*)\}/.exec(words)?.[1]
  if (/^type\b/.test(words)) return true
  const parts = named?.split(',').filter((part) => part.trim() !== '') ?? []
  return /^\s*\{/.test(words) && parts.every((part) => /^\s*type\s/.test(part))
}

if (import.meta.main) {
  const root = new URL('../../', import.meta.url)
  const found = globSync('src/**/*.ts', { cwd: root }).flatMap((path) =>
    forbiddenImports(path, readFileSync(new URL(path, root), 'utf8')),
  )
  for (const sentence of found) console.error(sentence)
  if (found.length > 0) process.exitCode = 1
}
