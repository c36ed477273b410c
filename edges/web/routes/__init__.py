"""The routes, one module for each thing that people ask for."""
