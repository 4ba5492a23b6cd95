import { el, type Child, type View } from '../dom.ts'
import type { AssistantReport } from '../isolation/operator.ts'
import type { Prober } from '../isolation/prober.ts'
import { badge, probeProgress, said, verdictBadge } from '../isolation/views.ts'
import { time, words } from '../words/words.ts'
import type { PastProbe } from './overview.ts'

/** The probe that runs, and those that ran. */
export function probesView(prober: Prober, probes: readonly PastProbe[]): View {
  const { operator, probe } = words()
  return el(
    'section',
    { key: 'probes', class: 'card', 'aria-label': operator.history },
    el(
      'div',
      { class: 'head' },
      el('h2', {}, operator.history),
      el(
        'button',
        {
          type: 'button',
          class: 'small primary',
          disabled: prober.isRunning,
          onclick: () => void prober.run(undefined),
        },
        prober.isRunning ? probe.running : operator.probeAll,
      ),
    ),
    probeProgress(prober),
    probes.length === 0 ? el('p', { class: 'quiet' }, operator.noHistory) : probeTable(probes),
    el('p', { class: 'quiet' }, operator.historyNote),
  )
}

function probeTable(probes: readonly PastProbe[]): View {
  const { operator } = words()
  const heads = [operator.started, operator.result, operator.duration, operator.upstreamCalls]
  return el(
    'div',
    { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': operator.history },
    el(
      'table',
      {},
      el('thead', {}, el('tr', {}, ...heads.map((head) => el('th', { scope: 'col' }, head)))),
      el('tbody', {}, ...probes.map(probeRow)),
    ),
  )
}

function probeRow({ id, status, startedAt, reports }: PastProbe): View {
  const { operator, statuses } = words()
  const calls = reports.reduce((sum, { upstreamCalls }) => sum + upstreamCalls, 0)
  const endedAt = reports.at(-1)?.endedAt
  const seconds = (Date.parse(endedAt ?? startedAt) - Date.parse(startedAt)) / 1000
  return el(
    'tr',
    { key: id },
    el('td', {}, time(startedAt)),
    el(
      'td',
      {},
      ...(reports.length === 0
        ? [badge(statuses[status] ?? status, status === 'FAILED' ? 'bad' : 'calm')]
        : reports.map(({ assistant, verdict }) =>
            el('p', {}, verdictBadge(verdict), ' ', assistant?.name),
          )),
    ),
    el('td', {}, endedAt === undefined ? '–' : operator.seconds(Math.round(seconds))),
    el('td', {}, String(calls)),
  )
}

/** The breaches that no operator has cleared, with their evidence. */
export function breachesView(reports: readonly AssistantReport[]): View {
  const { operator } = words()
  const breached = reports.filter(({ isolation }) => isolation.verdict === 'BREACHED')
  return el(
    'section',
    { key: 'breaches', class: 'card wide', 'aria-label': operator.breaches },
    el('h2', {}, operator.breaches),
    breached.length === 0 && el('p', { class: 'quiet' }, operator.noBreaches),
    ...breached.map(breachView),
  )
}

function breachView({ id, name, isolation }: AssistantReport): View {
  const { operator, probe } = words()
  const [found] = isolation.findings
  const [evidence] = found?.evidence ?? []
  const row = (title: string, value: Child) => [el('dt', {}, title), el('dd', {}, value)]
  return el(
    'div',
    { key: id, class: 'finding bad' },
    el('h3', {}, name),
    evidence &&
      el(
        'dl',
        { class: 'facts' },
        ...row(probe.evidence, said(evidence.summary)),
        ...row(operator.observedAt, time(evidence.observedAt)),
        ...row(probe.sessions, el('code', {}, evidence.sessionFingerprints.join(', '))),
        ...row(probe.logIds, el('code', {}, evidence.upstreamLogIds.join(', '))),
        ...(found?.remedy == null ? [] : row(probe.remedy, said(found.remedy))),
      ),
  )
}
