//! Remote repositories: a directory, and a bucket of a real S3 server on loopback, with faults between where wanted.

mod damage;
mod encryption;
mod faults;
mod hostile;
mod order;
mod proxy;
mod prune;
mod refused;
mod round_trip;
mod store;

pub use hostile::answering;
pub use store::Store;
