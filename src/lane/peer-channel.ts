import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { ReplyId, SessionId } from '../domain.ts'
import type { Clock } from '../lib/clock.ts'
import type { Secret } from '../lib/secret.ts'
import type { TextNews, TextPart } from '../store/followed-text.ts'
import type { KnownText, PeerChannel, PeerListener, SpokenText } from '../store/peers.ts'
import type { ReplyText, TextOwner } from '../store/reply-text.ts'
import type { Lane } from './lane.ts'

/** The channel on which all instances tell in which sessions they have written. */
const commonChannel = 'peers'
/** The channel on which an instance says what is new of the texts that it writes, and the one on which it is asked for them. */
const speechOf = (name: string) => `peers:${name}`
const questionsTo = (name: string) => `peers:${name}:asked`
/** What comes within this time goes in one message, in ms; what comes after a pause goes at once. */
const groupMs = 5
/** More new text of one reply than this is left to the store, in code units; what follows it is told. */
const maxLength = 65_536
/** Instances whose keys are kept. */
const maxPeers = 1_000
/** How long an instance is listened to after it was last followed, in ms: who reads one reply of it soon reads another one. */
const lingerMs = 60_000

type Told = Omit<KnownText, 'replyId'>

/** What is new of one text. */
interface Said {
  readonly sessionId: SessionId
  readonly owner: TextOwner
  readonly news: TextNews
}

/**
 * What instances tell each other over the lane, sealed. Nobody waits for it.
 *
 * ```
 *   all      ── sessions in which something was written ──▶ all
 *   a writer ── what is new of the texts that it writes ──▶ those who read some of them
 *   a reader ── how much of a text it knows ──▶ the writer of that text, who says the rest
 * ```
 */
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
  const followed = new Map<string, { readonly subscription: Disposable; until: number }>()
  let find: (replyId: ReplyId) => SpokenText | undefined = () => undefined
  let sentAt = -Infinity
  let timer: Disposable | undefined
  let sweeping: Disposable | undefined

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
    const news = [...said].flatMap(toNews)
    if (wrote.size > 0) publish(commonChannel, [...wrote])
    if (news.length > 0) publish(speechOf(instance), news)
    wrote.clear()
    said.clear()
  }

  function publish(channel: string, message: unknown): void {
    lane.publish('text', channel, seal.close(channel, JSON.stringify(message)))
  }

  /** What was not told yet of a text. */
  function toNews([text, sessionId]: readonly [ReplyText, SessionId]): readonly Said[] {
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

  /** Whoever has said less than this instance has told is told the rest with what is new for all. */
  function repeat({ replyId, revision, answer, reasoning }: KnownText): void {
    const spoken = find(replyId)
    const last = spoken && told.get(spoken.text)
    // Nothing was told yet: all of it will be.
    if (spoken === undefined || last === undefined) return
    const isSame = last.revision === revision
    told.set(spoken.text, {
      revision: last.revision,
      answer: isSame ? Math.min(answer, last.answer) : 0,
      reasoning: isSame ? Math.min(reasoning, last.reasoning) : 0,
    })
    said.set(spoken.text, spoken.sessionId)
    schedule()
  }

  /** Takes messages that one who has the key has made. */
  const subscribe = <T>(channel: string, take: (message: T, name: string) => void) =>
    lane.subscribe(channel, (sealed) => {
      const opened = seal.open(channel, sealed)
      if (opened !== undefined) take(JSON.parse(opened.text), opened.name)
    })

  function takeWritten(sessionIds: readonly SessionId[]): void {
    for (const listener of listeners) listener.wrote(sessionIds)
  }

  function takeSaid(news: readonly Said[], name: string): void {
    for (const listener of listeners)
      for (const one of news) listener.said(one.sessionId, one.owner, one.news, name)
  }

  function sweep(): void {
    sweeping = undefined
    const now = clock.monotonic()
    for (const [name, { subscription, until }] of followed) {
      if (until > now) continue
      subscription[Symbol.dispose]()
      followed.delete(name)
    }
    if (followed.size > 0) sweeping = clock.timer(lingerMs, sweep)
  }

  const subscriptions = new DisposableStack()
  subscriptions.use(subscribe(commonChannel, takeWritten))
  subscriptions.use(subscribe(questionsTo(instance), repeat))
  return {
    name: instance,
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
    follow(name) {
      const until = clock.monotonic() + lingerMs
      const known = followed.get(name)
      if (known !== undefined) known.until = until
      else followed.set(name, { subscription: subscribe(speechOf(name), takeSaid), until })
      sweeping ??= clock.timer(lingerMs, sweep)
    },
    ask(name, known) {
      publish(questionsTo(name), known)
    },
    serve(spoken) {
      find = spoken
      return { [Symbol.dispose]: () => void (find = () => undefined) }
    },
    [Symbol.dispose]() {
      timer?.[Symbol.dispose]()
      sweeping?.[Symbol.dispose]()
      subscriptions[Symbol.dispose]()
      for (const { subscription } of followed.values()) subscription[Symbol.dispose]()
    },
  }
}

/** The form of the messages: an instance of another version reads none of them. */
const form = 'coze-graphql-gateway news of peers 2'
const cipher = 'aes-256-gcm'
const ivBytes = 12
const tagBytes = 16

/** Each instance has a key of its own, so that random nonces do not repeat. A message is one of its channel alone. */
function createMessageSeal(secret: Secret, instance: string) {
  const keys = new LRUCache<string, Uint8Array>({
    max: maxPeers,
    memoMethod: (name) => new Uint8Array(hkdfSync('sha256', secret.reveal(), name, form, 32)),
  })

  return {
    close(channel: string, text: string): string {
      const iv = randomBytes(ivBytes)
      const sealing = createCipheriv(cipher, keys.memo(instance), iv)
      sealing.setAAD(Buffer.from(channel))
      const parts = [iv, sealing.update(text, 'utf8'), sealing.final(), sealing.getAuthTag()]
      return `${instance}.${Buffer.concat(parts).toString('base64')}`
    },
    /** Undefined: it is our own, or nobody's who has the secret. */
    open(
      channel: string,
      message: string,
    ): { readonly name: string; readonly text: string } | undefined {
      const end = message.indexOf('.')
      const name = message.slice(0, end)
      if (end < 0 || name === instance) return undefined
      const sealed = Buffer.from(message.slice(end + 1), 'base64')
      if (sealed.length < ivBytes + tagBytes) return undefined
      const opening = createDecipheriv(cipher, keys.memo(name), sealed.subarray(0, ivBytes))
      opening.setAAD(Buffer.from(channel))
      opening.setAuthTag(sealed.subarray(-tagBytes))
      try {
        const text = opening.update(sealed.subarray(ivBytes, -tagBytes))
        return { name, text: Buffer.concat([text, opening.final()]).toString('utf8') }
      } catch {
        return undefined
      }
    },
  }
}
