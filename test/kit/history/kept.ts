import { mkdir, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { check } from './checker.ts'
import type { History } from './history.ts'

const folder = fileURLToPath(new URL('../../../node_modules/.cache/histories/', import.meta.url))

/** What the checker says of a history. One that is not right is kept as a file, with what was said of it. */
export async function checkAndKeep(history: History, name: string): Promise<readonly string[]> {
  const problems = check(history)
  if (problems.length === 0) return problems
  await mkdir(folder, { recursive: true })
  const file = `${folder}${name}.json`
  await writeFile(file, JSON.stringify({ problems, history }, undefined, 1))
  return [...problems, `the history is kept in ${file}`]
}
