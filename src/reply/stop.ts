/** Why a run is aborted by ourselves: the reason of its signal. */
export class StopRequest extends Error {
  override readonly name = 'StopRequest'
  readonly kind: 'cancel' | 'shutdown'
  constructor(kind: 'cancel' | 'shutdown') {
    super(kind)
    this.kind = kind
  }
}

export function isStopped(signal: AbortSignal, kind: StopRequest['kind']): boolean {
  return signal.reason instanceof StopRequest && signal.reason.kind === kind
}
