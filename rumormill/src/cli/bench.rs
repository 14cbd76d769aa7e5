//! `rumormill bench`: how fast a peer echoes, or messages come through a topic.

#[cfg(feature = "broker")]
mod topic;

use std::{process::ExitCode, time::Duration};

use rumormill::{
    Addr,
    transport::{AnyConn, Timeouts},
};
use tokio::time::{Instant, interval_at, sleep_until};

use super::{
    Error, Result,
    flight::Flight,
    output,
    peer::{self, Peer},
    plan::Plan,
    quantity,
    report::Report,
    signals::Signals,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
A fifth of the time goes to round trips, one at a time; then batches are sent as fast as they come
back. SIGINT ends it early and prints what was measured.

With --broker and --topic, messages go through a topic in place of an echo: one at a time for a fifth of the
time, then as fast as the slowest subscriber takes them.

Example: rumormill bench tcp://127.0.0.1:7946 --size 64KiB --seconds 2
         rumormill bench --broker tcp://127.0.0.1:4322 --topic events --subscribers 8")]
pub(crate) struct Args {
    /// Where a `serve` listens
    #[cfg_attr(feature = "broker", arg(required_unless_present = "broker"))]
    #[cfg_attr(not(feature = "broker"), arg(required = true))]
    addr: Option<Addr>,
    /// Where a broker is, to measure that
    #[cfg(feature = "broker")]
    #[arg(long, value_name = "ADDR", requires = "topic", conflicts_with_all = ["addr", "batch"])]
    pub(super) broker: Option<Addr>,
    /// With --broker: the topic, whose policy should not drop messages that wait
    #[cfg(feature = "broker")]
    #[arg(long, value_name = "TOPIC", requires = "broker")]
    topic: Option<rumormill::broker::TopicName>,
    /// With --broker: subscribers, each with a conn of its own
    #[cfg(feature = "broker")]
    #[arg(long, value_name = "N", requires = "broker", default_value = "1", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    subscribers: u16,
    /// Bytes of a message, at least 8
    #[arg(short, long, default_value = "1KiB", value_parser = quantity::message_size)]
    size: usize,
    /// How long to measure
    #[arg(long, default_value = "5", value_parser = quantity::seconds)]
    seconds: Duration,
    /// Messages to send at once; fewer, if two such batches are more than 4MiB, or datagrams 256KiB
    #[arg(short, long, value_name = "N", default_value = "64", value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    peer: Peer,
}

pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    #[cfg(feature = "broker")]
    if let (Some(addr), Some(topic)) = (&args.broker, &args.topic) {
        return through(&args, addr, topic).await;
    }
    let addr = args.addr.as_ref().expect("invariant: it is required where there is no broker");
    let timeouts = args.peer.timeouts();
    let mut conn = args.peer.dial(addr, args.size).await?;
    let mut signals = Signals::new()?;
    let plan = Plan::new(args.size, args.batch as usize, conn.info.caps);
    let measurement = Measurement { addr, plan, timeouts, seconds: args.seconds };
    let report = measurement.run(&mut conn, &mut signals).await?;
    match args.json {
        true => output::line(report.value())?,
        false => output::line(report.text())?,
    }
    peer::close(conn, timeouts).await;
    Ok(ExitCode::SUCCESS)
}

/// Measures a topic.
#[cfg(feature = "broker")]
async fn through(
    args: &Args,
    addr: &Addr,
    topic: &rumormill::broker::TopicName,
) -> Result<ExitCode> {
    let mut signals = Signals::new()?;
    let (subscribers, size, seconds) = (args.subscribers.into(), args.size, args.seconds);
    let course = topic::Course { addr, topic, subscribers, size, seconds };
    let found = course.run(&args.peer, &mut signals).await?;
    match args.json {
        true => output::line(found.value())?,
        false => output::line(found.text())?,
    }
    Ok(ExitCode::SUCCESS)
}

struct Measurement<'a> {
    addr: &'a Addr,
    plan: Plan,
    timeouts: Timeouts,
    seconds: Duration,
}

impl Measurement<'_> {
    async fn run(self, conn: &mut AnyConn, signals: &mut Signals) -> Result<Report> {
        let AnyConn { reader, writer, .. } = conn;
        let flight = Flight::new(self.addr, self.plan, self.timeouts);
        let until = Instant::now() + self.seconds / 5;
        let round_trips = tokio::select! {
            round_trips = flight.round_trips(reader, writer, until) => round_trips?,
            () = signals.next() => return Err(Error::Interrupted),
        };
        if round_trips.count() == 0 {
            return Err(Error::Silent { addr: self.addr.clone() });
        }
        let silence = self.plan.silence(self.timeouts, &round_trips);
        let (accepted, echoed, began) = (flight.accepted(), flight.echoed(), Instant::now());
        self.flood(&flight, conn, silence, signals).await?;
        let (elapsed, accepted) = (began.elapsed(), flight.accepted() - accepted);
        let echoed = flight.echoed() - echoed;
        flight.drain(&mut conn.reader, &mut conn.writer, silence).await?;
        let (addr, plan, lost) = (self.addr.clone(), self.plan, flight.missing());
        Ok(Report { addr, plan, round_trips, elapsed, accepted, echoed, lost })
    }

    /// Sends and receives at once, until the rest of the time is over.
    async fn flood(
        &self,
        flight: &Flight<'_>,
        conn: &mut AnyConn,
        silence: Duration,
        signals: &mut Signals,
    ) -> Result<()> {
        let ended = tokio::select! {
            ended = flight.send(&mut conn.writer, silence) => ended.map(|never| match never {}),
            ended = flight.recv(&mut conn.reader) => ended.map(|never| match never {}),
            () = self.clock(flight, Instant::now()) => Ok(()),
            () = signals.next() => Ok(()),
        };
        output::end_progress();
        ended
    }

    /// Ends when the time is over, and shows until then that the program is alive.
    async fn clock(&self, flight: &Flight<'_>, began: Instant) {
        let until = began + self.seconds * 4 / 5;
        let mut ticks = interval_at(began + PROGRESS, PROGRESS);
        let show = async {
            loop {
                ticks.tick().await;
                let count = quantity::grouped(flight.echoed());
                let elapsed = began.elapsed().as_secs_f64();
                output::progress(format_args!("{elapsed:.1} s: {count} messages came back"));
            }
        };
        tokio::select! {
            () = show => (),
            () = sleep_until(until) => (),
        }
    }
}

/// Time between two signs of life.
const PROGRESS: Duration = Duration::from_millis(500);
