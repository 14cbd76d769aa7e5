//! Peers, each call to one with a deadline.

use std::{future::Future, time::Duration};

use rumormill::{
    Addr, Writer,
    transport::{self as api, AnyConn, AnyWriter, Caps, Timeouts},
};
use tokio::time::timeout;

use super::{Error, Result, output};

/// Dials `addr` to send messages of `size` bytes.
///
/// # Errors
/// [`Error::TooLong`] if the conn cannot carry them.
pub(crate) async fn dial(addr: &Addr, size: usize, timeouts: Timeouts) -> Result<AnyConn> {
    let registry = rumormill::registry()?;
    let doing = || format!("dialling {addr}");
    let conn = within(timeouts.dial, doing, registry.dial(&addr.clone().into())).await?;
    let Caps { max_message: max, packet, .. } = conn.info.caps;
    if max < size {
        return Err(Error::TooLong { addr: addr.clone(), max, size });
    }
    if packet < size {
        output::note(format_args!(
            "messages of {size} bytes exceed a packet of {packet}: one lost piece loses a message"
        ));
    }
    Ok(conn)
}

/// Says goodbye. Whether the peer hears it makes no difference any more.
pub(crate) async fn close(mut writer: AnyWriter, timeouts: Timeouts) {
    let closed = timeout(timeouts.write, writer.close()).await;
    drop(closed);
}

/// Waits for `work`, but no longer than `after`.
///
/// # Errors
/// Those of `work`, or [`Timeout`](api::Error::Timeout).
pub(crate) async fn within<T, E>(
    after: Duration,
    doing: impl FnOnce() -> String,
    work: impl Future<Output = std::result::Result<T, E>>,
) -> Result<T>
where
    Error: From<E>,
{
    match timeout(after, work).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(api::Error::Timeout { doing: doing().into(), after }.into()),
    }
}
