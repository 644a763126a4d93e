//! One step about secure views: one statement, or the two that move one person's profile.

use std::fmt;

use axon_model::SqlName;
use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;

use super::{ManagedTable, Metadata, ProfileRow, TableFilter, Window};
use crate::shape::ObjectName;
use crate::step::StepKind;
use crate::view_body::ViewBody;

/// One change of what secure views are made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "secure")]
#[expect(missing_docs, reason = "the fields are the words of the statement")]
pub enum SecureStep {
    /// `CREATE USER [name] WITHOUT LOGIN`
    CreateOwner { name: SqlName },
    /// `CREATE SCHEMA [name] AUTHORIZATION [owner]`
    CreateSchema { name: SqlName, owner: SqlName },
    /// `CREATE TABLE` in the managed schema
    CreateTable { schema: SqlName, table: ManagedTable },
    /// A random key, which nobody reads but the views.
    CreateKey { schema: SqlName, id: String },
    /// One person's rows: what goes, then what comes. The rows are people's own and do not leave this process with a plan.
    WriteProfile {
        schema: SqlName,
        principal: SqlName,
        #[serde(skip)]
        remove: Vec<ProfileRow>,
        #[serde(skip)]
        add: Vec<ProfileRow>,
        /// Whether whoever goes on reading views sees less by it.
        #[serde(default)]
        loses: bool,
    },
    /// Rows of many people who have none.
    FillProfiles {
        schema: SqlName,
        people: usize,
        #[serde(skip)]
        rows: Vec<ProfileRow>,
    },
    /// All rows of people who go, or of people who go on reading views and see less by it.
    DropProfiles {
        schema: SqlName,
        people: Vec<SqlName>,
        #[serde(default)]
        loses: bool,
    },
    /// The rows by which one person reads views as another, in the place of those that stood.
    LetAct { schema: SqlName, window: Box<Window> },
    /// Takes them out.
    StopActing {
        schema: SqlName,
        actor: SqlName,
        person: SqlName,
        #[serde(default)]
        in_session: bool,
    },
    /// `CREATE VIEW`
    CreateView { view: Box<ViewBody>, metadata: Metadata },
    /// `ALTER VIEW`: grants stay.
    AlterView {
        view: Box<ViewBody>,
        metadata: Metadata,
        /// Whether the catalog does not show what it says now.
        #[serde(default)]
        unseen: bool,
    },
    /// `ALTER VIEW` to one that shows nobody anything.
    CloseView {
        view: ObjectName,
        because: String,
        /// Whether the catalog does not show what it says now.
        #[serde(default)]
        unseen: bool,
    },
    /// `DROP VIEW`
    DropView { view: ObjectName },
    /// The function of a table's filter, where it is to be made, and the policy that calls it.
    SetFilter { filter: Box<TableFilter>, metadata: Metadata, make: bool, policy: PolicyWork },
    /// `DROP SECURITY POLICY`
    DropFilter { policy: ObjectName, tables: Vec<ObjectName> },
    /// `DROP FUNCTION` of one that no policy calls any more.
    DropFunction { name: ObjectName },
}

/// What is done to the policy of a filter. Whatever it is, the policy is on afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyWork {
    /// It is made.
    Create,
    /// It is there without a predicate on the table.
    Add,
    /// Its predicate on the table is another one.
    Alter,
    /// It is off.
    TurnOn,
    /// Policy and function go, and are made anew: nobody may read the table itself meanwhile.
    Renew,
}

impl SecureStep {
    /// Its kind.
    pub fn kind(&self) -> StepKind {
        match self {
            Self::CreateOwner { .. } => StepKind::CreateOwner,
            Self::CreateSchema { .. } => StepKind::CreateSchema,
            Self::CreateTable { .. } => StepKind::CreateTable,
            Self::CreateKey { .. } => StepKind::CreateKey,
            Self::WriteProfile { .. } | Self::FillProfiles { .. } | Self::DropProfiles { .. } => {
                StepKind::WriteProfile
            }
            Self::LetAct { .. } => StepKind::LetAct,
            Self::StopActing { .. } => StepKind::StopActing,
            Self::CreateView { .. } => StepKind::CreateView,
            Self::AlterView { .. } => StepKind::AlterView,
            Self::CloseView { .. } => StepKind::CloseView,
            Self::DropView { .. } => StepKind::DropView,
            Self::SetFilter { .. } => StepKind::SetFilter,
            Self::DropFilter { .. } | Self::DropFunction { .. } => StepKind::DropFilter,
        }
    }

    /// Whose it is: the person of a profile, else the name of what is made, changed or dropped.
    pub fn subject(&self) -> SqlName {
        match self {
            Self::CreateOwner { name } | Self::CreateSchema { name, .. } => *name,
            Self::CreateTable { schema, .. }
            | Self::CreateKey { schema, .. }
            | Self::FillProfiles { schema, .. }
            | Self::DropProfiles { schema, .. } => *schema,
            Self::WriteProfile { principal, .. } => *principal,
            Self::LetAct { window, .. } => window.actor,
            Self::StopActing { actor, .. } => *actor,
            Self::CreateView { view, .. } | Self::AlterView { view, .. } => view.name.name,
            Self::CloseView { view, .. } | Self::DropView { view } => view.name,
            Self::SetFilter { filter, .. } => filter.table.name,
            Self::DropFilter { policy: name, .. } | Self::DropFunction { name } => name.name,
        }
    }

    /// Whether somebody may see more after it.
    pub fn gives(&self) -> bool {
        match self {
            Self::CreateOwner { .. }
            | Self::CreateSchema { .. }
            | Self::CreateTable { .. }
            | Self::CreateKey { .. }
            | Self::FillProfiles { .. }
            | Self::LetAct { .. }
            | Self::CreateView { .. }
            // What the text was before is not known to show less.
            | Self::AlterView { .. }
            // As may a table without its filter.
            | Self::DropFilter { .. } => true,
            Self::WriteProfile { add, .. } => !add.is_empty(),
            // A filter that comes or comes back hides; another rule may show more.
            Self::SetFilter { policy, .. } => *policy == PolicyWork::Alter,
            Self::DropFunction { .. }
            | Self::DropProfiles { .. }
            | Self::StopActing { .. }
            | Self::CloseView { .. }
            | Self::DropView { .. } => false,
        }
    }

    /// How many people go on reading views and see less after it.
    pub fn losers(&self) -> u64 {
        match self {
            Self::WriteProfile { loses, .. } => u64::from(*loses),
            Self::DropProfiles { people, loses: true, .. } => people.len() as u64,
            _ => 0,
        }
    }

    /// Whether it writes over the text of a view that the catalog does not show.
    pub fn unseen(&self) -> bool {
        matches!(self, Self::AlterView { unseen: true, .. } | Self::CloseView { unseen: true, .. })
    }

    /// The view that it is about, or the table of a filter that comes or changes.
    pub fn view(&self) -> Option<ObjectName> {
        match self {
            Self::CreateView { view, .. } | Self::AlterView { view, .. } => Some(view.name),
            Self::CloseView { view, .. } | Self::DropView { view } => Some(*view),
            Self::SetFilter { filter, .. } => Some(filter.table),
            Self::DropFilter { .. }
            | Self::DropFunction { .. }
            | Self::CreateOwner { .. }
            | Self::CreateSchema { .. }
            | Self::CreateTable { .. }
            | Self::CreateKey { .. }
            | Self::WriteProfile { .. }
            | Self::FillProfiles { .. }
            | Self::LetAct { .. }
            | Self::StopActing { .. }
            | Self::DropProfiles { .. } => None,
        }
    }

    /// Whether it cannot be done before the other one was.
    pub fn needs(&self, other: &Self) -> bool {
        let in_schema = |schema: SqlName, owner: Option<SqlName>| match other {
            Self::CreateSchema { name, .. } => *name == schema,
            Self::CreateOwner { name } => owner == Some(*name),
            _ => false,
        };
        match self {
            Self::CreateSchema { owner, .. } => matches!(other, Self::CreateOwner { name } if name == owner),
            Self::CreateTable { schema, .. } => in_schema(*schema, None),
            Self::CreateKey { schema, .. } => {
                in_schema(*schema, None)
                    || matches!(other, Self::CreateTable { table: ManagedTable::MaskKeys, .. })
            }
            Self::WriteProfile { schema, .. } | Self::FillProfiles { schema, .. } => {
                in_schema(*schema, None)
                    || matches!(other, Self::CreateTable { table: ManagedTable::Profile, .. })
            }
            Self::LetAct { schema, .. } => {
                in_schema(*schema, None)
                    || matches!(
                        other,
                        Self::CreateTable { table: ManagedTable::Acting | ManagedTable::ActingSessions, .. }
                    )
            }
            Self::CreateView { view, metadata } | Self::AlterView { view, metadata, .. } => {
                in_schema(view.name.schema, Some(metadata.owner))
                    || matches!(other, Self::CreateTable { .. })
                    || in_schema(metadata.schema, None)
            }
            Self::SetFilter { metadata, .. } => {
                matches!(other, Self::CreateTable { .. }) || in_schema(metadata.schema, Some(metadata.owner))
            }
            Self::CreateOwner { .. }
            | Self::DropProfiles { .. }
            | Self::StopActing { .. }
            | Self::CloseView { .. }
            | Self::DropView { .. }
            | Self::DropFilter { .. }
            | Self::DropFunction { .. } => false,
        }
    }
}

/// The attributes of some rows and how many of each, without their values.
struct Attributes<'a>(&'a [ProfileRow]);

impl fmt::Display for Attributes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut counts: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
        for row in self.0 {
            *counts.entry(&row.attribute).or_default() += 1;
        }
        for (i, (attribute, count)) in counts.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{count} of {}", axon_model::name::shown(attribute))?;
        }
        Ok(())
    }
}

impl fmt::Display for SecureStep {
    /// As people read it, everywhere the same, and without a value that is a person's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateOwner { name } => write!(f, "create user {name} without login, the owner of views"),
            Self::CreateSchema { name, owner } => write!(f, "create schema {name} owned by {owner}"),
            Self::CreateTable { schema, table } => write!(f, "create table {schema}.{table}"),
            Self::CreateKey { schema, id } => {
                write!(f, "create a key in schema {schema} for {}", axon_model::name::shown(id))
            }
            Self::WriteProfile { schema, principal, remove, add, loses: _ } => {
                write!(f, "write the profile of {principal} in schema {schema}")?;
                if !remove.is_empty() {
                    write!(f, ", without {}", Attributes(remove))?;
                }
                if add.is_empty() { Ok(()) } else { write!(f, ", with {}", Attributes(add)) }
            }
            Self::FillProfiles { schema, people, rows } => {
                write!(f, "write the profiles of {people} people in schema {schema}, {} rows", rows.len())
            }
            Self::DropProfiles { schema, people, loses: _ } => {
                write!(f, "take the profiles of {} people out of schema {schema}", people.len())
            }
            Self::LetAct { schema: _, window } => {
                let Window { actor, sid: _, person, roles: _, until, session } = &**window;
                let until = until.format(&Rfc3339).map_err(|_| fmt::Error)?;
                write!(f, "let {actor} read views as {person} until {until}")?;
                match session {
                    None => Ok(()),
                    Some(session) => write!(f, " in session {}", axon_model::name::shown(&session.id)),
                }
            }
            Self::StopActing { schema: _, actor, person, in_session: _ } => {
                write!(f, "stop {actor} from reading views as {person}")
            }
            Self::CreateView { view, metadata: _ } => write!(f, "create view {view}"),
            Self::AlterView { view, metadata: _, unseen } => {
                let unseen = if *unseen { ", whose text is not seen now" } else { "" };
                write!(f, "alter view {view}{unseen}")
            }
            Self::CloseView { view, because, unseen } => {
                let unseen = if *unseen { ", whose text is not seen now" } else { "" };
                write!(f, "close view {view}{unseen}: {because}")
            }
            Self::DropView { view } => write!(f, "drop view {view}"),
            Self::SetFilter { filter, metadata: _, make: _, policy } => {
                let how = match policy {
                    PolicyWork::Create | PolicyWork::Add => "filter",
                    PolicyWork::Alter => "change the filter of",
                    PolicyWork::TurnOn => "turn on the filter of",
                    PolicyWork::Renew => "make anew the filter of",
                };
                write!(f, "{how} {filter}")
            }
            Self::DropFilter { policy, tables } => {
                write!(f, "drop security policy {policy}")?;
                for (i, table) in tables.iter().enumerate() {
                    write!(f, "{}{table}", if i == 0 { ", the filter of " } else { ", " })?;
                }
                Ok(())
            }
            Self::DropFunction { name } => write!(f, "drop function {name}, which filters nothing"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> SqlName {
        SqlName::parse(text).unwrap()
    }

    #[test]
    fn no_text_and_no_json_of_a_profile_step_holds_a_value() {
        let row = |attribute: &str, value: &str| ProfileRow {
            principal: name("kim"),
            attribute: attribute.into(),
            value: value.into(),
        };
        let step = SecureStep::WriteProfile {
            schema: name("axon"),
            principal: name("kim"),
            remove: vec![row("region", "secret-1")],
            add: vec![row("region", "secret-2"), row("@group", "secret-3")],
            loses: true,
        };
        assert_eq!(
            step.to_string(),
            "write the profile of kim in schema axon, without 1 of region, with 1 of @group, 1 of region"
        );
        let fill = SecureStep::FillProfiles {
            schema: name("axon"),
            people: 1,
            rows: vec![row("region", "secret-4")],
        };
        for step in [step, fill] {
            let json = serde_json::to_string(&step).unwrap();
            assert!(!format!("{step} {step:?} {json}").contains("secret"), "{step:?} {json}");
        }
    }

    #[test]
    fn a_table_waits_for_its_schema_and_a_schema_for_its_owner() {
        let owner = SecureStep::CreateOwner { name: name("o") };
        let schema = SecureStep::CreateSchema { name: name("axon"), owner: name("o") };
        let table = SecureStep::CreateTable { schema: name("axon"), table: ManagedTable::Profile };
        assert!(schema.needs(&owner) && table.needs(&schema) && !owner.needs(&schema));
        let drop = SecureStep::DropView { view: ObjectName { schema: name("s"), name: name("v") } };
        assert!(!drop.needs(&schema) && !drop.gives());
    }
}
