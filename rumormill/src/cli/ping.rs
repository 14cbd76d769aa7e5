//! `rumormill ping`: whether a peer answers, and how fast.

use std::{cell::RefCell, fmt::Display, future::pending, process::ExitCode, time::Duration};

use rumormill::{
    Batch, Reader, Writer,
    transport::{AnyReader, AnyWriter, Timeouts, with_causes},
};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

#[cfg(feature = "endpoint")]
use super::member::Member;
use super::{
    Error, Result, output,
    peer::{self, Peer},
    pings::{Answer, Kind, Pings},
    place::Place,
    probe, quantity,
    signals::Signals,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exits with 0 if at least one answer came, 1 if none. SIGINT ends it and prints the summary.

Example: rumormill ping udp://127.0.0.1:7946 -c 4 -i 200ms")]
pub(crate) struct Args {
    /// Where a `serve` listens: ADDR; with --cluster NODEID@ADDR, too, and that node must answer
    #[arg(value_name = "ADDR")]
    place: Place,
    /// Ask a node of this cluster, in signed messages, which `serve --cluster` answers
    #[cfg(feature = "endpoint")]
    #[arg(long, value_name = "NAME", conflicts_with_all = ["ca", "expect", "expect_name"])]
    cluster: Option<String>,
    /// How many messages to send [default: until a signal]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Time between two messages
    #[arg(short, long, default_value = "1s", value_parser = quantity::duration)]
    interval: Duration,
    /// Bytes of a message, at least 8
    #[arg(short, long, default_value = "64", value_parser = quantity::message_size)]
    size: usize,
    #[command(flatten)]
    peer: Peer,
}

pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    let timeouts = args.peer.timeouts();
    #[cfg(feature = "endpoint")]
    if let Some(cluster) = &args.cluster {
        let member = Member { cluster, identity: &args.peer.identity, timeouts };
        let Args { count, interval, size, .. } = args;
        let place = args.place.clone();
        return member.ping(&Target { place, count, interval, size, wait: timeouts.read }).await;
    }
    if args.place.node.is_some() {
        return Err(Error::NoCluster { place: args.place.to_string() });
    }
    let mut conn = args.peer.dial(&args.place.addr, args.size).await?;
    // Not before: until there is something to sum up, a signal simply kills.
    let mut signals = Signals::new()?;
    let session = Session { args, timeouts, pings: RefCell::new(Pings::new(timeouts.read)) };
    let end = tokio::select! {
        end = session.send(&mut conn.writer) => end,
        end = session.recv(&mut conn.reader) => end,
        end = session.expire() => end,
        () = signals.next() => Ok(()),
    };
    if let Err(error) = end {
        session.explain(error)?;
    }
    let code = Figures(&session.pings.borrow()).print(&session.args.place)?;
    peer::close(conn, timeouts).await;
    Ok(code)
}

/// Whom to ask, how often, and with what.
#[cfg(feature = "endpoint")]
pub(crate) struct Target {
    pub(crate) place: Place,
    pub(crate) count: Option<u64>,
    pub(crate) interval: Duration,
    pub(crate) size: usize,
    pub(crate) wait: Duration,
}

/// One run of `ping`, whose parts work at the same time.
struct Session {
    args: Args,
    timeouts: Timeouts,
    pings: RefCell<Pings>,
}

impl Session {
    /// Sends on time, whatever comes back, and then waits for ever.
    async fn send(&self, writer: &mut AnyWriter) -> Result<()> {
        let mut ticks = interval(self.args.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = Batch::default();
        while self.is_short() {
            ticks.tick().await;
            let number = self.pings.borrow_mut().send(Instant::now());
            batch.push(probe::message(number, self.args.size));
            let doing = || format!("sending seq={number}");
            peer::within(self.timeouts.write, doing, writer.send(&mut batch)).await?;
        }
        pending().await
    }

    async fn recv(&self, reader: &mut AnyReader) -> Result<()> {
        let mut arrived = Vec::new();
        while !self.is_complete() {
            // Its deadline is in `expire`, for each message by itself.
            let received = reader.recv(&mut arrived).await;
            let now = Instant::now();
            arrived.drain(..).try_for_each(|message| self.show_answer(&message, now))?;
            received?;
        }
        Ok(())
    }

    async fn expire(&self) -> Result<()> {
        while !self.is_complete() {
            let deadline = self.pings.borrow_mut().next_deadline(Instant::now());
            sleep_until(deadline).await;
            self.show_overdue()?;
        }
        Ok(())
    }

    fn is_short(&self) -> bool {
        self.args.count.is_none_or(|count| self.pings.borrow().sent < count)
    }

    fn is_complete(&self) -> bool {
        !self.is_short() && self.pings.borrow_mut().are_settled()
    }

    fn show_answer(&self, message: &[u8], now: Instant) -> Result<()> {
        let (len, addr) = (message.len(), &self.args.place.addr);
        let number = probe::number(message, self.args.size).unwrap_or_default();
        let Some(answer) = self.pings.borrow_mut().receive(number, now) else {
            output::note(format_args!("{addr} sent {len} bytes that answer nothing"));
            return Ok(());
        };
        let Answer { time, kind } = answer;
        let remark = match kind {
            Kind::Duplicate => " (duplicate)",
            Kind::Late => " (late)",
            Kind::Timely => "",
        };
        let time = quantity::millis(time);
        output::line(format_args!("{len} bytes from {addr}: seq={number} time={time} ms{remark}"))
    }

    fn show_overdue(&self) -> Result<()> {
        let now = Instant::now();
        while let Some(number) = self.pings.borrow_mut().overdue(now) {
            let wait = self.timeouts.read;
            output::line(format_args!("no answer to seq={number} within {wait:?}"))?;
        }
        Ok(())
    }

    /// What ends the conn ends no more than that: what was measured before is told.
    fn explain(&self, error: Error) -> Result<()> {
        match error {
            Error::Output { .. } => Err(error),
            _ => {
                let addr = &self.args.place.addr;
                output::note(format_args!("{addr} ended: {}", with_causes(&error)));
                Ok(())
            }
        }
    }
}

/// What became of all pings together.
pub(crate) struct Figures<'a>(pub(crate) &'a Pings);

impl Figures<'_> {
    /// Prints them, and tells what to exit with.
    pub(crate) fn print(&self, peer: &impl Display) -> Result<ExitCode> {
        let Self(pings) = self;
        let Pings { sent, received, duplicates, .. } = **pings;
        let loss = 100.0 * sent.saturating_sub(received) as f64 / sent.max(1) as f64;
        let doubled = if 0 < duplicates { format!(", {duplicates} duplicates") } else { "".into() };
        output::line(format_args!("--- {peer} ---"))?;
        output::line(format_args!("{sent} sent, {received} received{doubled}, {loss:.1}% lost"))?;
        if received == 0 {
            return Ok(ExitCode::FAILURE);
        }
        let times = &pings.times;
        let times = [times.min(), times.mean(), times.quantile(0.99), times.max()];
        let times = times.map(quantity::millis).join("/");
        output::line(format_args!("round trip min/avg/p99/max = {times} ms"))?;
        Ok(ExitCode::SUCCESS)
    }
}
