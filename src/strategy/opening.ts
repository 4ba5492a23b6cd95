import { retrieveBotOpening } from '../coze/bots.ts'
import type { CozeClient, CozeTarget } from '../coze/client.ts'
import { type TokenResolver, withToken } from '../coze/token.ts'
import type { Opening } from '../domain.ts'
import type { Clock } from '../lib/clock.ts'
import { createDeadline } from '../lib/deadline.ts'
import type { NewId } from '../lib/id.ts'
import { onAbort } from '../lib/on-abort.ts'
import { sliceEnd } from '../lib/surrogate.ts'

export interface OpeningReaderOptions {
  readonly client: CozeClient
  readonly tokens: TokenResolver
  readonly botId: string
  readonly clock: Clock
  readonly newId: NewId
}

/** Reads the opening of a Bot. Dispose it to break a reading off. */
export interface OpeningReader extends AsyncDisposable {
  /** The opening as far as it is known: it is read again when it is old, and nobody waits for that. Never fails. */
  read(): Promise<Opening>
}

/** How often the platform is asked at most, in ms: a Bot is seldom published. */
const maxAgeMs = 600_000
/** How long the first answer is waited for, in ms. */
const firstMs = 3_000
/** The most that a text and a list may have; the platform allows much less. */
const maxLength = 10_000
const maxSuggestions = 20

export const noOpening: Opening = { greeting: null, suggestions: [] }

export function createOpeningReader(options: OpeningReaderOptions): OpeningReader {
  const { client, tokens, botId, clock, newId } = options
  const closed = new AbortController()
  // No session of a caller: what is read is the same for all.
  const sessionName = `opening-${newId()}`
  let known: Opening | undefined
  let askedAt: number | undefined
  let asking: Promise<void> = Promise.resolve()

  async function ask(): Promise<void> {
    const { signal } = closed
    const retrieve = async (target: CozeTarget) =>
      await retrieveBotOpening(client, target, botId, signal)
    try {
      const { greeting, suggestions } = await withToken(tokens, sessionName, retrieve, signal)
      known = {
        greeting: greeting === undefined || greeting === '' ? null : cut(greeting),
        suggestions: suggestions
          .filter((text) => text !== '')
          .slice(0, maxSuggestions)
          .map(cut),
      }
    } catch {
      // The client has told of it. What was known stays, and is asked for again in a while.
      known ??= noOpening
    }
  }

  return {
    async read() {
      const now = clock.monotonic()
      if (askedAt === undefined || now - askedAt >= maxAgeMs) {
        askedAt = now
        asking = ask()
      }
      if (known === undefined) {
        using first = createDeadline(clock, firstMs, () => new Error('an opening took too long'))
        const late = new Promise<void>((resolve) => onAbort(first.signal, resolve))
        await Promise.race([asking, late])
      }
      return known ?? noOpening
    },
    async [Symbol.asyncDispose]() {
      closed.abort(new Error('the gateway is closing'))
      await asking
    },
  }
}

function cut(text: string): string {
  return text.slice(0, sliceEnd(text, 0, maxLength))
}
