import { globSync, readFileSync } from 'node:fs'

const exported =
  /^export (?:declare )?(?:abstract )?(?:async )?(interface|type|class|function\*?|const|let) (\w+)/gm

/** What runs at its user's: its words are those of the public schema, and none of the gateway's files are in it. */
const clientSide = /^src\/(?:client|adapters|react|ai-sdk|pages)\//

/** Rooms that do the same in their own ways, so that what does it has the same name in each. */
const engines = ['src/store/sqlite/', 'src/store/postgres/']

/**
 * The names that several files export, each as a sentence: one name has one meaning. A schema's value may have the name of
 * the type that it stands for, and the engines of the store each have a part of one name.
 */
export function sharedNames(sources: ReadonlyMap<string, string>): readonly string[] {
  const files = new Map<string, Set<string>>()
  for (const [path, source] of sources) {
    for (const [, kind = '', name = ''] of source.matchAll(exported)) {
      const isType = kind === 'interface' || kind === 'type'
      const side = clientSide.test(path) ? 'client' : 'gateway'
      const key = `${side} ${isType ? 'type' : 'value'} ${name}`
      files.set(key, (files.get(key) ?? new Set()).add(path))
    }
  }
  return [...files].flatMap(([key, paths]) =>
    paths.size > 1 && !areEngines(paths)
      ? [`the ${key.slice(key.indexOf(' ') + 1)} is exported by ${[...paths].join(' and ')}`]
      : [],
  )
}

function areEngines(paths: ReadonlySet<string>): boolean {
  const all = [...paths]
  return all.every((path) => {
    const own = engines.find((engine) => path.startsWith(engine))
    return own !== undefined && all.filter((other) => other.startsWith(own)).length === 1
  })
}

if (import.meta.main) {
  const root = new URL('../../', import.meta.url)
  const paths = globSync('src/**/*.ts', { cwd: root })
  const found = sharedNames(
    new Map(paths.map((path) => [path, readFileSync(new URL(path, root), 'utf8')])),
  )
  for (const sentence of found) console.error(sentence)
  if (found.length > 0) process.exitCode = 1
}
