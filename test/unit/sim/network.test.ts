import { Buffer } from 'node:buffer'
import type { Dispatcher } from 'undici'
import { describe, expect, it } from 'vitest'
import { createFaults, type FaultRow } from '../../sim/faults.ts'
import { createNetwork } from '../../sim/network.ts'
import { createRandom } from '../../kit/random.ts'
import { createTimeline } from '../../sim/timeline.ts'
import type { WireAnswer } from '../../sim/upstream/server.ts'

function setUp(rows: readonly FaultRow[] = []) {
  const timeline = createTimeline(0)
  const random = createRandom(1)
  const answers: WireAnswer[] = []
  const bodies: string[] = []
  const network = createNetwork({
    clock: timeline.clock,
    random,
    faults: createFaults(random, 'cloud', rows),
    upstream: {
      isUp: true,
      handle({ body }, answer) {
        bodies.push(body)
        answers.push(answer)
      },
    },
    onDelivered: () => undefined,
  })
  const process = timeline.process()
  const told: string[] = []
  const data: Buffer[] = []
  let controller: Dispatcher.DispatchController | undefined
  function send() {
    network.port(process).dispatch(
      { origin: 'https://upstream.test', path: '/', method: 'POST', body: 'question' },
      {
        onRequestStart(started) {
          controller = started
          told.push('sent')
        },
        onResponseStart: (_, status) => void told.push(`head ${status}`),
        onResponseData(_, chunk) {
          told.push('data')
          data.push(chunk)
        },
        onResponseEnd: () => void told.push('end'),
        onResponseError: (_, error) => void told.push(`error ${error.message}`),
      },
    )
  }
  const pass = (ms = 1_000) => timeline.run(() => false, timeline.clock.monotonic() + ms)
  const answer = () => {
    const [first] = answers
    if (first === undefined) throw new Error('nothing was asked')
    return first
  }
  return {
    network,
    process,
    told,
    data,
    bodies,
    send,
    pass,
    answer,
    get controller() {
      return controller
    },
  }
}

describe('network of the simulation', () => {
  it('brings a request to the upstream and its answer back, in order', async () => {
    const { send, pass, answer, told, data, bodies, network } = setUp()
    send()
    await pass()
    expect([told, bodies]).toEqual([['sent'], ['question']])
    answer().head(200, {})
    answer().write(Buffer.from('one'))
    answer().write(Buffer.from('two'))
    answer().end()
    await pass()
    expect(told).toEqual(['sent', 'head 200', 'data', 'data', 'end'])
    expect(Buffer.concat(data).toString()).toBe('onetwo')
    expect(network.exchanges).toBe(0)
  })

  it('F12: cuts what is written anywhere, and loses nothing', async () => {
    const { send, pass, answer, data } = setUp(['F12'])
    send()
    await pass()
    const text = '你好 😀'.repeat(20)
    answer().head(200, {})
    answer().write(Buffer.from(text))
    await pass()
    expect(data.length).toBeGreaterThan(1)
    expect(Buffer.concat(data).toString()).toBe(text)
  })

  it('F1: refuses connections for a while, and sends nothing then', async () => {
    const { send, pass, told, bodies } = setUp(['F1'])
    for (let tries = 0; tries < 40; tries += 1) send()
    await pass()
    expect(told.some((each) => each.startsWith('error'))).toBe(true)
    expect(bodies).toHaveLength(told.filter((each) => each === 'sent').length)
  })

  it('holds what arrives while the process does not want it', async () => {
    const system = setUp()
    system.send()
    await system.pass()
    system.controller?.pause()
    system.answer().head(200, {})
    system.answer().write(Buffer.from('one'))
    await system.pass()
    expect(system.told).toEqual(['sent'])
    system.controller?.resume()
    await system.pass()
    expect(system.told).toEqual(['sent', 'head 200', 'data'])
  })

  it('tells the upstream when the other side has gone, by an abort or by its death', async () => {
    for (const leave of ['abort', 'kill'] as const) {
      const system = setUp()
      system.send()
      await system.pass()
      let isGone = false
      system.answer().onGone(() => (isGone = true))
      system.answer().head(200, {})
      if (leave === 'abort') system.controller?.abort(new Error('enough'))
      else system.process.kill()
      await system.pass()
      expect([isGone, system.answer().isOpen]).toEqual([true, false])
      expect(system.told).toEqual(leave === 'abort' ? ['sent', 'error enough'] : ['sent'])
    }
  })
})
