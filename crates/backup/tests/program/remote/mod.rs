//! Remote repositories: a directory, and a bucket of a real S3 server on loopback, with faults between where wanted.

mod append_only;
mod damage;
mod encryption;
mod faults;
mod history;
mod order;
mod proxy;
mod prune;
mod refused;
mod round_trip;
mod sealed;
mod signed;
mod store;
mod transport;
