import { describe, expect, it } from 'vitest'
import type { ConversationId } from '../../src/domain.ts'
import { exportPage } from '../../src/graphql/export/page.ts'
import { decodeExportCursor } from '../../src/graphql/export/cursor.ts'
import { openMemoryStore } from '../kit/fakes/engine.ts'
import {
  acceptReply,
  assistant,
  newConversationId,
  openSession,
} from '../kit/fakes/stored-replies.ts'

/** More than a third of a page. */
const long = (text: string) => text + ' '.repeat(400_000)

async function openExport() {
  const store = await openMemoryStore()
  const session = await openSession(store.ledger)
  const context = { store: store.ledger.session(session), fingerprint: 'f' }
  const say = (conversationId: ConversationId, text: string, at = 1) =>
    acceptReply(store.ledger, session, { conversationId, text, at })

  async function begin(text: string, at = 1): Promise<ConversationId> {
    const id = newConversationId()
    const about = {
      id,
      assistantId: assistant,
      title: undefined,
      idempotency: undefined,
      at,
      max: 100,
    }
    await store.ledger.startConversation(session, about)
    await say(id, text, at)
    return id
  }

  /** What people said, page by page; `between` happens after the first one. */
  async function read(between = async () => {}): Promise<readonly string[][]> {
    const pages: string[][] = []
    for (let after: string | null = ''; after !== null;) {
      const page = await exportPage(context, decodeExportCursor(after))
      pages.push([...JSON.stringify(page.document).matchAll(/said-\d+/g)].map(([text]) => text))
      if (pages.length === 1) await between()
      after = page.nextCursor
    }
    return pages.map((texts) => [...new Set(texts)])
  }

  return {
    say,
    begin,
    read,

    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

describe('an export', () => {
  it('F40: holds every conversation, in whichever order they were used and whatever the clock said', async () => {
    await using session = await openExport()
    const first = await session.begin('said-1', 100)
    await session.begin('said-2', 50)
    await session.begin('said-3', 200)
    await session.say(first, 'said-4', 300)
    await session.begin('said-5', 10)
    expect(await session.read()).toEqual([['said-2', 'said-3', 'said-1', 'said-4', 'said-5']])
  })

  it('meets again what is used while it is read', async () => {
    await using session = await openExport()
    const ids: ConversationId[] = []
    for (const number of [1, 2, 3, 4, 5]) ids.push(await session.begin(long(`said-${number}`)))
    const [one, two] = ids
    if (one === undefined || two === undefined) throw new Error('there is nothing')
    const pages = await session.read(async () => {
      await session.say(one, 'said-6')
      await session.say(two, 'said-7')
    })
    expect(pages[0]).toEqual(['said-1', 'said-2'])
    expect(pages.flat().slice(2)).toEqual([
      'said-3',
      'said-4',
      'said-5',
      'said-1',
      'said-6',
      'said-2',
      'said-7',
    ])
  })
})
