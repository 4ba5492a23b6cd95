import { ConfigError } from '../config/config.ts'
import { StoreError, StoreOpenError } from '../store/store.ts'
import { TransferError } from '../store/transfer.ts'
import { UsageError } from './usage-error.ts'

/** The exit code of a command; those of a probe are verdicts. */
export type ExitCode = 0 | 1 | 2 | 3

/**
 * Runs what this process is for, and ends it with the exit code. What goes wrong is a sentence for the person at the
 * terminal.
 * @param codeOf the exit code of a failure, where it is not the usual one
 */
export async function runProcess(
  run: () => Promise<ExitCode>,
  codeOf: (code: 1 | 2) => ExitCode = (code) => code,
): Promise<never> {
  guardProcess()
  let code: ExitCode
  try {
    code = await run()
  } catch (error) {
    const complaint = complaintOf(error)
    process.stderr.write(`coze-graphql-gateway: ${complaint.text}\n`)
    code = codeOf(complaint.code)
  }
  process.exit(code)
}

function guardProcess(): void {
  // By default Node opens its inspector on this signal, and whoever reaches its port can run code in the process.
  process.on('SIGUSR1', () => {
    process.stderr.write('coze-graphql-gateway: SIGUSR1 is ignored: the inspector stays closed\n')
  })

  // A reader that has read enough, such as `head`, closes the pipe. That must not end a gateway.
  for (const output of [process.stdout, process.stderr]) {
    output.on('error', (error) => {
      if (!('code' in error && error.code === 'EPIPE')) throw error
    })
  }
}

/** The sentence for the person at the terminal, and the exit code. */
function complaintOf(error: unknown): { readonly code: 1 | 2; readonly text: string } {
  if (error instanceof UsageError || error instanceof ConfigError) {
    return { code: 2, text: error.message }
  }
  if (!(error instanceof Error)) return { code: 1, text: String(error) }
  if (
    'code' in error &&
    'port' in error &&
    (error.code === 'EADDRINUSE' || error.code === 'EACCES')
  ) {
    const reason = error.code === 'EACCES' ? 'may not be used' : 'is in use'
    return { code: 2, text: `port ${String(error.port)} ${reason}` }
  }
  if ('syscall' in error && (error.syscall === 'listen' || error.syscall === 'getaddrinfo')) {
    const host = 'hostname' in error ? error.hostname : 'address' in error ? error.address : ''
    const code = 'code' in error ? ` (${String(error.code)})` : ''
    return { code: 2, text: `${String(host)} is not an address or a name of this host${code}` }
  }
  const isExpected =
    error instanceof StoreOpenError || error instanceof StoreError || error instanceof TransferError
  return { code: 1, text: isExpected ? error.message : (error.stack ?? error.message) }
}
