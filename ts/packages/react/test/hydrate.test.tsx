import { createClient } from '@pando-sync/client'
import { dehydrate, hydrate } from '@pando-sync/client/hydrate'
import { act } from '@testing-library/react'
import { StrictMode, Suspense, use, type ReactNode } from 'react'
import { hydrateRoot, type Root } from 'react-dom/client'
import { renderToString } from 'react-dom/server'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { BoardChannel } from '../../client/test/board.js'
import { FakeServer, boardSnapshot } from '../../client/test/fake-server.js'
import { PandoProvider, useChannelInstance, useChannelState, useIds, useRuntimeState } from '../src/index.js'
import { useChannelState as useLiveState } from '../src/suspense.js'
import { pages, settle, type Page } from './harness.js'

const page = pages()
const board = BoardChannel.with({ boardId: 1 })
const complain = vi.fn<(error: unknown) => void>()

let root: Root | undefined
let container: HTMLElement

beforeEach(() => {
  complain.mockClear()
  vi.spyOn(console, 'error').mockImplementation(complain)
  container = document.createElement('div')
  document.body.append(container)
})
afterEach(async () => {
  await act(async () => {
    root?.unmount()
    root = undefined
    await settle()
  })
  container.remove()
  vi.restoreAllMocks()
})

/** What a server sends: the HTML, and what the browser goes on from. */
function onServer(children: ReactNode) {
  const server = new FakeServer()
  const client = createClient({ url: 'ws://test/ws', WebSocket: server.WebSocket })
  client.get(board).subscribe(() => undefined)
  server.welcome()
  server.open('#4', boardSnapshot)
  server.socket.say('s1', { type: 'runtime', set: { viewers: 2 } })
  const { document } = globalThis
  vi.stubGlobal('document', undefined)
  const html = renderToString(<StrictMode><PandoProvider client={client}>{children}</PandoProvider></StrictMode>)
  vi.stubGlobal('document', document)
  const data = JSON.parse(JSON.stringify(dehydrate(client))) as ReturnType<typeof dehydrate>
  client.close()
  return { html, data }
}

/** Hydrates the page that a server sent. */
async function inBrowser({ Provider }: Page, html: string, children: ReactNode): Promise<void> {
  container.innerHTML = html
  await act(async () => {
    root = hydrateRoot(container, <Provider>{children}</Provider>, { onRecoverableError: complain })
    await settle()
  })
}

function Board() {
  const { status, state: name } = useChannelState(board, { select: (state) => state?.name })
  const ids = useIds(board, (state) => state.cards)
  const viewers = useRuntimeState(board)?.viewers
  return (
    <>
      <h1>{`${name ?? status}, ${viewers ?? 0} here`}</h1>
      {ids?.map((id) => <Card key={id} id={id} />)}
    </>
  )
}

function Card({ id }: { readonly id: string }) {
  return <p>{useChannelInstance(board, 'Card', id)?.title}</p>
}

describe('hydration', () => {
  it('shows what the server rendered, and goes on from there', async () => {
    const { html, data } = onServer(<Board />)
    expect(html).toBe('<h1>Groceries, 2 here</h1><p>Milk</p><p>Eggs</p>')
    hydrate(page().client, data)
    await inBrowser(page(), html, <Board />)
    expect(container.innerHTML).toBe(html)
    await act(async () => {
      page().server.welcome()
      page().server.open('#7')
      await settle()
    })
    expect(page().server.socket.of('open').map(({ payload }) => payload.resume)).toEqual([{ epoch: 'e1', versions: [10] }])
    await page().frame({ v: 11, upd: [[1, '7', 1, 'Oat milk']] }, '#7')
    expect(container.textContent).toBe('Groceries, 2 hereOat milkEggs')
    expect(complain).not.toHaveBeenCalled()
  })

  it('shows in a part that comes late what the server rendered, before what has come since', async () => {
    const seen: string[] = []
    let arrive: () => void = () => undefined
    const code = new Promise<void>((resolve) => {
      arrive = resolve
    })
    function Late({ here }: { readonly here?: boolean }) {
      if (here !== true) use(code)
      const { state } = useLiveState(board)
      const title = useChannelInstance(board, 'Card', '7')?.title
      const text = `${state?.name ?? ''}: ${title ?? ''}`
      seen.push(text)
      return <p>{text}</p>
    }
    const parts = (here: boolean) => [<Board key="board" />, <Suspense key="late" fallback="waiting"><Late here={here} /></Suspense>]
    const { html, data } = onServer(parts(true))
    hydrate(page().client, data)
    seen.length = 0
    await inBrowser(page(), html, parts(false))
    await act(async () => {
      page().server.welcome()
      page().server.open('#7')
      await settle()
    })
    await page().frame({ v: 11, upd: [[1, '7', 1, 'Oat milk'], [0, '1', 1, 'Weekly']] }, '#7')
    expect(container.textContent).toBe('Weekly, 2 hereOat milkEggsGroceries: Milk')
    await act(async () => {
      arrive()
      await settle()
    })
    expect(seen[0]).toBe('Groceries: Milk')
    expect(container.textContent).toBe('Weekly, 2 hereOat milkEggsWeekly: Oat milk')
    expect(complain).not.toHaveBeenCalled()
  })

  it('keeps the page of a suspended part that was not preloaded, until its state is there', async () => {
    function Live() {
      return <p>{useLiveState(board).state?.cards.length} cards</p>
    }
    const waiting = <Suspense fallback="waiting"><Live /></Suspense>
    const { html } = onServer(waiting)
    await inBrowser(page(), html, waiting)
    expect(container.textContent).toBe('2 cards')
    await page().serve()
    expect(container.textContent).toBe('2 cards')
    await page().frame({ v: 11, del: [[1, '8']] })
    expect(container.textContent).toBe('1 cards')
    expect(page().server.socket.of('open')).toHaveLength(1)
    expect(complain).not.toHaveBeenCalled()
  })

  it('is pending at first where the server had nothing, even if something has come', async () => {
    const other = BoardChannel.with({ boardId: 2 })
    function Other() {
      return <p>{useChannelState(other).status}</p>
    }
    const { html, data } = onServer(<Other />)
    expect(html).toBe('<p>pending</p>')
    hydrate(page().client, data)
    page().client.get(other).subscribe(() => undefined)
    page().server.welcome()
    page().server.open('#5', { v: 1, snapshot: 'only', set: [[0, ['2', 'Tools']]] })
    await inBrowser(page(), html, <Other />)
    expect(container.textContent).toBe('live')
    expect(complain).not.toHaveBeenCalled()
  })
})
