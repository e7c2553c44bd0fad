// The same frames without a store: immer on the nested state, and the whole
// tree built anew. Both are told where a row stands, which the store finds out.
import { produce, setAutoFreeze } from 'immer'

setAutoFreeze(false)

const listOf = (id, cards) => ({ id: String(id), name: `List ${id}`, cards })
const cardOf = (n, title) => ({ id: String(n), title, done: false })

/** Cards 1 to lists × cards in nested lists, as the store shows them. */
function nested(lists, cards, titleOf) {
  return {
    id: '1',
    name: 'Board',
    lists: Array.from({ length: lists }, (_, l) =>
      listOf(l + 1, Array.from({ length: cards }, (_, c) => cardOf(l * cards + c + 1, titleOf(l * cards + c + 1)))),
    ),
  }
}

const first = (n) => `Card ${n}`
const fieldsOf = ({ upd: [[, key, , title]] }) => [Number(key), title]

/** Functions from a state and a frame to the next state, by peer. */
export function peers(lists, cards, { flat = false } = {}) {
  const titles = new Map()
  const rest = (tree) => (flat ? tree.lists[0].cards : tree)
  return {
    immer: {
      state: rest(nested(lists, cards, first)),
      apply: (state, frame) => {
        const [n, title] = fieldsOf(frame)
        return produce(state, (draft) => {
          const list = flat ? draft : draft.lists[Math.floor((n - 1) / cards)].cards
          list[(n - 1) % cards].title = title
        })
      },
    },
    naive: {
      state: rest(nested(lists, cards, first)),
      rounds: 6,
      perRound: 20,
      apply: (_, frame) => {
        const [n, title] = fieldsOf(frame)
        titles.set(n, title)
        return rest(nested(lists, cards, (id) => titles.get(id) ?? first(id)))
      },
    },
  }
}
