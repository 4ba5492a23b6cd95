import type { ServerResponse } from 'node:http'
import { type Fault, findFault } from './faults.ts'
import type { RandomBytes } from './ids.ts'

/** A response body whose bytes may be split or cut on demand. */
export interface Body {
  /** Waits while the socket is full; does nothing once the client has gone. */
  write(bytes: Buffer): Promise<void>
  end(): void
  /** Breaks the connection behind what was written. */
  cut(): Promise<void>
}

export function createBody(
  res: ServerResponse,
  faults: readonly Fault[],
  random: RandomBytes,
): Body {
  const split = findFault(faults, 'split')
  const limit = findFault(faults, 'cut')?.afterBytes
  let sent = 0
  let flushed = Promise.resolve()
  let isCut = false

  async function cut() {
    isCut = true
    // What is still on its way through node:http would be lost with the socket.
    await flushed
    res.socket?.destroySoon()
  }

  return {
    async write(bytes) {
      const part = limit === undefined ? bytes : bytes.subarray(0, Math.max(0, limit - sent))
      for (const piece of split ? pieces(part, split.bytes, random) : [part]) {
        if (isCut || res.closed || res.destroyed) return
        const { promise, resolve } = Promise.withResolvers<void>()
        const hasRoom = res.write(piece, () => resolve())
        flushed = promise
        if (!hasRoom) await drained(res)
      }
      sent += part.length
      if (limit !== undefined && sent >= limit) await cut()
    },
    end() {
      if (!isCut) res.end()
    },
    cut,
  }
}

function* pieces(bytes: Buffer, size: number, random: RandomBytes): Generator<Buffer> {
  for (let at = 0; at < bytes.length;) {
    const next = at + (size === 0 ? 1 + (random(1).readUInt8() % 16) : size)
    yield bytes.subarray(at, next)
    at = next
  }
}

async function drained(res: ServerResponse): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  res.once('drain', resolve)
  res.once('close', resolve)
  if (res.closed) resolve()
  await promise
  res.off('drain', resolve)
  res.off('close', resolve)
}
