"""A shop's data: found, read, checked and handed over under contract; its proposals and their ledger on disk."""
