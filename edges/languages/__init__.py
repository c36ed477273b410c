"""The languages of what people read: every text in a catalogue for each (`en.json`, `nb.json`), and the choice."""
