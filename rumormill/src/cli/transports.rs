//! `rumormill transports`: what this build can speak.

use std::process::ExitCode;

use rumormill::{
    Registry, RegistryError,
    transport::{Caps, Delivery, End, Factory, OptionSpec, with_causes},
};
use serde_json::{Value, json};

use super::{Result, output, quantity};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: rumormill transports --why quic")]
pub(crate) struct Args {
    /// Say why this scheme is there or not; exit with 1 if it is not
    #[arg(long, value_name = "NAME")]
    why: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let registry = rumormill::registry()?;
    match &args.why {
        Some(name) => explain(&registry, name, args.json),
        None => list(&registry, args.json),
    }
}

fn list(registry: &Registry, as_json: bool) -> Result<ExitCode> {
    match as_json {
        true => output::line(registry.factories().map(as_value).collect::<Value>())?,
        false => {
            let rows = registry.factories().map(row);
            table(&[HEADLINE.map(String::from)].into_iter().chain(rows).collect::<Vec<_>>(), "")?;
            registry.factories().try_for_each(options)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn explain(registry: &Registry, name: &str, as_json: bool) -> Result<ExitCode> {
    let (is_linked, why) = match registry.transport(name) {
        Err(error @ RegistryError::Unknown { .. }) => (false, with_causes(&error)),
        // Whether it can be built depends on what it is told: on an identity, for instance.
        Ok(_) | Err(_) => (true, linked(registry, name)),
    };
    match as_json {
        true => output::line(json!({ "name": name, "linked": is_linked, "why": why }))?,
        false => output::line(why)?,
    }
    Ok(if is_linked { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn linked(registry: &Registry, name: &str) -> String {
    let provider = registry.factories().find(|factory| factory.scheme == name);
    let provider = provider.map_or("", |factory| factory.provider);
    format!("{provider} provides {name}://")
}

fn row(factory: &Factory) -> [String; 8] {
    let Caps { delivery, max_message, packet, end, secure, local_only, .. } = factory.caps;
    [
        factory.scheme.into(),
        delivery_text(delivery).into(),
        quantity::size_text(max_message),
        quantity::size_text(packet),
        end_text(end).into(),
        yes_or_no(secure).into(),
        yes_or_no(local_only).into(),
        factory.provider.into(),
    ]
}

fn options(factory: &Factory) -> Result<()> {
    if factory.options.is_empty() {
        return Ok(());
    }
    output::line(format_args!("\n{} options, as in {0}://…?option=value:", factory.scheme))?;
    let text = |spec: &OptionSpec| [spec.name, spec.default, spec.doc].map(String::from);
    table(&factory.options.iter().map(text).collect::<Vec<_>>(), "  ")
}

fn table<const N: usize>(rows: &[[String; N]], indent: &str) -> Result<()> {
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or_default();
    let widths: [usize; N] = std::array::from_fn(width);
    rows.iter().try_for_each(|row| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}  "));
        output::line(format!("{indent}{}", cells.collect::<String>()).trim_end())
    })
}

fn as_value(factory: &Factory) -> Value {
    let Factory { scheme, provider, caps, options, .. } = factory;
    json!({
        "scheme": scheme,
        "provider": provider,
        "delivery": delivery_text(caps.delivery),
        "max_message_bytes": caps.max_message,
        "packet_bytes": caps.packet,
        "end": end_text(caps.end),
        "secure": caps.secure,
        "local_only": caps.local_only,
        "tells_cuts": caps.tells_cuts,
        "options": options.iter().map(option_value).collect::<Value>(),
    })
}

fn option_value(spec: &OptionSpec) -> Value {
    json!({ "name": spec.name, "default": spec.default, "doc": spec.doc })
}

fn delivery_text(delivery: Delivery) -> &'static str {
    match delivery {
        Delivery::Datagram => "datagram",
        Delivery::Stream => "stream",
    }
}

fn end_text(end: End) -> &'static str {
    match end {
        End::None => "none",
        End::Whole => "whole",
        End::Half => "half",
    }
}

fn yes_or_no(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "no" }
}

const HEADLINE: [&str; 8] =
    ["SCHEME", "DELIVERY", "LONGEST", "PACKET", "END", "SECURE", "LOCAL ONLY", "PROVIDER"];
