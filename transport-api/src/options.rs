//! Settings of a transport as text: from a configuration table or from an address.

use std::{collections::BTreeMap, fmt::Display, ops::RangeInclusive, str::FromStr, time::Duration};

use crate::{Error, Result, excerpt, nearest};

/// Settings as text, by key, each key once.
///
/// They exist only at the registry's edge: a transport turns them into a plain struct when it is
/// built, and options in an address override that struct for one dial or listen. Start with
/// [`check`](Self::check), so that a misspelt key is an error and not a surprise.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Options(BTreeMap<String, String>);

/// One option that a transport understands, as shown to users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionSpec {
    /// The key: lower-case letters, digits, `_` and `-`.
    pub name: &'static str,
    /// The value that holds when the option is not given, as a user would write it.
    pub default: &'static str,
    /// One sentence: meaning, unit, range.
    pub doc: &'static str,
}

impl OptionSpec {
    /// An option called `name`, which has the value `default` where it is not given.
    pub const fn new(name: &'static str, default: &'static str, doc: &'static str) -> Self {
        Self { name, default, doc }
    }
}

impl Options {
    /// Sets `key` and returns the value that it had.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<String>) -> Option<String> {
        self.0.insert(key.into(), value.into())
    }

    /// The value of `key`, if set.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// All settings, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Refuses keys that are not among `specs`.
    ///
    /// # Errors
    /// [`Error::Option`] that names the first unknown key, the nearest known one and all others.
    pub fn check(&self, specs: &[OptionSpec]) -> Result<()> {
        let known = |key: &str| specs.iter().any(|spec| spec.name == key);
        match self.0.keys().find(|key| !known(key)) {
            Some(key) => Err(unknown(key, specs)),
            None => Ok(()),
        }
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// [`Error::Option`] if the value is set and is neither.
    pub fn flag(&self, key: &str) -> Result<Option<bool>> {
        self.parsed(key, "true or false", |text| text.parse().ok())
    }

    /// A whole number within `range`.
    ///
    /// # Errors
    /// [`Error::Option`] if the value is set and is no such number.
    pub fn number<N>(&self, key: &str, range: RangeInclusive<N>) -> Result<Option<N>>
    where
        N: FromStr + PartialOrd + Display,
    {
        let value = self.parsed(key, "a whole number such as 128", |text| text.parse().ok())?;
        self.within(key, value, range)
    }

    /// A whole number of bytes within `range`: `512`, `32KiB`, `8MiB`, `1GiB`.
    ///
    /// # Errors
    /// [`Error::Option`] if the value is set and is no such size.
    pub fn size(&self, key: &str, range: RangeInclusive<usize>) -> Result<Option<usize>> {
        let value = self.parsed(key, "a size such as 512, 32KiB or 8MiB", |text| {
            let (number, factor) = quantity(text, SIZES)?;
            usize::try_from(number.checked_mul(factor)?).ok()
        })?;
        self.within(key, value, range)
    }

    /// The size of a buffer that the kernel keeps, where 0 leaves it to the kernel: `Some(None)` means
    /// that this was asked for.
    ///
    /// # Errors
    /// [`Error::Option`] if the value is set and is no size up to 2 GiB − 1.
    pub fn kernel_buffer(&self, key: &str) -> Result<Option<Option<u32>>> {
        let bytes = self.size(key, 0..=i32::MAX as usize)?;
        Ok(bytes.map(|bytes| u32::try_from(bytes).ok().filter(|bytes| *bytes != 0)))
    }

    /// A span of time: `250ms`, `5s`, `2m`, `1h`.
    ///
    /// # Errors
    /// [`Error::Option`] if the value is set and is no duration.
    pub fn duration(&self, key: &str) -> Result<Option<Duration>> {
        self.parsed(key, "a duration such as 250ms, 5s or 2m", |text| {
            let (number, factor) = quantity(text, SPANS)?;
            Some(Duration::from_millis(number.checked_mul(factor)?))
        })
    }

    fn within<N>(&self, key: &str, value: Option<N>, range: RangeInclusive<N>) -> Result<Option<N>>
    where
        N: PartialOrd + Display,
    {
        match value {
            Some(value) if !range.contains(&value) => {
                let (text, least, most) =
                    (self.get(key).unwrap_or_default(), range.start(), range.end());
                Err(Error::option(
                    key,
                    format!("is '{text}', which is not within {least} and {most}"),
                ))
            }
            value => Ok(value),
        }
    }

    fn parsed<T>(
        &self,
        key: &str,
        wanted: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(text) = self.get(key) else { return Ok(None) };
        match parse(text) {
            Some(value) => Ok(Some(value)),
            None => Err(Error::option(key, format!("is '{}', not {wanted}", excerpt(text)))),
        }
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Options {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }
}

fn unknown(key: &str, specs: &[OptionSpec]) -> Error {
    let names: Vec<&str> = specs.iter().map(|spec| spec.name).collect();
    let problem = match (nearest(key, &names), names.is_empty()) {
        (_, true) => "is not known; this transport has no options".into(),
        (Some(near), _) => {
            format!("is not known; did you mean '{near}'? All: {}", names.join(", "))
        }
        (None, _) => format!("is not known; there are {}", names.join(", ")),
    };
    Error::option(key, problem)
}

/// Splits `8MiB` into 8 and the factor of `MiB`.
fn quantity(text: &str, units: &[(&str, u64)]) -> Option<(u64, u64)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    Some((number.parse().ok()?, *factor))
}

const SIZES: &[(&str, u64)] =
    &[("", 1), ("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
const SPANS: &[(&str, u64)] = &[("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];

#[cfg(test)]
mod tests {
    use super::*;

    fn one(value: &str) -> Options {
        [("k", value)].into_iter().collect()
    }

    #[test]
    fn quantities_have_units() {
        let size = |text: &str| one(text).size("k", 0..=usize::MAX);
        assert_eq!(size("8MiB").unwrap(), Some(8 << 20));
        assert_eq!(size("12").unwrap(), Some(12));
        assert_eq!(one("250ms").duration("k").unwrap(), Some(Duration::from_millis(250)));
        assert_eq!(one("2h").duration("k").unwrap(), Some(Duration::from_secs(7200)));
        assert_eq!(one("").size("other", 0..=1).unwrap(), None);
        for bad in ["", "5", "s", "-1s", "1.5s", "5 s", "18446744073709551615h"] {
            assert!(one(bad).duration("k").is_err(), "{bad}");
        }
        for bad in
            ["", "KiB", "8MB", "8mib", "-8", "99999999999999999999", "18446744073709551615GiB"]
        {
            assert!(size(bad).is_err(), "{bad}");
        }
        let refused = one("9KiB").size("k", 1..=8192).unwrap_err().to_string();
        assert_eq!(refused, "option 'k' is '9KiB', which is not within 1 and 8192");
        assert!(one("300").number::<u8>("k", 0..=9).is_err());
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest() {
        let specs =
            [OptionSpec::new("nodelay", "true", ""), OptionSpec::new("backlog", "1024", "")];
        let options: Options = [("no_delay", "true")].into_iter().collect();
        let text = options.check(&specs).unwrap_err().to_string();
        assert_eq!(
            text,
            "option 'no_delay' is not known; did you mean 'nodelay'? All: nodelay, backlog"
        );
    }
}
