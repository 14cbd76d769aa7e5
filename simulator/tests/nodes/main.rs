//! Whole nodes in virtual time: what must hold of every run, and proof that each check would notice.
//!
//! `SEED=n` replays the scenario of one seed, `SEEDS=n` sweeps over so many.

mod caught;
mod coverage;
mod scenarios;
mod seeds;
