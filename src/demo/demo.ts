import { parseConfig } from '../config/config.ts'
import { demoSecrets } from '../config/demo-secrets.ts'
import { createEmulator } from '../emulator/emulator.ts'
import type { DialectName, Leak } from '../emulator/options.ts'
import { createGateway, type Gateway } from '../compose/gateway.ts'
import { systemClock } from '../lib/clock.ts'
import type { Logger } from '../observe/logger.ts'
import { listen } from '../server/node/listener.ts'
import { type DemoCaller, signDemoCallers } from './callers.ts'
import { createDemoKeys, emulatorSettings, gatewaySettings } from './settings.ts'
import { welcome } from './welcome.ts'

export interface Demo extends AsyncDisposable {
  /** What to print: where GraphiQL is, and each caller's commands. */
  readonly welcome: string
  /** Alice and Bob. */
  readonly callers: readonly DemoCaller[]
  /** One with the operators' scope. */
  readonly operator: DemoCaller
  fetch(request: Request): Promise<Response>
}

/**
 * A gateway with an embedded emulator and two callers, Alice and Bob. Its secrets are known to everybody.
 * @throws the error of `listen` when the port is busy.
 */
export async function runDemo(options: {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** The SQLite file; its folder is created. */
  readonly file: string
  /** Which platform the stand-in plays. */
  readonly dialect: DialectName
  /** What mixes sessions up in the stand-in for Coze. Default: nothing. */
  readonly leak?: Leak | undefined
  readonly logger: Logger
}): Promise<Demo> {
  const { host, port, file, dialect, leak, logger } = options
  const { publicKey, privateKey } = createDemoKeys()
  const callers = await signDemoCallers(['Alice', 'Bob'], demoSecrets.issuer, systemClock)

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
    // Else the look finds the leak before anybody has met it.
    checkAtStart: leak === undefined,
  })
  const config = parseConfig({ json: settings, env: {}, mode: 'demo' })
  const gateway = stack.use(
    await createGateway(config, {
      logger,
      graphiqlHeaders: { authorization: `Bearer ${callers[0]?.token}` },
    }),
  )
  const handle: Gateway['serve'] = (req, res, take) => gateway.serve(req, res, take)
  const { timeouts, limits } = config
  const server = stack.use(await listen({ handle, ...config.listen, timeouts, limits, logger }))
  const [operator] = await signDemoCallers(
    ['Operator'],
    demoSecrets.issuer,
    systemClock,
    config.operatorScope,
  )
  if (operator === undefined) throw new TypeError('the demo has no operator')
  const owned = stack.move()
  return {
    callers,
    operator,
    fetch: (request) => gateway.fetch(request),
    welcome: welcome(server.url.replace('//127.0.0.1:', '//localhost:'), dialect, callers),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
