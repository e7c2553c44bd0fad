import { useEffect, useState } from 'react'

type Theme = 'light' | 'dark'

const key = 'board.theme'

/** Switches between light and dark; the system's choice holds until it is used. */
export function ThemeToggle() {
  const [theme, setTheme] = useState(preferred)
  useEffect(() => {
    document.documentElement.style.colorScheme = theme
  }, [theme])
  const other: Theme = theme === 'light' ? 'dark' : 'light'
  const choose = () => {
    localStorage.setItem(key, other)
    setTheme(other)
  }
  return (
    <button type="button" className="icon-button" onClick={choose} aria-label={`Use the ${other} theme`} title={`Use the ${other} theme`}>
      <svg viewBox="0 0 24 24" width="18" height="18" aria-hidden="true">
        <circle cx="12" cy="12" r="8.5" fill="none" stroke="currentColor" strokeWidth="2" />
        <path d="M12 3.500a8.500 8.500 0 0 1 0 17z" fill="currentColor" />
      </svg>
    </button>
  )
}

function preferred(): Theme {
  const chosen = localStorage.getItem(key)
  if (chosen === 'light' || chosen === 'dark') return chosen
  return matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'
}
