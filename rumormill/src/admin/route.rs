//! What a request asks for, by its method, path and query; nothing is done here.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use hyper::Method;
use percent_encoding::percent_decode_str;
use rumormill_transport_api::{Addr, Options, excerpt};

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Broadcast,
    #[cfg(feature = "broker")]
    Conns,
    Events,
    Health,
    Join(Addr),
    Leave,
    Members,
    Metrics,
    Node,
    Ready,
    Reload {
        is_dry_run: bool,
    },
    Request {
        to: String,
        deadline: Duration,
    },
    Send {
        to: String,
    },
    Status,
    #[cfg(feature = "broker")]
    Topics,
}

/// Why a request asks for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Astray {
    /// The path has another method.
    Method(&'static str),
    /// No such path.
    Path(String),
    /// The query is not what the path takes.
    Query(String),
}

/// A path, the method that it takes, the query that it takes as people read it, and what makes a route
/// of that.
type Row = (&'static str, &'static str, &'static str, fn(&mut Query<'_>) -> Result<Route, String>);

/// A query, of which is removed what was read.
struct Query<'a>(BTreeMap<Cow<'a, str>, String>);

const ROWS: &[Row] = &[
    ("/healthz", "GET", "", |_| Ok(Route::Health)),
    ("/readyz", "GET", "", |_| Ok(Route::Ready)),
    ("/node", "GET", "", |_| Ok(Route::Node)),
    ("/members", "GET", "", |_| Ok(Route::Members)),
    ("/status", "GET", "", |_| Ok(Route::Status)),
    ("/metrics", "GET", "", |_| Ok(Route::Metrics)),
    #[cfg(feature = "broker")]
    ("/topics", "GET", "", |_| Ok(Route::Topics)),
    #[cfg(feature = "broker")]
    ("/conns", "GET", "", |_| Ok(Route::Conns)),
    ("/events", "GET", "", |_| Ok(Route::Events)),
    ("/broadcast", "POST", "", |_| Ok(Route::Broadcast)),
    ("/send", "POST", "?to=NODE", |query| Ok(Route::Send { to: query.needed("to")? })),
    ("/request", "POST", "?to=NODE&deadline=5s", |query| {
        Ok(Route::Request { to: query.needed("to")?, deadline: query.deadline()? })
    }),
    ("/join", "POST", "?addr=ADDR", |query| {
        let addr = query.needed("addr")?;
        addr.parse().map(Route::Join).map_err(|error| format!("addr: {error}"))
    }),
    ("/leave", "POST", "", |_| Ok(Route::Leave)),
    ("/reload", "POST", "?dry_run=true", |query| {
        Ok(Route::Reload { is_dry_run: query.is_so("dry_run")? })
    }),
];

/// What the request asks for.
pub(super) fn route(method: &Method, path: &str, query: &str) -> Result<Route, Astray> {
    let row = ROWS.iter().find(|row| row.0 == path);
    let Some((_, takes, _, make)) = row else { return Err(Astray::Path(listed())) };
    let is_method = method == takes || (method == Method::HEAD && *takes == "GET");
    if !is_method {
        return Err(Astray::Method(if *takes == "GET" { "GET, HEAD" } else { takes }));
    }
    let mut query = Query::parse(query).map_err(Astray::Query)?;
    let route = make(&mut query).map_err(Astray::Query)?;
    query.end().map_err(Astray::Query)?;
    Ok(route)
}

/// Whether anybody may ask it: that the process is there is all that it tells.
pub(super) fn is_open(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz")
}

fn listed() -> String {
    let rows = ROWS.iter().map(|(path, method, query, _)| format!("{method} {path}{query}"));
    format!("no such path; there are {}", rows.collect::<Vec<_>>().join(", "))
}

impl<'a> Query<'a> {
    fn parse(text: &'a str) -> Result<Self, String> {
        let mut pairs = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode_str(value).decode_utf8();
            let value = value.map_err(|_| format!("{} is not UTF-8", excerpt(name)))?;
            if pairs.insert(name.into(), value.into_owned()).is_some() {
                return Err(format!("{} is given twice", excerpt(name)));
            }
        }
        Ok(Self(pairs))
    }

    fn needed(&mut self, name: &str) -> Result<String, String> {
        let value = self.0.remove(name).filter(|value| !value.is_empty());
        value.ok_or_else(|| format!("{name} is missing; write ?{name}=…"))
    }

    fn is_so(&mut self, name: &str) -> Result<bool, String> {
        match self.0.remove(name).as_deref() {
            None | Some("false") => Ok(false),
            Some("true" | "") => Ok(true),
            Some(_) => Err(format!("{name} is true or false")),
        }
    }

    /// How long to wait for an answer.
    fn deadline(&mut self) -> Result<Duration, String> {
        let Some(text) = self.0.remove(DEADLINE_NAME) else { return Ok(DEADLINE) };
        let options: Options = [(DEADLINE_NAME, &*text)].into_iter().collect();
        let deadline = options.duration(DEADLINE_NAME).ok().flatten();
        let deadline = deadline.filter(|deadline| (SHORTEST..=LONGEST).contains(deadline));
        deadline.ok_or_else(|| "deadline is a duration such as 500ms, 5s or 2m, up to 10m".into())
    }

    fn end(self) -> Result<(), String> {
        let unknown = self.0.into_keys().next();
        unknown.map_or(Ok(()), |name| Err(format!("'{}' is not known here", excerpt(&name))))
    }
}

const DEADLINE_NAME: &str = "deadline";
const DEADLINE: Duration = Duration::from_secs(5);
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str) -> Result<Route, Astray> {
        route(&Method::GET, path, "")
    }

    fn post(path: &str, query: &str) -> Result<Route, Astray> {
        route(&Method::POST, path, query)
    }

    #[test]
    fn a_path_has_its_method() {
        assert_eq!(get("/members"), Ok(Route::Members));
        assert_eq!(route(&Method::HEAD, "/healthz", ""), Ok(Route::Health));
        assert_eq!(post("/broadcast", ""), Ok(Route::Broadcast));
        assert_eq!(get("/leave"), Err(Astray::Method("POST")));
        assert_eq!(post("/metrics", ""), Err(Astray::Method("GET, HEAD")));
        assert_eq!(route(&Method::DELETE, "/leave", ""), Err(Astray::Method("POST")));
        for astray in ["/", "", "/members/", "//members", "/MEMBERS", "/metrics/x", "*"] {
            let Err(Astray::Path(listed)) = get(astray) else { panic!("{astray}") };
            assert!(listed.contains("GET /members,") && listed.contains("POST /send?to=NODE,"));
        }
    }

    #[test]
    fn a_query_is_read_and_nothing_else_in_it_is_passed_over() {
        let to = |to: &str| Ok(Route::Send { to: to.into() });
        assert_eq!(post("/send", "to=a%20b%C3%A9"), to("a bé"));
        assert_eq!(post("/send", "&to=a+b&"), to("a+b"));
        let request = |deadline| Route::Request { to: "a".into(), deadline };
        assert_eq!(post("/request", "to=a"), Ok(request(DEADLINE)));
        let soon = Duration::from_millis(250);
        assert_eq!(post("/request", "deadline=250ms&to=a"), Ok(request(soon)));
        assert_eq!(post("/reload", "dry_run=true"), Ok(Route::Reload { is_dry_run: true }));
        assert_eq!(post("/reload", ""), Ok(Route::Reload { is_dry_run: false }));
        let addr = "tcp://127.0.0.1:1".parse().unwrap();
        assert_eq!(post("/join", "addr=tcp%3A%2F%2F127.0.0.1:1"), Ok(Route::Join(addr)));
        for (path, query, expected) in [
            ("/send", "", "to is missing"),
            ("/send", "to=", "to is missing"),
            ("/send", "to=a&to=b", "twice"),
            ("/send", "to=%FF", "not UTF-8"),
            ("/send", "to=a&%1b[2J=x", "'%1b[2J' is not known here"),
            ("/request", "to=a&deadline=0s", "such as"),
            ("/request", "to=a&deadline=1000000h", "such as"),
            ("/request", "to=a&deadline=5", "such as"),
            ("/reload", "dry_run=maybe", "true or false"),
            ("/join", "addr=nowhere", "addr: "),
            ("/leave", "now", "'now' is not known here"),
        ] {
            let Err(Astray::Query(problem)) = post(path, query) else { panic!("{path}?{query}") };
            assert!(problem.contains(expected), "{path}?{query}: {problem}");
        }
    }

    #[test]
    fn only_whether_it_is_there_is_open_to_anybody() {
        let open: Vec<_> = ROWS.iter().map(|row| row.0).filter(|path| is_open(path)).collect();
        assert_eq!(open, ["/healthz", "/readyz"]);
    }
}
