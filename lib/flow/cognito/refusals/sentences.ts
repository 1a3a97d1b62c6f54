// Of the password, in place of what Cognito says of it.

export const WEAK = 'Password does not meet the rules of the user pool'
export const USED_BEFORE = 'Password was used before'
