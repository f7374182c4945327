"""What is known of other processes, and threads, that serve the same program."""

# True in the workers of `sennit serve`, from before the program is loaded, if there are to be several.
servedBySeveral = False

# True from before the program is loaded, if `sennit serve` has several event loops in a process.
servedByThreads = False
