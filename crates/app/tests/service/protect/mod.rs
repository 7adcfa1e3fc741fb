//! `--protect sync`: what was acknowledged survives the loss of the database's volume.

mod damage;
mod fenced;
mod going_back;
mod killed;
mod policy;
mod pruned;
mod recovered;
mod shim;
mod volumes;
