/** Why a token is asked for. */
export interface TokenRequest {
  /** The server refused the last one: fetch a new one instead of a stored one. */
  readonly rejected: boolean
}

/** Finds the token; nothing or `''` connects anonymously, or by cookie. */
export type GetToken = (request: TokenRequest) => Token | PromiseLike<Token>

type Token = string | null | undefined

const patience = 10_000

/** Calls back once, with the token or with why there is none; `getToken` may throw, reject or hang. */
export function fetchToken(
  getToken: GetToken,
  request: TokenRequest,
  done: (result: { readonly token: string } | { readonly error: unknown }) => void,
): void {
  let answer: typeof done | undefined = done
  const settle: typeof done = (result) => {
    clearTimeout(timer)
    answer?.(result)
    answer = undefined
  }
  const timer = setTimeout(() => {
    settle({ error: new Error(`getToken did not answer within ${patience / 1000} s`) })
  }, patience)
  new Promise<Token>((resolve) => {
    resolve(getToken(request))
  }).then(
    (token) => {
      settle({ token: token ?? '' })
    },
    (error: unknown) => {
      settle({ error })
    },
  )
}
