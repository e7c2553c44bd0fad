import { createClient } from '@pando-sync/client'

export const client = createClient({ url: '/live/ws' })
