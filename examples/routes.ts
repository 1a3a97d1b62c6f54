import type { FastifyInstance } from 'fastify'
import { InsufficientRolesError, MissingTokenError, UserNotFoundError } from 'fastify-bouncer'
import { readAuditLog } from './audit-log.js'

/** One route for each thing a route can ask for. Those of accounts are not here: `authRoutes` has them. */
export async function routes (app: FastifyInstance, { auditLog }: { auditLog: string }): Promise<void> {
  app.get('/public', {
    schema: { summary: 'Open to everyone' },
    config: { auth: false }
  }, async () => ({ hello: 'world' }))

  app.get('/me', {
    schema: { summary: 'Any user' },
    onRequest: [app.requireUser()]
  }, async (request) => request.user)

  app.get('/greeting', {
    schema: { summary: 'Strangers too, but no bad tokens' },
    onRequest: [app.optionalUser()]
  }, async (request) => ({ hello: request.user?.email ?? 'stranger' }))

  app.get('/admin', {
    schema: { summary: 'The role admin' },
    onRequest: [app.requireRole('admin')]
  }, async (request) => ({ hello: request.user?.email }))

  app.get('/drafts', {
    schema: { summary: 'Any one of the roles admin and editor' },
    onRequest: [app.requireRole('admin', 'editor')]
  }, async (request) => ({ hello: request.user?.email }))

  app.get('/billing', {
    schema: { summary: 'Both roles, admin and billing' },
    onRequest: [app.requireAllRoles('admin', 'billing')]
  }, async (request) => ({ hello: request.user?.email }))

  app.get('/reports', {
    schema: { summary: 'The scope reports:read' },
    onRequest: [app.requireScope('reports:read')]
  }, async (request) => ({ hello: request.user?.email }))

  app.get('/team', {
    schema: { summary: 'The group staff' },
    onRequest: [app.requireGroup('staff')]
  }, async (request) => ({ hello: request.user?.email }))

  app.get('/newsletter', {
    schema: { summary: 'The same as data: the role editor and the group staff' },
    config: { auth: { roles: ['editor'], groups: ['staff'] } }
  }, async (request) => ({ hello: request.user?.email }))

  app.get('/audit', {
    schema: { summary: 'The audit log: checked deep in the call stack, by the security context' },
    // No guard stands here, so the document is told what the handler throws.
    config: { auth: { errors: [InsufficientRolesError] } }
  }, async () => await readAuditLog(auditLog))

  app.get<{ Params: { id: string } }>('/users/:id', {
    schema: { summary: 'A handler that throws one of these errors, and declares it' },
    config: { auth: { roles: ['admin'], errors: [UserNotFoundError] } }
  }, async (request) => await app.bouncer.users.get(request.params.id))

  app.post<{ Body: { text: string } }>('/notes', {
    schema: {
      summary: 'Refused before the body is read',
      body: { type: 'object', required: ['text'], properties: { text: { type: 'string', minLength: 1 } } }
    },
    onRequest: [app.requireUser()]
  }, async (request, reply) => {
    reply.code(201)
    return { by: request.user?.email, text: request.body.text }
  })

  app.get('/machines', {
    schema: { summary: 'HTTP Basic beside bearer tokens, for machines that know no other way' },
    onRequest: [app.requireUser()]
  }, async (request) => ({ hello: request.user?.email, by: request.user?.method }))

  app.get('/address-book', {
    schema: { summary: 'Step-up: whoever signed in during the last five minutes' },
    config: { auth: { maxAge: 300 } }
  }, async (request) => ({ hello: request.user?.email }))

  app.get('/payouts', {
    schema: { summary: 'Step-up: whoever signed in with a second factor' },
    config: { auth: { factors: 2 } }
  }, async (request) => ({ hello: request.user?.email }))

  app.get('/whoami', {
    schema: { summary: 'No guard: the handler itself asks who it is' },
    config: { auth: { optional: true, errors: [MissingTokenError] } }
  }, async (request) => ({ hello: (await request.authenticate()).email }))
}
