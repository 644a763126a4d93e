//! Filters (RFC 7644 section 3.4.2.2): text to a tree typed by schema, and back.
//!
//! ```text
//! text --lexer--> tokens --parser--> Expr (typed) --Display--> canonical text
//!                                      |-- matches      two-valued, for SCIM queries
//!                                      |-- evaluate     three-valued, for conditions of the role map
//!                                      '-- index_terms  what a store answers from its key columns
//! ```

mod display;
mod evaluate;
mod index;
mod lexer;
mod parser;
mod truth;
mod typed;

use serde_json::{Map, Number, Value};
use time::OffsetDateTime;

pub use self::index::{IndexPlan, IndexTerm};
pub use self::truth::{Seen, Truth, Verdict};

pub(crate) use self::parser::parse_value_path;

use crate::error::ScimError;
use crate::profile::Profile;
use crate::resource::Resource;
use crate::schema::{AttrPath, Registry, ResourceKind};

/// Longest filter, in bytes.
pub const MAX_FILTER_LENGTH: usize = 8 * 1024;
/// Deepest nesting of brackets.
pub const MAX_FILTER_DEPTH: usize = 32;

/// A filter, typed against the schemas of one kind of resource. Equal filters have equal trees.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    pub(crate) expr: Expr,
}

/// Why a text is not a filter, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}, at column {column}")]
pub struct FilterError {
    /// The column, counted in characters from 1.
    pub column: usize,
    /// What is wrong.
    pub reason: String,
    /// Does the filter look at a value that is never returned?
    pub sensitive: bool,
}

impl From<FilterError> for ScimError {
    fn from(error: FilterError) -> Self {
        if error.sensitive {
            Self::sensitive(error.to_string())
        } else {
            Self::invalid_filter(error.to_string())
        }
    }
}

/// The comparison operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CompareOp {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Contains.
    Co,
    /// Starts with.
    Sw,
    /// Ends with.
    Ew,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
}

impl CompareOp {
    /// Every operator.
    pub const ALL: [Self; 9] =
        [Self::Eq, Self::Ne, Self::Co, Self::Sw, Self::Ew, Self::Gt, Self::Ge, Self::Lt, Self::Le];

    /// The operator as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Co => "co",
            Self::Sw => "sw",
            Self::Ew => "ew",
            Self::Gt => "gt",
            Self::Ge => "ge",
            Self::Lt => "lt",
            Self::Le => "le",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|op| op.as_str().eq_ignore_ascii_case(text))
    }
}

/// A literal of the type of the attribute that it is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// Text, and its comparison key.
    Text {
        /// As it was given.
        text: String,
        /// What is compared.
        key: String,
    },
    /// A number.
    Number(Number),
    /// True or false.
    Boolean(bool),
    /// A point in time.
    Instant {
        /// As it was given.
        text: String,
        /// What is compared.
        at: OffsetDateTime,
    },
    /// No value at all.
    Null,
}

/// The tree.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// All hold. Two or more, none of them an `And`.
    And(Vec<Expr>),
    /// One holds. Two or more, none of them an `Or`.
    Or(Vec<Expr>),
    /// It does not hold.
    Not(Box<Expr>),
    /// A value compares with a literal.
    Compare {
        /// Where the value is. Inside `[…]`, the part of the element.
        path: AttrPath,
        /// How it compares.
        op: CompareOp,
        /// With what.
        literal: Literal,
    },
    /// There is a value.
    Present(AttrPath),
    /// One element of a complex attribute meets all of this: `emails[…]`.
    Element {
        /// The complex attribute.
        path: AttrPath,
        /// The condition, over the parts of one element.
        condition: Box<Expr>,
    },
}

impl Expr {
    /// All of these, flattened.
    pub(crate) fn all(terms: Vec<Expr>) -> Expr {
        Self::joined(terms, Expr::And, |e| match e {
            Expr::And(inner) => Ok(inner),
            other => Err(other),
        })
    }

    /// Any of these, flattened.
    pub(crate) fn any(terms: Vec<Expr>) -> Expr {
        Self::joined(terms, Expr::Or, |e| match e {
            Expr::Or(inner) => Ok(inner),
            other => Err(other),
        })
    }

    fn joined(
        terms: Vec<Expr>,
        make: fn(Vec<Expr>) -> Expr,
        open: fn(Expr) -> Result<Vec<Expr>, Expr>,
    ) -> Expr {
        let mut flat = Vec::with_capacity(terms.len());
        for term in terms {
            match open(term) {
                Ok(inner) => flat.extend(inner),
                Err(term) => flat.push(term),
            }
        }
        match <[Expr; 1]>::try_from(flat) {
            Ok([only]) => only,
            Err(flat) => make(flat),
        }
    }
}

impl Filter {
    /// Reads a filter over resources of a kind. The profile says which lenient forms are taken.
    pub fn parse(
        text: &str,
        registry: &Registry,
        kind: ResourceKind,
        profile: &Profile,
    ) -> Result<Self, FilterError> {
        parser::parse(text, registry, kind, profile, false).map(|expr| Self { expr })
    }

    /// Reads a filter of a query over all kinds, as it is for resources of one kind: what another kind alone has
    /// matches nothing (RFC 7644 section 3.4.2.1), and what no kind has is refused.
    pub fn parse_across(
        text: &str,
        registry: &Registry,
        kind: ResourceKind,
        profile: &Profile,
    ) -> Result<Self, FilterError> {
        parser::parse(text, registry, kind, profile, true).map(|expr| Self { expr })
    }

    /// The tree.
    pub fn expr(&self) -> &Expr {
        &self.expr
    }

    /// Does the resource match? Two-valued, as SCIM queries want it: an absent attribute is `ne` to
    /// everything and equal to nothing.
    pub fn matches(&self, resource: &Resource) -> bool {
        evaluate::matches(&self.expr, resource.as_map())
    }

    /// Does one element of a complex attribute match a filter that came from inside `[…]`?
    pub fn matches_element(&self, element: &Map<String, Value>) -> bool {
        evaluate::matches(&self.expr, element)
    }

    /// Does the resource match, in three values, and what was seen? An absent attribute is
    /// [`Truth::Unknown`] under every operator, `ne`, `pr`, `eq null` and `not` included.
    pub fn evaluate(&self, resource: &Resource) -> Verdict {
        truth::evaluate(&self.expr, resource.as_map())
    }

    /// What a store can answer from its key columns.
    pub fn index_terms(&self) -> IndexPlan {
        index::plan(&self.expr)
    }

    /// How many comparisons the filter has: what one evaluation costs at most.
    pub fn terms(&self) -> usize {
        terms(&self.expr)
    }

    /// The attributes that the filter looks at, each once, in order of appearance.
    pub fn attributes(&self) -> Vec<AttrPath> {
        let mut out = Vec::new();
        collect(&self.expr, None, &mut out);
        out
    }
}

fn terms(expr: &Expr) -> usize {
    match expr {
        Expr::And(inner) | Expr::Or(inner) => inner.iter().map(terms).sum(),
        Expr::Not(inner) => terms(inner),
        Expr::Element { condition, .. } => terms(condition),
        Expr::Compare { .. } | Expr::Present(_) => 1,
    }
}

fn collect(expr: &Expr, outer: Option<&AttrPath>, out: &mut Vec<AttrPath>) {
    match expr {
        Expr::And(terms) | Expr::Or(terms) => terms.iter().for_each(|t| collect(t, outer, out)),
        Expr::Not(inner) => collect(inner, outer, out),
        Expr::Element { path, condition } => collect(condition, Some(path), out),
        Expr::Compare { path, .. } | Expr::Present(path) => {
            let full = match outer {
                Some(outer) => AttrPath { sub: Some(path.attribute.clone()), ..outer.clone() },
                None => path.clone(),
            };
            if !out.contains(&full) {
                out.push(full);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::ENTERPRISE_URN;

    fn parse_as(text: &str, profile: &Profile) -> Result<Filter, FilterError> {
        Filter::parse(text, &Registry::standard(), ResourceKind::User, profile)
    }

    fn parse(text: &str) -> Filter {
        parse_as(text, &Profile::entra()).unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    fn matches(text: &str, user: Value) -> bool {
        let Value::Object(map) = user else { panic!("an object") };
        parse(text).matches(&Resource::from_document(ResourceKind::User, map))
    }

    fn truth(text: &str, user: Value) -> Truth {
        let Value::Object(map) = user else { panic!("an object") };
        parse(text).evaluate(&Resource::from_document(ResourceKind::User, map)).truth
    }

    #[test]
    fn text_gets_canonical_form() {
        for (text, canonical) in [
            ("USERNAME EQ \"x\"", "userName eq \"x\""),
            ("externalId eq jyoung", "externalId eq \"jyoung\""),
            ("active eq True", "active eq true"),
            ("active eq \"False\"", "active eq false"),
            ("title pr and (nickName pr)", "title pr and nickName pr"),
            ("not(title pr)or nickName pr", "not (title pr) or nickName pr"),
            ("emails[type eq \"work\"].value eq \"x\"", "emails[type eq \"work\" and value eq \"x\"]"),
            ("emails[type eq \"work\"] eq \"x\"", "emails[type eq \"work\" and value eq \"x\"]"),
            ("emails[type eq \"work\"].value pr", "emails[type eq \"work\" and value pr]"),
            ("emails co \"x\"", "emails.value co \"x\""),
            ("groups.$ref pr", "groups.$ref pr"),
            (
                "manager eq \"M\"",
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq \"M\"",
            ),
            (
                "meta.Created gt 2015-10-10T14:38:21.8617979-07:00",
                "meta.created gt \"2015-10-10T14:38:21.8617979-07:00\"",
            ),
            ("(emails.Value co x or userName sw O)", "emails.value co \"x\" or userName sw \"O\""),
            ("title eq null", "title eq null"),
        ] {
            assert_eq!(parse(text).to_string(), canonical, "{text}");
            assert_eq!(parse(canonical), parse(text), "{text}");
        }
    }

    #[test]
    fn and_binds_before_or_and_not_before_both() {
        // V23
        let text = "not (active eq true) or title pr and nickName pr";
        assert!(matches(text, json!({"active": false})));
        assert!(!matches(text, json!({"active": true, "title": "t"})));
        assert!(matches(text, json!({"active": true, "title": "t", "nickName": "n"})));
    }

    #[test]
    fn values_with_reserved_words_and_quotes_survive() {
        // V20
        let text = r#"userName eq "o\"neil (a) and b""#;
        assert!(matches(text, json!({"userName": "O\"Neil (a) AND b"})));
        assert!(!matches(text, json!({"userName": "o\"neil"})));
        assert!(matches(r#"displayName eq "x] or [y, é\\""#, json!({"displayName": "x] or [y, é\\"})));
    }

    #[test]
    fn brackets_hold_one_element_together() {
        // V21, V22
        let user = json!({"emails": [{"type": "work", "value": "x@y"}, {"type": "home", "value": "home@x"}]});
        assert!(matches("emails.type eq \"work\" and emails.value eq \"home@x\"", user.clone()));
        assert!(!matches("emails[type eq \"work\" and value eq \"home@x\"]", user.clone()));
        assert!(!matches("emails[type eq \"work\"].value eq \"home@x\"", user.clone()));
        assert!(matches("emails[type eq \"WORK\"].value eq \"X@Y\"", user));
    }

    #[test]
    fn case_counts_where_the_schema_says_so() {
        assert!(matches("userName eq \"KIM@EX.TEST\"", json!({"userName": "kim@ex.test"})));
        assert!(!matches("externalId eq \"A\"", json!({"externalId": "a"})));
    }

    #[test]
    fn absent_is_different_but_never_equal() {
        assert!(matches("title ne \"x\"", json!({})));
        assert!(!matches("title eq \"x\"", json!({})));
        assert!(matches("title eq null", json!({})));
        assert!(!matches("title pr", json!({"title": ""})));
        assert!(matches("emails ne \"a\"", json!({"emails": [{"value": "a"}, {"value": "b"}]})));
        assert!(!matches("emails ne \"a\"", json!({"emails": [{"value": "a"}]})));
    }

    #[test]
    fn dates_compare_as_instants() {
        // V24
        let at = |t: &str| json!({"meta": {"lastModified": t}});
        let text = "meta.lastModified ge \"2026-01-01T00:00:00+02:00\"";
        assert!(matches(text, at("2025-12-31T22:00:00Z")));
        assert!(!matches(text, at("2025-12-31T21:59:59Z")));
    }

    #[test]
    fn refusals_name_the_column() {
        for (text, column) in [
            ("", 1),
            ("userName", 9),
            ("userName eq", 12),
            ("userName eq \"x", 13),
            ("userName xx \"x\"", 10),
            ("nope eq \"x\"", 1),
            ("userName eq \"x\" and", 20),
            ("userName eq \"x\" title pr", 17),
            ("(userName eq \"x\"", 17),
            ("userName eq \"x\")", 16),
            ("active gt true", 1),
            ("active eq maybe", 11),
            ("active co \"t\"", 1),
            ("meta.created eq \"soon\"", 17),
            ("name eq \"x\"", 1),
            ("title gt null", 10),
            ("emails[type eq \"x\"].nope eq \"x\"", 21),
            ("emails[nope eq 1]", 8),
            ("userName[value eq \"x\"]", 1),
            ("emails[groups[value pr]]", 8),
            ("é eq 1", 1),
            ("userName eq \"x\" and  é", 22),
        ] {
            let error = parse_as(text, &Profile::entra()).expect_err(text);
            assert_eq!(error.column, column, "{text}: {error}");
            assert_eq!(ScimError::from(error).status, 400);
        }
    }

    #[test]
    fn a_password_cannot_be_probed() {
        let error = parse_as("password sw \"a\"", &Profile::entra()).unwrap_err();
        assert_eq!(ScimError::from(error).scim_type, Some(crate::ScimType::Sensitive));
    }

    #[test]
    fn strict_profiles_want_quotes_and_types() {
        for text in ["externalId eq jyoung", "active eq \"true\"", "active eq True", "title eq 7"] {
            assert!(parse_as(text, &Profile::strict()).is_err(), "{text}");
        }
        assert!(parse_as("active eq true and title eq \"7\"", &Profile::strict()).is_ok());
    }

    #[test]
    fn unknown_attributes_match_nothing_where_that_is_asked_for() {
        let profile = Profile { refuse_unknown_filter_attribute: false, ..Profile::generic() };
        let filter = parse_as("urn:x:2.0:Y:nope eq \"1\" or other pr", &profile).unwrap();
        assert!(!filter.matches(&Resource::from_document(ResourceKind::User, Map::new())));
        assert_eq!(parse_as(&filter.to_string(), &profile).unwrap(), filter);
    }

    #[test]
    fn what_another_kind_has_matches_nothing_in_a_query_over_all() {
        let of = |text: &str, kind| {
            Filter::parse_across(text, &Registry::standard(), kind, &Profile::entra()).map(|f| f.expr)
        };
        let Value::Object(map) = json!({"displayName": "G", "externalId": "e"}) else { unreachable!() };
        let group = Resource::from_document(ResourceKind::Group, map);
        for (text, expected) in [
            ("userName eq \"x\"", false),
            ("userName ne \"x\"", false),
            ("userName eq null", false),
            ("userName pr or displayName eq \"g\"", true),
            ("emails[type eq \"work\"].value eq \"x\" or externalId eq \"e\"", true),
            ("emails[type ne \"work\"]", false),
            ("department pr", false),
            ("displayName ne \"x\"", true),
        ] {
            let filter = Filter { expr: of(text, ResourceKind::Group).unwrap() };
            assert_eq!(filter.matches(&group), expected, "{text}");
        }
        assert!(of("members eq \"x\"", ResourceKind::User).is_ok());
        for bad in ["nope eq 1", "userName gt", "active gt true", "password pr"] {
            assert!(of(bad, ResourceKind::Group).is_err(), "{bad}");
        }
    }

    #[test]
    fn deep_nesting_is_an_error_and_no_overflow() {
        // V47
        for text in
            ["(".repeat(100_000), "not(".repeat(100_000), "emails[".repeat(100_000), "(".repeat(8_000)]
        {
            assert!(parse_as(&text, &Profile::entra()).is_err());
        }
        let nested = |n: usize| format!("{}title pr{}", "(".repeat(n), ")".repeat(n));
        assert!(parse_as(&nested(MAX_FILTER_DEPTH), &Profile::entra()).is_ok());
        assert!(parse_as(&nested(MAX_FILTER_DEPTH + 1), &Profile::entra()).is_err());
    }

    #[test]
    fn unknown_never_becomes_true() {
        for text in ["title ne \"x\"", "not (title eq \"x\")", "not (title pr)", "title eq null", "title pr"]
        {
            assert_eq!(truth(text, json!({})), Truth::Unknown, "{text}");
        }
        assert_eq!(truth("title ne \"x\"", json!({"title": "y"})), Truth::True);
        assert_eq!(truth("title eq \"x\" and userName pr", json!({"userName": "u"})), Truth::Unknown);
        assert_eq!(truth("title eq \"x\" and userName eq \"z\"", json!({"userName": "u"})), Truth::False);
        assert_eq!(truth("title eq \"x\" or userName pr", json!({"userName": "u"})), Truth::True);
    }

    #[test]
    fn elements_are_three_valued_too() {
        let user = json!({"emails": [{"type": "work", "value": "a@x"}, {"value": "b@x"}]});
        assert_eq!(truth("emails[type eq \"work\" and value ew \"@x\"]", user.clone()), Truth::True);
        assert_eq!(truth("emails[type eq \"home\"]", user.clone()), Truth::Unknown);
        assert_eq!(truth("not (emails[type eq \"home\"])", user.clone()), Truth::Unknown);
        assert_eq!(truth("emails.value eq \"c@x\"", user), Truth::False);
    }

    #[test]
    fn a_verdict_shows_what_was_seen() {
        let map = json!({"userType": "Employee"}).as_object().unwrap().clone();
        let user = Resource::from_document(ResourceKind::User, map);
        let verdict = parse("userType eq \"employee\" and not (department eq \"Data\")").evaluate(&user);
        let lines: Vec<_> = verdict.seen.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "userType eq \"employee\" is true (found \"Employee\")".to_owned(),
                format!("{ENTERPRISE_URN}:department eq \"Data\" is unknown (absent)"),
            ]
        );
    }

    #[test]
    fn the_attributes_of_a_filter_are_named_once() {
        let filter = parse("emails[type eq \"work\"].value eq \"x\" or title pr and title ne \"x\"");
        let names: Vec<_> = filter.attributes().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["emails.type", "emails.value", "title"]);
    }
}
