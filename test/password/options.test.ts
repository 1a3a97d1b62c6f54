import t from 'tap'
import { ConfigurationError } from '../../lib/errors.js'
import { HASH_KINDS } from '../../lib/password/hasher.js'
import { readPasswordOptions, type PasswordOptions } from '../../lib/password/options.js'
import { createPasswords } from '../../lib/password/passwords.js'

const CORES = 8
const read = (options: unknown) => readPasswordOptions(options as PasswordOptions, CORES)

t.test('defaults', async (t) => {
  const { policy, hasher, accepted, ...queue } = read({})
  t.strictSame(policy, { minLength: 8, maxLength: 128, common: true, numeric: true, similarity: 0.7, uppercase: false, lowercase: false, digit: false, symbol: false, rules: [] })
  t.equal(hasher.kind, 'argon2id')
  t.match(await hasher.hash('x'), /^\$argon2id\$v=19\$m=65536,t=3,p=4\$/)
  t.strictSame([...accepted].sort(), [...HASH_KINDS].sort())
  t.strictSame(queue, { concurrency: 3, queueLimit: 128 })
})

t.test('every option arrives', async (t) => {
  const rules = [() => undefined]
  const given = { minLength: 12, maxLength: 64, common: false, numeric: false, similarity: false, uppercase: true, lowercase: true, digit: true, symbol: true } as const
  const settings = read({ ...given, rules, accept: ['bcrypt'], hasher: 'scrypt', concurrency: 7, queueLimit: 9 })
  t.strictSame(settings.policy, { ...given, rules })
  t.strictSame([...settings.accepted], ['bcrypt', 'scrypt'], 'its own hashes always verify')
  t.equal(settings.concurrency, 7)
  t.equal(settings.queueLimit, 9)
  t.strictSame([...read({ accept: [] }).accepted], ['argon2id'])
})

t.test('each hasher with its parameters', async (t) => {
  t.match(await read({ hasher: 'scrypt' }).hasher.hash('x'), /^\$scrypt\$ln=17,r=8,p=1\$/)
  t.match(await read({ hasher: 'scrypt', scrypt: { cost: 2 ** 14, parallelization: 5 } }).hasher.hash('x'), /^\$scrypt\$ln=14,r=8,p=5\$/)
  t.match(await read({ hasher: 'scrypt', scrypt: { cost: 2 ** 13, blockSize: 9, parallelization: 10 } }).hasher.hash('x'), /^\$scrypt\$ln=13,r=9,p=10\$/)
  t.match(await read({ hasher: 'pbkdf2' }).hasher.hash('x'), /^\$pbkdf2-sha256\$600000\$/)
  t.match(await read({ hasher: 'pbkdf2', pbkdf2: { iterations: 700_000 } }).hasher.hash('x'), /^\$pbkdf2-sha256\$700000\$/)
  t.match(await read({ hasher: 'pbkdf2', pbkdf2: {} }).hasher.hash('x'), /^\$pbkdf2-sha256\$600000\$/)
  t.match(await read({ argon2id: { timeCost: 2, memoryCost: 19_456, parallelism: 1 } }).hasher.hash('x'), /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  t.match(await read({ hasher: 'argon2id', argon2id: { parallelism: 1 } }).hasher.hash('x'), /^\$argon2id\$v=19\$m=65536,t=3,p=1\$/)
})

t.test('how many hashes at once leaves a core, and a thread of libuv, to everything else', async (t) => {
  const concurrency = (options: PasswordOptions, cores: number) => readPasswordOptions(options, cores).concurrency
  for (const [cores, expected] of [[1, 1], [2, 1], [3, 2], [4, 3], [64, 3]] as const) {
    t.equal(concurrency({}, cores), expected, `${cores} cores`)
    t.equal(concurrency({ hasher: 'scrypt' }, cores), expected, `scrypt, ${cores} cores`)
  }
})

t.test('what cannot be meant is refused, by name and with a remedy', async (t) => {
  const refused: Array<[options: unknown, option: string, message: RegExp]> = [
    [null, 'passwords', /must be an object/],
    [[], 'passwords', /must be an object/],
    ['argon2id', 'passwords', /must be an object/],
    [{ minimumLength: 8 }, 'passwords.minimumLength', /is not an option of fastify-bouncer; the README lists those there are\.$/],
    [{ minLength: 5 }, 'passwords.minLength', /must be a whole number from 6 to 4096/],
    [{ minLength: 8.5 }, 'passwords.minLength', /whole number/],
    [{ minLength: '8' }, 'passwords.minLength', /whole number/],
    [{ minLength: NaN }, 'passwords.minLength', /whole number/],
    [{ maxLength: 4097 }, 'passwords.maxLength', /from 6 to 4096/],
    [{ maxLength: Infinity }, 'passwords.maxLength', /from 6 to 4096/],
    [{ maxLength: 7 }, 'passwords.minLength', /must not be above maxLength, which is 7/],
    [{ minLength: 20, maxLength: 19 }, 'passwords.minLength', /must not be above maxLength, which is 19/],
    ...['common', 'numeric', 'uppercase', 'lowercase', 'digit', 'symbol'].map((name): [unknown, string, RegExp] => [{ [name]: 1 }, `passwords.${name}`, /must be true or false/]),
    [{ similarity: true }, 'passwords.similarity', /must be false, or a number from 0\.1 to 1/],
    [{ similarity: 0 }, 'passwords.similarity', /from 0\.1 to 1/],
    [{ similarity: 1.1 }, 'passwords.similarity', /from 0\.1 to 1/],
    [{ rules: () => undefined }, 'passwords.rules', /must be a list of functions/],
    [{ rules: ['x'] }, 'passwords.rules.0', /must be a function/],
    [{ hasher: 'bcrypt' }, 'passwords.hasher', /must be one of argon2id, scrypt, pbkdf2/],
    [{ hasher: 'argon2id', scrypt: {} }, 'passwords.scrypt', /is for hasher: 'scrypt', and the hasher is argon2id; leave it out/],
    [{ hasher: 'scrypt', argon2id: {} }, 'passwords.argon2id', /leave it out/],
    [{ pbkdf2: { iterations: 600_000 } }, 'passwords.pbkdf2', /leave it out/],
    [{ argon2id: { memory: 65_536 } }, 'passwords.argon2id.memory', /is not an option/],
    [{ argon2id: 65_536 }, 'passwords.argon2id', /must be \{ timeCost, memoryCost, parallelism \}/],
    [{ argon2id: { memoryCost: 12_287 } }, 'passwords.argon2id.memoryCost', /must be at least 12288 KiB with timeCost 3/],
    [{ argon2id: { timeCost: 1, memoryCost: 47_103 } }, 'passwords.argon2id.memoryCost', /at least 47104 KiB with timeCost 1/],
    [{ argon2id: { timeCost: 2, memoryCost: 19_455 } }, 'passwords.argon2id.memoryCost', /at least 19456 KiB with timeCost 2/],
    [{ argon2id: { timeCost: 4, memoryCost: 9_215 } }, 'passwords.argon2id.memoryCost', /at least 9216 KiB with timeCost 4/],
    [{ argon2id: { timeCost: 9, memoryCost: 7_167 } }, 'passwords.argon2id.memoryCost', /from 7168 to 1048576/],
    [{ argon2id: { timeCost: 5, memoryCost: 1_048_576 } }, 'passwords.argon2id.memoryCost', /at most 838860 KiB with timeCost 5/],
    [{ argon2id: { timeCost: 0 } }, 'passwords.argon2id.timeCost', /from 1 to 64/],
    [{ argon2id: { parallelism: 65 } }, 'passwords.argon2id.parallelism', /from 1 to 64/],
    [{ hasher: 'scrypt', scrypt: { cost: 2 ** 16 } }, 'passwords.scrypt.cost', /must be at least 131072 with parallelization 1/],
    [{ hasher: 'scrypt', scrypt: { cost: 2 ** 13, parallelization: 9 } }, 'passwords.scrypt.cost', /at least 16384 with parallelization 9/],
    [{ hasher: 'scrypt', scrypt: { cost: 2 ** 17 + 1 } }, 'passwords.scrypt.cost', /must be a power of two/],
    [{ hasher: 'scrypt', scrypt: { cost: 2 ** 19, blockSize: 16 } }, 'passwords.scrypt.cost', /must be at most 4194304, multiplied by blockSize and parallelization/],
    [{ hasher: 'scrypt', scrypt: { blockSize: 7 } }, 'passwords.scrypt.blockSize', /from 8 to 32/],
    [{ hasher: 'pbkdf2', pbkdf2: { iterations: 599_999 } }, 'passwords.pbkdf2.iterations', /from 600000 to 5000000/],
    [{ accept: 'bcrypt' }, 'passwords.accept', /must be a list of argon2id, argon2i, argon2d, scrypt, pbkdf2, bcrypt/],
    [{ accept: ['md5'] }, 'passwords.accept.0', /must be one of argon2id/],
    [{ concurrency: 0 }, 'passwords.concurrency', /from 1 to 64/],
    [{ queueLimit: 0 }, 'passwords.queueLimit', /from 1 to 10000/]
  ]
  for (const [options, option, message] of refused) {
    for (const run of [() => read(options), () => createPasswords(options as PasswordOptions)]) {
      try {
        run()
        t.fail(`${option} is accepted`)
      } catch (error) {
        t.ok(error instanceof ConfigurationError)
        t.match(error, { option, message, statusCode: 500, code: 'CONFIGURATION_ERROR' }, option)
        t.ok((error as Error).message.startsWith(`${option} `))
      }
    }
  }
})

t.test('what is undefined is left at its default', async (t) => {
  t.equal(read({ minLength: undefined, argon2id: undefined }).policy.minLength, 8)
  t.match(await read({ argon2id: { memoryCost: undefined } }).hasher.hash('x'), /m=65536/)
})

t.test('what nobody wrote does not come from a prototype', async (t) => {
  t.equal(read(Object.create({ minLength: 6 })).policy.minLength, 8)
})
