import { REFUSALS } from './tokens.js'

// Names are what the table shows; the goals find their rows by them.
export const FASTIFY = 'Fastify, no authentication'
export const OURS = 'fastify-bouncer'
export const JWT = '@fastify/jwt'

const bouncer = { app: 'apps/bouncer.js' }
const fastify = { name: FASTIFY, app: 'apps/fastify.js', open: true }
const fastifyJwt = { app: 'apps/fastify-jwt.js' }
const withoutContext = { plugin: { securityContext: false } }
const withCache = { cache: true }

const PEERS = [
  { name: '@fastify/passport, passport-jwt', app: 'peers/fastify-passport.js' },
  { name: 'Nest on Fastify, JwtService', app: 'peers/nest.js' },
  { name: 'express, passport-jwt', app: 'peers/express.js' },
  { name: 'hono, jwt middleware', app: 'peers/hono.js' }
]

const BETTER_AUTH = [
  { name: 'better-auth, SQLite', app: 'peers/better-auth.js', settings: { cache: false } },
  { name: 'better-auth, cookie cache', app: 'peers/better-auth.js', settings: { cache: true } }
]

/** Groups of subjects that are measured in turns. `share` of the requests goes to each. */
export function groups ({ peers, betterAuth, other }) {
  const others = peers ? PEERS : []
  const all = {
    accepted: {
      title: 'Accepted tokens, HS256, 1,000 distinct tokens',
      base: JWT,
      subjects: [
        fastify,
        { name: OURS, ...bouncer },
        { name: JWT, ...fastifyJwt },
        { name: `${OURS}, securityContext: false`, ...bouncer, settings: withoutContext },
        { name: `${OURS}, guard in preHandler`, ...bouncer, settings: { stage: 'preHandler' } },
        { name: `${OURS}, cache`, ...bouncer, settings: withCache },
        { name: `${JWT}, cache`, ...fastifyJwt, settings: withCache },
        { name: `${OURS}, cache, securityContext: false`, ...bouncer, settings: { ...withCache, ...withoutContext } },
        ...others,
        ...(peers && betterAuth ? BETTER_AUTH : [])
      ]
    },
    es256: {
      title: 'Accepted tokens, ES256, 1,000 distinct tokens',
      base: JWT,
      share: 0.5,
      subjects: [fastify, { name: OURS, ...bouncer }, { name: JWT, ...fastifyJwt }, ...others].map((subject) => ({ ...subject, algorithm: 'ES256' }))
    },
    refused: {
      title: 'Refused tokens, HS256: missing, malformed, bad signature, expired, wrong audience',
      base: JWT,
      subjects: [
        { ...fastify, traffic: 'refused' },
        { name: OURS, ...bouncer, traffic: 'refused' },
        { name: JWT, ...fastifyJwt, traffic: 'refused' },
        { name: `${OURS}, accepting`, ...bouncer },
        { name: `${OURS}, role refused`, ...bouncer, traffic: 'role refused' },
        { name: `${OURS}, securityContext: false`, ...bouncer, settings: withoutContext, traffic: 'refused' },
        ...others.map((subject) => ({ ...subject, traffic: 'refused' }))
      ]
    },
    kinds: {
      title: 'Refused tokens, kind by kind',
      base: FASTIFY,
      share: 0.5,
      subjects: [
        fastify,
        ...REFUSALS.flatMap((kind) => [{ name: `${OURS}, ${kind}`, ...bouncer, traffic: kind }, { name: `${JWT}, ${kind}`, ...fastifyJwt, traffic: kind }])
      ]
    }
  }
  if (other !== undefined) {
    for (const group of Object.values(all)) group.subjects = group.subjects.flatMap((subject) => besides(subject, other))
  }
  return all
}

/** A subject, and after it the same of another build when it is ours. */
function besides (subject, build) {
  if (subject.app !== bouncer.app) return [subject]
  return [subject, { ...subject, name: `${subject.name} (other)`, settings: { ...subject.settings, build } }]
}
