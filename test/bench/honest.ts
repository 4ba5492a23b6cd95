/** The honest sessions of the red team: a process of their own, which the hostile ones keep waiting for no core. */
import { setTimeout as delay } from 'node:timers/promises'
import { request } from 'undici'
import { z } from 'zod'
import { send } from './hostile-client.ts'
import { answerParent } from './rpc.ts'

const input = z.object({ port: z.number(), tokens: z.array(z.string()), sends: z.number() })
const pauseMs = 60

process.send?.({ port: 0 })
answerParent({
  /** Sends message after message, of each session in its turn. How long each took, in ms, and each health check. */
  async talk(given) {
    const { port, tokens, sends: count } = input.parse(given)
    const sends: number[] = []
    const health: number[] = []
    for (let n = 0; n < count; n += 1) {
      const token = tokens[n % tokens.length] ?? ''
      sends.push(await timed(() => send(port, token, { kind: 'whole', deltas: 10 })))
      health.push(await timed(() => live(port)))
      await delay(pauseMs)
    }
    return { sends, health }
  },
})

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return performance.now() - startedAt
}

async function live(port: number): Promise<void> {
  const { body } = await request(`http://127.0.0.1:${port}/health/live`, { reset: true })
  await body.dump()
}
