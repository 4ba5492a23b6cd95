import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { parseMarkdown, root } from './markdown.ts'

const settings = z.record(z.string(), z.unknown())

/** A JSON block of a document: settings, or some of them. */
export function parseSettings(text: string): Readonly<Record<string, unknown>> {
  return settings.parse(JSON.parse(text))
}

/** The configuration that README shows. */
export function readmeSettings(): Readonly<Record<string, unknown>> {
  const { blocks } = parseMarkdown('README.md', readFileSync(new URL('README.md', root), 'utf8'))
  return parseSettings(blocks.find(({ language }) => language === 'json')?.text ?? '{}')
}
