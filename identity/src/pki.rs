//! Credentials from the files of an ordinary authority.

use std::path::{Path, PathBuf};

use rumormill_transport_api::Credentials;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use zeroize::Zeroizing;

use crate::{Result, SecretKey, key_file};

/// The files of a public key infrastructure, in PEM: peers are then proven by names that an
/// authority vouches for, not by their nodes' keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PkiFiles {
    /// The certificates of the authorities that peers' certificates must come from.
    pub ca: PathBuf,
    /// This side's certificate, and behind it those that lead from it to an authority. Peers look
    /// for the name that they dial in it, and as an accepting side for any DNS name.
    pub cert: PathBuf,
    /// Its secret key; only its owner may read the file.
    pub key: PathBuf,
}

impl PkiFiles {
    /// Reads them, for the node with `key`.
    ///
    /// Whether key and certificate belong together shows when a transport is built with them.
    ///
    /// # Errors
    /// As for [`SecretKey::load`]; the path in the error tells which file.
    pub fn load(&self, key: &SecretKey) -> Result<Credentials> {
        Ok(Credentials {
            node: key.node(),
            chain: certificates(&self.cert)?,
            key: secret(&self.key)?,
            authorities: certificates(&self.ca)?,
        })
    }
}

fn certificates(path: &Path) -> Result<Vec<Vec<u8>>> {
    let text = key_file::read_public(path)?;
    let certificates = CertificateDer::pem_slice_iter(text.as_bytes())
        .map(|certificate| certificate.map(|der| der.to_vec()));
    match certificates.collect::<std::result::Result<Vec<_>, _>>() {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(key_file::malformed(path, "holds no certificates in PEM")),
    }
}

fn secret(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let text = key_file::read_secret(path)?;
    match PrivateKeyDer::from_pem_slice(text.as_bytes()) {
        Ok(key) => Ok(Zeroizing::new(key.secret_der().to_vec())),
        Err(_) => Err(key_file::malformed(path, "holds no secret key in PEM")),
    }
}
