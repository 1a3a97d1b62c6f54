import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { cognitoProvider, type CognitoOptions, type CognitoProvider } from '../../lib/cognito.js'

// A server that speaks as Cognito does (AWS JSON 1.1), with answers as Cognito
// gives them: for what cognito-local lacks. What asks it is the real SDK.

/** One call, as it arrived. */
export interface RecordedCall {
  operation: string
  body: Record<string, unknown>
  headers: IncomingHttpHeaders
}

/** An answer: an object is one of success, an exception has a name, and a function does as it likes. */
export type RecordedAnswer = { [field: string]: unknown } | Exception | ((response: ServerResponse, call: RecordedCall) => void)

interface Exception { exception: string, message?: string, status?: number }

/** An exception; `<sent>` in its sentence becomes all that was sent. */
export const exception = (name: string, message = '', status = 400): Exception => ({ exception: name, message, status })

export interface Recorded {
  endpoint: string
  /** What was called since the answers were given. */
  calls: RecordedCall[]
  /** Gives the answers to operations from now on; of a list, one after the other, the last one for good. */
  answers (answers: Record<string, RecordedAnswer | RecordedAnswer[]>): void
  provider (options?: Partial<CognitoOptions>): CognitoProvider
}

export const POOL = { region: 'eu-west-1', userPoolId: 'eu-west-1_AbCdEfGhI', clientId: 'testclientid' }

export async function recorded (t: Test): Promise<Recorded> {
  let queues = new Map<string, RecordedAnswer[]>()
  const calls: RecordedCall[] = []

  function answer (response: ServerResponse, call: RecordedCall): void {
    calls.push(call)
    const queue = queues.get(call.operation) ?? [exception('NothingRecorded', call.operation, 500)]
    const next = (queue.length > 1 ? queue.shift() : queue[0]) as RecordedAnswer
    if (typeof next === 'function') return next(response, call)
    const failed = typeof next['exception'] === 'string' ? next as Exception : undefined
    response.writeHead(failed?.status ?? 200, { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-requestid': 'the-request' })
    response.end(JSON.stringify(failed === undefined ? next : { __type: failed.exception, message: failed.message?.replace('<sent>', () => JSON.stringify(call.body)) }))
  }

  const server = createServer((request, response) => {
    let text = ''
    request.setEncoding('utf8').on('data', (part) => { text += part }).on('end', () => {
      const [, operation = ''] = String(request.headers['x-amz-target']).split('.')
      answer(response, { operation, body: JSON.parse(text), headers: request.headers })
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  return {
    endpoint,
    calls,
    answers (answers) {
      queues = new Map(Object.entries(answers).map(([operation, given]) => [operation, Array.isArray(given) ? [...given] : [given]]))
      calls.length = 0
    },
    provider: (options) => cognitoProvider({ ...POOL, endpoint, timeout: 60, ...options })
  }
}

/** A token as Cognito signs it, but for the signature, which nobody looks at here. */
export function accessToken (claims: Record<string, unknown> = {}): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ alg: 'RS256', kid: 'k' })}.${part({ sub: 'the-sub', username: 'the-user', token_use: 'access', auth_time: Math.floor(Date.now() / 1000), iat: 1000, exp: 4600, ...claims })}.c2ln`
}

/** What Cognito answers a complete sign-in with. */
export const signedIn = (result: Record<string, unknown> = {}): Record<string, unknown> => ({
  ChallengeParameters: {},
  AuthenticationResult: { AccessToken: accessToken(), ExpiresIn: 3600, IdToken: 'the.id.token', RefreshToken: 'the.refresh.to.ken', TokenType: 'Bearer', ...result }
})
