import { Type } from '@sinclair/typebox'
import fc from 'fast-check'
import t from 'tap'
import { AuthError, InsufficientRolesError, InvalidPasswordError, OnboardingStepError, RateLimitError, StepUpRequiredError, type AuthErrorBody } from '../../index.js'
import { bodyOf, bodySchema, createBodySerializer } from '../../lib/http/error-body.js'
import { build, refused } from '../build.js'
import { logged } from '../log-lines.js'

/** A class as an application writes it, with names that classes of this package give to other things. */
class TenantSuspendedError extends AuthError<{ tenant: string, reason?: string, errors?: object[], unpaidSince?: string, ledger?: unknown }> {
  static override readonly statusCode: number = 402
  static override readonly code: string = 'TENANT_SUSPENDED'
  static override readonly detail: string = 'This account is suspended.'
  static override readonly publicFields: readonly string[] = ['reason', 'errors', 'unpaidSince', 'ledger']
  declare readonly tenant: string
}

class WeakPasswordError extends InvalidPasswordError<{ errors: readonly string[], score?: number }> {
  static override readonly code: string = 'WEAK_PASSWORD'
  static override readonly publicFields: readonly string[] = [...InvalidPasswordError.publicFields, 'score']
}

t.test('an application\'s own class: its status, code, detail and public fields', async (t) => {
  const app = await build(t)
  app.get('/', async () => { throw new TenantSuspendedError({ tenant: 'acme', reason: 'Unpaid', errors: [{ invoice: 7 }], unpaidSince: '2024-01-01' }) })
  const response = await app.inject('/')
  refused(t, response, 402, 'TENANT_SUSPENDED', 'This account is suspended.')
  t.equal(response.body, '{"status_code":402,"detail":"This account is suspended.","extra":{"code":"TENANT_SUSPENDED","reason":"Unpaid","errors":[{"invoice":7}],"unpaid_since":"2024-01-01"}}')
  const problem = await app.inject({ url: '/', headers: { accept: 'application/problem+json' } })
  t.equal(problem.body, '{"type":"about:blank","title":"Payment Required","status":402,"detail":"This account is suspended.","code":"TENANT_SUSPENDED","reason":"Unpaid","errors":[{"invoice":7}],"unpaid_since":"2024-01-01"}')
  t.notMatch(response.body + problem.body, /acme/)
})

t.test('a class under one of ours keeps what it inherits', async (t) => {
  const app = await build(t)
  app.get('/', async () => { throw new WeakPasswordError({ errors: ['Too short', 'No digit'], score: 1 }) })
  const response = await app.inject('/')
  t.equal(response.body, '{"status_code":400,"detail":"The provided password is invalid.","extra":{"code":"WEAK_PASSWORD","errors":["Too short","No digit"],"score":1}}')
})

t.test('a class without anything of its own is told apart by its code', async (t) => {
  class MaintenanceError extends RateLimitError {
    static override readonly code: string = 'MAINTENANCE'
  }
  const app = await build(t)
  app.get('/', async () => { throw new MaintenanceError({ retryAfter: 60 }) })
  const response = await app.inject('/')
  refused(t, response, 429, 'MAINTENANCE')
  t.equal(response.headers['retry-after'], '60')
  t.equal(response.json().extra.retry_after, 60)
})

t.test('a public field that cannot be written is left out; the refusal stands', async (t) => {
  const { serverOptions, lines } = logged()
  const app = await build(t, {}, serverOptions)
  const circular: { self?: unknown } = {}
  circular.self = circular
  app.get('/', async () => { throw new TenantSuspendedError({ tenant: 'acme', reason: 'Unpaid', ledger: circular }) })
  for (const accept of ['*/*', 'application/problem+json']) {
    const response = await app.inject({ url: '/', headers: { accept } })
    t.equal(response.statusCode, 402)
    t.equal(response.json().extra?.code ?? response.json().code, 'TENANT_SUSPENDED')
    t.notMatch(response.body, /ledger|acme/)
  }
  t.ok(lines.some(({ level, msg }) => level === 50 && msg.includes('failed while an error was answered')), 'the operator is told')
})

t.test('an application\'s class in config.auth.errors is documented, whatever its constructor wants', async (t) => {
  class PlanError extends OnboardingStepError {
    static override readonly code: string = 'PLAN_FAILED'
  }
  class SeatsError extends AuthError {
    static override readonly statusCode: number = 409
    static override readonly code: string = 'NO_SEATS'
    static override readonly detail: string = 'No seats are left.'
    constructor (plan: { name: string }) {
      super({ message: `${plan.name.toUpperCase()} is full` })
    }
  }
  const app = await build(t)
  const { default: swagger } = await import('@fastify/swagger')
  await app.register(swagger, { openapi: { openapi: '3.1.0' } })
  app.register(async (child) => {
    child.get('/', { config: { auth: { errors: [PlanError, SeatsError, TenantSuspendedError] } } }, async () => { throw new SeatsError({ name: 'pro' }) })
  })
  await app.ready()
  const { responses } = JSON.parse(JSON.stringify(app.swagger())).paths['/'].get
  t.match(responses['422'].content['application/json'].examples, { PLAN_FAILED: { value: { status_code: 422, extra: { code: 'PLAN_FAILED', step_name: 'profile' } } } })
  t.strictSame(responses['409'].content['application/json'].examples.NO_SEATS.value, { status_code: 409, detail: 'No seats are left.', extra: { code: 'NO_SEATS' } })
  t.strictSame(responses['402'].content['application/json'].examples.TENANT_SUSPENDED.value, { status_code: 402, detail: 'This account is suspended.', extra: { code: 'TENANT_SUSPENDED' } })
})

t.test('only what the schema lists is written', async (t) => {
  const serialize = createBodySerializer(() => undefined)
  const error = new RateLimitError({ retryAfter: 5 })
  const content = { detail: 'd', extra: { code: 'C', retry_after: 5, identifier: 'ada' }, stack: 'at x' }
  t.equal(serialize(error, content, 'json'), '{"status_code":429,"detail":"d","extra":{"code":"C","retry_after":5}}')
  t.equal(serialize(error, content, 'problem'), '{"type":"about:blank","title":"Too Many Requests","status":429,"detail":"d","code":"C","retry_after":5}')
})

t.test('a serializer is compiled once per class and form', async (t) => {
  let asked = 0
  const serialize = createBodySerializer(() => { asked++; return undefined })
  const error = new RateLimitError({ retryAfter: 5 })
  for (let times = 0; times < 3; times++) {
    serialize(error, error, 'json')
    serialize(error, error, 'problem')
  }
  t.equal(asked, 2)
})

t.test('nothing that is added can stand in the place of what is ours', async (t) => {
  const added = { code: Type.Integer(), status: Type.String(), type: Type.String(), title: Type.String(), detail: Type.Integer(), note: Type.String() }
  const serialize = createBodySerializer(() => added)
  const error = new InsufficientRolesError()
  const extra = { status: '200', type: 'x', title: 'x', detail: 7, note: 'yes', ...error.extra }
  t.strictSame(JSON.parse(serialize(error, { detail: error.detail, extra }, 'problem')), { ...bodyOf(403, error, 'problem'), note: 'yes' })
  t.strictSame(JSON.parse(serialize(error, { detail: error.detail, extra }, 'json')).extra.code, 'INSUFFICIENT_ROLES')
  t.strictSame(bodySchema(InsufficientRolesError, 'problem', added).properties.status, Type.Literal(403))
  t.strictSame(bodySchema(InsufficientRolesError, 'json', added).properties.extra?.properties.code, Type.Literal('INSUFFICIENT_ROLES'))
})

t.test('an unknown status still has a title', async (t) => {
  t.match(bodyOf(499, { detail: 'd', extra: { code: 'C' } }, 'problem'), { title: 'Error', status: 499 })
})

t.test('whatever the texts hold, the body is the JSON that was meant', async () => {
  const serialize = createBodySerializer(() => undefined)
  const text = fc.string({ unit: 'binary' })
  fc.assert(fc.property(text, text, fc.array(text, { minLength: 1 }), (detail, stepName, errors) => {
    const error = new OnboardingStepError({ detail, stepName, errors })
    const body = JSON.parse(serialize(error, error, 'json')) as AuthErrorBody
    return JSON.stringify(body) === JSON.stringify(error)
  }))
  fc.assert(fc.property(fc.nat(), fc.array(text, { minLength: 1 }), (maxAge, acrValues) => {
    const error = new StepUpRequiredError({ maxAge, acrValues })
    return JSON.stringify(JSON.parse(serialize(error, error, 'json'))) === JSON.stringify(error)
  }))
})
