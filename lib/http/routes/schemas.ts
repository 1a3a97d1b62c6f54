import { Type, type Static } from '@sinclair/typebox'

const closed = { additionalProperties: false }
/** The longest that `passwords.maxLength` can allow. */
const MAX_PASSWORD = 4096

const email = Type.String({ format: 'email', maxLength: 254 })
const username = Type.String({ format: 'username', maxLength: 64 })
/** Whether it is good enough is for the rules to say; this bounds what is looked at. */
export const password = Type.String({ maxLength: MAX_PASSWORD })
const token = Type.String({ minLength: 1, maxLength: 1024 })
/** Those of identity providers are long. */
const refreshToken = Type.String({ minLength: 1, maxLength: 20_000 })
const roles = Type.Array(Type.String({ format: 'role', minLength: 1, maxLength: 128 }), { maxItems: 100 })

/** A registration. */
export const RegisterBody = Type.Object({ email, password, username: Type.Optional(username) }, closed)
/** Without a user name, which would be taken afterwards, or free. */
export const ConcealedRegisterBody = Type.Object({ email, password }, closed)

// What cannot be a name or an address is one that nobody has: a sign-in answers
// it like any other, so that nothing can be learnt from the difference.
const identifier = Type.String({ maxLength: 320 })
/** A sign-in by one of the two names. */
export const LoginBody = Type.Union([
  Type.Object({ email: identifier, password }, closed),
  Type.Object({ username: identifier, password }, closed)
])

/** A refresh. */
export const RefreshBody = Type.Object({ refresh_token: refreshToken }, closed)
/** A sign-out: nothing, or a refresh token in place of an access token. */
export const LogoutBody = Type.Optional(Type.Union([Type.Object({ refresh_token: Type.Optional(refreshToken) }, closed), Type.Null()], { examples: [{}] }))
/** An address to send a mail to. */
export const EmailBody = Type.Object({ email }, closed)
/** A token that was mailed. */
export const TokenBody = Type.Object({ token }, closed)
/** Whose password is to be reset, by e-mail address or user name. */
export const IdentifierBody = Type.Union([Type.Object({ email: identifier }, closed), Type.Object({ username: identifier }, closed)])
const mailedCode = Type.String({ minLength: 1, maxLength: 64 })
/** A code that was mailed, whose it is, and the new password. */
export const ResetByCodeBody = Type.Union([
  Type.Object({ email: identifier, code: mailedCode, password }, closed),
  Type.Object({ username: identifier, code: mailedCode, password }, closed)
])
/** A token that was mailed, and the new password. */
export const ResetBody = Type.Object({ token, password }, closed)
/** A change of one's own password. */
export const PasswordBody = Type.Object({ current_password: password, new_password: password }, closed)

/** A change of one's own names. */
export const ProfileBody = Type.Object({
  email: Type.Optional(email),
  username: Type.Optional(Type.Union([username, Type.Null()])),
  current_password: Type.Optional(password)
}, { ...closed, anyOf: [{ required: ['email'] }, { required: ['username'] }] })

/** An administrator's change of a user. */
export const UserBody = Type.Object({
  email: Type.Optional(email),
  username: Type.Optional(Type.Union([username, Type.Null()])),
  password: Type.Optional(password),
  roles: Type.Optional(roles),
  is_active: Type.Optional(Type.Boolean()),
  is_verified: Type.Optional(Type.Boolean()),
  must_change_password: Type.Optional(Type.Boolean({ description: 'The next sign-in asks for a new password' }))
}, { ...closed, minProperties: 1 })

/** The id in a path. */
export const IdParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 255 }) })

/** Which page of a list. */
export const PageQuery = Type.Object({
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 50 })),
  after: Type.Optional(Type.String({ maxLength: 1024, description: 'next of the page before' }))
}, closed)

/** Tokens, for a sign-in or a refresh. */
export const TokensAnswer = Type.Object({
  access_token: Type.String(),
  refresh_token: Type.String(),
  token_type: Type.Literal('Bearer'),
  expires_in: Type.Integer({ minimum: 1, description: 'Lifetime of the access token in seconds' }),
  id_token: Type.Optional(Type.String({ description: 'Of identity providers that have one' }))
}, { description: 'Tokens' })

const nullable = Type.Union([Type.String(), Type.Null()])

/** A user, as everybody may see it. */
export const UserAnswer = Type.Object({
  id: Type.String(),
  email: Type.String(),
  username: nullable,
  roles: Type.Array(Type.String()),
  is_active: Type.Boolean(),
  is_verified: Type.Boolean()
}, { description: 'User' })

const Session = Type.Object({
  id: Type.String(),
  created_at: Type.String({ format: 'date-time' }),
  last_used_at: Type.String({ format: 'date-time', description: 'When it was last refreshed' }),
  expires_at: Type.String({ format: 'date-time', description: 'When it lapses in any case' }),
  address: nullable,
  user_agent: nullable,
  current: Type.Boolean({ description: 'Whether it is the session of this request' })
})

const next = Type.Union([Type.String(), Type.Null()], { description: 'Give it as after for the next page; null on the last' })

/** A page of users. */
export const UsersAnswer = Type.Object({ items: Type.Array(UserAnswer), next }, { description: 'A page of users, oldest first' })
/** A page of sessions. */
export const SessionsAnswer = Type.Object({ items: Type.Array(Session), next }, { description: 'A page of sessions, newest first' })
/** 204. */
export const NoAnswer = Type.Null({ description: 'Done' })
/** 202. */
export const AcceptedAnswer = Type.Null({ description: 'Accepted, whether there is such a user or not' })

export type RegisterInput = Static<typeof RegisterBody>
export type LoginInput = Static<typeof LoginBody>
export type ProfileInput = Static<typeof ProfileBody>
export type UserInput = Static<typeof UserBody>
export type IdentifierInput = Static<typeof IdentifierBody>
export type ResetInput = Static<typeof ResetBody> | Static<typeof ResetByCodeBody>
export type PasswordInput = Static<typeof PasswordBody>
export type PageInput = Static<typeof PageQuery>
