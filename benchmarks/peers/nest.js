import 'reflect-metadata'
import { Controller, Get, Injectable, Module, UnauthorizedException, UseGuards } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { JwtModule, JwtService } from '@nestjs/jwt'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import { audience, body, issuer } from '../apps/claims.js'
import { complete, keyObject } from './keys.js'

/** Nest on Fastify, with the guard that its documentation shows (JwtService.verifyAsync). */
export async function start ({ key, algorithm }) {
  class AuthGuard {
    constructor (jwtService) { this.jwtService = jwtService }

    async canActivate (context) {
      const request = context.switchToHttp().getRequest()
      const [type, token] = request.headers.authorization?.split(' ') ?? []
      if (type !== 'Bearer' || !token) throw new UnauthorizedException()
      try {
        const payload = await this.jwtService.verifyAsync(token)
        if (!complete(payload)) throw new UnauthorizedException()
        request.user = payload
      } catch {
        throw new UnauthorizedException()
      }
      return true
    }
  }
  decorate(AuthGuard, Injectable(), Reflect.metadata('design:paramtypes', [JwtService]))

  class MeController {
    me () { return body }
  }
  decorateMethod(MeController, 'me', UseGuards(AuthGuard), Get('me'))
  decorate(MeController, Controller())

  const material = keyObject(key, algorithm)
  class AppModule {}
  decorate(AppModule, Module({
    imports: [JwtModule.register({
      ...(algorithm === 'HS256' ? { secret: material } : { publicKey: material }),
      verifyOptions: { algorithms: [algorithm], issuer, audience }
    })],
    controllers: [MeController]
  }))

  const app = await NestFactory.create(AppModule, new FastifyAdapter(), { logger: false })
  await app.listen(0, '127.0.0.1')
  return { port: app.getHttpServer().address().port, close: async () => { await app.close() } }
}

// Decorators written as calls: these files are not compiled.
function decorate (target, ...decorators) {
  Reflect.decorate(decorators, target)
}

function decorateMethod (target, name, ...decorators) {
  const descriptor = Object.getOwnPropertyDescriptor(target.prototype, name)
  Object.defineProperty(target.prototype, name, Reflect.decorate(decorators, target.prototype, name, descriptor) ?? descriptor)
}
