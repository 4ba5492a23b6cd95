import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { hasHaproxy } from './haproxy.ts'
import { hasPooler } from './pooler.ts'
import { findPostgres } from './postgres.ts'
import { hasRedis } from './redis.ts'

/** A machine that is made for one run of the tests gets the servers that they start. */
export function setup(): void {
  const isMine = process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')
  const isComplete = findPostgres() !== undefined && hasPooler() && hasHaproxy() && hasRedis()
  if (!isMine || isComplete) return
  // The tests start servers of their own, and no other is to start with the machine.
  const folder = '/etc/postgresql-common'
  mkdirSync(folder, { recursive: true })
  writeFileSync(`${folder}/createcluster.conf`, 'create_main_cluster = false\n')
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const options = { env, stdio: 'inherit' } as const
  execFileSync('apt-get', ['update', '-q'], options)
  const packages = ['postgresql', 'pgbouncer', 'haproxy', 'redis-server']
  execFileSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...packages], options)
}
