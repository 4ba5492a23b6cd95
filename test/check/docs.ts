import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { type MarkdownFile, readMarkdownFiles, root } from '../docs/markdown.ts'

/*
 * What documentation and code say of each other:
 *
 * - each link, and each `docs/….md` in a comment, leads to a file and a heading that exist;
 * - docs/developing.md says what each folder is for, and each `npm run …` in a document is a script of package.json;
 * - README.md and README.zh-CN.md have the same headings, code and links, and at most 150 lines;
 * - the rows of promises, threats and faults name the tests that hold them, whose titles name the row (`P2`, `T4`, `F21`).
 *
 *     node test/check/docs.ts           fails where one of these does not hold
 *     node test/check/docs.ts --write   writes the tests into the rows
 */

const problems: string[] = []
const path = (file: string) => fileURLToPath(new URL(file, root))
const filesIn = (directory: string, extension: RegExp) =>
  readdirSync(path(directory), { recursive: true, encoding: 'utf8' })
    .filter((name) => extension.test(name))
    .map((name) => join(directory, name))
    .sort()

/** By the name of a promise, threat or fault: the test files in which a title names it. */
function testsByRow(): ReadonlyMap<string, readonly string[]> {
  const tests = new Map<string, string[]>()
  // A title is the first argument, also behind the table of an `each`, which may hold anything.
  const title = /(?:\b(?:it|describe)\b[\w.]*|\))\(\s*(['"`])((?:(?!\1)[^\\]|\\.)*)\1/g
  for (const file of filesIn('test', /\.ts$/).filter((name) => !/^test\/(sim|kit)\//.test(name))) {
    for (const [, , text = ''] of readFileSync(path(file), 'utf8').matchAll(title)) {
      for (const [row] of text.matchAll(/\b[PTF]\d{1,2}[a-c]?\b/g)) {
        const files = tests.get(row) ?? []
        if (!files.includes(file)) tests.set(row, [...files, file])
      }
    }
  }
  return tests
}

const tests = testsByRow()
const known = new Set<string>()
for (const document of readMarkdownFiles()) writeRows(document)
for (const [row, [file]] of tests)
  if (!known.has(row)) problems.push(`${file}: no document knows of ${row}`)

/** Puts the tests into the last cell of each row; a cell that begins with a dash says why there are none. */
function writeRows({ path: name, lines }: MarkdownFile): void {
  const wanted = lines.map((line) => {
    const [, row] = /^\| <a id="[ptf]\d+[a-c]?"><\/a>([PTF]\d+[a-c]?) \|/.exec(line) ?? []
    if (row === undefined) return line
    known.add(row)
    const cells = line.split(' | ')
    if (cells.at(-1)?.startsWith('–') === true) return line
    const files = tests.get(row) ?? []
    if (files.length === 0) problems.push(`${name}: no test has ${row} in its title`)
    return [...cells.slice(0, -1), `${chosen(files).map(linkTo).join(', ')} |`].join(' | ')
  })
  const text = wanted.join('\n')
  if (text === lines.join('\n')) return
  if (process.argv.includes('--write')) writeFileSync(path(name), text)
  else
    problems.push(
      `${name}: tests have moved or changed titles: run node test/check/docs.ts --write`,
    )
}

const documents = new Map(readMarkdownFiles().map((file) => [file.path, file]))
const code = ['src', 'test', 'schema'].flatMap((directory) =>
  filesIn(directory, /\.(ts|mjs|graphql)$/),
)

/** The file and the anchor that a reference names. */
function checkTarget(where: string, target: string): void {
  const [file = '', anchor] = target.split('#')
  const document = documents.get(file)
  if (document === undefined && !existsSync(path(file))) problems.push(`${where}: no file ${file}`)
  else if (anchor !== undefined && document?.anchors.has(anchor) === false)
    problems.push(`${where}: no heading #${anchor} in ${file}`)
}

for (const { path: from, links } of documents.values()) {
  for (const { target, line } of links) {
    if (/^[a-z]+:/.test(target)) continue
    const [file = '', anchor] = target.split('#')
    const named = file === '' ? from : posix.normalize(posix.join(dirname(from), file))
    checkTarget(`${from}:${line}`, anchor === undefined ? named : `${named}#${anchor}`)
  }
}

/** Texts that a reader of the repository does not have. */
const elsewhere = /(?<![\w/-])(design|coze-api|field-cases|faults|style|studio-wire)\.md\b/
for (const file of code.filter((name) => name !== 'test/check/docs.ts')) {
  for (const [at, line] of readFileSync(path(file), 'utf8').split('\n').entries()) {
    const where = `${file}:${at + 1}`
    for (const [target] of line.matchAll(/\bdocs\/[\w-]+\.md(#[\w-]+)?/g))
      checkTarget(where, target)
    for (const [, row = ''] of line.matchAll(/(?:\/\/|\*) .*?\b([TF]\d{1,2}[a-c]?)\b/g))
      if (!known.has(row)) problems.push(`${where}: no document knows of ${row}`)
    if (elsewhere.test(line)) problems.push(`${where}: names a text that is not in the repository`)
  }
}

const developing = documents.get('docs/developing.md')?.lines.join('\n') ?? ''
for (const parent of ['src', 'test']) {
  for (const { name } of readdirSync(path(parent), { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  ))
    if (!developing.includes(parent === 'src' ? `\`${name}\`` : `\`${parent}/${name}\``))
      problems.push(`docs/developing.md: does not say what ${parent}/${name} is for`)
}

const { scripts } = z
  .object({ scripts: z.record(z.string(), z.string()) })
  .parse(JSON.parse(readFileSync(path('package.json'), 'utf8')))
for (const { path: from, lines } of documents.values()) {
  for (const [, name = ''] of lines.join('\n').matchAll(/\bnpm run ([\w:-]+)/g))
    if (!(name in scripts)) problems.push(`${from}: there is no script ${name}`)
}

const [english, chinese] = ['README.md', 'README.zh-CN.md'].map((name) => documents.get(name))
if (english !== undefined && chinese !== undefined) compareReadmes(english, chinese)

function compareReadmes(one: MarkdownFile, other: MarkdownFile): void {
  const sides = {
    'the levels of headings': (file: MarkdownFile) => file.headings.map(({ level }) => level),
    'the code blocks': (file: MarkdownFile) =>
      file.blocks.map(({ language, text }) => ({ language, code: withoutComments(text) })),
    'the links': (file: MarkdownFile) =>
      file.links
        .map(({ target }) => target.replace(/#.*/, ''))
        .filter((target) => !target.startsWith('README'))
        .sort(),
  }
  for (const [what, view] of Object.entries(sides)) {
    if (JSON.stringify(view(one)) !== JSON.stringify(view(other)))
      problems.push(`${one.path} and ${other.path} differ in ${what}`)
  }
  for (const file of [one, other]) {
    if (file.lines.length > 151) problems.push(`${file.path} has more than 150 lines`)
  }
}

/** Comments of commands are written in the language of the text. */
function withoutComments(text: string): string {
  return text.replaceAll(/(^|\s+)# .*$/gm, '')
}

/** The nearest to what a caller sees, four at most. */
function chosen(files: readonly string[]): readonly string[] {
  const order = ['e2e', 'integration', 'http', 'contract', 'unit']
  const rank = (file: string) => order.indexOf(file.split('/')[1] ?? '') % order.length
  return files.toSorted((a, b) => rank(a) - rank(b)).slice(0, 4)
}

function linkTo(file: string): string {
  return `[${file.replace(/^test\//, '').replace(/(\.test)?\.ts$/, '')}](../${file})`
}

for (const problem of problems) console.error(problem)
if (problems.length > 0) process.exitCode = 1
