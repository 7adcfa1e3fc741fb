//! What the routes share.

use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::admission::Admission;
use crate::bulletin::Bulletins;
use crate::config::Config;
use crate::connections::Connections;
use crate::metrics::Metrics;
use crate::protection::Looks;
use crate::stop::Stop;
use crate::store::Store;

pub(crate) struct Service {
    pub store: Arc<Store>,
    pub config: Config,
    /// What is asked of a request before it is served.
    pub admission: Admission,
    /// The last look at the database and its repository.
    pub looks: Looks,
    pub metrics: Metrics,
    /// The way to everyone who watches the page.
    pub bulletins: Bulletins,
    pub connections: Connections,
    pub stop: Stop,
    turns: Semaphore,
    pub started: Instant,
}

impl Service {
    pub(crate) fn new(
        config: Config,
        admission: Admission,
        looks: Looks,
        connections: Connections,
        stop: Stop,
    ) -> Self {
        let store = looks.store().clone();
        let (metrics, bulletins) = (Metrics::new(&store, &connections), Bulletins::new(&connections));
        let turns = Semaphore::new(Handle::current().metrics().num_workers());
        Self { config, admission, looks, store, metrics, bulletins, connections, stop, turns, started: Instant::now() }
    }

    /// Waits until this one of the answers that are much work may be made. As many are made at once as there are threads, so
    /// that what is little work, a probe above all, waits behind so many and not behind thousands.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // Nobody closes it.
        self.turns.acquire().await.ok()
    }
}
