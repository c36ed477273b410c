"""The command line: a module for each command, thin: it parses, builds, calls and prints."""
