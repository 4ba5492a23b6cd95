import { parseConfig } from '../config.ts'
import { demoSecrets } from '../config/demo-secrets.ts'
import { createEmulator } from '../emulator/emulator.ts'
import { createGateway, type Gateway } from '../gateway.ts'
import { systemClock } from '../lib/clock.ts'
import type { Logger } from '../observe/logger.ts'
import { listen } from '../server/node.ts'
import { signDemoCallers } from './callers.ts'
import { createDemoKeys, emulatorSettings, gatewaySettings } from './settings.ts'
import { welcome } from './welcome.ts'

export interface Demo extends AsyncDisposable {
  /** What to print: where GraphiQL is, and each caller's commands. */
  readonly welcome: string
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
  readonly logger: Logger
}): Promise<Demo> {
  const { host, port, file, logger } = options
  const { publicKey, privateKey } = createDemoKeys()
  const callers = await signDemoCallers(['Alice', 'Bob'], demoSecrets.issuer, systemClock)

  await using stack = new AsyncDisposableStack()
  const emulator = stack.use(createEmulator(emulatorSettings(publicKey)))
  const { url: emulatorUrl } = await emulator.listen()
  const settings = gatewaySettings({ emulatorUrl, privateKey, host, port, file })
  const config = parseConfig({ json: settings, env: {}, mode: 'demo' })
  const gateway = stack.use(
    await createGateway(config, {
      logger,
      graphiqlHeaders: { authorization: `Bearer ${callers[0]?.token}` },
    }),
  )
  const handle: Gateway['handle'] = (req, res) => gateway.handle(req, res)
  const { timeouts } = config
  const server = stack.use(await listen({ handle, ...config.listen, timeouts, logger }))
  const owned = stack.move()
  return {
    welcome: welcome(server.url.replace('//127.0.0.1:', '//localhost:'), callers),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
