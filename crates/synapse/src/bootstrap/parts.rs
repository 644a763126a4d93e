//! The batches, each with what it is for.

use axon_model::SqlName;
use axon_reconcile::Step;
use axon_reconcile::secure::ManagedTable;

use super::setup::{OfMap, Setup};
use crate::render::bootstrap as text;
use crate::render::{Sql, can_be_written, script_batch};
use crate::script::names;
use crate::statement::{Dialect, Wording};

/// In which database a batch is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// `master` of the same server.
    Master,
    /// The database itself.
    Database,
}

/// What a batch makes or takes away that bears no mark: another one of the same name can belong to somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thing {
    /// The account's login.
    Login,
    /// The account's user, or what this needs.
    User,
    /// The owner.
    Owner,
    /// A schema.
    Schema(SqlName),
    /// What the role map made: the step of this place.
    OfMap(usize),
}

/// A batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it is for, a sentence.
    pub why: String,
    /// In which database.
    pub at: Where,
    /// The text.
    pub(crate) sql: Sql,
    /// The server's answer that says that there was nothing to do.
    pub done: Option<i64>,
    /// What it makes.
    pub makes: Option<Thing>,
    /// What it takes away.
    pub takes: Option<Thing>,
}

impl Part {
    fn new(why: impl Into<String>, sql: Sql) -> Self {
        Self { why: why.into(), at: Where::Database, sql, done: None, makes: None, takes: None }
    }

    fn making(self, thing: Thing) -> Self {
        Self { makes: Some(thing), ..self }
    }

    fn taking(self, thing: Thing) -> Self {
        Self { takes: Some(thing), ..self }
    }

    /// The batch, with a variable where a password stands.
    pub fn text(&self) -> &str {
        self.sql.as_str()
    }
}

/// What Axon needs in the database beside its schemas: each permission and what it is for.
pub(super) const RIGHTS: [(&str, &str); 8] = [
    ("VIEW DEFINITION", "to read the whole catalog: what it cannot see it would take for absent"),
    ("VIEW DATABASE STATE", "to find the sessions of people who left"),
    ("KILL DATABASE CONNECTION", "to end these sessions"),
    ("ALTER ANY USER", "to let people in and shut them out"),
    ("ALTER ANY ROLE", "to make roles, and to fill and empty them"),
    ("CREATE ROLE", "to make roles"),
    ("CREATE VIEW", "to write the secure views; only in schemas that it controls"),
    ("CREATE SCHEMA", "to make schemas of its own"),
];

/// Everything that is made, in its order.
pub fn create(setup: &Setup) -> Vec<Part> {
    let Setup { database, views, metadata, impersonation, account } = setup;
    let (database, owner) = (*database, metadata.owner);
    let mut parts = Vec::new();
    if !account.is_entra {
        parts.push(Part {
            why: "The login as which Axon enters. Run this batch in master. On a second run it answers 15025, which means that the login is \
                 there. Give the password to your program: sqlcmd -v AxonPassword=\"...\""
                .into(),
            at: Where::Master,
            sql: text::login(account.name, None),
            done: Some(15025),
            makes: Some(Thing::Login),
            takes: None,
        });
    }
    let of_owner = "The owner of views and of the tables that they show: a user nobody can log in as. Because one owner owns both, readers of \
                    a view need no right on its tables. If it is there already nothing is done, and it is not Axon's to take away.";
    parts.push(Part::new(of_owner, text::owner(database, owner)).making(Thing::Owner));
    if account.is_entra {
        let identity = Part::new(
            "The identity as which Axon enters. Only a session of an Entra identity may run this (33159).",
            text::external_user(database, account.name),
        );
        parts.push(identity.making(Thing::User));
    } else {
        parts.push(Part {
            why: "The user of Axon's login. It must stand alone in its batch, so it cannot look first: on a second run it answers 15023, \
                  which means that the user is there."
                .into(),
            at: Where::Database,
            sql: text::user_of_login(account.name),
            done: Some(15023),
            makes: Some(Thing::User),
            takes: None,
        });
    }
    let of_views = "The schema of the secure views. If it is there already nothing is done, and it is not Axon's to take away.";
    let of_profiles =
        "The schema of profiles and keys. Nobody but its owner has a right in it: the views read it.";
    for (why, schema) in [(of_views, *views), (of_profiles, metadata.schema)] {
        parts.push(Part::new(why, text::schema(database, schema, owner)).making(Thing::Schema(schema)));
    }
    for table in ManagedTable::ALL {
        let why = format!("Its table {table}.");
        parts.push(Part::new(why, text::table(database, metadata.schema, table)));
    }
    if let Some(role) = impersonation {
        parts.push(Part::new(
            "The role of those who may read as somebody else, through secure views alone. It holds nothing itself. It belongs to the \
             owner, which marks it: a role of this name that somebody else made is not taken over.",
            text::role(database, *role, owner),
        ));
    }
    for (right, why) in RIGHTS {
        let why = format!("Axon's right {right}: {why}.");
        parts.push(Part::new(why, text::grant_on_database(database, right, account.name)));
    }
    for schema in [*views, metadata.schema] {
        let why = format!("Axon keeps what is in the schema {schema}, and grants on it.");
        parts.push(Part::new(why, text::control_of_schema(database, schema, account.name)));
    }
    parts
}

/// From one set-up to another: what is new is made first, then what is not meant any more goes.
pub fn edit(old: &Setup, new: &Setup) -> Vec<Part> {
    let mut parts: Vec<Part> = create(new).into_iter().filter(|part| part.at == Where::Database).collect();
    if new.account != old.account && !new.account.is_entra {
        parts.splice(0..0, create(new).into_iter().filter(|part| part.at == Where::Master));
    }
    let database = new.database;
    if let Some(role) = old.impersonation.filter(|role| new.impersonation != Some(*role)) {
        parts.extend(without_role(database, role, old.metadata.owner));
    }
    for gone in [old.views, old.metadata.schema] {
        if gone != new.views && gone != new.metadata.schema {
            let why = format!("The schema {gone} is not meant any more: it goes if nothing is left in it.");
            let part = Part::new(why, text::drop_schema(database, gone, old.metadata.owner));
            parts.push(part.taking(Thing::Schema(gone)));
        }
    }
    parts
}

fn without_role(database: SqlName, role: SqlName, owner: SqlName) -> Vec<Part> {
    vec![
        Part::new(
            "Nobody may act as somebody else any more. A role that does not belong to the owner is another one: it is left as it is.",
            text::empty_role(database, role, owner),
        ),
        Part::new("The role itself.", text::drop_role(database, role, owner)),
    ]
}

/// What the role map made, step by step. What no script can hold is left out.
pub(super) fn of_map(setup: &Setup, of_map: &OfMap) -> Vec<Part> {
    let wording = Wording { dialect: Dialect::Dedicated, database: setup.database, roles: &of_map.roles };
    let part = |(n, step): (usize, &Step)| {
        let sql = script_batch(step, &wording, None, None)
            .ok()
            .filter(|_| names(step).into_iter().all(can_be_written))?;
        Some(Part::new(format!("The role map made it: {step}."), sql).taking(Thing::OfMap(n)))
    };
    of_map.steps.iter().enumerate().filter_map(part).collect()
}

/// Takes all of it away, and what the role map made there.
pub fn delete(setup: &Setup, left: &OfMap) -> Vec<Part> {
    let Setup { database, views, metadata, impersonation, account } = setup;
    let (database, owner) = (*database, metadata.owner);
    let mut parts = Vec::new();
    parts.extend(of_map(setup, left));
    if let Some(role) = impersonation {
        parts.extend(without_role(database, *role, owner));
    }
    parts.push(Part::new(
        "The views that Axon wrote, first of all: with them goes every way of their readers to the tables. Views that somebody else wrote, \
         or altered, stay: the next query names them.",
        text::drop_views(database, owner),
    ));
    parts.push(Part::new(
        "Views in the owner's schemas that somebody else wrote, or altered. Whoever may read one of these goes on reading what it shows, \
         also of tables of the same owner: drop it, or move its tables' schema to another owner. A view of your own that was beside your \
         tables before they were given to the owner is named, too, and may stay.",
        text::other_views(owner),
    ));
    for table in ManagedTable::ALL {
        let why = format!("The table {table}, which no view reads any more.");
        parts.push(Part::new(why, text::drop_table(database, metadata.schema, table)));
    }
    for schema in [*views, metadata.schema] {
        let why = format!("The schema {schema}, if nothing is left in it.");
        parts.push(Part::new(why, text::drop_schema(database, schema, owner)).taking(Thing::Schema(schema)));
    }
    let user = |why: &str, sql| Part::new(why, sql).taking(Thing::User);
    parts.push(user(
        "What is left of the roles that Axon made for its role map belongs to the database's owner from now on. Nobody comes into them or goes by that.",
        text::give_roles_back(database, account.name),
    ));
    parts.push(user(
        "Axon's user, and with it every right that it had.",
        text::drop_user(database, account.name),
    ));
    let of_owner = "The owner, if nothing belongs to it any more. Schemas of your tables that were given to it stay with it, since another \
                    owner could open them to others: give them to whom you choose by ALTER AUTHORIZATION, then run this batch again.";
    parts.push(Part::new(of_owner, text::drop_owner(database, owner)).taking(Thing::Owner));
    if !account.is_entra {
        parts.push(Part {
            why: "Axon's login. Run this batch in master, after all others. On a second run it answers 15151: it is gone.".into(),
            at: Where::Master,
            sql: text::drop_login(account.name),
            done: Some(15151),
            makes: None,
            takes: Some(Thing::Login),
        });
    }
    parts
}
