//! One subscriber of a hundred that has stopped reading: what the others notice, and what it costs.

use std::time::Duration;

use rumormill_broker::wire::{Hello, Request, Subscribe};
use rumormill_registry::Registry;
use rumormill_transport_api::{AnyConn, Batch, Target, Writer};
use tokio::runtime::Builder;

use crate::{
    Outcome,
    cell::{Cell, Shape},
    load,
    options::Options,
    say,
    serve::{FULL, POLICIES},
    servers::{Place, Servers},
    table::{grouped, json, median},
    usage::Usage,
};

pub(crate) fn measure(servers: &mut Servers, options: &Options) -> Outcome<()> {
    if !options.is_json {
        say(&format!(
            "{:<26}{:>10}{:>10}{:>8}{:>14}{:>14}",
            "1 of 100 has stopped", "p99 µs", "without", "ratio", "messages held", "RSS grew"
        ))?;
    }
    let rounds = if options.is_quick { 1 } else { ROUNDS };
    for (topic, _) in POLICIES {
        let of_topic: Outcome<Vec<Round>> =
            (0..rounds).map(|_| Round::run(topic, servers, options)).collect();
        report(topic, &of_topic?, options)?;
    }
    Ok(())
}

fn report(topic: &str, rounds: &[Round], options: &Options) -> Outcome<()> {
    let of = |figure: fn(&Round) -> f64| median(rounds.iter().map(figure));
    let (with, without) = (of(|it| it.with), of(|it| it.without));
    let ratio = of(|it| it.with / it.without);
    let held = rounds.iter().map(|it| it.held).fold(0.0, f64::max);
    let grew = rounds.iter().map(|it| it.grew).fold(0.0, f64::max);
    if options.is_json {
        return say(&format!(
            "{{\"part\":\"stopped\",\"policy\":\"{topic}\",\"p99_us\":{},\"p99_without_us\":{},\
             \"ratio\":{},\"held\":{held:.0},\"rss_grew\":{grew:.0}}}",
            json(Some(with)),
            json(Some(without)),
            json(Some(ratio))
        ));
    }
    say(&format!(
        "{topic:<26}{with:>10.0}{without:>10.0}{ratio:>8.2}{:>14}{:>14}",
        grouped(held),
        grouped(grew)
    ))
}

/// The same load with somebody who has stopped, and without.
struct Round {
    /// The p99 of the others, in microseconds.
    with: f64,
    without: f64,
    /// Bytes of messages that the broker holds while somebody has stopped, and by how many its memory
    /// has grown since the beginning.
    held: f64,
    grew: f64,
}

impl Round {
    fn run(topic: &str, servers: &mut Servers, options: &Options) -> Outcome<Self> {
        let place = servers.ours.place(&servers.ours.tcp, topic);
        let (skip, span) = match options.is_quick {
            true => (options.span, options.span),
            false => (SKIP, options.span),
        };
        let p99 = || Outcome::Ok(load::delays(CELL, &place, span, RATE, skip)?.permille(990));
        let without = p99()?;
        let before = resident(servers)?;
        let stopped = Stopped::subscribe(&place)?;
        let with = p99()?;
        let held = servers.ours.server.ask()?.parse()?;
        let grew = resident(servers)? - before;
        drop(stopped);
        if options.is_quick || held <= MOST_HELD {
            return Ok(Self { with, without, held, grew });
        }
        Err(format!("{topic}: the broker holds {held} bytes of messages").into())
    }
}

fn resident(servers: &Servers) -> Outcome<f64> {
    Ok(Usage::of(servers.ours.server.process())?.resident as f64)
}

/// A conn that has subscribed, and of which nothing is read any more.
struct Stopped {
    _conn: AnyConn,
    _runtime: tokio::runtime::Runtime,
}

impl Stopped {
    fn subscribe(place: &Place) -> Outcome<Self> {
        let Place::Ours { addr, topic, .. } = place else { return Err("not ours".into()) };
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let conn = runtime.block_on(async {
            let mut conn = Registry::linked()?.dial(&Target::new(addr.clone())).await?;
            let subscribe = Subscribe { topic: topic.as_str(), window: WINDOW, resume: None };
            let requests = [
                Request::Hello(Hello { nonce: [0; 32], node: None }),
                Request::Subscribe(subscribe),
            ];
            conn.writer.send(&mut Batch::from_iter(requests.map(|it| it.encode()))).await?;
            Outcome::Ok(conn)
        })?;
        Ok(Self { _conn: conn, _runtime: runtime })
    }
}

/// The others.
const CELL: Cell = Cell { size: 1 << 10, shape: Shape::Fanout(99) };
/// Messages in a second.
const RATE: u32 = 400;
/// Bytes that are on their way to whoever has stopped, before anything waits.
const WINDOW: u32 = 64 << 10;
/// After that, what waits is as much as may.
const SKIP: Duration = Duration::from_millis(1200);
/// What waits for whoever has stopped, and what is under way to the others.
const MOST_HELD: f64 = 2.0 * (FULL + WINDOW as usize) as f64;
const ROUNDS: usize = 9;
