//! Where a transport listens or dials: `scheme://rest?option=value`.

use std::{fmt, str::FromStr};

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::{Error, Options, Result, excerpt};

/// An address of any transport: `scheme://rest?option=value&option=value`.
///
/// The scheme is the name of the transport in the registry. Only that transport's crate reads
/// `rest` and the options, so nothing here knows what a host or a path is (a crate whose `rest` is
/// `host:port` parses it with [`HostPort`](crate::HostPort)).
///
/// # Text form
/// - `scheme`: a lower-case letter, then lower-case letters, digits, `+`, `-` or `.`; at most
///   [`Addr::MAX_SCHEME`] bytes.
/// - `rest`: anything up to the first `?`, perhaps empty. `?`, `%` and white space in it are
///   percent-encoded (`unix:///run/a%3Fb.sock`); [`rest`](Self::rest) returns it decoded, and
///   `Display` encodes it again.
/// - options: `key=value` joined by `&`, each key once; values are percent-encoded likewise.
/// - The whole is at most [`Addr::MAX_LEN`] bytes of UTF-8 without control characters, encoded or
///   not: addresses arrive from strangers and end up in logs.
///
/// Two addresses are equal when their decoded parts are; the order of options does not matter.
///
/// ```
/// use rumormill_transport_api::Addr;
///
/// let addr: Addr = "unix:///run/app.sock?mode=0660".parse()?;
/// assert_eq!((addr.scheme(), addr.rest()), ("unix", "/run/app.sock"));
/// assert_eq!(addr.options().get("mode"), Some("0660"));
///
/// let error = "127.0.0.1:7946".parse::<Addr>().unwrap_err().to_string();
/// assert!(error.contains("tcp://127.0.0.1:7946"), "{error}");
/// # Ok::<(), rumormill_transport_api::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Addr {
    scheme: Box<str>,
    rest: Box<str>,
    options: Options,
}

impl Addr {
    /// The longest text that parses as an address, in bytes.
    pub const MAX_LEN: usize = 1024;
    /// The longest scheme, in bytes.
    pub const MAX_SCHEME: usize = 32;

    /// An address without options, from its decoded parts.
    ///
    /// # Errors
    /// [`Error::Address`] if the scheme is malformed, `rest` holds a control character, or the
    /// text form would exceed [`Addr::MAX_LEN`].
    pub fn new(scheme: &str, rest: &str) -> Result<Self> {
        let addr = Self { scheme: scheme.into(), rest: rest.into(), options: Options::default() };
        addr.check().map_err(|problem| Error::address(format!("{scheme}://{rest}"), problem))?;
        Ok(addr)
    }

    /// The name of the transport.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// What stands between `://` and `?`, decoded.
    pub fn rest(&self) -> &str {
        &self.rest
    }

    /// What stands behind `?`.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// This address with all options removed.
    ///
    /// What a peer told is used in this form: options are the local operator's to choose.
    #[must_use]
    pub fn without_options(mut self) -> Self {
        self.options = Options::default();
        self
    }

    /// The error that says what is wrong with this address, for the transport that reads `rest`.
    pub fn malformed(&self, problem: impl Into<String>) -> Error {
        Error::address(self.to_string(), problem)
    }

    fn parse(text: &str) -> std::result::Result<Self, String> {
        if Self::MAX_LEN < text.len() {
            return Err(format!("is {} bytes long; the limit is {}", text.len(), Self::MAX_LEN));
        }
        let Some((scheme, tail)) = text.split_once("://") else {
            return Err(missing_scheme(text));
        };
        let (rest, options) = match tail.split_once('?') {
            Some((rest, options)) => (rest, parse_options(options)?),
            None => (tail, Options::default()),
        };
        let addr = Self { scheme: scheme.into(), rest: decode(rest)?.into(), options };
        addr.check()?;
        Ok(addr)
    }

    fn check(&self) -> std::result::Result<(), String> {
        check_scheme(&self.scheme)?;
        check_printable(&self.rest)?;
        for (key, value) in self.options.iter() {
            check_key(key)?;
            check_printable(value)?;
        }
        match self.to_string().len() {
            len if Self::MAX_LEN < len => {
                Err(format!("is {len} bytes long when encoded; the limit is {}", Self::MAX_LEN))
            }
            _ => Ok(()),
        }
    }
}

impl FromStr for Addr {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text).map_err(|problem| Error::address(text, problem))
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, utf8_percent_encode(&self.rest, RESERVED))?;
        let mut separator = '?';
        for (key, value) in self.options.iter() {
            write!(f, "{separator}{key}={}", utf8_percent_encode(value, RESERVED))?;
            separator = '&';
        }
        Ok(())
    }
}

impl fmt::Debug for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Addr({self})")
    }
}

/// What to write instead of a text without `://`.
fn missing_scheme(text: &str) -> String {
    let shown = excerpt(text);
    let scheme = text.split(|c: char| !is_scheme_char(c)).next().unwrap_or_default();
    let (known, tail) =
        (check_scheme(scheme).is_ok(), text.get(scheme.len()..).unwrap_or_default());
    if text.is_empty() {
        return "is empty; write scheme://…, for example tcp://127.0.0.1:7946".into();
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return "is no address; write scheme://…, without white space".into();
    }
    if known && tail.starts_with(":/") {
        return "has one slash too few; write scheme://…, as in tcp://127.0.0.1:7946 or unix:///run/app.sock".into();
    }
    if known && (tail.starts_with("//") || tail.starts_with(";//")) {
        return format!("has no ':' behind its scheme; write {scheme}://…");
    }
    if text.starts_with('/') {
        return format!("has no scheme; for a socket file write unix://{shown}");
    }
    if text.contains('/') || text.ends_with(".sock") {
        return "has no scheme; for a socket file write unix:///absolute/path".into();
    }
    match text.matches(':').count() {
        0 => "has no scheme; write scheme://host:port, for example tcp://127.0.0.1:7946".into(),
        1 if tail.starts_with(':') && tail.ends_with(|c: char| !c.is_ascii_digit()) => {
            format!("has no '//' behind its scheme; write {scheme}://…")
        }
        1 if !text.starts_with(':') => {
            format!("has no scheme; write scheme://…, for example tcp://{shown}")
        }
        _ if text.starts_with('[') => {
            format!("has no scheme; write scheme://…, for example tcp://{shown}")
        }
        _ if looks_like_ipv6(text) => {
            "has no scheme, and an IPv6 address without brackets; write tcp://[…]:PORT".into()
        }
        _ if known => format!("has no '//' behind its scheme; write {scheme}://…"),
        _ => "has no scheme; write scheme://host:port, for example tcp://127.0.0.1:7946".into(),
    }
}

/// Whether `text` is made of what an IPv6 address is made of, and has more than one colon.
pub(crate) fn looks_like_ipv6(text: &str) -> bool {
    let digit = |c: char| c.is_ascii_hexdigit() || ":.%".contains(c);
    1 < text.matches(':').count() && text.chars().all(digit)
}

fn is_scheme_char(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c)
}

fn check_scheme(scheme: &str) -> std::result::Result<(), String> {
    if Addr::MAX_SCHEME < scheme.len() {
        return Err(format!(
            "has a scheme of {} bytes; the limit is {}",
            scheme.len(),
            Addr::MAX_SCHEME
        ));
    }
    if scheme.starts_with(|c: char| c.is_ascii_lowercase()) && scheme.chars().all(is_scheme_char) {
        return Ok(());
    }
    let lower = scheme.to_ascii_lowercase();
    match lower != scheme && check_scheme(&lower).is_ok() {
        true => Err(format!("has an upper-case scheme; write {lower}://")),
        false => {
            Err("has a malformed scheme: it begins with a lower-case letter and goes on with \
                      lower-case letters, digits, '+', '-' or '.'"
                .into())
        }
    }
}

fn check_printable(text: &str) -> std::result::Result<(), String> {
    match text.chars().find(|c| c.is_control()) {
        Some(c) => {
            Err(format!("holds the control character {c:?}, which no address may; remove it"))
        }
        None => Ok(()),
    }
}

fn check_key(key: &str) -> std::result::Result<(), String> {
    let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    match !key.is_empty() && key.chars().all(valid) {
        true => Ok(()),
        false => Err(format!(
            "has an option called '{}'; names consist of lower-case letters, digits, '_' and '-'",
            excerpt(key)
        )),
    }
}

fn parse_options(text: &str) -> std::result::Result<Options, String> {
    let mut options = Options::default();
    for pair in text.split('&') {
        let Some((key, value)) = pair.split_once('=') else {
            let pair = excerpt(pair);
            return Err(format!(
                "has the option '{pair}' without a value; write key=value, joined by '&'"
            ));
        };
        if options.insert(key, decode(value)?).is_some() {
            return Err(format!("sets the option '{}' twice; keep one of them", excerpt(key)));
        }
    }
    Ok(options)
}

fn decode(text: &str) -> std::result::Result<String, String> {
    match text.chars().find(|c| c.is_whitespace()) {
        Some(' ') => return Err("holds white space; write a space as %20".into()),
        Some(c) => return Err(format!("holds white space ({c:?}); remove it")),
        None => (),
    }
    for (at, _) in text.match_indices('%') {
        let digits = text.as_bytes().get(at + 1..at + 3);
        if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
            return Err(
                "holds a '%' that two hexadecimal digits do not follow; write it as %25".into()
            );
        }
    }
    match percent_decode_str(text).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err("does not decode to UTF-8; percent-encode the bytes of UTF-8 text".into()),
    }
}

/// What the text form cannot hold as it is.
const RESERVED: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'&').add(b'?');

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_parts_agree() {
        for text in [
            "tcp://[::1]:7946",
            "unix:///run/a%3Fb%20c.sock?mode=0660",
            "mem://",
            "x+y-z.1://rest?a=1&b=%26%25",
            "tcp://[fe80::1%251]:80",
            "mem://größe",
        ] {
            let addr: Addr = text.parse().unwrap();
            assert_eq!(addr.to_string().parse::<Addr>().unwrap(), addr, "{text}");
        }
        let addr: Addr = "unix:///a%3Fb%20c?mode=0660".parse().unwrap();
        assert_eq!(addr.rest(), "/a?b c");
        assert_eq!(addr.to_string(), "unix:///a%3Fb%20c?mode=0660");
    }

    #[test]
    fn options_compare_without_order() {
        let addr = |text: &str| text.parse::<Addr>().unwrap();
        assert_eq!(addr("tcp://h:1?a=1&b=2"), addr("tcp://h:1?b=2&a=1"));
        assert_eq!(addr("tcp://h:1?a=1").without_options(), addr("tcp://h:1"));
    }

    #[test]
    fn built_addresses_are_checked_like_parsed_ones() {
        assert_eq!(Addr::new("unix", "/a b").unwrap().to_string(), "unix:///a%20b");
        for (scheme, rest) in [("Tcp", "x"), ("", "x"), ("tcp", "a\nb"), ("tcp", &"x".repeat(2000))]
        {
            assert!(
                matches!(Addr::new(scheme, rest), Err(Error::Address { .. })),
                "{scheme} {rest}"
            );
        }
    }
}
