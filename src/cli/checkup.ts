import type { Config } from '../config/config.ts'
import { checkUpConfig } from '../compose/probe.ts'

/** Looks at every assistant and prints how it stands; 1: something is wrong. */
export async function runCheckup(
  config: Config,
  print: (text: string) => Promise<unknown>,
): Promise<0 | 1> {
  const found = await checkUpConfig(config, {}, new AbortController().signal)
  for (const { assistantId, strategy, layers, problems } of found) {
    const lines = [
      `${assistantId} (${strategy})`,
      ...layers.map(({ layer, keyedBy }) => `  ${layer.padEnd(12)}  ${keyedBy}`),
      ...problems.map((problem) => `  problem: ${problem}`),
    ]
    await print(`${lines.join('\n')}\n`)
  }
  return found.some(({ problems }) => problems.length > 0) ? 1 : 0
}
