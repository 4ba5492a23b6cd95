import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { createEmulator, type Emulator } from '../emulator/emulator.ts'
import type { EmulatorOptions } from '../emulator/options.ts'
import { readLocalAddress } from './local-only.ts'
import { type Options, valueOf } from './options.ts'
import { UsageError } from './usage-error.ts'

/** Runs a stand-in for Coze until a signal stops it, and returns the exit code. */
export async function runEmulator(
  options: Options,
  print: (text: string) => Promise<unknown>,
): Promise<0> {
  const ended = Promise.withResolvers<void>()
  process.once('SIGTERM', ended.resolve)
  process.once('SIGINT', ended.resolve)
  const { warning, ...address } = readLocalAddress(options, {
    name: 'the emulator',
    defaultPort: '0',
  })
  await using emulator = createChecked(await readEmulatorOptions(options, ended.resolve))
  if (warning !== undefined) process.stderr.write(`${warning}\n`)
  const { url } = await emulator.listen(address)
  await print(`${JSON.stringify({ url })}\n`)
  await ended.promise
  process.stdin.destroy()
  return 0
}

function createChecked(json: string): Emulator {
  try {
    // `createEmulator` checks the options.
    const options: EmulatorOptions = JSON.parse(json)
    return createEmulator(options)
  } catch (error) {
    const isMistake = error instanceof TypeError || error instanceof SyntaxError
    throw isMistake ? new UsageError(error.message, { cause: error }) : error
  }
}

async function readEmulatorOptions(options: Options, end: () => void): Promise<string> {
  const file = valueOf(options, 'config')
  if (file !== undefined) {
    return await readFile(file, 'utf8').catch((cause: unknown) => {
      throw new UsageError(`${file} cannot be read`, { cause })
    })
  }
  if (options['stdin'] !== true) throw new UsageError('one of --config and --stdin is needed')
  const lines = createInterface({ input: process.stdin })
  const first = Promise.withResolvers<string>()
  lines.once('line', first.resolve)
  lines.once('close', () => {
    first.reject(new UsageError('standard input ended before its first line'))
    end()
  })
  return await first.promise
}
