/** The hostile sessions of the red team: a process of their own, so that what they read keeps no honest client waiting. */
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { type Attack, attacks } from './attacks.ts'
import { type Hostile, isCompleted, sendPatiently } from './hostile-client.ts'
import type { Plan } from './plan.ts'
import { callerToken } from './protocols.ts'
import { answerParent } from './rpc.ts'

const secret = z.string().parse(process.argv[2])
const input = z.object({ name: z.string(), port: z.number(), http2Port: z.number().optional() })
/** Sessions that prepare at once. */
const atOnce = 8
/** Code units of a message: a little less than one may have. */
const messageLength = 32_000
/** Code units of a delta, of which 40,960 make 1.5 % of a mebibyte. */
const deltaLength = 40_960

let ending = new AbortController()
let running: Promise<void> | undefined
let hostile: readonly Hostile[] = []

process.send?.({ port: 0 })
answerParent({
  async prepare(given) {
    const { name, port } = input.parse(given)
    const { has, sessions = atOnce } = find(name)
    const tokens = Array.from({ length: sessions }, (_, n) => callerToken(1_000 + n, secret))
    const prepared: Hostile[] = []
    while (tokens.length > 0) {
      const some = tokens.splice(0, atOnce)
      prepared.push(...(await Promise.all(some.map((token) => prepare(port, token, has)))))
    }
    hostile = prepared
  },
  begin(given) {
    const { name, port, http2Port } = input.parse(given)
    ending = new AbortController()
    running = find(name).run({ port: http2Port ?? port, hostile }, ending.signal)
    // Awaited at the end.
    running.catch(() => undefined)
  },
  async end() {
    ending.abort()
    await running
  },
})

function find(name: string): Attack {
  const attack = attacks.find((one) => one.name === name)
  if (!attack) throw new TypeError(`no attack is called ${name}`)
  return attack
}

async function prepare(port: number, token: string, has: Attack['has']): Promise<Hostile> {
  const replies: string[] = []
  const messages: string[] = []
  const talk = async (plan: Plan, padding?: number) => {
    const sent = await sendPatiently(port, token, plan, { padding })
    while (!(await isCompleted(port, token, sent.reply))) await delay(20)
    return sent
  }
  const deltas = Math.round(((has?.mebibytes ?? 0) * 1_048_576) / deltaLength)
  for (let n = 0; n < (has?.replies ?? 0); n += 1) {
    const plan = { kind: 'large', deltas, length: deltaLength, alphabet: 'latin' } as const
    replies.push((await talk(plan)).reply)
  }
  for (let n = 0; n < (has?.messages ?? 0); n += 1) {
    messages.push((await talk({ kind: 'whole', deltas: 1 }, messageLength)).message)
  }
  return { token, replies, messages }
}
