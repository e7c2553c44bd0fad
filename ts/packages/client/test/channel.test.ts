import { describe, expect, it } from 'vitest'
import { Channel } from '../src/index.js'
import { BoardChannel } from './board.js'

describe('a channel', () => {
  it('is the same for the same arguments, whatever their type', () => {
    const { key, route, anchor } = BoardChannel.with({ boardId: 7 })
    expect([route, anchor]).toEqual(['boards/7', '7'])
    expect(BoardChannel.with({ boardId: '7' }).key).toBe(key)
    expect(BoardChannel.with({ boardId: 7n }).key).toBe(key)
    expect(BoardChannel.with({ boardId: '8' }).key).not.toBe(key)
  })

  it('percent-encodes its arguments and finds the anchor among them', () => {
    const spec = {
      ...BoardChannel.spec,
      route: 'teams/{team}/boards/{board_id}',
      params: { boardId: 'board_id', team: 'team' },
    }
    const channel = new Channel(spec, { team: 'a/b ü', boardId: 7 })
    expect([channel.route, channel.anchor]).toEqual(['teams/a%2Fb%20%C3%BC/boards/7', '7'])
    expect(new Channel({ ...spec, anchor: 'team' }, { team: '3', boardId: 7 }).anchor).toBe('3')
  })

  it('refuses a missing argument and folds the case of a uuid', () => {
    expect(() => new BoardChannel(BoardChannel.spec, {})).toThrow('boardId is missing')
    const { model } = BoardChannel.spec
    const types = { ...model.types, Board: { key: 'id', fields: { id: 'uuid', name: 'text' } } } as const
    expect(new Channel({ ...BoardChannel.spec, model: { ...model, types } }, { boardId: 'AB-CD' }).anchor).toBe('ab-cd')
  })
})
