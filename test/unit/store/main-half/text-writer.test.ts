import { describe, expect, it } from 'vitest'
import type { ConversationId, ReplyId, SessionId } from '../../../../src/domain.ts'
import { TextWriter } from '../../../../src/store/main-half/text-writer.ts'
import { UnwrittenText } from '../../../../src/store/main-half/unwritten-text.ts'
import { ReplyText } from '../../../../src/store/reply-text.ts'
import { createSpokenClient, done, failed } from '../../../kit/fakes/spoken-engine.ts'

/** A running reply that says something. */
function createSource(id: string) {
  const text = new ReplyText(
    { replyId: id as ReplyId, conversationId: 'conversation' as ConversationId },
    [{ name: 'rev', answerKept: 0, reasoningKept: 0 }],
    { answer: '', reasoning: '' },
  )
  const unwritten = new UnwrittenText('session' as SessionId, text, 'fence')
  return {
    unwritten,
    behind: () => unwritten.rewrite(),
    lost() {},
    say(more: string) {
      unwritten.put({ kind: 'ANSWER', offset: text.answer.length, text: more }, () => 'rev')
      return more.length
    },
  }
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

describe('the writer of texts', () => {
  it('F33: asks a store that fails four times a second whether it writes again, though no text waits, and then no more', async () => {
    const { client, clock, posted, answer, open } = createSpokenClient()
    open()
    const writer = new TextWriter(client, clock)
    const write = client.call('ping', { at: 1 })
    await nextTurn()
    answer(failed(1, 'full'))
    await expect(write).rejects.toMatchObject({ kind: 'full' })
    writer.retry()
    for (let id = 2; id < 5; id += 1) {
      expect(client.isFailing).toBe(true)
      clock.advance(250)
      await nextTurn()
      expect(posted.flat().map((call) => [call.id, call.method])).toContainEqual([id, 'ping'])
      answer(id === 4 ? done(id) : failed(id, 'full'))
      await nextTurn()
    }
    expect([client.isFailing, clock.pending]).toEqual([false, 0])
    writer.close()
  })

  /** What was posted, as the replies and texts that each call writes. */
  function writesOf(posted: ReturnType<typeof createSpokenClient>['posted']) {
    return posted.flat().flatMap((call) => {
      if (call.method !== 'writeTexts') return []
      const texts = call.args.texts.map(({ replyId, answer }) => [replyId, answer?.text])
      return [{ id: call.id, texts }]
    })
  }

  it('F30: writes the text of other replies while a write hangs, and of the same reply once that has ended', async () => {
    const { client, clock, posted, answer, open } = createSpokenClient()
    open()
    const writer = new TextWriter(client, clock)
    const [a, b] = [createSource('a'), createSource('b')]
    const pass = async () => {
      clock.advance(250)
      await nextTurn()
    }
    void writer.add(a, a.say('one'))
    await pass()
    void writer.add(a, a.say('two'))
    void writer.add(b, b.say('other'))
    await pass()
    expect(writesOf(posted)).toEqual([
      { id: 1, texts: [['a', 'one']] },
      { id: 2, texts: [['b', 'other']] },
    ])
    answer(done(1, ['written']), done(2, ['written']))
    await nextTurn()
    await pass()
    expect(writesOf(posted).at(-1)).toEqual({ id: 3, texts: [['a', 'two']] })
    writer.close()
  })

  it('F28: keeps the text of a store that is away for as long as an outage is borne with, and then tells its runs', async () => {
    const { client, clock, posted, answer, open } = createSpokenClient({ bearMs: 1_000 })
    open()
    const writer = new TextWriter(client, clock)
    const source = createSource('a')
    let kept = ''
    for (const word of ['one ', 'two ', 'three ']) {
      kept += word
      expect(writer.add(source, source.say(word))).toBe(undefined)
      clock.advance(250)
      await nextTurn()
      answer(failed(posted.flat().at(-1)?.id ?? 0, 'unavailable'))
      await nextTurn()
    }
    expect(writesOf(posted).at(-1)?.texts).toEqual([['a', kept]])
    clock.advance(1_000)
    await nextTurn()
    const waiting = writer.add(source, source.say('four'))
    answer(failed(posted.flat().at(-1)?.id ?? 0, 'unavailable'))
    await nextTurn()
    clock.advance(250)
    await nextTurn()
    answer(failed(posted.flat().at(-1)?.id ?? 0, 'unavailable'))
    await expect(waiting).rejects.toMatchObject({ kind: 'unavailable' })
    clock.advance(250)
    await nextTurn()
    answer(done(posted.flat().at(-1)?.id ?? 0, ['written']))
    await nextTurn()
    expect(writesOf(posted).at(-1)?.texts).toEqual([['a', `${kept}four`]])
    expect([client.isFailing, writer.add(source, source.say('five'))]).toEqual([false, undefined])
    writer.close()
  })

  it('F28: keeps no more of one reply in an outage than it may', async () => {
    const { client, clock, posted, answer, open } = createSpokenClient({ bearMs: 1_000 })
    open()
    const writer = new TextWriter(client, clock)
    const [long, short] = [createSource('long'), createSource('short')]
    const ping = client.call('ping', { at: 1 })
    await nextTurn()
    answer(failed(1, 'unavailable'))
    await expect(ping).rejects.toMatchObject({ kind: 'unavailable' })
    const waiting = writer.add(long, long.say('x'.repeat(256 * 1024 + 1)))
    expect(writer.add(short, short.say('y'))).toBe(undefined)
    clock.advance(250)
    await nextTurn()
    answer(failed(posted.flat().at(-1)?.id ?? 0, 'unavailable'))
    await expect(waiting).rejects.toMatchObject({ kind: 'unavailable' })
    writer.close()
  })

  it('lets a run that waits go on when its reply is ended by another call', async () => {
    const { client, clock, open } = createSpokenClient()
    open()
    const writer = new TextWriter(client, clock)
    const source = createSource('a')
    const waiting = writer.add(source, source.say('x'.repeat(1024 * 1024 + 1)))
    const again = writer.add(source, source.say('y'))
    writer.remove(source)
    await again
    expect(waiting).toBeInstanceOf(Promise)
    writer.close()
  })
})
