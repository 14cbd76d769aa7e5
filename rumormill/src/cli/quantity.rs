//! Quantities as users write and read them: `250ms`, `64KiB`, `1,234,567`.

use std::time::Duration;

use rumormill::transport::Options;

use super::probe;

/// A span of time, as the options of addresses have it, but not none.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    match value(text).duration(KEY) {
        Ok(Some(duration)) if !duration.is_zero() => Ok(duration),
        _ => Err("write a duration such as 250ms, 5s or 2m".into()),
    }
}

/// The length of a message that carries a number, as the options of addresses have it.
pub(crate) fn message_size(text: &str) -> Result<usize, String> {
    match value(text).size(KEY, 0..=usize::MAX) {
        Ok(Some(size)) if probe::SHORTEST <= size => Ok(size),
        Ok(Some(_)) => Err(format!("a message carries a number of {} bytes", probe::SHORTEST)),
        _ => Err("write a size such as 512, 32KiB or 8MiB".into()),
    }
}

/// Seconds, perhaps with a fraction, up to a day.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.1..=86_400.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "write 0.1 to 86400 seconds".into())
}

/// A size as [`message_size`] reads it.
pub(crate) fn size_text(size: usize) -> String {
    let unit = SIZES.iter().find(|(factor, _)| 0 < size && size.is_multiple_of(*factor));
    unit.map_or_else(|| format!("{size}B"), |(factor, unit)| format!("{}{unit}", size / factor))
}

/// A number with a comma between thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if 0 < at && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A duration in milliseconds with three decimals.
pub(crate) fn millis(duration: Duration) -> String {
    format!("{:.3}", duration.as_secs_f64() * 1e3)
}

/// The contract's parsers read the values of keys, so the text becomes one.
fn value(text: &str) -> Options {
    [(KEY, text)].into_iter().collect()
}

const KEY: &str = "value";
const SIZES: &[(usize, &str)] = &[(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        for size in [8, 65_507, 1 << 10, 10 << 20, 3 << 30] {
            assert_eq!(message_size(&size_text(size)), Ok(size));
        }
        assert_eq!((size_text(65_507), size_text(10 << 20)), ("65507B".into(), "10MiB".into()));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for text in ["", "5", "0ms", "-1s", "soon"] {
            assert!(duration(text).is_err(), "{text}");
        }
        for text in ["", "7", "1KB", "-8"] {
            assert!(message_size(text).is_err(), "{text}");
        }
        for text in ["", "0", "NaN", "inf", "-1", "1e9"] {
            assert!(seconds(text).is_err(), "{text}");
        }
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
    }

    #[test]
    fn thousands_are_set_apart() {
        let texts = [0, 999, 1000, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "1,234,567"]);
    }
}
