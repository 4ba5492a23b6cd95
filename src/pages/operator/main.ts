import { ChatError } from '../../client/client.ts'
import { readStage } from '../chat/stage.ts'
import { el } from '../dom.ts'
import { clearQuarantine, createOperator } from '../isolation/operator.ts'
import { createProber } from '../isolation/prober.ts'
import { facts, redraw, showPage } from '../page.ts'
import { signIn, signOutButton } from '../sign-in.ts'
import { topBar } from '../top-bar.ts'
import { words } from '../words/words.ts'
import { assistantCard } from './assistants-view.ts'
import { countsView, type Sample } from './counts-view.ts'
import { createExplanations } from './explanation.ts'
import { breachesView, probesView } from './history-view.ts'
import { type Overview, readOverview } from './overview.ts'

const readEveryMs = 2_000
/** Five minutes. */
const maxSamples = 150

const stage = facts.isDemo ? await readStage() : undefined
const operator = createOperator(stage?.operator.token ?? (await signIn('operator')))
const prober = createProber(operator, stage?.probe ?? {}, read)
const explanation = createExplanations(operator)
let overview: Overview | undefined
let samples: readonly Sample[] = []
let isLive = true

async function read(): Promise<void> {
  try {
    overview = await readOverview(operator)
    samples = [...samples.slice(1 - maxSamples), sampleOf(overview)]
    isLive = true
  } catch (error) {
    if (!(error instanceof ChatError)) throw error
    isLive = false
  }
  redraw()
}

function sampleOf({ assistants, counts }: Overview): Sample {
  const sum = (read: (load: (typeof assistants)[number]['load']) => number) =>
    assistants.reduce((total, { load }) => total + read(load), 0)
  return {
    ...counts,
    running: sum(({ runningReplies }) => runningReplies),
    waiting: sum(({ waitingReplies }) => waitingReplies),
  }
}

async function clear(assistantId: string): Promise<void> {
  await clearQuarantine(operator, assistantId)
  await read()
}

showPage(() => {
  const { operator: texts, loading } = words()
  const status = el(
    'span',
    { class: `dot ${isLive ? 'open' : 'failed'}`, role: 'status' },
    isLive ? texts.live : texts.paused,
  )
  if (!overview) {
    return [topBar('operator', status), el('main', { class: 'console' }, el('p', {}, loading))]
  }
  const { assistants, counts, probes } = overview
  return [
    topBar('operator', status, !facts.isDemo && signOutButton()),
    el(
      'main',
      { class: 'console' },
      countsView(counts, samples),
      ...assistants.map((report) => assistantCard(report, prober, (id) => void clear(id))),
      breachesView(assistants),
      probesView(prober, probes),
      explanation(),
    ),
  ]
})

for (;;) {
  if (document.visibilityState === 'visible') await read()
  await new Promise((resolve) => setTimeout(resolve, readEveryMs))
}
