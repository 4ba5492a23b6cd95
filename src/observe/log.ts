import { destination as openDestination, pino, stdTimeFunctions, type LevelWithSilent } from 'pino'
import type { Logger } from './logger.ts'

export interface LogOptions {
  readonly level: LevelWithSilent
  /** Fields of every line. */
  readonly fields?: Readonly<Record<string, string | number>> | undefined
  /** The target of lines. Default: standard error, written at once, so that no line is lost at the end. */
  readonly destination?: { write(line: string): void } | undefined
}

/**
 * One JSON object per line. Errors are reduced to type, code, message, frames and cause. Their other members (claims, request
 * options) are left out. Secrets are values that print as `[secret]`. As a second barrier, fields and text that look like
 * credentials are removed.
 */
export function createLogger({ level, fields, destination }: LogOptions): Logger {
  return pino(
    {
      level,
      base: fields ?? null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: (error: unknown) => describeError(error) },
      redact: { paths: credentialPaths, censor: '[secret]' },
      hooks: { streamWrite: (line) => line.replace(credentialText, '[secret]') },
    },
    destination ?? openDestination({ fd: 2, sync: true }),
  )
}

const credentialNames = [
  'authorization',
  'cookie',
  'token',
  'accessToken',
  'access_token',
  'privateKey',
  'secret',
  'key',
  'password',
]
const credentialPaths = credentialNames.flatMap((name) => [name, `*.${name}`, `*.*.${name}`])

/** JSON Web Tokens, Coze's access tokens, and private keys in PEM. */
const credentialText =
  /eyJ[\w-]{5,}\.[\w-]+\.[\w-]*|\b(?:pat|czs|czu|sat)_[A-Za-z0-9_-]{8,}|-----BEGIN [A-Z ]*PRIVATE KEY-----(?:[^-]|-(?!----))*(?:-----END [A-Z ]*-----)?/g

const maxCauses = 5

interface DescribedError {
  readonly type: string
  readonly message?: string
  readonly code?: string | number
  readonly at?: readonly string[]
  readonly cause?: DescribedError
}

function describeError(error: unknown, depth = 0): DescribedError {
  if (!(error instanceof Error)) return { type: typeof error }
  const code = 'code' in error ? error.code : undefined
  // A stack begins with the message, so only its frames are kept.
  const frames = error.stack?.split('\n').filter((line) => /^\s+at /.test(line)) ?? []
  return {
    type: error.name,
    // A parser's message quotes what it could not parse.
    ...(!(error instanceof SyntaxError) && { message: error.message }),
    ...((typeof code === 'string' || typeof code === 'number') && { code }),
    ...(frames.length > 0 && { at: frames.map((line) => line.trim()) }),
    ...(error.cause !== undefined &&
      depth < maxCauses && { cause: describeError(error.cause, depth + 1) }),
  }
}
