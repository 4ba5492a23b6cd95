import type { Config } from './config/config.ts'
import type { AssistantId } from './domain.ts'
import type { IsolationPort } from './graphql/context.ts'
import type { Verdicts } from './isolation/verdicts.ts'
import { describeIsolation } from './probe/assistant-isolation.ts'
import type { Probing } from './probe/probing.ts'
import type { Assistants } from './strategy/assistants.ts'

/** Joins what the guard, the probe and the strategies know of isolation, for GraphQL and for health. */
export function createIsolationPort(
  { assistants: settings }: Pick<Config, 'assistants'>,
  parts: {
    readonly assistants: Assistants
    readonly verdicts: Verdicts
    readonly probing: Probing
  },
): IsolationPort & { /** Every assistant is ISOLATED, as it is served. */ isProven(): boolean } {
  const { assistants, verdicts, probing } = parts
  const byId = new Map(settings.map((assistant) => [assistant.id, assistant]))

  function describe(id: AssistantId) {
    const assistant = byId.get(id)
    if (assistant === undefined) throw new TypeError(`"${id}" is not configured`)
    return describeIsolation(assistant, {
      assistants,
      verdictOf: (target) => verdicts.verdictOf(target),
      records: verdicts.recordsOf(id),
    })
  }

  return {
    describe,
    clear: (id) => verdicts.clear(id),
    begin: (request) => probing.begin(request),
    find: (probeId) => probing.find(probeId),
    isProven: () =>
      settings.every(({ id }) => {
        const { verdict, inService } = describe(id)
        return inService && verdict === 'ISOLATED'
      }),
  }
}
