import { parseConfig } from '../config/config.ts'
import { demoSecrets } from '../config/demo-secrets.ts'
import { createEmulator } from '../emulator/emulator.ts'
import type { DialectName, Leak } from '../emulator/options.ts'
import { createGateway, type Gateway } from '../compose/gateway.ts'
import { systemClock } from '../lib/clock.ts'
import type { Logger } from '../observe/logger.ts'
import { listen } from '../server/node/listener.ts'
import { type DemoCaller, signDemoCaller } from './callers.ts'
import { createDemoStage } from './stage.ts'
import { createDemoKeys, emulatorSettings, gatewaySettings } from './settings.ts'
import { welcome } from './welcome.ts'

export interface Demo extends AsyncDisposable {
  /** The text to print: the addresses of the pages, and each caller's commands. */
  readonly welcome: string
  /** Alice and Bob. */
  readonly callers: readonly DemoCaller[]
  /** A caller with the operators' scope. */
  readonly operator: DemoCaller
  fetch(request: Request): Promise<Response>
}

/**
 * A gateway with an embedded emulator and two callers, Alice and Bob. Everybody knows its secrets.
 * @throws the error of `listen` when the port is busy.
 */
export async function runDemo(options: {
  readonly host: string
  /** Port 0 takes a free one. */
  readonly port: number
  /** The SQLite file; its folder is created. */
  readonly file: string
  /** The platform that stands in for Coze. */
  readonly dialect: DialectName
  /** A cause of mixed-up sessions in the stand-in for Coze. Default: none. */
  readonly leak?: Leak | undefined
  /** Pages of this origin may call the gateway. Default: only its own. */
  readonly origin?: string | undefined
  readonly logger: Logger
}): Promise<Demo> {
  const { host, port, file, dialect, leak, origin, logger } = options
  const { publicKey, privateKey } = createDemoKeys()
  const signIn = async (name: string, scope?: string) =>
    signDemoCaller(name, demoSecrets.issuer, systemClock, scope)
  const [alice, bob] = [await signIn('Alice'), await signIn('Bob')]
  const callers = [alice, bob]

  await using stack = new AsyncDisposableStack()
  const emulator = stack.use(createEmulator(emulatorSettings(publicKey, dialect, leak)))
  const { url: emulatorUrl } = await emulator.listen()
  const settings = gatewaySettings({
    emulatorUrl,
    dialect,
    privateKey,
    host,
    port,
    file,
    origins: origin === undefined ? [] : [origin],
    // With a leak, the check at the start would find it before anybody has met it.
    checkAtStart: leak === undefined,
  })
  const config = parseConfig({ json: settings, env: {}, mode: 'demo' })
  const operator = await signIn('Operator', config.operatorScope)
  const gateway = stack.use(
    await createGateway(config, {
      logger,
      graphiqlHeaders: { authorization: `Bearer ${alice.token}` },
      demoStage: createDemoStage({ emulator, callers, operator, leak }),
    }),
  )
  await clearBreaches((request) => gateway.fetch(request), operator, config.assistants)
  const handle: Gateway['serve'] = (req, res, take) => gateway.serve(req, res, take)
  const { timeouts, limits } = config
  const server = stack.use(
    await listen({ handle, upgrades: gateway, ...config.listen, timeouts, limits, logger }),
  )
  const owned = stack.move()
  return {
    callers,
    operator,
    fetch: (request) => gateway.fetch(request),
    welcome: welcome(server.url.replace('//127.0.0.1:', '//localhost:'), dialect, callers),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** The stand-in is a new one at each start, so what an earlier one mixed up is mended. */
async function clearBreaches(
  send: (request: Request) => Promise<Response>,
  { token }: DemoCaller,
  assistants: readonly { readonly id: string }[],
): Promise<void> {
  const query =
    'mutation ($assistantId: ID!) { clearQuarantine(input: { assistantId: $assistantId }) { __typename } }'
  for (const { id: assistantId } of assistants) {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const body = JSON.stringify({ query, variables: { assistantId } })
    await send(new Request('http://demo.example/graphql', { method: 'POST', headers, body }))
  }
}
