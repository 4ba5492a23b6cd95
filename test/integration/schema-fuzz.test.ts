import { randomInt, randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { apiKey } from '../kit/credentials/api-keys.ts'
import { signToken } from '../kit/credentials/hs256.ts'
import { figure, isSoak } from '../kit/process/soak.ts'
import { startSystem, type SystemOptions } from '../kit/process/system.ts'
import { watchHealth } from '../kit/schema-fuzz/health.ts'
import { fuzz, type FuzzClient, type FuzzReport } from '../kit/schema-fuzz/fuzz.ts'

const audience = 'gateway'
/** `FUZZ_SEED=<seed>` begins with it again, as nearly as a race allows. */
// oxlint-disable-next-line node/no-process-env
const { FUZZ_SEED: given } = process.env

/** Told at once: whoever does not come to the end wants to know where it began. */
function drawSeed(): number {
  const seed = given === undefined ? randomInt(2 ** 31) : Number(given)
  console.log(`schema fuzz from seed ${seed}`)
  return seed
}

const wide = {
  messagesPerMinute: 1_000_000,
  costPerSecond: 1_000_000_000,
  guestMessagesPerMinute: 1_000_000,
  uploadsPerMinute: 1_000_000,
  maxOpenPerSession: 1_000,
  maxRunningPerSession: 100,
  maxSubscriptionsPerSession: 1_000,
}

/** Everybody who may come: users of two issuers, a backend's user, a guest, an operator, and who is let in by nobody. */
async function openFuzzed(options: SystemOptions) {
  const issuers = ['https://one.test', 'https://two.test'].map((issuer) => ({
    issuer,
    audience,
    secret: randomUUID(),
  }))
  const backend = apiKey('shop')
  const system = await startSystem({
    ...options,
    workflow: {
      attachmentParameter: 'doc',
      messageParameters: ['city'],
      messageMetadata: ['ticket'],
    },
    config: {
      issuers,
      apiKeys: [backend.settings],
      guests: { key: randomUUID(), perMinutePerAddress: 1_000_000, perMinute: 1_000_000 },
      cookie: {},
      logging: { level: 'info' },
    },
  })
  const bearer = (at: number, subject: string, scope?: string) => {
    const { issuer = '', secret = '' } = issuers[at] ?? {}
    const claims = { issuer, audience, secret, subject, expiresInSeconds: 7_200, scope }
    return { authorization: `Bearer ${signToken(claims)}` }
  }
  const guest = await fetch(`${system.gateway.url}/auth/guest`, { method: 'POST' })
  const { token } = (await guest.json()) as { token: string }
  const clients: readonly FuzzClient[] = [
    { name: 'alice', headers: bearer(0, 'alice') },
    { name: 'bob', headers: bearer(0, 'bob') },
    { name: 'otheralice', headers: bearer(1, 'alice') },
    { name: 'operator', headers: bearer(1, 'operator', 'coze-gateway:operator') },
    {
      name: 'customer',
      headers: { authorization: `ApiKey ${backend.key}`, 'x-session-subject': 'alice' },
    },
    { name: 'guest', headers: { authorization: `Bearer ${token}` } },
    { name: 'nobody', headers: {} },
    { name: 'garbage', headers: { authorization: 'Bearer a.b.c' } },
  ]
  return { system, clients }
}

function show(seed: number, steps: number, { statuses, codes, coverage }: FuzzReport): string {
  const { all, unanswered } = coverage
  return `run of ${steps} from seed ${seed}: ${JSON.stringify({ statuses, codes })}, ${all.length - unanswered.length} of ${all.length} fields answered`
}

describe('random operations over the schema', () => {
  it('meets no fault, no flood and nothing of another session, while health answers', async () => {
    const { system, clients } = await openFuzzed({ limits: wide })
    await using _system = system
    await using health = watchHealth(system.gateway.url)
    const seed = drawSeed()
    const steps = figure(2_000, 100_000)
    const report = await fuzz({ url: system.gateway.url, clients, seed, steps, atOnce: 8 })
    const p99 = health.percentile(0.99)
    console.log(`${show(seed, steps, report)}; health p99 ${p99.toFixed(1)} ms`)
    expect(report.complaints).toEqual([])
    expect([...health.statuses]).toEqual([200])
    const { all, unselected } = report.coverage
    expect(unselected.length).toBeLessThan(all.length / 10)
    if (isSoak) {
      expect(unselected).toEqual([])
      expect(p99).toBeLessThanOrEqual(100)
    }
    expect((await system.emulator.state()).problems).toEqual([])
  }, 3_600_000)

  it('is refused in order where the limits are as they come', async () => {
    const { system, clients } = await openFuzzed({})
    await using _system = system
    const seed = drawSeed()
    const steps = figure(600, 10_000)
    const report = await fuzz({ url: system.gateway.url, clients, seed, steps, atOnce: 8 })
    console.log(show(seed, steps, report))
    expect(report.complaints).toEqual([])
  }, 3_600_000)
})
