"""The command line: what stands between a shell and a program written for Sennit."""
