/** Hears of the page's coming and going. */
export interface PageEvents {
  /** The page is shown again, or the network is back: the connection may be dead. */
  readonly wake: () => void
  /** The page is going away, perhaps into the back/forward cache. */
  readonly hide: () => void
}

/** Listens where there is a page, and returns what ends it. */
export function followPage({ wake, hide }: PageEvents): () => void {
  if (typeof window === 'undefined' || typeof document === 'undefined') return () => undefined
  const shown = () => {
    if (document.visibilityState === 'visible') wake()
  }
  const controller = new AbortController()
  const { signal } = controller
  document.addEventListener('visibilitychange', shown, { signal })
  for (const event of ['pageshow', 'online']) window.addEventListener(event, wake, { signal })
  window.addEventListener('pagehide', hide, { signal })
  return () => {
    controller.abort()
  }
}
