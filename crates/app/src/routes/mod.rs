//! One file a route.

pub mod add;
pub mod consultation;
pub mod count;
pub mod health;
pub mod live;
pub mod metrics;
pub mod root;
pub mod status;
