import type { Browser } from 'playwright-core'
import { dataOf, eventOf, iterate, type Sink } from './recipe-client.ts'
import type { OpenRecipe } from './ten-steps.ts'

/** A page in a browser that signs in by a cookie and reads by `EventSource`. */
export const eventSource =
  (browser: Browser): OpenRecipe =>
  async (url, token) => {
    const context = await browser.newContext()
    const page = await context.newPage()
    const sinks = new Map<number, Sink<unknown>>()
    let opened = 0
    await page.exposeFunction('tell', (id: number, type: keyof Sink<unknown>, data: string) => {
      if (type === 'next') sinks.get(id)?.next(JSON.parse(data))
      else if (type === 'complete') sinks.get(id)?.complete()
      else sinks.get(id)?.error(new Error(`the source was closed: ${data}`))
    })
    await page.goto(new URL('/health/live', url).href)
    await page.evaluate(async (bearer) => {
      const headers = { authorization: `Bearer ${bearer}` }
      await fetch('/auth/cookie', { method: 'POST', headers })
    }, token)

    async function fetchJson(
      body: string,
      file?: { readonly name: string; readonly text: string },
    ) {
      const text = await page.evaluate(
        async ([operations, name, content]) => {
          const form = new FormData()
          form.append('operations', operations)
          form.append('map', '{"0":["variables.input.file"]}')
          form.append('0', new Blob([content ?? ''], { type: 'text/plain' }), name)
          const json = { 'content-type': 'application/json' }
          const response = await fetch('/graphql', {
            method: 'POST',
            headers: name === undefined ? json : { 'graphql-require-preflight': '1' },
            body: name === undefined ? operations : form,
          })
          return await response.text()
        },
        [body, file?.name, file?.text] as const,
      )
      return dataOf(Object(JSON.parse(text)))
    }

    return {
      request: (query, variables) => fetchJson(JSON.stringify({ query, variables })),
      upload: (query, input, file) =>
        fetchJson(JSON.stringify({ query, variables: { input: { ...input, file: null } } }), file),
      async *subscribe(query, variables) {
        opened += 1
        const id = opened
        const address = `/graphql?${new URLSearchParams({ query, variables: JSON.stringify(variables) }).toString()}`
        const results = iterate<unknown>((sink) => {
          sinks.set(id, sink)
          page
            .evaluate(
              ([from, number]) => {
                const tell: (id: number, type: string, data: string) => void = Reflect.get(
                  window,
                  'tell',
                )
                const source = new EventSource(from)
                Reflect.set(window, `source${number}`, source)
                source.addEventListener('next', ({ data }) => tell(number, 'next', data))
                source.addEventListener('complete', () => {
                  source.close()
                  tell(number, 'complete', '')
                })
                source.addEventListener('error', () => {
                  if (source.readyState === 2) tell(number, 'error', 'refused')
                })
              },
              [address, id] as const,
            )
            .catch(sink.error)
          return () => {
            sinks.delete(id)
            page
              .evaluate((number) => {
                const source: EventSource = Reflect.get(window, `source${number}`)
                source.close()
              }, id)
              .catch(() => undefined)
          }
        })
        for await (const result of results) yield eventOf(Object(result))
      },
      [Symbol.asyncDispose]: () => context.close(),
    }
  }
