import fc from 'fast-check'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { execute, parse, validate } from 'graphql'
import { describe, expect, it } from 'vitest'
import { limitsSchema } from '../../src/config/sections/limits.ts'
import type { ConversationId } from '../../src/domain.ts'
import { fieldCosts } from '../../src/graphql/cost.ts'
import { encodeGlobal } from '../../src/graphql/global-id.ts'
import { schema } from '../../src/graphql/schema.ts'
import { encodeJson } from '../../src/lib/json-text.ts'
import { createTurns } from '../../src/lib/turns.ts'
import { checkDocument } from '../../src/server/graphql/document-limits.ts'
import { AnswerBudget } from '../../src/graphql/execution/answer-budget.ts'
import { uploadsSchema } from '../../src/config/sections/uploads.ts'
import { createClient } from '../kit/clients/client.ts'
import { message } from '../kit/fakes/engine.ts'
import { openFakeGateway, unproven } from '../kit/fakes/gateway.ts'
import { assistants, createFakeSession, type FakeSession } from '../kit/fakes/session.ts'
import { completed } from '../kit/fakes/stored-replies.ts'
import { uncounted } from '../kit/fakes/metrics.ts'
import { until } from '../kit/process/until.ts'

/** As a red team's: large messages, some with long answers, in a few conversations. */
const conversations = 4
const messagesEach = 60
const texts = ['x'.repeat(32_000), '世'.repeat(9_000), '\u0001"\n'.repeat(2_000), 'short']
const token = 'big'
const limits = { ...limitsSchema.parse({}), maxCost: 2 ** 31 - 1, costPerSecond: 2 ** 31 - 1 }
/** As of the server. */
const unitsPerTurn = 131_072
const unitsPerField = 64
/** Fields that are resolved without taking turns. */
const freeFields = 500

/** Selections of each type that lead to texts, and further. */
const leaves: Readonly<Record<string, readonly string[]>> = {
  Message: ['id', 'text', 'role', 'createdAt', '__typename'],
  Reply: ['id', 'text', 'status', 'reasoning', 'followUps', '__typename'],
  Conversation: ['id', 'title', '__typename'],
}
const ways: Readonly<Record<string, readonly (readonly [field: string, type: string])[]>> = {
  Message: [['reply', 'Reply']],
  Reply: [
    ['conversation', 'Conversation'],
    ['message', 'Message'],
    ['answer', 'Message'],
  ],
  Conversation: [['messages', 'page of Message']],
}

const alias = fc.oneof(
  { weight: 5, arbitrary: fc.constant('') },
  fc.constantFrom('a: ', 'b: ', 'c: '),
)
const size = fc.constantFrom('', '(first: 2)', '(first: 100)', '(last: 60)')

function selection(type: string, depth: number): fc.Arbitrary<string> {
  const leaf = fc
    .tuple(alias, fc.constantFrom(...(leaves[type] ?? [])))
    .map(([name, field]) => `${name === '' ? '' : `${name.slice(0, 1)}${field}: `}${field}`)
  if (depth === 0) return leaf
  const way = fc
    .tuple(alias, fc.constantFrom(...(ways[type] ?? [])), size)
    .chain(([name, [field, to], rows]) =>
      to.startsWith('page of ')
        ? selections(to.slice(8), depth - 1).map(
            (inner) =>
              `${name === '' ? '' : `${name.slice(0, 1)}${field}${rows.length}: `}${field}${rows} { edges { node { ${inner} } } }`,
          )
        : selections(to, depth - 1).map(
            (inner) => `${name === '' ? '' : `${name.slice(0, 1)}${field}: `}${field} { ${inner} }`,
          ),
    )
  return fc.oneof({ weight: 2, arbitrary: leaf }, { weight: 3, arbitrary: way })
}

function selections(type: string, depth: number): fc.Arbitrary<string> {
  return fc
    .array(selection(type, depth), { minLength: 1, maxLength: 4 })
    .map((parts) => parts.join(' '))
}

const ids = (type: string, prefix: string, count: number) =>
  JSON.stringify(Array.from({ length: count }, (_, n) => encodeGlobal(type, `${prefix}${n}`)))

const roots = fc.oneof(
  selections('Conversation', 3).map(
    (inner) => `conversations(first: 4) { edges { node { ${inner} } } }`,
  ),
  selections('Message', 2).map(
    (inner) => `nodes(ids: ${ids('Message', 'm', 100)}) { ... on Message { ${inner} } }`,
  ),
  selections('Reply', 2).map(
    (inner) => `nodes(ids: ${ids('Reply', 'r', 100)}) { ... on Reply { ${inner} } }`,
  ),
  selections('Conversation', 4).map(
    (inner) => `conversation(id: "${encodeGlobal('Conversation', 'c0')}") { ${inner} }`,
  ),
)
const documents = fc
  .array(roots, { minLength: 1, maxLength: 6 })
  .map((parts) => `{ ${parts.map((part, n) => `r${n}: ${part}`).join(' ')} }`)

/** Twelve thousand fields, all of which can be resolved at once when their hundred rows are there. */
const dense = `{ ${Array.from({ length: 4 }, (_, n) => `n${n}: nodes(ids: ${ids('Message', 'm', 100)}) { ... on Message { ...Many } }`).join(' ')} }
  fragment Many on Message { ${Array.from({ length: 6 }, (_, n) => `f${n}: role`).join(' ')} ${'id role createdAt rating reply { id status } attachments { id } '} }`

async function fill(session: FakeSession): Promise<void> {
  for (let c = 0; c < conversations; c += 1) {
    let conversationId: ConversationId | undefined
    for (let n = 0; n < messagesEach; n += 1) {
      const text = texts[(c + n) % texts.length] ?? ''
      const reply = await session.replies.sendMessage(message(text, { conversationId }))
      conversationId = reply.conversationId
      if (n % 7 === 0)
        session.append(reply.id, completed('an answer of many words '.repeat(n * 100)))
    }
  }
}

/** The greatest step of a count from one turn of the event loop to the next, while some work goes on. */
async function steepest<T>(work: Promise<T>, count: () => number): Promise<readonly [number, T]> {
  let isOver = false
  const watched = work.finally(() => (isOver = true))
  let last = 0
  let steepestStep = 0
  while (!isOver) {
    await nextTurn()
    steepestStep = Math.max(steepestStep, count() - last)
    last = count()
  }
  return [steepestStep, await watched]
}

describe('random documents over a big session', () => {
  it('get no answer over the cap, and no document stops the next', async () => {
    await using gateway = await openFakeGateway({ limits })
    using client = createClient(gateway.url)
    await fill(gateway.session(token))
    const outcomes = { whole: 0, refused: 0 }
    await fc.assert(
      fc.asyncProperty(documents, async (query) => {
        const { status, body } = await client.call({ token, query })
        const { errors, data } = JSON.parse(body)
        expect(Buffer.byteLength(body)).toBeLessThanOrEqual(limits.maxAnswerBytes)
        const code = errors?.[0]?.extensions.code
        expect([
          undefined,
          'TOO_LARGE',
          'BAD_REQUEST',
          'RATE_LIMITED',
          'GRAPHQL_VALIDATION_FAILED',
        ]).toContain(code)
        if (code === 'TOO_LARGE') expect([status, data]).toEqual([200, null])
        outcomes[code === undefined ? 'whole' : 'refused'] += 1
        await until(() => gateway.waitingBytes === 0, 'nothing waits any more')
      }),
      { numRuns: 60 },
    )
    expect(Math.min(outcomes.whole, outcomes.refused)).toBeGreaterThan(0)
  }, 240_000)

  it('are worked on in pieces that do not grow with them, and no more than they were priced', async () => {
    const session = createFakeSession(token)
    await fill(session)
    const costs = fieldCosts(schema)
    await fc.assert(
      fc.asyncProperty(documents, async (source) => {
        const document = parse(source)
        if (validate(schema, document).length > 0) return
        let cost = 0
        try {
          cost = checkDocument(document, limits, costs)
        } catch {
          return // Refused before it is executed.
        }
        const turns = createTurns(unitsPerTurn)
        let held = 0
        const budget = new AnswerBudget({
          maxBytes: limits.maxAnswerBytes,
          turns,
          held: { add: (bytes) => void (held += bytes) },
        })
        const contextValue = {
          ...session,
          caller: { kind: 'jwt', issuer: 'test', subject: token, scopes: [], expiresAt: 0 },
          fingerprint: token,
          isOperator: false,
          assistants,
          isolation: unproven,
          limits,
          uploads: uploadsSchema.parse({}),
          metrics: uncounted,
          budget,
          lastEventId: undefined,
        }
        const executing = Promise.resolve(execute({ schema, document, contextValue }))
        const [fields, result] = await steepest(executing, () => budget.fields)
        expect(fields).toBeLessThanOrEqual(freeFields + (2 * unitsPerTurn) / unitsPerField)
        expect(budget.fields).toBeLessThanOrEqual(cost)
        expect(held).toBeGreaterThanOrEqual(budget.bytes)
        if (budget.failure) return
        let encoded = 0
        const counted = {
          take(units: number) {
            encoded += units
            return turns.take(units)
          },
        }
        const encoding = encodeJson(result, { maxBytes: limits.maxAnswerBytes, turns: counted })
        const [bytes, text] = await steepest(encoding, () => encoded)
        expect(bytes).toBeLessThanOrEqual(3 * unitsPerTurn)
        if (text) {
          expect(text.bytes).toBeLessThanOrEqual(limits.maxAnswerBytes)
          expect(text.bytes).toBeGreaterThanOrEqual(budget.bytes)
        }
      }),
      { numRuns: 60, examples: [[dense]] },
    )
  }, 240_000)
})
