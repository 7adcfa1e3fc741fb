//! One file a route.

pub mod add;
pub mod assets;
pub mod consultation;
pub mod count;
pub mod events;
pub mod health;
pub mod live;
pub mod messages;
pub mod metrics;
pub mod openapi;
pub mod root;
pub mod status;
