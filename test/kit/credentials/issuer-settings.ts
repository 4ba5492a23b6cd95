import { issuerSchema, type IssuerSettings } from '../../../src/config/sections/issuer.ts'

/** The settings of an issuer as the gateway gets them: read from what stands in a configuration. */
export function issuerSettings(entry: Readonly<Record<string, unknown>>): IssuerSettings {
  const readFile = () => {
    throw new Error('no test here reads a file')
  }
  return issuerSchema({ env: {}, baseDir: '/', readFile, mode: 'serve' }).parse(entry)
}
