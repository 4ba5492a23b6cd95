import { Buffer } from 'node:buffer'
import { CozeError, createUpstreamError } from './errors.ts'
import { findCode, findId, findObject, findString, type JsonObject, parseObject } from './json.ts'
import type { WireHeaders } from './wire.ts'

/** A successful JSON answer. */
export interface CozeAnswer {
  /** The whole JSON object. Its `code`, if any, is 0. */
  readonly body: JsonObject
  readonly logId: string | undefined
  /** The upstream's clock (its `Date` header), in ms since the epoch. */
  readonly serverTime: number | undefined
}

export interface AnswerHead {
  readonly status: number
  readonly isEventStream: boolean
  readonly logId: string | undefined
  readonly serverTime: number | undefined
  readonly retryAfterMs: number | undefined
}

/** @param now ms since the epoch: dates in headers are relative to it if the answer itself has no date. */
export function readHead(status: number, headers: WireHeaders, now: number): AnswerHead {
  const serverTime = parseDate(findHeader(headers, 'date'))
  return {
    status,
    isEventStream: /^text\/event-stream\b/i.test(findHeader(headers, 'content-type') ?? ''),
    // Studio's name for it: docs/coze-platform.md#hosts-and-envelopes.
    logId: findHeader(headers, 'x-tt-logid') ?? findHeader(headers, 'x-log-id'),
    serverTime,
    retryAfterMs: parseRetryAfter(findHeader(headers, 'retry-after'), serverTime ?? now),
  }
}

export interface JsonBody {
  /** So far. */
  readonly bytes: number
  /** @throws CozeError `too-large` */
  push(chunk: Uint8Array): void
  /** @throws CozeError for an error envelope at any HTTP status, an error status without one, or what is not JSON */
  finish(): CozeAnswer
}

/** Each takes the room of a hundred bytes: so many are joined (F14). */
const maxPieces = 1024

/** Gathers an answer of the `{ code, msg, data, detail }` family, OAuth's among them (docs/coze-platform.md#hosts-and-envelopes). */
export function createJsonBody(head: AnswerHead, maxBytes: number): JsonBody {
  const blocks: Uint8Array[] = []
  const pieces: Uint8Array[] = []
  let bytes = 0
  return {
    get bytes() {
      return bytes
    },
    push(chunk) {
      bytes += chunk.length
      if (bytes > maxBytes) {
        throw new CozeError('too-large', 'a JSON answer is too large', {
          ...head,
          httpStatus: head.status,
          accepted: 'unknown',
        })
      }
      pieces.push(chunk)
      if (pieces.length === maxPieces) blocks.push(Buffer.concat(pieces.splice(0)))
    },
    finish: () => readEnvelope(head, Buffer.concat([...blocks, ...pieces]).toString()),
  }
}

function readEnvelope(head: AnswerHead, text: string): CozeAnswer {
  const { status, serverTime, retryAfterMs } = head
  const body = parseObject(text)
  const upstreamCode = body && findErrorCode(body)
  const logId = head.logId ?? (body && findLogId(body))
  const details = { httpStatus: status, upstreamCode, logId, serverTime, retryAfterMs }
  // Studio's word for a chat that it does not know. What was asked may have been done all the same.
  if (status === 500 && text.trim() === 'record not found') {
    const accepted = 'unknown'
    throw new CozeError('conversation-gone', 'there is no such record', { ...details, accepted })
  }
  if (upstreamCode !== undefined || status < 200 || status > 299) {
    const said = body && findString(body, 'msg')
    throw createUpstreamError({ ...details, accepted: 'no', text: said })
  }
  if (body === undefined) {
    throw new CozeError('protocol', 'an answer is not JSON that can be read', {
      ...details,
      accepted: 'unknown',
    })
  }
  return { body, logId, serverTime }
}

function findErrorCode(body: JsonObject): string | undefined {
  return findCode(body, 'code') ?? findCode(body, 'error_code') ?? findString(body, 'error')
}

function findLogId(body: JsonObject): string | undefined {
  const detail = findObject(body, 'detail') ?? findObject(body, 'error')
  return detail && findId(detail, 'logid')
}

function findHeader(headers: WireHeaders, name: string): string | undefined {
  const value = headers[name]
  return (typeof value === 'string' ? value : value?.[0])?.trim() || undefined
}

/** HTTP dates begin with the day's name; other text, such as `-1`, may be a date to the platform's lenient parser. */
function parseDate(text: string | undefined): number | undefined {
  const at = Date.parse(text !== undefined && /^[a-z]/i.test(text) ? text : '')
  return Number.isNaN(at) ? undefined : at
}

/** Seconds or an HTTP date (RFC 9110 §10.2.3). Fractions of a second are no part of it, but are sent. */
function parseRetryAfter(text: string | undefined, now: number): number | undefined {
  const at = parseDate(text)
  if (at !== undefined) return clampWait(at - now)
  return /^\d+(\.\d+)?$/.test(text ?? '') ? clampWait(Number(text) * 1000) : undefined
}

function clampWait(ms: number): number {
  return Math.min(Math.max(0, ms), dayMs)
}

/** The longest wait that is told on: a larger number is no time to wait, and may be none at all. */
const dayMs = 86_400_000
