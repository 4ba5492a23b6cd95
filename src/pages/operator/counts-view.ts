import { el, type View } from '../dom.ts'
import { time, words } from '../words/words.ts'
import { meter, sparkline } from './charts.ts'
import type { LiveCounts, NamedCount } from './overview.ts'

/** The numbers of one reading. */
export interface Sample {
  readonly openSubscriptions: number
  readonly running: number
  readonly waiting: number
  readonly acceptedMessages: number
  readonly medianFirstDeltaMs: number | null
  readonly slowFirstDeltaMs: number | null
}

/** What the gateway counts, now and over the last minutes. */
export function countsView(counts: LiveCounts, samples: readonly Sample[]): View {
  const { operator } = words()
  const last = samples.at(-1)
  const over = (read: (sample: Sample) => number | null) => samples.map((one) => read(one) ?? 0)
  const messages = over(({ acceptedMessages }) => acceptedMessages)
  const perReading = messages.map((count, index) => count - (messages[index - 1] ?? count))
  const tile = (name: string, shown: string, values: readonly number[]) =>
    el(
      'div',
      { class: 'tile' },
      el('p', { class: 'quiet' }, name),
      el('p', { class: 'number' }, shown),
      sparkline(values),
    )
  const ms = (value: number | null | undefined) =>
    value == null ? '–' : operator.milliseconds(value)
  return el(
    'section',
    { key: 'counts', class: 'card wide', 'aria-label': operator.counts },
    el(
      'div',
      { class: 'head' },
      el('h2', {}, operator.counts),
      el('p', { class: 'quiet' }, operator.lastMinutes),
    ),
    el(
      'div',
      { class: 'tiles' },
      tile(
        operator.running,
        String(last?.running ?? 0),
        over(({ running }) => running),
      ),
      tile(
        operator.waiting,
        String(last?.waiting ?? 0),
        over(({ waiting }) => waiting),
      ),
      tile(
        operator.openSubscriptions,
        String(counts.openSubscriptions),
        over(({ openSubscriptions }) => openSubscriptions),
      ),
      tile(operator.acceptedMessages, String(counts.acceptedMessages), perReading),
      tile(
        operator.medianFirstDelta,
        ms(counts.medianFirstDeltaMs),
        over(({ medianFirstDeltaMs }) => medianFirstDeltaMs),
      ),
      tile(
        operator.slowFirstDelta,
        ms(counts.slowFirstDeltaMs),
        over(({ slowFirstDeltaMs }) => slowFirstDeltaMs),
      ),
    ),
    el(
      'div',
      { class: 'lists' },
      countList(operator.endedReplies, counts.endedReplies.map(inWords), /^FAILED/),
      countList(operator.endedSubscriptions, counts.endedSubscriptions, /error|stalled/),
      countList(operator.upstreamErrors, counts.upstreamErrors, /./),
      countList(operator.refusedMessages, counts.refusedMessages, /./),
    ),
    el('p', { class: 'quiet' }, operator.countsNote(time(counts.startedAt))),
  )

  function inWords({ name, count }: NamedCount): NamedCount & { readonly title: string } {
    const [status = name, ...code] = name.split(' ')
    return { name, count, title: [words().statuses[status] ?? status, ...code].join(' ') }
  }
}

function countList(
  title: string,
  counts: readonly (NamedCount & { readonly title?: string })[],
  bad: RegExp,
): View {
  const sorted = counts.toSorted((a, b) => b.count - a.count)
  const all = sorted.reduce((sum, { count }) => sum + count, 0)
  return el(
    'div',
    {},
    el('h3', {}, title),
    sorted.length === 0 && el('p', { class: 'quiet' }, words().operator.nothing),
    el(
      'ul',
      {},
      ...sorted.map(({ name, title: shown = name, count }) =>
        el(
          'li',
          { key: name, class: 'count' },
          el('span', {}, shown),
          el('b', {}, String(count)),
          meter(count / all, bad.test(name)),
        ),
      ),
    ),
  )
}
