import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  AdminAddUserToGroupCommand, AdminCreateUserCommand, AdminSetUserPasswordCommand, CognitoIdentityProviderClient,
  CreateGroupCommand, CreateUserPoolClientCommand, CreateUserPoolCommand, type AttributeType
} from '@aws-sdk/client-cognito-identity-provider'
import type { Test } from 'tap'
import { withoutRunner } from '../store/outside.js'

/** A cognito-local with one pool, in a process of its own that ends with the test. */
export interface CognitoLocal {
  endpoint: string
  userPoolId: string
  clientId: string
  admin: CognitoIdentityProviderClient
  /** A user who can sign in; `temporary` ones must change the password first. */
  user (username: string, password: string, options?: { attributes?: AttributeType[], temporary?: boolean, groups?: string[] }): Promise<void>
}

/** Every code that cognito-local sends. */
export const SENT_CODE = '424242'

async function freePort (): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Starts it; `MfaConfiguration` is OPTIONAL. */
export async function cognitoLocal (t: Test): Promise<CognitoLocal> {
  const directory = await mkdtemp(join(tmpdir(), 'fastify-bouncer-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  const port = await freePort()
  const endpoint = `http://127.0.0.1:${port}`
  const program = createRequire(import.meta.url).resolve('cognito-local/lib/bin/start.js')
  const child = spawn(process.execPath, [program], {
    cwd: directory,
    env: { ...withoutRunner(), HOST: '127.0.0.1', PORT: String(port), CODE: SENT_CODE },
    stdio: 'ignore'
  })
  t.teardown(async () => {
    const exit = once(child, 'exit')
    child.kill()
    await exit
  })
  while (!await fetch(`${endpoint}/health`).then(({ ok }) => ok, () => false)) {
    if (child.exitCode !== null) throw new Error(`cognito-local ended with ${child.exitCode}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }

  const admin = new CognitoIdentityProviderClient({ region: 'local', endpoint, credentials: { accessKeyId: 'local', secretAccessKey: 'local' } })
  t.teardown(() => admin.destroy())
  const { UserPool: pool } = await admin.send(new CreateUserPoolCommand({ PoolName: 'test', MfaConfiguration: 'OPTIONAL' }))
  const userPoolId = pool?.Id as string
  const { UserPoolClient: client } = await admin.send(new CreateUserPoolClientCommand({ UserPoolId: userPoolId, ClientName: 'test' }))

  return {
    endpoint,
    userPoolId,
    clientId: client?.ClientId as string,
    admin,
    async user (username, password, { attributes = [], temporary = false, groups = [] } = {}) {
      await admin.send(new AdminCreateUserCommand({ UserPoolId: userPoolId, Username: username, TemporaryPassword: password, UserAttributes: attributes, MessageAction: 'SUPPRESS' }))
      if (!temporary) await admin.send(new AdminSetUserPasswordCommand({ UserPoolId: userPoolId, Username: username, Password: password, Permanent: true }))
      for (const group of groups) {
        await admin.send(new CreateGroupCommand({ UserPoolId: userPoolId, GroupName: group }))
        await admin.send(new AdminAddUserToGroupCommand({ UserPoolId: userPoolId, Username: username, GroupName: group }))
      }
    }
  }
}
