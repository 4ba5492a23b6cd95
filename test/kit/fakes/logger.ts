import type { Logger } from '../../../src/observe/logger.ts'

export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
}
