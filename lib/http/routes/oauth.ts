import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { InvalidPasswordError, RateLimitError, UserNotFoundError } from '../../errors/account.js'
import { AccountUnavailableError, MfaSetupError, StepUpRequiredError } from '../../errors/authentication.js'
import { AuthorizationError } from '../../errors/authorization.js'
import { OAuthAccountAlreadyLinkedError, OAuthLinkRequiredError, OAuthProviderError, OAuthStateError } from '../../errors/oauth.js'
import { RequestInvalidError } from '../../errors/request.js'
import { timed } from '../../flow/mfa/proof.js'
import { ATTEMPT_LIFETIME, type Binding } from '../../flow/oauth/attempt.js'
import type { CallbackParameters } from '../../flow/oauth/client.js'
import type { AuthorizationRequest, OAuth } from '../../flow/oauth/oauth.js'
import type { CallerOf } from './caller.js'
import { ChallengeAnswer, ProofBody, type ProofInput } from './challenge-schemas.js'
import { ANYONE, COUNTED, type Documenter } from './documented.js'
import { setAttemptCookie, takeAttemptCookie } from './oauth-cookie.js'
import {
  AnyProviderParams, AuthorizeQuery, CallbackBody, CallbackQuery, CompletedAnswer, LinkAnswer, LinkBody, LinkedAccountsAnswer,
  providerParams, RedirectAnswer, UnlinkQuery, type AuthorizeInput, type CallbackInput, type ClientCallbackInput, type LinkInput
} from './oauth-schemas.js'
import { originOf } from './origin.js'
import { REQUEST_ERRORS } from './request-errors.js'
import { NoAnswer } from './schemas.js'

/** A host, and a port if it is another than the scheme's: nothing that an address could go on with. */
const HOST = /^([\w.-]+|\[[\da-f:.]+\])(:\d+)?$/i

/** What the routes are made with. */
export interface OAuthRoutesOptions {
  oauth: OAuth
  /** Names of the providers. */
  providers: readonly string[]
  /** Address of this server as browsers see it; undefined for that of each request. */
  baseUrl: string | undefined
}

interface ProviderRoute { Params: { provider: string } }

/** What the end of an attempt can be refused with. */
const COMPLETING = [OAuthStateError, OAuthProviderError, OAuthLinkRequiredError, OAuthAccountAlreadyLinkedError, AccountUnavailableError, ...COUNTED]
const COMPLETED = { 200: CompletedAnswer, 202: ChallengeAnswer }
const PROVEN = [MfaSetupError, StepUpRequiredError, InvalidPasswordError, RateLimitError, UserNotFoundError]
const TAGGED = ['code', 'state', 'iss', 'error'] as const

/** Sign-in at providers, and accounts there that are linked. */
export function oauthRoutes (app: FastifyInstance, options: OAuthRoutesOptions, refusals: Documenter, callerOf: CallerOf): void {
  const requestOf = requests(app, options.baseUrl)
  authorizeRoute(app, options, refusals, requestOf)
  callbackRoute(app, options, refusals)
  answerRoute(app, options, refusals)
  linkRoutes(app, options, refusals, requestOf, callerOf)
}

function authorizeRoute (app: FastifyInstance, { oauth, providers }: OAuthRoutesOptions, refusals: Documenter, requestOf: RequestOf): void {
  app.get<ProviderRoute & { Querystring: AuthorizeInput }>('/oauth/:provider/authorize', {
    config: ANYONE,
    onRequest: forgetAddress,
    schema: {
      summary: 'Sign in at a provider: send the browser here',
      params: providerParams(providers),
      querystring: AuthorizeQuery,
      response: { 302: RedirectAnswer, ...refusals(OAuthProviderError, RequestInvalidError) }
    }
  }, async (request, reply) => {
    const { url, cookie } = await oauth.authorize(request.params.provider, requestOf(request, request.query))
    if (cookie !== undefined) setAttemptCookie(reply, cookie, ATTEMPT_LIFETIME)
    return reply.redirect(url)
  })
}

function callbackRoute (app: FastifyInstance, { oauth, providers }: OAuthRoutesOptions, refusals: Documenter): void {
  // HEAD would use an attempt up, and be no sign-in.
  app.get<ProviderRoute & { Querystring: CallbackInput }>('/oauth/:provider/callback', {
    config: ANYONE,
    exposeHeadRoute: false,
    onRequest: forgetAddress,
    schema: {
      summary: 'Where the provider sends the browser back: tokens, 202 and a challenge, or 302 to the client that keeps a verifier',
      params: providerParams(providers),
      querystring: CallbackQuery,
      response: { ...COMPLETED, 302: RedirectAnswer, ...refusals(...COMPLETING, RequestInvalidError) }
    }
  }, async (request, reply) => {
    const parameters = answered(request.query)
    const waiting = oauth.relay(request.params.provider, parameters)
    if (waiting !== undefined) return reply.redirect(waiting)
    return await complete(oauth, request, reply, parameters, { cookie: (name) => takeAttemptCookie(request, reply, name) })
  })
}

function answerRoute (app: FastifyInstance, { oauth, providers }: OAuthRoutesOptions, refusals: Documenter): void {
  app.register(async (scope) => {
    readForms(scope)
    scope.post<ProviderRoute & { Body: CallbackInput | ClientCallbackInput }>('/oauth/:provider/callback', {
      config: ANYONE,
      onRequest: forgetAddress,
      schema: {
        summary: 'What the provider answered, by the client that keeps a verifier; or as a form, by the browser',
        params: providerParams(providers),
        body: { content: { 'application/json': { schema: CallbackBody }, 'application/x-www-form-urlencoded': { schema: CallbackQuery } } },
        response: { ...COMPLETED, 303: RedirectAnswer, ...refusals(...COMPLETING, ...REQUEST_ERRORS) }
      }
    }, async (request, reply) => {
      const { body } = request
      // Without a media type no schema is chosen, and nothing was looked at.
      if (body === undefined) throw new RequestInvalidError({ errors: [{ path: 'body', message: 'is missing' }] })
      const parameters = answered(body)
      // A browser that posts from the provider's page brings no cookies: by a link it does.
      if (!('code_verifier' in body)) return reply.redirect(`?${new URLSearchParams({ ...parameters })}`, 303)
      return await complete(oauth, request, reply, parameters, { codeVerifier: body.code_verifier })
    })
  })
}

/** 202 for a challenge: nothing in it signs anybody in. */
async function complete (oauth: OAuth, request: FastifyRequest<ProviderRoute>, reply: FastifyReply, parameters: CallbackParameters, binding: Binding): Promise<FastifyReply> {
  const answer = await oauth.complete(request.params.provider, parameters, binding, originOf(request))
  return reply.code('challenge_name' in answer ? 202 : 200).send(answer)
}

function linkRoutes (app: FastifyInstance, { oauth, providers }: OAuthRoutesOptions, refusals: Documenter, requestOf: RequestOf, callerOf: CallerOf): void {
  app.post<ProviderRoute & { Body: LinkInput }>('/oauth/:provider/link', {
    config: { auth: { errors: [...PROVEN, OAuthProviderError] } },
    schema: {
      summary: 'Link an account at a provider; asks for current_password or code unless the sign-in is recent',
      params: providerParams(providers),
      body: LinkBody,
      response: { 200: LinkAnswer, ...refusals(...REQUEST_ERRORS) }
    }
  }, async (request, reply) => {
    const user = await callerOf(request)
    const { current_password: password, code, ...asked } = request.body ?? {}
    const { sid } = user.claims as Record<string, unknown>
    const proof = timed(user, { ...(password !== undefined && { current_password: password }), ...(code !== undefined && { code }) })
    const link = { userId: user.id, sessionId: typeof sid === 'string' ? sid : undefined, proof }
    const { url, cookie } = await oauth.authorizeLink(request.params.provider, requestOf(request, asked), link, originOf(request))
    if (cookie !== undefined) setAttemptCookie(reply, cookie, ATTEMPT_LIFETIME)
    return { authorization_url: url }
  })

  app.get('/oauth/accounts', {
    config: { auth: true },
    schema: { summary: 'One\'s own linked accounts', response: { 200: LinkedAccountsAnswer } }
  }, async (request) => ({ items: await oauth.accounts((await callerOf(request)).id), next: null }))

  app.delete<ProviderRoute & { Querystring: { account_id?: string }, Body: ProofInput }>('/oauth/:provider', {
    config: { auth: { errors: [...PROVEN, AuthorizationError] } },
    schema: {
      summary: 'Unlink accounts at a provider, but not the last way in; asks for current_password or code unless the sign-in is recent',
      params: AnyProviderParams,
      querystring: UnlinkQuery,
      body: ProofBody,
      response: { 204: NoAnswer, ...refusals(...REQUEST_ERRORS) }
    }
  }, async (request, reply) => {
    const user = await callerOf(request)
    await oauth.unlink(user.id, { ...request.params, ...request.query }, timed(user, request.body ?? {}), originOf(request))
    return reply.code(204).send()
  })
}

type RequestOf = (request: FastifyRequest<ProviderRoute>, asked: AuthorizeInput) => AuthorizationRequest

/** How clients want to come back: to the callback beside these routes. */
function requests ({ prefix }: FastifyInstance, baseUrl: string | undefined): RequestOf {
  return ({ protocol, host, params: { provider } }, { redirect_to: redirectTo, code_challenge: codeChallenge }) => {
    if (baseUrl === undefined && !HOST.test(host)) throw new RequestInvalidError({ errors: [{ path: 'headers', message: 'host is invalid' }] })
    return {
      callbackUrl: `${baseUrl ?? `${protocol}://${host}`}${prefix}/oauth/${provider}/callback`,
      ...(redirectTo !== undefined && { redirectTo }),
      ...(codeChallenge !== undefined && { codeChallenge })
    }
  }
}

/** The address of a callback has a code in it: no page that comes next is told. */
function forgetAddress (_request: FastifyRequest, reply: FastifyReply, done: () => void): void {
  reply.header('referrer-policy', 'no-referrer')
  done()
}

/** What of an answer is looked at. */
function answered (given: CallbackInput): CallbackParameters {
  return Object.fromEntries(TAGGED.flatMap((name) => given[name] === undefined ? [] : [[name, given[name]]]))
}

/** More than any answer of a provider has. */
const MAX_FORM = 65_536

function readForms (scope: FastifyInstance): void {
  scope.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string', bodyLimit: MAX_FORM }, (_request, body, done) => {
    const form = new URLSearchParams(body as string)
    done(null, Object.fromEntries(TAGGED.flatMap((name) => form.has(name) ? [[name, form.get(name)]] : [])))
  })
}
