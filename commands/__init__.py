"""The command line: each command stands in the module of its name, thin, as the attribute `command`."""
