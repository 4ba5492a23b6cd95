import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { demoSecrets } from '../../src/config/demo-secrets.ts'
import { startGateway } from '../kit/process/gateway.ts'
import { within } from '../kit/process/until.ts'

const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))
/** The command of the package. */
const bin = fileURLToPath(new URL(`../../${manifest.bin['coze-graphql-gateway']}`, import.meta.url))

async function run(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  program = cli,
) {
  const child = spawn(process.execPath, [program, ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = once(child, 'exit')
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  const [code]: unknown[] = await exited
  return { code, stdout, stderr }
}

/** Starts what serves until it is told to end, asks it at each host, and ends it. Its answers are statuses or error codes. */
async function tryOut(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  hosts: readonly string[] = [],
) {
  const child = spawn(process.execPath, [cli, ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = once(child, 'exit')
  const stderr = text(child.stderr)
  const started = Promise.race([once(child.stdout, 'data'), exited])
  const [printed] = await within(started, 'it to start', 60_000)
  const [, port] = /:(\d+)/.exec(String(printed)) ?? []
  const answers = await Promise.all(hosts.map((host) => answerOf(`http://${host}:${port}/nowhere`)))
  child.kill('SIGTERM')
  expect(await exited).toEqual([0, null])
  return { answers, stderr: await stderr }
}

async function answerOf(url: string): Promise<unknown> {
  try {
    return (await fetch(url)).status
  } catch (error) {
    return error instanceof Error && Object(error.cause).code
  }
}

const demo = ['demo', '--port', '0', '--data', ':memory:']
const config = {
  listen: { port: 0 },
  metrics: { port: 0 },
  issuers: [{ issuer: 'https://id.test', audience: 'gateway', secret: 'i'.repeat(32) }],
  session: { key: 's'.repeat(32), nameKeys: [{ version: 1, key: 'n'.repeat(32) }] },
  assistants: [
    {
      id: 'bot',
      name: 'Bot',
      strategy: 'bot',
      baseUrl: 'http://127.0.0.1:9',
      credentials: { type: 'token', token: 'hunter2', allowSharedToken: true },
      bot: { botId: '7003' },
    },
  ],
  store: 'sqlite::memory:',
}

let directory: string
let good: string
let bad: string
let emulatorOptions: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'command-line-'))
  good = join(directory, 'good.json')
  bad = join(directory, 'bad.json')
  emulatorOptions = join(directory, 'emulator.json')
  await writeFile(emulatorOptions, JSON.stringify({ apps: [] }))
  await writeFile(good, JSON.stringify(config))
  await writeFile(bad, JSON.stringify({ ...config, store: 'hunter2', limits: { maxDepht: 1 } }))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

describe('the command line', () => {
  it.each(['--help', 'help', 'serve --help', 'demo -h', 'schema --help', 'check-config --help'])(
    'explains itself: %s',
    async (line) => {
      const args = line.split(' ')
      const { code, stdout, stderr } = await run(args)
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(stdout).toContain('Usage: coze-graphql-gateway')
    },
  )

  it('prints its version', async () => {
    const { code, stdout } = await run(['--version'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  it.each(['20.20.2', '22.12.0', '24.8.0'])(
    'says in one line that Node.js %s is too old, and where the right one is',
    async (version) => {
      const pretend = `Object.defineProperty(process, 'versions', { value: { node: '${version}' } })`
      const env = {
        NODE_OPTIONS: `--import "data:text/javascript,${encodeURIComponent(pretend)}"`,
      }
      const { code, stdout, stderr } = await run(['serve'], env, bin)
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      const needed = 'coze-graphql-gateway: Node.js 24.9 or later is needed, this is'
      const instead = 'in the repository, npm run and npx start the one that npm ci has installed'
      expect(stderr).toBe(`${needed} ${version} at ${process.execPath}; ${instead}\n`)
    },
  )

  it('compiles no TypeScript when it is started again', async () => {
    const tellsAmaro = `process.on('exit', () => {
      const isLoaded = process.moduleLoadList.some((name) => name.includes('deps/amaro'))
      process.stderr.write(isLoaded ? 'compiled' : 'from the cache')
    })`
    const env = {
      NODE_OPTIONS: `--import "data:text/javascript,${encodeURIComponent(tellsAmaro)}"`,
    }
    await run(['check-config', '--help'], env, bin)
    const again = await run(['check-config', '--help'], env, bin)
    expect(again).toMatchObject({ code: 0, stderr: 'from the cache' })
    expect(again.stdout).toContain('Usage: coze-graphql-gateway')
  })

  it.each([
    [[], 'which command?'],
    [['sevre'], '"sevre" is not a command'],
    [['serve', '--prot', '1'], "'--prot'"],
    [['schema', 'extra'], "'extra'"],
    [['demo', '--port', 'http'], '--port must be a number'],
    [['serve', '--config', '/nowhere/config.json'], 'cannot be read (ENOENT)'],
    [['check-config'], 'COZE_GATEWAY_CONFIG'],
  ])('ends with 2 and a sentence when it is used badly: %j', async (args, part) => {
    const { code, stdout, stderr } = await run(args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(part)
    expect(stderr).not.toContain('    at ')
  })

  it('tells that a configuration is well, in one line', async () => {
    const { code, stdout, stderr } = await run(['check-config'], { COZE_GATEWAY_CONFIG: good })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^OK: .*\n$/)
    expect(stdout).not.toContain('hunter2')
  })

  it.each([
    [
      'an API key whose time is over',
      {
        apiKeys: [
          {
            id: 'shop-1',
            backend: 'shop',
            sha256: 'ab'.repeat(32),
            notAfter: '2020-01-31T00:00:00Z',
          },
        ],
      },
      'apiKeys[0].notAfter: shop-1 expired at 2020-01-31T00:00:00.000Z',
    ],
    [
      'plain http inside a private network',
      {
        assistants: config.assistants.map((bot) => ({
          ...bot,
          baseUrl: 'http://coze-server:8888',
          allowPlainHttp: true,
        })),
        probe: { checkAtStart: false },
      },
      'assistants[0]: coze-server:8888 is reached over plain http',
    ],
  ])('warns of %s, before and when it serves', async (_what, change, warning) => {
    const file = join(directory, 'risky.json')
    await writeFile(file, JSON.stringify({ ...config, ...change }))
    const { code, stdout } = await run(['check-config', '--config', file])
    expect(code).toBe(0)
    expect(stdout).toContain(`\nwarning: ${warning}`)
    await using gateway = await startGateway(file, { ...config, ...change })
    expect(gateway.output).toContain(warning)
  })

  it.each(['check-config', 'serve'])('T18 %s tells every problem and no value', async (command) => {
    const { code, stdout, stderr } = await run([command, '--config', bad])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain('store: ')
    expect(stderr).toContain('limits.maxDepht: ')
    expect(stderr).not.toContain('hunter2')
  })

  it.each(['check-config', 'serve'])(
    '%s names every persisted document that could never be executed',
    async (command) => {
      const file = join(directory, 'persisted.json')
      await writeFile(
        join(directory, 'documents.json'),
        JSON.stringify({
          fine: '{ viewer { __typename } }',
          misfit: '{ viewers { id } }',
          large: `{ ${Array.from({ length: 40 }, (_, at) => `a${at}: viewer { __typename }`).join(' ')} }`,
        }),
      )
      const persistedDocuments = { file: 'documents.json' }
      await writeFile(file, JSON.stringify({ ...config, persistedDocuments }))
      const { code, stdout, stderr } = await run([command, '--config', file])
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(stderr).toMatch(/^persistedDocuments.file: the persisted document misfit: .*viewers/m)
      expect(stderr).toMatch(/^persistedDocuments.file: the persisted document large: .*aliases/m)
      expect(stderr).not.toContain('fine')
    },
  )

  it('ends without a complaint when nobody reads on, as "head" does not', async () => {
    const child = spawn(process.execPath, [cli, 'schema'], { stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.destroy()
    const exited = once(child, 'exit')
    expect([await text(child.stderr), ...(await exited)]).toEqual(['', 0, null])
  })

  it('prints the schema and nothing else', async () => {
    const { code, stdout, stderr } = await run(['schema'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('type Mutation {')
  })

  it('T22 starts no demo where it is production', async () => {
    const { code, stderr } = await run(['demo', '--port', '0'], { NODE_ENV: 'production' })
    expect(code).toBe(2)
    expect(stderr).toContain('production')
  })

  it('T22 starts no emulator where it is production', async () => {
    const { code, stdout, stderr } = await run(['emulator', '--stdin'], {
      NODE_ENV: 'production',
    })
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain('so it does not start where NODE_ENV')
  })

  describe.each([
    ['a demo', () => demo],
    ['an emulator', () => ['emulator', '--config', emulatorOptions]],
  ])('%s', (_what, args) => {
    it.each([
      ['in production, and told to be', { NODE_ENV: 'production' }, ['--allow-production']],
      ['open to the network', {}, ['--host', '0.0.0.0']],
    ])('T22 says loudly that it is %s', async (_where, env, more) => {
      const { stderr } = await tryOut([...args(), ...more], env)
      expect(stderr).toMatch(/the (demo|emulator) is open/)
    })

    it('T22 is reached by one address, which no other machine has, unless told otherwise', async () => {
      const hosts = ['127.0.0.1', '127.0.0.2']
      const { answers, stderr } = await tryOut(args(), {}, hosts)
      expect(answers).toEqual([404, 'ECONNREFUSED'])
      expect(stderr).toBe('')
      const wide = await tryOut([...args(), '--host', '0.0.0.0'], {}, hosts)
      expect(wide.answers).toEqual([404, 404])
    })
  })

  it('T22 serves nobody with a secret of the demo', async () => {
    const file = join(directory, 'demo-secrets.json')
    const [issuer] = config.issuers
    const known = { ...issuer, secret: demoSecrets.issuer }
    await writeFile(file, JSON.stringify({ ...config, issuers: [known] }))
    const { code, stderr } = await run(['serve', '--config', file])
    expect(code).toBe(2)
    expect(stderr).toContain('issuers[0].secret: is a secret of the demo')
    expect(stderr).not.toContain(demoSecrets.issuer)
  })

  it.each(['serve', 'demo'])('%s ends with 2 when its port is busy', async (command) => {
    await using busy = createServer()
    busy.listen(0, '127.0.0.1')
    await once(busy, 'listening')
    const address = busy.address()
    const port = String(typeof address === 'object' && address ? address.port : 0)
    const args =
      command === 'serve'
        ? ['serve', '--config', good]
        : ['demo', '--port', port, '--data', join(directory, 'demo.db')]
    const { code, stdout, stderr } = await run(args, { COZE_GATEWAY_LISTEN_PORT: port })
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(`port ${port} is in use`)
  })

  it.each(['192.0.2.1', 'nowhere.invalid'])(
    'serve ends with 2, in words, when it is told to listen on %s',
    async (host) => {
      const args = ['serve', '--config', good]
      const { code, stderr } = await run(args, { COZE_GATEWAY_LISTEN_HOST: host })
      expect(code).toBe(2)
      expect(stderr).toContain(`${host} is not an address or a name of this host`)
      expect(stderr).not.toMatch(/^ +at /m)
    },
  )

  it.each(['SIGTERM', 'SIGINT'] as const)('F20 serve ends with 0 after %s', async (signal) => {
    await using gateway = await startGateway(join(directory, `${signal}.json`), config)
    expect(await gateway.kill(signal)).toBe(0)
    expect(gateway.output).toContain('"msg":"draining"')
    expect(gateway.output).not.toContain('hunter2')
  })
})
