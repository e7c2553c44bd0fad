import { PandoError } from '@pando-sync/client'

/** Tells the user what was refused. */
export function report(error: unknown): void {
  if (!(error instanceof PandoError)) throw error
  window.alert(error.message)
}
