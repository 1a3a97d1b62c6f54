import { createServer } from 'node:http'
import express from 'express'
import passport from 'passport'
import { ExtractJwt, Strategy } from 'passport-jwt'
import { audience, body, issuer } from '../apps/claims.js'
import { listenHttp } from '../apps/listen.js'
import { complete, keyObject } from './keys.js'

/** Express with `passport-jwt`, without sessions. */
export async function start ({ key, algorithm }) {
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  passport.use(new Strategy({
    jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
    secretOrKey: keyObject(key, algorithm),
    algorithms: [algorithm],
    issuer,
    audience
  }, (claims, done) => { done(null, complete(claims) ? { id: claims.sub } : false) }))
  app.get('/me', passport.authenticate('jwt', { session: false }), (_request, response) => { response.json(body) })
  return await listenHttp(createServer(app))
}
