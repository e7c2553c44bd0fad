import { useBinding } from '@pando-sync/react'

function Wall({ room }: { room: number }) {
  const posters = useBinding('posters', { at: `/rooms/${room}/wall/` })
  if (posters.status !== 'live') return <p role="status">{posters.error?.message ?? 'Loading …'}</p>
  return (
    <>
      <ul>
        {posters.rows.map(({ pk, data }) => (
          <li key={pk}>
            {data.text} <button onClick={() => void posters.delete(pk)}>Take it down</button>
          </li>
        ))}
      </ul>
      <button onClick={() => void posters.create({ room_id: room, text: 'Buy tea' })}>Hang one up</button>
    </>
  )
}

export { Wall }
