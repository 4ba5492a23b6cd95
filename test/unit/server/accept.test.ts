import { describe, expect, it } from 'vitest'
import { acceptedTypes, mediaTypes } from '../../../src/server/accept.ts'

const { json, graphql, events, multipart, html } = mediaTypes

describe('what a client accepts', () => {
  it.each([
    [undefined, [json, graphql]],
    ['', [json, graphql]],
    ['*/*', [json, graphql]],
    ['application/*', [json, graphql]],
    ['application/json', [json]],
    ['Application/JSON; charset=UTF-8', [json]],
    ['application/json; charset="utf-8"', [json]],
    ['application/json; charset=latin1', []],
    ['application/graphql-response+json, application/json;q=0.9', [graphql, json]],
    ['application/json;q=0.1, application/graphql-response+json', [graphql, json]],
    ['application/json;q=0', []],
    ['application/json;q=nonsense', []],
    ['text/event-stream', [events]],
    ['text/event-stream, */*;q=0.1', [events, json, graphql]],
    ['*/*, text/event-stream', [events, json, graphql]],
    ['text/html,application/xhtml+xml,*/*;q=0.8', [html, json, graphql]],
    ['text/*', []],
    ['image/png', []],
    ['multipart/mixed;boundary=graphql;subscriptionSpec=1.0', [multipart]],
    ['multipart/mixed; boundary="graphql"; subscriptionSpec="1.0"', [multipart]],
    ['multipart/mixed;subscriptionSpec=1.0, application/json;q=0.9', [multipart, json]],
    ['multipart/mixed;subscriptionSpec=2.0', []],
    ['multipart/mixed;deferSpec=20220824', []],
    ['multipart/*', []],
    [',;,;q=', []],
  ] as const)('%j is %j, the most wanted first', (accept, types) => {
    expect(acceptedTypes(accept)).toEqual(types)
  })
})
