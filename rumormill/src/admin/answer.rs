//! Answers, and refusals, which are answers too.

use std::{convert::Infallible, fmt::Display, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{
    Response, StatusCode,
    header::{
        ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
    },
};
use serde_json::{Value, json};

use super::form;

pub(super) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Why something was not done. The text says what to do.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    text: String,
    header: Option<(HeaderName, HeaderValue)>,
}

/// An answer with these bytes.
pub(super) fn answer(
    status: StatusCode,
    kind: &'static str,
    bytes: impl Into<Bytes>,
) -> Response<Body> {
    with_body(status, kind, Full::new(bytes.into()).boxed_unsync())
}

/// An answer with a body of any kind.
pub(super) fn with_body(status: StatusCode, kind: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let sniff = HeaderName::from_static("x-content-type-options");
    headers.insert(sniff, HeaderValue::from_static("nosniff"));
    response
}

/// An answer in JSON, on one line.
pub(super) fn json(value: &Value) -> Response<Body> {
    answer(StatusCode::OK, JSON, form::line(value) + "\n")
}

impl Refusal {
    pub(super) fn new(status: StatusCode, text: impl Display) -> Self {
        Self { status, text: text.to_string(), header: None }
    }

    pub(super) fn bad(text: impl Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    /// Something that may work later.
    pub(super) fn later(status: StatusCode, text: impl Display, wait: Duration) -> Self {
        let seconds = wait.as_secs_f64().ceil().max(1.0) as u64;
        Self::new(status, text).with(RETRY_AFTER, HeaderValue::from(seconds))
    }

    pub(super) fn gone() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the node has ended")
    }

    pub(super) fn other_method(allowed: &'static str) -> Self {
        let text = format!("this path takes {allowed}");
        let allowed = HeaderValue::from_static(allowed);
        Self::new(StatusCode::METHOD_NOT_ALLOWED, text).with(ALLOW, allowed)
    }

    pub(super) fn unknown() -> Self {
        let text = "say who you are: Authorization: Bearer TOKEN, as in the file admin.token names";
        let bearer = HeaderValue::from_static("Bearer");
        Self::new(StatusCode::UNAUTHORIZED, text).with(WWW_AUTHENTICATE, bearer)
    }

    fn with(self, name: HeaderName, value: HeaderValue) -> Self {
        Self { header: Some((name, value)), ..self }
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let line = form::line(&json!({ "error": self.text })) + "\n";
        let mut response = answer(self.status, JSON, line);
        response.headers_mut().extend(self.header);
        response
    }
}

const JSON: &str = "application/json";
