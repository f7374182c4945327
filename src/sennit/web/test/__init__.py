"""What tests of programs for Twisted import; new tests find all of it in `sennit.web.testing`."""
