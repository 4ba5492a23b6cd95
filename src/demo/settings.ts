import { generateKeyPairSync } from 'node:crypto'
import { demoSecrets } from '../config/demo-secrets.ts'
import type { EmulatorOptions } from '../emulator/options.ts'
import { demoIssuer } from './callers.ts'

const appId = '7400000000000000001'
const workflowId = '7400000000000000002'
const botId = '7400000000000000003'
const oauthAppId = '1100000000001'
const keyId = 'demo-key'

/** A key pair of this start's own: the emulator knows the public half, the gateway signs with the private one. */
export function createDemoKeys() {
  return generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })
}

export function emulatorSettings(publicKey: string): EmulatorOptions {
  return {
    apps: [{ appId: oauthAppId, keyId, publicKeyPem: publicKey, accountId: 'demo-account' }],
    workflows: [{ workflowId, appId }],
    bots: [{ botId }],
  }
}

/** The gateway's settings as a configuration file would hold them. */
export function gatewaySettings(options: {
  readonly emulatorUrl: string
  readonly privateKey: string
  readonly host: string
  readonly port: number
  readonly file: string
}) {
  const credentials = { type: 'oauth', appId: oauthAppId, keyId, privateKey: options.privateKey }
  const upstream = { baseUrl: options.emulatorUrl, credentials }
  return {
    listen: { host: options.host, port: options.port },
    logging: { level: 'warn' },
    issuers: [{ ...demoIssuer, secret: demoSecrets.issuer }],
    session: { key: demoSecrets.sessionKey, nameKeys: [{ version: 1, key: demoSecrets.nameKey }] },
    assistants: [
      {
        id: 'workflow',
        name: 'Demo Workflow',
        strategy: 'workflow',
        workflow: {
          workflowId,
          appId,
          attachmentParameter: 'files',
          messageParameters: ['city'],
          messageMetadata: ['ticket'],
        },
        ...upstream,
      },
      {
        id: 'bot',
        name: 'Demo Bot',
        strategy: 'bot',
        bot: { botId, messageVariables: ['city'] },
        ...upstream,
      },
    ],
    store: `sqlite:${options.file}`,
  }
}
