//! Durable state behind one trait; SQLite by default.
