"""What web programs use of Twisted's general-purpose package: failures, logging, components, thread pools."""
