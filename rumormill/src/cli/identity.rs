//! Who this side is, where a transport proves it.

use std::path::PathBuf;

use rumormill::{
    Addr, Registry, RegistryError,
    identity::{PkiFiles, SecretKey},
    transport::{self as api, Credentials},
};

use super::{Error, Result, output};

/// Who this side is, where a transport proves it.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Who this side is, where the transport proves it")]
pub(crate) struct Identity {
    /// The key of this node, from `keygen` [default: a fresh one, for this run only]
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// Prove names in place of nodes: certificates of the authorities that vouch for them, in PEM
    #[arg(long, value_name = "FILE", requires_all = ["cert", "key"])]
    ca: Option<PathBuf>,
    /// With --ca: the certificate of this side, and those that lead from it to an authority
    #[arg(long, value_name = "FILE", requires_all = ["ca", "key"])]
    cert: Option<PathBuf>,
    /// With --ca: the secret key of that certificate, in a file that only its owner can read
    #[arg(long, value_name = "FILE", requires_all = ["ca", "cert"])]
    key: Option<PathBuf>,
}

/// When to tell the user this side's node id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tell {
    Always,
    /// If it is news: the key is a fresh one.
    New,
}

impl Identity {
    /// The transports, told who this side is if one of `addrs` needs that.
    pub(crate) fn registry(&self, addrs: &[Addr], tell: Tell) -> Result<Registry> {
        let (registry, key) = (rumormill::registry()?, self.load_or_generate()?);
        let is_secure = |factory: &&api::Factory| {
            factory.caps.secure && addrs.iter().any(|addr| addr.scheme() == factory.scheme)
        };
        let secure: Vec<_> = registry.factories().filter(is_secure).map(|f| f.scheme).collect();
        if secure.is_empty() {
            return self.without_proof(registry, addrs);
        }
        let files = self.files();
        let credentials = match &files {
            None => self.of_node(&key, tell),
            Some(files) => files.load(&key)?,
        };
        let registry = registry.with_credentials(credentials.into());
        // Now, while nothing but the credentials can be at fault.
        let build = |scheme: &&str| registry.transport(scheme).map(drop);
        secure.iter().try_for_each(build).map_err(|error| blame(error, files.as_ref()))?;
        Ok(registry)
    }

    /// The transports and the key of a node that proves itself above them, over any.
    #[cfg(feature = "endpoint")]
    pub(crate) fn node(&self) -> Result<(Registry, SecretKey)> {
        let key = self.load_or_generate()?;
        let credentials = self.of_node(&key, Tell::Always);
        Ok((rumormill::registry()?.with_credentials(credentials.into()), key))
    }

    /// The key of this node, if one was named: what is proven above the transport.
    #[cfg(feature = "broker")]
    pub(crate) fn named_key(&self) -> Result<Option<SecretKey>> {
        Ok(self.identity.as_deref().map(SecretKey::load).transpose()?)
    }

    fn files(&self) -> Option<PkiFiles> {
        let (ca, cert, key) = (self.ca.clone()?, self.cert.clone()?, self.key.clone()?);
        Some(PkiFiles { ca, cert, key })
    }

    fn load_or_generate(&self) -> Result<SecretKey> {
        match &self.identity {
            None => Ok(SecretKey::generate()),
            Some(path) => Ok(SecretKey::load(path)?),
        }
    }

    fn of_node(&self, key: &SecretKey, tell: Tell) -> Credentials {
        let node = key.node();
        match (&self.identity, tell) {
            (None, _) => output::note(format_args!(
                "node {node} (a fresh key, for this run only; `rumormill keygen` makes one to keep)"
            )),
            (Some(_), Tell::Always) => output::note(format_args!("node {node}")),
            (Some(_), Tell::New) => (),
        }
        key.credentials()
    }

    /// Who names authorities wants peers to be proven, which no transport of `addrs` would do. A
    /// key that is not needed does no harm.
    fn without_proof(&self, registry: Registry, addrs: &[Addr]) -> Result<Registry> {
        let are_known = addrs.iter().all(|addr| registry.contains(addr.scheme()));
        match (&self.ca, addrs) {
            (Some(_), [addr, ..]) if are_known => Err(Error::NothingProven { addr: addr.clone() }),
            _ => Ok(registry),
        }
    }
}

/// Puts the name of a file to what a transport says of its content.
fn blame(error: RegistryError, files: Option<&PkiFiles>) -> Error {
    match (error, files) {
        (RegistryError::Transport(api::Error::Option { key: option, problem }), Some(files)) => {
            let (ca, cert, key) = (files.ca.display(), files.cert.display(), files.key.display());
            let files = match &*option {
                "ca" => format!("--ca {ca}"),
                "key" => format!("--key {key}"),
                _ => format!("--cert {cert}, with --key {key},"),
            };
            Error::Pki { files, problem }
        }
        (error, _) => error.into(),
    }
}
