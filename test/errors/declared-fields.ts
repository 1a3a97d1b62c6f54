import { fileURLToPath } from 'node:url'
import ts from 'typescript'

/** The fields of one class, as its declaration has them. */
export interface DeclaredFields {
  /** Names of the public properties of an instance. */
  properties: Set<string>
  /** Names that the constructor's argument cannot be without. */
  required: Set<string>
}

const file = fileURLToPath(new URL('../../lib/errors.ts', import.meta.url))

/** What TypeScript knows of the classes that lib/errors.ts exports, by class name. */
export function declaredFields (): Map<string, DeclaredFields> {
  const program = ts.createProgram([file], { strict: true, target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext, types: ['node'] })
  const checker = program.getTypeChecker()
  const source = program.getSourceFile(file) as ts.SourceFile
  const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(source) as ts.Symbol)
    .map((symbol) => symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol)
  return new Map(exported.filter((symbol) => symbol.flags & ts.SymbolFlags.Class).map((symbol) => {
    const isPublic = (property: ts.Symbol): boolean => (ts.getCombinedModifierFlags(property.valueDeclaration as ts.Declaration) & ts.ModifierFlags.NonPublicAccessibilityModifier) === 0
    const [argument] = checker.getTypeOfSymbolAtLocation(symbol, source).getConstructSignatures()[0]?.parameters ?? []
    const fields = argument === undefined ? [] : checker.getTypeOfSymbolAtLocation(argument, source).getProperties()
    return [symbol.name, {
      properties: new Set(checker.getDeclaredTypeOfSymbol(symbol).getProperties().filter(isPublic).map(({ name }) => name)),
      required: new Set(fields.filter((field) => (field.flags & ts.SymbolFlags.Optional) === 0).map(({ name }) => name))
    }]
  }))
}
