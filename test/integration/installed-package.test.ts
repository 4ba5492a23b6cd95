import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCurl } from '../kit/clients/curl.ts'
import { startDemo } from '../kit/process/demo.ts'

const repository = fileURLToPath(new URL('../..', import.meta.url))
const manifest: {
  readonly dependencies: Readonly<Record<string, string>>
  readonly bin: Readonly<Record<string, string>>
} = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'))
const run = promisify(execFile)

const program = `
  import { createGateway, createPrometheusMetrics, parseConfig } from 'coze-graphql-gateway'
  const config = parseConfig({ env: {}, json: {
    issuers: [{ issuer: 'https://issuer.test', audience: 'gateway', secret: 's'.repeat(40) }],
    session: { key: 'k'.repeat(32), nameKeys: [{ version: 1, key: 'n'.repeat(32) }] },
    assistants: [{
      id: 'bot', name: 'Bot', strategy: 'bot', baseUrl: 'http://127.0.0.1:9', platform: 'studio',
      credentials: { type: 'token', token: 'pat_1', allowSharedToken: true }, bot: { botId: '1' },
    }],
    store: 'sqlite:gateway.db',
    probe: { checkAtStart: false },
  } })
  await using gateway = await createGateway(config, { metrics: createPrometheusMetrics() })
  const { status } = await gateway.fetch(new Request('http://gateway.test/health/ready'))
  console.log('ready', status)
`

describe('the package, installed into node_modules', () => {
  let application: string
  beforeAll(async () => {
    application = await mkdtemp(join(tmpdir(), 'application-'))
    const modules = join(application, 'node_modules')
    const installed = join(modules, 'coze-graphql-gateway')
    await mkdir(installed, { recursive: true })
    await run('npm', ['pack', '--pack-destination', application], { cwd: repository })
    const packed = (await readdir(application)).find((name) => name.endsWith('.tgz')) ?? ''
    await run('tar', ['-xzf', packed, '-C', installed, '--strip-components=1'], {
      cwd: application,
    })
    // As npm does: what it depends on beside it, nothing that only its developers need, and its command.
    for (const name of Object.keys(manifest.dependencies)) {
      await mkdir(dirname(join(modules, name)), { recursive: true })
      await symlink(join(repository, 'node_modules', name), join(modules, name))
    }
    await mkdir(join(modules, '.bin'))
    for (const [name, path] of Object.entries(manifest.bin)) {
      await chmod(join(installed, path), 0o755)
      await symlink(join('..', 'coze-graphql-gateway', path), join(modules, '.bin', name))
    }
    await writeFile(join(application, 'package.json'), '{ "type": "module" }')
  }, 300_000)
  afterAll(() => rm(application, { recursive: true, force: true }))

  it('is imported, and makes a gateway with a store', async () => {
    await writeFile(join(application, 'program.js'), program)
    const { stdout } = await run(process.execPath, ['program.js'], { cwd: application })
    expect(stdout).toContain('ready 200')
  })

  it('has the command that npx runs', async () => {
    const { stdout } = await run('npx', ['--no-install', 'coze-graphql-gateway', '--version'], {
      cwd: application,
    })
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  it('has a demo that answers, with its stand-in for Coze and its store', async () => {
    const [bin = ''] = Object.values(manifest.bin)
    await using demo = await startDemo({
      program: join(application, 'node_modules', 'coze-graphql-gateway', bin),
    })
    const { send, stream } = demo.commandsOf('Alice')
    using hears = await runCurl(stream)
    using sent = await runCurl(send)
    await sent.shows(/"SendMessageSuccess"/)
    await hears.shows(/"ReplyCompleted"/)
  })

  it('says where the schema and its parts for clients are', () => {
    const { resolve } = createRequire(join(application, 'program.js'))
    const schema = resolve('coze-graphql-gateway/schema/schema.graphql')
    expect(readFileSync(schema, 'utf8')).toContain('type Query')
  })
})
