import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { EmulatorOptions } from '../../src/emulator/options.ts'
import { runCurl } from '../kit/clients/curl.ts'
import { loadPage } from '../kit/clients/page-files.ts'
import { type Application, openApplication } from '../kit/process/application.ts'
import { startDemo } from '../kit/process/demo.ts'
import { startEmulator } from '../kit/process/emulator.ts'
import { startGateway } from '../kit/process/gateway.ts'

const name = 'coze-graphql-gateway'
const token = { token: 'pat_1', accountId: 'account-1' }

/** The settings of a gateway in front of an emulator's Bot. */
const settingsFor = (baseUrl: string) => ({
  listen: { host: '127.0.0.1', port: 0 },
  issuers: [{ issuer: 'https://issuer.test', audience: 'gateway', secret: 's'.repeat(40) }],
  session: { key: 'k'.repeat(32), nameKeys: [{ version: 1, key: 'n'.repeat(32) }] },
  assistants: [
    {
      id: 'bot',
      name: 'Bot',
      strategy: 'bot',
      baseUrl,
      platform: 'studio',
      credentials: { type: 'token', token: token.token, allowSharedToken: true },
      bot: { botId: '1' },
    },
  ],
  store: 'sqlite:gateway.db',
  probe: { checkAtStart: false },
})

const program = `
  import { createGateway, createPrometheusMetrics, parseConfig } from 'coze-graphql-gateway'
  const config = parseConfig({ env: {}, json: ${JSON.stringify(settingsFor('http://127.0.0.1:9'))} })
  const metrics = createPrometheusMetrics()
  await using gateway = await createGateway(config, { metrics })
  const { status } = await gateway.fetch(new Request('http://gateway.test/health/ready'))
  console.log('ready', status, await metrics.text())
`

const chatProgram = (url: string, bearer: string) => `
  import { createChatClient, fetchTransport } from '${name}/client'
  const chat = createChatClient({ url: '${url}/graphql', token: () => '${bearer}', transport: fetchTransport() })
  const reply = await chat.send('hello from the client', { assistantId: 'bot' })
  console.log((await reply.done).text)
`

describe('the package, installed into an empty project', () => {
  let application: Application
  beforeAll(async () => {
    application = await openApplication()
    await application.run('npm', 'init', '-y', '--init-type=module')
    await application.run('npm', 'install', application.tarball)
  }, 300_000)
  afterAll(() => application[Symbol.asyncDispose]())

  const modules = (path: string) => join(application.directory, 'node_modules', path)
  const write = (file: string, text: string) => writeFile(join(application.directory, file), text)

  it('is imported, and makes a gateway with a store and metrics', async () => {
    await write('program.js', program)
    const { stdout } = await application.run('node', 'program.js')
    expect(stdout).toContain('ready 200')
    expect(stdout).toContain('# TYPE coze_gateway_')
  })

  it('has the command that npx runs', async () => {
    const { stdout } = await application.run('npx', '--no-install', name, '--version')
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  it('writes a first configuration', async () => {
    await application.run('npx', '--no-install', name, 'init', '--yes', '--config', 'first.json')
    const written = readFileSync(join(application.directory, 'first.json'), 'utf8')
    const [, schema = ''] = /"\$schema": "([^"]+)"/.exec(written) ?? []
    expect(existsSync(join(application.directory, schema))).toBe(true)
  })

  it('has a stand-in for Coze, probes a Bot on it, and serves it', async () => {
    const program = modules(`.bin/${name}`)
    const platform: EmulatorOptions = {
      dialect: 'studio',
      personalAccessTokens: [token],
      bots: [{ botId: '1' }],
      wordsPerSecond: 0,
    }
    await using emulator = await startEmulator(platform, { program })
    const configFile = join(application.directory, 'gateway.json')
    const config = settingsFor(emulator.url)
    await using gateway = await startGateway(configFile, config, {}, [], program)
    const { status } = await fetch(`${gateway.url}/health/live`)
    expect(status).toBe(200)
    const probe = ['probe', '--config', configFile, '--trials', '1', '--format', 'json']
    const { stdout } = await application.run('npx', '--no-install', name, ...probe)
    expect(JSON.parse(stdout)).toMatchObject([{ verdict: 'ISOLATED' }])
    expect(await gateway.kill('SIGTERM')).toBe(0)
  })

  it('has a demo that answers, with its stand-in for Coze, its store and its pages', async () => {
    await using demo = await startDemo({ program: modules(`.bin/${name}`) })
    const { send, stream } = demo.commandsOf('Alice')
    using hears = await runCurl(stream)
    using sent = await runCurl(send)
    await sent.shows(/"SendMessageSuccess"/)
    await hears.shows(/"ReplyCompleted"/)
    const [, url = ''] = /side by side: (\S+)/.exec(demo.welcome) ?? []
    for (const path of ['', 'operator']) {
      const { page, files } = await loadPage(url + path)
      expect(page.status).toBe(200)
      expect(files.length).toBeGreaterThan(10)
      expect(files.filter(({ status }) => status !== 200).map((file) => file.url)).toEqual([])
    }

    const [, gateway = ''] = /(http:\/\/[^/\s]+)/.exec(send) ?? []
    const [, bearer = ''] = /Bearer ([\w.-]+)/.exec(send) ?? []
    await write('chat.js', chatProgram(gateway, bearer))
    const { stdout } = await application.run(process.execPath, 'chat.js')
    expect(stdout).toContain('You said: hello from the client')
  })

  it('says where the schema and its parts for clients are', () => {
    const { resolve } = createRequire(join(application.directory, 'program.js'))
    const schema = resolve(`${name}/schema/schema.graphql`)
    expect(readFileSync(schema, 'utf8')).toContain('type Query')
  })

  it('has maps that show the sources in a debugger and in stack traces', () => {
    const map: { readonly sourcesContent?: readonly string[] } = JSON.parse(
      readFileSync(modules(`${name}/dist/index.js.map`), 'utf8'),
    )
    const source = new URL('../../src/index.ts', import.meta.url)
    expect(map.sourcesContent).toEqual([readFileSync(source, 'utf8')])
  })

  it('has nothing for publint to complain of', async () => {
    const tarball = Uint8Array.from(readFileSync(application.tarball)).buffer
    const { messages, pkg } = await publint({ pack: { tarball }, strict: true })
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([])
  })

  it('has types that are right for every way of importing it', async () => {
    const attw = fileURLToPath(new URL('../../node_modules/.bin/attw', import.meta.url))
    const args = [application.tarball, '--profile', 'esm-only', '--format', 'ascii', '--no-color']
    const complaints = await application.run(attw, ...args).then(
      () => '',
      (error: unknown) => String(Object(error).stdout),
    )
    expect(complaints).toBe('')
  })
})
