//! How two nodes prove themselves to each other by TLS 1.3 (RFC 8446), over TCP and in QUIC.
//!
//! Both sides always show a certificate. [`Credentials`] without authorities mean that a peer's
//! certificate is signed by itself and its key *is* the peer's node id; with authorities, that a
//! certificate for a name comes from one of them.
//!
//! There is one provider of cryptography, [`provider`], and it is passed explicitly everywhere.

mod failure;
mod name;
mod name_verifier;
mod node_verifier;

use std::{net::SocketAddr, sync::Arc};

use rumormill_transport_api::{
    Context, Credentials, Error, Expect, NodeId, Proof, Result, Target, excerpt,
};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    client::{Resumption, WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
    server::{ServerSessionMemoryCache, WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::{CertifiedKey, SingleCertAndKey},
};

pub use failure::{failed, refused};

use self::{name_verifier::NameVerifier, node_verifier::NodeVerifier};

/// What encrypts: ring. docs/decisions.md has the figures behind the choice.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// One node's side of every TLS handshake: who it proves to be, and whom it believes.
///
/// It also keeps sessions, so that a peer that was talked to before is met with one signature
/// less. They are bounded in number, in memory only, and never shared between peers: what was
/// proven when a session began is what is proven when it is resumed.
#[derive(Clone, Debug)]
pub struct Tls {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    trust: Trust,
}

/// Whom a peer's certificate proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// The holder of its key.
    Nodes,
    /// The holder of a name.
    Names,
}

/// Whether handshakes may build on earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sessions {
    /// Each handshake proves both sides anew.
    Never,
    /// Sessions are kept, and resumed within their lifetime.
    Resumed,
}

impl Tls {
    /// The side of the node that `context` is about; `protocol` is the name that both sides agree
    /// on (ALPN, RFC 7301).
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the context has no credentials, [`Error::Option`] if TLS cannot
    /// use them.
    pub fn new(context: &Context, protocol: &[u8], sessions: Sessions) -> Result<Self> {
        let credentials = context.credentials.as_deref().ok_or_else(|| {
            Error::unsupported("encrypting without a key", "give the node an identity")
        })?;
        let mut client = client(credentials)?;
        let mut server = server(credentials)?;
        client.alpn_protocols = vec![protocol.to_vec()];
        server.alpn_protocols = vec![protocol.to_vec()];
        match sessions {
            Sessions::Never => {
                client.resumption = Resumption::disabled();
                server.send_tls13_tickets = 0;
            }
            Sessions::Resumed => {
                client.resumption = Resumption::in_memory_sessions(KEPT);
                server.session_storage = ServerSessionMemoryCache::new(KEPT);
                server.send_tls13_tickets = 1;
            }
        }
        Ok(Self { client: client.into(), server: server.into(), trust: Trust::of(credentials) })
    }

    /// The configuration of the dialling side.
    pub fn client(&self) -> &Arc<ClientConfig> {
        &self.client
    }

    /// The configuration of the accepting side.
    pub fn server(&self) -> &Arc<ServerConfig> {
        &self.server
    }

    /// The name to give to the TLS library for `target`, which is tried at `remote`.
    ///
    /// With authorities it is the name that the peer must prove, and is sent; `host` is the one in
    /// the address. Without, it tells our own verifier what to expect, keeps sessions of different
    /// peers apart, and never leaves the process.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for an expectation that the credentials have no means to prove.
    pub fn server_name(&self, target: &Target, host: &str, remote: SocketAddr) -> Result<String> {
        match (self.trust, &target.expect) {
            (Trust::Nodes, Expect::Any) => Ok(name::of(None, remote)),
            (Trust::Nodes, Expect::Node(node)) => Ok(name::of(Some(*node), remote)),
            (Trust::Nodes, _) => Err(Error::unsupported(
                format!("proving anything but a node's key at {}://", target.addr.scheme()),
                "expect a node, or configure authorities",
            )),
            (Trust::Names, Expect::Any) => provable(host),
            (Trust::Names, Expect::Name(name)) => provable(name),
            (Trust::Names, _) => Err(Error::unsupported(
                format!(
                    "proving anything but a name at {}://, by an authority",
                    target.addr.scheme()
                ),
                "expect a name, or configure no authorities",
            )),
        }
    }

    /// What a dialled peer has proven, by the certificates that it showed, once the handshake is
    /// done.
    ///
    /// # Errors
    /// [`Error::Unproven`] if it is not who `target` expects.
    pub fn proof_of_listener(
        &self,
        target: &Target,
        server_name: &str,
        shown: &[CertificateDer<'_>],
    ) -> Result<Proof> {
        let unproven =
            |problem: &str| Error::Unproven { addr: target.addr.clone(), problem: problem.into() };
        if self.trust == Trust::Names {
            return Ok(Proof::Name(server_name.into()));
        }
        let node = shown.first().and_then(node_verifier::node);
        let node = node.ok_or_else(|| unproven("it showed no node's certificate"))?;
        match target.expect {
            Expect::Any => Ok(Proof::Node(node)),
            Expect::Node(expected) if expected == node => Ok(Proof::Node(node)),
            _ => Err(unproven(&format!("it proved to be {node}"))),
        }
    }

    /// What an accepted peer has proven, by the certificates that it showed, once the handshake is
    /// done.
    ///
    /// # Errors
    /// [`Error::Protocol`] if that is nothing.
    pub fn proof_of_dialer(&self, shown: &[CertificateDer<'_>]) -> Result<Proof> {
        let first = shown.first();
        match self.trust {
            Trust::Nodes => first.and_then(node_verifier::node).map(Proof::Node),
            Trust::Names => first.and_then(name_verifier::name).map(Proof::Name),
        }
        .ok_or_else(|| Error::protocol("a dialer shows a certificate that proves who it is"))
    }

    /// Whether the two sides, over this kind of trust, prove nodes.
    pub fn proves_nodes(&self) -> bool {
        self.trust == Trust::Nodes
    }
}

impl Trust {
    fn of(credentials: &Credentials) -> Self {
        match credentials.authorities.is_empty() {
            true => Self::Nodes,
            false => Self::Names,
        }
    }
}

/// `name`, if a certificate can have it at all.
fn provable(name: &str) -> Result<String> {
    match ServerName::try_from(name) {
        Ok(_) => Ok(name.into()),
        Err(_) => Err(Error::unsupported(
            format!("proving the name '{}'", excerpt(name)),
            "use a DNS name or an IP address, as certificates have them",
        )),
    }
}

/// The node id that a certificate proves, if it is a node's at all.
pub fn node_of(certificate: &CertificateDer<'_>) -> Option<NodeId> {
    node_verifier::node(certificate)
}

fn client(credentials: &Credentials) -> Result<ClientConfig> {
    let verifier: Arc<dyn ServerCertVerifier> = match Trust::of(credentials) {
        Trust::Nodes => Arc::new(NodeVerifier::new(provider())),
        Trust::Names => {
            let builder =
                WebPkiServerVerifier::builder_with_provider(roots(credentials)?, provider());
            builder.build().map_err(|e| unusable("authorities", &e))?
        }
    };
    let mut client = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|e| unusable("provider", &e))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_cert_resolver(Arc::new(certified(credentials)?));
    client.enable_sni = Trust::of(credentials) == Trust::Names;
    Ok(client)
}

fn server(credentials: &Credentials) -> Result<ServerConfig> {
    let verifier: Arc<dyn ClientCertVerifier> = match Trust::of(credentials) {
        Trust::Nodes => Arc::new(NodeVerifier::new(provider())),
        Trust::Names => {
            let builder =
                WebPkiClientVerifier::builder_with_provider(roots(credentials)?, provider());
            let inside = builder.build().map_err(|e| unusable("authorities", &e))?;
            Arc::new(NameVerifier(inside))
        }
    };
    Ok(ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|e| unusable("provider", &e))?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(certified(credentials)?)))
}

fn certified(credentials: &Credentials) -> Result<SingleCertAndKey> {
    let chain = credentials.chain.iter().map(|der| CertificateDer::from(der.clone())).collect();
    let key = PrivateKeyDer::try_from(credentials.key.as_slice());
    let key = key.map_err(|problem| Error::option("key", problem))?.clone_key();
    let certified = CertifiedKey::from_der(chain, key, &provider());
    Ok(certified.map_err(|e| unfit(&e))?.into())
}

/// Why certificate and key are of no use, in other words than those about a peer's.
fn unfit(error: &rustls::Error) -> Error {
    let unusable_as = |problem| Error::option("cert", format!("cannot be used: {problem}"));
    match error {
        rustls::Error::InconsistentKeys(_) => unusable_as("it is the certificate of another key"),
        rustls::Error::InvalidCertificate(_) => unusable_as(
            "it is no X.509 certificate of version 3; `openssl x509 -req` needs -extfile to make one",
        ),
        other => unusable("cert", other),
    }
}

fn roots(credentials: &Credentials) -> Result<Arc<RootCertStore>> {
    let mut roots = RootCertStore::empty();
    for authority in &credentials.authorities {
        let added = roots.add(CertificateDer::from(authority.clone()));
        added.map_err(|e| unusable("ca", &e))?;
    }
    Ok(roots.into())
}

fn unusable(key: &str, problem: &dyn std::fmt::Display) -> Error {
    Error::option(key, format!("cannot be used: {problem}"))
}

/// Sessions kept on each side, of all peers together; beyond it the oldest go. About 2 KiB each.
const KEPT: usize = 1024;
