import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { rules } from '../../src/conformance/conformance.ts'
import { root } from './markdown.ts'

it('docs/protocol.md has the sentences that the command conformance examines, in their order', () => {
  const text = readFileSync(new URL('docs/protocol.md', root), 'utf8').replaceAll(/\n {2}/g, ' ')
  const written = [...text.matchAll(/^- \*\*([\d.]+) (\w+)\*\* (.*)$/gm)].map(
    ([, id, level, sentence]) => ({ id, level, sentence }),
  )
  expect(written).toEqual(rules.map(({ id, level, sentence }) => ({ id, level, sentence })))
})
