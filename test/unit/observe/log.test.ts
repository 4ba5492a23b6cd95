import { inspect } from 'node:util'
import { errors } from 'jose'
import { describe, expect, it } from 'vitest'
import { Secret } from '../../../src/lib/secret.ts'
import { createLogger } from '../../../src/observe/log.ts'

function capture(level: 'debug' | 'info' = 'debug') {
  let text = ''
  const logger = createLogger({ level, destination: { write: (line) => void (text += line) } })
  const entries = (): Record<string, unknown>[] =>
    text
      .trimEnd()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line))
  return { logger, entries, text: () => text }
}

describe('the log', () => {
  it('is a JSON object per line: time, level, fields and the sentence', () => {
    const { logger, entries } = capture()
    logger.info({ reply: 'r1', ms: 5 }, 'reply completed')
    expect(entries()).toEqual([
      { level: 'info', time: expect.any(String), reply: 'r1', ms: 5, msg: 'reply completed' },
    ])
  })

  it('holds nothing below its level', () => {
    const { logger, text } = capture('info')
    logger.debug({}, 'wire')
    expect(text()).toBe('')
  })

  const jwt = `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl`
  const pem = `-----BEGIN PRIVATE KEY-----\nTUlJRXZ3SUJBREFO\n-----END PRIVATE KEY-----`
  const leaks: Record<string, [Record<string, unknown>, string]> = {
    'a Secret': [{ value: new Secret('hunter2-hunter2') }, 'hunter2'],
    'a Secret deep inside': [{ a: { b: [{ c: new Secret('hunter2-hunter2') }] } }, 'hunter2'],
    'an authorization header': [{ headers: { authorization: 'Basic aHVudGVyMg==' } }, 'aHVudGVyMg'],
    'a token field': [{ token: 'hunter2-hunter2' }, 'hunter2'],
    'a caller token in text': [{ note: `got ${jwt} here` }, 'c2lnbmF0dXJl'],
    'a Coze token in text': [{ note: 'pat_AbCdEf0123456789' }, 'AbCdEf'],
    'a private key in text': [{ note: pem }, 'TUlJRXZ3'],
    'a private key in an error': [{ err: new Error(`bad key ${pem}`) }, 'TUlJRXZ3'],
    'a token in the cause of an error': [
      { err: new Error('refused', { cause: new Error(`czs_AbCdEf0123456789`) }) },
      'AbCdEf',
    ],
    'the claims on an error': [
      { err: new errors.JWTExpired('expired', { sub: 'alice-the-subject' }) },
      'alice',
    ],
    'what a parser could not parse': [{ err: parserError('{"text": hunter2 }') }, 'hunter2'],
    'a parser error as a cause': [
      { err: new Error('bad frame', { cause: parserError('{"text": hunter2 }') }) },
      'hunter2',
    ],
  }
  it.each(Object.entries(leaks))('T18 does not show %s', (_name, [fields, secret]) => {
    const { logger, text } = capture()
    logger.warn(fields, 'something happened')
    expect(text()).toContain('something happened')
    expect(text()).not.toContain(secret)
  })

  it('shows what helps to find a fault: type, message, code, frames and cause', () => {
    const { logger, entries } = capture()
    const cause = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
    logger.error({ err: new TypeError('no keys', { cause }) }, 'failed')
    expect(entries()[0]?.['err']).toMatchObject({
      type: 'TypeError',
      message: 'no keys',
      at: expect.arrayContaining([expect.stringContaining('log.test.ts')]),
      cause: { type: 'Error', message: 'refused', code: 'ECONNREFUSED' },
    })
  })
})

it('T18 a Secret prints as [secret], whatever prints it', () => {
  const secret = new Secret('hunter2-hunter2')
  const prints = [`${secret.toString()}`, JSON.stringify({ secret }), inspect({ secret })]
  expect(prints.join()).not.toContain('hunter2')
  expect(secret.reveal()).toBe('hunter2-hunter2')
})

function parserError(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    return error
  }
}
