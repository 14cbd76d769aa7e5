//! What a pool promises, over real carriers and, where time matters, in virtual time.

mod cancelled;
mod crowded;
mod ending;
mod healthy;
mod lasting;
mod metered;
mod reused;
mod scene;
