"""Parts of the wire that are switched on when the Rust side has them: one line each, then `check.py --write`. A switch that
is on for good goes, with the `OFF` fields and the branches that ask for it."""

# 06 section 4: `uploads_root` in the charge, `upload_proof` in the reveal request.
UPLOADS_ROOT = True
