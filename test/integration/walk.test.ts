import { randomInt, randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { apiKey } from '../kit/api-keys.ts'
import { signToken } from '../kit/hs256.ts'
import { figure, isSoak } from '../kit/soak.ts'
import { openStage, type StageOptions } from '../kit/stage.ts'
import { watchHealth } from '../kit/walk/health.ts'
import { walk, type Walker, type WalkReport } from '../kit/walk/walk.ts'

const audience = 'gateway'
/** `WALK_SEED=<seed>` walks from it again, as nearly as a race allows. */
// oxlint-disable-next-line node/no-process-env
const { WALK_SEED: given } = process.env

/** Told at once: whoever does not come to the end of a walk wants to know where it began. */
function drawSeed(): number {
  const seed = given === undefined ? randomInt(2 ** 31) : Number(given)
  console.log(`walk from seed ${seed}`)
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
async function openWalk(options: StageOptions) {
  const issuers = ['https://one.test', 'https://two.test'].map((issuer) => ({
    issuer,
    audience,
    secret: randomUUID(),
  }))
  const backend = apiKey('shop')
  const stage = await openStage({
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
  const guest = await fetch(`${stage.gateway.url}/auth/guest`, { method: 'POST' })
  const { token } = (await guest.json()) as { token: string }
  const walkers: readonly Walker[] = [
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
  return { stage, walkers }
}

function show(seed: number, steps: number, { statuses, codes, coverage }: WalkReport): string {
  const { all, unanswered } = coverage
  return `walk of ${steps} from seed ${seed}: ${JSON.stringify({ statuses, codes })}, ${all.length - unanswered.length} of ${all.length} fields answered`
}

describe('a random walk over the schema', () => {
  it('meets no fault, no flood and nothing of another session, while health answers', async () => {
    const { stage, walkers } = await openWalk({ limits: wide })
    await using _stage = stage
    await using health = watchHealth(stage.gateway.url)
    const seed = drawSeed()
    const steps = figure(2_000, 100_000)
    const report = await walk({ url: stage.gateway.url, walkers, seed, steps, atOnce: 8 })
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
    expect((await stage.emulator.state()).problems).toEqual([])
  }, 3_600_000)

  it('is refused in order where the limits are as they come', async () => {
    const { stage, walkers } = await openWalk({})
    await using _stage = stage
    const seed = drawSeed()
    const steps = figure(600, 10_000)
    const report = await walk({ url: stage.gateway.url, walkers, seed, steps, atOnce: 8 })
    console.log(show(seed, steps, report))
    expect(report.complaints).toEqual([])
  }, 3_600_000)
})
