"""Parts of the wire that are switched on when the Rust side has them: one line each, then `check.py --write`. A switch that
is on for good goes, with the `OFF` fields and the branches that ask for it."""

# 02 sections 3.2 to 3.6: ML-KEM beside X25519, four leaves a holder, U1 in the upload digest.
POST_QUANTUM = False
# 04 section 5: `noise_levels` behind `share_variance_q16`, `noise_seed` in the reveal.
NOISE_LEVELS = False
# 06 section 4: `uploads_root` in the charge, `upload_proof` in the reveal request.
UPLOADS_ROOT = False
