'use client'

/**
 * A panel that shows what a client does: its connection, streams, frames and
 * writes. For development; a page that is shipped leaves it out.
 *
 * @packageDocumentation
 */
import type { Client, Readable } from '@pando-sync/client'
import { inspect, type Inspection } from '@pando-sync/client/devtools'
import { useCallback, useEffect, useState, useSyncExternalStore } from 'react'
import { Panel } from './devtools/panel.js'
import { css } from './devtools/style.js'
import { sentence } from './devtools/text.js'

/** What the panel takes. */
export interface PandoDevtoolsProps {
  readonly client: Client
  /** Whether it is unfolded at first; only a button is there when left out. */
  readonly open?: boolean
}

/**
 * Shows what the client does in a corner of the page: a button that tells how
 * it is, and a panel when that is pressed. It watches from when it is mounted,
 * keeps the last 200 frames, follows the system's choice of light or dark, and
 * renders nothing on a server.
 */
export function PandoDevtools({ client, open: unfolded = false }: PandoDevtoolsProps) {
  const [tool, start] = useState<ReturnType<typeof inspect>>()
  const [open, unfold] = useState(unfolded)
  useEffect(() => {
    const started = inspect(client, { frames: 200 })
    start(started)
    return () => {
      started.stop()
    }
  }, [client])
  const subscribe = useCallback((listener: () => void) => (tool ? calmly(tool, listener) : nothing), [tool])
  const seen = useSyncExternalStore<Inspection | undefined>(subscribe, tool?.get ?? nothing, nothing)
  if (seen === undefined) return null
  return (
    <section className="pando-devtools" aria-label="Pando devtools">
      <style>{css}</style>
      {open && <Panel seen={seen} />}
      <button
        className="pando-toggle"
        aria-expanded={open}
        onClick={() => {
          unfold(!open)
        }}
      >
        <i className={`pando-dot pando-${seen.connection}`} /> Pando <span>{sentence(seen)}</span>
      </button>
    </section>
  )
}

const nothing = () => undefined

/** Listens, once per frame of the screen at most: a busy client shall not be slowed by being watched. */
function calmly(source: Readable<unknown>, listener: () => void): () => void {
  let drawing: number | undefined
  const off = source.subscribe(() => {
    drawing ??= requestAnimationFrame(() => {
      drawing = undefined
      listener()
    })
  })
  return () => {
    off()
    if (drawing !== undefined) cancelAnimationFrame(drawing)
  }
}
