"""What an operator does to a running programme: its topics made and checked, its lag measured."""
