import './types/fastify.js'
import * as errors from './lib/errors.js'
import { securityContext } from './lib/context.js'
import { authErrorHandler } from './lib/http/error-handler.js'
import { authRoutes } from './lib/http/routes/auth-routes.js'
import { authSecuritySchemes } from './lib/http/openapi.js'
import { errorResponses } from './lib/http/response-docs.js'
import { authServerOptions } from './lib/http/server-options.js'
import { memoryStore } from './lib/store/memory.js'
import { validateOptions } from './lib/options.js'
import { authPlugin } from './lib/plugin.js'

// `require()` gives the plugin itself, with the public names on it.
const plugin = Object.assign(authPlugin, errors, {
  securityContext, authErrorHandler, authSecuritySchemes, errorResponses, authServerOptions, validateOptions, authRoutes, memoryStore
})

export { plugin as default, plugin as 'module.exports' }
export * from './lib/errors.js'
export { securityContext, authErrorHandler, authSecuritySchemes, errorResponses, authServerOptions, validateOptions, authRoutes, memoryStore }
export type { AuthTypes, Claims, Group, Role, Scope, User } from './lib/context.js'
export type { DocumentedError } from './lib/http/documented-error.js'
export type { Guard, Guards } from './lib/http/guards.js'
export type { DetailResolver, Exposure, Exposures } from './lib/http/refusal.js'
export type { RouteAuth } from './lib/http/route-auth.js'
export type { AccountOptions, AttemptOptions, SessionOptions } from './lib/account-options.js'
export type { AuthEventListener, AuthEventName, AuthEvents, Origin } from './lib/events.js'
export type { Accounts } from './lib/flow/accounts.js'
export type { AttemptLimit, AttemptOperation } from './lib/flow/attempts.js'
export type { AccountChanges, Users } from './lib/flow/account/users.js'
export type { NewAccount } from './lib/flow/account/new-user.js'
export type { Profile, ProfileChanges } from './lib/flow/account/profile.js'
export type { Registration } from './lib/flow/account/registration.js'
export type { SessionInfo } from './lib/flow/session/session-info.js'
export type { Tokens } from './lib/flow/session/sessions.js'
export type { ChallengeResponse, SignInAnswer } from './lib/flow/login.js'
export type { FactorStatus, Mfa } from './lib/flow/mfa/enrolment.js'
export type { Onboarding, OnboardingCall } from './lib/flow/onboarding/engine.js'
export type { OnboardingAnswer, OnboardingComplete, OnboardingProgress, OnboardingStarted } from './lib/flow/onboarding/answers.js'
export type { OnboardingHint } from './lib/flow/onboarding/flow.js'
export type { OnboardingOptions } from './lib/onboarding-options.js'
export type { TimedProof } from './lib/flow/mfa/proof.js'
export type {
  Caller, Challenge, ChallengeAnswer, ChallengeContext, Identifier, IdentityProvider, Proof, ProviderTrust, RecoveryCodes, ResetTicket, TotpSecret
} from './lib/flow/provider.js'
export type { PasswordCheckOptions } from './lib/flow/session/password-check.js'
export type { MfaOptions } from './lib/mfa-options.js'
export type { ProviderOptions } from './lib/provider-options.js'
export type { Credentials } from './lib/flow/session/sign-in.js'
export type { PasswordOptions, PasswordRule, PasswordSubject } from './lib/password/passwords.js'
export type { AuthRoutesOptions } from './lib/http/routes/auth-routes.js'
export type {
  Account, Count, CountLimit, EphemeralOnlyStore, EphemeralStore, FactorStore, Page, PageRequest, Rotation, SessionEnd, SessionStore,
  Store, StoredSession, StoredTotp, StoredUser, UserChanges, UserConditions, UserRefusal, UserStore
} from './lib/store/contract.js'
export type { BasicAuthenticate, BasicUser } from './lib/http/basic.js'
export type { AuthPluginOptions, BasicOptions } from './lib/options.js'
export type { IssuerOptions, JwtOptions } from './lib/issuer-options.js'
export type { ClaimMap, ClaimPath, ClaimProvider, MachineSign } from './lib/token/claim-presets.js'
export type { Bouncer } from './lib/plugin.js'
