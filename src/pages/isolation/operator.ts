import {
  browserTransport,
  type ChatClient,
  createChatClient,
  fetchTransport,
} from '../../client/client.ts'
import { facts } from '../page.ts'

/** A caller with the operators' scope. */
export interface Operator {
  readonly token: string
  readonly chat: ChatClient
}

export function createOperator(token: string): Operator {
  const transport = browserTransport()
  return { token, chat: createChatClient({ url: facts.graphql, token: () => token, transport }) }
}

export type Verdict = 'UNPROVEN' | 'ISOLATED' | 'LEAKING' | 'INCONCLUSIVE' | 'BREACHED' | 'STALE'
export type Layer =
  | 'IDENTITY'
  | 'CONVERSATION'
  | 'VARIABLES'
  | 'LONG_TERM_MEMORY'
  | 'KNOWLEDGE'
  | 'PENDING_QUESTION'
export type Strategy = 'WORKFLOW' | 'BOT'

export interface Finding {
  readonly strategy: Strategy
  readonly layer: Layer
  readonly verdict: 'ISOLATED' | 'LEAKING' | 'INCONCLUSIVE' | 'NOT_TESTED'
  readonly reason: string
  readonly cause: string | null
  readonly remedy: string | null
  readonly evidence: readonly {
    readonly observedAt: string
    readonly summary: string
    readonly sessionFingerprints: readonly string[]
    readonly upstreamLogIds: readonly string[]
  }[]
}

export interface KeyedLayer {
  readonly layer: Layer
  readonly keyedBy: string
}

/** What operators see of an assistant. */
export interface AssistantReport {
  readonly id: string
  readonly name: string
  readonly isAvailable: boolean
  readonly isolation: {
    readonly verdict: Verdict
    readonly checkedAt: string | null
    readonly findings: readonly Finding[]
    readonly keying: readonly {
      readonly strategy: Strategy
      readonly layers: readonly KeyedLayer[]
    }[]
  }
  readonly load: {
    readonly runningReplies: number
    readonly waitingReplies: number
    readonly maxRunningReplies: number
    readonly maxStartsPerSecond: number
    readonly circuit: 'CLOSED' | 'OPEN' | 'HALF_OPEN'
    readonly circuitRetryAfterMs: number | null
  }
}

const assistantsQuery = `{
  assistants {
    id name isAvailable
    isolation {
      verdict checkedAt
      findings {
        strategy layer verdict reason cause remedy
        evidence { observedAt summary sessionFingerprints upstreamLogIds }
      }
      keying { strategy layers { layer keyedBy } }
    }
    load {
      runningReplies waitingReplies maxRunningReplies maxStartsPerSecond circuit circuitRetryAfterMs
    }
  }
}`

export async function readAssistants({ chat }: Operator): Promise<readonly AssistantReport[]> {
  const { assistants } = await chat.query<{ assistants: readonly AssistantReport[] }>(
    assistantsQuery,
  )
  return assistants
}

export async function clearQuarantine({ chat }: Operator, assistantId: string): Promise<void> {
  const document =
    'mutation ($input: ClearQuarantineInput!) { clearQuarantine(input: $input) { __typename } }'
  await chat.query(document, { input: { assistantId } })
}

interface ProbeEvent {
  readonly __typename: string
  readonly step?: string
  readonly message?: string
}

/** Calls with each event of a probe, and resolves at its end, or when the connection is lost. */
export async function followProbe(
  { token }: Operator,
  probeId: string,
  onEvent: (event: ProbeEvent) => void,
): Promise<void> {
  const query = `subscription ($probeId: ID!) {
    probeProgress(probeId: $probeId) {
      __typename ... on ProbeStep { step } ... on ProbeFailed { message }
    }
  }`
  await new Promise<void>((resolve) => {
    fetchTransport().subscribe(
      {
        url: facts.graphql,
        headers: { authorization: `Bearer ${token}` },
        operation: { query, variables: { probeId } },
      },
      {
        alive: () => undefined,
        retry: () => undefined,
        next({ data }) {
          const { probeProgress }: { probeProgress?: ProbeEvent } = Object(data)
          if (probeProgress) onEvent(probeProgress)
        },
        complete: () => resolve(),
        end: () => resolve(),
      },
    )
  })
}
