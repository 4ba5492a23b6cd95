import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

interface Room {
  /** Rooms that it may import. Every room may import itself and `lib`. */
  readonly uses: readonly string[]
  /** Rooms of which it may import types. The types of `config`, `observe` and `rate` may be imported everywhere. */
  readonly types: readonly string[]
  /** Packages that have their way in here. A package that no room names may be imported everywhere. */
  readonly packages: readonly string[]
}

/**
 * Who may import whom: the one table that the import rules of `.oxlintrc.json` are generated from. What is not in the
 * table may import everything: the composition of the gateway, the commands and the demo.
 *
 *     node test/check/rooms.ts           fails when the rules are not those of the table
 *     node test/check/rooms.ts --write   writes them
 */
const rooms: Readonly<Record<string, Room>> = {
  lib: { uses: [], types: [], packages: [] },
  domain: { uses: [], types: [], packages: [] },
  observe: {
    uses: [],
    types: ['domain'],
    packages: ['pino', 'prom-client', '@opentelemetry/.*'],
  },
  config: { uses: ['domain', 'errors'], types: [], packages: ['zod'] },
  rate: { uses: ['errors'], types: [], packages: ['rate-limiter-flexible'] },
  store: { uses: ['domain', 'errors'], types: [], packages: ['node:sqlite'] },
  coze: {
    uses: ['errors'],
    types: ['domain'],
    packages: ['undici', 'undici/index.js', 'jose', 'eventsource-parser', 'lru-cache'],
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
    packages: ['graphql', '@pothos/.*', 'dataloader'],
  },
  server: {
    uses: ['errors', 'graphql', 'auth', 'session'],
    types: ['domain', 'reply'],
    packages: ['graphql', 'graphql-yoga', '@graphql-yoga/.*', '@fastify/busboy'],
  },
  probe: {
    uses: ['domain', 'errors', 'strategy', 'coze', 'isolation'],
    types: [],
    packages: [],
  },
  // It shares nothing with `coze`: a mistake that both make would pass every test.
  emulator: { uses: [], types: [], packages: ['jose', 'zod', '@fastify/busboy'] },
}

const typesOfAll = ['config', 'observe', 'rate']
const packages = [...new Set(Object.values(rooms).flatMap((room) => room.packages))].sort()
const parts = readdirSync(new URL('../../src', import.meta.url))
  .map((name) => name.replace(/\.ts$/, ''))
  .filter((name) => name !== 'lib' && !name.endsWith('.mjs'))

function importRules(files: string, name: string, room: Room) {
  const prefix = files === 'src/domain.ts' ? '^\\./' : '^(\\.\\./)+'
  const typesOnly = [...new Set([...room.types, ...(name === 'lib' ? [] : typesOfAll)])].filter(
    (other) => other !== name && !room.uses.includes(other),
  )
  const denied = parts.filter(
    (other) => other !== name && !room.uses.includes(other) && !typesOnly.includes(other),
  )
  const isRoom = (names: readonly string[]) =>
    `${prefix}(${[...new Set(names)].sort().join('|')})(/|\\.ts$)`
  const elsewhere = packages.filter((one) => !room.packages.includes(one))
  return {
    files: [files],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            { regex: isRoom(denied), message: `${name} may not know this room` },
            ...(typesOnly.length === 0
              ? []
              : [
                  {
                    regex: isRoom(typesOnly),
                    allowTypeImports: true,
                    message: `${name} may import its types only`,
                  },
                ]),
            {
              regex: `^(${elsewhere.map((one) => one.replace('/', '\\/')).join('|')})$`,
              allowTypeImports: false,
              message: 'this package has its way in in another room',
            },
          ],
        },
      ],
    },
  }
}

interface LintConfig {
  readonly overrides: readonly { readonly rules: Readonly<Record<string, unknown>> }[]
}

const file = new URL('../../.oxlintrc.json', import.meta.url)
const config: LintConfig = JSON.parse(readFileSync(file, 'utf8'))
const others = config.overrides.filter(({ rules }) => !('no-restricted-imports' in rules))
const generated = Object.entries(rooms).flatMap(([name, room]) =>
  [`src/${name}/**`, ...(name === 'domain' ? ['src/domain.ts'] : [])].map((files) =>
    importRules(files, name, room),
  ),
)
const wanted = { ...config, overrides: [...generated, ...others] }
if (process.argv.includes('--write')) {
  writeFileSync(file, JSON.stringify(wanted, null, 2) + '\n')
} else if (JSON.stringify(wanted) !== JSON.stringify(config)) {
  console.error('.oxlintrc.json is not what test/check/rooms.ts says: run it with --write')
  process.exitCode = 1
}
