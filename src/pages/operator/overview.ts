import type { AssistantReport, Operator, Strategy } from '../isolation/operator.ts'
import { readAssistants } from '../isolation/operator.ts'

export interface NamedCount {
  readonly name: string
  readonly count: number
}

/** What one instance of the gateway has counted since it started. */
export interface LiveCounts {
  readonly startedAt: string
  readonly openSubscriptions: number
  readonly acceptedMessages: number
  readonly refusedMessages: readonly NamedCount[]
  readonly endedReplies: readonly NamedCount[]
  readonly endedSubscriptions: readonly NamedCount[]
  readonly upstreamErrors: readonly NamedCount[]
  readonly medianFirstDeltaMs: number | null
  readonly slowFirstDeltaMs: number | null
}

export interface PastProbe {
  readonly id: string
  readonly status: 'RUNNING' | 'COMPLETED' | 'FAILED'
  readonly startedAt: string
  readonly reports: readonly {
    readonly assistant: { readonly name: string } | null
    readonly strategy: Strategy
    readonly verdict: 'ISOLATED' | 'LEAKING' | 'INCONCLUSIVE'
    readonly endedAt: string
    readonly upstreamCalls: number
  }[]
}

export interface Overview {
  readonly assistants: readonly AssistantReport[]
  readonly counts: LiveCounts
  readonly probes: readonly PastProbe[]
}

const query = `{
  liveCounts {
    startedAt openSubscriptions acceptedMessages medianFirstDeltaMs slowFirstDeltaMs
    refusedMessages { name count } endedReplies { name count }
    endedSubscriptions { name count } upstreamErrors { name count }
  }
  probes {
    id status startedAt
    reports { assistant { name } strategy verdict endedAt upstreamCalls }
  }
}`

export async function readOverview(operator: Operator): Promise<Overview> {
  const [assistants, { liveCounts: counts, probes }] = await Promise.all([
    readAssistants(operator),
    operator.chat.query<{
      readonly liveCounts: LiveCounts
      readonly probes: readonly PastProbe[]
    }>(query),
  ])
  return { assistants, counts, probes }
}
