/** The run of a chat has ended with the platform's process. Not a bug of the emulator. */
export class PlatformEndedError extends Error {
  override readonly name = 'PlatformEndedError'
}

/** The platform's process: a restart ends it, with all that runs in it, and another takes its place. */
export interface PlatformProcess {
  /** Aborts with a {@link PlatformEndedError} when the process of now ends. */
  readonly signal: AbortSignal
  restart(): void
  end(): void
}

export function createPlatformProcess(): PlatformProcess {
  let life = new AbortController()
  const end = () => life.abort(new PlatformEndedError('the platform has ended'))
  return {
    get signal() {
      return life.signal
    },
    restart() {
      end()
      life = new AbortController()
    },
    end,
  }
}
