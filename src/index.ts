export { parseConfig, ConfigError, type Config, type ConfigSource } from './config.ts'
export * from './errors.ts'
export { createGateway, type Gateway, type GatewayDependencies } from './gateway.ts'
