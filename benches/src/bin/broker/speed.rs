//! Deliveries in a second, as many as go without loss.

use crate::{
    Outcome,
    cell::{Cell, Rival},
    load::{self, Speed},
    options::Options,
    say,
    servers::Servers,
    table::{geometric_mean, grouped, json, median, or_none},
};

/// The rounds of one cell: for each rival, in each round.
struct Rounds {
    cell: Cell,
    samples: Vec<(Rival, Speed)>,
    has_nats: bool,
}

pub(crate) fn measure(servers: &Servers, options: &Options) -> Outcome<()> {
    if !options.is_json {
        say(&Rounds::head())?;
    }
    let mut all = Vec::new();
    for &cell in &options.cells {
        let rounds = Rounds::of(cell, servers, options)?;
        match options.is_json {
            true => say(&rounds.json())?,
            false => say(&rounds.line())?,
        }
        all.push(rounds);
    }
    summarise(&all, options)
}

/// The mean of all ratios, and the least of them.
fn summarise(all: &[Rounds], options: &Options) -> Outcome<()> {
    let ratios: Vec<f64> = all.iter().filter_map(|rounds| rounds.ratio(Rival::Tcp)).collect();
    let mean = geometric_mean(&ratios);
    let least = ratios.iter().copied().reduce(f64::min);
    if options.is_json {
        return say(&format!(
            "{{\"part\":\"speed\",\"geometric_mean\":{},\"least\":{}}}",
            json(mean),
            json(least)
        ));
    }
    let shown = |figure: Option<f64>| or_none(figure, |it| format!("{it:.2}"));
    say(&format!("tcp ÷ nats: geometric mean {}, least {}", shown(mean), shown(least)))
}

impl Rounds {
    /// The rivals take turns, so that whatever else the machine does hits all of them.
    fn of(cell: Cell, servers: &Servers, options: &Options) -> Outcome<Self> {
        let mut samples = Vec::new();
        for _ in 0..options.rounds {
            for &rival in &options.rivals {
                if let Some(place) = servers.place(rival, cell.shape) {
                    let speed = load::speed(cell, &place, options.span)
                        .map_err(|error| format!("{cell} through {}: {error}", rival.name()))?;
                    samples.push((rival, speed));
                }
            }
        }
        Ok(Self { cell, samples, has_nats: servers.nats.is_some() })
    }

    fn head() -> String {
        format!(
            "{:<18}{:>13}{:>13}{:>7}{:>13}{:>7}   {:>8}{:>8}{:>8}",
            "deliveries/s", "nats", "tcp", "ratio", "unix", "ratio", "nats ns", "tcp ns", "unix ns"
        )
    }

    fn line(&self) -> String {
        let rate = |rival| match rival {
            Rival::Nats if !self.has_nats => "not installed".into(),
            _ => or_none(self.rate(rival), grouped),
        };
        let ratio = |rival| or_none(self.ratio(rival), |it| format!("{it:.2}"));
        let cpu = |rival| or_none(self.median(rival, |it| it.cpu), |it| format!("{it:.0}"));
        format!(
            "{:<18}{:>13}{:>13}{:>7}{:>13}{:>7}   {:>8}{:>8}{:>8}",
            self.cell.to_string(),
            rate(Rival::Nats),
            rate(Rival::Tcp),
            ratio(Rival::Tcp),
            rate(Rival::Unix),
            ratio(Rival::Unix),
            cpu(Rival::Nats),
            cpu(Rival::Tcp),
            cpu(Rival::Unix)
        )
    }

    fn json(&self) -> String {
        let rivals: Vec<String> = Rival::ALL
            .iter()
            .map(|&rival| {
                format!(
                    "\"{}\":{{\"per_second\":{},\"vs_nats\":{},\"cpu_ns\":{}}}",
                    rival.name(),
                    json(self.rate(rival)),
                    json(self.ratio(rival)),
                    json(self.median(rival, |it| it.cpu))
                )
            })
            .collect();
        format!("{{\"part\":\"speed\",\"cell\":\"{}\",{}}}", self.cell, rivals.join(","))
    }

    fn rate(&self, rival: Rival) -> Option<f64> {
        self.median(rival, |it| it.rate)
    }

    /// The median over the rounds of what divides it and nats-server, since both saw the same weather.
    fn ratio(&self, rival: Rival) -> Option<f64> {
        let pairs = self.of_rival(rival).zip(self.of_rival(Rival::Nats));
        let ratios: Vec<f64> = pairs.map(|(one, nats)| one.rate / nats.rate).collect();
        (!ratios.is_empty()).then(|| median(ratios))
    }

    fn median(&self, rival: Rival, figure: impl Fn(&Speed) -> f64) -> Option<f64> {
        let figures: Vec<f64> = self.of_rival(rival).map(figure).collect();
        (!figures.is_empty()).then(|| median(figures))
    }

    fn of_rival(&self, rival: Rival) -> impl Iterator<Item = &Speed> {
        self.samples.iter().filter(move |(whose, _)| *whose == rival).map(|(_, speed)| speed)
    }
}
