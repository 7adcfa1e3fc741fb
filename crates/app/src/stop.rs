//! The request to stop the service, shared by all its parts.

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

#[derive(Clone, Debug)]
pub(crate) struct Stop {
    asked: watch::Receiver<bool>,
}

impl Stop {
    /// Listens for SIGTERM and SIGINT from now on.
    pub(crate) fn on_signal() -> anyhow::Result<Self> {
        let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
        let (ask, asked) = watch::channel(false);
        tokio::spawn(async move {
            let signal = tokio::select! { _ = terminate.recv() => "SIGTERM", _ = interrupt.recv() => "SIGINT" };
            tracing::info!(signal, "stopping");
            ask.send_replace(true);
            ask.closed().await;
        });
        Ok(Self { asked })
    }

    pub(crate) fn is_asked(&self) -> bool {
        *self.asked.borrow()
    }

    pub(crate) async fn asked(mut self) {
        // An error means that the sender is gone, and with it the task that listens for signals: stop as well.
        if self.asked.wait_for(|asked| *asked).await.is_err() {
            tracing::error!("the signal listener has ended");
        }
    }
}
