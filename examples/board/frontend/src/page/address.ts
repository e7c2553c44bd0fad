import { useSyncExternalStore, type MouseEvent } from 'react'

/** The address of a board's page. */
export function boardPath(boardId: string): string {
  return `/boards/${boardId}`
}

/** The board that the page's address names. */
export function useBoardId(): string | undefined {
  const path = useSyncExternalStore(subscribe, () => location.pathname)
  return /^\/boards\/(\d+)$/.exec(path)?.[1]
}

/** Goes to an address without loading the page. */
export function navigate(path: string, how: 'push' | 'replace' = 'push'): void {
  if (how === 'push') history.pushState(null, '', path)
  else history.replaceState(null, '', path)
  window.dispatchEvent(new PopStateEvent('popstate'))
}

/** Makes a link navigate, unless it is to be opened elsewhere. */
export function follow(event: MouseEvent<HTMLAnchorElement>): void {
  if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
  event.preventDefault()
  navigate(event.currentTarget.pathname)
}

function subscribe(listener: () => void): () => void {
  window.addEventListener('popstate', listener)
  return () => {
    window.removeEventListener('popstate', listener)
  }
}
