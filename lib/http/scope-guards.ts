import type { FastifyInstance } from 'fastify'
import { policyOf } from './guards.js'
import { bodyHooks, type Policy } from './policy.js'

/** Tells which guards stand before the routes of an instance: its own and its parents'. */
export type ScopeGuards = (instance: FastifyInstance) => readonly Policy[]

/**
 * Takes note of guards given to `addHook`, here and in all children. Fastify
 * tells nobody which hooks a scope has, and routes below such a hook refuse
 * what it refuses.
 */
export function watchScopeGuards (root: FastifyInstance): ScopeGuards {
  const noted = new WeakMap<object, Policy[]>()
  const addHook = root.addHook as (name: string, hook: unknown) => FastifyInstance
  function watching (this: FastifyInstance, name: string, hook: unknown): FastifyInstance {
    const policy = policyOf(hook, name)
    if (policy !== undefined) noted.set(this, [...noted.get(this) ?? [], policy])
    for (const beforeBody of bodyHooks(policy)) addHook.call(this, 'preParsing', beforeBody)
    return addHook.call(this, name, hook)
  }
  root.addHook = watching as FastifyInstance['addHook']

  return (instance) => {
    const policies: Policy[] = []
    for (let scope: object | null = instance; scope !== null; scope = Object.getPrototypeOf(scope)) {
      policies.push(...noted.get(scope) ?? [])
    }
    return policies
  }
}
