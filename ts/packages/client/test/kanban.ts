import { Channel, type ChannelSpec, type Id } from '../src/index.js'
import { places } from '../src/places.js'
import { writes } from '../src/writes.js'

export interface User {
  readonly id: Id<'User'>
  readonly name: string
}

export interface Card {
  readonly id: Id<'Card'>
  readonly title: string
  readonly done: boolean
  readonly assignee: User | null
}

export interface List {
  readonly id: Id<'List'>
  readonly name: string
  readonly cards: readonly Card[]
  readonly starred: readonly Card[]
}

export interface Kanban {
  readonly id: Id<'Kanban'>
  readonly name: string
  readonly lists: readonly List[]
}

export interface KanbanChannelTypes {
  Kanban: Kanban
  List: List
  Card: Card
  User: User
}

export interface KanbanChannelActions {
  readonly addCard: (title: string) => Promise<Id<'Card'>>
  readonly ring: () => Promise<void>
}

interface CardData {
  readonly title?: string
  readonly done?: boolean
  readonly assignee?: Id<'User'> | null
  readonly list?: Id<'List'>
  readonly position?: number
  readonly secret?: string
}

interface ListData {
  readonly name?: string
  readonly position?: number
}

export interface KanbanChannelWrites {
  Card: { save: CardData; create: CardData; in: { List: 'cards' | 'starred' }; delete: true }
  List: { save: ListData; create: ListData; in: { Kanban: 'lists' }; delete: true }
  Kanban: { save: { readonly name?: string }; create: never; in: object; delete: false }
}

const spec: ChannelSpec = {
  name: 'KanbanChannel',
  hash: '0',
  route: 'kanban/{kanban_id}',
  params: { kanbanId: 'kanban_id' },
  actions: ['addCard', 'ring'],
  once: ['addCard'],
  requests: writes,
  writable: {
    Card: {
      save: true,
      create: ['List.cards', 'List.starred'],
      delete: true,
      optimistic: 30_000,
      fields: { title: 'title', done: 'done', assignee: '@assignee_id', list: '@list_id', position: '@position', secret: null },
      initial: { title: '', done: false },
    },
    List: {
      save: true,
      create: ['Kanban.lists'],
      delete: true,
      optimistic: 30_000,
      fields: { name: 'name', position: '@position' },
      initial: { name: '' },
    },
    // Shown only once it is confirmed.
    Kanban: { save: true, fields: { name: 'name' } },
  },
  places,
  model: {
    root: 0,
    types: {
      Kanban: { key: 'id', fields: { id: 'int', name: 'text' } },
      List: { key: 'id', fields: { id: 'int', name: 'text', '@kanban_id': 'int', '@position': 'float' } },
      Card: {
        key: 'id',
        fields: { id: 'int', title: 'text', done: 'bool', '@list_id': 'int', '@position': 'float', '@assignee_id': 'int' },
      },
      User: { key: 'id', fields: { id: 'int', name: 'text' } },
      '@starred': { key: '@sid', fields: { '@sid': 'int', '@card_id': 'int', '@list_id': 'int', '@position': 'float' } },
    },
    layers: [
      { type: 'Kanban', members: ['id', 'name', { name: 'lists', layer: 1 }] },
      {
        type: 'List',
        relation: 'hasMany',
        link: '@kanban_id',
        order: ['@position'],
        members: ['id', 'name', { name: 'cards', layer: 2 }, { name: 'starred', layer: 4 }],
      },
      {
        type: 'Card',
        relation: 'hasMany',
        link: '@list_id',
        order: ['@position'],
        members: ['id', 'title', 'done', { name: 'assignee', layer: 3 }],
      },
      { type: 'User', relation: 'belongsTo', link: '@assignee_id', members: ['id', 'name'] },
      { type: '@starred', relation: 'hasMany', link: '@list_id', order: ['-@position'], through: 5, members: [] },
      { type: 'Card', relation: 'belongsTo', link: '@card_id', members: ['id', 'title', 'done', { name: 'assignee', layer: 3 }] },
    ],
  },
}

/** What `makefrontend` writes for a channel with writes. */
export class KanbanChannel extends Channel<
  Kanban | null,
  KanbanChannelTypes,
  KanbanChannelActions,
  object,
  KanbanChannelWrites
> {
  static readonly spec: ChannelSpec = spec

  static with(args: { kanbanId: Id<'Kanban'> | string | number | bigint }): KanbanChannel {
    return new KanbanChannel(KanbanChannel.spec, args)
  }
}

export const kanbanHello = {
  type: 'hello',
  protocol: 1,
  session: 'test',
  epoch: 'e1',
  heartbeat: 600_000,
  types: Object.entries(spec.model.types).map(([name, { fields }]) => ({ name, fields: Object.keys(fields) })),
  channels: {},
}

export const kanbanSnapshot = {
  v: 10,
  snapshot: 'only',
  set: [
    [0, ['1', 'Work']],
    [1, ['3', 'Todo', '1', 1]],
    [1, ['4', 'Done', '1', 2]],
    [3, ['2', 'Ada']],
    [2, ['7', 'Milk', false, '3', 1, null]],
    [2, ['8', 'Eggs', false, '3', 2, '2']],
  ],
}
