//! `rumormill bench`: how fast a peer echoes.

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

Example: rumormill bench tcp://127.0.0.1:7946 --size 64KiB --seconds 2")]
pub(crate) struct Args {
    /// Where a `serve` listens
    addr: Addr,
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
    let (addr, timeouts) = (&args.addr, args.peer.timeouts());
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
