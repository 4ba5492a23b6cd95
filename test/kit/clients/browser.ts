import { execFileSync } from 'node:child_process'
import { type Browser, chromium } from 'playwright-core'

const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** The machine's Chromium. */
export async function openBrowser(): Promise<Browser> {
  return await chromium.launch({ executablePath: findChromium(), args: flags })
}

function findChromium(): string {
  try {
    return execFileSync('which', ['chromium'], { encoding: 'utf8' }).trim()
  } catch (cause) {
    throw new Error('Chromium is needed: apt-get install -y chromium', { cause })
  }
}
