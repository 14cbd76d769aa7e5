//! Nodes of a cluster, in place of bare conns: what `--cluster` makes of `serve` and `ping`.

use std::{cell::RefCell, process::ExitCode, sync::Arc, time::Duration};

use rumormill::{
    Addr,
    endpoint::{Admission, Config, Endpoint, Error as EndpointError, Inbox, Inboxes, RequestError},
    transport::{NodeId, Timeouts, with_causes},
};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{
    Error, Result,
    identity::Identity,
    output,
    ping::{Figures, Target},
    pings::{Answer, Pings},
    probe, quantity,
    signals::Signals,
};

/// What a member is told of itself.
pub(crate) struct Member<'a> {
    pub(crate) cluster: &'a str,
    pub(crate) identity: &'a Identity,
    pub(crate) timeouts: Timeouts,
}

impl Member<'_> {
    fn start(&self, adapt: impl FnOnce(&mut Config)) -> Result<(Endpoint, Inboxes)> {
        let (registry, key) = self.identity.node()?;
        let mut config = Config::new(self.cluster, Admission::Open);
        config.timeouts = self.timeouts;
        adapt(&mut config);
        Ok(Endpoint::start(Arc::new(registry), key, config)?)
    }

    /// Answers questions until a signal comes.
    pub(crate) async fn serve(
        &self,
        addrs: &[Addr],
        drain: Duration,
        adapt: impl FnOnce(&mut Config),
    ) -> Result<ExitCode> {
        let mut signals = Signals::new()?;
        let (endpoint, mut inboxes) = self.start(adapt)?;
        for addr in addrs {
            let bound = endpoint.listen(addr).await?;
            output::line(format_args!("listening on {bound}"))?;
        }
        let mut answered = 0;
        tokio::select! {
            () = signals.next() => (),
            () = answer(&endpoint, &mut inboxes.bulk, &mut answered) => (),
        }
        let closed = endpoint.close(drain);
        tokio::select! {
            biased;
            () = signals.next() => return Ok(ExitCode::FAILURE),
            report = closed => {
                let links = report.snapshot.links;
                let (met, unsent) = (links.verified, report.unsent);
                output::note(format_args!(
                    "stopped; conns of nodes: {met}, questions answered: {answered}, answers not \
                     sent: {unsent}"
                ));
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Asks the node at `target` again and again, each time after the answer to the last.
    pub(crate) async fn ping(&self, target: &Target) -> Result<ExitCode> {
        let (endpoint, _inboxes) = self.start(|_| ())?;
        let node = self.meet(&endpoint, target).await?;
        let mut signals = Signals::new()?;
        let pings = RefCell::new(Pings::new(self.timeouts.read));
        let end = tokio::select! {
            end = ask(&endpoint, node, target, &pings) => end,
            () = signals.next() => Ok(()),
        };
        match end {
            Err(error @ Error::Output { .. }) => return Err(error),
            Err(error) => {
                output::note(format_args!("{} ended: {}", target.place, with_causes(&error)));
            }
            Ok(()) => (),
        }
        let code = Figures(&pings.borrow()).print(&target.place)?;
        endpoint.close(FAREWELL).await;
        Ok(code)
    }

    async fn meet(&self, endpoint: &Endpoint, target: &Target) -> Result<NodeId> {
        let addr = &target.place.addr;
        let met = endpoint.contact(addr).await.map_err(|source| match source {
            EndpointError::NoPeer { .. } | EndpointError::Timeout { .. } => {
                Error::NoMember { cluster: self.cluster.into(), source }
            }
            source => source.into(),
        })?;
        match target.place.node {
            None => output::note(format_args!("{addr} is {met}")),
            Some(expected) if expected == met => (),
            Some(expected) => {
                return Err(Error::SomebodyElse { addr: addr.clone(), met, expected });
            }
        }
        Ok(met)
    }
}

/// Sends every question back.
async fn answer(endpoint: &Endpoint, inbox: &mut Inbox, answered: &mut u64) {
    while let Some(message) = inbox.recv().await {
        if message.question.is_none() {
            continue;
        }
        match endpoint.reply(&message, message.bytes.clone()) {
            Ok(()) => *answered += 1,
            Err(error) => output::note(format_args!("no answer for {}: {error}", message.from)),
        }
    }
}

async fn ask(
    endpoint: &Endpoint,
    node: NodeId,
    target: &Target,
    pings: &RefCell<Pings>,
) -> Result<()> {
    let mut ticks = interval(target.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while target.count.is_none_or(|count| pings.borrow().sent < count) {
        ticks.tick().await;
        let number = pings.borrow_mut().send(Instant::now());
        let question = probe::message(number, target.size);
        match endpoint.request(node, question, target.wait).await {
            Ok(answer) => show(target, pings, probe::number(&answer, target.size), answer.len())?,
            Err(RequestError::Uncertain) => {
                let wait = target.wait;
                output::line(format_args!("no answer to seq={number} within {wait:?}"))?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn show(target: &Target, pings: &RefCell<Pings>, number: Option<u64>, len: usize) -> Result<()> {
    let number = number.unwrap_or_default();
    let Some(Answer { time, .. }) = pings.borrow_mut().receive(number, Instant::now()) else {
        return Err(Error::NoEcho { addr: target.place.addr.clone() });
    };
    let (place, time) = (&target.place, quantity::millis(time));
    output::line(format_args!("{len} bytes from {place}: seq={number} time={time} ms"))
}

/// How long conns may take to end.
const FAREWELL: Duration = Duration::from_millis(200);
