import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { HttpRequest, HttpResponse } from './http.ts'

/** A file that pages load. */
export interface AssetFile {
  readonly name: string
  readonly type: string
  readonly content: string | Buffer
  /** Whether it holds a credential. */
  readonly isSecret?: boolean
}

/** The files of a page, packed once. */
export interface Assets {
  /** Changes with every file, so that files without a credential can be cached for ever. It is the first part of their names. */
  readonly version: string
  /** `path`: the version, a slash and the name of the file. */
  answer(path: string, request: Pick<HttpRequest, 'headers'>): HttpResponse
}

export const scriptType = 'text/javascript; charset=utf-8'
export const styleType = 'text/css; charset=utf-8'

const packed = promisify(gzip)

export async function packAssets(files: readonly AssetFile[]): Promise<Assets> {
  const byName = new Map<string, Asset>()
  const hash = createHash('sha256')
  for (const { name, type, content, isSecret = false } of files) {
    const bytes = Buffer.from(content)
    hash.update(bytes)
    byName.set(name, { type, isSecret, bytes, gzipped: await packed(bytes) })
  }
  const version = hash.digest('base64url').slice(0, 16)
  const prefix = `${version}/`
  return {
    version,
    answer(path, request) {
      const asset = path.startsWith(prefix) ? byName.get(path.slice(prefix.length)) : undefined
      return asset ? answerWith(asset, version, request) : { status: 404, headers: {} }
    },
  }
}

interface Asset {
  readonly type: string
  readonly isSecret: boolean
  readonly bytes: Buffer
  readonly gzipped: Buffer
}

function answerWith(
  { type, isSecret, bytes, gzipped }: Asset,
  version: string,
  { headers }: Pick<HttpRequest, 'headers'>,
): HttpResponse {
  const etag = `"${version}"`
  const caching: Record<string, string> = isSecret
    ? { vary: 'Accept-Encoding', 'cache-control': 'private, no-store' }
    : { etag, vary: 'Accept-Encoding', 'cache-control': 'public, max-age=31536000, immutable' }
  if (!isSecret && headers.get('if-none-match') === etag) return { status: 304, headers: caching }
  const isGzip = /\bgzip\b/.test(headers.get('accept-encoding') ?? '')
  return {
    status: 200,
    headers: { ...caching, 'content-type': type, ...(isGzip && { 'content-encoding': 'gzip' }) },
    body: isGzip ? gzipped : bytes,
  }
}
