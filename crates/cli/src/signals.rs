//! Ctrl-C and SIGTERM ask a running service to stop after the round it is in; a second one ends the process.

use tokio::sync::watch;

/// Turns true at the first signal. Has to be called on a tokio runtime.
pub(crate) fn stop() -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        signal().await;
        tracing::warn!("stopping after this round; a second signal ends at once");
        let _ = sender.send(true);
        signal().await;
        std::process::exit(130);
    });
    receiver
}

async fn signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
