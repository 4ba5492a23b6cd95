import { createHash } from 'node:crypto'
import { pathToFileURL } from 'node:url'
import { simulate } from './simulate.ts'

/** One digest per seed of all that was sent, seen, cut, resumed and found. */
export async function digestOf(seed: number): Promise<string> {
  const { history, problems, reached, steps } = await simulate(seed)
  const told = JSON.stringify([history, problems, [...reached], steps])
  return createHash('sha256').update(told).digest('hex')
}

const [, script, ...seeds] = process.argv
if (script !== undefined && import.meta.url === pathToFileURL(script).href) {
  for (const seed of seeds) process.stdout.write(`${await digestOf(Number(seed))}\n`)
}
