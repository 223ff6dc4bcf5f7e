//! CPU work off the runtime: twice as many pieces at once as there are cores, so that none waits for the runtime to hand out
//! the next one, whatever the number of clients in the process.

use std::sync::{Arc, LazyLock};

use tokio::sync::Semaphore;

static CORES: LazyLock<Arc<Semaphore>> = LazyLock::new(|| {
    Arc::new(Semaphore::new(
        std::thread::available_parallelism().map_or(2, |n| 2 * n.get()),
    ))
});

/// Runs `work` on a worker thread once a core is free. `None` if the work panicked or the runtime is stopping.
pub(crate) async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let permit = CORES.clone().acquire_owned().await.ok()?;
    tokio::task::spawn_blocking(move || {
        let out = work();
        drop(permit);
        out
    })
    .await
    .ok()
}
