/** A hash that another library made, and the password it made it of. */
export interface ForeignHash {
  by: string
  kind: 'argon2id' | 'argon2i' | 'argon2d' | 'scrypt' | 'pbkdf2' | 'bcrypt'
  password: string
  hash: string
}

const plain = 'correct horse battery staple'
/** As it was typed: an a with a combining ring, a trade mark sign, an emoji. In NFKC it is another text. */
export const typed = 'Pa\u0301ssw\u00f6rd\u2122 \u{1f511}'
/** Its byte 72 is the first half of a character. */
export const long = `${'x'.repeat(71)}\u00e9tail that bcrypt does not read`

// Made with Python 3.11 by the libraries named: argon2-cffi 25.1, passlib 1.7.4,
// Django 5.2.17 (each hasher's encode(), cheaper by its class attributes) and
// bcrypt 5.0, which refuses more than 72 bytes: the hash of an earlier one was made
// of password.encode()[:72], which is what it did. For instance:
//
//   argon2.PasswordHasher(time_cost=2, memory_cost=1024, parallelism=2, type=Type.I).hash(plain)
//   passlib.hash.scrypt.using(rounds=10).hash(plain)
//   hasher = PBKDF2PasswordHasher(); hasher.iterations = 1000; hasher.encode(plain, hasher.salt())
//   bcrypt.hashpw(plain.encode(), bcrypt.gensalt(4, prefix=b'2a'))
//
// Those of tortoise-auth and auth-middleware are what their code computes:
// hashlib.pbkdf2_hmac('sha256', password, salt, iterations), in base64 or hexadecimal.
export const foreignHashes: readonly ForeignHash[] = [
  { by: 'argon2-cffi, argon2id', kind: 'argon2id', password: plain, hash: '$argon2id$v=19$m=1024,t=2,p=2$X2ekmvFdNrHCXJ6JMTohZA$d7rhAZpvicL+pMRhyiSW20t2VKJ9CC3T28Iw4cnqxDc' },
  { by: 'argon2-cffi, argon2i', kind: 'argon2i', password: plain, hash: '$argon2i$v=19$m=1024,t=2,p=2$GN01rfZ3DtWDHECtr1VMLA$1ARKsbjkpH9Uu+WlkSaop+T2o8MPiioWmHq+H0772L8' },
  { by: 'argon2-cffi, argon2d', kind: 'argon2d', password: plain, hash: '$argon2d$v=19$m=1024,t=2,p=2$6xTHNCg7b45PyWqIlzlkXQ$W29J9iBgQ9VMDy1Cz/IMgQjAQIPcWwxQFM/oU4F885s' },
  { by: 'argon2-cffi, its defaults', kind: 'argon2id', password: plain, hash: '$argon2id$v=19$m=65536,t=3,p=4$wyJYQPmGVa5/qCojGW7P6g$PvYxUTjFYAwIOhck493aoU8Sxcyov6nJAucKnStGCHk' },
  { by: 'argon2-cffi, not NFKC', kind: 'argon2id', password: typed, hash: '$argon2id$v=19$m=64,t=1,p=1$kk/JNSjDS58HVdDt8ZubEQ$sd6KCVhVpsy9Vt57cCJGvPdeefRxIdBst+qdYT5r+mg' },
  { by: 'argon2-cffi, hash of 16 bytes, salt of 8', kind: 'argon2id', password: plain, hash: '$argon2id$v=19$m=64,t=1,p=1$AtzGceOJIWI$1VgrrPuBXl6D+TMeIOoEMw' },
  { by: 'argon2-cffi, version 16', kind: 'argon2id', password: plain, hash: '$argon2id$v=16$m=256,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$7lfT0/j6yAYZtF/bUb0iiy5QFrrWCMXTLPC83sLuOD8' },
  { by: 'argon2-cffi, version 16, not named', kind: 'argon2id', password: plain, hash: '$argon2id$m=256,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$7lfT0/j6yAYZtF/bUb0iiy5QFrrWCMXTLPC83sLuOD8' },
  { by: 'passlib, argon2i', kind: 'argon2i', password: plain, hash: '$argon2i$v=19$m=512,t=2,p=2$hBCi9D5nzPkfA8CYs1bqvQ$iSCvtx/1bKWL2TMyENUiOdCaybJ2/iLVxr3rjh2vpCc' },
  { by: 'passlib, argon2d', kind: 'argon2d', password: plain, hash: '$argon2d$v=19$m=512,t=2,p=2$pPR+j9G6V0ppbc15T0kp5Q$PJOGp93rb8O/I7h8Vc1UA7zJPnoka1LgDXc7n++7A3k' },
  { by: 'passlib, argon2id', kind: 'argon2id', password: plain, hash: '$argon2id$v=19$m=512,t=2,p=2$8r6XEgIgpPT+X2vN2VuL0Q$meWvIjWfqDiarvriqXoYAx/TptbqP6YZ0RWwylWq0tY' },
  { by: 'Django, argon2', kind: 'argon2id', password: plain, hash: 'argon2$argon2id$v=19$m=512,t=2,p=8$SWtsNzFBOVFmdE9kQ1JQRXBkbnprUA$pmJinFnaO3/KMXdK89V6wg7QdapQ88Ucq6hVkx53oB8' },
  { by: 'Django, argon2i (as before Django 3.2)', kind: 'argon2i', password: plain, hash: 'argon2$argon2i$v=19$m=512,t=2,p=8$T05MRURNMUZCUDFxREhVYnlLOVhROA$FZcRssZ2l9W7Eb6qHi1SWJleZwWMoQLH/DsrLgjObdI' },
  { by: 'Django, PBKDF2, its defaults', kind: 'pbkdf2', password: plain, hash: 'pbkdf2_sha256$1000000$YZZDMCGzNXKfhDcH7xxKMZ$UV29+b9nhWiOi+2+XJDwIcvWUwA86GHlryWOnhA6SWY=' },
  { by: 'Django, PBKDF2, salt of 22', kind: 'pbkdf2', password: typed, hash: 'pbkdf2_sha256$1000$bEzMnScYJWWOzzXr95rJUP$571jb8NEhQmhuFyW9cuQthA8+kh45DjmsL0I3pJ0If4=' },
  { by: 'Django, PBKDF2, salt of 12, which is base64 too', kind: 'pbkdf2', password: plain, hash: 'pbkdf2_sha256$1000$seasaltYd8K2$crt2MjegbWryl2tBeaXc4mobJ+31IQbR+R9VGsIpCkg=' },
  { by: 'Django, PBKDF2, salt that is no ASCII', kind: 'pbkdf2', password: plain, hash: 'pbkdf2_sha256$1000$s\xe4\xe4lt$RbsqFWaB5Y6qH0NDiZOfRW+j+4wWnbSknq0tjSrDqBw=' },
  { by: 'Django, PBKDF2-SHA1', kind: 'pbkdf2', password: plain, hash: 'pbkdf2_sha1$1000$6mubvFK9jf7yebeLIaOxTM$lThqtjarIALLGx7SpJ5viq0wmIg=' },
  { by: 'Django, bcrypt_sha256', kind: 'bcrypt', password: long, hash: 'bcrypt_sha256$$2b$04$LAqiTGkshtmuTx2dWejmg.8kNRRguo7LCy5FU6tKbPHO0uEZojF3.' },
  { by: 'Django, bcrypt', kind: 'bcrypt', password: plain, hash: 'bcrypt$$2b$04$.JvyRxROlYNywcrp4hSpBuWt0o5cUXeiEA3TfVZkJEopLVakLnwWC' },
  { by: 'Django, scrypt', kind: 'scrypt', password: plain, hash: 'scrypt$1024$ZlqRV2Tks1oEekTJsG7Dy4$8$5$ZZSNFbf9WboTs8Z5V9ahts+xvo8aZOnRh8jyrql9jPjJNPbLqNxL29QXNKLBrk5uZ9BHsZivx4w+ZUsAf+Xm1w==' },
  { by: 'Django, scrypt, its defaults', kind: 'scrypt', password: plain, hash: 'scrypt$16384$rswYdWA5dmvR70KBfCz4Rn$8$5$IZ7HZQadAOfhInxNXhhLEkhzRUtz24u5dAYtDkd3qYGlxju6XTCrpM99CS7R1WTjOMXWPT4wi1im8hCPJ5wo6Q==' },
  { by: 'passlib, PBKDF2-SHA256', kind: 'pbkdf2', password: plain, hash: '$pbkdf2-sha256$1000$9b5XipHS2rt3bq01hjAmRA$4rtxYXopyCjIZVVhYv3nPPCzhYX4a9e2TncpAwjySRA' },
  { by: 'passlib, PBKDF2-SHA256, its defaults', kind: 'pbkdf2', password: typed, hash: '$pbkdf2-sha256$29000$4Nz7/19LyfkfQ2htzZnT2g$G742z2HZUGgZ9Y52Lrf6Aq1TZu0QncJNPEVoEkXVa8Y' },
  { by: 'passlib, PBKDF2-SHA512', kind: 'pbkdf2', password: plain, hash: '$pbkdf2-sha512$1000$XQtByNkbYywlROg9J0SIkQ$mj0DPxVKEU6xiosM5VAPZ2woaS6tkego5T4AIIWzOhTCRok5ssIXuGqiP3Wro2X1gKA5GOdldRb/GIoMB15Q6g' },
  { by: 'passlib, PBKDF2-SHA1', kind: 'pbkdf2', password: plain, hash: '$pbkdf2$1000$BuC8txbiHIMQgvB.zzkHoA$O4F1rBWAVlouTYaabadI6jGS368' },
  { by: 'passlib, scrypt', kind: 'scrypt', password: plain, hash: '$scrypt$ln=10,r=8,p=1$+783htA6J0RIiRECQKjVGg$+ZrXfe4AMVeMjsTifXJ5FkorZYtT7qP3KJ0HGoZuU5M' },
  { by: 'passlib, scrypt, its defaults', kind: 'scrypt', password: typed, hash: '$scrypt$ln=16,r=8,p=1$P0eo9X4vxXhvDeF8r/U+hw$2xhxw+H/f4NXWTNPbC7Hzn8D3haXb7euJMzkk58vWmE' },
  { by: 'bcrypt, 2b', kind: 'bcrypt', password: typed, hash: '$2b$04$nxZbmbDQD0G7BBX4L7nVVuDRriDDFFo1Kk6BwqWiB3QwW/MBVLy0C' },
  { by: 'bcrypt, 2a', kind: 'bcrypt', password: plain, hash: '$2a$04$hgVMCxnsyXsiuGyQ1FhoGuSjledFNv6Vw9Dpu5jdvVeei.yp9e/8O' },
  { by: 'bcrypt, 2y', kind: 'bcrypt', password: plain, hash: '$2y$04$rF3q1fZfe/8MVWQ1ksHaq.u27YjpVqKQJmgFXXbtoHHyExKRP6.2C' },
  { by: 'bcrypt, 2x', kind: 'bcrypt', password: plain, hash: '$2x$04$FUFk91.FovhA944sDmdpa..A9l8dLLTV8uSmNl3/in7CmXnMNwcBK' },
  { by: 'bcrypt before 5.0, which cut at 72 bytes', kind: 'bcrypt', password: long, hash: '$2b$04$nQeMTOG3aO/52fmtENujcuMrXhf/QgbzvCSVPWfKU8QD9u.splfHy' },
  { by: 'tortoise-auth', kind: 'pbkdf2', password: 'password123', hash: 'pbkdf2_sha256$1000$MDEyMzQ1Njc4OWFiY2RlZg==$7pIPI0sitcuV3BHuAXKxYp05t2Lr7TsZ1RJt6Uxah+U=' },
  { by: 'tortoise-auth, its defaults', kind: 'pbkdf2', password: 'password123', hash: 'pbkdf2_sha256$600000$MDEyMzQ1Njc4OWFiY2RlZg==$DIyUdHDL1drnXYResvIpN69vSoFh7ZAP3jVLweQVunE=' },
  { by: 'auth-middleware', kind: 'pbkdf2', password: 's3cret', hash: 'pbkdf2_sha256$1000$30313233343536373839616263646566$3f3d2ce073cef93c879f24f1211f0bc7e7c46688dcdcb736e834247f864e5829' }
]
