//! Why a name is no transport, and what to do about it.

use rumormill_transport_api::{self as api, Factory};

/// A result of the registry.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a call of the registry failed.
///
/// Whatever the variant, the registry has the transports and settings that it had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Settings that come too late: the transport was built before, and goes on as it is.
    #[error("transport '{scheme}' is already built; configure it before its first use")]
    AlreadyBuilt {
        /// Its scheme.
        scheme: &'static str,
    },
    /// Several transports have one scheme. None of them is preferred: which one was registered
    /// first depends on the linker. A new registry was not made; an old one keeps what it had.
    #[error("transport '{scheme}' has several providers: {}; keep one of them", .providers.join(", "))]
    Duplicate {
        /// The scheme.
        scheme: &'static str,
        /// Who provides it, sorted. The same provider twice has registered itself twice.
        providers: Vec<&'static str>,
    },
    /// A scheme that no address can have. Nothing was registered; only the provider can mend it.
    #[error("{provider} provides a transport that no address can name")]
    Malformed {
        /// Who provides it.
        provider: &'static str,
        /// What is wrong with the scheme.
        source: api::Error,
    },
    /// What the transport itself reported, which says what it leaves behind.
    #[error(transparent)]
    Transport(#[from] api::Error),
    /// No transport has this name. Nothing was built or opened.
    #[error("no transport '{scheme}'{}", way_out(linked, *nearest, *feature))]
    Unknown {
        /// The name as given, shortened and escaped.
        scheme: Box<str>,
        /// The schemes that there are, sorted.
        linked: Vec<&'static str>,
        /// The scheme that was probably meant, among those that are linked or hinted at.
        nearest: Option<&'static str>,
        /// The cargo feature of rumormill that brings the scheme, or else the nearest one.
        feature: Option<&'static str>,
    },
}

impl Error {
    /// Whether the same call can succeed later without anybody changing the program, a name or a
    /// setting: what the transport says of its own errors, and `false` for all others.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Transport(error) => error.is_retryable(),
            Self::AlreadyBuilt { .. }
            | Self::Duplicate { .. }
            | Self::Malformed { .. }
            | Self::Unknown { .. } => false,
        }
    }

    /// An [`Error::Duplicate`] about `factories`, which all have one scheme.
    pub(crate) fn duplicate(factories: &[Factory]) -> Self {
        let mut providers: Vec<_> = factories.iter().map(|factory| factory.provider).collect();
        providers.sort_unstable();
        let scheme = factories.first().map_or("", |factory| factory.scheme);
        Self::Duplicate { scheme, providers }
    }

    pub(crate) fn malformed(factory: &Factory, source: api::Error) -> Self {
        Self::Malformed { provider: factory.provider, source }
    }
}

fn way_out(linked: &[&str], nearest: Option<&str>, feature: Option<&str>) -> String {
    let linked = match linked {
        [] => "none".into(),
        _ => linked.join(", "),
    };
    match (nearest, feature) {
        (None, None) => format!("; linked: {linked}; {HOW_TO_LINK}"),
        (Some(nearest), None) => format!("; linked: {linked}; did you mean '{nearest}'?"),
        (None, Some(feature)) => {
            format!(" in this build; linked: {linked}; {}", how_to_enable(feature))
        }
        (Some(nearest), Some(feature)) => {
            let enable = how_to_enable(feature);
            format!("; linked: {linked}; did you mean '{nearest}'? If so, {enable}")
        }
    }
}

fn how_to_enable(feature: &str) -> String {
    format!("enable the cargo feature '{feature}' of rumormill")
}

const HOW_TO_LINK: &str = "a transport crate that only Cargo.toml lists is not linked: name it in \
                           code, as in `use my_transport as _;`, or pass its FACTORY to \
                           Registry::of or Registry::register";
