//! What a store can answer from its key columns: equality on the few attributes that identity
//! providers match by, alone or joined by `and` with anything else.

use super::{CompareOp, Expr, Filter, Literal};
use crate::compare::fold;
use crate::schema::AttrPath;

/// One equality that a key column answers. Keys of attributes where case does not count are folded
/// (see [`crate::compare::fold`]); ids are as given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IndexTerm {
    /// `id eq`.
    Id(String),
    /// `userName eq`, folded.
    UserName(String),
    /// `externalId eq`.
    ExternalId(String),
    /// `displayName eq`, folded.
    DisplayName(String),
    /// One e-mail address, folded, with its type, folded, where that is asked for too.
    Email {
        /// `type eq`, folded.
        kind: Option<String>,
        /// `value eq`, folded.
        value: String,
    },
    /// `members eq` or `members.value eq`: the id of a direct member.
    Member(String),
}

/// A filter, split: rows must meet every term and the rest.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexPlan {
    /// What key columns answer, joined by `and`.
    pub terms: Vec<IndexTerm>,
    /// What must be evaluated over the rows that the terms leave; none when the terms say it all.
    pub rest: Option<Filter>,
}

pub(super) fn plan(expr: &Expr) -> IndexPlan {
    let conjuncts = match expr {
        Expr::And(conjuncts) => conjuncts.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut terms = Vec::new();
    let mut rest = Vec::new();
    for conjunct in conjuncts {
        match term(conjunct) {
            Some(term) => terms.push(term),
            None => rest.push(conjunct.clone()),
        }
    }
    let rest = (!rest.is_empty()).then(|| Filter { expr: Expr::all(rest) });
    IndexPlan { terms, rest }
}

fn term(expr: &Expr) -> Option<IndexTerm> {
    match expr {
        Expr::Compare { path, op: CompareOp::Eq, literal: Literal::Text { text, key } } => {
            attribute_term(path, text, key)
        }
        Expr::Element { path, condition } if is(path, "emails") => email(condition),
        Expr::Element { path, condition } if is(path, "members") => match &**condition {
            Expr::Compare { path, op: CompareOp::Eq, literal: Literal::Text { text, .. } }
                if is(path, "value") =>
            {
                Some(IndexTerm::Member(text.clone()))
            }
            _ => None,
        },
        _ => None,
    }
}

fn attribute_term(path: &AttrPath, text: &str, key: &str) -> Option<IndexTerm> {
    if path.extension.is_some() {
        return None;
    }
    let sub = path.sub.as_ref().map(|s| s.name.as_str());
    match (path.attribute.name.as_str(), sub) {
        ("id", None) => Some(IndexTerm::Id(text.to_owned())),
        ("userName", None) => Some(IndexTerm::UserName(key.to_owned())),
        ("externalId", None) => Some(IndexTerm::ExternalId(text.to_owned())),
        ("displayName", None) => Some(IndexTerm::DisplayName(key.to_owned())),
        ("emails", Some("value")) => Some(IndexTerm::Email { kind: None, value: key.to_owned() }),
        ("members", Some("value")) => Some(IndexTerm::Member(text.to_owned())),
        _ => None,
    }
}

fn is(path: &AttrPath, name: &str) -> bool {
    path.extension.is_none() && path.sub.is_none() && path.attribute.name == name
}

/// `value eq`, alone or with `type eq`, and nothing else.
fn email(condition: &Expr) -> Option<IndexTerm> {
    let parts = match condition {
        Expr::And(parts) => parts.as_slice(),
        one => std::slice::from_ref(one),
    };
    let (mut kind, mut value) = (None, None);
    for part in parts {
        let Expr::Compare { path, op: CompareOp::Eq, literal: Literal::Text { text, .. } } = part else {
            return None;
        };
        let slot = match path.attribute.name.as_str() {
            "type" => &mut kind,
            "value" => &mut value,
            _ => return None,
        };
        if slot.replace(fold(text)).is_some() {
            return None;
        }
    }
    Some(IndexTerm::Email { kind, value: value? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;
    use crate::schema::{Registry, ResourceKind};

    fn split(kind: ResourceKind, text: &str) -> (Vec<IndexTerm>, Option<String>) {
        let plan = Filter::parse(text, &Registry::standard(), kind, &Profile::entra()).unwrap().index_terms();
        (plan.terms, plan.rest.map(|r| r.to_string()))
    }

    #[test]
    fn matching_filters_are_answered_whole() {
        use IndexTerm::{DisplayName, Email, ExternalId, Id, Member, UserName};
        let email = |kind: Option<&str>| Email { kind: kind.map(str::to_owned), value: "a@b".into() };
        let user = ResourceKind::User;
        for (kind, text, terms) in [
            (user, "userName eq \"KIM@ex\"", vec![UserName("kim@ex".into())]),
            (user, "externalId eq \"Ab\"", vec![ExternalId("Ab".into())]),
            (user, "id eq \"U\"", vec![Id("U".into())]),
            (user, "emails eq \"A@b\"", vec![email(None)]),
            (user, "emails.value eq \"A@b\"", vec![email(None)]),
            (user, "emails[type eq \"Work\"].value eq \"a@B\"", vec![email(Some("work"))]),
            (user, "emails[value eq \"a@B\" and type eq \"work\"]", vec![email(Some("work"))]),
            (ResourceKind::Group, "displayName eq \"Straße\"", vec![DisplayName("strasse".into())]),
            (
                ResourceKind::Group,
                "id eq \"G\" and members eq \"u\"",
                vec![Id("G".into()), Member("u".into())],
            ),
            (ResourceKind::Group, "members[value eq \"u\"]", vec![Member("u".into())]),
        ] {
            assert_eq!(split(kind, text), (terms, None), "{text}");
        }
    }

    #[test]
    fn the_rest_stays() {
        let (terms, rest) = split(ResourceKind::User, "id eq \"U\" and manager eq \"M\" and title pr");
        assert_eq!(terms, [IndexTerm::Id("U".into())]);
        assert!(rest.unwrap().ends_with("manager.value eq \"M\" and title pr"));
    }

    #[test]
    fn what_no_key_answers_is_all_rest() {
        for text in [
            "userName eq \"a\" or userName eq \"b\"",
            "not (userName eq \"a\")",
            "userName ne \"a\"",
            "userName sw \"a\"",
            "emails[type eq \"work\" and display eq \"x\" and value eq \"a\"]",
            "emails[value eq \"a\" and value eq \"b\"]",
            "id eq null",
        ] {
            let (terms, rest) = split(ResourceKind::User, text);
            assert!(terms.is_empty(), "{text}");
            assert!(rest.is_some(), "{text}");
        }
    }
}
