import type { User } from '../lib/context.js'
import type { Guards } from '../lib/http/guards.js'
import type { RouteAuth } from '../lib/http/route-auth.js'
import type { Bouncer } from '../lib/plugin.js'

declare module 'fastify' {
  interface FastifyInstance extends Guards {
    bouncer: Bouncer
  }

  interface FastifyRequest {
    /** The user; null until authenticated. */
    user: User | null
    /** The key id that signed the request, once `requireSignedRequest()` let it pass; null before, and on other routes. */
    signedBy: string | null
    /** The user, or one of the 401 classes (400 for a malformed header, 503 when keys cannot be had). */
    authenticate (): Promise<User>
  }

  interface FastifyContextConfig {
    /** What the route asks for; `false` for an anonymous route. */
    auth?: RouteAuth
  }
}
