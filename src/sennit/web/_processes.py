"""What is known of other processes that serve the same program."""

# True in the workers of `sennit serve`, from before the program is loaded, if there are to be several.
servedBySeveral = False
