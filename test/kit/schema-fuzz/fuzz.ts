import { readFileSync } from 'node:fs'
import { buildSchema } from 'graphql'
import { requestCodes, streamCodes } from '../schema/codes.ts'
import { createCoverage, type Coverage } from './coverage.ts'
import { createRandom, type Random } from '../random.ts'
import { createExchange, type FuzzAnswer, type FuzzRequest } from './exchange.ts'
import { writeOperation, hasUpload, rootOf } from './grammar.ts'
import { hostileText } from './hostile-values.ts'
import { createKnowledge } from './knowledge.ts'
import { isRecord, type Operation, readAnswered, Upload } from './operation.ts'
import { oddRequest } from './odd-requests.ts'

/** Who sends: a session, or nobody. */
export interface FuzzClient {
  readonly name: string
  readonly headers: Readonly<Record<string, string>>
}

export interface FuzzOptions {
  readonly url: string
  readonly clients: readonly FuzzClient[]
  readonly seed: number
  readonly steps: number
  /** Operations under way at once. */
  readonly atOnce: number
}

/** What was found. */
export interface FuzzReport {
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

/** Sends operations at random: each step is one request, mostly GraphQL that the schema takes, more or less ill-meant. */
export async function fuzz({
  url,
  clients,
  seed,
  steps,
  atOnce,
}: FuzzOptions): Promise<FuzzReport> {
  using exchange = createExchange(url)
  const coverage = createCoverage(schema)
  const knowledge = createKnowledge()
  const complaints: string[] = []
  const statuses: Record<string, number> = {}
  const codes: Record<string, number> = {}
  const markers = new Map(clients.map(({ name }) => [name, `mark${seed}x${name}x`]))
  let next = 0

  async function work(): Promise<void> {
    while (next < steps && complaints.length < maxComplaints) {
      const step = next
      next += 1
      await take(step)
    }
  }

  async function take(step: number): Promise<void> {
    const random = createRandom(seed).fork(step)
    const client = random.pick(clients)
    const operation = random.chance(0.12) ? undefined : write(client, random)
    const request = operation ? requestOf(operation, random) : oddRequest(random)
    const headers = { ...request.headers, ...client.headers }
    const answer = await exchange.send({ ...request, headers }).catch((error: unknown) => {
      complain(step, `was not answered: ${String(error)}`)
    })
    if (!answer) {
      // A request that is no HTTP may be hung up on; one that we understand may not.
      if (operation) complain(step, 'was hung up on')
      return
    }
    look(step, client, answer)
    if (operation) learn(client, operation, answer)
  }

  function write({ name }: FuzzClient, random: Random): Operation {
    const kind = random.weigh(['query', 'mutation', 'subscription'] as const, (one) =>
      one === 'subscription' ? 1 : 4,
    )
    const malice = random.pick([0, 0, 0.1, 0.4])
    const marker = markers.get(name) ?? ''
    const asking = { who: name, marker, malice, random, knowledge, schema }
    const operation = writeOperation(schema, kind, asking, coverage)
    if (!random.chance(malice / 4)) return operation
    return { ...operation, document: spoil(operation.document, random), selections: undefined }
  }

  function look(
    step: number,
    { name }: FuzzClient,
    { status, body, headers, isStream }: FuzzAnswer,
  ) {
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

  function learn(
    { name }: FuzzClient,
    { kind, selections }: Operation,
    { body, status }: FuzzAnswer,
  ) {
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

function requestOf(operation: Operation, random: Random): FuzzRequest {
  const { kind, document: query, operationName, variables } = operation
  const accept =
    kind === 'subscription' || random.chance(0.03) ? 'text/event-stream' : 'application/json'
  const events = random.int(12)
  if (hasUpload(variables)) return formOf(operation, accept)
  const asked = { query, variables, ...(operationName !== undefined && { operationName }) }
  if (kind !== 'mutation' && random.chance(0.05)) {
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
function formOf({ document: query, variables }: Operation, accept: string): FuzzRequest {
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
function spoil(document: string, random: Random): string {
  const at = random.int(document.length)
  return random.pick([
    () => document.slice(0, at) + document.slice(at + 1),
    () => document.slice(0, at) + hostileText(random) + document.slice(at),
    () => document.slice(0, at),
    () => document.replace(/\b\w{1,60}(?= \{)/, 'nobody'),
    () => `${document} ${document}`,
    () => document.replaceAll('{', '{ __proto__ '),
  ])()
}

function isJson(headers: FuzzAnswer['headers']): boolean {
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
