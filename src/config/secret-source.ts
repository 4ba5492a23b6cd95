import { isAbsolute, resolve } from 'node:path'
import { z } from 'zod'
import { errorCode } from '../lib/error-code.ts'
import { Secret } from '../lib/secret.ts'
import { isDemoSecret } from './demo-secrets.ts'

/** Where secrets may come from. */
export interface SecretSource {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Relative paths of the configuration file are relative to this directory. */
  readonly baseDir: string
  /** The text of a file. @throws if it cannot be read. */
  readonly readFile: (path: string) => string
  /** `serve` refuses the secrets of the demo, which everybody knows. */
  readonly mode: 'serve' | 'demo'
}

/** A secret is written as text, as `{ "file": "path" }` or as `{ "env": "NAME" }`. */
export const secretReference = z
  .union(
    [
      z.string(),
      z.strictObject({ file: z.string().min(1) }),
      z.strictObject({ env: z.string().min(1) }),
    ],
    { error: 'must be text, { "file": "path" } or { "env": "NAME" }' },
  )
  .meta({
    id: 'secret',
    description: 'A secret: the text itself, or the file or variable that holds it.',
  })

export function secretSchema(source: SecretSource, { minLength = 1 } = {}) {
  return secretReference.transform((value, context) => {
    const text = readReference(value, source)
    const problem =
      'problem' in text
        ? text.problem
        : text.value.length < minLength
          ? `must have at least ${minLength} characters`
          : source.mode === 'serve' && isDemoSecret(text.value)
            ? 'is a secret of the demo, which everybody knows: make one of your own'
            : undefined
    if (problem === undefined && 'value' in text) return new Secret(text.value)
    context.addIssue({ code: 'custom', message: problem ?? '' })
    return z.NEVER
  })
}

function readReference(
  value: z.output<typeof secretReference>,
  { env, baseDir, readFile }: SecretSource,
): { readonly value: string } | { readonly problem: string } {
  if (typeof value === 'string') return { value }
  if ('env' in value) {
    const text = env[value.env]
    return text === undefined
      ? { problem: `names the environment variable ${value.env}, which is not set` }
      : { value: text }
  }
  const path = isAbsolute(value.file) ? value.file : resolve(baseDir, value.file)
  try {
    // Editors add a byte order mark and a final newline, which are not part of the secret.
    return {
      value: readFile(path)
        .replace(/^\ufeff/, '')
        .replace(/\r?\n$/, ''),
    }
  } catch (error) {
    return { problem: `names the file ${path}, which cannot be read${errorCode(error)}` }
  }
}
