import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { runInNewContext } from 'node:vm'
import { buildSchema, parse, validate } from 'graphql'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseConfig } from '../../src/index.ts'
import { createTestApp } from '../kit/process/emulator.ts'
import { parseSettings, readmeSettings } from './example-config.ts'
import { readMarkdownFiles, root } from './markdown.ts'
import { openSandbox, type Sandbox } from './sandbox.ts'

/** Why a program is not run here: it says so itself. */
const reasons = [
  'a page in a browser; test/e2e/event-source.test.ts does it in Chromium',
  'a mini-program; test/http/websocket.test.ts sends what it sends',
  'a mini-program; test/integration/client-cuts.test.ts runs it in a fake of one',
  'a composable of Vue, which is not installed here',
]
const skipped = /^\/\/ not run here: (.*)$/m

const snippets = readMarkdownFiles().flatMap(({ path, blocks }) =>
  blocks.map((block) => ({ ...block, where: `${path}:${block.line}` })),
)
const written = (language: string) => snippets.filter((block) => block.language === language)

describe('each code block', () => {
  it.each(snippets)('$where is in a language whose blocks are tested', ({ language }) => {
    expect(['sh', 'text', 'json', 'graphql', 'js', 'ts', 'tsx']).toContain(language)
  })
})

describe('each configuration', () => {
  const { privateKeyPem } = createTestApp()
  it.each(written('json'))('$where is one that the gateway takes', ({ text }) => {
    const json = { ...readmeSettings(), ...parseSettings(text) }
    const readFile = (path: string) => (path.endsWith('.pem') ? privateKeyPem : 'x'.repeat(48))
    expect(parseConfig({ json, env: {}, readFile }).assistants.length).toBeGreaterThan(0)
  })
})

describe('the configuration of README', () => {
  it('is what init writes, without the comments', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'init-'))
    try {
      const command = written('sh').find(({ text }) => text.includes('gateway init '))?.text ?? ''
      const bin = fileURLToPath(new URL('src/bin.mjs', root))
      const npx = `npx() { shift; '${process.execPath}' '${bin}' "$@"; }`
      await promisify(execFile)('bash', ['--norc', '-c', `${npx}\n${command}`], { cwd: directory })
      const file = await readFile(join(directory, 'gateway.json'), 'utf8')
      const { $schema, ...settings } = parseSettings(file.replaceAll(/^\s*\/\/.*$/gm, ''))
      expect($schema).toMatch(/config\.schema\.json$/)
      expect(settings).toEqual(readmeSettings())
    } finally {
      await rm(directory, { recursive: true })
    }
  })
})

describe('each GraphQL document', () => {
  const schema = buildSchema(readFileSync(new URL('schema/schema.graphql', root), 'utf8'))
  it.each(written('graphql'))('$where is one that the schema knows', ({ text }) => {
    expect(validate(schema, parse(text))).toEqual([])
  })
})

const tsc = fileURLToPath(new URL('node_modules/.bin/tsc', root))

describe('each program', () => {
  let sandbox: Sandbox
  beforeAll(async () => {
    sandbox = await openSandbox()
    // They import the package as it is installed.
    const dist = join(sandbox.directory, 'dist')
    await promisify(execFile)(tsc, ['-p', 'tsconfig.build.json', '--outDir', dist], { cwd: root })
  }, 300_000)
  afterAll(() => sandbox[Symbol.asyncDispose]())

  it.each(written('js'))('$where does what it says', ({ text }) => {
    const [, reason] = skipped.exec(text) ?? []
    if (reason !== undefined) {
      expect(reasons).toContain(reason)
      return
    }
    const page = { answer: 'Helo', delta: { offset: 3, text: 'lo' } }
    runInNewContext(text, page)
    expect(page.answer).toBe('Hello')
  })

  it('is what its types say', async () => {
    for (const language of ['ts', 'tsx'])
      for (const [at, { text }] of written(language).entries())
        await writeFile(join(sandbox.directory, `${at}.${language}`), text)
    const example = fileURLToPath(new URL('docs/examples/react/app.tsx', root))
    await copyFile(example, join(sandbox.directory, 'example.tsx'))
    const settings = {
      extends: '../../tsconfig.json',
      include: ['*.ts', '*.tsx'],
      compilerOptions: { jsx: 'react-jsx', lib: ['es2025', 'dom', 'dom.iterable', 'esnext'] },
    }
    await writeFile(join(sandbox.directory, 'tsconfig.json'), JSON.stringify(settings))
    const checked = promisify(execFile)(tsc, ['--noEmit', '-p', sandbox.directory])
    await expect(checked.catch(({ stdout }: { stdout: string }) => stdout)).resolves.toMatchObject({
      stdout: '',
    })
  })

  it.each(written('ts'))('$where runs to its end', async ({ where, text }) => {
    const file = join(sandbox.directory, `${where.replaceAll(/\W/g, '-')}.ts`)
    await writeFile(file, sandbox.localize(text))
    const { code, output } = await sandbox.node(file)
    expect(code, output).toBe(0)
    for (const [, printed = ''] of text.matchAll(/^console\.log\(.*\) \/\/ (.*)$/gm))
      expect(output).toContain(printed)
  })
})
