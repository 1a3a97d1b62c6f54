import { Type, type Static } from '@sinclair/typebox'
import { SignedInAnswer } from './challenge-schemas.js'
import { password } from './schemas.js'

const closed = { additionalProperties: false }

const redirectTo = Type.String({ maxLength: 2048, description: 'Where a client waits that keeps a verifier of its own: one of those the server allows, exactly' })
const codeChallenge = Type.String({ minLength: 43, maxLength: 43, description: 'SHA-256 of that verifier, in base64url (RFC 7636)' })
const method = Type.Literal('S256')

/** How somebody wants to come back. */
export const AuthorizeQuery = Type.Object({
  redirect_to: Type.Optional(redirectTo),
  code_challenge: Type.Optional(codeChallenge),
  code_challenge_method: Type.Optional(method)
}, closed)

/** The same, and what shows that it is the user. */
export const LinkBody = Type.Optional(Type.Union([Type.Object({
  redirect_to: Type.Optional(redirectTo),
  code_challenge: Type.Optional(codeChallenge),
  code_challenge_method: Type.Optional(method),
  current_password: Type.Optional(password),
  code: Type.Optional(Type.String({ minLength: 1, maxLength: 64, description: 'Of the authenticator application, or a recovery code' }))
}, closed), Type.Null()], { examples: [{}] }))

const answered = {
  code: Type.Optional(Type.String({ maxLength: 4096 })),
  state: Type.Optional(Type.String({ maxLength: 4096 })),
  iss: Type.Optional(Type.String({ maxLength: 2048, description: 'RFC 9207' })),
  error: Type.Optional(Type.String({ maxLength: 256 }))
}

/** What a provider answers, in a query or a form (OAuth 2.0 Form Post Response Mode); some add parameters of their own. */
export const CallbackQuery = Type.Object(answered)
/** The same, passed on by the client who keeps the verifier. */
export const CallbackBody = Type.Object({
  ...answered,
  code_verifier: Type.String({ minLength: 43, maxLength: 128, pattern: '^[A-Za-z0-9._~-]+$', description: 'RFC 7636, section 4.1' })
}, closed)

/** Which provider; names are those of the options. */
export const providerParams = (names: readonly string[]) => Type.Object({ provider: Type.Union(names.map((name) => Type.Literal(name))) })
/** Also one that there is not any more. */
export const AnyProviderParams = Type.Object({ provider: Type.String({ pattern: '^[a-z][a-z0-9_-]{0,31}$' }) })
/** One account at the provider; without it all of them. */
export const UnlinkQuery = Type.Object({ account_id: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })) }, closed)

/** Where to send the browser. */
export const LinkAnswer = Type.Object({ authorization_url: Type.String({ description: 'The page of the provider, to be opened in this browser' }) }, { description: 'Where the browser goes now' })

const nullable = Type.Union([Type.String(), Type.Null()])
/** An account at a provider. */
export const LinkedAccountAnswer = Type.Object({
  provider: Type.String(),
  account_id: Type.String({ description: 'What the provider knows its user by' }),
  email: nullable,
  linked_at: Type.String({ format: 'date-time' }),
  last_used_at: Type.String({ format: 'date-time' })
}, { description: 'A linked account' })
/** All of them. */
export const LinkedAccountsAnswer = Type.Object({ items: Type.Array(LinkedAccountAnswer), next: Type.Null({ description: 'There is one page' }) }, { description: 'Linked accounts, oldest first' })
/** Tokens, or the account that was linked. */
export const CompletedAnswer = Type.Union([SignedInAnswer, LinkedAccountAnswer], { description: 'Tokens after a sign-in; after a link, the account' })
/** 302, 303. */
export const RedirectAnswer = Type.Null({ description: 'To the address in Location', headers: { Location: { type: 'string', description: 'Where the browser goes now' } } })

export type AuthorizeInput = Static<typeof AuthorizeQuery>
export type LinkInput = Static<typeof LinkBody>
export type CallbackInput = Static<typeof CallbackQuery>
export type ClientCallbackInput = Static<typeof CallbackBody>
