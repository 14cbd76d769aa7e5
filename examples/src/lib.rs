//! What the examples share: how they read their command lines, and bad networks.

use std::{error::Error, process::ExitCode, sync::Arc, time::Duration};

use rumormill::{
    Addr, Node, Registry,
    config::{Config, Loaded},
    endpoint::Inbox,
    identity::SecretKey,
    transport::{
        AnyTransport, Context, Factory, OptionSpec, Options, Result as CarrierResult, with_causes,
    },
};
use rumormill_transport_conformance::{Faults, Faulty};

/// What the examples return: any error is shown, with its causes.
pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// The addresses of a command line, and the faults that their conns are to suffer: `--drop 15
/// --delay 20ms`, known as options are from addresses.
///
/// # Errors
/// An option that is unknown, or has no value or none that can be used.
pub fn parse(mut arguments: impl Iterator<Item = String>) -> Outcome<(Vec<String>, Faults)> {
    let (mut addrs, mut options) = (Vec::new(), Options::default());
    while let Some(argument) = arguments.next() {
        match argument.strip_prefix("--") {
            None => addrs.push(argument),
            Some(key) => {
                let value = arguments.next().ok_or_else(|| format!("{argument} lacks a value"))?;
                options.insert(key, value);
            }
        }
    }
    options.check(FAULTS)?;
    let percent = options.number("drop", 0..=100_u8)?.unwrap_or_default();
    let delay = options.duration("delay")?.unwrap_or(Duration::ZERO);
    Ok((addrs, Faults { drop: f64::from(percent) / 100.0, delay, ..Faults::default() }))
}

/// How a program ends that has come to this: an error is shown, with its causes.
pub fn exit_code(ended: Outcome<()>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", with_causes(&*error));
            ExitCode::FAILURE
        }
    }
}

/// The transports that are linked, for the node with `key`, whose conns suffer `faults`: each node
/// has dice of its own.
///
/// # Errors
/// As for [`rumormill::registry`].
pub fn registry(faults: Faults, key: &SecretKey) -> Outcome<Registry> {
    let (linked, credentials) = (rumormill::registry()?, key.credentials().into());
    if faults == Faults::default() {
        return Ok(linked.with_credentials(credentials));
    }
    let seed =
        key.node().0.iter().fold(0, |seed: u64, byte| seed.rotate_left(8) ^ u64::from(*byte));
    let inner: Vec<Factory> = linked.factories().copied().collect();
    let registry =
        Registry::of(inner.iter().map(|inner| Factory { build: build_faulty, ..*inner }))?;
    for inner in inner {
        let mut context = Context::default();
        context.extensions.insert((inner, Faults { seed, ..faults }));
        registry.configure(inner.scheme, context)?;
    }
    Ok(registry.with_credentials(credentials))
}

/// The address of a command line, for a broker, and the faults of its conns: late, but whole.
///
/// # Errors
/// As for [`parse`], and faults that no stream has.
pub fn of_streams(arguments: impl Iterator<Item = String>) -> Outcome<(Addr, Faults)> {
    let (addrs, faults) = parse(arguments)?;
    if 0.0 < faults.drop {
        return Err("a broker's stream loses nothing; leave --drop out, or give a --delay".into());
    }
    let addr = addrs.first().map_or("tcp://127.0.0.1:0", String::as_str);
    Ok((addr.parse()?, faults))
}

/// The transports that are linked, for one side of a broker's conns, which suffer `faults`.
///
/// # Errors
/// As for [`rumormill::registry`].
pub fn carriers(faults: Faults) -> Outcome<Arc<Registry>> {
    Ok(Arc::new(registry(faults, &SecretKey::generate())?))
}

/// How long the end of an example may take.
pub const FAREWELL: Duration = Duration::from_secs(5);

/// A node with this configuration, whose conns suffer `faults`.
///
/// # Errors
/// As for [`Node::start`].
pub async fn start(config: Config, faults: Faults) -> Outcome<(Node, Inbox)> {
    let loaded = Loaded::of(config, &rumormill::registry()?)?;
    let registry = registry(faults, &loaded.files.key)?;
    Ok(Node::start_with(registry, &loaded).await?)
}

/// Builds the transport that its context names, with faults around it.
fn build_faulty(context: &Context) -> CarrierResult<AnyTransport> {
    let (inner, faults) = context
        .extensions
        .get::<(Factory, Faults)>()
        .expect("invariant: `registry` configures what it registers");
    Ok(AnyTransport::new(Faulty::new((inner.build)(context)?, *faults)))
}

const FAULTS: &[OptionSpec] = &[
    OptionSpec::new("delay", "0ms", "how much later each message arrives"),
    OptionSpec::new("drop", "0", "how many of a hundred messages are lost"),
];

/// What README.md shows is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
