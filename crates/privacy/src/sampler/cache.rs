//! Finished tables, kept because every round of a task uses the same few, one for each layer of noise, and a wide one takes a
//! fraction of a second.

use std::sync::{Arc, Mutex, PoisonError};

use super::law::Law;
use super::table::NoiseTable;

/// Tables kept; the widest takes 2 MiB.
const CAPACITY: usize = 16;

struct Kept {
    law: Law,
    table: Arc<NoiseTable>,
}

static TABLES: Mutex<Vec<Kept>> = Mutex::new(Vec::new());

/// The table of a law, built if it is not kept; the oldest one gives way.
pub(super) fn table(law: Law) -> Option<Arc<NoiseTable>> {
    // A table is put in whole, so a panic elsewhere cannot have left half of one.
    let find = |tables: &[Kept]| {
        tables
            .iter()
            .find(|kept| kept.law == law)
            .map(|kept| Arc::clone(&kept.table))
    };
    if let Some(table) = find(&TABLES.lock().unwrap_or_else(PoisonError::into_inner)) {
        return Some(table);
    }
    // Built outside the lock: two threads may do the same work once, none waits for another law.
    let table = Arc::new(NoiseTable::new(law)?);
    let mut tables = TABLES.lock().unwrap_or_else(PoisonError::into_inner);
    if tables.len() >= CAPACITY {
        tables.remove(0);
    }
    tables.push(Kept {
        law,
        table: Arc::clone(&table),
    });
    Some(table)
}
