"""The sequencing rules as pure functions: definition, calendar, state machine, decide, gate, templates."""
