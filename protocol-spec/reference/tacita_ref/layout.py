"""Parts of the wire that are switched on when the Rust side has them: one line each, then `check.py --write`. A switch that
is on for good goes, with the `OFF` fields and the branches that ask for it."""

# 04 section 5: `noise_levels` behind `share_variance_q16`, `noise_seed` in the reveal.
NOISE_LEVELS = False
# 06 section 4: `uploads_root` in the charge, `upload_proof` in the reveal request.
UPLOADS_ROOT = True
