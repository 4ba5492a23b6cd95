import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { createJsonBody, readHead } from '../../../src/coze/envelope.ts'
import { CozeError, createUpstreamError } from '../../../src/coze/errors.ts'
import { connectionError } from '../../../src/coze/wire.ts'
import { heldBytes } from '../../kit/process/held-heap.ts'

const now = Date.UTC(2026, 0, 1)
const mebibyte = 1_048_576

describe('upstream codes', () => {
  it('T18: keeps what looks like a code, and nothing else', () => {
    const create = (upstreamCode: string) => createUpstreamError({ upstreamCode, accepted: 'no' })
    expect(create('invalid_client').upstreamCode).toBe('invalid_client')
    for (const told of ['my secret', 'x'.repeat(65), 'a\nb', '']) {
      const error = create(told)
      expect(error.upstreamCode).toBeUndefined()
      expect(error.message).toBe('the upstream answered with an error')
    }
  })

  it.each([
    ['F8 F3', '4100', 200, 'auth'],
    ['F8 F3', '4101', 403, 'auth'],
    ['F8 F3', '700012006', 200, 'auth'],
    ['F3', undefined, 401, 'auth'],
    ['F3', 'invalid_client', 400, 'auth'],
    ['F6', '4009', 200, 'rate-limited'],
    ['F6', '4020', 200, 'rate-limited'],
    ['F6', undefined, 429, 'rate-limited'],
    ['F8', '4008', 200, 'quota'],
    ['F8', '4011', 429, 'quota'],
    ['F8 F17', '4016', 200, 'busy'],
    ['F41', '4001', 200, 'conversation-gone'],
    ['F41', '4002', 200, 'conversation-gone'],
    ['F41', '103000002', 200, 'conversation-gone'],
    ['F8', '4000', 400, 'refused'],
    ['F8', '4015', 200, 'refused'],
    ['F8', '4200', 404, 'refused'],
    ['F8', '400', 400, 'refused'],
    ['F8', '4999', 200, 'refused'],
    ['F8', '4013', 200, 'model-failed'],
    ['F8', '103200002', undefined, 'model-failed'],
    ['F8', '4010', 200, 'model-refused'],
    ['F8', '4012', 200, 'model-refused'],
    ['F8', '4014', 200, 'model-refused'],
    ['F8', '103200005', 400, 'refused'],
    ['a 429 whose body has a code is retryable', '4013', 429, 'rate-limited'],
    ['a 429 whose body has a code is retryable', '5000', 429, 'rate-limited'],
    ['a 429 whose body has a code is retryable', '4000', 429, 'rate-limited'],
    ['a 429 whose body has a code is retryable', '429', 429, 'rate-limited'],
    ['a 429 whose body has a code is retryable', '123', 429, 'rate-limited'],
    ['F17', '4016', 429, 'busy'],
    ['F7', '5000', 200, 'server'],
    ['F7', '720701013', 200, 'failed'],
    ['F7', '777777775', 200, 'failed'],
    ['F7', '799999999', 200, 'server'],
    ['F7', undefined, 502, 'server'],
    ['F7', undefined, 408, 'timeout'],
    ['F8', undefined, 302, 'protocol'],
  ])('%s: %s with HTTP %s is %s', (_row, upstreamCode, httpStatus, kind) => {
    const error = createUpstreamError({ upstreamCode, httpStatus, accepted: 'no' })
    expect(error.kind).toBe(kind)
    const begun: Record<string, string> = { server: 'unknown', timeout: 'unknown', failed: 'yes' }
    expect(error.accepted).toBe(begun[kind] ?? 'no')
  })

  it.each([
    ['a panic', 'Workflow operation failure: panic error: runtime error: invalid memory address'],
    ['a missing plug-in', 'Workflow operation failure: plugin not found, id=7'],
    ['no words at all', ''],
    ['a panic that quotes a user', 'panic error: conversation not found, said the user'],
    ['an unknown error inside', 'code=199 message=odd'],
  ])('does not read a broken Workflow as a conversation that is gone (%s)', (_, text) => {
    const upstreamCode = '777777775'
    expect(
      createUpstreamError({ upstreamCode, accepted: 'no', httpStatus: 200, text }),
    ).toMatchObject({ kind: 'failed', accepted: 'yes' })
  })

  it.each([
    ['Workflow operation failure: conversation not found'],
    ['conversation not found'],
    ['Workflow operation failure: Conversation not found, id=7'],
  ])('F41: reads a code of Studio as gone when its text says so (%s)', (text) => {
    const told = { upstreamCode: '777777775', accepted: 'no', httpStatus: 200, text } as const
    expect(createUpstreamError(told)).toMatchObject({ kind: 'conversation-gone', accepted: 'no' })
  })

  it.each([
    ['an unknown Workflow', '720702004', '', '720702004', 'unknown'],
    ['an unpublished Workflow', '720702011', '', '720702011', 'unpublished'],
    ['a missing start parameter', '720702002', '', '720702002', 'parameters'],
    ['the same from the cloud', '4000', '', '4000', 'parameters'],
    ['a Bot that is not published', '4015', '', '4015', 'unpublished'],
    ['a resource that is missing', '4200', '', '4200', 'unpublished'],
    ['a Bot that is unknown', '4006', '', '4006', 'unknown'],
    [
      'no permission, wrapped',
      '777777775',
      'Workflow operation failure: code=106000001 message=unauthorized access : no permission\nstack=a.go',
      '106000001',
      'forbidden',
    ],
    [
      'no name for the conversation',
      '777777775',
      'Workflow operation failure: conversation name is requried',
      '777777775',
      'conversation-name',
    ],
    [
      'a Bot that Studio does not publish',
      '103100001',
      'code=100000000 message=invalid parameter : agent not published, agentID=5 connectorID=1024\nstack=a.go',
      '100000000',
      'unpublished',
    ],
    [
      'a name of the session that is too long',
      '103100001',
      "Error 1406 (22001): Data too long for column 'user_id' at row 1",
      '103100001',
      'user-name',
    ],
  ])('tells the operator what to mend: %s', (_, code, text, upstreamCode, misconfiguration) => {
    const error = createUpstreamError({ upstreamCode: code, accepted: 'no', text })
    expect(error).toMatchObject({ kind: 'refused', accepted: 'no', upstreamCode, misconfiguration })
    expect(inspect(error)).not.toContain('agentID')
  })

  it('tells a refused cancel by the code inside', () => {
    const text = 'code=103200005 message=in progress can not be cancelled\nstack=a.go'
    expect(
      createUpstreamError({ upstreamCode: '400', httpStatus: 400, accepted: 'no', text }),
    ).toMatchObject({ kind: 'refused', upstreamCode: '103200005' })
  })

  it('reads no code out of words that may be those of a user', () => {
    const text = 'Workflow execution failure: code=4100 message=give me a new token'
    const told = { upstreamCode: '720701013', accepted: 'yes', text } as const
    expect(createUpstreamError(told)).toMatchObject({ kind: 'failed', upstreamCode: '720701013' })
  })

  it('tells a refusal of Studio that nobody can mend as a failure of the upstream', () => {
    const told = { upstreamCode: '103100001', accepted: 'no', text: 'dial tcp: refused' } as const
    expect(createUpstreamError(told)).toMatchObject({ kind: 'server', accepted: 'unknown' })
  })

  it.each([
    [401, 'missing session_key in cookie', 'not-supported'],
    [401, 'authentication is invalid', 'auth'],
    [401, '', 'auth'],
    [200, 'missing session_key in cookie', 'auth'],
  ])(
    'a call that a platform does not have is no dead token (HTTP %i %j)',
    (httpStatus, text, kind) => {
      const told = { upstreamCode: '401', accepted: 'no', httpStatus, text } as const
      expect(createUpstreamError(told).kind).toBe(kind)
    },
  )
})

function answer(status: number, headers: Record<string, string>, body: string) {
  const json = createJsonBody(readHead(status, headers, now), 1_000)
  for (const byte of Buffer.from(body)) json.push(Uint8Array.of(byte))
  return json.finish()
}

function refusal(...parameters: Parameters<typeof answer>): CozeError {
  try {
    answer(...parameters)
  } catch (error) {
    if (error instanceof CozeError) return error
  }
  throw new Error('not refused')
}

describe('envelope', () => {
  it.each([
    '{"code":0,"msg":"","data":{"id":"1"}}',
    '{"data":{"id":"1"}}',
    '{"code":"0","data":{"id":"1"}}',
  ])('lets %s through, with the log id and the upstream clock', (body) => {
    const headers = { 'x-tt-logid': 'log', date: 'Thu, 01 Jan 2026 00:00:05 GMT' }
    const read = answer(200, headers, body)
    expect(read).toMatchObject({ logId: 'log', serverTime: now + 5000 })
    expect(read.body['data']).toEqual({ id: '1' })
  })

  it.each([
    ['an integer code', 200, '{"code":4000,"msg":"secret"}', '4000'],
    ['a string code', 400, '{"code":"4000","msg":"secret"}', '4000'],
    ['OAuth', 400, '{"error_code":"invalid_client","error_message":"secret"}', 'invalid_client'],
    ['OAuth, only error', 400, '{"error":"invalid_client"}', 'invalid_client'],
    ['plain text', 500, 'secret', undefined],
    ['an empty body', 401, '', undefined],
  ])('F8 throws for %s', (_name, status, body, upstreamCode) => {
    const error = refusal(status, { 'x-tt-logid': 'log' }, body)
    expect(error).toMatchObject({ upstreamCode, httpStatus: status, logId: 'log' })
    expect(inspect(error)).not.toContain('secret')
  })

  it('finds no record where Studio says so, and does not take it for proof that nothing was done', () => {
    expect(refusal(500, {}, 'record not found')).toMatchObject({
      kind: 'conversation-gone',
      accepted: 'unknown',
    })
    expect(refusal(500, {}, 'record not found by the proxy').kind).toBe('server')
  })

  it("F5: tells the upstream's clock of a refusal as well", () => {
    const headers = { date: 'Thu, 01 Jan 2026 00:00:05 GMT' }
    expect(refusal(401, headers, '{"error_code":"invalid_client"}').serverTime).toBe(now + 5_000)
  })

  it.each([
    ['x-log-id', { 'x-log-id': 'log' }, '{"code":4000}'],
    ['detail', {}, '{"code":4000,"detail":{"logid":"log"}}'],
    ['the deprecated error', {}, '{"code":4000,"error":{"logid":"log"}}'],
  ])('F7 F8 finds the log id in %s', (_name, headers, body) => {
    expect(refusal(200, headers, body).logId).toBe('log')
  })

  it('refuses what is not JSON, and too much of it', () => {
    expect(refusal(200, {}, '<html>secret')).toMatchObject({
      kind: 'protocol',
      accepted: 'unknown',
    })
    expect(refusal(200, {}, 'x'.repeat(1_001)).kind).toBe('too-large')
  })

  it('F14: holds no more of an answer that comes in pieces of a byte', () => {
    const json = createJsonBody(readHead(200, {}, now), mebibyte / 4)
    const before = heldBytes()
    for (let pushed = 0; pushed < mebibyte / 4; pushed += 1) json.push(Uint8Array.of(0x78))
    expect(heldBytes() - before).toBeLessThan(mebibyte)
    expect(() => json.push(Buffer.from('x'))).toThrow('too large')
  })

  it.each([
    ['seconds', { 'retry-after': '7' }, 7_000],
    ['a date by the local clock', { 'retry-after': 'Thu, 01 Jan 2026 00:00:09 GMT' }, 9_000],
    [
      'a date by the upstream clock',
      { 'retry-after': 'Fri, 02 Jan 2026 00:00:09 GMT', date: 'Fri, 02 Jan 2026 00:00:05 GMT' },
      4_000,
    ],
    ['a date that is over', { 'retry-after': 'Thu, 01 Jan 2020 00:00:00 GMT' }, 0],
    ['a part of a second', { 'retry-after': '0.5' }, 500],
    ['nonsense', { 'retry-after': 'soon' }, undefined],
    ['a number that is no time', { 'retry-after': '-1' }, undefined],
    [
      'a date, beside a clock that is none',
      { 'retry-after': 'Thu, 01 Jan 2026 00:00:09 GMT', date: '0' },
      9_000,
    ],
    ['a day at most', { 'retry-after': '99999999999999999999' }, 86_400_000],
    ['nothing', {}, undefined],
  ])('F6 reads Retry-After as %s', (_name, headers, retryAfterMs) => {
    expect(refusal(429, headers, '')).toMatchObject({ kind: 'rate-limited', retryAfterMs })
  })
})

describe('connection errors', () => {
  const broken = (code: string) => Object.assign(new Error('secret'), { code, data: 'secret' })

  it.each([
    ['F1', 'ECONNREFUSED', {}, 'unavailable', 'no'],
    ['F1', 'ENOTFOUND', {}, 'unavailable', 'no'],
    ['F1', 'UND_ERR_CONNECT_TIMEOUT', {}, 'unavailable', 'no'],
    ['a request that cannot be sent', 'UND_ERR_INVALID_ARG', {}, 'protocol', 'no'],
    ['F2', 'DEPTH_ZERO_SELF_SIGNED_CERT', {}, 'tls', 'no'],
    ['F2', 'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE', {}, 'tls', 'no'],
    ['F2', 'CERT_HAS_EXPIRED', {}, 'tls', 'no'],
    ['F2', 'ERR_TLS_CERT_ALTNAME_INVALID', {}, 'tls', 'no'],
    ['F2', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', {}, 'tls', 'no'],
    ['F2', 'ERR_SSL_WRONG_VERSION_NUMBER', {}, 'tls', 'no'],
    ['F14', 'UND_ERR_HEADERS_OVERFLOW', { sent: true }, 'too-large', 'unknown'],
    ['F7', 'ECONNRESET', { sent: true }, 'unavailable', 'unknown'],
    ['F9', 'ECONNRESET', { sent: true, answered: true }, 'truncated', 'unknown'],
    ['F9', 'UND_ERR_SOCKET', { sent: true, answered: true, accepted: 'yes' }, 'truncated', 'yes'],
  ] as const)('%s %s %j is %s', (_row, code, progress, kind, accepted) => {
    const error = connectionError(broken(code), { sent: false, answered: false, ...progress })
    expect(error).toMatchObject({ kind, accepted })
  })

  it('keep no bytes of an answer that is not HTTP', () => {
    const error = connectionError(broken('HPE_INVALID_CHUNK_SIZE'), { sent: true, answered: true })
    expect(error.kind).toBe('protocol')
    expect(inspect(error)).not.toContain('secret')
  })
})
