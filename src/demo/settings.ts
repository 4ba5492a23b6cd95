import { generateKeyPairSync } from 'node:crypto'
import { demoSecrets } from '../config/demo-secrets.ts'
import type { DialectName, EmulatorOptions, Leak } from '../emulator/options.ts'
import { demoIssuer } from './callers.ts'

const appId = '7400000000000000001'
const workflowId = '7400000000000000002'
const botId = '7400000000000000003'
const oauthAppId = '1100000000001'
const keyId = 'demo-key'
const accountId = 'demo-account'
/** A Studio has this one identity for everybody. */
const personalToken = 'pat_demo'
/** The row of the demo's knowledge base. */
export const knowledge = { sessionName: 'carol', name: 'account', value: 'ACC-20931' } as const

/** A key pair for one start: the gateway signs with the private key, the emulator verifies with the public one. */
export function createDemoKeys() {
  return generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })
}

/** With a leak, the model keeps what it is told where that leak shows. */
export function leakSettings(
  leak: Leak | undefined,
): Required<Pick<EmulatorOptions, 'leaks' | 'remembers' | 'knowledge'>> {
  return {
    leaks: leak === undefined ? {} : { [leak]: true },
    remembers: {
      variables: leak === 'sharedVariables',
      longTermMemory: leak === 'sharedMemory',
    },
    knowledge: [knowledge],
  }
}

export function emulatorSettings(
  publicKey: string,
  dialect: DialectName,
  leak: Leak | undefined,
): EmulatorOptions {
  return {
    dialect,
    ...(dialect === 'cloud'
      ? { apps: [{ appId: oauthAppId, keyId, publicKeyPem: publicKey, accountId }] }
      : { personalAccessTokens: [{ token: personalToken, accountId }] }),
    workflows: [{ workflowId, appId }],
    bots: [
      {
        botId,
        greeting: 'Hello! I remember what you tell me, and only you.',
        suggestedQuestions: ['My name is Alice.', 'What is my name?'],
      },
    ],
    ...leakSettings(leak),
  }
}

/** The gateway's settings as a configuration file would hold them. */
export function gatewaySettings(options: {
  readonly emulatorUrl: string
  readonly dialect: DialectName
  readonly privateKey: string
  readonly host: string
  readonly port: number
  readonly file: string
  readonly origins: readonly string[]
  /** Whether the assistants are checked before anybody speaks. */
  readonly checkAtStart: boolean
}) {
  const credentials =
    options.dialect === 'cloud'
      ? { type: 'oauth', appId: oauthAppId, keyId, privateKey: options.privateKey }
      : { type: 'token', token: personalToken, allowSharedToken: true }
  const imageHosts = ['images.example.com']
  const upstream = {
    baseUrl: options.emulatorUrl,
    platform: options.dialect,
    credentials,
    imageHosts,
  }
  return {
    listen: { host: options.host, port: options.port },
    logging: { level: 'warn' },
    cors: { origins: options.origins },
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
    pages: { chat: true, operator: true },
    probe: { checkAtStart: options.checkAtStart },
    store: `sqlite:${options.file}`,
  }
}
