/**
 * A host that has the gateway mounted under HTTP/2, without TLS, and under HTTP/1.1 for the honest: its arguments are the
 * gateway's configuration file and the port for HTTP/2; the configured one is for HTTP/1.1.
 */
import { createServer as createHttp1Server } from 'node:http'
import { createServer } from 'node:http2'
import { createGateway, parseConfig } from '../../src/index.ts'

const [, , file, http2Port] = process.argv
const config = parseConfig({ file, env: {} })
const gateway = await createGateway(config)
createServer((req, res) => gateway.handle(req, res)).listen(Number(http2Port), '127.0.0.1')
createHttp1Server((req, res) => gateway.handle(req, res)).listen(config.listen.port, '127.0.0.1')
