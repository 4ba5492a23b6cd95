import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { SessionId } from '../domain.ts'
import type { Clock } from '../lib/clock.ts'
import type { Secret } from '../lib/secret.ts'
import type { TextNews, TextPart } from '../store/followed-text.ts'
import type { PeerChannel, PeerListener } from '../store/peers.ts'
import type { ReplyText, TextOwner } from '../store/reply-text.ts'
import type { Lane } from './lane.ts'

/** The channel of all instances. */
const channel = 'peers'
/** What comes within this time goes in one message, in ms; what comes after a pause goes at once. */
const groupMs = 5
/** More new text of one reply than this is left to the store, in code units; what follows it is told. */
const maxLength = 65_536
/** Instances whose keys are kept. */
const maxPeers = 1_000

/** How much of a text was told. */
interface Told {
  readonly revision: string
  readonly answer: number
  readonly reasoning: number
}

/** What goes in one message. */
interface News {
  readonly wrote: readonly SessionId[]
  readonly said: readonly {
    readonly sessionId: SessionId
    readonly owner: TextOwner
    readonly news: TextNews
  }[]
}

/** What instances tell each other over the lane, sealed. Nobody waits for it. */
export function openPeerChannel(options: {
  readonly lane: Lane
  readonly instance: string
  /** The same for all instances. */
  readonly secret: Secret
  readonly clock: Clock
}): PeerChannel & Disposable {
  const { lane, instance, clock } = options
  const seal = createMessageSeal(options.secret, instance)
  const told = new WeakMap<ReplyText, Told>()
  const wrote = new Set<SessionId>()
  const said = new Map<ReplyText, SessionId>()
  const listeners = new Set<PeerListener>()
  let sentAt = -Infinity
  let timer: Disposable | undefined

  function schedule(): void {
    if (!lane.isHere) {
      wrote.clear()
      said.clear()
      return
    }
    timer ??= clock.timer(Math.max(0, sentAt + groupMs - clock.monotonic()), send)
  }

  function send(): void {
    timer = undefined
    sentAt = clock.monotonic()
    const news: News = { wrote: [...wrote], said: [...said].flatMap(toNews) }
    wrote.clear()
    said.clear()
    if (news.wrote.length + news.said.length === 0) return
    lane.publish('text', channel, seal.close(JSON.stringify(news)))
  }

  /** What was not told yet of a text. */
  function toNews([text, sessionId]: readonly [ReplyText, SessionId]): News['said'] {
    const { replyId, conversationId, revisions } = text
    const revision = revisions.at(-1)?.name ?? ''
    const last = told.get(text)
    const from = last?.revision === revision ? last : { answer: 0, reasoning: 0 }
    const to = { revision, answer: text.answer.wholeLength, reasoning: text.reasoning.wholeLength }
    told.set(text, to)
    if (to.answer - from.answer + to.reasoning - from.reasoning > maxLength) return []
    const partOf = (kind: 'answer' | 'reasoning'): TextPart => ({
      from: from[kind],
      text: text[kind].slice(from[kind], to[kind] - from[kind]),
    })
    const news = { revisions, answer: partOf('answer'), reasoning: partOf('reasoning') }
    return [{ sessionId, owner: { replyId, conversationId }, news }]
  }

  function take(message: string): void {
    const text = seal.open(message)
    if (text === undefined) return
    // Nobody without the key has made it.
    const { wrote: written, said: spoken }: News = JSON.parse(text)
    for (const listener of listeners) {
      for (const { sessionId, owner, news } of spoken) listener.said(sessionId, owner, news)
      if (written.length > 0) listener.wrote(written)
    }
  }

  const subscription = lane.subscribe(channel, take)
  return {
    wrote(sessionId) {
      wrote.add(sessionId)
      schedule()
    },
    said(sessionId, text) {
      said.set(text, sessionId)
      schedule()
    },
    listen(listener) {
      listeners.add(listener)
      return { [Symbol.dispose]: () => void listeners.delete(listener) }
    },
    [Symbol.dispose]() {
      timer?.[Symbol.dispose]()
      subscription[Symbol.dispose]()
    },
  }
}

/** The form of the messages: an instance of another version reads none of them. */
const form = 'coze-graphql-gateway news of peers 1'
const cipher = 'aes-256-gcm'
const ivBytes = 12
const tagBytes = 16

/** Each instance has a key of its own, so that random nonces do not repeat. */
function createMessageSeal(secret: Secret, instance: string) {
  const keys = new LRUCache<string, Uint8Array>({
    max: maxPeers,
    memoMethod: (name) => new Uint8Array(hkdfSync('sha256', secret.reveal(), name, form, 32)),
  })

  return {
    close(text: string): string {
      const iv = randomBytes(ivBytes)
      const sealing = createCipheriv(cipher, keys.memo(instance), iv)
      const parts = [iv, sealing.update(text, 'utf8'), sealing.final(), sealing.getAuthTag()]
      return `${instance}.${Buffer.concat(parts).toString('base64')}`
    },
    /** Undefined: it is our own, or nobody's who has the secret. */
    open(message: string): string | undefined {
      const end = message.indexOf('.')
      const name = message.slice(0, end)
      if (end < 0 || name === instance) return undefined
      const sealed = Buffer.from(message.slice(end + 1), 'base64')
      if (sealed.length < ivBytes + tagBytes) return undefined
      const opening = createDecipheriv(cipher, keys.memo(name), sealed.subarray(0, ivBytes))
      opening.setAuthTag(sealed.subarray(-tagBytes))
      try {
        const text = opening.update(sealed.subarray(ivBytes, -tagBytes))
        return Buffer.concat([text, opening.final()]).toString('utf8')
      } catch {
        return undefined
      }
    },
  }
}
