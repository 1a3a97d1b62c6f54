import t from 'tap'
import { readFileSync } from 'node:fs'
import { parseDocument } from 'yaml'
import { readServerSettings } from '../../examples/settings.js'

const text = readFileSync(new URL('../../compose.yaml', import.meta.url), 'utf8')
const file = parseDocument(text, { strict: true, uniqueKeys: true })

interface Service {
  image: string
  environment?: Record<string, string>
  ports: string[]
  volumes?: string[]
  healthcheck: { test: string[], interval: string, timeout: string, retries: number }
}

const { services, volumes } = file.toJS() as { services: Record<string, Service>, volumes: Record<string, unknown> }

t.test('compose.yaml is YAML without faults', async (t) => {
  t.strictSame([...file.errors, ...file.warnings], [])
  t.strictSame(Object.keys(file.toJS()), ['services', 'volumes'])
  t.strictSame(Object.keys(services), ['postgres', 'redis'])
})

t.test('services are reached from this machine only, on their usual ports, and say when they are ready', async (t) => {
  const ports = { postgres: 5432, redis: 6379 }
  for (const [name, { image, ports: published, healthcheck }] of Object.entries(services)) {
    const port = ports[name as keyof typeof ports]
    t.match(image, /^\w+:\d+$/, `${name}: one version`)
    t.strictSame(published, [`127.0.0.1:${port}:${port}`])
    t.equal(healthcheck.test[0], 'CMD')
    for (const time of [healthcheck.interval, healthcheck.timeout]) t.match(time, /^\d+s$/)
    t.ok(Number.isInteger(healthcheck.retries))
  }
})

t.test('every volume that is used is declared', async (t) => {
  const used = Object.values(services).flatMap((service) => service.volumes ?? []).map((volume) => volume.split(':')[0])
  t.strictSame(used, Object.keys(volumes))
})

t.test('the two variables in its comment are those that the services are made with, and that the example server takes', async (t) => {
  const [, DATABASE_URL = '', REDIS_URL = ''] = /^# {3}DATABASE_URL=(\S+) REDIS_URL=(\S+) npm start$/m.exec(text) ?? []
  const { username, password, host, pathname } = new URL(DATABASE_URL)
  t.strictSame({ POSTGRES_USER: username, POSTGRES_PASSWORD: password, POSTGRES_DB: pathname.slice(1) }, services.postgres?.environment)
  t.equal(host, '127.0.0.1:5432')
  t.equal(new URL(REDIS_URL).host, '127.0.0.1:6379')
  const settings = readServerSettings({ DATABASE_URL, REDIS_URL })
  t.equal(settings.store.name, 'postgresql')
  t.equal(settings.ephemeralStore?.name, 'redis')
})
