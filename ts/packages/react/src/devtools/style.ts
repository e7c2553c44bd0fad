/** The panel's own styles; every name begins with `pando-`. */
export const css = `
.pando-devtools {
  color-scheme: light dark;
  --pando-ground: light-dark(#fff, #16201b);
  --pando-raised: light-dark(#f1f5f2, #1f2c25);
  --pando-line: light-dark(#d5dfd8, #33443a);
  --pando-ink: light-dark(#18231d, #e4ece7);
  --pando-faint: light-dark(#55655c, #9cafa4);
  --pando-good: light-dark(#17753f, #62c98d);
  --pando-busy: light-dark(#8a5a00, #e5b54d);
  --pando-bad: light-dark(#b3261e, #ff8a80);
  position: fixed; inset: auto 12px 12px auto; z-index: 2147483000;
  display: flex; flex-direction: column; align-items: flex-end; gap: 8px; max-width: calc(100vw - 24px);
  font: 13px/1.45 ui-sans-serif, system-ui, sans-serif; color: var(--pando-ink); text-align: left;
}
.pando-devtools * { box-sizing: border-box; }
.pando-devtools button { font: inherit; color: inherit; background: none; border: 0; padding: 0; margin: 0; cursor: pointer; }
.pando-devtools button:focus-visible, .pando-body:focus-visible { outline: 2px solid var(--pando-good); outline-offset: -2px; }
.pando-devtools .pando-toggle {
  padding: 6px 12px; border: 1px solid var(--pando-line); border-radius: 999px; background: var(--pando-ground);
  font-weight: 600; box-shadow: 0 2px 10px rgb(0 0 0 / .18);
  max-width: 100%; overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
}
.pando-toggle span { font-weight: 400; color: var(--pando-faint); }
.pando-panel {
  display: flex; flex-direction: column; width: min(920px, calc(100vw - 24px)); height: min(380px, 60vh); overflow: hidden;
  border: 1px solid var(--pando-line); border-radius: 12px; background: var(--pando-ground); box-shadow: 0 8px 32px rgb(0 0 0 / .24);
}
.pando-panel header {
  display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: 4px 16px;
  padding: 0 14px; background: var(--pando-raised); border-bottom: 1px solid var(--pando-line);
}
.pando-panel header > span { padding: 8px 0; }
.pando-panel nav { display: flex; gap: 16px; margin: 0; padding: 0; }
.pando-panel [role=tab] { padding: 8px 0 6px; border-bottom: 2px solid transparent; color: var(--pando-faint); }
.pando-panel [role=tab][aria-selected=true] { color: var(--pando-ink); border-color: var(--pando-good); }
.pando-panel small { font-size: 11px; color: var(--pando-faint); font-variant-numeric: tabular-nums; }
.pando-system { margin: 0; padding: 6px 14px; border-bottom: 1px solid var(--pando-line); }
.pando-devtools .pando-maintenance { color: var(--pando-busy); }
.pando-body { flex: 1; min-height: 0; overflow: auto; scrollbar-width: thin; }
.pando-body table { width: 100%; border-collapse: collapse; font-size: 12px; }
.pando-body th, .pando-body td { padding: 5px 8px; text-align: left; vertical-align: top; border-bottom: 1px solid var(--pando-line); white-space: nowrap; }
.pando-body :is(th, td):first-child { padding-left: 14px; }
.pando-body :is(th, td):last-child { padding-right: 14px; }
.pando-body th { position: sticky; top: 0; background: var(--pando-ground); font-weight: 500; color: var(--pando-faint); }
.pando-body td { font-family: ui-monospace, monospace; }
.pando-body .pando-number { font-variant-numeric: tabular-nums; }
.pando-body .pando-text { width: 100%; max-width: 0; overflow: hidden; text-overflow: ellipsis; }
.pando-text button { display: block; width: 100%; overflow: hidden; text-overflow: ellipsis; text-align: left; }
.pando-shown { background: var(--pando-raised); }
.pando-body .pando-shown button { white-space: pre-wrap; overflow-wrap: anywhere; }
.pando-empty { margin: 0; padding: 28px 14px; text-align: center; color: var(--pando-faint); }
.pando-badge { display: inline-block; margin-right: 4px; font-weight: 600; color: var(--pando-busy); }
.pando-badge:is(.pando-live, .pando-confirmed) { color: var(--pando-good); }
.pando-badge:is(.pando-denied, .pando-error) { color: var(--pando-bad); }
.pando-dot { display: inline-block; width: 8px; height: 8px; margin-right: 3px; border-radius: 50%; background: var(--pando-busy); }
.pando-dot.pando-online { background: var(--pando-good); }
.pando-dot.pando-idle { background: var(--pando-faint); }
.pando-dot:is(.pando-closed, .pando-needs-auth) { background: var(--pando-bad); }
`
