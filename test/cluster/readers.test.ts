import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { repliesOr } from '../kit/clients/load.ts'
import { readWithCuts } from '../kit/clients/reading.ts'
import { createTalk } from '../kit/clients/talk.ts'
import { checkAndKeep } from '../kit/history/kept.ts'
import { type Cluster, startCluster } from '../kit/process/cluster.ts'
import { type PostgresServer, startPostgres } from '../kit/process/postgres.ts'
import { figure } from '../kit/process/soak.ts'
import { createRandom } from '../kit/random.ts'

const replies = repliesOr(figure(40, 1_000))
const atOnce = 12
const cutsPerReader = 5

describe('three instances behind a load balancer without sticky sessions', () => {
  let server: PostgresServer
  let cluster: Cluster
  beforeAll(async () => {
    server = await startPostgres()
    cluster = await startCluster({
      store: await server.newDatabase(),
      emulator: { wordsPerSecond: 100 },
      timeouts: { recoverMs: 20_000 },
    })
  })
  afterAll(async () => {
    await cluster[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  it(`P2 P3: ${replies} replies are whole for subscribers that reconnect ${cutsPerReader} times, wherever they come to`, async () => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    const random = createRandom(seed)
    const talk = createTalk(cluster)
    const left = Array.from({ length: replies }, (_, index) => index).values()

    async function readSome(): Promise<void> {
      for (const index of left) {
        const who = cluster.person(`reader-${index % 20}`)
        const assistantId = index % 2 === 0 ? 'flow' : 'bot'
        const conversationId = await talk.startConversation(who, assistantId)
        const text = `/long ${40 + random.int(40)}`
        const { id } = await talk.send(who, { text, conversationId })
        let cuts = 0
        const cutAfter = () => (cuts++ < cutsPerReader ? 200 + random.int(1_500) : Infinity)
        const reading = { reader: `reader of ${index}`, who, replyId: id, cutAfter }
        await readWithCuts(cluster, talk.recorder, reading)
      }
    }

    await Promise.all(Array.from({ length: atOnce }, readSome))
    await talk.settle()
    expect(await checkAndKeep(talk.recorder.history, `readers-${seed}`)).toEqual([])
    for (const count of cluster.balancer.counts) expect(count).toBeGreaterThan(replies)
  })
})
