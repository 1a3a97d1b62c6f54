import type { FastifyReply, FastifyRequest } from 'fastify'
import type { AuthError, AuthErrorClass } from '../errors/auth-error.js'
import type * as errors from '../errors.js'
import type { TProperties } from '@sinclair/typebox'
import { identityKey } from './authenticate.js'
import { createBodySerializer, MEDIA_TYPES, type BodyContent } from './error-body.js'
import { bodyForm } from './negotiate.js'

/** An application's choice of private context that clients may see, for one class. */
export interface Exposure<Shown extends AuthError = AuthError> {
  /** A TypeBox object; its properties become part of `extra`, here and in the OpenAPI document. */
  schema: { properties: TProperties }
  /** The values. What it throws is logged, and nothing is exposed then. */
  pick (error: Shown, request: FastifyRequest): Record<string, unknown>
}

type Classes = typeof errors

type InstanceOf<Class> = Class extends abstract new (...options: never[]) => infer Instance ? Instance : never

/** Exposures by the names of the classes. */
export type Exposures = {
  [Name in keyof Classes as InstanceOf<Classes[Name]> extends AuthError ? Name : never]?: Exposure<InstanceOf<Classes[Name]> & AuthError>
}

/** Another sentence, or another language, for the detail of an error; undefined keeps it. */
export type DetailResolver = (error: AuthError, request: FastifyRequest) => string | undefined

/** Levels of a refusal's log line. */
export type RefusalLogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent'

export interface RefusalOptions {
  logLevel: RefusalLogLevel
  expose?: Record<string, Exposure>
  detail?: DetailResolver
}

/** Logs an error and sends it: status, headers, body. */
export type RefusalSender = (error: AuthError, request: FastifyRequest, reply: FastifyReply) => FastifyReply

/** Sends, or passes on, what stood in a request's way. */
export type Refuser = (error: unknown, request: FastifyRequest, reply: FastifyReply, done: (error: Error) => void) => void

const asIs = (payload: unknown): string => payload as string

/** The sender of an application's refusals. */
export function createRefusalSender ({ logLevel, expose = {}, detail }: RefusalOptions): RefusalSender {
  const exposure = (errorClass: AuthErrorClass): Exposure | undefined =>
    Object.hasOwn(expose, errorClass.name) ? expose[errorClass.name] : undefined
  const full = createBodySerializer((errorClass) => exposure(errorClass)?.schema.properties)
  const bare = createBodySerializer(() => undefined)

  // A function of the application's must not turn a refusal into anything else.
  function attempt<Result> (request: FastifyRequest, option: string, run: () => Result): Result | undefined {
    try {
      return run()
    } catch (err) {
      report(request, err, `fastify-bouncer: ${option} failed while an error was answered`)
      return undefined
    }
  }

  function contentOf (error: AuthError, request: FastifyRequest): BodyContent {
    const sentence = detail === undefined ? undefined : attempt(request, 'detail', () => detail(error, request))
    const exposed = exposure(error.constructor as unknown as AuthErrorClass)
    return {
      detail: typeof sentence === 'string' ? sentence : error.detail,
      extra: {
        ...(exposed !== undefined && attempt(request, 'expose', () => exposed.pick(error, request))),
        ...error.extra
      }
    }
  }

  return (error, request, reply) => {
    attempt(request, 'logger', () => { log(error, request, logLevel) })
    const form = bodyForm(request.headers.accept)
    const content = contentOf(error, request)
    const payload = attempt(request, 'expose', () => full(error, content, form)) ??
      attempt(request, 'extra', () => bare(error, { ...content, extra: error.extra }, form)) ??
      bare(error, { ...content, extra: { code: error.code } }, form)
    reply.code(error.statusCode).headers(error.headers)
    appendVary(reply)
    return reply
      .type(MEDIA_TYPES[form])
      // The body is written already; a serializer of the application's, set on
      // this reply for its own answers, would write it a second time.
      .serializer(asIs)
      .send(payload)
  }
}

/** Logs a fault. A logger that fails itself has nowhere to say so, and must not keep anybody from being answered. */
export function report (request: FastifyRequest, err: unknown, message: string): void {
  try {
    request.log.error({ err }, message)
  } catch {}
}

function log (error: AuthError, request: FastifyRequest, logLevel: RefusalLogLevel): void {
  const level = error.statusCode >= 500 ? 'error' : logLevel
  if (level === 'silent' || request.log.level === 'silent') return
  request.log[level]({
    err: error,
    userId: request[identityKey]?.user?.id,
    // Read when the line is written, so that a line nobody wants costs nothing.
    get context () { return error.context() }
  }, error.message)
}

/** Tells caches that the body depends on Accept, without losing what else it depends on. */
export function appendVary (reply: FastifyReply): void {
  const vary = reply.getHeader('vary')
  if (vary === undefined) reply.header('vary', 'Accept')
  else if (!/(^|,)\s*(accept|\*)\s*(,|$)/i.test(String(vary))) reply.header('vary', `${String(vary)}, Accept`)
}
