import { createWriteStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { createGzip } from 'node:zlib'
import { check } from './checker.ts'
import type { History } from './history.ts'

const folder = fileURLToPath(new URL('../../../node_modules/.cache/histories/', import.meta.url))

/** What the checker says of a history. One that is not right is kept as a file, with what was said of it. */
export async function checkAndKeep(history: History, name: string): Promise<readonly string[]> {
  const problems = check(history)
  if (problems.length === 0) return problems
  return [...problems, `the history is kept in ${await keep(name, { problems }, history)}`]
}

/** Writes a verdict and the history that it is of, a step in each line. Returns where they are. */
export async function keep(name: string, verdict: object, history: History): Promise<string> {
  await mkdir(folder, { recursive: true })
  const file = `${folder}${name}.jsonl.gz`
  await pipeline(
    Readable.from([verdict, ...history].values().map((entry) => `${JSON.stringify(entry)}\n`)),
    createGzip(),
    createWriteStream(file),
  )
  return file
}
