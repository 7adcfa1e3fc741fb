//! Remote repositories: a directory, and a bucket of a real S3 server on loopback, with faults between where wanted.

mod as_of;
mod damage;
mod encryption;
mod faults;
mod locks;
mod order;
mod proxy;
mod prune;
mod refused;
mod round_trip;
mod store;
mod vault;
