/** Why a run is aborted by ourselves: the reason of its signal. */
export class StopRequest extends Error {
  override readonly name = 'StopRequest'
  /** `breach`: another session or conversation has been met in its upstream conversation. */
  readonly kind: 'cancel' | 'shutdown' | 'breach'
  constructor(kind: StopRequest['kind']) {
    super(kind)
    this.kind = kind
  }
}

export function isStopped(signal: AbortSignal, kind: StopRequest['kind']): boolean {
  return signal.reason instanceof StopRequest && signal.reason.kind === kind
}
