import type { Emulator } from '../emulator/emulator.ts'
import type { Leak } from '../emulator/options.ts'
import type { DemoStage } from '../server/pages/demo-stage.ts'
import type { DemoCaller } from './callers.ts'
import { findLeak, leakNames, leakProbe, leakStories } from './leaks.ts'
import { leakSettings } from './settings.ts'

/** The callers that the chat page of the demo shows, and the leaks that it can switch on. */
export function createDemoStage(options: {
  readonly emulator: Pick<Emulator, 'reconfigure'>
  readonly callers: readonly DemoCaller[]
  readonly operator: DemoCaller
  /** The leak at the start. */
  readonly leak: Leak | undefined
}): DemoStage {
  const { emulator, callers, operator } = options
  let { leak } = options
  return {
    describe: () => ({
      callers: callers.map((caller) => ({ ...caller, suggestions: suggestionsOf(caller) })),
      operator,
      leak: leakNames.find((name) => findLeak(name) === leak) ?? null,
      leaks: Object.entries(leakStories).map(([name, { about, talk }]) => ({ name, about, talk })),
      probe: leakProbe,
    }),
    leak(name) {
      const found = name === null ? undefined : findLeak(name)
      if (name !== null && found === undefined) return false
      leak = found
      emulator.reconfigure(leakSettings(leak))
      return true
    },
  }
}

/** What shows that callers do not meet, and what else the stand-in for Coze understands. */
export function suggestionsOf({ name }: Pick<DemoCaller, 'name'>): readonly string[] {
  return name === 'Alice'
    ? [
        'My secret is swordfish.',
        'What is my secret?',
        '/think Let me see.\n/long 200',
        '/choose Which size? | small | medium | large',
        '/help',
      ]
    : [
        'What is my secret?',
        'My secret is marigold.',
        '/form Where to? | city:string! | nights:integer',
        '/tool weather',
        '/help',
      ]
}
