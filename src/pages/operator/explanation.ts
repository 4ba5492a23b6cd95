import { ChatError } from '../../client/client.ts'
import { el, type Child, type View } from '../dom.ts'
import type { KeyedLayer, Operator, Strategy } from '../isolation/operator.ts'
import { keyingTable, said } from '../isolation/views.ts'
import { redraw } from '../page.ts'
import { words } from '../words/words.ts'

interface Explanation {
  readonly strategy: Strategy
  readonly reason: string
  readonly layers: readonly KeyedLayer[]
  readonly upstreamChatId: string | null
  readonly upstreamLogId: string | null
  readonly firstDeltaMs: number | null
  readonly retries: number
}

const query = `query ($replyId: ID!) {
  replyExplanation(replyId: $replyId) {
    strategy reason layers { layer keyedBy } upstreamChatId upstreamLogId firstDeltaMs retries
  }
}`

/** How a reply came to be, for the reply that the address of the page names, or that is asked for. */
export function createExplanations({ chat }: Operator) {
  let found: Explanation | null | undefined
  let problem: string | undefined

  async function explain(replyId: string): Promise<void> {
    found = undefined
    problem = undefined
    try {
      const { replyExplanation } = await chat.query<{
        readonly replyExplanation: Explanation | null
      }>(query, { replyId })
      found = replyExplanation
    } catch (error) {
      if (!(error instanceof ChatError)) throw error
      problem = words().errors[error.code]
    }
    redraw()
  }

  const replyOfAddress = () => new URLSearchParams(location.hash.slice(1)).get('reply')
  const follow = () => {
    const replyId = replyOfAddress()
    if (replyId !== null) void explain(replyId)
  }
  addEventListener('hashchange', follow)
  follow()

  return (): View => {
    const { operator } = words()
    return el(
      'section',
      { key: 'explanation', class: 'card', 'aria-label': operator.explanation },
      el('h2', {}, operator.explanation),
      el(
        'form',
        {
          class: 'ask',
          onsubmit: (event) => {
            event.preventDefault()
            const field = document.querySelector('#reply-id')
            if (!(field instanceof HTMLInputElement)) return
            location.hash = new URLSearchParams({ reply: field.value.trim() }).toString()
          },
        },
        el(
          'label',
          {},
          el('span', { class: 'quiet' }, operator.replyId),
          el('input', { id: 'reply-id', required: true, 'data-of': replyOfAddress() ?? '' }),
        ),
        el('button', {}, operator.explain),
      ),
      problem !== undefined && el('p', { class: 'error', role: 'alert' }, problem),
      found === null && el('p', { class: 'quiet', role: 'status' }, operator.noExplanation),
      found && explanationFacts(found),
    )
  }
}

function explanationFacts({ layers, firstDeltaMs, strategy, ...facts }: Explanation): View {
  const { operator, strategies } = words()
  const { explanationFields: names, milliseconds } = operator
  const row = (name: string, value: Child) => [el('dt', {}, name), el('dd', {}, value)]
  return el(
    'div',
    { class: 'explanation' },
    el(
      'dl',
      { class: 'facts' },
      ...row(names.strategy, strategies[strategy]),
      ...row(names.reason, said(facts.reason)),
      ...row(names.firstDeltaMs, firstDeltaMs === null ? '–' : milliseconds(firstDeltaMs)),
      ...row(names.retries, String(facts.retries)),
      ...row(names.upstreamChatId, el('code', {}, facts.upstreamChatId ?? '–')),
      ...row(names.upstreamLogId, el('code', {}, facts.upstreamLogId ?? '–')),
    ),
    keyingTable(layers),
  )
}
