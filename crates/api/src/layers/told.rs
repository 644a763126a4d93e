//! What the log says of the request that an event happens in.
//!
//! A span would have its fields written down for every request, whether anything is logged in it or not. Here they are asked
//! for when there is an event: whoever formats events calls [`in_request`].

use std::fmt;

use super::Admitted;

tokio::task_local! {
    static CURRENT: Admitted;
}

/// A request, as events tell of it: `request.id`, `http.method`, `http.route`, `source.id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InRequest<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its method, from a closed set.
    pub method: &'static str,
    /// Its route's pattern.
    pub route: &'a str,
    /// Whose token it showed, as soon as that is known.
    pub source: Option<&'a str>,
}

/// Calls `tell` with the request that the current task answers, if it answers one.
pub fn in_request<T>(tell: impl FnOnce(InRequest<'_>) -> T) -> Option<T> {
    let tell = |admitted: &Admitted| {
        tell(InRequest {
            id: admitted.id.as_str(),
            method: admitted.method,
            route: admitted.route.get().map_or("none", super::RouteName::as_str),
            source: admitted.cared.get().map(|cared| cared.source.as_str()),
        })
    };
    CURRENT.try_with(tell).ok()
}

/// Runs `work` as the answering of this request.
pub fn within<F: Future>(admitted: Admitted, work: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(admitted, work)
}

/// The same for what is done at once.
pub fn at_once<T>(admitted: Admitted, work: impl FnOnce() -> T) -> T {
    CURRENT.sync_scope(admitted, work)
}

impl InRequest<'_> {
    /// The fields by their names.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let known = [("request.id", self.id), ("http.method", self.method), ("http.route", self.route)];
        known.into_iter().chain(self.source.map(|source| ("source.id", source)))
    }
}

impl fmt::Display for InRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (name, value)) in self.fields().enumerate() {
            write!(f, "{}{name}={value}", if n == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}
