//! A block of IP addresses, as `10.0.0.0/8`.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

use rumormill_transport_api::excerpt;

/// A block of IP addresses: those that begin with the same bits.
///
/// ```
/// use rumormill_endpoint::IpNetwork;
///
/// let network: IpNetwork = "10.0.0.0/8".parse()?;
/// assert!(network.contains([10, 1, 2, 3].into()) && !network.contains([11, 0, 0, 0].into()));
///
/// let error = "10.1.2.3/8".parse::<IpNetwork>().unwrap_err().to_string();
/// assert!(error.contains("10.0.0.0/8"), "{error}");
/// # Ok::<(), rumormill_endpoint::NetworkError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpNetwork {
    addr: IpAddr,
    prefix: u8,
}

/// Why something is no [`IpNetwork`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// The address has bits that the prefix leaves open.
    #[error("the address goes on behind its first {} bits; write {meant}", meant.prefix)]
    HostBits {
        /// The network that the address is in.
        meant: IpNetwork,
    },
    /// It is not of the form `address/prefix`.
    #[error("'{text}' is no network; write ADDRESS/BITS, as in 10.0.0.0/8 or fd00::/8")]
    Malformed {
        /// What it is, shortened and escaped.
        text: Box<str>,
    },
    /// IPv4 addresses written as IPv6: no dial is compared with them in that form.
    #[error("these are IPv4 addresses; write {meant}")]
    Mapped {
        /// The same network.
        meant: IpNetwork,
    },
    /// The prefix is longer than an address.
    #[error("{prefix} bits are more than an address has; write at most {max}")]
    Prefix {
        /// Bits that were asked for.
        prefix: u8,
        /// Bits of such an address.
        max: u8,
    },
}

impl IpNetwork {
    /// All addresses whose first `prefix` bits are those of `addr`; all further ones of `addr` must
    /// be zero.
    ///
    /// # Errors
    /// [`NetworkError::HostBits`], [`NetworkError::Mapped`], [`NetworkError::Prefix`].
    pub fn new(addr: IpAddr, prefix: u8) -> Result<Self, NetworkError> {
        let max = if addr.is_ipv4() { 32 } else { 128 };
        if max < prefix {
            return Err(NetworkError::Prefix { prefix, max });
        }
        let meant = Self { addr: first(addr, prefix), prefix };
        match meant.mapped() {
            Some(meant) => Err(NetworkError::Mapped { meant }),
            None if meant.addr != addr => Err(NetworkError::HostBits { meant }),
            None => Ok(meant),
        }
    }

    /// Its first address.
    pub fn addr(&self) -> IpAddr {
        self.addr
    }

    /// How many bits its addresses begin with in common.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether `ip` is in it. An IPv4 address is in no IPv6 network, nor the other way round.
    pub fn contains(&self, ip: IpAddr) -> bool {
        first(ip, self.prefix) == self.addr
    }

    /// The IPv4 network of which this is the mapped form (`::ffff:0:0/96`).
    fn mapped(self) -> Option<Self> {
        let IpAddr::V6(addr) = self.addr else { return None };
        let (addr, prefix) = (addr.to_ipv4_mapped()?, self.prefix.checked_sub(96)?);
        Some(Self { addr: addr.into(), prefix })
    }
}

impl FromStr for IpNetwork {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (addr, prefix) =
            split(text).ok_or_else(|| NetworkError::Malformed { text: excerpt(text).into() })?;
        Self::new(addr, prefix)
    }
}

impl fmt::Display for IpNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addr, self.prefix)
    }
}

fn split(text: &str) -> Option<(IpAddr, u8)> {
    let (addr, digits) = text.split_once('/')?;
    // `u8::from_str` accepts a leading `+` and zeros.
    let prefix = digits.parse().ok().filter(|prefix: &u8| prefix.to_string() == digits)?;
    Some((addr.parse().ok()?, prefix))
}

/// The first address of the block that `ip` is in.
fn first(ip: IpAddr, prefix: u8) -> IpAddr {
    let prefix = u32::from(prefix);
    match ip {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(prefix)).unwrap_or(0);
            IpAddr::V4((ip.to_bits() & mask).into())
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(prefix)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & mask))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_what_begins_with_its_bits() {
        let check = |network: &str, ip: &str, expected| {
            let holds = network.parse::<IpNetwork>().unwrap().contains(ip.parse().unwrap());
            assert_eq!(holds, expected, "{ip} in {network}");
        };
        check("0.0.0.0/0", "255.255.255.255", true);
        check("0.0.0.0/0", "::", false);
        check("0.0.0.0/0", "::ffff:1.2.3.4", false);
        check("::/0", "1.2.3.4", false);
        check("::/0", "ffff::", true);
        check("10.0.0.0/8", "10.255.255.255", true);
        check("10.0.0.0/8", "11.0.0.0", false);
        check("10.0.0.0/8", "9.255.255.255", false);
        check("10.0.0.128/25", "10.0.0.127", false);
        check("10.0.0.128/25", "10.0.0.128", true);
        check("1.2.3.4/32", "1.2.3.4", true);
        check("1.2.3.4/32", "1.2.3.5", false);
        check("fe80::/10", "febf:ffff::1", true);
        check("fe80::/10", "fec0::", false);
        check("2001:db8::1/128", "2001:db8::1", true);
        check("2001:db8::1/128", "2001:db8::2", false);
    }

    #[test]
    fn text_and_parts_agree() {
        for text in ["0.0.0.0/0", "10.0.0.0/8", "1.2.3.4/32", "::/0", "fd00::/8", "::1/128"] {
            let network: IpNetwork = text.parse().unwrap();
            assert_eq!(network.to_string(), text);
            assert_eq!(IpNetwork::new(network.addr(), network.prefix()), Ok(network));
        }
    }

    #[test]
    fn bits_behind_the_prefix_are_an_error_that_names_the_network_meant() {
        let check = |text: &str, meant: &str| {
            let meant = meant.parse().unwrap();
            let error = text.parse::<IpNetwork>().unwrap_err();
            assert_eq!(error, NetworkError::HostBits { meant });
            assert!(error.to_string().ends_with(&format!("write {meant}")), "{error}");
        };
        check("10.1.2.3/8", "10.0.0.0/8");
        check("10.0.0.1/0", "0.0.0.0/0");
        check("10.0.0.1/31", "10.0.0.0/31");
        check("fe80::1/10", "fe80::/10");
        check("::1/0", "::/0");
    }

    #[test]
    fn ipv4_in_the_dress_of_ipv6_is_an_error_that_names_the_network_meant() {
        let check = |text: &str, meant: &str| {
            let meant = meant.parse().unwrap();
            assert_eq!(text.parse::<IpNetwork>(), Err(NetworkError::Mapped { meant }), "{text}");
        };
        check("::ffff:10.0.0.0/104", "10.0.0.0/8");
        check("::ffff:10.1.2.3/104", "10.0.0.0/8");
        check("::ffff:0:0/96", "0.0.0.0/0");
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for (text, max) in [("10.0.0.0/33", 32), ("::/129", 128)] {
            let prefix = max + 1;
            assert_eq!(text.parse::<IpNetwork>(), Err(NetworkError::Prefix { prefix, max }));
        }
        for text in [
            "",
            "/",
            "/8",
            "10.0.0.0",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.0/08",
            "10.0.0.0/-1",
            "10.0.0.0/256",
            "10.0.0.0/8/8",
            "10/8",
            "10.0.0.0 /8",
            "010.0.0.0/8",
            "fe80::%1/10",
            "[::]/0",
            "example.org/8",
            "10.0.0.0/255.0.0.0",
        ] {
            let found = text.parse::<IpNetwork>();
            assert_eq!(found, Err(NetworkError::Malformed { text: text.into() }), "{text}");
        }
        let error = "a\n\u{1b}[31m".parse::<IpNetwork>().unwrap_err().to_string();
        assert!(!error.contains(char::is_control), "{error:?}");
    }
}
