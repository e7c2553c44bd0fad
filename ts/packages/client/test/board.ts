import { actions } from '../src/actions.js'
import { Channel, type ChannelSpec, type Id, type Int } from '../src/index.js'

export interface Card {
  readonly id: Id<'Card'>
  readonly title: string
  readonly done: boolean
}

export interface Board {
  readonly id: Id<'Board'>
  readonly name: string
  readonly cards: readonly Card[]
}

export interface BoardChannelTypes {
  Board: Board
  Card: Card
}

export interface BoardChannelRuntime {
  readonly viewers: number
}

export interface BoardChannelActions {
  readonly rename: (name: string) => Promise<void>
  readonly moveCard: (card: Id<'Card'>, position: Int) => Promise<number>
}

/** What `makefrontend` writes for a small app. */
export class BoardChannel extends Channel<Board | null, BoardChannelTypes, BoardChannelActions, BoardChannelRuntime> {
  static readonly spec: ChannelSpec = {
    name: 'BoardChannel',
    hash: '0',
    route: 'boards/{board_id}',
    params: { boardId: 'board_id' },
    actions: ['rename', 'moveCard'],
    requests: actions,
    model: {
      root: 0,
      types: {
        Board: { key: 'id', fields: { id: 'int', name: 'text' } },
        Card: { key: 'id', fields: { id: 'int', title: 'text', done: 'bool', '@board_id': 'int', '@position': 'float' } },
      },
      layers: [
        { type: 'Board', members: ['id', 'name', { name: 'cards', layer: 1 }] },
        {
          type: 'Card',
          relation: 'hasMany',
          link: '@board_id',
          order: ['@position'],
          members: ['id', 'title', 'done'],
        },
      ],
    },
  }

  static with(args: { boardId: Id<'Board'> | string | number | bigint }): BoardChannel {
    return new BoardChannel(BoardChannel.spec, args)
  }
}
