/** Options that every error class of this package takes besides its own context. */
export interface AuthErrorOptions {
  /** For operators' logs; never sent to a client. Defaults to `detail`. */
  message?: string
  /** The public sentence. Defaults to the sentence of the class. */
  detail?: string
  /** The public code, where an endpoint gives a class a code of its own. Defaults to the code of the class. */
  code?: string
  /** Response headers added to those of the class. Names are case-insensitive. */
  headers?: Record<string, string>
  /** The fault behind this error; for logs only. */
  cause?: unknown
}

/** The body of every refusal. `extra.code` is what programs match on. */
export interface AuthErrorBody {
  status_code: number
  detail: string
  extra: { code: string, [field: string]: unknown }
}

/** Any class under {@link AuthError}, abstract ones included. */
export interface AuthErrorClass {
  readonly prototype: AuthError
  readonly name: string
  readonly statusCode: number
  readonly code: string
  readonly detail: string
  readonly publicFields: readonly string[]
}

const RESERVED = new Set(['message', 'detail', 'code', 'headers', 'cause', 'statusCode', 'name', 'stack', 'extra'])

/**
 * Base class of every error of this package: catch it to catch all.
 *
 * The context a constructor is given becomes enumerable properties of the
 * error, for logs and traces. Only `publicFields` of the class reach a client,
 * in `extra` and in snake_case. Everything is an ordinary property or accessor,
 * because Fastify's own handler reads errors through `Object.create(error)`.
 */
export abstract class AuthError<Options extends object = object> extends Error {
  /** The HTTP status; it belongs to the class. */
  static readonly statusCode: number = 500
  /** The value of `extra.code`. */
  static readonly code: string = 'AUTH_ERROR'
  /** The public sentence. */
  static readonly detail: string = 'Authentication error'
  /** Names of the properties that are part of `extra`. */
  static readonly publicFields: readonly string[] = []

  declare readonly statusCode: number
  declare readonly code: string

  constructor (options: AuthErrorOptions & Options = {} as Options) {
    const { message, detail = new.target.detail, code = new.target.code, headers, cause } = options
    super(message ?? detail, cause === undefined ? undefined : { cause })
    this.statusCode = new.target.statusCode
    this.code = code
    for (const [field, value] of Object.entries(options)) {
      if (value === undefined || RESERVED.has(field)) continue
      if (field in this) define(this, field, value, true)
      else (this as Record<string, unknown>)[field] = value
    }
    if (detail !== new.target.detail) this.detail = detail
    if (headers !== undefined) define(this, 'ownHeaders', headers, false)
  }

  override get name (): string {
    return this.constructor.name
  }

  /** The public sentence: that of the class, unless the constructor was given another. */
  get detail (): string {
    return (this.constructor as unknown as AuthErrorClass).detail
  }

  set detail (detail: string) {
    define(this, 'detail', detail, false)
  }

  /** What goes out besides status and detail: the code and the public fields that hold anything. */
  get extra (): AuthErrorBody['extra'] {
    const extra: AuthErrorBody['extra'] = { code: this.code }
    for (const field of (this.constructor as unknown as AuthErrorClass).publicFields) {
      const value = (this as unknown as Record<string, unknown>)[field]
      if (value !== undefined && !isEmptyList(value)) extra[snakeCase(field)] = value
    }
    return extra
  }

  /** Response headers in lower case: those of the class, then those given to the constructor. */
  get headers (): Record<string, string> {
    const headers: Record<string, string> = { 'cache-control': 'no-store', ...this.classHeaders() }
    const own = (this as { ownHeaders?: Record<string, string> }).ownHeaders
    if (own !== undefined) {
      for (const [name, value] of Object.entries(own)) headers[name.toLowerCase()] = value
    }
    return headers
  }

  /** The status under the name it has in the body, for serializers that read the error itself. */
  get status_code (): number {
    return this.statusCode
  }

  /** The fields that stay on the server, fit for a structured log. */
  context (): Record<string, unknown> {
    const { publicFields } = this.constructor as unknown as AuthErrorClass
    const context: Record<string, unknown> = {}
    for (const [field, value] of Object.entries(this)) {
      if (!RESERVED.has(field) && !publicFields.includes(field)) context[field] = value instanceof Set ? [...value] : value
    }
    return context
  }

  /** The public body, and nothing else: what `JSON.stringify` prints. */
  toJSON (): AuthErrorBody {
    return { status_code: this.statusCode, detail: this.detail, extra: this.extra }
  }

  protected classHeaders (): Record<string, string> {
    return {}
  }
}

/** Gives an error one more header, or another value of one. */
export function setHeader (error: AuthError, name: string, value: string): void {
  define(error, 'ownHeaders', { ...(error as { ownHeaders?: Record<string, string> }).ownHeaders, [name]: value }, false)
}

function define (error: object, name: string, value: unknown, enumerable: boolean): void {
  Object.defineProperty(error, name, { value, enumerable, writable: true, configurable: true })
}

function isEmptyList (value: unknown): boolean {
  return Array.isArray(value) && value.length === 0
}

/** `retryAfter` as it is written in a body: `retry_after`. */
export function snakeCase (name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

/** Seconds for a `Retry-After` header: whole, never negative (RFC 9110, section 10.2.3). */
export function wholeSeconds (seconds: number): number {
  return Number.isFinite(seconds) ? Math.max(0, Math.ceil(seconds)) : 1
}

/**
 * Runs `make` without collecting stack traces. A refusal's stack tells an
 * operator nothing, and collecting it costs more than the check that refused.
 */
export function withoutStack<Result> (make: () => Result): Result {
  const limit = Error.stackTraceLimit
  // Reflect.set, because frozen intrinsics make the plain assignment throw.
  Reflect.set(Error, 'stackTraceLimit', 0)
  try {
    return make()
  } finally {
    Reflect.set(Error, 'stackTraceLimit', limit)
  }
}
