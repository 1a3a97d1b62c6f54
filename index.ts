import './types/fastify.js'
import * as errors from './lib/errors.js'
import { securityContext } from './lib/context.js'
import { authErrorHandler } from './lib/http/error-handler.js'
import { authSecuritySchemes } from './lib/http/openapi.js'
import { errorResponses } from './lib/http/response-docs.js'
import { authServerOptions } from './lib/http/server-options.js'
import { validateOptions } from './lib/options.js'
import { authPlugin } from './lib/plugin.js'

// `require()` gives the plugin itself, with the public names on it.
const plugin = Object.assign(authPlugin, errors, {
  securityContext, authErrorHandler, authSecuritySchemes, errorResponses, authServerOptions, validateOptions
})

export { plugin as default, plugin as 'module.exports' }
export * from './lib/errors.js'
export { securityContext, authErrorHandler, authSecuritySchemes, errorResponses, authServerOptions, validateOptions }
export type { AuthTypes, Claims, Group, Role, Scope, User } from './lib/context.js'
export type { Guard, Guards } from './lib/http/guards.js'
export type { DetailResolver, Exposure, Exposures } from './lib/http/refusal.js'
export type { RouteAuth } from './lib/http/route-auth.js'
export type { AuthPluginOptions, IssuerOptions, JwtOptions } from './lib/options.js'
export type { Bouncer } from './lib/plugin.js'
