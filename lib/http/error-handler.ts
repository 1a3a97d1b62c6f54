import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import { AuthError } from '../errors/auth-error.js'
import { fromLibrary } from '../token/library-errors.js'
import { sendForeign, sendUnexpected, statusOf } from './foreign-errors.js'
import { createRefusalSender, type RefusalSender, type Refuser } from './refusal.js'
import { isKnown } from './routes.js'

export type ErrorHandler = NonNullable<RouteOptions['errorHandler']>

/** The error as one of our classes, or undefined for an error of somebody else's. */
export type Recogniser = (error: unknown) => AuthError | undefined

/** Recognises our errors; those of `@fastify/jwt` only where it was shown to the application by us. */
export function createRecogniser (ownJwt: boolean): Recogniser {
  return ownJwt ? fromLibrary : (error) => error instanceof AuthError ? error : undefined
}

/** How an application's errors are told and answered. */
export interface ErrorHandling {
  recognise: Recogniser
  send: RefusalSender
}

/** Where an instance keeps its {@link ErrorHandling}, for {@link authErrorHandler}. */
export const handlingKey = Symbol('fastify-bouncer.errors')

const plain: ErrorHandling = { recognise: createRecogniser(false), send: createRefusalSender({ logLevel: 'info' }) }

/**
 * For an application's own error handler: answers our errors as documented, and
 * leaves everything else to Fastify.
 */
export function authErrorHandler (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { recognise, send } = (request.server as unknown as { [handlingKey]?: ErrorHandling })[handlingKey] ?? plain
  const ours = recognise(error)
  if (ours !== undefined) return send(ours, request, reply)
  // Thrown, an Error goes to the next handler out; anything else would be sent
  // as it is, with status 200.
  if (error instanceof Error) throw error
  return reply.code(statusOf(error, reply)).send(error)
}

/** The handler of one route: our errors here, all others where they would have gone without us. */
export function routeErrorHandler (own: RouteOptions['errorHandler'], { recognise, send }: ErrorHandling): ErrorHandler {
  return function (error, request, reply) {
    const ours = recognise(error)
    if (ours !== undefined) return send(ours, request, reply)
    if (own !== undefined) return own.call(this, error, request, reply)
    if ((error as unknown) instanceof Error) throw error
    return request.server.errorHandler(error, request, reply)
  }
}

/** Answers every error in this package's body: ours as documented, all others by their status. */
export function everyErrorHandler ({ recognise, send }: ErrorHandling): (error: unknown, request: FastifyRequest, reply: FastifyReply) => FastifyReply {
  return (error, request, reply) => {
    try {
      const ours = recognise(error)
      return ours === undefined ? sendForeign(error, request, reply) : send(ours, request, reply)
    } catch (fault) {
      // Anything can be thrown, even what throws when it is looked at.
      return sendUnexpected(fault, request, reply)
    }
  }
}

/** Answers what stood in a request's way; not `handled` where errors are the application's. */
export function createRefuser (handled: boolean, { recognise, send }: ErrorHandling): Refuser {
  return (error, request, reply, done) => {
    const ours = recognise(error)
    // Without an error, or with a falsy one, `done` would let the request pass.
    if (!handled) done((error || new Error('A guard refused without a reason')) as Error)
    // A fault of this package's own: nothing of it may be seen.
    else if (ours === undefined) sendUnexpected(error, request, reply)
    // Routes that `onRoute` never saw have no handler of ours, nor have 404s.
    else if (!isKnown(request)) send(ours, request, reply)
    else done(ours)
  }
}
