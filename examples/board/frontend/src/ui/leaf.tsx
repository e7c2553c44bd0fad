/** The leaf of the quaking aspen, which Pando is. */
export function Leaf() {
  return <img className="leaf" src="/leaf.svg" alt="" width="22" height="22" />
}
