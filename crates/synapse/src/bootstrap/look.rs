//! Looking whether a database can be, or is, what a set-up says. Nothing is changed.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;
use axon_reconcile::{Sid, TargetError};
use serde::Serialize;
use serde_json::{Value, json};
use tiberius::Row;
use time::PrimitiveDateTime;

use super::parts::RIGHTS;
use super::setup::Setup;
use crate::catalog::{number, text};
use crate::connect::{Connection, Link};
use crate::error::CallError;
use crate::probe::Answer;
use crate::render::bootstrap as render;
use crate::statement::Dialect;
use crate::target::SynapseTarget;

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// As it must be.
    Passed,
    /// Not as it must be.
    Failed,
    /// It can be used, and somebody should know.
    Warning,
    /// It was not asked.
    Skipped,
}

/// A test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// How it ended.
    pub status: CheckStatus,
    /// Why, and what helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
}

impl Check {
    /// One that is as it must be.
    pub fn passed(name: &'static str) -> Self {
        Self { name, status: CheckStatus::Passed, message: None, result: None }
    }

    /// One that is not.
    pub fn failed(name: &'static str, message: impl Into<String>) -> Self {
        Self { status: CheckStatus::Failed, message: Some(message.into()), ..Self::passed(name) }
    }

    fn warned(name: &'static str, message: impl Into<String>) -> Self {
        Self { status: CheckStatus::Warning, ..Self::failed(name, message) }
    }

    fn skipped(name: &'static str) -> Self {
        Self { status: CheckStatus::Skipped, ..Self::passed(name) }
    }

    fn seeing(self, result: Value) -> Self {
        Self { result: Some(result), ..self }
    }
}

/// When it is looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before Axon makes everything: as somebody who may.
    BeforeAutomatic,
    /// The same where an integration was given up that left Axon's account: as somebody who may.
    BeforeAgain,
    /// Before Axon changes what it made: as somebody who may.
    BeforeChange,
    /// Before Axon takes away what it made: as somebody who may.
    BeforeRemoval,
    /// Before Axon's login gets another password: as somebody who may.
    BeforeRenewal,
    /// After everything was made, as Axon.
    Standing,
}

const CONNECT: &str = "Initial Validation: Connect";
const RUNNING: &str = "Initial Validation: Dedicated SQL Pool Is Running";
const MANAGE: &str = "Validate Axon system user can manage database";

/// A user or a role.
struct Principal {
    kind: String,
    owner: String,
    /// How it is entered as; 0 is nobody.
    authentication: Option<i32>,
    mark: String,
}

/// What was seen.
#[derive(Default)]
pub(super) struct Seen {
    schema: Vec<Value>,
    own: String,
    owns: bool,
    secures: bool,
    edition: u32,
    collation: String,
    rights: BTreeSet<(String, Option<String>)>,
    principals: BTreeMap<String, Principal>,
    schemas: BTreeMap<String, String>,
    /// Views in schemas of the owner that bear no mark of Axon's, by schema and name.
    others: Vec<(String, String)>,
    /// Schemas of the owner that hold tables.
    with_tables: BTreeSet<String>,
}

impl Seen {
    /// Whether there is a user or a role of this name.
    pub(super) fn has(&self, name: SqlName) -> bool {
        self.principals.contains_key(&folded(name))
    }

    /// By what a user is told from another one of its name: its id, and when it was made.
    pub(super) fn mark(&self, name: SqlName) -> Option<&str> {
        self.principals.get(&folded(name)).map(|found| found.mark.as_str())
    }

    /// Whether there is a schema of this name.
    pub(super) fn has_schema(&self, name: SqlName) -> bool {
        self.schemas.contains_key(&folded(name))
    }

    /// What of a set-up, or under its names, is there; for people.
    pub(super) fn stays(&self, setup: &Setup) -> Vec<String> {
        let owner = setup.metadata.owner;
        let mut stays: Vec<String> =
            self.others.iter().map(|(schema, view)| format!("view {schema}.{view}")).collect();
        for (schema, by) in &self.schemas {
            let own = [setup.views, setup.metadata.schema].iter().any(|own| folded(*own) == *schema);
            if own || by.eq_ignore_ascii_case(owner.as_str()) {
                stays.push(format!("schema {schema} of {by}"));
            }
        }
        let role = setup.impersonation.map(|role| ("role", role));
        let users = [("user", setup.account.name), ("user", owner)];
        let named = role.into_iter().chain(users).filter(|(_, name)| self.has(*name));
        stays.extend(named.map(|(what, name)| format!("{what} {name}")));
        stays
    }
}

fn folded(name: SqlName) -> String {
    name.as_str().to_lowercase()
}

/// Looks, and tells every test.
pub async fn look(connection: &Connection, setup: &Setup, moment: Moment) -> Vec<Check> {
    let seen = match read(connection, setup).await {
        Ok(seen) => seen,
        Err(error) => return vec![unreachable(&error)],
    };
    let mut checks = vec![Check::passed(CONNECT).seeing(Value::from(seen.schema.clone()))];
    checks.push(delimiters(setup));
    checks.push(manages(&seen, setup, moment));
    checks.push(Check::passed(RUNNING));
    checks.push(dialect(&seen));
    checks.push(collation(&seen));
    checks.push(owner(&seen, setup, moment));
    checks.push(schemas(&seen, setup, moment));
    checks.push(views(&seen, setup, moment));
    checks.push(role(&seen, setup, moment));
    checks.push(account(&seen, setup, connection, moment));
    checks.push(identity(setup));
    checks.push(leavers(&seen, setup, moment));
    checks.push(probes(connection, setup, moment).await);
    checks
}

/// Reads what is there.
pub(super) async fn read(connection: &Connection, setup: &Setup) -> Result<Seen, TargetError> {
    let link = Link::new(connection.clone());
    let query = render::standing(setup.views, setup.metadata.owner);
    let mut seen = Seen::default();
    let mut take = |set: usize, row: &Row| {
        let optional = |at| text(row, at).ok().map(str::to_owned);
        match set {
            0 => seen.schema.push(json!({
                "SCHEMA_NAME": optional(0), "CATALOG_NAME": optional(1), "SCHEMA_OWNER": optional(2),
                "DEFAULT_CHARACTER_SET_NAME": optional(3), "DEFAULT_CHARACTER_SET_SCHEMA": Value::Null,
                "DEFAULT_CHARACTER_SET_CATALOG": Value::Null,
            })),
            1 => {
                text(row, 0)?.clone_into(&mut seen.own);
                let is_member = |at: usize| row.try_get::<i32, _>(at).ok().flatten() == Some(1);
                (seen.owns, seen.secures) = (is_member(1), is_member(2));
                seen.edition = number(row, 3)?;
                seen.collation = optional(4).unwrap_or_default();
            }
            2 => drop(seen.rights.insert((text(row, 0)?.to_owned(), optional(1)))),
            3 => {
                let kind = text(row, 1)?.trim().to_owned();
                let authentication = row.try_get(3).map_err(|e| e.to_string())?;
                let sid: Option<&[u8]> = row.try_get(4).map_err(|e| e.to_string())?;
                let made: Option<PrimitiveDateTime> = row.try_get(5).map_err(|e| e.to_string())?;
                let id = sid.map(|bytes| Sid::from_bytes(bytes).to_string()).unwrap_or_default();
                let mark = format!("{id} {}", made.map_or_else(String::new, |made| made.to_string()));
                let owner = optional(2).unwrap_or_default();
                let found = Principal { kind, owner, authentication, mark };
                drop(seen.principals.insert(text(row, 0)?.to_lowercase(), found));
            }
            4 => drop(seen.schemas.insert(text(row, 0)?.to_lowercase(), optional(1).unwrap_or_default())),
            5 => seen.others.push((text(row, 0)?.to_owned(), text(row, 1)?.to_owned())),
            _ => drop(seen.with_tables.insert(text(row, 0)?.to_lowercase())),
        }
        Ok(())
    };
    let read = async { link.session().await?.read(&query, &mut take).await };
    read.await.map_err(|error: CallError| error.at("the pool", "the look at the database"))?;
    Ok(seen)
}

fn unreachable(error: &TargetError) -> Check {
    let words = error.to_string();
    let number = match error {
        TargetError::Refused { refusal, .. } => refusal.number,
        _ => 0,
    };
    let remedy = match number {
        42108 | 42109 | 40613 => {
            return Check::failed(RUNNING, format!("{words}: resume the pool, then try again"));
        }
        18456 | 916 => "; look at the name, the password and the database",
        40615 => "; let this server's address through the pool's firewall",
        _ => "",
    };
    Check::failed(CONNECT, format!("{words}{remedy}"))
}

fn delimiters(setup: &Setup) -> Check {
    // They were held to their rule when the request was read.
    let check = Check::passed("Initial Validation: Delimiters");
    let differ = |by: axon_reconcile::secure::Delimiters| {
        by.hash != by.hash_key && by.hash != by.array && by.hash_key != by.array
    };
    if setup.metadata.delimiters.is_none_or(differ) {
        return check;
    }
    Check::failed(check.name, "the three delimiters must differ")
}

fn manages(seen: &Seen, setup: &Setup, moment: Moment) -> Check {
    let check = Check::passed(MANAGE).seeing(json!([{ "name": seen.own }]));
    if seen.owns || seen.own.eq_ignore_ascii_case("dbo") {
        return check;
    }
    if moment != Moment::Standing {
        let message = format!(
            "{} may not manage grants: it must be a member of db_owner, or administer the server",
            seen.own
        );
        return Check { status: CheckStatus::Failed, message: Some(message), ..check };
    }
    let has = |right: &str, schema: Option<SqlName>| {
        seen.rights.iter().any(|(name, on)| {
            name == right
                && match (on, schema) {
                    (None, None) => true,
                    (Some(on), Some(schema)) => on.eq_ignore_ascii_case(schema.as_str()),
                    _ => false,
                }
        })
    };
    let mut lacks: Vec<String> =
        RIGHTS.iter().filter(|(right, _)| !has(right, None)).map(|(right, _)| (*right).to_owned()).collect();
    let schemas = [setup.views, setup.metadata.schema];
    lacks.extend(
        schemas
            .iter()
            .filter(|schema| !has("CONTROL", Some(**schema)))
            .map(|on| format!("CONTROL on the schema {on}")),
    );
    if lacks.is_empty() {
        return check;
    }
    let message = format!("{} lacks {}: run the create script again", seen.own, lacks.join(", "));
    Check { status: CheckStatus::Failed, message: Some(message), ..check }
}

fn dialect(seen: &Seen) -> Check {
    const NAME: &str = "Validate Dialect";
    match Dialect::of_edition(i64::from(seen.edition)) {
        Some(Dialect::Dedicated) => Check::passed(NAME).seeing(json!([{ "EngineEdition": seen.edition }])),
        Some(_) => Check::failed(
            NAME,
            "this is a serverless pool, whose readers reach the files past any view: secure views need a dedicated one",
        ),
        None => Check::failed(NAME, format!("engine edition {} is no Synapse pool", seen.edition)),
    }
}

fn collation(seen: &Seen) -> Check {
    const NAME: &str = "Validate Collation";
    let check = Check::passed(NAME).seeing(json!([{ "collation": seen.collation }]));
    if seen.collation.to_ascii_uppercase().contains("_CI_") {
        return check;
    }
    let message =
        "names differ by case here; Axon takes names that differ by case alone for one, and withholds both";
    Check { status: CheckStatus::Warning, message: Some(message.into()), ..check }
}

/// Nobody enters as the owner of views and tables: it is a user without a login, or the name is free.
fn owner(seen: &Seen, setup: &Setup, moment: Moment) -> Check {
    const NAME: &str = "Validate Owner Of Views And Tables";
    let owner = setup.metadata.owner;
    if matches!(moment, Moment::BeforeRemoval | Moment::BeforeRenewal) {
        // It gets nothing by these.
        return Check::skipped(NAME);
    }
    match seen.principals.get(&folded(owner)) {
        Some(found) if found.kind == "S" && found.authentication == Some(0) => Check::passed(NAME),
        Some(_) => Check::failed(
            NAME,
            format!(
                "{owner} is there, and is no user without a login: whoever enters as it owns every view, and each table that is given to it. \
                 Take its schemas away from it, drop it, then try again"
            ),
        ),
        None if moment == Moment::Standing => {
            Check::failed(NAME, format!("the user {owner} is not there: run the create script"))
        }
        None => Check::passed(NAME),
    }
}

/// What would stay open when Axon's views go: nobody looks after it any more. A schema of the owner that holds no table is one of views;
/// beside tables that were given to the owner a view may be as old as they are, and is told.
fn views(seen: &Seen, setup: &Setup, moment: Moment) -> Check {
    const NAME: &str = "Validate Views Of Others";
    if moment != Moment::BeforeRemoval {
        return Check::skipped(NAME);
    }
    if seen.others.is_empty() {
        return Check::passed(NAME);
    }
    let own = [folded(setup.views), folded(setup.metadata.schema)];
    let (beside, left): (Vec<_>, Vec<_>) = seen.others.iter().partition(|(schema, _)| {
        let schema = schema.to_lowercase();
        seen.with_tables.contains(&schema) && !own.contains(&schema)
    });
    let written = |views: &[&(String, String)]| -> Vec<String> {
        views.iter().map(|(schema, view)| format!("{schema}.{view}")).collect()
    };
    let is_refused = !left.is_empty();
    let views = written(if is_refused { &left } else { &beside });
    let named: Vec<Value> = views.iter().map(|view| json!({ "name": view })).collect();
    if !is_refused {
        let message = format!(
            "{} bear no mark of Axon's and are in schemas of {} with tables: they stay as they are, and readers of these go on reading what \
             they show. Drop each one that was a secure view and that somebody altered",
            views.join(", "),
            setup.metadata.owner
        );
        return Check::warned(NAME, message).seeing(Value::from(named));
    }
    let message = format!(
        "somebody else wrote or altered {} in Axon's schemas: readers of these would go on reading what they show, and nobody would look after \
         them any more. Drop them, or make them anew in a schema of your own, then delete again",
        views.join(", ")
    );
    Check::failed(NAME, message).seeing(Value::from(named))
}

/// Whether Axon may shut out whoever leaves.
fn leavers(seen: &Seen, setup: &Setup, moment: Moment) -> Check {
    const NAME: &str = "Validate Leavers Can Be Shut Out";
    if moment != Moment::Standing {
        return Check::skipped(NAME);
    }
    let controls = seen.rights.contains(&("CONTROL".to_owned(), None));
    if controls || seen.owns || seen.secures {
        return Check::passed(NAME);
    }
    let (own, database) = (setup.account.name, setup.database);
    Check::warned(
        NAME,
        format!(
            "{own} may not DENY CONNECT (4613): whoever leaves loses roles, permissions and profile and reads nothing, but can still enter, \
             until somebody who owns the database runs DENY CONNECT TO [the person], whom `axon status` names. To have Axon do it: GRANT \
             CONTROL ON DATABASE::[{database}] TO [{own}], which lets it do everything there"
        ),
    )
}

/// The schemas are free or belong to the owner; afterwards they must be there.
fn schemas(seen: &Seen, setup: &Setup, moment: Moment) -> Check {
    const NAME: &str = "Validate Schemas And Their Owner";
    if matches!(moment, Moment::BeforeRemoval | Moment::BeforeRenewal) {
        // What is not the owner's is not taken away.
        return Check::skipped(NAME);
    }
    for schema in [setup.views, setup.metadata.schema] {
        match seen.schemas.get(&schema.as_str().to_lowercase()) {
            None if moment == Moment::Standing => {
                return Check::failed(
                    NAME,
                    format!("the schema {schema} is not there: run the create script"),
                );
            }
            Some(owner) if !owner.eq_ignore_ascii_case(setup.metadata.owner.as_str()) => {
                let wanted = setup.metadata.owner;
                let message = format!("the schema {schema} belongs to {owner}, and must belong to {wanted}");
                return Check::failed(NAME, message);
            }
            _ => {}
        }
    }
    Check::passed(NAME)
}

fn role(seen: &Seen, setup: &Setup, moment: Moment) -> Check {
    let name = match moment {
        Moment::BeforeAutomatic => "Validate Automatic: Impersonation Role Does Not Exist",
        _ => "Validate Impersonation Role",
    };
    let ends = matches!(moment, Moment::BeforeRemoval | Moment::BeforeRenewal);
    let Some(role) = setup.impersonation.filter(|_| !ends) else {
        return Check::skipped(name);
    };
    let owner = setup.metadata.owner;
    let is_own =
        |name: &str| [owner, setup.account.name].iter().any(|own| name.eq_ignore_ascii_case(own.as_str()));
    match (moment, seen.principals.get(&role.as_str().to_lowercase())) {
        (Moment::BeforeAutomatic, Some(_)) => {
            Check::failed(name, format!("{role} is there already: choose another name for the role"))
        }
        (_, Some(found)) if found.kind != "R" => Check::failed(name, format!("{role} is no role")),
        // A role that a set-up made belongs to the owner, and one that the role map's reconciler made to Axon's account. Another one
        // would lose its members when this one goes.
        (_, Some(found)) if !is_own(&found.owner) => Check::failed(
            name,
            format!(
                "{role} is there already, and belongs to {}, not to {owner}: choose another name for the role",
                found.owner
            ),
        ),
        (Moment::Standing, None) => {
            Check::failed(name, format!("the role {role} is not there: run the create script"))
        }
        _ => Check::passed(name),
    }
}

fn account(seen: &Seen, setup: &Setup, connection: &Connection, moment: Moment) -> Check {
    const NAME: &str = "Validate Axon System Account";
    let account = setup.account;
    let is_there = seen.principals.contains_key(&account.name.as_str().to_lowercase());
    match moment {
        Moment::BeforeAutomatic | Moment::BeforeAgain if account.is_entra && !connection.auth.is_entra() => {
            Check::failed(
                NAME,
                "a SQL login cannot create a user of the directory (33159): enter with an identity of Entra",
            )
        }
        Moment::BeforeAutomatic if is_there => {
            let message = format!("{} is there already: choose another name for the account", account.name);
            Check::failed(NAME, message)
        }
        Moment::Standing if !is_there => {
            Check::failed(NAME, format!("there is no user {}: run the create script", account.name))
        }
        // Whoever is named here is let past every view: it must be Axon, and nobody else.
        Moment::Standing if seen.own.to_lowercase() != folded(account.name) => Check::failed(
            NAME,
            format!(
                "Axon enters as {}, not as {}: the user of the database that it enters as must be named, and be its own",
                seen.own, account.name
            ),
        ),
        _ => Check::passed(NAME).seeing(json!([{ "name": account.name.as_str() }])),
    }
}

fn identity(setup: &Setup) -> Check {
    const NAME: &str = "Validate Principals";
    if setup.account.is_entra {
        return Check::passed(NAME);
    }
    Check::warned(
        NAME,
        "Axon enters with a SQL login, which makes no users of the directory (33159): views and roles are kept, and whoever has no \
         user waits until somebody of Entra makes it; give Axon an identity of Entra to have users made",
    )
}

/// What the pool says of the words that views need.
async fn probes(connection: &Connection, setup: &Setup, moment: Moment) -> Check {
    const NAME: &str = "Validate Dialect Probes";
    if matches!(moment, Moment::BeforeChange | Moment::BeforeRemoval | Moment::BeforeRenewal) {
        return Check::skipped(NAME);
    }
    let Ok(pool) = SynapseTarget::new("the pool", Dialect::Dedicated, connection.clone()) else {
        return Check::skipped(NAME);
    };
    let probes = match pool.probe().await {
        Ok(probes) => probes,
        Err(error) => return Check::failed(NAME, error.to_string()),
    };
    let told: Vec<Value> = probes
        .probes
        .iter()
        .map(|probe| json!({ "name": probe.name, "answer": probe.answer.name() }))
        .collect();
    let lacks =
        |name: &str| probes.probes.iter().any(|probe| probe.name == name && probe.answer == Answer::No);
    let mut check = Check::passed(NAME).seeing(Value::from(told));
    if lacks("is-rolemember") {
        check.status = CheckStatus::Failed;
        check.message =
            Some("the pool has no IS_ROLEMEMBER, by which views know their readers' roles".into());
    } else if setup.impersonation.is_some() && lacks("session-context") {
        check.status = CheckStatus::Warning;
        check.message =
            Some("the pool has no SESSION_CONTEXT: acting as somebody else goes by session instead".into());
    }
    check
}

#[cfg(test)]
mod tests {
    use axon_reconcile::Metadata;
    use axon_reconcile::secure::Delimiters;

    use super::*;
    use crate::bootstrap::Account;

    /// A set-up whose profiles are parted by these, which a request could not bring here if two of them were one.
    fn parted_by(marks: Option<(char, char, char)>) -> Setup {
        let name = |text| SqlName::parse(text).unwrap();
        let delimiters = marks.map(|(hash, hash_key, array)| Delimiters { hash, hash_key, array });
        Setup {
            database: name("dw"),
            views: name("secure"),
            metadata: Metadata { delimiters, ..Metadata::new(name("axon"), name("axon_owner")) },
            impersonation: None,
            account: Account { name: name("axon_system"), is_entra: false },
        }
    }

    #[test]
    fn three_delimiters_that_differ_pass_and_any_two_alike_fail() {
        const NAME: &str = "Initial Validation: Delimiters";
        for marks in [None, Some(('|', '-', ',')), Some((';', ':', '/'))] {
            assert_eq!(delimiters(&parted_by(marks)), Check::passed(NAME), "{marks:?}");
        }
        for marks in [('|', '|', ','), ('|', '-', '|'), (',', '-', '-'), ('|', '|', '|')] {
            let told = delimiters(&parted_by(Some(marks)));
            assert_eq!(told, Check::failed(NAME, "the three delimiters must differ"), "{marks:?}");
        }
    }
}
