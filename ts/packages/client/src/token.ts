/** Why a token is asked for. */
export interface TokenRequest {
  /** The server refused the last one: fetch a new one instead of a stored one. */
  readonly rejected: boolean
}

/** Finds the token; nothing or `''` connects anonymously, or by cookie. */
export type GetToken = (request: TokenRequest) => Token | PromiseLike<Token>

type Token = string | null | undefined

const patience = 10_000

/** Asks for the token, `''` if there is none; `getToken` may throw, reject or hang, and the promise rejects in time. */
export async function fetchToken(getToken: GetToken, request: TokenRequest): Promise<string> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(reject, patience, new Error('no answer in time'))
  })
  try {
    return (await Promise.race([getToken(request), late])) ?? ''
  } finally {
    clearTimeout(timer)
  }
}
