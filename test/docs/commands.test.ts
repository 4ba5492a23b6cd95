import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CodeBlock, type MarkdownFile, readMarkdownFiles } from './markdown.ts'
import { openSandbox, type Sandbox } from './sandbox.ts'

/** Why commands are not run here: they say so themselves, on their first line. */
const reasons = [
  'test/e2e/quickstart.test.ts types it',
  'it needs two cores with nothing else to do',
  'it needs root',
  'it needs a container engine',
  'it needs a PostgreSQL server',
  'it needs a Kubernetes cluster',
  'it needs an OpenTelemetry SDK of yours in otel.mjs',
  'test/integration/conformance.test.ts runs it',
]
const skipped = /^# not run here: (.*)$/m

describe('the commands of', () => {
  let sandbox: Sandbox
  beforeAll(async () => {
    sandbox = await openSandbox()
  }, 300_000)
  afterAll(() => sandbox[Symbol.asyncDispose]())

  describe.each(readMarkdownFiles().filter((file) => commandsOf(file).length > 0))(
    '$path',
    (file) => {
      it.each(commandsOf(file))('line $line', async (block) => {
        const [, reason] = skipped.exec(block.text) ?? []
        if (reason !== undefined) {
          expect(reasons).toContain(reason)
          return
        }
        const { code, output } = await sandbox.run(block.text)
        expect(code, output).toBe(0)
        let from = 0
        for (const line of shownLines(file, block)) {
          const at = output.indexOf(line, from)
          expect(at, `${line}\n\nis not, or not there, in\n\n${output}`).toBeGreaterThanOrEqual(0)
          from = at + line.length
        }
        expect(output).not.toMatch(/"errors":|"__typename":"\w+Error"/)
      })
    },
  )
})

function commandsOf({ blocks }: MarkdownFile): readonly CodeBlock[] {
  return blocks.filter(({ language }) => language === 'sh')
}

/** Lines of the block that follows at once and shows what is printed; `…` stands for what is left out. */
function shownLines({ blocks }: MarkdownFile, block: CodeBlock): readonly string[] {
  const next = blocks[blocks.indexOf(block) + 1]
  if (next?.language !== 'text' || next.line > block.line + block.text.split('\n').length + 6)
    return []
  return next.text
    .split('\n')
    .map((line) => line.replace(/\s*…$/, '').trim())
    .filter((line) => line !== '')
}
