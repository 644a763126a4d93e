//! What a plan cannot bring about, by name, so that it is a state that people see and not a loop.

use std::fmt;

use axon_model::SqlName;
use serde::{Deserialize, Serialize};

use crate::graph::{GrantState, Membership, PrincipalKind};
use crate::permission::Permission;
use crate::secure::KeyFault;
use crate::shape::{ObjectName, Securable};

/// A difference between desired and actual that no step can or may remove.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "finding")]
#[expect(missing_docs, reason = "the fields are the words of the sentence that Display makes")]
pub enum Finding {
    /// A permission stands by the word of other grantors, whose rows a plain REVOKE, GRANT or DENY does not reach.
    ForeignGrant {
        grantee: SqlName,
        permission: Permission,
        on: Securable,
        state: GrantState,
        grantors: Vec<SqlName>,
    },
    /// A grantable permission was passed on: to revoke it would cascade to grants that Axon does not manage.
    PassedOn { grantee: SqlName, permission: Permission, on: Securable },
    /// A desired permission WITH GRANT OPTION: Axon gives none.
    GrantOption { grantee: SqlName, permission: Permission, on: Securable },
    /// A permission that this version does not know, or that this kind of securable does not take.
    NotGrantable { grantee: SqlName, permission: Permission, on: Securable },
    /// A permission on a thing of a class that Axon sends no statement about.
    OtherClass {
        grantee: SqlName,
        permission: Permission,
        on: Securable,
        state: GrantState,
        grantors: Vec<SqlName>,
    },
    /// Somebody in the scope owns a thing: they have every right on it, and none of these can be revoked.
    Owner { owner: SqlName, owns: Owned },
    /// The principal is there as another kind than the map asks for: it is given nothing.
    KindDiffers { principal: SqlName, desired: PrincipalKind, actual: PrincipalKind },
    /// Users and roles share one namespace, and another thing holds this name: it is given nothing.
    NameTaken { name: SqlName },
    /// A role or principal that the map names is not there, and Axon does not make it.
    Missing { name: SqlName, needed_for: SqlName },
    /// The same Entra object is there under another name, which Axon may not drop: it cannot be there twice.
    SidTaken { name: SqlName, holder: SqlName },
    /// No order of steps brings this about without giving somebody too much on the way.
    NoSafeOrder { step: String },
    /// The principal is another object of the same name, but cannot be dropped.
    CannotRecreate { principal: SqlName, because: Obstacle },
    /// The role is not wanted any more, but cannot be dropped.
    CannotDropRole { role: SqlName, because: Obstacle },
    /// A membership of somebody whom Axon never touches, in a role that is managed.
    UntouchableMember { membership: Membership },
    /// Whoever left is still in a role that Axon does not manage.
    LeaverStaysIn { principal: SqlName, role: SqlName },
    /// The user of whoever left is to be dropped, and cannot be.
    TombstoneStays { principal: SqlName, because: Obstacle },
    /// The desired side asks for something outside the managed scope.
    OutOfScope { name: SqlName },
    /// The desired memberships of roles run in a circle.
    Circle { membership: Membership },
    /// A classifier of Axon's own says hours that cannot be read.
    ClassifierUnread { name: SqlName },
    /// A view cannot be what the map says: it shows nothing, or is not made.
    ViewShowsNothing { view: ObjectName, because: String },
    /// A view ought to show nothing, and shows something until it is closed.
    ViewStillOpen { view: ObjectName, because: String },
    /// The catalog does not show a view's text. It is written over, and nobody new reads the view until it is seen.
    ViewUnseen {
        view: ObjectName,
        /// Whether the target took a text for it lately.
        sent: bool,
    },
    /// Somebody altered a view of Axon's own by hand.
    ViewAltered { view: ObjectName },
    /// A view that the map does not name, in a schema of Axon's own, that Axon did not make.
    ViewNotMade { view: ObjectName },
    /// Somebody who reads a view reaches its table past it.
    ReadPastView { view: ObjectName, because: String },
    /// Somebody altered the filter of a table by hand, turned it off, or dropped it.
    FilterAltered { table: ObjectName },
    /// The filter of a table stays, since somebody may read columns of the table.
    FilterStays { table: ObjectName },
    /// Somebody's profile cannot be written: views show nothing by it.
    ProfileRefused { principal: SqlName, because: String },
    /// Somebody was allowed to read views as another person, and does not now.
    ActsAsNobody { request: String, because: String },
    /// Somebody may put on another person by `EXECUTE AS`, whatever Axon allows.
    PutsOnAnother { who: SqlName, whom: SqlName },
    /// Somebody may put on anybody, where people may read as others.
    PutsOnAnybody { who: SqlName, by: String },
    /// A key of hashes is not as it was when Axon made it.
    MaskKey { schema: SqlName, id: String, fault: KeyFault },
    /// Something about the target keeps its views from being safe: none is made, all are closed.
    ViewsUnsafe { because: String },
    /// Somebody's profile does not hold something that a view asks for. The last, since there may be one of each person.
    LeftOutOfProfile { principal: SqlName, attribute: String, because: String },
}

/// What an owner has every right on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owned {
    /// A role.
    Role(SqlName),
    /// A schema, with all in it that has no owner of its own.
    Schema(SqlName),
    /// An object that has another owner than its schema.
    Object(ObjectName),
}

/// What stands in the way of dropping a principal or role.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "obstacle")]
#[expect(missing_docs, reason = "the fields are the words of the sentence that Display makes")]
pub enum Obstacle {
    /// It owns a role.
    Owns { role: SqlName },
    /// It owns a schema.
    OwnsSchema { schema: SqlName },
    /// It owns an object in a schema of somebody else.
    OwnsObject { object: ObjectName },
    /// A workload classifier is for it.
    Classified { classifier: SqlName },
    /// It granted permissions to others.
    Granted { to: SqlName },
    /// It is a member of a role that is not managed, and the membership would go with it.
    MemberOf { role: SqlName },
    /// It has a member that Axon does not touch.
    Member { member: SqlName },
    /// Somebody outside the scope holds a permission on it, which would go with it.
    HeldBy { grantee: SqlName },
}

impl Obstacle {
    /// The names that it speaks of, beside the one that it stands in the way of.
    fn name(&self) -> SqlName {
        match self {
            Self::OwnsObject { object } => object.name,
            Self::Owns { role: name }
            | Self::OwnsSchema { schema: name }
            | Self::Classified { classifier: name }
            | Self::Granted { to: name }
            | Self::MemberOf { role: name }
            | Self::Member { member: name }
            | Self::HeldBy { grantee: name } => *name,
        }
    }
}

impl Finding {
    /// Whom it is about; none where a look at some names would not find it again.
    pub fn names(&self) -> Option<Vec<SqlName>> {
        Some(match self {
            Self::ForeignGrant { grantee, on, .. }
            | Self::OtherClass { grantee, on, .. }
            | Self::PassedOn { grantee, on, .. }
            | Self::GrantOption { grantee, on, .. }
            | Self::NotGrantable { grantee, on, .. } => match on {
                Securable::Principal(name) => vec![*grantee, *name],
                _ => vec![*grantee],
            },
            Self::Owner { owner, owns: Owned::Role(role) } => vec![*owner, *role],
            Self::Owner { owner, .. } => vec![*owner],
            Self::KindDiffers { principal, .. } | Self::LeaverStaysIn { principal, .. } => vec![*principal],
            Self::NameTaken { name } | Self::OutOfScope { name } | Self::ClassifierUnread { name } => {
                vec![*name]
            }
            Self::Missing { name, needed_for } => vec![*name, *needed_for],
            Self::SidTaken { name, holder } => vec![*name, *holder],
            Self::CannotRecreate { principal, because } | Self::TombstoneStays { principal, because } => {
                vec![*principal, because.name()]
            }
            Self::CannotDropRole { role, because } => vec![*role, because.name()],
            Self::UntouchableMember { membership: Membership { role, member } }
            | Self::Circle { membership: Membership { role, member } } => vec![*role, *member],
            Self::NoSafeOrder { .. }
            | Self::ViewShowsNothing { .. }
            | Self::ViewStillOpen { .. }
            | Self::ViewUnseen { .. }
            | Self::ViewAltered { .. }
            | Self::ViewNotMade { .. }
            | Self::ReadPastView { .. }
            | Self::FilterAltered { .. }
            | Self::FilterStays { .. }
            | Self::ProfileRefused { .. }
            | Self::ActsAsNobody { .. }
            | Self::PutsOnAnother { .. }
            | Self::PutsOnAnybody { .. }
            | Self::MaskKey { .. }
            | Self::ViewsUnsafe { .. }
            | Self::LeftOutOfProfile { .. } => return None,
        })
    }
}

/// A name as it stands in a statement.
fn quoted(name: SqlName) -> String {
    let text = Securable::Schema(name).to_string();
    text.strip_prefix("schema::").unwrap_or(&text).to_owned()
}

impl fmt::Display for Owned {
    /// With what a person does about it: Axon gives no thing to another owner.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("owns ")?;
        match self {
            Self::Role(role) => {
                let name = quoted(*role);
                write!(
                    f,
                    "role {name}, and so decides who is in it: ALTER AUTHORIZATION ON ROLE::{name} TO dbo, "
                )?;
                f.write_str("or DROP ROLE where the target takes no such statement about roles")
            }
            Self::Schema(schema) => {
                let name = quoted(*schema);
                write!(f, "schema {name}, and so has every right on what is in it: ")?;
                write!(f, "ALTER AUTHORIZATION ON SCHEMA::{name} TO dbo")
            }
            Self::Object(name) => {
                write!(f, "{name}, and so has every right on it: ")?;
                write!(f, "ALTER AUTHORIZATION ON OBJECT::{name} TO SCHEMA OWNER")
            }
        }?;
        f.write_str(", by a person who may")
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owns { role } => write!(f, "it owns role {role}: give that to dbo"),
            Self::OwnsSchema { schema } => {
                let schema = quoted(*schema);
                write!(f, "it owns schema {schema} (ALTER AUTHORIZATION ON SCHEMA::{schema} TO dbo)")
            }
            Self::OwnsObject { object } => {
                write!(f, "it owns {object} (ALTER AUTHORIZATION ON OBJECT::{object} TO SCHEMA OWNER)")
            }
            Self::Classified { classifier } => {
                write!(f, "classifier {classifier} is for it: drop that first")
            }
            Self::Granted { to } => write!(f, "it granted permissions to {to}: revoke those first"),
            Self::MemberOf { role } => {
                write!(f, "it is a member of {role}, which is not managed: remove it there")
            }
            Self::Member { member } => {
                write!(f, "{member}, which is never touched, is a member: remove it by hand")
            }
            Self::HeldBy { grantee } => {
                write!(f, "{grantee}, which is not managed, holds a permission on it: revoke that first")
            }
        }
    }
}

impl fmt::Display for Finding {
    /// Every field is named, so that a new one cannot stay unseen.
    #[expect(clippy::too_many_lines, reason = "a sentence for each finding")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ForeignGrant { grantee, permission, on, state, grantors } => {
                let by = grantors.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                write!(
                    f,
                    "{state} {permission} on {on} to {grantee} stands by the word of {by}: they must revoke it"
                )
            }
            Self::PassedOn { grantee, permission, on } => {
                write!(
                    f,
                    "{permission} on {on} was passed on by {grantee}, who holds it with grant option: "
                )?;
                f.write_str("revoke what they granted first")
            }
            Self::GrantOption { grantee, permission, on } => {
                write!(
                    f,
                    "{permission} on {on} to {grantee} is wanted with grant option, which Axon gives to nobody"
                )
            }
            Self::NotGrantable { grantee, permission, on } => {
                write!(f, "{permission} on {on} for {grantee}: this securable does not take this permission")
            }
            Self::OtherClass { grantee, permission, on, state, grantors } => {
                write!(f, "{state} {permission} on {on} to {grantee}")?;
                if !grantors.is_empty() {
                    let by = grantors.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                    write!(f, " by the word of {by}")?;
                }
                f.write_str(": Axon sends no statement about things of this class, revoke it by hand")
            }
            Self::Owner { owner, owns } => write!(f, "{owner} {owns}"),
            Self::KindDiffers { principal, desired, actual } => {
                let word = |kind: &PrincipalKind| match kind {
                    PrincipalKind::External => "an external user",
                    PrincipalKind::ExternalGroup => "an external group",
                    PrincipalKind::Sql => "a SQL user",
                };
                write!(f, "{principal} is {}, wanted is {}: it is given nothing", word(actual), word(desired))
            }
            Self::NameTaken { name } => {
                write!(f, "{name} is a user on one side and a role on the other: rename one of them")
            }
            Self::Missing { name, needed_for } => {
                write!(f, "{name} is not there and Axon does not make it; {needed_for} needs it")
            }
            Self::SidTaken { name, holder } => {
                write!(
                    f,
                    "{name} is there already under the name {holder}, which is kept: drop or rename that one"
                )
            }
            Self::NoSafeOrder { step } => {
                write!(f, "no order makes it safe to {step}: do it by hand while nobody is connected")
            }
            Self::CannotRecreate { principal, because } => {
                write!(f, "{principal} is another object of the same name and cannot be dropped: {because}")
            }
            Self::CannotDropRole { role, because } => write!(f, "role {role} cannot be dropped: {because}"),
            Self::UntouchableMember { membership: Membership { role, member } } => {
                write!(f, "{member} stays in role {role}: it is never touched")
            }
            Self::LeaverStaysIn { principal, role } => write!(
                f,
                "{principal} is shut out and still in {role}, which is not managed: remove them there by hand"
            ),
            Self::TombstoneStays { principal, because } => {
                write!(f, "{principal} left and is not dropped: {because}")
            }
            Self::ClassifierUnread { name } => write!(
                f,
                "the hours of classifier {name} cannot be read, so whether it is as the map says is not known: look at it there, and \
                 drop it by hand where it is not"
            ),
            Self::OutOfScope { name } => write!(f, "{name} is wanted, but is outside what Axon manages"),
            Self::Circle { membership: Membership { role, member } } => {
                write!(f, "{member} cannot join role {role}: that would make the role a member of itself")
            }
            Self::ViewShowsNothing { view, because } => write!(f, "view {view} shows nothing: {because}"),
            Self::ViewStillOpen { view, because } => {
                write!(f, "view {view} is to show nothing, and is open until it is closed: {because}")
            }
            Self::ViewUnseen { view, sent } => {
                let what = if *sent { "took one of Axon's for it" } else { "is sent one of Axon's" };
                write!(
                    f,
                    "the catalog does not show the text of view {view}, so what it shows is not known: the target {what}, and nobody new \
                     reads the view until that is seen; give Axon's account VIEW DEFINITION on it, or drop the view by hand"
                )
            }
            Self::ViewAltered { view } => {
                write!(f, "somebody altered view {view} by hand: its text is put back")
            }
            Self::ViewNotMade { view } => write!(
                f,
                "view {view} stands in a schema of Axon's own and is neither in the map nor Axon's: drop it, or move it"
            ),
            Self::ReadPastView { view, because } => {
                write!(f, "view {view} shows nothing, since it does not close its table: {because}")
            }
            Self::FilterAltered { table } => {
                write!(
                    f,
                    "somebody altered the filter of {table} by hand: it is put back, and nobody reads the table itself until it is"
                )
            }
            Self::FilterStays { table } => {
                write!(
                    f,
                    "the filter of {table} stays as it is while somebody holds SELECT on single columns of the table"
                )
            }
            Self::ProfileRefused { principal, because } => {
                write!(f, "views show nothing by the profile of {principal}: {because}")
            }
            Self::ActsAsNobody { request, because } => {
                write!(f, "request {request} lets nobody read views as another: {because}")
            }
            Self::PutsOnAnother { who, whom } => {
                write!(
                    f,
                    "{who} may become {whom} by EXECUTE AS and reads views so: take that permission away"
                )
            }
            Self::PutsOnAnybody { who, by } => write!(
                f,
                "{who} may become anybody by EXECUTE AS and reads views so, by {by}: take that away, or know that views keep nothing from them"
            ),
            Self::MaskKey { schema, id, fault } => {
                let id = axon_model::name::shown(id);
                write!(f, "the key of hashes of {id} in {schema}.mask_keys {fault}: ")?;
                f.write_str(match fault {
                    KeyFault::Changed => {
                        "views of it show nothing, since whoever wrote it can tell what a hash stands for. Put the earlier row back, or take this one"
                    }
                    KeyFault::Foreign => {
                        "views of it show nothing, since whoever wrote it can tell what a hash stands for. Delete that row, or take it"
                    }
                    KeyFault::Gone => {
                        "its hashes are NULL, and none is made in its place, since no hash would compare with an earlier one. Put the earlier row back, or have a new one made"
                    }
                })?;
                write!(f, " (axon view key {id})")
            }
            Self::ViewsUnsafe { because } => write!(f, "no secure view is in force: {because}"),
            Self::LeftOutOfProfile { principal, attribute, because } => {
                write!(
                    f,
                    "the profile of {principal} does not hold all of attribute `{attribute}`: {because}"
                )
            }
        }
    }
}
