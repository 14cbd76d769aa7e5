//! What quinn reports, in the words of the contract, without any word of the peer's.

use std::io;

use quinn::{
    ConnectError, ConnectionError, ReadError, StoppedError, TransportErrorCode, VarInt, WriteError,
};
use rumormill_identity::tls;
use rumormill_transport_api::{Addr, Error, excerpt};
use rustls::AlertDescription as Alert;

/// A half or a connection was dropped, or ended as it should.
pub(crate) const GONE: VarInt = VarInt::from_u32(0);
/// A writer was dropped that had not been closed.
pub(crate) const CUT: VarInt = VarInt::from_u32(1);
/// A conn came where nobody accepts any more.
pub(crate) const UNWANTED: VarInt = VarInt::from_u32(2);
/// A connection came to a listener that has as many as it may.
pub(crate) const FULL: VarInt = VarInt::from_u32(3);
/// A connection came with a certificate that proves nobody.
pub(crate) const UNPROVEN: VarInt = VarInt::from_u32(4);

/// Why a dial to `addr` did not even begin.
pub(crate) fn of_connect(addr: &Addr, error: &ConnectError) -> Error {
    match error {
        ConnectError::InvalidRemoteAddress(_) => addr.malformed("cannot be dialled"),
        ConnectError::CidsExhausted => Error::Busy { what: "the socket".into() },
        other => Error::io(format!("dialling {addr}"), io::Error::other(other.to_string())),
    }
}

/// Why a dial to `addr` did not lead to a connection.
pub(crate) fn of_dial(addr: &Addr, error: &ConnectionError) -> Error {
    use ConnectionError as Lost;
    match error {
        Lost::VersionMismatch => Error::protocol("it speaks another version of QUIC"),
        Lost::TransportError(error) => of_check(addr, error.code, &error.reason),
        Lost::ConnectionClosed(close) if has_no_room(close.error_code) => busy(),
        Lost::ApplicationClosed(close) if close.error_code == FULL => busy(),
        Lost::ApplicationClosed(close) if close.error_code == UNPROVEN => {
            tls::refused(Alert::BadCertificate)
        }
        Lost::ConnectionClosed(close) => match alert(close.error_code) {
            Some(alert) => tls::refused(alert),
            None => Error::protocol(format!("it ended the handshake: {}", close.error_code)),
        },
        Lost::CidsExhausted => Error::Busy { what: "the socket".into() },
        Lost::ApplicationClosed(_) | Lost::Reset | Lost::TimedOut | Lost::LocallyClosed => {
            Error::Unreachable { addr: addr.clone(), source: of_connection(error) }
        }
    }
}

/// What it means that this side ended the handshake with whoever is at `addr`.
fn of_check(addr: &Addr, code: TransportErrorCode, reason: &str) -> Error {
    let reason = without_wrapping(reason);
    match alert(code) {
        Some(Alert::NoApplicationProtocol) => tls::refused(Alert::NoApplicationProtocol),
        Some(
            Alert::AccessDenied
            | Alert::BadCertificate
            | Alert::CertificateExpired
            | Alert::CertificateRequired
            | Alert::CertificateRevoked
            | Alert::CertificateUnknown
            | Alert::DecryptError
            | Alert::UnknownCA
            | Alert::UnsupportedCertificate,
        ) => Error::Unproven { addr: addr.clone(), problem: excerpt_of_all(reason).into() },
        Some(_) => Error::protocol(format!("the TLS handshake failed: {}", excerpt(reason))),
        None => Error::protocol(format!("its QUIC is wrong: {code}")),
    }
}

/// What ends a half when its connection ends.
pub(crate) fn of_connection(error: &ConnectionError) -> io::Error {
    use ConnectionError as Lost;
    let (kind, problem) = match error {
        Lost::ConnectionClosed(close) if has_no_room(close.error_code) => {
            return io::Error::other(busy());
        }
        Lost::ConnectionClosed(close) => match alert(close.error_code) {
            Some(alert) => return io::Error::other(tls::refused(alert)),
            None => (
                io::ErrorKind::ConnectionReset,
                format!("the peer gave the connection up: {}", close.error_code),
            ),
        },
        Lost::ApplicationClosed(close) if close.error_code == FULL => {
            return io::Error::other(busy());
        }
        Lost::ApplicationClosed(close) if close.error_code == UNPROVEN => {
            return io::Error::other(tls::refused(Alert::BadCertificate));
        }
        Lost::ApplicationClosed(_) => {
            (io::ErrorKind::ConnectionReset, "the peer has closed the connection".into())
        }
        Lost::Reset => {
            (io::ErrorKind::ConnectionReset, "the peer knows nothing of the connection".into())
        }
        Lost::TimedOut => (io::ErrorKind::TimedOut, "nothing was heard for too long".into()),
        Lost::TransportError(error) => {
            (io::ErrorKind::ConnectionAborted, format!("the connection failed: {}", error.code))
        }
        Lost::LocallyClosed | Lost::CidsExhausted | Lost::VersionMismatch => {
            (io::ErrorKind::ConnectionAborted, error.to_string())
        }
    };
    io::Error::new(kind, problem)
}

/// What ends a reader.
pub(crate) fn of_read(error: ReadError) -> io::Error {
    match error {
        ReadError::ConnectionLost(error) => of_connection(&error),
        ReadError::Reset(UNWANTED) => {
            io::Error::new(io::ErrorKind::ConnectionRefused, "the peer accepts no conns any more")
        }
        ReadError::Reset(_) => {
            io::Error::new(io::ErrorKind::ConnectionReset, "the peer has dropped its writer")
        }
        other => io::Error::new(io::ErrorKind::NotConnected, other.to_string()),
    }
}

/// What ends a writer.
pub(crate) fn of_write(error: WriteError) -> io::Error {
    match error {
        WriteError::ConnectionLost(error) => of_connection(&error),
        WriteError::Stopped(UNWANTED) => {
            io::Error::new(io::ErrorKind::ConnectionRefused, "the peer accepts no conns any more")
        }
        WriteError::Stopped(_) => {
            io::Error::new(io::ErrorKind::BrokenPipe, "the peer has dropped its reader")
        }
        other => io::Error::new(io::ErrorKind::NotConnected, other.to_string()),
    }
}

/// What it means for a writer with nothing left to send that its end was not acknowledged: that the
/// peer has dropped its reader is none of its concern any more.
pub(crate) fn of_end(error: StoppedError) -> io::Result<()> {
    match error {
        StoppedError::ConnectionLost(ConnectionError::ApplicationClosed(close))
            if close.error_code == GONE =>
        {
            Ok(())
        }
        StoppedError::ConnectionLost(error) => Err(of_connection(&error)),
        StoppedError::ZeroRttRejected => Err(io::ErrorKind::ConnectionReset.into()),
    }
}

/// Whether a listener has refused a dialer, or given it up before the handshake was done: what a
/// program says then is not shown to strangers (RFC 9000, section 10.2.3).
fn has_no_room(code: TransportErrorCode) -> bool {
    matches!(code, TransportErrorCode::CONNECTION_REFUSED | TransportErrorCode::APPLICATION_ERROR)
}

fn busy() -> Error {
    Error::Busy { what: "the listener".into() }
}

/// The alert of TLS that an error of QUIC stands for (RFC 9001, section 4.8).
fn alert(code: TransportErrorCode) -> Option<Alert> {
    let alert = u64::from(code).checked_sub(u64::from(TransportErrorCode::crypto(0)))?;
    u8::try_from(alert).ok().map(Alert::from)
}

/// The verifier's words without those that rustls puts around them, since QUIC carries them as text.
fn without_wrapping(reason: &str) -> &str {
    let reason = reason.strip_prefix("invalid peer certificate: ").unwrap_or(reason);
    let ours = reason.strip_prefix("Other(OtherError(").and_then(|ours| ours.strip_suffix("))"));
    ours.unwrap_or(reason)
}

/// Our own verifier's words, which name a node and are longer than an excerpt.
fn excerpt_of_all(reason: &str) -> String {
    let shown = |c: char| if c.is_control() { c.escape_debug().to_string() } else { c.to_string() };
    reason.chars().take(LONGEST_REASON).map(shown).collect()
}

const LONGEST_REASON: usize = 200;
