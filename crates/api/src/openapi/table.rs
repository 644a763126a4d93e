//! Routes that cannot be added without saying what they are.

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, on};
use utoipa::openapi::HttpMethod;

use super::operation::Op;
use crate::state::Api;

/// One route with one method.
pub struct Line {
    /// The pattern of its path.
    pub path: &'static str,
    /// Its method.
    pub method: HttpMethod,
    /// What it is.
    pub op: Op,
}

/// Routes, each with the operation that the document tells of it.
#[derive(Default)]
pub struct Table {
    router: Router<Api>,
    lines: Vec<Line>,
}

impl Table {
    /// Without routes.
    pub fn new() -> Self {
        Self::default()
    }

    /// A route of GET; HEAD is the same.
    pub fn get<H, T>(self, path: &'static str, op: Op, handler: H) -> Self
    where
        H: Handler<T, Api>,
        T: 'static,
    {
        self.with(path, HttpMethod::Get, MethodFilter::GET, op, handler)
    }

    /// A route of POST.
    pub fn post<H, T>(self, path: &'static str, op: Op, handler: H) -> Self
    where
        H: Handler<T, Api>,
        T: 'static,
    {
        self.with(path, HttpMethod::Post, MethodFilter::POST, op, handler)
    }

    /// A route of PUT.
    pub fn put<H, T>(self, path: &'static str, op: Op, handler: H) -> Self
    where
        H: Handler<T, Api>,
        T: 'static,
    {
        self.with(path, HttpMethod::Put, MethodFilter::PUT, op, handler)
    }

    /// A route of DELETE.
    pub fn delete<H, T>(self, path: &'static str, op: Op, handler: H) -> Self
    where
        H: Handler<T, Api>,
        T: 'static,
    {
        self.with(path, HttpMethod::Delete, MethodFilter::DELETE, op, handler)
    }

    fn with<H, T>(
        mut self,
        path: &'static str,
        method: HttpMethod,
        filter: MethodFilter,
        op: Op,
        handler: H,
    ) -> Self
    where
        H: Handler<T, Api>,
        T: 'static,
    {
        self.router = self.router.route(path, on(filter, handler));
        self.lines.push(Line { path, method, op });
        self
    }

    /// With the routes of another one.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.lines.extend(other.lines);
        self
    }

    /// What answers.
    pub fn router(self) -> Router<Api> {
        self.router
    }

    /// What is told of it.
    pub fn lines(self) -> Vec<Line> {
        self.lines
    }
}
