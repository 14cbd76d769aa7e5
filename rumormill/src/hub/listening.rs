//! Where a broker listens: everywhere, or nowhere.

use rumormill_broker::{Broker, ListenError};
use rumormill_transport_api::Addr;

/// A place where a broker cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen at {addr}")]
pub struct NotListening {
    /// Where.
    pub addr: Addr,
    /// Why.
    pub source: Box<ListenError>,
}

/// Listens at all addresses, and tells them as bound.
pub(crate) async fn listen(broker: &Broker, addrs: &[Addr]) -> Result<Vec<Addr>, NotListening> {
    let mut bound = Vec::with_capacity(addrs.len());
    for addr in addrs {
        let failed =
            |source: ListenError| NotListening { addr: addr.clone(), source: source.into() };
        bound.push(broker.listen(addr).await.map_err(failed)?);
    }
    Ok(bound)
}
