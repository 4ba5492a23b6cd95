import { el, type Child, type View } from '../dom.ts'
import { time, translate, words } from '../words/words.ts'
import type { AssistantReport, Finding, KeyedLayer } from './operator.ts'
import type { Prober } from './prober.ts'

const tones = {
  ISOLATED: 'good',
  LEAKING: 'bad',
  BREACHED: 'bad',
  INCONCLUSIVE: 'warn',
  STALE: 'warn',
  UNPROVEN: 'warn',
  NOT_TESTED: 'calm',
} as const

export function badge(text: string, tone: 'good' | 'bad' | 'warn' | 'calm'): View {
  return el('span', { class: `badge ${tone}` }, text)
}

export function verdictBadge(verdict: AssistantReport['isolation']['verdict']): View {
  const [name = verdict] = words().verdicts[verdict]
  return badge(name, tones[verdict])
}

export function serviceBadge(isAvailable: boolean): View {
  const { inService, outOfService } = words().probe
  return isAvailable ? badge(inService, 'good') : badge(outOfService, 'bad')
}

/** The verdict of an assistant, what it means, and how old it is. */
export function verdictSummary({ isAvailable, isolation }: AssistantReport): View {
  const { probe, verdicts } = words()
  const [, meaning = ''] = verdicts[isolation.verdict]
  const { checkedAt } = isolation
  return el(
    'div',
    { class: 'verdict' },
    el('p', { class: 'badges' }, verdictBadge(isolation.verdict), serviceBadge(isAvailable)),
    el('p', {}, meaning),
    el(
      'p',
      { class: 'quiet' },
      `${probe.checkedAt}: ${checkedAt === null ? probe.never : time(checkedAt)}`,
    ),
  )
}

/** The findings, the worst first. */
export function findingList(findings: readonly Finding[]): View {
  const { probe } = words()
  if (findings.length === 0) return el('p', { class: 'quiet' }, probe.noFindings)
  const rank = { LEAKING: 0, INCONCLUSIVE: 1, ISOLATED: 2, NOT_TESTED: 3 }
  const sorted = findings.toSorted((a, b) => rank[a.verdict] - rank[b.verdict])
  return el(
    'ul',
    { class: 'findings' },
    ...sorted.map((finding, index) => findingItem(finding, `${index} ${finding.layer}`)),
  )
}

function findingItem(finding: Finding, key: string): View {
  const { layers, layerVerdicts, strategies, probe } = words()
  const { layer, strategy, verdict, reason, cause, remedy, evidence } = finding
  const isLeak = verdict === 'LEAKING'
  return el(
    'li',
    { key, class: `finding ${tones[verdict]}` },
    el(
      'details',
      { open: isLeak },
      el(
        'summary',
        {},
        el('span', { class: 'layer' }, layers[layer]),
        el('span', { class: 'quiet' }, strategies[strategy]),
        badge(layerVerdicts[verdict], tones[verdict]),
      ),
      el('p', {}, said(reason)),
      cause !== null && fact(probe.cause, cause),
      remedy !== null && fact(probe.remedy, remedy),
      ...evidence.map(({ observedAt, summary, sessionFingerprints, upstreamLogIds }) =>
        el(
          'div',
          { class: 'evidence' },
          fact(probe.evidence, summary),
          el('p', { class: 'quiet' }, time(observedAt)),
          sessionFingerprints.length > 0 &&
            el(
              'p',
              { class: 'quiet' },
              `${probe.sessions}: `,
              el('code', {}, sessionFingerprints.join(', ')),
            ),
          upstreamLogIds.length > 0 &&
            el(
              'p',
              { class: 'quiet' },
              `${probe.logIds}: `,
              el('code', {}, upstreamLogIds.join(', ')),
            ),
        ),
      ),
    ),
  )
}

function fact(name: string, text: string): View {
  return el('p', {}, el('strong', {}, `${name}: `), said(text))
}

/** What the gateway itself says, in its language. */
export function said(english: string): View {
  const { text, lang } = translate(english)
  return el('span', { lang }, text)
}

/** What keeps sessions apart, layer by layer. */
export function keyingTable(layers: readonly KeyedLayer[]): View {
  const { probe, layers: names } = words()
  return el(
    'table',
    { class: 'keying' },
    el(
      'thead',
      {},
      el(
        'tr',
        {},
        el('th', { scope: 'col' }, probe.layer),
        el('th', { scope: 'col' }, probe.keyedBy),
      ),
    ),
    el(
      'tbody',
      {},
      ...layers.map(({ layer, keyedBy }) =>
        el('tr', {}, el('th', { scope: 'row' }, names[layer]), el('td', {}, said(keyedBy))),
      ),
    ),
  )
}

/** The steps of a probe, as they come. */
export function probeProgress(prober: Prober): Child {
  const { probe } = words()
  const { isRunning, steps, maxCalls, problem } = prober
  if (!isRunning && problem === undefined) return undefined
  return el(
    'div',
    { class: 'progress' },
    isRunning && el('div', { class: 'bar', role: 'progressbar', 'aria-label': probe.progress }),
    maxCalls !== undefined && el('p', { class: 'quiet' }, probe.calls(maxCalls)),
    el(
      'ol',
      { class: 'steps', role: 'log', 'aria-label': probe.progress, tabindex: 0 },
      ...steps.slice(-6).map((step) => el('li', {}, said(step))),
    ),
    problem !== undefined && el('p', { class: 'error', role: 'alert' }, problem),
  )
}
