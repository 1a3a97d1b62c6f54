import { AuthError } from './errors/auth-error.js'
import { AuthUnavailableError } from './errors/operation.js'

/** Whether a value has to be waited for. Not by its class: there is more than one kind of promise about. */
export function isThenable<Value> (value: Value | PromiseLike<Value>): value is PromiseLike<Value> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}

/**
 * What a call to an application's own function answers, where null is undefined.
 * Whatever it throws that is none of this package's errors, and silence for
 * `timeout` milliseconds, is an {@link AuthUnavailableError}.
 */
export function settle (call: () => unknown, name: string, dependency: string, timeout?: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown): void => reject(cause instanceof AuthError ? cause : new AuthUnavailableError({ dependency, message: `${name} failed`, cause }))
    let answer: unknown
    try {
      answer = call()
    } catch (error) {
      return fail(error)
    }
    if (!isThenable(answer)) return resolve(answer ?? undefined)
    const timer = timeout === undefined
      ? undefined
      : setTimeout(() => reject(new AuthUnavailableError({ dependency, message: `${name} did not answer within ${timeout} ms` })), timeout)
    Promise.resolve(answer).then((value) => {
      clearTimeout(timer)
      resolve(value ?? undefined)
    }, (error: unknown) => {
      clearTimeout(timer)
      fail(error)
    })
  })
}
