import { extname } from 'node:path'

/**
 * The URL of a module that has no import, since a thread of its own runs it. Its path has no extension: that is the
 * importer's, `.ts` in the repository and `.js` in an installed package.
 */
export const moduleBeside = (importer: string, path: string): URL =>
  new URL(path + extname(new URL(importer).pathname), importer)
