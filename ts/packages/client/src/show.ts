import type { Shape } from './shape.js'
import type { Store } from './store.js'
import type { Instance, Row } from './table.js'

/** The object of one row as the state shows it, nearest to the root, if it is held. */
export function instanceIn({ tables }: Store, type: string, key: string): Instance | null | undefined {
  const table = tables.get(type)
  const row = table?.rows.get(key)
  return row && table?.shapes.find((shape) => shows(shape, row))?.build(row)
}

/** Whether the state shows a row in a shape. */
function shows(shape: Shape, row: Row): boolean {
  return (
    row.key === shape.anchor ||
    shape.above.some((index) => {
      const { parent } = index
      return !parent || index.sources(row).some((source) => shows(parent, source))
    })
  )
}
