import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { examine, rules } from '../../src/conformance/conformance.ts'
import { readByHops } from '../../src/conformance/hopping-reader.ts'
import {
  createSubject,
  eventsOf,
  isLastEvent,
  type SubjectOptions,
  builtText,
} from '../../src/conformance/subject.ts'
import { createTransports } from '../../src/conformance/transport.ts'
import { openRewritingProxy, type Rewriting } from '../kit/clients/rewriting-proxy.ts'
import { startSystem, type System, type SystemOptions } from '../kit/process/system.ts'
import { createRandom } from '../kit/random.ts'

const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))
const words = '一二三 four 😀 five '
/** Thirty seconds of deltas, which 1,000 connections share. */
const longText = '字 b 😀 d '.repeat(2_000).trim()
const limitMs = 150_000

const start = (options: SystemOptions = {}) =>
  startSystem({
    timeouts: { keepAliveMs: 300 },
    limits: { messagesPerMinute: 1_000, costPerSecond: 1_000_000 },
    emulator: { wordsPerSecond: 200 },
    ...options,
  })

function optionsFor(system: System, url = `${system.gateway.url}/graphql`): SubjectOptions {
  const target = new URL(url)
  const random = createRandom(1)
  return {
    url: target,
    transports: createTransports(target, fetch),
    token: system.person('alice').token,
    otherToken: system.person('bob').token,
    message: { text: `/say ${words.repeat(20)}` },
    fetch,
    random: () => random.next(),
    newKey: randomUUID,
    sleep: (ms) => delay(ms),
  }
}

const replace = (from: RegExp, to: string): Rewriting => ({
  received: (text) => [text.replace(from, to)],
})
const drop = (pattern: RegExp): Rewriting => ({
  received: (text) => (pattern.test(text) ? [] : [text]),
})
const change = (name: string, value: string): Rewriting => ({
  head(status, headers) {
    headers[name] = value
    return status
  },
})
/** The second time and later: the first one is let through. */
function dropLater(pattern: RegExp): Rewriting {
  let seen = 0
  return { received: (text) => (pattern.test(text) && (seen += 1) > 1 ? [] : [text]) }
}
const newKeys: Rewriting = {
  sent: (text) =>
    text.replace(/"idempotencyKey":"[^"]*"/, () => `"idempotencyKey":"${randomUUID()}"`),
}

/** A gateway that breaks a rule, for each rule: the command must find it. */
const violations: Readonly<Record<string, Rewriting>> = {
  '1.1': change('content-type', 'text/event-streams'),
  '1.2': drop(/^:|^\r\ncontent-type: application\/json\r\n\r\n\{\}$/),
  '1.3': dropLater(/^:$|^ping$/),
  '1.4': change('x-accel-buffering', 'yes'),
  '2.1': replace(/\nid: .*/, '\nid: another'),
  '2.2': replace(/(data: .*)\n(id: .*)/, '$2\n$1'),
  '2.3': drop(/"ReplyStarted"/),
  '2.4': { received: (text) => (text.includes('"ReplyCompleted"') ? [text, text] : [text]) },
  '2.5': replace(/"offset":/, '"offset":9'),
  '2.6': replace(/"offset":(.*)😀/, '"offset":$1\\ud83d'),
  '2.7': replace(/"offset":(.*)four/, '"offset":$1for'),
  '2.8': drop(/event: complete/),
  '2.9': replace(/ReplyCompleted/, 'ReplyCancelled'),
  '3.1': { sent: (text) => text.replace(/"after":"[^"]*"/, '"other":""') },
  '3.2': { sent: (text) => (text.startsWith('{') ? text : '') },
  '3.3': replace(/("offset":.*)"text":"[^"]*"/, '$1"text":""'),
  '3.4': { head: (status) => (status === 204 ? 200 : status) },
  '3.5': drop(/"ReplyStarted"/),
  '3.6': replace(/BAD_USER_INPUT/, 'INTERNAL_SERVER_ERROR'),
  '3.7': replace(/NOT_FOUND/, 'FORBIDDEN'),
  '4.1': replace(/ReplyCancelled|ReplyCompleted/, 'ReplyFailed'),
  '4.2': replace(/resumeAfter/, 'after'),
  '4.3': drop(/^retry:/),
  '5.1': newKeys,
  '5.2': newKeys,
  '5.3': newKeys,
  '6.1': { head: (status) => (status === 401 ? 403 : status) },
  '6.2': replace(/NOT_FOUND/, 'FORBIDDEN'),
  '6.3': replace(/GRAPHQL_VALIDATION_FAILED/, 'BAD_REQUEST'),
  '6.4': change('cache-control', 'public, max-age=60'),
}

describe('the command conformance', () => {
  it('finds that this gateway keeps every sentence of the protocol, to the drain', async () => {
    await using system = await start()
    const directory = await mkdtemp(join(tmpdir(), 'conformance-'))
    try {
      const tokens = {
        token: system.person('alice').token,
        'other-token': system.person('bob').token,
        'expiring-token': system.tokenFor('alice', 15),
      }
      const files = Object.entries(tokens).map(([name, token]) => {
        const file = join(directory, name)
        return { file, token, args: [`--${name}-file`, file] }
      })
      for (const { file, token } of files) await writeFile(file, `${token}\n`)
      const target = ['--url', system.gateway.url, '--text', `/say ${words.repeat(20)}`]
      const drain = ['--drain-command', `kill -TERM ${system.gateway.pid}`]
      const credentials = files.flatMap(({ args }) => args)
      const { code, output } = await runCommand([...target, ...credentials, ...drain])
      expect(output).toContain(`\n${rules.length} hold, 0 violated, 0 not tested\n`)
      expect(code).toBe(0)
    } finally {
      await rm(directory, { recursive: true })
    }
  })

  it('ends with 1 where a MUST is violated, and says what was seen', async () => {
    await using system = await start()
    await using proxy = await openRewritingProxy(
      `${system.gateway.url}/graphql`,
      violations['2.7'] ?? {},
    )
    const directory = await mkdtemp(join(tmpdir(), 'conformance-'))
    try {
      const file = join(directory, 'token')
      await writeFile(file, system.person('alice').token)
      const text = `/say ${words.repeat(20)}`
      const args = ['--url', proxy.url, '--token-file', file, '--text', text]
      const { code, output } = await runCommand(args)
      expect(output).toMatch(/^2\.7 +MUST +VIOLATED .*\n +SSE: the deltas make another text$/m)
      expect(output).toMatch(/^4\.3 +MUST +not tested .*\n +needs --drain-command$/m)
      expect(code).toBe(1)
    } finally {
      await rm(directory, { recursive: true })
    }
  })
})

describe('a planted violation', () => {
  let system: System
  beforeAll(async () => void (system = await start()), limitMs)
  afterAll(() => system[Symbol.asyncDispose]())

  it.each(rules.map(({ id, sentence }) => [id, sentence]))('of %s is found: %s', async (id) => {
    const rewriting = violations[id]
    if (rewriting === undefined) throw new Error(`no violation of ${id} is planted`)
    const rule = rules.find((one) => one.id === id)
    await using own = rule?.needs === 'drain' ? await start() : undefined
    const { gateway } = own ?? system
    await using proxy = await openRewritingProxy(`${gateway.url}/graphql`, rewriting)
    const options: SubjectOptions = {
      ...optionsFor(own ?? system, proxy.url),
      expiringToken: (own ?? system).tokenFor('alice', 3),
      drain: async () => gateway.signal('SIGTERM'),
    }
    const wanted = rules.filter((one) => one === rule)
    const results = await Array.fromAsync(examine(wanted, options, AbortSignal.timeout(limitMs)))
    expect(results.map(({ outcome }) => outcome)).toEqual(['VIOLATED'])
    expect(results[0]?.reason).not.toMatch(/Error/)
  })
})

describe('server-sent events, multipart and WebSocket', () => {
  let system: System
  beforeAll(async () => {
    system = await start({ emulator: { wordsPerSecond: 250 } })
  }, limitMs)
  afterAll(() => system[Symbol.asyncDispose]())

  it('show the same of a reply that has ended: the same events under the same cursors', async () => {
    const subject = createSubject(optionsFor(system), AbortSignal.timeout(limitMs))
    const { replyId, text } = await subject.sample()
    const seen = await Promise.all(
      subject.transports.map((transport) => subject.observe(transport, { variables: { replyId } })),
    )
    const [first = [], ...others] = seen.map(eventsOf)
    expect(builtText(first)).toBe(text)
    expect(others).toEqual([first, first])
  })

  it('are one to a reader who hops between them at 1,000 random cuts: one text, one end', async () => {
    const options = {
      ...optionsFor(system),
      message: { text: `/say ${longText}`, assistantId: 'bot' },
    }
    const subject = createSubject(options, AbortSignal.timeout(limitMs))
    const replyId = await subject.send()
    const { events, cuts } = await readByHops(subject, replyId, { cuts: 1_000, maxBytes: 700 })
    expect(cuts).toBe(1_000)
    expect(events.filter(isLastEvent)).toHaveLength(1)
    expect(builtText(events)).toBe(longText)
  })
})

async function runCommand(args: readonly string[]) {
  const { promise, resolve } = Promise.withResolvers<{ code: unknown; output: string }>()
  const command = [cli, 'conformance', ...args]
  execFile(process.execPath, command, { timeout: limitMs }, (error, stdout, stderr) =>
    resolve({ code: error?.code ?? 0, output: stdout + stderr }),
  )
  return await promise
}
