import { readFile } from 'node:fs/promises'
import { type Client, createClient } from '../clients/client.ts'
import { type GatewayProcess, startGateway } from './gateway.ts'
import { openRoundRobin, type RoundRobin } from './round-robin.ts'
import { startSystem, type System, type SystemOptions } from './system.ts'

/** Several gateways on one database behind a load balancer, an emulator, and a client of the load balancer. */
export interface Cluster extends Pick<System, 'emulator' | 'person' | 'secrets'>, AsyncDisposable {
  readonly instances: readonly GatewayProcess[]
  readonly balancer: RoundRobin
  readonly client: Client
}

/** How long an instance must be silent until the others take over what it runs: tests do not wait as long as users do. */
const deadAfterMs = 3_000

export interface ClusterOptions extends SystemOptions {
  /** The URL of the database; each instance may have a way of its own to it. */
  readonly store: string | ((index: number) => string)
  readonly count?: number
}

export async function startCluster({
  store,
  count = 3,
  ...options
}: ClusterOptions): Promise<Cluster> {
  await using stack = new AsyncDisposableStack()
  const storeOf = typeof store === 'string' ? () => store : store
  const config = { store: storeOf(0), postgres: { deadAfterMs }, ...options.config }
  const system = stack.use(await startSystem({ ...options, config }))
  const { configFile } = system.gateway
  const whole: unknown = JSON.parse(await readFile(configFile, 'utf8'))
  const others = await Promise.all(
    Array.from({ length: count - 1 }, (_, index) => {
      const own = { ...Object(whole), store: storeOf(index + 1) }
      return startGateway(`${configFile}.${index + 2}`, own, options.env)
    }),
  )
  const instances = [system.gateway, ...others.map((one) => stack.use(one))]
  const balancer = stack.use(await openRoundRobin(() => instances.map(({ url }) => url)))
  const client = stack.adopt(createClient(balancer.url), (last) => last[Symbol.dispose]())
  const owned = stack.move()
  const { emulator, secrets } = system
  return {
    emulator,
    secrets,
    person: (name) => system.person(name),
    instances,
    balancer,
    client,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
