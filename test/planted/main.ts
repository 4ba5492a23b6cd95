import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'
import { type Flaw, flaws } from './flaws.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const copied = ['src', 'test', 'schema', 'package.json', 'tsconfig.json']
const limitMs = 180_000

/** Plants each flaw in a copy of the repository, where its test must fail. `NAME…`: only flaws whose names have these words. */
async function main(words: readonly string[]): Promise<number> {
  const home = await mkdtemp(join(tmpdir(), 'gateway-planted-'))
  try {
    for (const part of copied) await cp(join(root, part), join(home, part), { recursive: true })
    await symlink(join(root, 'node_modules'), join(home, 'node_modules'))
    const wanted = flaws.filter(({ name }) => words.every((word) => name.includes(word)))
    let missed = 0
    for (const flaw of wanted) {
      const isFound = await isFoundIn(home, flaw)
      if (!isFound) missed += 1
      process.stdout.write(`${isFound ? 'found ' : 'MISSED'} ${flaw.name}\n`)
    }
    return missed === 0 && wanted.length > 0 ? 0 : 1
  } finally {
    await rm(home, { recursive: true, force: true })
  }
}

async function isFoundIn(home: string, { file, from, to, test, title }: Flaw): Promise<boolean> {
  const path = join(home, file)
  const text = await readFile(path, 'utf8')
  if (text.split(from).length !== 2) throw new Error(`${file} does not have it once: ${from}`)
  await writeFile(
    path,
    text.replace(from, () => to),
  )
  try {
    const output = await run(home, test, title)
    if (!/Tests .*(?:passed|failed)/.test(output)) throw new Error(`no test ran:\n${output}`)
    return /Tests .*failed/.test(output)
  } finally {
    await writeFile(path, text)
  }
}

function run(cwd: string, test: string, title: string): Promise<string> {
  const args = ['vitest', 'run', '--config', 'test/vitest.config.ts', test, '-t', title]
  return new Promise((resolve) => {
    // A flaw may make its test hang: that is found as well.
    execFile('npx', args, { cwd, timeout: limitMs }, (error, stdout) =>
      resolve(error?.killed === true ? 'Tests 1 failed' : stripVTControlCharacters(stdout)),
    )
  })
}

process.exitCode = await main(process.argv.slice(2))
