//! When all is calm, all agree.

use crate::nodes::{
    check::Check,
    log::{Entry, What},
    truth::Truth,
};

/// At the end of a run, those that run know each other as alive, in one version, and nobody else as
/// there. The run waits for that no longer than it may take.
#[derive(Debug)]
pub(crate) struct Convergence;

impl Check for Convergence {
    fn name(&self) -> &'static str {
        "convergence after calm"
    }

    fn see(&mut self, entry: &Entry, truth: &Truth) -> Result<(), String> {
        match entry.what {
            What::Over => truth.disagreement().map_or(Ok(()), Err),
            _ => Ok(()),
        }
    }
}
