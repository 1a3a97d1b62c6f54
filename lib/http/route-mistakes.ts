import type { RouteOptions } from 'fastify'
import { ConfigurationError } from '../errors/operation.js'

/** Refuses a guard before a route that says it is open to all. */
export function contradiction ({ method, url }: RouteOptions): ConfigurationError {
  return new ConfigurationError({ option: 'config.auth', message: `${String(method)} ${url} is anonymous (config.auth is false) and has a guard before it. Keep one of them.` })
}

/** Refuses a route whose `config` another plugin replaced, and with it what the route asks. */
export function overwritten ({ method, url }: RouteOptions): ConfigurationError {
  return new ConfigurationError({ option: 'config', message: `${String(method)} ${url} asks for a user, and an onRoute hook of another plugin replaced its config. Have that hook keep what is there: { ...route.config }.` })
}

/** Refuses a route that nobody would check. */
export function outOfScope (method: unknown, url: unknown): ConfigurationError {
  return new ConfigurationError({ option: 'register', message: `${String(method)} ${String(url)} asks for a user outside the scope in which fastify-bouncer is registered. Register it at the root, or wrap the plugin that registers it with fastify-plugin.` })
}

/** Refuses a route that was declared before the plugin was there. */
export function tooEarly (method: unknown, url: unknown): ConfigurationError {
  return new ConfigurationError({ option: 'register', message: `${String(method)} ${String(url)} asks for a user and was declared before fastify-bouncer had loaded. Write await app.register(authPlugin, ...), and declare routes after it.` })
}
