// The page: what the stream's rows are, as elements, and what people do, as
// requests. Nothing is kept here: a message is shown when the database has it,
// whoever wrote it.
import { createClient } from '/pando/client.js'

const client = createClient({
  url: `/demultiplex/${document.body.dataset.room}/`,
  // A window keeps its login to itself, so that two windows can be two people.
  getToken: ({ rejected }) => {
    if (rejected) logout() // the server knows the token no more
    return sessionStorage.getItem('token')
  },
})
const messages = client.stream('message-stream')

const $ = (selector, within = document) => within.querySelector(selector)

// ---- what is shown

/** The element of each row, by its key. */
const shown = new Map()
let whole = false
/** Whether the last message is in view, and shall stay there. */
let following = true

$('main').onscroll = ({ target }) => {
  following = target.scrollHeight - target.scrollTop - target.clientHeight < 40
}

messages.subscribe(render)
client.connection.subscribe(render)
render()

function render() {
  const { status, rows, stale, error } = messages.get()
  const live = status === 'live' && !stale && client.connection.get() === 'online'
  $('#connection').textContent = live ? 'Live' : error ? 'Not connected' : status === 'pending' ? 'Connecting …' : 'Reconnecting …'
  $('#connection').classList.toggle('live', live)
  $('#write button').disabled = !live
  if (error) say(error)
  if (status !== 'live') return
  const list = $('#messages')
  const keys = new Set(rows.map(({ pk }) => pk))
  for (const [pk, item] of shown) {
    if (keys.has(pk)) continue
    item.remove()
    shown.delete(pk)
  }
  rows.forEach((row, place) => {
    const item = shown.get(row.pk) ?? add(row.pk)
    fill(item, row)
    if (list.children[place] !== item) list.insertBefore(item, list.children[place] ?? null)
  })
  $('#empty').hidden = rows.length > 0
  if (following) $('main').scrollTop = $('main').scrollHeight
  whole = true
}

/** Makes the element of a row that has come. */
function add(pk) {
  const item = $('#message').content.firstElementChild.cloneNode(true)
  item.classList.toggle('new', whole)
  const change = $('.change', item)
  $('.edit', item).onclick = () => {
    change.message.value = $('.text', item).textContent
    edit(item, true)
    change.message.select()
  }
  $('.cancel', item).onclick = () => edit(item, false)
  $('.delete', item).onclick = () => attempt(() => messages.delete(pk))
  change.onsubmit = (event) => {
    event.preventDefault()
    attempt(async () => {
      await messages.update(pk, { message: change.message.value })
      edit(item, false)
    })
  }
  shown.set(pk, item)
  return item
}

/** Shows a row's data, unless the element does already: rows that have not changed are the same objects. */
function fill(item, row) {
  const own = row.data.author === sessionStorage.getItem('username')
  if (item.row === row && item.own === own) return
  Object.assign(item, { row, own })
  const at = new Date(row.data.created_at)
  $('.author', item).textContent = row.data.author
  $('time', item).textContent = at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
  $('time', item).dateTime = row.data.created_at
  $('.text', item).textContent = row.data.message
  item.classList.toggle('own', own)
  edit(item, own && !$('.change', item).hidden)
}

/** Shows a message's text with its tools, or the field that changes it. */
function edit(item, editing) {
  $('.change', item).hidden = !editing
  $('.text', item).hidden = editing
  $('.tools', item).hidden = editing || !item.own
  if (editing) $('.change', item).message.focus()
}

// ---- what people do

$('#write').onsubmit = (event) => {
  event.preventDefault()
  const field = event.target.message
  const message = field.value
  field.value = '' // what is typed from now on is the next message
  following = true
  attempt(() => messages.create({ message })).then((done) => {
    if (!done) field.value ||= message
  })
}

/** Does what may be refused, and says so if it is. Tells whether it was done. */
async function attempt(action) {
  say()
  try {
    await action()
    return true
  } catch (error) {
    say(error)
    return false
  }
}

function say(error) {
  $('#problem').textContent = error ? (error.fields?.message ?? error.message) : ''
}

// ---- who somebody is

$('#login').onsubmit = (event) => {
  event.preventDefault()
  const form = event.target
  attempt(() => login(form.username.value, form.password.value))
}

for (const button of document.querySelectorAll('[data-username]')) {
  button.onclick = () => attempt(() => login(button.dataset.username, button.dataset.password))
}

$('#leave').onclick = () => {
  const headers = { authorization: `Token ${sessionStorage.getItem('token')}` }
  attempt(() => fetch('/api/token', { method: 'DELETE', headers }))
  logout()
  client.authenticate()
}

async function login(username, password) {
  const answer = await fetch('/api/token', { method: 'POST', body: JSON.stringify({ username, password }) })
  const { token, error } = await answer.json()
  if (error) throw error
  sessionStorage.setItem('token', token)
  sessionStorage.setItem('username', username)
  $('#login').reset()
  identify()
  client.authenticate() // the connection is somebody's from here on
}

function logout() {
  sessionStorage.clear()
  identify()
}

/** Shows what may be done by who is logged in, or by nobody. */
function identify() {
  const username = sessionStorage.getItem('username')
  $('#login').hidden = username !== null
  $('#write').hidden = username === null
  $('#leave').hidden = username === null
  $('#leave').textContent = `Log out ${username ?? ''}`
  render()
}

identify()
