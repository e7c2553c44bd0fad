import { useRef, useState, type KeyboardEvent, type SubmitEvent } from 'react'
import type { Card, Comment } from '../live/board.interfaces.js'
import { Avatar } from '../ui/avatar.js'
import { useBoard } from './context.js'

/** What was said about a card, and a field to say more. */
export function Comments({ card }: { readonly card: Card }) {
  const { actions, attempt } = useBoard()
  const [text, setText] = useState('')
  const form = useRef<HTMLFormElement>(null)

  const send = async (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault()
    if (text.trim() !== '' && (await attempt(() => actions.addComment(card.id, text)))) setText('')
  }
  const press = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) form.current?.requestSubmit()
  }
  return (
    <section className="comments" aria-label="Comments">
      <h3>Comments</h3>
      {card.comments.length === 0 && <p className="quiet-text">Nobody has said anything yet.</p>}
      <ol aria-live="polite">
        {card.comments.map((comment) => (
          <CommentItem key={comment.id} comment={comment} />
        ))}
      </ol>
      <form ref={form} className="comment-form" onSubmit={(event) => void send(event)}>
        <textarea
          aria-label="Your comment"
          placeholder="Say something"
          rows={2}
          maxLength={4000}
          value={text}
          onChange={(event) => {
            setText(event.target.value)
          }}
          onKeyDown={press}
        />
        <button className="button primary small" disabled={text.trim() === ''}>
          Comment
        </button>
      </form>
    </section>
  )
}

const format = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })

function CommentItem({ comment: { author, body, created_at: at } }: { readonly comment: Comment }) {
  return (
    <li className="comment">
      {author !== null && <Avatar user={author} />}
      <div>
        <p className="comment-head">
          <strong>{author?.name ?? 'Somebody who has left'}</strong>
          <time dateTime={at}>{format.format(new Date(at))}</time>
        </p>
        <p className="comment-body">{body}</p>
      </div>
    </li>
  )
}
