"""What the wire tests stand on: a strict response reader, a raw client, and the server under test."""
