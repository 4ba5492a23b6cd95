import { copyFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Agent } from 'undici'
import type { Config } from '../../../src/config/config.ts'
import { createGateway, type Gateway } from '../../../src/compose/gateway.ts'
import type { Logger } from '../../../src/observe/logger.ts'
import { uncounted } from '../fakes/metrics.ts'

/** One gateway, from its start to its end. */
export interface Life {
  readonly gateway: Gateway
  /** Whatever it says after its end reaches nobody. */
  readonly ended: AbortSignal
}

/** A gateway in this process that dies as if killed, and comes back to what it had on disk. */
export interface Lives extends AsyncDisposable {
  /** Who serves, or will. */
  current(): Promise<Life>
  /** False: it is coming or going already. */
  crash(): Promise<boolean>
  /** Ends in order and comes back. False: it is coming or going already. */
  restart(): Promise<boolean>
}

export interface LivesOptions {
  /** Of its own: a file of the store for each death. */
  readonly directory: string
  readonly configOf: (storeFile: string) => Config
  readonly logger: Logger
  readonly onCrash: () => void
}

/** What a request of a life is answered with that has ended. */
export class DiedError extends Error {
  override readonly name = 'DiedError'
  constructor() {
    super('the gateway has died')
  }
}

export async function openLives(options: LivesOptions): Promise<Lives> {
  let files = 0
  let isChanging = false
  const endings: Promise<void>[] = []
  let living = await live(nextFile())
  let next = Promise.resolve<Life>(living)

  function nextFile(): string {
    files += 1
    return join(options.directory, `life-${files}.db`)
  }

  async function live(file: string) {
    const ended = new AbortController()
    const network = new Agent()
    const logger = lasting(options.logger, ended.signal)
    const gateway = await createGateway(options.configOf(file), {
      logger,
      metrics: uncounted,
      dispatcher: network,
    })
    return {
      file,
      gateway,
      network,
      ended: ended.signal,
      end: () => ended.abort(new DiedError()),
    }
  }

  /** `end` ends the present life and names the file of the next one; who comes after `gone` is served by that. */
  async function change(end: (gone: () => void) => Promise<string>): Promise<boolean> {
    if (isChanging) return false
    isChanging = true
    const { promise, resolve, reject } = Promise.withResolvers<Life>()
    promise.catch(() => undefined)
    try {
      living = await live(
        await end(() => {
          next = promise
        }),
      )
      resolve(living)
    } catch (error) {
      reject(error)
      throw error
    } finally {
      isChanging = false
    }
    return true
  }

  return {
    current: () => next,
    crash: () =>
      change(async (gone) => {
        // All in one turn: what the next life finds is what a killed process leaves behind.
        const { file, network, gateway, end } = living
        const copy = nextFile()
        copyStore(file, copy)
        gone()
        end()
        const cut = network.destroy()
        options.onCrash()
        // It goes on dying in a file that nobody reads, and cut off from everybody.
        endings.push(gateway.close().then(() => cut))
        return copy
      }),
    restart: () =>
      change(async (gone) => {
        const { file, network, gateway, end } = living
        await gateway.close()
        gone()
        end()
        await network.destroy()
        return file
      }),
    async [Symbol.asyncDispose]() {
      await living.gateway.close()
      living.end()
      await living.network.destroy()
      await Promise.all(endings)
    },
  }
}

/**
 * Another thread may be writing: it puts what is new at the end of the log file, and now and then moves that into the other
 * one. A copy is whole when nothing was moved meanwhile.
 */
function copyStore(file: string, copy: string): void {
  const changedAt = () => statSync(file, { bigint: true }).mtimeNs
  for (let before = changedAt(), isWhole = false; !isWhole;) {
    copyFileSync(`${file}-wal`, `${copy}-wal`)
    copyFileSync(file, copy)
    const after = changedAt()
    isWhole = after === before
    before = after
  }
}

/** Says nothing after the end. */
function lasting(logger: Logger, ended: AbortSignal): Logger {
  const guard =
    (level: keyof Logger): Logger[typeof level] =>
    (fields, message) => {
      if (!ended.aborted) logger[level](fields, message)
    }
  return { debug: guard('debug'), info: guard('info'), warn: guard('warn'), error: guard('error') }
}
