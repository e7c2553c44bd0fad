import { createClient } from '@pando-sync/client'
import { streams } from './live/guides.channels.js'

export const client = createClient({ url: '/live/ws', streams })

const posters = client.stream('posters', { at: '/rooms/1/wall/' })

export function show(list: HTMLElement): () => void {
  return posters.subscribe(() => {
    list.textContent = posters.get().rows.map(({ data }) => `${data.text} (${data.author})`).join('\n')
  })
}
