import { useRuntimeState } from '@pando-sync/react'
import { useEffect, useRef, useState, type KeyboardEvent, type SubmitEvent } from 'react'
import type { Card, Comment } from '../live/board.interfaces.js'
import { Avatar } from '../ui/avatar.js'
import { isPending, useBoard } from './context.js'

/** What was said about a card, and a field to say more. */
export function Comments({ card }: { readonly card: Card }) {
  const { handle, edits } = useBoard()
  return (
    <section className="comments" aria-label="Comments">
      <h3>Comments</h3>
      {card.comments.length === 0 && <p className="quiet-text">Nobody has said anything yet.</p>}
      <ol aria-live="polite">
        {card.comments.map((comment) => (
          <CommentItem key={handle.keyOf(comment)} comment={comment} />
        ))}
      </ol>
      <WhoTypes card={card} />
      {edits && <NewComment card={card} />}
    </section>
  )
}

/** Those who write a comment now. The line is there before anybody does. */
function WhoTypes({ card }: { readonly card: Card }) {
  const { channel } = useBoard()
  const typing = useRuntimeState(channel)?.typing ?? []
  const names = typing.filter((one) => one.card === card.id).map(({ person }) => person.name)
  return (
    <p className="who-types" role="status">
      {names.length > 0 && `${names.join(' and ')} ${names.length === 1 ? 'is' : 'are'} typing …`}
    </p>
  )
}

function NewComment({ card }: { readonly card: Card }) {
  const { handle, attempt } = useBoard()
  const [error, setError] = useState('')
  const type = useTyping(card)
  const add = async (body: string) => {
    type(false)
    setError('')
    const attempted = await attempt(() => handle.create('comments', card, { body }), 'body')
    setError(attempted.error ?? '')
    return attempted.ok
  }
  return (
    <CommentForm label="Your comment" submit="Comment" error={error} onType={() => { type(true) }} onSubmit={add} />
  )
}

/** How often the others are told that somebody types, in milliseconds. */
const every = 2_000

/** Tells the others that the user types, now and then, or has stopped. They are not told of a card that has no id yet. */
function useTyping(card: Card): (typing: boolean) => void {
  const { handle } = useBoard()
  const last = useRef(0)
  const tell = (cardId: string) => {
    // A hint, of which nothing depends: it may get lost.
    handle.actions.typing(cardId).catch(() => undefined)
  }
  useEffect(() => () => {
    if (last.current > 0) tell('0')
  }, [])
  return (typing) => {
    if (isPending(card) || (typing && Date.now() - last.current < every) || (!typing && last.current === 0)) return
    last.current = typing ? Date.now() : 0
    tell(typing ? card.id : '0')
  }
}

interface FormProps {
  readonly label: string
  readonly submit: string
  readonly initial?: string
  readonly error: string
  readonly onType?: () => void
  /** The field is empty at once; the text comes back when this resolves to false. */
  readonly onSubmit: (text: string) => Promise<boolean>
}

function CommentForm({ label, submit, initial = '', error, onType, onSubmit }: FormProps) {
  const [text, setText] = useState(initial)
  const form = useRef<HTMLFormElement>(null)
  const send = async (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault()
    setText('')
    if (!(await onSubmit(text))) setText((next) => (next === '' ? text : next))
  }
  const press = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) form.current?.requestSubmit()
  }
  return (
    <form ref={form} className="comment-form" onSubmit={(event) => void send(event)}>
      <textarea
        aria-label={label}
        aria-invalid={error !== ''}
        placeholder="Say something, and @name who should see it"
        rows={2}
        maxLength={4000}
        value={text}
        onChange={(event) => {
          setText(event.target.value)
          onType?.()
        }}
        onKeyDown={press}
      />
      {error !== '' && (
        <p className="field-error" role="alert">
          {error}
        </p>
      )}
      <button className="button primary small" disabled={text === ''}>
        {submit}
      </button>
    </form>
  )
}

const format = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })

function CommentItem({ comment }: { readonly comment: Comment }) {
  const { handle, attempt, me, role, edits } = useBoard()
  const [editing, edit] = useState(false)
  const [error, setError] = useState('')
  const { body, created_at: at } = comment
  const pending = isPending(comment)
  // The author is set by the server.
  const author = pending ? me : comment.author
  const mine = edits && author?.id === me?.id
  const save = async (body: string) => {
    edit(false)
    const attempted = await attempt(() => handle.save(comment, { body }), 'body')
    setError(attempted.error ?? '')
    if (attempted.error !== undefined) edit(true)
    return attempted.ok
  }
  return (
    <li className="comment" data-pending={pending}>
      {author && <Avatar user={author} />}
      <div>
        <p className="comment-head">
          <strong>{author?.name ?? 'Somebody who has left'}</strong>
          {pending ? <span className="quiet-text">sending …</span> : <time dateTime={at}>{format.format(new Date(at))}</time>}
          {mine && (
            <button type="button" className="link" onClick={() => { edit(!editing) }}>
              Edit
            </button>
          )}
          {(mine || role === 'owner') && !pending && (
            <button type="button" className="link" onClick={() => void attempt(() => handle.delete(comment))}>
              Delete
            </button>
          )}
        </p>
        {editing ? (
          <CommentForm label="Comment" submit="Save" initial={body} error={error} onSubmit={save} />
        ) : (
          <p className="comment-body">{body}</p>
        )}
      </div>
    </li>
  )
}
