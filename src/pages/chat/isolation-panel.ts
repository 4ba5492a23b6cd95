import { el, type Child, type View } from '../dom.ts'
import type { AssistantReport } from '../isolation/operator.ts'
import type { Prober } from '../isolation/prober.ts'
import { findingList, keyingTable, probeProgress, verdictSummary } from '../isolation/views.ts'
import { words } from '../words/words.ts'
import type { Leak } from './stage.ts'

export interface IsolationPanel {
  readonly report: AssistantReport | undefined
  readonly prober: Prober
  readonly leaks: readonly Leak[]
  /** The leak that is on. */
  readonly leak: string | null
  readonly isBusy: boolean
  switchLeak(name: string | null): void
  /** Lets the callers say what shows the leak. */
  play(leak: Leak): void
  /** Switches the leak off, probes again and clears the quarantine. */
  mend(): void
}

/** What is known of how the assistant keeps sessions apart, and the switches of the demo. */
export function isolationView(panel: IsolationPanel, isShown: boolean): View {
  const { isolation } = words()
  return el(
    'aside',
    {
      key: 'isolation',
      id: 'isolation',
      class: `isolation${isShown ? ' shown' : ''}`,
      'aria-label': isolation,
    },
    probeSection(panel),
    panel.leaks.length > 0 && leakSection(panel),
    keyingSection(panel.report),
  )
}

function probeSection({ report, prober, isBusy }: IsolationPanel): View {
  const { probe } = words()
  const { isRunning } = prober
  const findings = report?.isolation.findings ?? []
  return el(
    'section',
    { class: 'card' },
    el('h2', {}, probe.title),
    report && verdictSummary(report),
    el(
      'p',
      {},
      el(
        'button',
        {
          type: 'button',
          class: 'primary',
          disabled: isRunning || isBusy,
          onclick: () => void prober.run(report?.id),
        },
        isRunning ? probe.running : probe.run,
      ),
    ),
    findings.length === 0 && !isRunning && el('p', { class: 'quiet' }, probe.about),
    probeProgress(prober),
    !isRunning && findings.length > 0 && findingList(findings),
  )
}

function leakSection({ leaks, leak, isBusy, prober, ...panel }: IsolationPanel): View {
  const { leaks: texts } = words()
  const isOff = isBusy || prober.isRunning
  const current = leaks.find(({ name }) => name === leak)
  const [, about = current?.about] = texts.byName[leak ?? ''] ?? []
  return el(
    'section',
    { class: 'card' },
    el('h2', {}, texts.title),
    el('p', { class: 'quiet' }, texts.about),
    el(
      'select',
      {
        'aria-label': texts.title,
        value: leak ?? '',
        disabled: isOff,
        onchange: ({ target }) => {
          if (target instanceof HTMLSelectElement) panel.switchLeak(target.value || null)
        },
      },
      el('option', { value: '' }, texts.none),
      ...leaks.map(({ name }) => el('option', { value: name }, texts.byName[name]?.[0] ?? name)),
    ),
    about !== undefined && el('p', {}, about),
    current &&
      el(
        'p',
        { class: 'buttons' },
        el(
          'button',
          { type: 'button', class: 'primary', disabled: isOff, onclick: () => panel.play(current) },
          texts.play,
        ),
        el(
          'button',
          { type: 'button', title: texts.mendHint, disabled: isOff, onclick: () => panel.mend() },
          texts.mend,
        ),
      ),
  )
}

function keyingSection(report: AssistantReport | undefined): Child {
  if (!report) return undefined
  const { probe, strategies } = words()
  return el(
    'section',
    { class: 'card' },
    el('h2', {}, probe.keying),
    ...report.isolation.keying.flatMap(({ strategy, layers }) => [
      report.isolation.keying.length > 1 && el('h3', {}, strategies[strategy]),
      keyingTable(layers),
    ]),
  )
}
