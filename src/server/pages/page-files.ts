import { readdir, readFile } from 'node:fs/promises'
import nodeModule from 'node:module'
import { type AssetFile, scriptType, styleType } from '../assets.ts'

/** The rooms whose modules browsers load. Their addresses mirror the folders, so that the modules find each other. */
const rooms = ['pages', 'client']
/** In the repository these are the sources. In a package they are what `npm run build` made of them. */
const modules = new URL('../../', import.meta.url)
/** The style and the icon are not built: a package has them where the repository has them. */
const statics = new URL('../../../src/pages/', import.meta.url)
const isSource = import.meta.url.endsWith('.ts')

/** The extension of the modules, for the page that names the first one. */
export const moduleExtension = isSource ? '.ts' : '.js'

/** The modules as JavaScript, the style and the icon. */
export async function readPageFiles(): Promise<readonly AssetFile[]> {
  const paths = (await Promise.all(rooms.map(modulesOf))).flat()
  return await Promise.all([
    ...paths.map(async (name) => ({
      name,
      type: scriptType,
      content: asScript(await readFile(new URL(name, modules), 'utf8')),
    })),
    readStatic('pages.css', styleType),
    readStatic('icon.svg', 'image/svg+xml'),
  ])
}

async function modulesOf(room: string): Promise<readonly string[]> {
  const names = await readdir(new URL(room, modules), { recursive: true })
  return names
    .map((name) => `${room}/${name.replaceAll('\\', '/')}`)
    .filter((name) => name.endsWith(moduleExtension) && !name.endsWith('.d.ts'))
}

async function readStatic(name: string, type: string): Promise<AssetFile> {
  return { name, type, content: await readFile(new URL(name, statics)) }
}

function asScript(source: string): string {
  if (!isSource) return source
  // Bun has no such function, and could not even load a module that imports it by name.
  // Node warns that the function is experimental, though it runs all of our sources by it.
  const warn = process.emitWarning.bind(process)
  process.emitWarning = () => undefined
  try {
    return nodeModule.stripTypeScriptTypes(source)
  } finally {
    process.emitWarning = warn
  }
}
