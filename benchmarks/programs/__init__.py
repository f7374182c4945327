"""What the servers run: one program per server or interface, and one per scenario for Sennit."""
