/** Hears of the page's coming and going. */
export interface PageEvents {
  /** The page is shown again, or the network is back: the connection may be dead. */
  readonly wake: () => void
  /** The page is going away, perhaps into the back/forward cache. */
  readonly hide: () => void
}

/** Listens where there is a page, and returns what ends it. */
export function followPage({ wake, hide }: PageEvents): () => void {
  if (typeof document === 'undefined') return () => undefined
  const controller = new AbortController()
  const listen = (event: string, call: () => void) => {
    window.addEventListener(event, call, { signal: controller.signal })
  }
  listen('visibilitychange', () => {
    if (document.visibilityState === 'visible') wake()
  })
  listen('pageshow', wake)
  listen('online', wake)
  listen('pagehide', hide)
  return () => {
    controller.abort()
  }
}
