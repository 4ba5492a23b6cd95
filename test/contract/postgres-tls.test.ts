import { execFile } from 'node:child_process'
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openSession, runReply } from '../kit/fakes/stored-replies.ts'
import { ask, openStore } from '../kit/process/instances.ts'
import { userOfPostgres } from '../kit/process/postgres-programs.ts'
import { type PostgresServer, startPostgres } from '../kit/process/postgres.ts'

const run = promisify(execFile)

const stack = new AsyncDisposableStack()
let folder: string
let server: PostgresServer
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gateway-certificates-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  await chmod(folder, 0o755)
  await makeAuthority('ca')
  await makeAuthority('other-ca')
  await makeCertificate('server', 'localhost', ['-addext', 'subjectAltName=DNS:localhost'])
  await makeCertificate('client', 'gateway')
  const user = await userOfPostgres()
  if (user !== undefined) await chown(file('server.key'), user.uid, user.gid)
  server = stack.use(
    await startPostgres([
      'ssl=on',
      `ssl_cert_file=${file('server.crt')}`,
      `ssl_key_file=${file('server.key')}`,
      `ssl_ca_file=${file('ca.crt')}`,
    ]),
  )
})
afterAll(() => stack.disposeAsync())

const file = (name: string) => join(folder, name)
const openssl = (...args: readonly string[]) => run('openssl', args, { timeout: 60_000 })
const newKey = (name: string) => [
  '-newkey',
  'ec',
  '-pkeyopt',
  'ec_paramgen_curve:P-256',
  '-nodes',
  '-keyout',
  file(`${name}.key`),
]

function makeAuthority(name: string) {
  const out = ['-x509', '-days', '2', '-subj', `/CN=${name}`, '-out', file(`${name}.crt`)]
  return openssl('req', ...newKey(name), ...out)
}

async function makeCertificate(name: string, subject: string, more: readonly string[] = []) {
  const request = file(`${name}.csr`)
  await openssl('req', ...newKey(name), '-subj', `/CN=${subject}`, ...more, '-out', request)
  const signed = ['-CA', file('ca.crt'), '-CAkey', file('ca.key'), '-copy_extensions', 'copy']
  await openssl(
    'x509',
    '-req',
    '-days',
    '2',
    '-in',
    request,
    ...signed,
    '-out',
    file(`${name}.crt`),
  )
}

/** A new database by TLS, under a role that only has a certificate. */
async function tlsUrl(options: Readonly<Record<string, string>>, host = 'localhost') {
  const url = await server.newDatabase()
  const database = url.slice(url.lastIndexOf('/') + 1)
  return `postgres://postgres@${host}:${server.port}/${database}?${new URLSearchParams(options).toString()}`
}

describe('a PostgreSQL server that is reached by TLS', () => {
  const trusted = () => ({ sslmode: 'verify-full', sslrootcert: file('ca.crt') })

  it('is used by encrypted connections only, and shown the certificate of the gateway', async () => {
    const url = await tlsUrl({
      ...trusted(),
      sslcert: file('client.crt'),
      sslkey: file('client.key'),
    })
    await using store = await openStore(url)
    await runReply(store, await openSession(store.ledger))
    const used = await ask(
      url,
      `SELECT DISTINCT ssl, client_dn FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
       WHERE application_name = 'coze-graphql-gateway'`,
    )
    expect(used).toEqual([{ ssl: true, client_dn: '/CN=gateway' }])
  })

  it('is not believed under another name than its certificate has', async () => {
    await expect(openStore(await tlsUrl(trusted(), '127.0.0.1'))).rejects.toThrow(
      /the database cannot be used: no connection: .*does not match certificate/,
    )
  })

  it('is not believed with a certificate of another authority', async () => {
    const url = await tlsUrl({ ...trusted(), sslrootcert: file('other-ca.crt') })
    await expect(openStore(url)).rejects.toThrow(
      /the database cannot be used: no connection: self-signed certificate in certificate chain/,
    )
  })

  it('is believed by no less where less is asked for: `require` is as `verify-full`', async () => {
    const url = await tlsUrl({ sslmode: 'require', sslrootcert: file('other-ca.crt') })
    await expect(openStore(url)).rejects.toThrow(
      /the database cannot be used: no connection: self-signed certificate in certificate chain/,
    )
  })

  it('says which file of a certificate is not there', async () => {
    const url = await tlsUrl({ ...trusted(), sslrootcert: file('none.crt') })
    await expect(openStore(url)).rejects.toThrow('none.crt')
  })
})
