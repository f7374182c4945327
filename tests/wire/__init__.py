"""Raw bytes against a live Sennit and against its in-process `Channel`."""
