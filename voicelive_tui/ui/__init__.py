"""The dashboard: it shows the state and passes keys on; it decides nothing about the conversation.

- `app` holds the theme, the keymap and the end; `dashboard` the layout, the bindings, the tick and the one worker.
- `canvas` draws lines on demand and repaints only the cells that changed; every pane draws through it. `scroll_list` is
  a canvas of items with a cursor.
- `keymap` checks `[keys]` of the configuration, `hints` puts the keys in force into sentences, `foot` shows them.
- `text`, `filters`, `rows`, `summary`, `entry_lines` and `latency` are plain functions: no widget, no clock.
- `panes` are given `session` (and `reading`) and post messages; they know nothing of the shell.

Text that came over the wire reaches the screen through `text.visible` alone, and never as markup.
"""
