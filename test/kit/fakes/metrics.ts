import type { Metrics } from '../../../src/observe/metrics.ts'
import { createOpenTelemetryTracer } from '../../../src/observe/opentelemetry.ts'

/** For tests that count nothing. */
export const uncounted: Metrics = {
  requestAnswered: () => undefined,
  messageTaken: () => undefined,
  replyEnded: () => undefined,
  firstDelta: () => undefined,
  tokenMinted: () => undefined,
  tokenReused: () => undefined,
  subscriptionOpened: () => undefined,
  subscriptionEnded: () => undefined,
  upstreamOddity: () => undefined,
  upstreamError: () => undefined,
  upstreamCalled: () => undefined,
  upstreamRetried: () => undefined,
  queueLength: () => undefined,
  storeWritten: () => undefined,
  circuitChanged: () => undefined,
  isolationBreach: () => undefined,
  isolationVerdict: () => undefined,
  laneAsked: () => undefined,
  laneChanged: () => undefined,
  laneForgot: () => undefined,
}

/** Without an SDK it traces nothing. */
export const untraced = createOpenTelemetryTracer()
