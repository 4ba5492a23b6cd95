import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { hasHaproxy } from './haproxy.ts'
import { hasPooler } from './pooler.ts'
import { findDebianPostgres } from './postgres-programs.ts'
import { hasRedis } from './redis.ts'

/** The servers that the tests start, by the package that has them. */
const packages: Readonly<Record<string, () => boolean>> = {
  postgresql: () => findDebianPostgres() !== undefined,
  pgbouncer: hasPooler,
  haproxy: hasHaproxy,
  'redis-server': hasRedis,
}
const clusterSettings = '/etc/postgresql-common'
const startPolicy = '/usr/sbin/policy-rc.d'

/** A machine that is made for one run of the tests gets the servers that they start. */
export function setup(): void {
  const isMine = process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')
  const missing = Object.entries(packages).flatMap(([name, isHere]) => (isHere() ? [] : [name]))
  if (!isMine || missing.length === 0) return
  // The tests start servers of their own: no other is made, and none is started that would outlive them.
  mkdirSync(clusterSettings, { recursive: true })
  writeFileSync(`${clusterSettings}/createcluster.conf`, 'create_main_cluster = false\n')
  const hasPolicy = existsSync(startPolicy)
  if (!hasPolicy) writeFileSync(startPolicy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    getPackages('update', '-q')
    getPackages('install', '-y', '-q', '--no-install-recommends', ...missing)
  } finally {
    if (!hasPolicy) rmSync(startPolicy)
  }
}

/** A mirror that is silent and a lock that another holds are waited for no longer than this, in ms. */
const limitMs = 300_000

function getPackages(...args: readonly string[]): void {
  execFileSync('apt-get', ['-o', 'DPkg::Lock::Timeout=60', '-o', 'Acquire::Retries=2', ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: limitMs,
    killSignal: 'SIGKILL',
  })
}
