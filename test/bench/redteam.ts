/**
 * `npm run bench:redteam`: what hostile sessions cost the others, at default limits.
 *
 *     attacker ──► gateway ──► fake upstream, hostile upstream
 *     honest client ──┘
 *
 * On a fresh gateway honest sessions send message after message, first alone, then beside the attack. Told are the longest
 * turn of the gateway's event loop, as time that passed and as time of the processor (on a busy machine only the latter
 * says what the gateway did), the most memory that was resident, and how long honest sends and health answers took.
 */
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { assistantName, type Attack, attacks } from './attacks.ts'
import { send } from './hostile-client.ts'
import { canPin, type Part, startPart } from './processes.ts'
import { callerToken } from './protocols.ts'
import { type GatewaySubject, startGateway, startHttp2Gateway } from './servers.ts'
import { percentile } from './statistics.ts'

const { values: options } = parseArgs({
  options: {
    /** Only attacks whose names hold one of these. */
    only: { type: 'string', multiple: true, default: [''] },
    /** Sends of the honest sessions, with the attack and without. */
    sends: { type: 'string', default: '50' },
    /** A folder for a CPU profile of each attack; spoils the figures. */
    profile: { type: 'string' },
  },
})

const sends = Number(options.sends)
/** A session may send 60 in a minute, and sends up to 55. */
const honestSessions = Math.ceil(sends / 18)

interface Honest {
  readonly client: Part
  readonly tokens: readonly string[]
}

const talked = z.object({ sends: z.array(z.number()), health: z.array(z.number()) })
const holds = z.object({ wallMs: z.number(), cpuMs: z.number(), peakBytes: z.number() })

await run()

async function run(): Promise<void> {
  if (canPin) spawnSync('taskset', ['-acp', '1', String(process.pid)])
  const secret = randomBytes(32).toString('hex')
  await using upstream = await startPart('others', 'upstream.ts', [])
  await using hostile = await startPart('others', 'hostile-upstream.ts', [])
  const others = Object.fromEntries(
    ['gigabytes', 'drops', 'bombs', 'headers'].flatMap((way) =>
      ['token', 'create'].map((call) => [
        assistantName(call, way),
        `http://127.0.0.1:${hostile.port}/${call}/${way}`,
      ]),
    ),
  )
  print(
    `${''.padEnd(36)}  held: wall    CPU  peak MB   send alone: p50  p95   beside: p50  p95  health p95`,
  )
  for (const attack of attacks) {
    if (!options.only.some((part) => attack.name.includes(part))) continue
    await using attacker = await startPart('others', 'attacker.ts', [secret])
    const start = attack.isHttp2 ? startHttp2Gateway : startGateway
    await using gateway = await start(`http://127.0.0.1:${upstream.port}`, secret, {}, others)
    const tokens = Array.from({ length: honestSessions }, (_, n) => callerToken(n, secret))
    await using client = await startPart('others-first', 'honest.ts', [])
    const honest = { client, tokens }
    print(await measure(attack, gateway, attacker, honest))
  }
}

async function measure(
  attack: Attack,
  gateway: GatewaySubject,
  attacker: Part,
  honest: Honest,
): Promise<string> {
  const { port, http2Port } = gateway
  const asked = { name: attack.name, port, http2Port }
  await attacker.ask('prepare', asked, z.unknown())
  for (const token of honest.tokens) await send(port, token, { kind: 'whole', deltas: 10 })
  // The code that sends is compiled by then, as it is beside the attack.
  await talk(honest, port)
  const alone = await talk(honest, port)
  if (options.profile) await gateway.ask('profileStart', undefined, z.unknown())
  await gateway.ask('holdsStart', undefined, z.unknown())
  await attacker.ask('begin', asked, z.unknown())
  const beside = await talk(honest, port)
  const { wallMs, cpuMs, peakBytes } = await gateway.ask('holdsStop', undefined, holds)
  if (options.profile) {
    const file = `${options.profile}/${attack.name.replaceAll(/\W+/g, '-')}.cpuprofile`
    await gateway.ask('profileStop', file, z.unknown())
  }
  await attacker.ask('end', undefined, z.unknown())
  const figures = [
    [wallMs, 12],
    [cpuMs, 7],
    [peakBytes / 1e6, 9],
    [percentile(alone.sends, 50), 17],
    [percentile(alone.sends, 95), 5],
    [percentile(beside.sends, 50), 14],
    [percentile(beside.sends, 95), 5],
    [percentile(beside.health, 95), 12],
  ] as const
  return (
    attack.name.padEnd(36) +
    figures.map(([value, width]) => value.toFixed(0).padStart(width)).join('')
  )
}

/** Of the honest sessions; how long each send took, in ms, and each answer of the health check. */
async function talk({ client, tokens }: Honest, port: number) {
  return await client.ask('talk', { port, tokens, sends }, talked)
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
