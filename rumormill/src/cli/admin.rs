//! Commands that ask a running node: where it is, and what they have in common.

pub(crate) mod columns;
mod text;

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use rumormill::{
    admin::{Client, Place, default_socket},
    config::{Loaded, Sources},
};
use serde_json::Value;

use super::{Error, Result, output};

pub(crate) use text::Text;

/// Where the node is that is asked.
#[derive(Debug, clap::Args)]
pub(crate) struct At {
    /// Where the node is asked: the path of its socket, or tcp://HOST:PORT [default: RUMORMILL_ADMIN, then
    /// what the configuration says, then where `rumormill node` listens by itself]
    #[arg(long, value_name = "PLACE")]
    admin: Option<Place>,
    /// The file of the token that tcp:// needs [default: what the configuration says]
    #[arg(long, value_name = "FILE")]
    token: Option<PathBuf>,
    /// The node's configuration, which says where it is asked [default: RUMORMILL_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl At {
    /// Whoever asks it.
    pub(crate) fn client(&self) -> Result<Client> {
        let (place, token) = self.place()?;
        client_of(place, token)
    }

    /// Where it is, and the token to show there.
    fn place(&self) -> Result<(Place, Option<String>)> {
        let token = self.token.as_deref().map(token).transpose()?;
        let told = self.admin.clone().map_or_else(told, |place| Ok(Some(place)))?;
        if let Some(place) = told {
            return Ok((place, token));
        }
        let named = self.config.clone().or_else(|| variable("RUMORMILL_CONFIG").map(PathBuf::from));
        let Some(file) = named else {
            let told = variable("RUMORMILL__ADMIN__SOCKET").filter(|it| it != "off");
            return Ok((Place::Socket(told.map_or_else(default_socket, PathBuf::from)), token));
        };
        let sources = Sources::of_process(Some(file), Vec::new());
        let loaded = sources.load(&rumormill::registry()?)?;
        let Loaded { config, files, .. } = loaded;
        let token = token.or_else(|| files.token.map(|token| token.reveal().to_owned()));
        let place = match (config.admin.socket, config.admin.tcp) {
            (Some(socket), _) => Place::Socket(socket),
            (None, Some(addr)) => Place::Tcp(addr.to_string().into()),
            (None, None) => Place::Socket(default_socket()),
        };
        Ok((place, token))
    }
}

/// Whoever asks there, or where the environment says, or else at the usual place.
#[cfg(feature = "broker")]
pub(crate) fn client(
    place: Option<&Place>,
    token_file: Option<&Path>,
    usual: fn() -> PathBuf,
) -> Result<Client> {
    let place = place.cloned().map_or_else(told, |place| Ok(Some(place)))?;
    let token = token_file.map(token).transpose()?;
    client_of(place.unwrap_or_else(|| Place::Socket(usual())), token)
}

fn client_of(place: Place, token: Option<String>) -> Result<Client> {
    let client = Client::new(place);
    match (client.place(), token) {
        (Place::Socket(_), _) => Ok(client),
        (Place::Tcp(_), Some(token)) => Ok(client.with_token(&token)?),
        (Place::Tcp(_), None) => Err(Error::NoToken { place: client.place().clone() }),
    }
}

fn told() -> Result<Option<Place>> {
    let told = variable("RUMORMILL_ADMIN");
    Ok(told.map(|told| told.to_string_lossy().parse()).transpose()?)
}

fn variable(name: &str) -> Option<std::ffi::OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

fn token(path: &Path) -> Result<String> {
    let text = fs::read_to_string(path);
    let text = text.map_err(|source| Error::File { path: path.into(), source })?;
    Ok(text.trim_end_matches(['\r', '\n']).into())
}

/// Prints what the node has answered.
pub(crate) fn print_json(answer: &Value) -> Result<()> {
    output::line(output::in_line(answer))
}

/// What stands for NODE on command lines.
pub(crate) fn in_query(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
