import neostandard, { plugins, resolveIgnoresFromGitignore } from 'neostandard'

const typescript = plugins['typescript-eslint'].plugin

export default [
  ...neostandard({ ts: true, ignores: resolveIgnoresFromGitignore() }),
  {
    name: 'types',
    files: ['**/*.ts'],
    plugins: { '@typescript-eslint': typescript },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      // A constant and the type of its values share a name; tsc reports what is really declared twice.
      '@typescript-eslint/no-redeclare': 'off'
    }
  },
  {
    // A check that nobody awaits refuses nobody.
    name: 'no forgotten await',
    files: ['index.ts', 'lib/**/*.ts'],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      // Fastify's types say void for handlers whose promise it awaits: what such a handler returns is not looked at.
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { returns: false } }]
    }
  }
]
