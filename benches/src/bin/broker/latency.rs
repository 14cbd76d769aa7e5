//! What a message takes from the moment when it is due until a subscriber has it.

use crate::{
    Outcome,
    cell::{Cell, Shape},
    load,
    options::Options,
    say,
    servers::Servers,
    table::{json, median, or_none},
};

pub(crate) fn measure(servers: &Servers, options: &Options) -> Outcome<()> {
    let mut samples = Vec::new();
    for _ in 0..options.rounds {
        for &rival in &options.rivals {
            if let Some(place) = servers.place(rival, CELL.shape) {
                let delays = load::delays(CELL, &place, options.span, RATE, load::WARM_UP)?;
                samples.push((rival, delays.permille(500), delays.permille(990)));
            }
        }
    }
    if !options.is_json {
        say(&format!("{CELL} at {RATE}/s   {:>10}{:>10}", "p50 µs", "p99 µs"))?;
    }
    for &rival in &options.rivals {
        let of_rival = || samples.iter().filter(|(whose, ..)| *whose == rival);
        let p50 = Some(median(of_rival().map(|(_, p50, _)| *p50)));
        let p99 = Some(median(of_rival().map(|(.., p99)| *p99)));
        let name = rival.name();
        if options.is_json {
            let (p50, p99) = (json(p50), json(p99));
            say(&format!(
                "{{\"part\":\"latency\",\"rival\":\"{name}\",\"p50_us\":{p50},\"p99_us\":{p99}}}"
            ))?;
        } else {
            let shown = |figure| or_none(figure, |it| format!("{it:.0}"));
            say(&format!("{name:<24}{:>10}{:>10}", shown(p50), shown(p99)))?;
        }
    }
    Ok(())
}

const CELL: Cell = Cell { size: 1 << 10, shape: Shape::Fanout(1) };
/// Messages in a second.
const RATE: u32 = 10_000;
