import { type Assistant, ChatError, listAssistants } from '../../client/client.ts'
import { el, type Child, type View } from '../dom.ts'
import {
  type AssistantReport,
  clearQuarantine,
  createOperator,
  readAssistants,
} from '../isolation/operator.ts'
import { createProber } from '../isolation/prober.ts'
import { facts, redraw, showPage } from '../page.ts'
import { signIn, signOutButton } from '../sign-in.ts'
import { topBar } from '../top-bar.ts'
import { translate, words } from '../words/words.ts'
import { createAnnouncer } from './announcer.ts'
import { isolationView } from './isolation-panel.ts'
import { createPane, type Pane } from './pane.ts'
import { paneView } from './pane-view.ts'
import { keepAtEnd } from './scrolling.ts'
import { isOpen } from './transcript.ts'
import { type Leak, readStage, type Stage, switchLeak } from './stage.ts'

const announcer = createAnnouncer()

if (facts.isDemo) await showDemo(await readStage())
else {
  const token = await signIn('chat')
  const alone = createPane({ name: words().pane.you, token }, (turn) => announcer.announce(turn))
  await showChat([alone], () => undefined)
}

/** Alice and Bob side by side, with what an operator sees and does. */
async function showDemo(first: Stage): Promise<void> {
  let stage = first
  let reports: readonly AssistantReport[] = []
  let isBusy = false
  const operator = createOperator(stage.operator.token)
  const panes = stage.callers.map((caller) =>
    createPane(caller, (turn) => {
      announcer.announce(turn)
      // The guard may just have taken the assistant out of service.
      if (turn.reply && !isOpen(turn.reply.state.snapshot())) void readReports()
    }),
  )
  const prober = createProber(operator, stage.probe, readReports)

  /** What is known stays while the gateway cannot be asked. */
  async function readReports(): Promise<void> {
    try {
      reports = await readAssistants(operator)
    } catch (error) {
      if (!(error instanceof ChatError)) throw error
    }
    redraw()
  }

  async function busy(work: () => Promise<unknown>): Promise<void> {
    isBusy = true
    redraw()
    try {
      await work()
      await readReports()
    } catch (error) {
      if (!(error instanceof ChatError)) throw error
    } finally {
      isBusy = false
      redraw()
    }
  }

  async function play({ talk }: Leak): Promise<void> {
    for (const [name, text] of talk) {
      const pane = panes.find((one) => one.name === name)
      // What is said in a conversation of its own shows what the platform mixes up.
      await pane?.open(undefined)
      await pane?.send(translate(text).text)
      await pane?.turns.at(-1)?.reply?.done.catch(() => undefined)
    }
  }

  await readReports()
  await showChat(panes, (chosen, view) =>
    isolationView(
      {
        report: reports.find(({ id }) => id === chosen?.id),
        prober,
        leaks: stage.leaks,
        leak: stage.leak,
        isBusy,
        switchLeak: (name) => void busy(async () => (stage = await switchLeak(name))),
        play: (leak) => void busy(() => play(leak)),
        mend: () =>
          void busy(async () => {
            stage = await switchLeak(null)
            await prober.run(undefined)
            for (const { id } of reports) await clearQuarantine(operator, id)
          }),
      },
      view === 'isolation',
    ),
  )
}

/** The chats, with what stands beside them. They are drawn when all of it is known, so that nothing moves aside later. */
async function showChat(
  panes: readonly Pane[],
  beside: (chosen: Assistant | undefined, view: string) => Child,
): Promise<void> {
  const [first] = panes
  const assistants = first ? await listAssistants(first.chat) : []
  let chosen: Assistant | undefined
  /** What a narrow screen shows. */
  let view = first?.name ?? ''

  async function choose(assistant: Assistant | undefined): Promise<void> {
    chosen = assistant
    redraw()
    if (assistant) await Promise.all(panes.map((pane) => pane.choose(assistant)))
  }

  const chats = choose(assistants[0])
  showPage(
    () => [
      el('a', { class: 'skip', href: `#pane-${first?.name}` }, words().skip),
      topBar(
        'chat',
        assistantChooser(assistants, chosen, choose),
        !facts.isDemo && signOutButton(),
      ),
      panes.length > 1 &&
        viewChooser(panes, view, (name) => {
          view = name
          redraw()
        }),
      el(
        'main',
        { class: panes.length > 1 ? 'chats' : 'chats alone' },
        ...panes.map((pane) => paneView(pane, chosen, pane.name === view)),
        beside(chosen, view),
      ),
      announcer.view(),
    ],
    keepAtEnd,
  )
  await chats
}

function assistantChooser(
  assistants: readonly Assistant[],
  chosen: Assistant | undefined,
  choose: (assistant: Assistant) => Promise<void>,
): View {
  return el(
    'div',
    { class: 'segments', role: 'group', 'aria-label': words().assistant },
    ...assistants.map((assistant) =>
      el(
        'button',
        {
          type: 'button',
          'aria-pressed': assistant === chosen ? 'true' : 'false',
          onclick: () => void choose(assistant),
        },
        assistant.name,
      ),
    ),
  )
}

function viewChooser(panes: readonly Pane[], view: string, choose: (name: string) => void): View {
  const views = [...panes.map(({ name }) => [name, name]), ['isolation', words().isolation]]
  return el(
    'nav',
    { class: 'views segments', 'aria-label': words().views },
    ...views.map(([name = '', title = '']) =>
      el(
        'button',
        {
          type: 'button',
          'aria-pressed': name === view ? 'true' : 'false',
          onclick: () => choose(name),
        },
        title,
      ),
    ),
  )
}
