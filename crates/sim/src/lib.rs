//! A deterministic world for tests: honest and dishonest actors, checkers.
