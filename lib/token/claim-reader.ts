import { names } from '../access.js'
import { CLAIM_PRESETS, type ClaimMap, type ClaimPath, type ClaimPreset, type ClaimProvider, type MachineSign } from './claim-presets.js'
import { isMeantFor, own, type TokenShape } from './claims.js'
import type { RawClaims } from './key-source.js'
import { scopeNames, standardReader, text, type ClaimReader } from './principal.js'

/** How the claims of an issuer are read, and what of its tokens differs from the standards. */
export interface ClaimReading {
  readonly reader: ClaimReader
  readonly tokens: TokenShape
}

/** A path, and the audience without which it does not count. */
interface Place {
  readonly path: ClaimPath
  readonly audience: string | undefined
}

type Sign = (claims: Readonly<RawClaims>, client: string | undefined) => boolean

/** Reads the option `claims` of an issuer with these audiences. */
export function readClaimMap (option: ClaimProvider | ClaimMap, audience: readonly string[]): ClaimReading {
  const given: ClaimMap = typeof option === 'string' ? { preset: option } : option
  const preset: Partial<ClaimPreset> = given.preset === undefined ? {} : CLAIM_PRESETS[given.preset]
  const { roles = preset.roles, groups = preset.groups, scopes = preset.scopes, clientId = preset.clientId, machines = preset.machines } = given
  return {
    reader: {
      roles: roles === undefined ? standardReader.roles : namesAt(roles, audience, names),
      groups: groups === undefined ? standardReader.groups : namesAt(groups, audience, names),
      scopes: scopes === undefined ? standardReader.scopes : namesAt(scopes, audience, scopeNames),
      client: clientId === undefined ? standardReader.client : textAt(clientId),
      isMachine: machines === undefined ? standardReader.isMachine : anyOf(machines.map((signs) => signs.map(signOf)))
    },
    tokens: preset.tokens ?? {}
  }
}

/** The value at the end of a path. Own members of objects only: a list has none, nor has a text. */
export function valueAt (claims: Readonly<RawClaims>, path: ClaimPath): unknown {
  let value: unknown = claims
  for (const name of path) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    value = own(value, name)
  }
  return value
}

function namesAt (paths: readonly ClaimPath[], audience: readonly string[], read: (value: unknown) => readonly string[]): ClaimReader['roles'] {
  const places = paths.flatMap((path) => placesOf(path, audience))
  return (claims) => names(places.flatMap((place) => isFor(claims, place) ? read(valueAt(claims, place.path)) : []))
}

const AUDIENCE = '{audience}'

function placesOf (path: ClaimPath, audience: readonly string[]): Place[] {
  if (!path.includes(AUDIENCE)) return [{ path: [...path], audience: undefined }]
  return audience.map((name) => ({ path: path.map((step) => step === AUDIENCE ? name : step), audience: name }))
}

// What somebody may do as a user of one API must not count in a token for another.
function isFor (claims: Readonly<RawClaims>, { audience }: Place): boolean {
  return audience === undefined || isMeantFor(own(claims, 'aud'), [audience])
}

function textAt (paths: readonly ClaimPath[]): ClaimReader['client'] {
  const places = paths.map((path) => [...path])
  return (claims) => {
    for (const path of places) {
      const found = text(valueAt(claims, path))
      if (found !== undefined) return found
    }
    return undefined
  }
}

function anyOf (alternatives: ReadonlyArray<readonly Sign[]>): Sign {
  return (claims, client) => alternatives.some((signs) => signs.every((sign) => sign(claims, client)))
}

const CLIENT = '{client}'

function signOf (given: MachineSign): Sign {
  const path = [...given.claim]
  if ('absent' in given) return (claims) => valueAt(claims, path) === undefined
  if ('startsWith' in given) {
    const start = given.startsWith
    return (claims) => text(valueAt(claims, path))?.startsWith(start) === true
  }
  const [start = '', ...rest] = given.is.split(CLIENT)
  if (rest.length === 0) return (claims) => valueAt(claims, path) === start
  return (claims, client) => client !== undefined && valueAt(claims, path) === [start, ...rest].join(client)
}
