import { execFile, spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { z } from 'zod'
import { commands } from '../../src/cli/help.ts'
import { closeMs } from '../../src/cli/lifetime.ts'
import { type Config, parseConfig } from '../../src/config/config.ts'
import { limitsSchema } from '../../src/config/sections/limits.ts'
import { timeoutsSchema } from '../../src/config/sections/timeouts.ts'
import { root } from './markdown.ts'

// No container engine is needed here: what the files say of each other and of the gateway is compared.

const path = (file: string) => fileURLToPath(new URL(file, root))
const read = (file: string) => readFileSync(path(file), 'utf8')
const { drainMs, keepAliveMs, idleConnectionMs } = timeoutsSchema.parse({})

interface Instruction {
  readonly name: string
  readonly rest: string
}

const dockerfile: readonly Instruction[] = read('deploy/Dockerfile')
  .replaceAll(/^#.*\n/gm, '')
  .replaceAll(/\\\n\s*/g, ' ')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => {
    const [name = '', ...rest] = line.split(' ')
    return { name, rest: rest.join(' ') }
  })
const all = (name: string) => dockerfile.filter((one) => one.name === name).map(({ rest }) => rest)
const execForm = (name: string) => z.array(z.string()).parse(JSON.parse(all(name).at(-1) ?? ''))
const imageEnv = Object.fromEntries(
  all('ENV').flatMap((line) => line.split(' ').map((one) => one.split('=') as [string, string])),
)

/** Reads a configuration as a container would, whose secrets are files. Notes which ones were read. */
function configIn(text: string, env: Readonly<Record<string, string>>) {
  const secrets: string[] = []
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
  const config: Config = parseConfig({
    file: '/etc/coze-graphql-gateway/config.json',
    env,
    readFile(file) {
      if (file === '/etc/coze-graphql-gateway/config.json') return text
      secrets.push(file)
      return basename(file) === 'coze-private-key' ? pem : `${basename(file)}-`.padEnd(48, 'x')
    },
  })
  return { config, secrets }
}

const seconds = (text: string) => Number(/^(\d+)s$/.exec(text)?.[1]) * 1_000

describe('the Dockerfile', () => {
  it('has the Node.js that the gateway is developed on in every stage', () => {
    const manifest = z
      .object({ devDependencies: z.object({ node: z.string() }) })
      .parse(JSON.parse(read('package.json')))
    const images = all('FROM').map((line) => line.split(' ')[0])
    expect(images.length).toBeGreaterThan(1)
    expect(new Set(images)).toEqual(
      new Set([`node:${manifest.devDependencies.node}-bookworm-slim`]),
    )
  })

  it('copies what is there, and what its ignore file lets in', () => {
    const allowed = read('deploy/Dockerfile.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1))
    expect(allowed.filter((name) => !existsSync(path(name)))).toEqual([])
    const copied = all('COPY')
      .filter((line) => !line.startsWith('--from'))
      .flatMap((line) => line.split(' ').slice(0, -1))
    expect(copied.filter((name) => name !== '.' && !allowed.includes(name))).toEqual([])
    const stages = all('FROM').map((line) => line.split(' AS ')[1])
    for (const [, stage] of all('COPY')
      .join('\n')
      .matchAll(/--from=(\S+)/g))
      expect(stages).toContain(stage)
  })

  it('runs commands that exist', async () => {
    for (const command of all('RUN').flatMap((line) => line.split(' && '))) {
      const [program = ''] = command.split(' ')
      await promisify(execFile)('which', [program])
    }
    const [program = '', ...args] = execForm('ENTRYPOINT')
    const started = await promisify(execFile)(program, [...args, '--version'], { cwd: path('.') })
    expect(started.stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
    expect(commands).toContain(execForm('CMD')[0])
  })

  it('starts a file of the package, as a user that is not root, who can write the folder of its data', async () => {
    const packing = ['pack', '--dry-run', '--json', '--ignore-scripts']
    const { stdout } = await promisify(execFile)('npm', packing, { cwd: path('.') })
    const packed = z
      .array(z.object({ files: z.array(z.object({ path: z.string() })) }))
      .parse(JSON.parse(stdout))
    const files = packed.flatMap((one) => one.files.map((file) => file.path))
    expect(files).toContain(execForm('ENTRYPOINT')[1])
    const [user = ''] = all('USER')
    expect(user).toMatch(/^[1-9]\d*:[1-9]\d*$/)
    expect(all('RUN').at(-1)).toContain(`chown ${user} ${all('VOLUME')[0]}`)
  })

  it.each([
    ['is well', 200, 0],
    ['is not well', 503, 1],
    ['is not there', undefined, 1],
  ])('checks the health of a gateway that %s', async (_, status, code) => {
    const asked: unknown[] = []
    const server = createServer((request, response) => {
      asked.push(request.url)
      response.writeHead(status ?? 500).end()
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    if (status === undefined) server.close()
    const check = z
      .array(z.string())
      .parse(JSON.parse(all('HEALTHCHECK')[0]?.split('CMD ')[1] ?? ''))
    const [program = '', ...args] = check
    const env = { ...process.env, COZE_GATEWAY_LISTEN_PORT: String(port) }
    const [ended] = await once(spawn(program, args, { env }), 'exit')
    server.close()
    expect(ended).toBe(code)
    expect(asked).toEqual(status === undefined ? [] : ['/health/live'])
  })
})

const serviceSchema = z.object({
  build: z.object({ context: z.string(), dockerfile: z.string() }).optional(),
  stop_grace_period: z.string(),
  environment: z.record(z.string(), z.string()).default({}),
  secrets: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  ports: z.array(z.string()).default([]),
})

describe('the compose file', () => {
  const { services, secrets } = z
    .object({
      services: z.record(z.string(), serviceSchema),
      secrets: z.record(z.string(), z.object({ file: z.string() })),
    })
    .parse(parse(read('deploy/compose/compose.yaml'), { merge: true }))
  const gateways = Object.entries(services).filter(([name]) => name.startsWith('gateway-'))
  const [, gateway] = gateways[0] ?? []
  const proxy = read('deploy/haproxy.cfg')

  it('runs two gateways on a configuration that they accept, with secrets that they are given', () => {
    expect(gateways).toHaveLength(2)
    expect(gateway?.build).toEqual({ context: '../..', dockerfile: 'deploy/Dockerfile' })
    const env = { ...imageEnv, ...gateway?.environment }
    const { config, secrets: read_ } = configIn(read('deploy/compose/config.json'), env)
    const given = (gateway?.secrets ?? []).map((name) => `/run/secrets/${name}`)
    expect(read_.toSorted()).toEqual(given.toSorted())
    expect(Object.keys(secrets).toSorted()).toEqual(gateway?.secrets.toSorted())
    expect(config.listen).toEqual({ host: '0.0.0.0', port: Number(all('EXPOSE')[0]) })
    expect(config.trustProxy).toBe(1)
    const { POSTGRES_USER, POSTGRES_DB } = services['postgres']?.environment ?? {}
    expect(config.store).toMatchObject({
      url: expect.stringMatching(`^postgres://${POSTGRES_USER}@postgres/${POSTGRES_DB}\\?`),
    })
    expect(Object.keys(services)).toContain(
      /redis:\/\/(\w+):6379/.exec(read('deploy/compose/config.json'))?.[1],
    )
  })

  it('gives a gateway longer to end than its drain and its closing take', () => {
    expect(seconds(gateway?.stop_grace_period ?? '')).toBeGreaterThan(drainMs + closeMs)
  })

  it('mounts what is there', () => {
    const mounts = Object.values(services).flatMap(({ volumes }) => volumes)
    const files = mounts
      .map((mount) => mount.split(':')[0] ?? '')
      .filter((one) => one.startsWith('.'))
    expect(files.length).toBeGreaterThan(1)
    for (const file of files) expect(existsSync(path(`deploy/compose/${file}`)), file).toBe(true)
  })

  it('has a load balancer that knows the gateways, and waits for longer than an idle stream is silent', () => {
    const servers = [...proxy.matchAll(/^ {2}server (\S+) (\S+):(\d+)$/gm)]
    expect(servers.map(([, , host]) => host)).toEqual(gateways.map(([name]) => name))
    expect(new Set(servers.map(([, , , port]) => port))).toEqual(new Set(all('EXPOSE')))
    expect(services['proxy']?.ports).toEqual([`8080:${/^ {2}bind :(\d+)/m.exec(proxy)?.[1]}`])
    const timeout = (name: string) =>
      seconds(RegExp(`timeout ${name} (\\S+)`).exec(proxy)?.[1] ?? '')
    for (const name of ['client', 'server', 'tunnel'])
      expect(timeout(name)).toBeGreaterThan(keepAliveMs * 5)
    expect(timeout('http-keep-alive')).toBeLessThan(idleConnectionMs)
    // A request that a gateway may have taken is not sent to another one.
    expect(/retry-on (.*)/.exec(proxy)?.[1]).toBe('conn-failure')
  })
})

const labelled = z.record(z.string(), z.string())
const probeSchema = z.object({ httpGet: z.object({ path: z.string(), port: z.string() }) })
const deploymentSchema = z.object({
  spec: z.object({
    selector: z.object({ matchLabels: labelled }),
    template: z.object({
      metadata: z.object({ labels: labelled, annotations: labelled }),
      spec: z.object({
        terminationGracePeriodSeconds: z.number(),
        securityContext: z.object({ runAsNonRoot: z.literal(true), runAsUser: z.number() }),
        topologySpreadConstraints: z.array(
          z.object({ labelSelector: z.object({ matchLabels: labelled }) }),
        ),
        containers: z.tuple([
          z.object({
            args: z.array(z.string()),
            ports: z.array(z.object({ name: z.string(), containerPort: z.number() })),
            lifecycle: z.object({
              preStop: z.object({
                exec: z.object({ command: z.tuple([z.literal('sleep'), z.string()]) }),
              }),
            }),
            startupProbe: probeSchema,
            livenessProbe: probeSchema,
            readinessProbe: probeSchema,
            volumeMounts: z.array(z.object({ name: z.string(), mountPath: z.string() })),
          }),
        ]),
        volumes: z.array(z.object({ name: z.string() })),
      }),
    }),
  }),
})
const selectorSchema = z.object({
  spec: z.object({ selector: z.object({ matchLabels: labelled }) }),
})
const serviceOfPods = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    selector: labelled,
    ports: z.array(z.object({ name: z.string(), targetPort: z.string() })),
  }),
})

describe('the Kubernetes manifests', () => {
  const documents = parseAllDocuments(read('deploy/kubernetes/gateway.yaml')).map(
    (document): unknown => document.toJS(),
  )
  const ofKind = (kind: string) =>
    documents.find((one) => z.object({ kind: z.literal(kind) }).safeParse(one).success)
  const { spec: deployment } = deploymentSchema.parse(ofKind('Deployment'))
  const pod = deployment.template.spec
  const [container] = pod.containers

  it('run the gateway on a configuration that it accepts, with secrets from files of one folder', () => {
    const { data } = z
      .object({ data: z.object({ 'config.json': z.string() }) })
      .parse(ofKind('ConfigMap'))
    const { config, secrets } = configIn(data['config.json'], imageEnv)
    const mountOf = (name: string) =>
      container.volumeMounts.find((mount) => mount.name === name)?.mountPath ?? ''
    expect(secrets.length).toBeGreaterThan(3)
    for (const file of secrets) expect(file).toMatch(RegExp(`^${mountOf('secrets')}/[\\w-]+$`))
    const volumes = pod.volumes.map(({ name }) => name)
    expect(container.volumeMounts.map(({ name }) => name)).toEqual(volumes)
    expect(commands).toContain(container.args[0])
    expect(container.args.slice(1)).toEqual(['--config', `${mountOf('config')}/config.json`])
    expect(container.ports).toEqual([
      { name: 'http', containerPort: config.listen.port },
      { name: 'metrics', containerPort: config.metrics?.port },
    ])
    const scraped = deployment.template.metadata.annotations['prometheus.io/port']
    expect(scraped).toBe(String(config.metrics?.port))
    expect(`${pod.securityContext.runAsUser}`).toBe(all('USER')[0]?.split(':')[0])
  })

  it('ask for its health where it is, and give it longer to end than its drain and its closing take', () => {
    const probes = [container.startupProbe, container.livenessProbe, container.readinessProbe]
    expect(probes.map(({ httpGet }) => httpGet)).toEqual([
      { path: '/health/live', port: 'http' },
      { path: '/health/live', port: 'http' },
      { path: '/health/ready', port: 'http' },
    ])
    const pauseMs = Number(container.lifecycle.preStop.exec.command[1]) * 1_000
    const graceMs = pod.terminationGracePeriodSeconds * 1_000
    expect(graceMs).toBeGreaterThan(pauseMs + drainMs + closeMs)
  })

  it('select the pods that they make', () => {
    const { labels } = deployment.template.metadata
    const service = serviceOfPods.parse(ofKind('Service'))
    const selectors = [
      deployment.selector.matchLabels,
      ...pod.topologySpreadConstraints.map((one) => one.labelSelector.matchLabels),
      selectorSchema.parse(ofKind('PodDisruptionBudget')).spec.selector.matchLabels,
      service.spec.selector,
    ]
    for (const selector of selectors) expect(labels).toMatchObject(selector)
    expect(container.ports.map(({ name }) => name)).toContain(service.spec.ports[0]?.targetPort)
  })

  it('have an ingress that passes streams on, and uploads', () => {
    const service = serviceOfPods.parse(ofKind('Service'))
    const text = read('deploy/kubernetes/ingress.yaml')
    const { metadata } = z
      .object({ metadata: z.object({ annotations: labelled }) })
      .parse(parse(text))
    const annotation = (name: string) => metadata.annotations[`nginx.ingress.kubernetes.io/${name}`]
    expect(annotation('proxy-buffering')).toBe('off')
    expect(Number(annotation('proxy-read-timeout')) * 1_000).toBeGreaterThan(keepAliveMs * 5)
    const bodyBytes = Number.parseInt(annotation('proxy-body-size') ?? '', 10) * 1_048_576
    expect(bodyBytes).toBeGreaterThan(limitsSchema.parse({}).maxUploadBytes)
    expect(text).toContain(
      `name: ${service.metadata.name}\n                port: { name: ${service.spec.ports[0]?.name} }`,
    )
  })
})
