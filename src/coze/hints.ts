import type { CozeError, Misconfiguration } from './errors.ts'

/**
 * The first thing for an operator to look at, for the log. Undefined where the failure tells of nothing that an operator could
 * mend.
 */
export function findHint({ kind, upstreamCode, misconfiguration }: CozeError): string | undefined {
  if (misconfiguration !== undefined) return hints[misconfiguration]
  switch (kind) {
    case 'auth': {
      // The token endpoint has codes in words.
      const isAssertion = upstreamCode !== undefined && /[a-z]/.test(upstreamCode)
      return isAssertion ? assertionHint : tokenHint
    }
    case 'failed':
      return failedHint
    case 'not-supported':
      return notSupportedHint
    default:
      return undefined
  }
}

const hints: Readonly<Record<Misconfiguration, string>> = {
  unpublished:
    'the platform finds no published assistant: compare "workflowId", "appId" and "botId" with the ids in the address bar of their editors, and publish the assistant to the API channel',
  unknown:
    'the platform does not know the assistant: compare "workflowId", "appId" and "botId" with the ids in the address bar of their editors, and check that "baseUrl" is the platform where they were made',
  forbidden:
    'the token may not run the assistant: give its OAuth app, or the owner of the personal token, access to the workspace, and check that "appId" or "botId" is what the Workflow belongs to',
  parameters:
    'the platform finds a start parameter missing or wrong: compare the start node of the Workflow with "parameters", "messageParameters" and "sessionParameter"',
  'conversation-name':
    'the platform runs this Workflow only under the name of a conversation: set "conversationKeying" to "name", or to "auto"',
  'user-name':
    'the name of the session is too long for the platform: check "session.nameClaim", whose values may have 60 characters there',
  workflow: 'the Bot has no Workflow to run: choose one in its editor, and publish the Bot again',
  model:
    'the model of the assistant is not valid: choose another one in its editor, and publish it',
  'no-oauth':
    'the platform has no OAuth apps, as a self-hosted Coze Studio: use "token" with "allowSharedToken" in place of them, or check "baseUrl"',
}

const regions = 'api.coze.com and api.coze.cn share no accounts, apps, keys or ids'
const assertionHint = `the assertion was refused: check that "keyId" is the fingerprint of a public key registered with the OAuth app, and that "baseUrl" is the app's region (${regions})`
const tokenHint = `the access token was refused: check that "baseUrl" is the region of the assistant (${regions}), and that the OAuth app has the permission and the workspace`
const failedHint =
  'the assistant itself failed: run it in its editor with the same input; a Coze Studio says the same of a "workflowId" that it does not know'
const notSupportedHint =
  'the platform has no such call, as a self-hosted Coze Studio: check "baseUrl" if it should have it'
