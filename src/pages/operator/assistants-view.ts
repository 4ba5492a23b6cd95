import { el, type Child, type View } from '../dom.ts'
import type { AssistantReport } from '../isolation/operator.ts'
import type { Prober } from '../isolation/prober.ts'
import { badge, findingList, keyingTable, verdictSummary } from '../isolation/views.ts'
import { words } from '../words/words.ts'
import { meter } from './charts.ts'

/** One assistant: its verdict, its load and what keeps its sessions apart. */
export function assistantCard(
  report: AssistantReport,
  prober: Prober,
  clear: (assistantId: string) => void,
): View {
  const { probe, strategies } = words()
  const { id, name, isolation } = report
  const isBreached = isolation.verdict === 'BREACHED'
  return el(
    'section',
    { key: id, class: 'card', 'aria-label': name },
    el(
      'div',
      { class: 'head' },
      el('h2', {}, name),
      isBreached &&
        el(
          'button',
          {
            type: 'button',
            class: 'small stop',
            title: probe.clearHint,
            onclick: () => {
              if (confirm(probe.confirmClear)) clear(id)
            },
          },
          probe.clear,
        ),
      el(
        'button',
        {
          type: 'button',
          class: 'small',
          disabled: prober.isRunning,
          onclick: () => void prober.run(id),
        },
        probe.run,
      ),
    ),
    verdictSummary(report),
    loadFacts(report),
    folded(`${id} findings`, probe.findings, findingList(isolation.findings)),
    folded(
      `${id} keying`,
      probe.keying,
      ...isolation.keying.flatMap(({ strategy, layers }) => [
        isolation.keying.length > 1 && el('h3', {}, strategies[strategy]),
        keyingTable(layers),
      ]),
    ),
  )
}

function loadFacts({ load }: AssistantReport): View {
  const { operator } = words()
  const { runningReplies, maxRunningReplies, waitingReplies, circuit, circuitRetryAfterMs } = load
  const share = runningReplies / maxRunningReplies
  const retry =
    circuitRetryAfterMs === null
      ? ''
      : `, ${operator.circuitRetry(Math.ceil(circuitRetryAfterMs / 1000))}`
  return el(
    'dl',
    { class: 'facts' },
    el('dt', {}, operator.permits),
    el('dd', {}, operator.of(runningReplies, maxRunningReplies), meter(share, share > 0.9)),
    el('dt', {}, operator.waiting),
    el('dd', {}, String(waitingReplies)),
    el('dt', {}, operator.starts),
    el('dd', {}, String(load.maxStartsPerSecond)),
    el('dt', {}, operator.circuit),
    el(
      'dd',
      {},
      badge(
        operator.circuits[circuit] + retry,
        circuit === 'CLOSED' ? 'good' : circuit === 'OPEN' ? 'bad' : 'warn',
      ),
    ),
  )
}

function folded(key: string, title: string, ...inside: readonly Child[]): View {
  return el('details', { key }, el('summary', {}, title), ...inside)
}
