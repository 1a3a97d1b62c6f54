import { createHmac } from 'node:crypto'

/**
 * What an app client with a secret proves itself with: the HMAC-SHA-256 of user
 * name and client id, in base64 (Amazon Cognito Developer Guide, "Computing
 * secret hash values").
 */
export function secretHash (clientSecret: string, username: string, clientId: string): string {
  return createHmac('sha256', clientSecret).update(username + clientId).digest('base64')
}
