"""Tacita's round a second time, in Python, written from the pages of `protocol-spec/` and not from the Rust code.

For checking, not for use: nothing here runs in constant time or wipes a secret. One module is one idea; each cites the
section that it follows.
"""
