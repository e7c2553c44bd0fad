import { createClient, type Client } from '@pando-sync/client'
import { act, cleanup, render } from '@testing-library/react'
import { StrictMode, type ReactNode } from 'react'
import { afterEach, beforeEach, vi } from 'vitest'
import { FakeServer, boardSnapshot } from '../../client/test/fake-server.js'
import { PandoProvider } from '../src/index.js'

/** A page of one test: a client, the server that the test plays, and React in StrictMode, with time that stands still. */
export class Page {
  readonly server = new FakeServer()
  readonly client: Client = createClient({ url: 'ws://test/ws', WebSocket: this.server.WebSocket })

  readonly Provider = ({ children }: { readonly children?: ReactNode }) => (
    <StrictMode>
      <PandoProvider client={this.client}>{children}</PandoProvider>
    </StrictMode>
  )

  render(children: ReactNode) {
    return render(children, { wrapper: this.Provider })
  }

  /** What is shown. */
  get text(): string | null {
    return document.body.textContent
  }

  /** Connects, and answers the newest open with the board. */
  async serve(scope = '#4', snapshot: object = boardSnapshot): Promise<FakeServer['socket']> {
    await act(async () => {
      this.server.welcome()
      this.server.open(scope, snapshot)
      await settle()
    })
    return this.server.socket
  }

  /** Sends a state frame. */
  async frame(payload: object, scope = '#4'): Promise<void> {
    await act(async () => {
      this.server.socket.say(scope, payload)
      await settle()
    })
  }

  /** Lets time pass. */
  async pass(ms: number): Promise<void> {
    await act(async () => {
      await vi.advanceTimersByTimeAsync(ms)
    })
  }
}

/** Lets promises that have been resolved be heard. */
export async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0)
}

/** Makes a page for each test of the file. */
export function pages(): () => Page {
  let page: Page
  beforeEach(() => {
    vi.useFakeTimers()
    vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true)
    page = new Page()
  })
  afterEach(() => {
    cleanup()
    page.client.close()
    vi.useRealTimers()
    vi.unstubAllGlobals()
  })
  return () => page
}
