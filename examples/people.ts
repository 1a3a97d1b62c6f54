/** Somebody the issuer makes tokens for. */
export interface Person {
  id: string
  name: string
  roles: string[]
  groups: string[]
  scope: string
}

export const ada: Person = { id: 'ada', name: 'Ada', roles: ['admin', 'billing'], groups: ['staff'], scope: 'reports:read' }
export const eddie: Person = { id: 'eddie', name: 'Eddie', roles: ['editor'], groups: ['staff'], scope: '' }
export const vera: Person = { id: 'vera', name: 'Vera', roles: ['viewer'], groups: [], scope: 'reports:read' }

export const people: readonly Person[] = [ada, eddie, vera]

export function findPerson (id: string): Person | undefined {
  return people.find((person) => person.id === id)
}
