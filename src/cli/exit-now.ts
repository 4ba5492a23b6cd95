import { processEnvironment } from '../config/config.ts'

/**
 * Ends the process at once. `process.exit` first waits for the threads of libuv's pool, and a disk or a name server that
 * does not answer may keep one of them for good. A new program in the place of this one has no such thread.
 */
export function exitNow(code: 1): never {
  const { execPath } = process
  try {
    // Not the options of this one, which may load and start anything.
    const env = { ...processEnvironment(), NODE_OPTIONS: '' }
    process.execve?.(execPath, [execPath, '--eval', `process.exit(${code})`], env)
  } catch {
    // Windows has no such call.
  }
  process.exit(code)
}
