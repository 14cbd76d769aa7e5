//! Which file an address names.

use std::path::Path;

use rumormill_transport_api::{Addr, Error, Result};

/// The path of the socket that `addr` names.
///
/// # Errors
/// [`Error::Address`] or [`Error::Unsupported`] for what can be no socket's path, with what to write
/// instead.
pub(crate) fn parse(addr: &Addr) -> Result<&Path> {
    let path = addr.rest();
    if let Some(name) = path.strip_prefix('@') {
        return Err(Error::unsupported(
            format!("the abstract socket '@{}'", rumormill_transport_api::excerpt(name)),
            "use the path of a file, whose permissions say who may connect",
        ));
    }
    match what_is_wrong_with(path) {
        Some(problem) => Err(addr.malformed(problem)),
        None => Ok(Path::new(path)),
    }
}

fn what_is_wrong_with(path: &str) -> Option<String> {
    if path.is_empty() {
        return Some("has no path; write unix:///absolute/path".into());
    }
    if !path.starts_with('/') {
        return Some(
            "has a relative path, which would depend on where a program was started; write \
             unix:///absolute/path, with three slashes"
                .into(),
        );
    }
    if matches!(path.rsplit('/').next(), Some("" | "." | "..")) {
        return Some("names a directory; add the name of the socket file".into());
    }
    (LONGEST < path.len()).then(|| {
        format!(
            "has a path of {} bytes; a socket's may have {LONGEST}; use a shorter directory, such \
             as one in /run",
            path.len()
        )
    })
}

/// The longest path of a socket in bytes, without the NUL behind it (unix(7)).
pub(crate) const LONGEST: usize =
    if cfg!(any(target_os = "android", target_os = "linux")) { 107 } else { 103 };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_paths_of_files_are_sockets() {
        for (rest, way_out) in [
            ("", "has no path; write unix:///absolute/path"),
            ("run/app.sock", "write unix:///absolute/path, with three slashes"),
            ("./app.sock", "write unix:///absolute/path"),
            ("@app", "use the path of a file"),
            ("/", "add the name of the socket file"),
            ("/run/", "add the name of the socket file"),
            ("/run/.", "add the name of the socket file"),
            ("/run/..", "add the name of the socket file"),
            (&format!("/{}", "x".repeat(107)), "a path of 108 bytes; a socket's may have 107"),
        ] {
            let message = parse(&Addr::new("unix", rest).unwrap()).unwrap_err().to_string();
            assert!(message.contains(way_out), "{message}");
        }
        for rest in ["/a", "/run/a b?c.sock", "/run/größe", &format!("/{}", "x".repeat(106))] {
            let addr = Addr::new("unix", rest).unwrap();
            assert_eq!(parse(&addr).unwrap(), Path::new(rest));
        }
    }
}
