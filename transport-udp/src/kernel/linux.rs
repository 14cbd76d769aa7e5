//! What Linux tells about sockets of datagrams beyond what every system does: how wide a way is, and
//! what the network answered.

use std::{
    io::{self, IoSliceMut},
    net::{IpAddr, SocketAddr, SocketAddrV6, UdpSocket},
    os::fd::{AsFd, AsRawFd},
};

use nix::{
    cmsg_space,
    errno::Errno,
    ifaddrs::getifaddrs,
    libc,
    sys::socket::{
        ControlMessageOwned, MsgFlags, RecvMsg, SockaddrStorage, recvmsg, setsockopt, sockopt,
    },
};
use rustix::net::sockopt::{
    ip_mtu, ip_mtu_discover, ipv6_mtu, ipv6_mtu_discover, set_ip_mtu_discover,
    set_ipv6_mtu_discover,
};

use tokio::{io::Interest, task::yield_now};

use crate::kernel::Answer;

/// Whether a socket that was read empty becomes ready with each datagram that arrives.
pub(crate) const TELLS_EACH_ARRIVAL: bool = true;

/// The longest packet, headers included, on the way that `connected` was connected for.
pub(crate) fn mtu(connected: &UdpSocket) -> Option<usize> {
    let mtu = match connected.local_addr().ok()? {
        SocketAddr::V4(_) => ip_mtu(connected),
        SocketAddr::V6(_) => ipv6_mtu(connected),
    };
    usize::try_from(mtu.ok()?).ok()
}

/// The addresses of this machine's interfaces, each with the mask of its network.
pub(crate) fn interfaces() -> Vec<(IpAddr, IpAddr)> {
    let Ok(interfaces) = getifaddrs() else { return Vec::new() };
    let ends = interfaces.map(|interface| (interface.address, interface.netmask));
    ends.filter_map(|(address, mask)| Some((ip(&address?)?, ip(&mask?)?))).collect()
}

/// Runs `setup`, and lets the system split long datagrams of `socket` afterwards as it did before.
pub(crate) fn keep_splitting<T>(
    socket: &socket2::Socket,
    at: SocketAddr,
    setup: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    let v4 = ip_mtu_discover(socket)?;
    let v6 = at.is_ipv6().then(|| ipv6_mtu_discover(socket)).transpose()?;
    let done = setup()?;
    set_ip_mtu_discover(socket, v4)?;
    if let Some(v6) = v6 {
        set_ipv6_mtu_discover(socket, v6)?;
        setsockopt(socket, sockopt::Ipv6DontFrag, &false)?;
    }
    Ok(done)
}

/// Gives each datagram to a call of its own, also those that arrived together.
pub(crate) fn receive_singly(socket: &impl AsFd) -> io::Result<()> {
    Ok(setsockopt(socket, sockopt::UdpGroSegment, &false)?)
}

/// Keeps for [`answers`] what the network says about datagrams that were sent.
pub(crate) fn keep_answers(socket: &impl AsFd, at: SocketAddr) -> io::Result<()> {
    match at {
        SocketAddr::V4(_) => setsockopt(socket, sockopt::Ipv4RecvErr, &true)?,
        SocketAddr::V6(_) => setsockopt(socket, sockopt::Ipv6RecvErr, &true)?,
    }
    Ok(())
}

/// Moves what the network has answered to `into`, out of at most `most` reports; returns how many
/// reports there were.
pub(crate) fn answers(socket: &impl AsRawFd, most: usize, into: &mut Vec<Answer>) -> usize {
    let mut space = cmsg_space!([u8; CONTROL]);
    for count in 0..most {
        // Of the datagram that failed nothing is wanted.
        let mut nothing = [IoSliceMut::new(&mut [])];
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let report =
            recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut nothing, Some(&mut space), flags);
        let Ok(report) = report else { return count };
        into.extend(answer(&report));
    }
    most
}

/// Whether the network may have caused this error with its answer to an earlier datagram, to
/// whomever: the system reports that once, to the next call of any kind, which then did nothing.
pub(crate) fn may_be_answer(error: &io::Error) -> bool {
    error.raw_os_error().map(Errno::from_raw).is_some_and(|errno| ANSWERS.contains(&errno))
}

/// Whether datagrams are too long for what was asked.
pub(crate) fn is_too_long(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EMSGSIZE)
}

/// Waits until the system may take more from `socket`.
pub(crate) async fn writable(socket: &tokio::net::UdpSocket) -> io::Result<()> {
    if !socket.ready(Interest::WRITABLE).await?.is_write_closed() {
        return Ok(());
    }
    // Once the network has answered, tokio takes the socket for closed and never waits again. The
    // waiting is done by another registration, which knows nothing of that.
    let Ok(again) = socket.as_fd().try_clone_to_owned() else {
        yield_now().await;
        return Ok(());
    };
    tokio::net::UdpSocket::from_std(again.into())?.writable().await
}

/// `None`: what the system itself says of a datagram, which its sender was told already.
fn answer(report: &RecvMsg<'_, '_, SockaddrStorage>) -> Option<Answer> {
    let cause = report.cmsgs().ok()?.find_map(|message| match message {
        ControlMessageOwned::Ipv4RecvErr(cause, _) => Some(cause),
        ControlMessageOwned::Ipv6RecvErr(cause, _) => Some(cause),
        _ => None,
    })?;
    matches!(cause.ee_origin, libc::SO_EE_ORIGIN_ICMP | libc::SO_EE_ORIGIN_ICMP6).then_some(())?;
    let is_refusal = cause.ee_errno == libc::ECONNREFUSED as u32;
    Some(Answer { to: socket_addr(report.address.as_ref()?)?, is_refusal })
}

fn socket_addr(addr: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = addr.as_sockaddr_in().map(|v4| SocketAddr::from((v4.ip(), v4.port())));
    let v6 = || addr.as_sockaddr_in6().map(|v6| SocketAddrV6::from(*v6).into());
    v4.or_else(v6)
}

fn ip(addr: &SockaddrStorage) -> Option<IpAddr> {
    socket_addr(addr).map(|addr| addr.ip())
}

/// What `icmp_err_convert` of Linux and its sister for IPv6 make of answers.
const ANSWERS: &[Errno] = &[
    Errno::EACCES,
    Errno::ECONNREFUSED,
    Errno::EHOSTDOWN,
    Errno::EHOSTUNREACH,
    Errno::EMSGSIZE,
    Errno::ENETUNREACH,
    Errno::ENONET,
    Errno::ENOPROTOOPT,
    Errno::EOPNOTSUPP,
    Errno::EPROTO,
];
/// More than all control messages of one report take, in bytes.
const CONTROL: usize = 512;
