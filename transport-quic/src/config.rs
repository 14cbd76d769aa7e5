//! What quinn is configured with.

use std::{io, sync::Arc};

use quinn::{
    ClientConfig, EndpointConfig, IdleTimeout, MtuDiscoveryConfig, ServerConfig, TransportConfig,
    crypto::{
        HmacKey,
        rustls::{NoInitialCipherSuite, QuicClientConfig, QuicServerConfig},
    },
};
use rumormill_identity::tls::Tls;
use rumormill_transport_api::{Error, Result};

use crate::{Settings, restart::RandomIds};

/// The name of what is spoken over the streams (ALPN, RFC 7301).
pub(crate) const PROTOCOL: &[u8] = b"rumormill/1";

/// For connections that are dialled, on which the peer can open nothing.
pub(crate) fn client(tls: &Tls, settings: &Settings) -> Result<ClientConfig> {
    let crypto = QuicClientConfig::try_from(tls.client().clone()).map_err(no_suite)?;
    let mut config = ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::new(transport(settings, 0)));
    Ok(config)
}

/// For connections that are accepted.
pub(crate) fn server(tls: &Tls, settings: &Settings) -> Result<ServerConfig> {
    let mut server = rustls::ServerConfig::clone(tls.server());
    if !settings.resumption {
        server.send_tls13_tickets = 0;
    }
    let crypto = QuicServerConfig::try_from(server).map_err(no_suite)?;
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    config
        .transport_config(Arc::new(transport(settings, settings.conns)))
        .max_incoming(MAX_INCOMING)
        .incoming_buffer_size(INCOMING_BYTES)
        .incoming_buffer_size_total(INCOMING_BYTES_TOTAL);
    Ok(config)
}

/// For a socket.
pub(crate) fn endpoint(settings: &Settings, key: Arc<dyn HmacKey>) -> io::Result<EndpointConfig> {
    let mut config = EndpointConfig::new(key);
    config
        .cid_generator(|| Box::<RandomIds>::default())
        .max_udp_payload_size(settings.mtu.max(ETHERNET))
        .map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))?;
    Ok(config)
}

fn transport(settings: &Settings, conns: u32) -> TransportConfig {
    let mut config = TransportConfig::default();
    config
        .max_concurrent_bidi_streams(conns.into())
        .max_concurrent_uni_streams(0u32.into())
        .datagram_receive_buffer_size(None)
        .stream_receive_window(settings.conn_window.into())
        .receive_window(settings.peer_window.into())
        .send_window(settings.send_window.into())
        .max_idle_timeout(IdleTimeout::try_from(settings.idle).ok())
        .keep_alive_interval(settings.keep_alive)
        .mtu_discovery_config(discovery(settings.mtu));
    config
}

fn discovery(mtu: u16) -> Option<MtuDiscoveryConfig> {
    let mut discovery = MtuDiscoveryConfig::default();
    discovery.upper_bound(mtu);
    (SMALLEST < mtu).then_some(discovery)
}

fn no_suite(_: NoInitialCipherSuite) -> Error {
    Error::unsupported(
        "QUIC without AES-128-GCM",
        "build rustls with a provider that has TLS13_AES_128_GCM_SHA256",
    )
}

/// First packets of dialers that wait to be looked at, at most 1.5 KiB each; one more is ignored.
const MAX_INCOMING: usize = 4096;
/// What a dialer sends before its first packet was looked at.
const INCOMING_BYTES: u64 = 16 << 10;
/// The same, of all dialers together.
const INCOMING_BYTES_TOTAL: u64 = 4 << 20;
/// What an Ethernet frame carries beside the headers of IPv4 and UDP; peers may send as much
/// whatever we try.
const ETHERNET: u16 = 1472;
/// The smallest limit that a path of QUIC has.
const SMALLEST: u16 = 1200;
