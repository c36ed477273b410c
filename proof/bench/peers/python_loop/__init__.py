"""The job as a loop written by hand."""
