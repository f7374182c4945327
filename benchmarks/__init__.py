"""Sennit beside its peers and beside a bare epoll loop, measured in one run: `python -m benchmarks`."""
