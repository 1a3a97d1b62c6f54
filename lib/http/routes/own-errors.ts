import type { FastifyInstance } from 'fastify'
import { everyErrorHandler, type ErrorHandling } from '../error-handler.js'

/**
 * Answers every error in a scope of this package's own routes in our body,
 * whatever the application does with errors elsewhere; without `handling`,
 * errors are the application's here too. In either case no answer of the scope
 * is stored by a cache, unless its route says that it may be.
 */
export function answerOwnErrors (scope: FastifyInstance, handling: ErrorHandling | undefined): void {
  forbidStoring(scope)
  if (handling === undefined) return
  // One of the application's could give a failed validation another status.
  scope.setSchemaErrorFormatter((errors, part) => new Error(`${part} ${errors[0]?.message ?? 'is invalid'}`))
  scope.setErrorHandler(everyErrorHandler(handling))
}

// Tokens and users may not be stored (RFC 6749, section 5.1), even where an
// application lets its other answers be. A route's own header, set later, stays.
// The second hook is for requests that an application's hook answers before the
// first is reached.
function forbidStoring (scope: FastifyInstance): void {
  scope.addHook('onRequest', (_request, reply, done) => {
    reply.header('cache-control', 'no-store')
    done()
  })
  scope.addHook('onSend', (_request, reply, _payload, done) => {
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store')
    done()
  })
}
