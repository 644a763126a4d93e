//! What the document tells of a route.

use utoipa::openapi::header::Header;
use utoipa::openapi::path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{Content, Ref, Required, Response, ResponseBuilder};

use super::schema::{Part, text};

/// How a route tells its errors, and who may call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Operators: problems (RFC 9457), a bearer token.
    Operators,
    /// Integrations: `{statusCode, error, message}`, a key or a bearer token.
    Integrations,
    /// Tokens: `{error, error_description}` (RFC 6749), a form.
    Tokens,
    /// Whoever asks.
    Open,
}

impl Family {
    /// The tag under which its routes stand.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Operators => "operators",
            Self::Integrations => "integrations",
            Self::Tokens => "tokens",
            Self::Open => "server",
        }
    }

    const fn error(self) -> &'static str {
        match self {
            Self::Operators | Self::Open => "Problem",
            Self::Integrations => "Fault",
            Self::Tokens => "OAuthError",
        }
    }

    const fn media(self) -> &'static str {
        match self {
            Self::Operators | Self::Open => "application/problem+json",
            Self::Integrations | Self::Tokens => "application/json",
        }
    }
}

/// What a route is: who may call it, with what, and what it answers.
pub struct Op {
    family: Family,
    built: OperationBuilder,
}

/// The media types of a body.
const JSON: [&str; 1] = ["application/json"];
const JSON_OR_YAML: [&str; 2] = ["application/json", "application/yaml"];
const FORM: [&str; 1] = ["application/x-www-form-urlencoded"];

impl Op {
    /// An operation with its name in programs and one sentence.
    pub fn new(family: Family, id: &str, summary: &str) -> Self {
        let built = OperationBuilder::new().tag(family.tag()).operation_id(Some(id)).summary(Some(summary));
        Self { family, built }.secured()
    }

    fn secured(self) -> Self {
        let none: [&str; 0] = [];
        let bearer = SecurityRequirement::new("bearer", none);
        let built = match self.family {
            Family::Operators => self.built.security(bearer),
            Family::Integrations => {
                self.built.security(bearer).security(SecurityRequirement::new("key", none))
            }
            Family::Tokens | Family::Open => self.built.securities(Some([])),
        };
        let op = Self { built, ..self };
        if matches!(op.family, Family::Operators | Family::Integrations) {
            op.fails(&[401, 403, 429, 503])
        } else {
            op
        }
    }

    /// More than a sentence.
    pub fn told(self, text: &str) -> Self {
        Self { built: self.built.description(Some(text)), ..self }
    }

    /// A part of the path.
    pub fn at(self, name: &str, told: &str, schema: Part) -> Self {
        let parameter = parameter(name, ParameterIn::Path, told, schema, Required::True);
        Self { built: self.built.parameter(parameter), ..self }.fails(&[404])
    }

    /// What may stand behind the question mark.
    pub fn asks(self, name: &str, told: &str, schema: Part) -> Self {
        let parameter = parameter(name, ParameterIn::Query, told, schema, Required::False);
        Self { built: self.built.parameter(parameter), ..self }.fails(&[400])
    }

    /// A header that may be sent.
    pub fn hears(self, name: &str, told: &str, schema: Part) -> Self {
        let parameter = parameter(name, ParameterIn::Header, told, schema, Required::False);
        Self { built: self.built.parameter(parameter), ..self }.fails(&[400])
    }

    /// The body that it needs.
    pub fn takes(self, schema: &Part) -> Self {
        self.body(schema, Required::True)
    }

    /// A body that may be left out.
    pub fn may_take(self, schema: &Part) -> Self {
        self.body(schema, Required::False)
    }

    fn body(self, schema: &Part, required: Required) -> Self {
        let (kinds, refusals): (&[&str], &[u16]) = match self.family {
            Family::Operators | Family::Open => (&JSON, &[400, 408, 413, 415]),
            Family::Integrations => (&JSON_OR_YAML, &[400, 408, 413, 415]),
            Family::Tokens => (&FORM, &[400, 408, 413]),
        };
        let content = || Content::new(Some(schema.clone()));
        let body = kinds.iter().fold(RequestBodyBuilder::new(), |body, kind| body.content(*kind, content()));
        let built = self.built.request_body(Some(body.required(Some(required)).build()));
        Self { built, ..self }.fails(refusals)
    }

    /// A good answer in JSON.
    pub fn gives(self, status: u16, told: &str, schema: Part) -> Self {
        let content = Content::new(Some(schema));
        self.answers(status, ResponseBuilder::new().description(told).content("application/json", content))
    }

    /// The same with an entity tag.
    pub fn gives_tagged(self, status: u16, told: &str, schema: Part) -> Self {
        let tag = Header::new(text());
        let content = Content::new(Some(schema));
        let answer = ResponseBuilder::new().description(told).content("application/json", content);
        self.answers(status, answer.header("ETag", tag))
    }

    /// A good answer in other languages.
    pub fn gives_as(self, status: u16, told: &str, kinds: &[&str], schema: &Part) -> Self {
        let answer = ResponseBuilder::new().description(told);
        let answer = kinds
            .iter()
            .fold(answer, |answer, kind| answer.content(*kind, Content::new(Some(schema.clone()))));
        self.answers(status, answer)
    }

    /// A good answer without a body.
    pub fn gives_empty(self, status: u16, told: &str) -> Self {
        self.answers(status, ResponseBuilder::new().description(told))
    }

    fn answers(self, status: u16, answer: ResponseBuilder) -> Self {
        let answer: Response = answer.build();
        Self { built: self.built.response(status.to_string(), answer), ..self }
    }

    /// What it may be refused with.
    pub fn fails(mut self, statuses: &[u16]) -> Self {
        for status in statuses {
            let error = Content::new(Some(Ref::from_schema_name(self.family.error())));
            let mut answer =
                ResponseBuilder::new().description(meaning(*status)).content(self.family.media(), error);
            if matches!(status, 429 | 503) {
                answer = answer.header("Retry-After", Header::new(text()));
            }
            self = self.answers(*status, answer);
        }
        self
    }

    /// As utoipa has it.
    pub fn built(self) -> OperationBuilder {
        self.built
    }
}

fn parameter(name: &str, at: ParameterIn, told: &str, schema: Part, required: Required) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(at)
        .description(Some(told))
        .required(required)
        .schema(Some(schema))
        .build()
}

/// What a status says here.
const fn meaning(status: u16) -> &'static str {
    match status {
        400 => "The request cannot be read or meant.",
        401 => "No token or key that is accepted.",
        403 => "The caller may not do this.",
        404 => "There is no such thing.",
        408 => "The body did not arrive in time.",
        409 => "Something stands in the way.",
        410 => "It is too late.",
        412 => "Another version is in force than If-Match names.",
        413 => "The body is too large.",
        415 => "The body is in a language that is not read here.",
        422 => "The request can be read, and what it asks for cannot be done.",
        428 => "The request does not say what it was made from.",
        429 => "Too many requests: come back later.",
        503 => "What is needed does not answer: come back later.",
        _ => "An error.",
    }
}
