import { Authenticator } from '@fastify/passport'
import Fastify from 'fastify'
import { ExtractJwt, Strategy } from 'passport-jwt'
import { audience, body, issuer } from '../apps/claims.js'
import { listenFastify } from '../apps/listen.js'
import { complete, keyObject } from './keys.js'

/** `@fastify/passport` with `passport-jwt`, without sessions. */
export async function start ({ key, algorithm }) {
  const app = Fastify()
  const passport = new Authenticator()
  // It asks for a session plugin even where no session is used; this stands in for one, and costs nothing.
  app.decorateRequest('session', null)
  await app.register(passport.initialize())
  passport.use('jwt', new Strategy({
    jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
    secretOrKey: keyObject(key, algorithm),
    algorithms: [algorithm],
    issuer,
    audience
  }, (claims, done) => { done(null, complete(claims) ? { id: claims.sub } : false) }))
  app.get('/me', { onRequest: passport.authenticate('jwt', { session: false, authInfo: false }) }, async () => body)
  return await listenFastify(app)
}
