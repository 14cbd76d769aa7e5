//! What can be set for a Unix conn.

use rumormill_transport_api::{Caps, Error, Framing, OptionSpec, Options, Result, excerpt};

/// Settings of a [`Unix`](crate::Unix) transport, or of one listener or dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Conns that may wait to be accepted, 1 to 65,535; dialers beyond it are turned away as
    /// [`Busy`](Error::Busy). The kernel has a limit of its own (`net.core.somaxconn`).
    pub backlog: u32,
    /// The longest message, and how much is read or gathered at a time.
    pub framing: Framing,
    /// Permissions of the socket file, as `chmod` takes them: 0o200 to 0o777. Who may write may
    /// connect, and its owner always may; other bits than these nine mean nothing.
    pub mode: u32,
    /// Bytes that the kernel takes from the writer ahead of the peer; `None`: its own default. There
    /// is no such setting for the reader, since the kernel keeps nothing there.
    pub send_buffer: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { backlog: 1024, framing: Framing::default(), mode: 0o660, send_buffer: None }
    }
}

impl Settings {
    pub(crate) const OPTIONS: &[OptionSpec] = &[
        OptionSpec::new("backlog", "1024", "conns that may wait to be accepted, 1 to 65535"),
        Framing::BUFFER,
        Framing::MAX_MESSAGE,
        OptionSpec::new(
            "mode",
            "0660",
            "permissions of the socket file, octal; who may write may connect",
        ),
        OptionSpec::new(
            "send_buffer",
            "0",
            "bytes that the kernel takes ahead of the peer; 0: its default",
        ),
    ];

    /// These settings, overridden by what `options` set.
    ///
    /// # Errors
    /// [`Error::Option`] for an unknown key, or a value that is malformed or out of range.
    pub fn with(self, options: &Options) -> Result<Self> {
        if options.is_empty() {
            return Ok(self);
        }
        options.check(Self::OPTIONS)?;
        Ok(Self {
            backlog: options.number("backlog", 1..=65_535)?.unwrap_or(self.backlog),
            framing: self.framing.with(options)?,
            mode: mode(options)?.unwrap_or(self.mode),
            send_buffer: options.kernel_buffer("send_buffer")?.unwrap_or(self.send_buffer),
        })
    }

    pub(crate) fn caps(&self) -> Caps {
        CAPS.with_max_message(self.framing.max_message)
    }

    /// The permissions to give to a socket file. Without its owner's nobody could find out whether
    /// it is stale.
    pub(crate) fn permissions(&self) -> u32 {
        self.mode & PERMISSIONS | OWNER_WRITES
    }
}

/// A stream that cannot leave the machine. It counts as insecure because nothing is encrypted,
/// although each side proves itself to the other.
pub(crate) const CAPS: Caps = Caps { local_only: true, ..Caps::STREAM };

fn mode(options: &Options) -> Result<Option<u32>> {
    let Some(text) = options.get("mode") else { return Ok(None) };
    let digits = (3..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| digits && *mode <= PERMISSIONS);
    let Some(mode) = mode else {
        let text = excerpt(text);
        return Err(Error::option("mode", format!("is '{text}', not an octal mode such as 0660")));
    };
    match mode & OWNER_WRITES {
        0 => {
            let right = mode | OWNER_WRITES;
            Err(Error::option(
                "mode",
                format!("is '{text}', which keeps even the owner out; write {right:04o}"),
            ))
        }
        _ => Ok(Some(mode)),
    }
}

const PERMISSIONS: u32 = 0o777;
const OWNER_WRITES: u32 = 0o200;

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;

    fn with(options: &[(&str, &str)]) -> Result<Settings> {
        Settings::default().with(&options.iter().copied().collect())
    }

    #[test]
    fn options_override_settings() {
        let all = with(&[
            ("backlog", "7"),
            ("buffer", "32KiB"),
            ("max_message", "1MiB"),
            ("mode", "0600"),
            ("send_buffer", "64KiB"),
        ]);
        let wanted = Settings {
            backlog: 7,
            framing: Framing { buffer: NonZeroUsize::new(32 << 10).unwrap(), max_message: 1 << 20 },
            mode: 0o600,
            send_buffer: Some(64 << 10),
        };
        assert_eq!(all.unwrap(), wanted);
        assert_eq!(with(&[]).unwrap(), Settings::default());
        assert_eq!(with(&[("mode", "777")]).unwrap().mode, 0o777);
    }

    #[test]
    fn documented_defaults_are_the_defaults() {
        let documented: Options =
            Settings::OPTIONS.iter().map(|option| (option.name, option.default)).collect();
        assert_eq!(Settings::default().with(&documented).unwrap(), Settings::default());
    }

    #[test]
    fn bad_options_are_refused_with_what_would_be_right() {
        for (key, value, way_out) in [
            ("mod", "0660", "did you mean 'mode'?"),
            ("mode", "rw-rw----", "not an octal mode such as 0660"),
            ("mode", "", "not an octal mode such as 0660"),
            ("mode", "0o660", "not an octal mode such as 0660"),
            ("mode", "+660", "not an octal mode such as 0660"),
            ("mode", "0680", "not an octal mode such as 0660"),
            ("mode", "1660", "not an octal mode such as 0660"),
            ("mode", "6", "not an octal mode such as 0660"),
            ("mode", "0060", "write 0260"),
            ("backlog", "0", "not within 1 and 65535"),
            ("buffer", "1B", "not within 1024 and"),
            ("max_message", "5GiB", "not within 1 and 4294967295"),
            ("send_buffer", "3GiB", "not within 0 and 2147483647"),
        ] {
            let message = with(&[(key, value)]).unwrap_err().to_string();
            assert!(message.contains(key) && message.contains(way_out), "{message}");
        }
    }
}
