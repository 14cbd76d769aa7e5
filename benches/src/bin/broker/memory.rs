//! What a subscriber takes of the broker's memory.

use rumormill_broker::SubscribeOptions;
use tokio::runtime::Builder;

use crate::{
    Outcome,
    options::Options,
    ours::connect,
    say,
    serve::{FANOUT, allow_descriptors},
    servers::Servers,
    usage::Usage,
};

/// Each subscriber has a conn of its own.
pub(crate) fn measure(servers: &Servers, options: &Options) -> Outcome<()> {
    allow_descriptors()?;
    let process = servers.ours.server.process();
    let steps = if options.is_quick { [0, 100, 200] } else { [0, 1000, 4000] };
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let resident = runtime.block_on(async {
        let (mut clients, mut subscriptions, mut resident) = (Vec::new(), Vec::new(), Vec::new());
        for wanted in steps {
            while clients.len() < wanted {
                let client = connect(&servers.ours.tcp).await?;
                let options = SubscribeOptions::default();
                subscriptions.push(client.subscribe(FANOUT.parse()?, options).await?);
                clients.push(client);
            }
            resident.push(Usage::of(process)?.resident);
        }
        Outcome::Ok(resident)
    })?;
    let each = |from: usize, to: usize| {
        (resident[to] as f64 - resident[from] as f64) / (steps[to] - steps[from]) as f64
    };
    for (at, (&count, &bytes)) in steps.iter().zip(&resident).enumerate() {
        let each = if at == 0 { 0.0 } else { each(at - 1, at) };
        match options.is_json {
            true => say(&format!(
                "{{\"part\":\"memory\",\"subscribers\":{count},\"resident\":{bytes},\
                 \"each\":{each:.0}}}"
            ))?,
            false => say(&format!(
                "{count:>5} subscribers   {:>8.1} MB   {each:>7.0} B each",
                bytes as f64 / 1e6
            ))?,
        }
    }
    Ok(())
}
