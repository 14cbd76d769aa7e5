//! The figures of all rounds, for people and for programs.

use crate::{
    case::{Carrier, Case, Rival, Work},
    peer::say,
    run::{Sample, median},
};

/// The rounds of one case: a sample for each rival, in each round.
pub(crate) struct Rounds {
    case: Case,
    samples: Vec<(Rival, Sample)>,
}

impl Rounds {
    pub(crate) fn of(case: Case) -> Self {
        Self { case, samples: Vec::new() }
    }

    pub(crate) fn add(&mut self, rival: Rival, sample: Sample) {
        self.samples.push((rival, sample));
    }

    pub(crate) fn print(&self) {
        self.rivals().for_each(|rival| say(&self.line(rival)));
    }

    pub(crate) fn print_json(&self) {
        self.rivals().for_each(|rival| say(&self.json(rival)));
    }

    fn rivals(&self) -> impl Iterator<Item = Rival> {
        self.case.rivals().filter(|&rival| self.of_rival(rival).next().is_some())
    }

    fn line(&self, rival: Rival) -> String {
        let (rate, cpu) = (self.median(rival, |s| s.rate), self.median(rival, |s| s.cpu));
        let figures = match self.case.work {
            Work::Stream(size) => format!(
                "{:>12} /s {:>7.0} MB/s {:>8}",
                grouped(rate),
                rate * size as f64 / 1e6,
                self.lost(rival)
            ),
            Work::Handshakes => format!("{:>12} /s {:>12} {:>8}", grouped(rate), "", ""),
            _ => {
                format!("{:>12.1} µs {:>12} {:>8}", 1e6 / rate, "", "")
            }
        };
        let name = format!("{} {}", self.case, self.doing(rival));
        let ratios = format!(
            "{:>7} {:>7}",
            self.versus(rival, Rival::Bare),
            self.second(rival).map_or_else(|| "-".into(), |second| self.versus(rival, second))
        );
        format!("{name:<40} {figures} {cpu:>9.0} ns {ratios}")
    }

    /// Whom the last column compares with: what signs with what does not, or is signed by hand.
    fn second(&self, rival: Rival) -> Option<Rival> {
        match (rival.is_endpoint(), self.case.carrier, self.case.work) {
            (true, Carrier::Udp, Work::Stream(_)) => Some(Rival::Proof),
            (true, ..) => Some(Rival::Ours),
            (false, ..) => self.case.second(),
        }
    }

    fn json(&self, rival: Rival) -> String {
        let ratio =
            |other| self.ratio(rival, other).map_or_else(|| "null".into(), |r| format!("{r:.3}"));
        format!(
            "{{\"case\":\"{}\",\"rival\":\"{}\",\"per_second\":{:.1},\"bytes\":{},\
             \"cpu_ns\":{:.1},\"lost\":{:.4},\"rate_vs_bare\":{},\"rate_vs_codec\":{},\
             \"rate_vs_offload\":{},\"rate_vs_ours\":{},\"rate_vs_proof\":{},\"rounds\":{}}}",
            self.case,
            rival.name(),
            self.median(rival, |s| s.rate),
            self.case.size(),
            self.median(rival, |s| s.cpu),
            self.median(rival, |s| s.lost),
            ratio(Rival::Bare),
            ratio(Rival::Codec),
            ratio(Rival::Offload),
            ratio(Rival::Ours),
            ratio(Rival::Proof),
            self.of_rival(rival).count(),
        )
    }

    /// What the rival does, which is not the same in every case.
    fn doing(&self, rival: Rival) -> &'static str {
        match (rival, self.case.carrier, self.case.work) {
            (Rival::Ours, ..) => "rumormill",
            (Rival::Codec, ..) => "LengthDelimitedCodec",
            (Rival::Offload, ..) => "raw GSO loop",
            (Rival::Proof, ..) => "sign and verify, bare",
            (Rival::Signed, ..) => "rumormill, signed",
            (Rival::Single, ..) => "rumormill, each signed",
            (Rival::Trusting, ..) => "rumormill, unless-secure",
            (Rival::Bare, Carrier::Udp, _) => "a call per datagram",
            (Rival::Bare, Carrier::Tls, _) => "bare tokio-rustls",
            (Rival::Bare, Carrier::Quic, _) => "bare quinn",
            (Rival::Bare, _, Work::Stream(_)) => "raw, large writes",
            (Rival::Bare, ..) => "bare tokio",
        }
    }

    fn lost(&self, rival: Rival) -> String {
        match self.case.carrier {
            Carrier::Udp => format!("{:.0}% lost", 100.0 * self.median(rival, |s| s.lost)),
            _ => String::new(),
        }
    }

    /// How much faster than `other`, or how much slower where it is time that counts.
    fn versus(&self, rival: Rival, other: Rival) -> String {
        match (self.ratio(rival, other), self.case.work) {
            (Some(ratio), _) if rival == other || ratio.is_nan() => "1".into(),
            (Some(ratio), work) if work.is_timed() => format!("{:.2}", 1.0 / ratio),
            (Some(ratio), _) => format!("{ratio:.2}"),
            (None, _) => "-".into(),
        }
    }

    /// The median over the rounds of what divides the two, since both saw the same weather.
    fn ratio(&self, rival: Rival, other: Rival) -> Option<f64> {
        let pairs = self.of_rival(rival).zip(self.of_rival(other));
        let mut ratios = pairs.map(|(mine, other)| mine.rate / other.rate).peekable();
        ratios.peek().is_some().then(|| median(ratios))
    }

    fn median(&self, rival: Rival, figure: impl Fn(&Sample) -> f64) -> f64 {
        median(self.of_rival(rival).map(figure))
    }

    fn of_rival(&self, rival: Rival) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(move |(whose, _)| *whose == rival).map(|(_, sample)| sample)
    }
}

pub(crate) fn print_head() {
    say(&format!(
        "{:<40} {:>15} {:>12} {:>8} {:>12} {:>7} {:>7}",
        "case", "messages", "", "", "CPU each", "÷ bare", "÷ 2nd"
    ));
}

/// `12345678` as `12 345 678`.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if 0 < at && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}
