//! ring beside aws-lc-rs: what a handshake and a byte cost with each, in one run.
//!
//! No sockets: both sides of TLS 1.3 (RFC 8446) live in this process and hand each other bytes, so
//! what is compared is cryptography.
//!
//! `cargo run --release --manifest-path benches/Cargo.toml --features aws-lc-rs --bin providers`

use std::{
    error::Error,
    io::{Read, Write},
    sync::Arc,
    time::{Duration, Instant},
};

use rcgen::{CertificateParams, KeyPair};
use rustls::{
    ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection,
    crypto::{CryptoProvider, aws_lc_rs, ring},
    pki_types::{CertificateDer, PrivateKeyDer},
    server::WebPkiClientVerifier,
};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let ring = Side::new(ring::default_provider())?;
    let aws = Side::new(aws_lc_rs::default_provider())?;
    let (mut shakes, mut bytes) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        shakes.push((ring.handshakes()?, aws.handshakes()?));
        bytes.push((ring.throughput()?, aws.throughput()?));
    }
    print("mutual handshakes/s, both sides", shakes)?;
    print("MB/s sealed and opened", bytes)
}

/// The configurations of a client and a server with one provider.
struct Side {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

impl Side {
    fn new(provider: CryptoProvider) -> Outcome<Self> {
        let key = KeyPair::generate_for(&rcgen::PKCS_ED25519)?;
        let cert = CertificateParams::new(vec![NAME.into()])?.self_signed(&key)?;
        let (provider, mut roots) = (Arc::new(provider), RootCertStore::empty());
        roots.add(cert.der().clone())?;
        let roots = Arc::new(roots);
        let chain = || -> Vec<CertificateDer<'static>> { vec![cert.der().clone()] };
        let secret = || PrivateKeyDer::try_from(key.serialize_der());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone());
        let mut client = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain(), secret()?)?;
        client.resumption = rustls::client::Resumption::disabled();
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(verifier.build()?)
            .with_single_cert(chain(), secret()?)?;
        server.send_tls13_tickets = 0;
        Ok(Self { client: client.into(), server: server.into() })
    }

    fn connect(&self) -> Outcome<(Connection, Connection)> {
        let client = ClientConnection::new(self.client.clone(), NAME.try_into()?)?;
        let mut client = Connection::from(client);
        let mut server = Connection::from(ServerConnection::new(self.server.clone())?);
        while client.is_handshaking() || server.is_handshaking() {
            pass(&mut client, &mut server)?;
            pass(&mut server, &mut client)?;
        }
        Ok((client, server))
    }

    fn handshakes(&self) -> Outcome<f64> {
        let (start, mut count) = (now(), 0);
        while start.elapsed() < SPAN {
            self.connect()?;
            count += 1;
        }
        Ok(f64::from(count) / start.elapsed().as_secs_f64())
    }

    fn throughput(&self) -> Outcome<f64> {
        let (mut client, mut server) = self.connect()?;
        let (message, mut opened) = (vec![0x5a; RECORD], vec![0; RECORD]);
        let (start, mut count) = (now(), 0);
        while start.elapsed() < SPAN {
            client.writer().write_all(&message)?;
            pass(&mut client, &mut server)?;
            server.reader().read_exact(&mut opened)?;
            count += RECORD;
        }
        Ok(count as f64 / start.elapsed().as_secs_f64() / 1e6)
    }
}

/// Moves what `from` has to say to `to`.
fn pass(from: &mut Connection, to: &mut Connection) -> Outcome<()> {
    let mut wire = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut wire)?;
    }
    let mut wire = &wire[..];
    while !wire.is_empty() {
        to.read_tls(&mut wire)?;
        to.process_new_packets()?;
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "reading the clock is what a benchmark does")]
fn now() -> Instant {
    Instant::now()
}

fn print(what: &str, rounds: Vec<(f64, f64)>) -> Outcome<()> {
    let median = |figures: Vec<f64>| {
        let mut figures = figures;
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    };
    let ring = median(rounds.iter().map(|round| round.0).collect());
    let aws = median(rounds.iter().map(|round| round.1).collect());
    let ratio = median(rounds.iter().map(|round| round.1 / round.0).collect());
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{what:<32} ring {ring:>8.0}  aws-lc-rs {aws:>8.0}  aws-lc-rs ÷ ring {ratio:.2}"
    )?;
    Ok(())
}

const NAME: &str = "peer.invalid";
const ROUNDS: usize = 9;
const SPAN: Duration = Duration::from_millis(200);
/// The largest record.
const RECORD: usize = 16 << 10;
