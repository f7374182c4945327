"""`python -m sennit` is the command `sennit`."""

from sennit.serving.command import main

main()
