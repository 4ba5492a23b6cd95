import { createPrivateKey } from 'node:crypto'
import { SignJWT } from 'jose'
import { request } from 'undici'
import { createEmulator } from '../../../src/emulator/emulator.ts'
import type { EmulatorOptions } from '../../../src/emulator/options.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { createTestApp, publicPart } from './emulator.ts'

export type OpenEmulator = Awaited<ReturnType<typeof openEmulator>>

/** The OAuth app that the emulator knows. */
export const emulatorApp = createTestApp()

/** An emulator in this process. The test moves its clock. */
export async function openEmulator(
  switches: EmulatorOptions['switches'] = {},
  more: Partial<EmulatorOptions> = {},
) {
  const time = { offsetMs: 0 }
  const emulator = createEmulator(
    {
      apps: [publicPart(emulatorApp)],
      personalAccessTokens: [{ token: 'pat', accountId: emulatorApp.accountId }],
      workflows: [{ workflowId: 'w', appId: 'a' }],
      bots: [{ botId: 'b' }],
      wordsPerSecond: 0,
      switches,
      ...more,
    },
    {
      clock: {
        ...systemClock,
        now: () => Date.now() + time.offsetMs,
        monotonic: () => time.offsetMs,
      },
    },
  )
  const { url } = await emulator.listen()
  return {
    emulator,
    url,
    time,
    post: async (path: string, body: object, token = 'pat') => {
      const { statusCode, body: reply } = await request(url + path, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` },
        body: JSON.stringify(body),
      })
      const text = await reply.text()
      return { status: statusCode, text, json: text.startsWith('{') ? JSON.parse(text) : {} }
    },
    async sign(claims: object = {}, seconds = 3600): Promise<string> {
      const now = Math.floor((Date.now() + time.offsetMs) / 1000)
      const payload = {
        iat: now,
        exp: now + seconds,
        jti: crypto.randomUUID(),
        iss: emulatorApp.appId,
      }
      return new SignJWT({ ...payload, aud: new URL(url).host, ...claims })
        .setProtectedHeader({ alg: 'RS256', kid: emulatorApp.keyId })
        .sign(createPrivateKey(emulatorApp.privateKeyPem))
    },
    [Symbol.asyncDispose]: () => emulator[Symbol.asyncDispose](),
  }
}

/** The body of a message to the Workflow. */
export function workflowBody(content: string, more: object = {}) {
  return {
    workflow_id: 'w',
    app_id: 'a',
    additional_messages: [{ role: 'user', content, content_type: 'text' }],
    ...more,
  }
}
