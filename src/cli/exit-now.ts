import { processEnvironment } from '../config/config.ts'

/**
 * Ends the process at once. `process.exit` first waits for the threads of libuv's pool, and a disk or a name server that
 * does not respond can block one of them for ever. `execve` replaces the process by a program without such threads.
 */
export function exitNow(code: 1): never {
  const { execPath } = process
  try {
    // The options of this process are not passed on, since they can load anything.
    const env = { ...processEnvironment(), NODE_OPTIONS: '' }
    process.execve?.(execPath, [execPath, '--eval', `process.exit(${code})`], env)
  } catch {
    // Windows has no such call.
  }
  process.exit(code)
}
