import { PayloadTooLargeError, RequestInvalidError, UnsupportedMediaTypeError } from '../../errors/request.js'

/** What a route can answer before it runs, when its method may have a body: `errorResponses(..., ...REQUEST_ERRORS)`. */
export const REQUEST_ERRORS = [RequestInvalidError, PayloadTooLargeError, UnsupportedMediaTypeError] as const
