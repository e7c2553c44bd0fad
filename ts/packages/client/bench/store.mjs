// Measures what a page pays for a frame of one row: `us_per_frame` in the
// store, from the parsed frame to the new state; `us_per_message` from the
// socket's text to the listener, JSON.parse included. Run it with
// `npm run bench -w @pando-sync/client`; it prints RESULT lines.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { Store } from '../dist/bench/store.js'
import { Channel, createClient } from '../dist/index.js'
import { places } from '../dist/places.js'
import { peers } from './peers.mjs'

const types = [
  { name: 'Board', fields: ['id', 'name'] },
  { name: 'List', fields: ['id', 'name', '@board_id', '@position'] },
  { name: 'Card', fields: ['id', 'title', 'done', '@list_id', '@position'] },
  { name: '@CardsChannel', fields: ['id', '@position'] },
]
const spec = {
  name: 'BoardChannel',
  hash: '',
  route: 'boards/{id}',
  params: { id: 'id' },
  actions: [],
  model: {
    root: 0,
    types: {
      Board: { key: 'id', fields: { id: 'int', name: 'text' } },
      List: { key: 'id', fields: { id: 'int', name: 'text', '@board_id': 'int', '@position': 'float' } },
      Card: { key: 'id', fields: { id: 'int', title: 'text', done: 'bool', '@list_id': 'int', '@position': 'float' } },
    },
    layers: [
      { type: 'Board', members: ['id', 'name', { name: 'lists', layer: 1 }] },
      {
        type: 'List',
        relation: 'hasMany',
        link: '@board_id',
        order: ['@position'],
        members: ['id', 'name', { name: 'cards', layer: 2 }],
      },
      { type: 'Card', relation: 'hasMany', link: '@list_id', order: ['@position'], members: ['id', 'title', 'done'] },
    ],
  },
}
// A list of cards, which stand in it by places of their own.
const flat = {
  ...spec,
  places,
  model: {
    root: 0,
    types: { '@CardsChannel': { key: 'id', fields: { id: 'int', '@position': 'float' } }, Card: spec.model.types.Card },
    layers: [
      { type: '@CardsChannel', relation: 'list', order: ['@position'], through: 1, members: [] },
      { type: 'Card', relation: 'belongsTo', link: 'id', members: ['id', 'title', 'done'] },
    ],
  },
}

function rowsOf(lists, cards) {
  const rows = [[0, ['1', 'Board']]]
  for (let l = 1; l <= lists; l++) {
    rows.push([1, [String(l), `List ${l}`, '1', l]])
    for (let c = 1; c <= cards; c++) {
      rows.push([2, [String((l - 1) * cards + c), `Card ${c}`, false, String(l), c]])
    }
  }
  return rows
}

function listRowsOf(cards) {
  const places = Array.from({ length: cards }, (_, n) => [3, [String(n + 1), n]])
  return [...places, ...places.map(([, [id]]) => [2, [id, `Card ${id}`, false, '1', 0]])]
}

class Socket {
  constructor() {
    Socket.last = this
  }
  send(data) {
    this.requests = [JSON.parse(data)].flat()
  }
  close() {}
  say(stream, payload, id) {
    this.onmessage({ data: JSON.stringify({ stream, id, payload }) })
  }
}

function start(channelSpec, rows) {
  const client = createClient({ url: 'ws://bench/ws', WebSocket: Socket })
  const handle = client.get(new Channel(channelSpec, { id: 1 }))
  handle.subscribe(() => handle.get())
  const socket = Socket.last
  socket.say('@', { type: 'hello', protocol: 1, heartbeat: 60000, types })
  socket.onopen()
  const [connect, open] = socket.requests
  socket.say('@', { type: 'connected', user: '' }, connect.id)
  const opened = { type: 'opened', epoch: 'e', scopes: [{ id: '#1', resumed: false }] }
  socket.say(open.stream, opened, open.id)
  const data = JSON.stringify({ stream: '#1', payload: { v: 1, snapshot: 'only', set: rows } })
  const begun = performance.now()
  socket.onmessage({ data })
  const ms = performance.now() - begun
  if (handle.get().status !== 'live') throw new Error('no state')
  return { client, handle, socket, ms }
}

function median(numbers) {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1]
}

const rounds = 60
const perRound = 500
const warmUp = 20

/** The median of the rounds' microseconds per frame; the first third warms up. */
function measure(frames, apply, { rounds: count = rounds, perRound: size = perRound } = {}) {
  const times = []
  for (let round = 0; round < count; round++) {
    const some = frames.slice(round * size, (round + 1) * size)
    const begun = performance.now()
    for (const frame of some) apply(frame)
    times.push(((performance.now() - begun) * 1000) / some.length)
  }
  return median(times.slice((count * warmUp) / rounds)).toFixed(2)
}

function perFrame(shape, channelSpec, rows, frameOf) {
  const frames = Array.from({ length: rounds * perRound }, (_, n) => frameOf(n, rows.length - 1))
  const store = new Store(channelSpec.model, '1', channelSpec)
  store.attach(types, 'e', [false])
  store.receive(0, { v: 1, snapshot: 'only', set: rows })
  const before = store.state()
  let state
  const us = measure(frames, (frame) => {
    store.receive(0, frame)
    state = store.state()
  })
  if (state === before) throw new Error('nothing changed')
  console.log(`RESULT client.us_per_frame.${shape} ${us} us`)

  const { client, handle, socket } = start(channelSpec, rows)
  const messages = frames.map((payload) => JSON.stringify({ stream: '#1', payload }))
  const loaded = handle.get()
  let shown
  const whole = measure(messages, (data) => {
    socket.onmessage({ data })
    shown = handle.get()
  })
  if (shown === loaded) throw new Error('nothing changed')
  console.log(`RESULT client.us_per_message.${shape} ${whole} us`)
  client.close()
}

const title = (n, count) => ({ v: n + 2, upd: [[2, String(((n * 7919) % 9900) + 1), 1, `Title ${n} of ${count}`]] })
const move = (n) => ({ v: n + 2, upd: [[2, String(((n * 7919) % 9900) + 1), 4, ((n * 104729) % 10000) + (n % 97) / 100]] })

/** The same frames by the peers. */
function perPeer(shape, lists, cards, options) {
  const frames = Array.from({ length: rounds * perRound }, (_, n) => title(n, lists * cards))
  for (const [name, { apply, state: before, ...size }] of Object.entries(peers(lists, cards, options))) {
    let state = before
    const us = measure(
      frames,
      (frame) => {
        state = apply(state, frame)
      },
      size,
    )
    if (state === before) throw new Error('nothing changed')
    console.log(`RESULT client.us_per_frame_${name}.${shape} ${us} us`)
  }
}

perFrame('tree', spec, rowsOf(100, 100), title)
perFrame('wide', spec, rowsOf(1, 10_000), title)
perFrame('list', flat, listRowsOf(10_000), title)
perFrame('tree_move', spec, rowsOf(100, 100), move)
perFrame('wide_move', spec, rowsOf(1, 10_000), move)
perPeer('tree', 100, 100)
perPeer('wide', 1, 10_000)
perPeer('list', 1, 10_000, { flat: true })

// What no frame to a list of 10,000 can do without: one copy of an array.
const cells = Array.from({ length: 10_000 }, (_, n) => ({ n }))
let copy = cells
const floor = measure(Array.from({ length: rounds * perRound }, (_, n) => n), () => {
  copy = copy.slice()
})
if (copy.length !== cells.length) throw new Error('no copy')
console.log(`RESULT client.us_copy_10k ${floor} us`)

const loads = Array.from({ length: 7 }, () => {
  const { client, ms } = start(spec, rowsOf(1, 10_000))
  client.close()
  return ms
})
console.log(`RESULT client.ms_load_10k ${median(loads).toFixed(2)} ms`)

// What every page has: the entry, and the chunks that it shares with others.
for (const [name, shared] of [
  ['client', /^index\.js$/],
  ['react', /^(index|.+-.+)\.js$/],
]) {
  const dist = new URL(`../../${name}/dist/`, import.meta.url)
  if (!existsSync(dist)) continue
  const files = readdirSync(dist).filter((file) => shared.test(file))
  const bytes = files.reduce((sum, file) => sum + gzipSync(readFileSync(new URL(file, dist))).length, 0)
  console.log(`RESULT ${name}.gzip_kb ${(bytes / 1000).toFixed(2)} kB`)
}

if (globalThis.gc) {
  globalThis.gc()
  const before = process.memoryUsage().heapUsed
  const kept = start(spec, rowsOf(1, 10_000))
  globalThis.gc()
  console.log(`RESULT client.mb_heap_10k ${((process.memoryUsage().heapUsed - before) / 1e6).toFixed(2)} MB`)
  kept.client.close()
}
process.exit(0)
