import '@fontsource-variable/figtree/wght.css'
import './styles/base.css'
import './styles/page.css'
import './styles/board.css'
import './styles/dialog.css'

import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './app.js'

const root = document.getElementById('root')
if (root === null) throw new Error('index.html has no element #root')
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
)
