import t from 'tap'
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { CognitoIdentityProviderClient, GetUserCommand } from '@aws-sdk/client-cognito-identity-provider'
import { createCalls } from '../../lib/flow/cognito/calls.js'
import { readOptions } from '../../lib/flow/cognito/options.js'
import { rejection } from '../rejection.js'
import { withoutRunner } from '../store/outside.js'
import { printed } from './people.js'
import { exception, POOL, recorded, signedIn } from './recorded.js'

// Recorded answers, and none: what becomes of a call on its way.

const cognito = await recorded(t)
const { answers, calls } = cognito
const credentials = { email: 'a@example.com', password: 'hunter2hunter2' }
const origin = {}
const get = (load?: Parameters<typeof createCalls>[1]): Promise<unknown> => createCalls(readOptions(POOL), load).call({}, (sdk) => new sdk.GetUserCommand({ AccessToken: 'x' }))

t.test('the SDK', async (t) => {
  t.test('that is not installed is told', async (t) => {
    const missing = Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' })
    await t.rejects(get(() => Promise.reject(missing)), { name: 'ConfigurationError', option: 'provider', message: 'cognitoProvider needs a package that is not installed: npm install @aws-sdk/client-cognito-identity-provider' })
  })

  t.test('is loaded once, and tried again where that failed', async (t) => {
    let loads = 0
    const { call } = createCalls({ ...readOptions(POOL), client: { send: async () => ({}) } as unknown as CognitoIdentityProviderClient }, async () => {
      if (++loads === 1) throw new Error('a disk that was full')
      return await import('@aws-sdk/client-cognito-identity-provider')
    })
    const command = (sdk: typeof import('@aws-sdk/client-cognito-identity-provider')): GetUserCommand => new sdk.GetUserCommand({ AccessToken: 'x' })
    await t.rejects(call({}, command), { message: 'a disk that was full' })
    await Promise.all([call({}, command), call({}, command)])
    t.equal(loads, 2)
  })

  t.test('is imported by no file of the package but on demand', async (t) => {
    const lib = new URL('../../lib/', import.meta.url)
    const files = readdirSync(lib, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
    const found = files.filter((name) => /^import (?!type )[^\n]*@aws-sdk/m.test(readFileSync(new URL(name, lib), 'utf8')))
    t.strictSame(found, [])
  })
})

t.test('no AWS credentials are looked for', async (t) => {
  const env = { ...withoutRunner(), AWS_PROFILE: 'no-such-profile', AWS_ACCESS_KEY_ID: 'AKIAHUNTER2', AWS_SECRET_ACCESS_KEY: 'hunter2' }
  answers({ InitiateAuth: signedIn() })
  const script = `
    import { CognitoIdentityProviderClient, InitiateAuthCommand } from '@aws-sdk/client-cognito-identity-provider'
    const client = new CognitoIdentityProviderClient({ region: 'eu-west-1', endpoint: '${cognito.endpoint}' })
    await client.send(new InitiateAuthCommand({ AuthFlow: 'USER_PASSWORD_AUTH', ClientId: 'x' }))`
  await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { env })
  t.equal(calls.length, 1)
  t.notOk('authorization' in (calls[0]?.headers ?? {}))
})

t.test('what takes too long', async (t) => {
  const hurried = cognito.provider({ timeout: 0.2 })
  answers({
    InitiateAuth: [
      () => {},
      (response) => { response.writeHead(200, { 'content-type': 'application/x-amz-json-1.1', 'content-length': 100 }).write('{"AuthenticationResult":') }
    ]
  })
  for (const name of ['an answer that never comes', 'one that stops in the middle']) {
    const error = await rejection(hurried.signIn(credentials, origin))
    t.match(error, { name: 'AuthUnavailableError', message: 'Cognito did not answer in time.', dependency: 'cognito', cause: { name: 'AbortError' } }, name)
    t.notOk(printed(error).includes('hunter2'))
  }
})

t.test('what is no answer', async (t) => {
  const provider = cognito.provider()
  const token = 'eyJhbGciOiJub25lIn0'
  for (const [name, respond] of Object.entries({
    'half of one': (response: import('node:http').ServerResponse) => response.writeHead(200).end(`{"AuthenticationResult":{"AccessToken":"${token}"`),
    'a page': (response: import('node:http').ServerResponse) => response.writeHead(200, { 'content-type': 'text/html' }).end(`<html>${token}`),
    'a page that says no': (response: import('node:http').ServerResponse) => response.writeHead(403, { 'content-type': 'text/html' }).end(`<html>${token}`),
    'somewhere else': (response: import('node:http').ServerResponse) => response.writeHead(307, { location: cognito.endpoint }).end(),
    nothing: (response: import('node:http').ServerResponse) => response.writeHead(500).end(),
    'a connection that is cut': (response: import('node:http').ServerResponse) => response.destroy()
  })) {
    answers({ InitiateAuth: (response) => { respond(response) } })
    const error = await rejection(provider.signIn(credentials, origin))
    t.match(error, { name: 'AuthUnavailableError', dependency: 'cognito' }, name)
    t.notOk(/hunter2|eyJ/.test(printed(error)), 'nothing of it is printed')
    t.ok(calls.length <= 2, 'it is tried once more at most')
  }
  const gone = cognito.provider({ endpoint: 'http://127.0.0.1:1' })
  t.match(await rejection(gone.signIn(credentials, origin)), { name: 'AuthUnavailableError', cause: { code: 'ECONNREFUSED' } })
})

t.test('a connection that was closed meanwhile is made again', async (t) => {
  answers({ InitiateAuth: [(response) => { response.destroy() }, signedIn()] })
  t.match(await cognito.provider().signIn(credentials, origin), { token_type: 'Bearer' })
})

t.test('attack: an exception that repeats what was sent', async (t) => {
  const provider = cognito.provider({ clientSecret: 'hunter2-secret' })
  answers({ RevokeToken: exception('InternalErrorException', 'Value hunter2-secret, of the.refresh.token, for testclientid failed') })
  const error = await rejection(provider.revoke('YWRh.the.refresh.token', false))
  t.match(error, { name: 'AuthUnavailableError', cause: { message: 'Value ***, of ***, for testclientid failed', requestId: 'the-request', status: 400 } })
  t.notOk(/hunter2|the\.refresh/.test(printed(error)))
})

t.test('a client of the application', async (t) => {
  const own = new CognitoIdentityProviderClient({ region: 'eu-west-1', endpoint: cognito.endpoint, maxAttempts: 1 })
  answers({ InitiateAuth: (response) => { response.destroy() } })
  await t.rejects(cognito.provider({ client: own, endpoint: 'http://127.0.0.1:1' }).signIn(credentials, origin), { name: 'AuthUnavailableError' })
  t.equal(calls.length, 1, 'is used as it is')
  for (const thrown of [null, undefined, 'oops', {}, { name: 7, message: 7, code: 7 }, new TypeError('hunter2hunter2'), { name: 'NotAuthorizedException' }, Object.assign(new Error('no'), { code: 'ENOTFOUND', $metadata: {} })]) {
    const broken = { send: () => Promise.reject(thrown) } as unknown as CognitoIdentityProviderClient
    const error = await rejection(cognito.provider({ client: broken }).signIn(credentials, origin))
    t.match(error, { statusCode: (thrown as Error | null)?.name === 'NotAuthorizedException' ? 401 : 503 })
    t.notOk(printed(error).includes('hunter2'))
  }
})
