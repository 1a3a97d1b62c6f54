/** Strings that mean something to SQL, to Lua, to JSON or to JavaScript, and must mean nothing here. */
export const odd: readonly string[] = [
  "o'brien", 'say "hi"', '`tick`', "'; drop table bouncer_users; --", "' or '1'='1", '%_\\', '\\', '\\x00', '$1 ? :a @b', '$' + '{x}', '{{x}}',
  'naïve ☃ 🏳️‍🌈', '日本語', 'ß ı', '\u202eevil', '\u0001', 'a\tb\r\nc', ' ', '  padded  ', 'null', 'undefined', 'true', '0', '-1', 'NaN', '1e3',
  '{"a":1}', '[]', 'nil', '*', 'sha256:abc', '🙂'.repeat(40),
  '__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', '__defineGetter__'
]

/** Texts that nothing is found for, and that break nothing. */
export const impossible: readonly string[] = ['', '\0', 'a\0b', '\ud800', 'x'.repeat(1_000_000), "'".repeat(10_000)]
