import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { minifyIntrospection, outputIntrospectionFile } from '@gql.tada/internal'
import {
  buildSchema,
  type DefinitionNode,
  introspectionFromSchema,
  Kind,
  parse,
  print,
} from 'graphql'
import { describe, expect, it } from 'vitest'

const run = promisify(execFile)
const top = new URL('../../', import.meta.url)
const sdl = readFileSync(new URL('schema/schema.graphql', top), 'utf8')
const operationsFolder = new URL('schema/operations/', top)
const definitions: readonly DefinitionNode[] = readdirSync(operationsFolder)
  .filter((name) => name.endsWith('.graphql'))
  .flatMap((name) => parse(readFileSync(new URL(name, operationsFolder), 'utf8')).definitions)
const operations = definitions.filter((one) => one.kind === Kind.OPERATION_DEFINITION)
const fragments = definitions.filter((one) => one.kind === Kind.FRAGMENT_DEFINITION)

const cache = new URL('node_modules/.cache/', top).pathname

function makeFolder(within: string): URL & Disposable {
  mkdirSync(within, { recursive: true })
  const folder = pathToFileURL(`${mkdtempSync(join(within, 'client-tools-'))}/`)
  const dispose = () => rmSync(folder, { recursive: true, force: true })
  return Object.assign(folder, { [Symbol.dispose]: dispose })
}

const capital = (name: string) => `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`
const bin = (name: string) => new URL(`node_modules/.bin/${name}`, top).pathname

describe('the schema and the ready operations', () => {
  it('are accepted by relay-compiler', async () => {
    using folder = makeFolder(tmpdir())
    const write = (name: string, text: string) => writeFileSync(new URL(name, folder), text)
    mkdirSync(new URL('src', folder))
    mkdirSync(new URL('artifacts', folder))
    write('schema.graphql', sdl)
    const config = { src: './src', language: 'typescript', schema: './schema.graphql' }
    write('relay.config.json', JSON.stringify({ ...config, artifactDirectory: './artifacts' }))
    write('package.json', '{}')
    for (const definition of [...operations, ...fragments]) {
      // Relay wants the name of the module, and of the kind, in the name of each.
      const name = definition.name?.value ?? ''
      const ending =
        definition.kind === Kind.OPERATION_DEFINITION ? capital(definition.operation) : '_fragment'
      const source = print(definition)
        .replace(` ${name}`, ` ${name}${ending}`)
        .replaceAll(/\.\.\.(?!on\b)(\w+)/g, '...$1_fragment')
      write(`src/${name}.ts`, `import { graphql } from 'relay-runtime'\ngraphql\`\n${source}\n\`\n`)
    }
    const { stdout, stderr } = await run(bin('relay-compiler'), [], { cwd: folder })
    expect(`${stdout}${stderr}`).toContain('Compilation completed')
    expect(`${stdout}${stderr}`).not.toMatch(/error|warn/i)
    const artifacts = readdirSync(new URL('artifacts', folder))
    expect(artifacts).toHaveLength(operations.length + fragments.length)
  })

  it('have the same types in gql.tada as in graphql-codegen', async () => {
    // From there the packages of the repository are found.
    using folder = makeFolder(cache)
    const write = (name: string, text: string) => writeFileSync(new URL(name, folder), text)
    const introspection = minifyIntrospection(introspectionFromSchema(buildSchema(sdl)))
    write(
      'introspection.d.ts',
      outputIntrospectionFile(introspection, { fileType: '.d.ts', shouldPreprocess: true }),
    )
    const scalars = '{ ID: string; DateTime: string; JSON: unknown; Upload: unknown }'
    const generated = new URL('schema/operations/generated/graphql.ts', top).pathname
    let source = `import { initGraphQLTada, type ResultOf } from 'gql.tada'
import type { introspection } from './introspection.d.ts'
import type * as generated from '${generated}'
type Same<Wanted, Found extends Wanted> = Found
const graphql = initGraphQLTada<{
  introspection: introspection
  disableMasking: true
  scalars: ${scalars}
}>()
`
    const spreads = (text: string) =>
      fragments.map(({ name }) => name.value).filter((name) => text.includes(`...${name}`))
    // A fragment comes after those that it spreads.
    const ordered = fragments.toSorted(
      (a, b) => spreads(print(a)).length - spreads(print(b)).length,
    )
    for (const definition of [...ordered, ...operations]) {
      const name = definition.name?.value ?? ''
      const text = print(definition)
      const isOperation = definition.kind === Kind.OPERATION_DEFINITION
      const id = isOperation ? `${name}Operation` : name
      source += `const ${id} = graphql(\`${text}\`, [${spreads(text).join(', ')}])\n`
      if (!isOperation) continue
      const type = `${name}${capital(definition.operation)}`
      source += `export type ${type} = Same<generated.${type}, ResultOf<typeof ${id}>>\n`
    }
    write('operations.ts', source)
    const compilerOptions = {
      strict: true,
      noEmit: true,
      module: 'nodenext',
      target: 'esnext',
      skipLibCheck: true,
      types: [],
      allowImportingTsExtensions: true,
    }
    write('tsconfig.json', JSON.stringify({ compilerOptions, include: ['operations.ts'] }))
    write('package.json', '{"type":"module"}')
    const complaints = await run(bin('tsc'), ['-p', folder.pathname]).then(
      ({ stdout }) => stdout,
      (error: unknown) => String(Object(error).stdout),
    )
    expect(complaints).toBe('')
  })
})
