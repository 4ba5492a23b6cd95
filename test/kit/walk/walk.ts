import { readFileSync } from 'node:fs'
import { buildSchema } from 'graphql'
import { requestCodes, streamCodes } from '../codes.ts'
import { createCoverage, type Coverage } from './coverage.ts'
import { createDice, type Dice } from './dice.ts'
import { createExchange, type WalkAnswer, type WalkRequest } from './exchange.ts'
import { writeOperation, hasUpload, rootOf } from './grammar.ts'
import { hostileText } from './hostile-values.ts'
import { createKnowledge } from './knowledge.ts'
import { isRecord, type Operation, readAnswered, Upload } from './operation.ts'
import { oddRequest } from './odd-requests.ts'

/** Who walks: a session, or nobody. */
export interface Walker {
  readonly name: string
  readonly headers: Readonly<Record<string, string>>
}

export interface WalkOptions {
  readonly url: string
  readonly walkers: readonly Walker[]
  readonly seed: number
  readonly steps: number
  /** Operations under way at once. */
  readonly atOnce: number
}

/** What a walk has found. */
export interface WalkReport {
  /** Sentences with the step of each; empty: nothing was wrong. */
  readonly complaints: readonly string[]
  readonly coverage: Coverage
  /** How often each status was answered. */
  readonly statuses: Readonly<Record<string, number>>
  /** How often each code was told. */
  readonly codes: Readonly<Record<string, number>>
}

const schema = buildSchema(
  readFileSync(new URL('../../../schema/schema.graphql', import.meta.url), 'utf8'),
)
/** Of an answer to bad input. */
const maxRefusalBytes = 65_536
const maxComplaints = 20
const knownCodes = new Set([...requestCodes, ...streamCodes])

/** Walks over the schema at random: each step is one request, mostly GraphQL that the schema takes, more or less ill-meant. */
export async function walk({
  url,
  walkers,
  seed,
  steps,
  atOnce,
}: WalkOptions): Promise<WalkReport> {
  using exchange = createExchange(url)
  const coverage = createCoverage(schema)
  const knowledge = createKnowledge()
  const complaints: string[] = []
  const statuses: Record<string, number> = {}
  const codes: Record<string, number> = {}
  const markers = new Map(walkers.map(({ name }) => [name, `mark${seed}x${name}x`]))
  let next = 0

  async function work(): Promise<void> {
    while (next < steps && complaints.length < maxComplaints) {
      const step = next
      next += 1
      await take(step)
    }
  }

  async function take(step: number): Promise<void> {
    const dice = createDice(seed, step)
    const walker = dice.pick(walkers)
    const operation = dice.chance(0.12) ? undefined : write(walker, dice)
    const request = operation ? requestOf(operation, dice) : oddRequest(dice)
    const headers = { ...request.headers, ...walker.headers }
    const answer = await exchange.send({ ...request, headers }).catch((error: unknown) => {
      complain(step, `was not answered: ${String(error)}`)
    })
    if (!answer) {
      // A request that is no HTTP may be hung up on; one that we understand may not.
      if (operation) complain(step, 'was hung up on')
      return
    }
    look(step, walker, answer)
    if (operation) learn(walker, operation, answer)
  }

  function write({ name }: Walker, dice: Dice): Operation {
    const kind = dice.weigh(['query', 'mutation', 'subscription'] as const, (one) =>
      one === 'subscription' ? 1 : 4,
    )
    const malice = dice.pick([0, 0, 0.1, 0.4])
    const marker = markers.get(name) ?? ''
    const asking = { who: name, marker, malice, dice, knowledge, schema }
    const operation = writeOperation(schema, kind, asking, coverage)
    if (!dice.chance(malice / 4)) return operation
    return { ...operation, document: spoil(operation.document, dice), selections: undefined }
  }

  function look(step: number, { name }: Walker, { status, body, headers, isStream }: WalkAnswer) {
    statuses[status] = (statuses[status] ?? 0) + 1
    const bytes = Buffer.byteLength(body)
    if (status >= 500) complain(step, `answered ${status}: ${body.slice(0, 300)}`)
    if (status >= 400 && bytes > maxRefusalBytes) complain(step, `${bytes} bytes of refusal`)
    for (const [other, marker] of markers) {
      if (other !== name && body.includes(marker)) complain(step, `${name} was told of ${other}`)
    }
    const errors = isStream || isJson(headers) ? errorsOf(body) : []
    if (errors === undefined) return complain(step, `is no JSON: ${body.slice(0, 300)}`)
    if (
      errors.length > 0 &&
      status < 400 &&
      !body.includes('"data":{') &&
      bytes > maxRefusalBytes
    ) {
      complain(step, `${bytes} bytes of errors`)
    }
    for (const { code = 'none', message } of errors) {
      codes[code] = (codes[code] ?? 0) + 1
      if (!knownCodes.has(code) || code === 'INTERNAL_SERVER_ERROR') {
        complain(step, `told ${code}: ${message}`)
      }
    }
  }

  function learn({ name }: Walker, { kind, selections }: Operation, { body, status }: WalkAnswer) {
    if (!selections || status >= 400) return
    coverage.select(selections)
    const root = rootOf(schema, kind).name
    for (const line of body.split('\n')) {
      const { data } = parseObject(line) ?? {}
      for (const field of readAnswered(schema, root, selections, data)) {
        coverage.answer(field.parent, field.name)
        knowledge.learn(name, field.parent, field.name, field.value)
      }
    }
  }

  function complain(step: number, what: string): void {
    complaints.push(`seed ${seed}, step ${step}: ${what}`)
  }

  await Promise.all(Array.from({ length: atOnce }, work))
  return { complaints, coverage, statuses, codes }
}

function requestOf(operation: Operation, dice: Dice): WalkRequest {
  const { kind, document: query, operationName, variables } = operation
  const accept =
    kind === 'subscription' || dice.chance(0.03) ? 'text/event-stream' : 'application/json'
  const events = dice.int(12)
  if (hasUpload(variables)) return formOf(operation, accept)
  const asked = { query, variables, ...(operationName !== undefined && { operationName }) }
  if (kind !== 'mutation' && dice.chance(0.05)) {
    const search = new URLSearchParams({ query, variables: JSON.stringify(variables) })
    const path = `/graphql?${search}`
    if (path.length < 8_000) return { method: 'GET', path, headers: { accept }, events }
  }
  return {
    method: 'POST',
    path: '/graphql',
    headers: { accept, 'content-type': 'application/json' },
    body: JSON.stringify(asked),
    events,
  }
}

/** As the multipart request specification says; of several files only the first has a part. */
function formOf({ document: query, variables }: Operation, accept: string): WalkRequest {
  const places: string[] = []
  const files: Upload[] = []
  const without = (value: unknown, place: string): unknown => {
    if (value instanceof Upload) {
      places.push(place)
      files.push(value)
      return null
    }
    if (Array.isArray(value)) return value.map((one, at) => without(one, `${place}.${at}`))
    if (!isRecord(value)) return value
    return Object.fromEntries(
      Object.entries(value).map(([name, one]) => [name, without(one, `${place}.${name}`)]),
    )
  }
  const plain = without(variables, 'variables')
  const [file] = files
  const head = (disposition: string, more = '') =>
    `--b0und\r\ncontent-disposition: form-data; ${disposition}${more}\r\n\r\n`
  const name = (file?.name ?? '').toWellFormed().replaceAll(/["\r\n]/g, '_')
  const type = (file?.mediaType ?? '').replaceAll(/[\r\n]/g, '')
  const body = Buffer.concat([
    Buffer.from(`${head('name="operations"')}${JSON.stringify({ query, variables: plain })}\r\n`),
    Buffer.from(`${head('name="map"')}${JSON.stringify({ 0: places.slice(0, 1) })}\r\n`),
    Buffer.from(head(`name="0"; filename="${name}"`, `\r\ncontent-type: ${type}`)),
    file?.content ?? Buffer.alloc(0),
    Buffer.from('\r\n--b0und--\r\n'),
  ])
  return {
    method: 'POST',
    path: '/graphql',
    headers: {
      accept,
      'content-type': 'multipart/form-data; boundary=b0und',
      'graphql-require-preflight': '1',
    },
    body: new Uint8Array(body),
  }
}

/** A document that is nearly one. */
function spoil(document: string, dice: Dice): string {
  const at = dice.int(document.length)
  return dice.pick([
    () => document.slice(0, at) + document.slice(at + 1),
    () => document.slice(0, at) + hostileText(dice) + document.slice(at),
    () => document.slice(0, at),
    () => document.replace(/\b\w{1,60}(?= \{)/, 'nobody'),
    () => `${document} ${document}`,
    () => document.replaceAll('{', '{ __proto__ '),
  ])()
}

function isJson(headers: WalkAnswer['headers']): boolean {
  return /json/.test(String(headers['content-type'] ?? ''))
}

/** The errors of an answer, or of all events of a stream; undefined: it is no JSON. */
function errorsOf(
  body: string,
): readonly { readonly code?: string; readonly message: string }[] | undefined {
  const found: { code?: string; message: string }[] = []
  for (const line of body.split('\n').filter((text) => text !== '')) {
    const parsed = parseObject(line)
    if (!parsed) return undefined
    const errors: unknown = parsed['errors'] ?? []
    for (const error of Array.isArray(errors) ? errors : []) {
      const { message, extensions } = Object(error)
      found.push({ message: String(message), ...(extensions?.code && { code: extensions.code }) })
    }
  }
  return found
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(text)
    return isRecord(parsed) ? parsed : undefined
  } catch {
    return undefined
  }
}
