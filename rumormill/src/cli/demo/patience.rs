//! How long to wait for what should come true.

use std::{fs, thread, time::Duration};

/// So long, on an idle machine and in a small cluster; longer on a busy one, in a large one, and where
/// messages are lost or late.
pub(super) fn patience(base: Duration, nodes: usize, is_calm: bool) -> Duration {
    scaled(base, nodes, load(), is_calm)
}

fn scaled(base: Duration, nodes: usize, load: f64, is_calm: bool) -> Duration {
    let crowd = (nodes as f64 / SMALL).max(1.0);
    let chaos = if is_calm { 1.0 } else { 2.0 };
    base.mul_f64(crowd * load.clamp(1.0, MOST) * chaos)
}

/// How many want to run for each core, where the system tells; one where not.
fn load() -> f64 {
    let cores = thread::available_parallelism().map_or(1, usize::from) as f64;
    let load = fs::read_to_string("/proc/loadavg").ok();
    let load = load.and_then(|load| load.split(' ').next()?.parse::<f64>().ok());
    load.map_or(1.0, |load| load / cores)
}

/// Nodes that no machine minds.
const SMALL: f64 = 8.0;
/// Nobody waits longer, whatever else is going on.
const MOST: f64 = 8.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_crowds_and_chaos_take_longer() {
        let base = Duration::from_secs(1);
        let check = |nodes, load, is_calm, expected| {
            assert_eq!(scaled(base, nodes, load, is_calm), Duration::from_secs(expected));
        };
        check(3, 0.1, true, 1);
        check(3, 2.0, true, 2);
        check(16, 2.0, true, 4);
        check(16, 2.0, false, 8);
        check(8, 1e9, true, 8);
    }
}
