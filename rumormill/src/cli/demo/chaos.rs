//! What messages suffer: `loss=10,delay=50ms`.

use std::{fmt, time::Duration};

use rumormill::transport::{Delivery, OptionSpec, Options};
use rumormill_transport_conformance::Faults;

/// What messages suffer on their way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Chaos {
    /// How many of a hundred datagrams are lost. A stream sends again what its packets lose, so there
    /// it would be a delay.
    pub(super) loss: u8,
    /// How much later each message arrives.
    pub(super) delay: Duration,
}

impl Chaos {
    /// As the options of addresses are written, with a comma between them.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let pairs = text.split(',').map(|pair| pair.split_once('='));
        let pairs: Option<Vec<_>> = pairs.collect();
        let options: Options = pairs.ok_or(TAKES)?.into_iter().collect();
        let chaos = options.check(KNOWN).and_then(|()| {
            let loss = options.number("loss", 0..=MOST_LOSS)?.unwrap_or_default();
            let delay = options.duration("delay")?.unwrap_or_default();
            Ok(Self { loss, delay })
        });
        match chaos {
            Ok(chaos) if chaos.delay <= MOST_DELAY => Ok(chaos),
            Ok(_) => Err(format!("a delay is at most {MOST_DELAY:?}: others would be too slow")),
            Err(error) => Err(format!("{error}; {TAKES}")),
        }
    }

    /// What a transport does to its conns that delivers so. Each node throws its own dice.
    pub(super) fn faults(self, delivery: Delivery, seed: u64) -> Faults {
        let drop = match delivery {
            // Both ends throw dice: what both let through is to be what is not lost.
            Delivery::Datagram => 1.0 - (1.0 - f64::from(self.loss) / 100.0).sqrt(),
            _ => 0.0,
        };
        Faults { seed, drop, delay: self.delay, ..Faults::default() }
    }

    /// Whether nothing is suffered.
    pub(super) fn is_calm(self) -> bool {
        self == Self::default()
    }
}

impl fmt::Display for Chaos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "loss={},delay={}ms", self.loss, self.delay.as_millis())
    }
}

const TAKES: &str = "write loss=PERCENT, delay=TIME or both, as in loss=10,delay=50ms";
const KNOWN: &[OptionSpec] = &[
    OptionSpec::new("delay", "0ms", "how much later each message arrives"),
    OptionSpec::new("loss", "0", "how many of a hundred datagrams are lost"),
];
/// Of more, whole rounds of probes are lost, and members that live are missed, rightly.
const MOST_LOSS: u8 = 20;
/// Both ways of a probe have to fit into its time.
const MOST_DELAY: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chaos_is_written_as_it_is_read() {
        let both = Chaos { loss: 10, delay: Duration::from_millis(50) };
        assert_eq!(Chaos::parse("loss=10,delay=50ms"), Ok(both));
        assert_eq!(Chaos::parse(&both.to_string()), Ok(both));
        assert_eq!(Chaos::parse("loss=5").map(|chaos| chaos.loss), Ok(5));
        for text in ["", "loss", "loss=21", "loss=-1", "delay=5", "delay=1s", "los=1"] {
            assert!(Chaos::parse(text).is_err(), "{text}");
        }
        assert!(Chaos::default().is_calm() && !both.is_calm());
    }

    #[test]
    fn only_datagrams_get_lost() {
        let chaos = Chaos { loss: 19, delay: Duration::from_millis(50) };
        let faults = [Delivery::Datagram, Delivery::Stream].map(|it| chaos.faults(it, 0));
        let [datagrams, streams] = faults.map(|it| it.drop);
        assert!((datagrams - 0.1).abs() < 1e-9, "a tenth at each end");
        assert!(streams <= 0.0);
        assert_eq!(faults.map(|it| it.delay), [chaos.delay; 2]);
    }
}
