//! Spans of time and sizes as people write them: `1m30s`, `8MiB`.

use std::{fmt::Write, time::Duration};

use rumormill_transport_api::Options;

/// Reads `250ms`, `5s`, `1m30s`: whole numbers with units, the longest unit first.
pub(super) fn span(text: &str) -> Option<Duration> {
    let (mut rest, mut units, mut millis) = (text, UNITS, 0_u64);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(end);
        let end = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let at = units.iter().position(|(name, _)| *name == unit)?;
        let factor = units.get(at)?.1;
        millis = millis.checked_add(number.parse::<u64>().ok()?.checked_mul(factor)?)?;
        (rest, units) = (tail, units.get(at + 1..)?);
    }
    (!text.is_empty()).then(|| Duration::from_millis(millis))
}

/// A span as [`span`] reads it; what is shorter than a millisecond is not told.
pub(super) fn span_text(span: Duration) -> String {
    let (mut text, mut rest) = (String::new(), span.as_millis());
    for (unit, factor) in UNITS {
        let factor = u128::from(*factor);
        if factor <= rest {
            write!(text, "{}{unit}", rest / factor).unwrap_or_default();
            rest %= factor;
        }
    }
    if text.is_empty() { "0s".into() } else { text }
}

/// Reads `512`, `32KiB`, `8MiB`, as the options of addresses have it.
pub(super) fn size(text: &str) -> Option<usize> {
    let options: Options = [("size", text)].into_iter().collect();
    options.size("size", 0..=usize::MAX).ok().flatten()
}

/// A size as [`size`] reads it.
pub(super) fn size_text(size: usize) -> String {
    let unit = SIZES.iter().find(|(factor, _)| 0 < size && size.is_multiple_of(*factor));
    unit.map_or_else(|| format!("{size}B"), |(factor, unit)| format!("{}{unit}", size / factor))
}

const UNITS: &[(&str, u64)] = &[("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
const SIZES: &[(usize, &str)] = &[(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_they_are_written() {
        for (text, millis) in [
            ("250ms", 250),
            ("5s", 5000),
            ("1m30s", 90_000),
            ("24h", 86_400_000),
            ("1h1m1s1ms", 3_661_001),
            ("0s", 0),
        ] {
            assert_eq!(span(text), Some(Duration::from_millis(millis)), "{text}");
            assert_eq!(span_text(Duration::from_millis(millis)), text);
        }
        assert_eq!(span_text(Duration::from_secs(90)), "1m30s");
        for text in
            ["", "5", "s", "1.5s", "-1s", "5 s", "30s1m", "1s1s", "1M", "99999999999999999999h"]
        {
            assert_eq!(span(text), None, "{text}");
        }
        assert_eq!(span("18446744073709551615h"), None);
    }

    #[test]
    fn sizes_are_read_as_they_are_written() {
        for size_there in [1, 1023, 1024, 8 << 20, 3 << 30] {
            assert_eq!(size(&size_text(size_there)), Some(size_there));
        }
        assert_eq!((size_text(8 << 20), size_text(0)), ("8MiB".into(), "0B".into()));
        assert_eq!((size("512"), size("8MB")), (Some(512), None));
    }
}
