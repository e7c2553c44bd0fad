const columns = [4, 3, 4, 2]

/** The outline of a board that has not arrived yet. */
export function Skeleton() {
  return (
    <div className="board skeleton" aria-busy="true" aria-label="Loading the board">
      <div className="board-header">
        <span className="bone title" />
      </div>
      <div className="columns">
        {columns.map((cards, column) => (
          <div className="column" key={column}>
            <span className="bone name" />
            {Array.from({ length: cards }, (_, card) => (
              <span className="bone" key={card} />
            ))}
          </div>
        ))}
      </div>
    </div>
  )
}
