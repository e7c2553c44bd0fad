import { useAction, useChannelState, useConnection } from '@pando-sync/react'
// Of the release that the page is built for: see vite.config.mjs.
import { ShelfChannel } from './live/main.channels.js'

const channel = ShelfChannel.with({ shelfId: 1 })

/** Shows all that it is told, whatever fields the release has. */
export function Page() {
  const connection = useConnection()
  const { state, status, stale, error, retry } = useChannelState(channel)
  const rename = useAction(channel, (actions) => actions.rename)
  return (
    <main>
      <p role="status">{`${connection}, ${stale ? 'stale' : status}`}</p>
      {error && (
        <p role="alert">
          <span>{`${error.code}: ${error.message}`}</span>
          <button onClick={retry}>Retry</button>
          <button onClick={() => { location.reload() }}>Reload</button>
        </p>
      )}
      {state && <h1>{state.name}</h1>}
      <ul>{state?.books.map((book) => <li key={book.id}>{Object.entries(book).join(' ')}</li>)}</ul>
      <input aria-label="Draft" />
      <button disabled={rename.pending} onClick={() => void rename.run('Classics')}>Rename</button>
      {rename.error && <output>{rename.error.message}</output>}
    </main>
  )
}
