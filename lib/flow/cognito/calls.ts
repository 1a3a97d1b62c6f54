import type { $Command, CognitoIdentityProviderClient, CognitoIdentityProviderClientResolvedConfig, ServiceInputTypes, ServiceOutputTypes } from '@aws-sdk/client-cognito-identity-provider'
import { loadEngine } from '../../store/engine.js'
import { faultOf } from './fault.js'
import type { CognitoSettings } from './options.js'
import { refusalOf, unavailable, type Refusals } from './refusals/table.js'

/** The package `@aws-sdk/client-cognito-identity-provider`. */
export type Sdk = typeof import('@aws-sdk/client-cognito-identity-provider')

/**
 * Makes one call to Cognito. What Cognito refuses is thrown as the table says;
 * whatever else goes wrong is `AuthUnavailableError`. Throws
 * `ConfigurationError` where the SDK is not installed.
 */
export type Call = <Input extends ServiceInputTypes, Output extends ServiceOutputTypes>(
  refusals: Refusals,
  command: (sdk: Sdk) => $Command<Input, Output, CognitoIdentityProviderClientResolvedConfig, ServiceInputTypes, ServiceOutputTypes>
) => Promise<Output>

const PACKAGE = '@aws-sdk/client-cognito-identity-provider'
/** One repetition, for a connection that was closed while nobody used it. */
const ATTEMPTS = 2

interface Opened {
  sdk: Sdk
  client: CognitoIdentityProviderClient
}

/**
 * Calls through the SDK, which is loaded when the application starts, or with the first one. None of them is
 * signed: users prove themselves by what they send, so no AWS credentials are
 * looked for.
 */
export function createCalls (settings: CognitoSettings, load: () => Promise<Sdk> = () => import('@aws-sdk/client-cognito-identity-provider')): { call: Call, open: () => Promise<void> } {
  let opened: Promise<Opened> | undefined

  async function open (): Promise<Opened> {
    const sdk = await loadEngine(load, PACKAGE, { option: 'provider', user: 'cognitoProvider' })
    const { region, endpoint } = settings
    return { sdk, client: settings.client ?? new sdk.CognitoIdentityProviderClient({ region, maxAttempts: ATTEMPTS, ...(endpoint !== undefined && { endpoint }) }) }
  }

  async function ready (): Promise<Opened> {
    opened ??= open()
    return await opened.catch((error: unknown) => {
      opened = undefined
      throw error
    })
  }

  const call: Call = async (refusals, command) => {
    const { sdk, client } = await ready()
    const request = command(sdk)
    const abortSignal = AbortSignal.timeout(settings.timeout)
    try {
      return await client.send(request, { abortSignal })
    } catch (error) {
      const fault = faultOf(error, request.input)
      throw abortSignal.aborted ? unavailable('Cognito did not answer in time.', fault) : refusalOf(refusals, error, fault)
    }
  }
  return { call, open: async () => { await ready() } }
}
