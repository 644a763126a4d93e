//! What is there, and whose it is: what goes, and what stays and why. Pure.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;
use axon_reconcile::{
    Classifier, ClassifierStep, Connect, GrantKey, GrantState, Graph, Membership, Securable, Step,
    denies_by_definition,
};
use time::OffsetDateTime;

use super::Created;
use crate::made::Made;

/// By how much a pool's clock may differ from ours.
const CLOCKS_DIFFER: time::Duration = time::Duration::minutes(10);

/// How what is left is to be looked for.
pub struct Looked<'a> {
    /// What the place holds.
    pub graph: &'a Graph,
    /// Its workload classifiers.
    pub classifiers: &'a [Classifier],
    /// When its roles were made, as it says itself.
    pub roles_made: &'a BTreeMap<SqlName, OffsetDateTime>,
    /// Why memberships or permissions of it could not be seen: what keeps somebody out may be among these.
    pub unseen: &'a [String],
    /// Who takes the place down, and what goes with them: nobody touches these.
    pub spared: &'a BTreeSet<SqlName>,
    /// As whom Axon gave what it gave, where whoever takes the place down is somebody else.
    pub own: &'a BTreeSet<SqlName>,
    /// Schemas that go with the place, and what is in them.
    pub schemas: &'a BTreeSet<SqlName>,
}

/// What is there, and whose it is.
pub(super) struct Finding<'a> {
    pub looked: &'a Looked<'a>,
    pub made: Vec<Made>,
    pub created: Created,
}

impl Finding<'_> {
    /// Whether what the step takes away is there by Axon, or was as the map asked for it.
    fn is_ours(&self, step: &Step) -> bool {
        self.made.iter().any(|made| made.made_all_of(step))
    }

    fn has_principal(&self, name: SqlName) -> bool {
        self.made.iter().any(|made| made.has_principal(name))
    }

    fn has_role(&self, name: SqlName) -> bool {
        self.is_ours(&Step::DropRole { name })
    }

    /// Whether a role or a user is there of which it matters who made it.
    pub fn asks_the_journal(&self) -> bool {
        let Looked { graph, .. } = self.looked;
        graph.principals.keys().any(|name| self.has_principal(*name))
            || graph.roles.keys().any(|name| self.has_role(*name))
    }

    /// Whether a record says that Axon made this user just when it was made: another one of the object may have been made since.
    fn created_user(&self, name: SqlName) -> bool {
        let Some(there) = self.looked.graph.principals.get(&name) else { return false };
        let told = |sid| Step::CreatePrincipal { name, kind: there.kind, sid }.to_string();
        let just_then =
            |at: &OffsetDateTime| there.created.is_some_and(|made| (made - *at).abs() < CLOCKS_DIFFER);
        let by_id = there.sid.is_some() && there.created.is_none();
        let of_this = self.created.get(&told(there.sid.clone()));
        of_this.is_some_and(|at| by_id || just_then(at))
            || self.created.get(&told(None)).is_some_and(just_then)
    }

    /// Why a role is not known to be the one that Axon made: others may have dropped that one, and made another of its name.
    fn not_created_role(&self, name: SqlName) -> Option<&'static str> {
        let Some(at) = self.created.get(&Step::CreateRole { name }.to_string()) else {
            return Some(NO_RECORD);
        };
        match self.looked.roles_made.get(&name) {
            None => Some("nobody can see when it was made, so it may not be the one that Axon made"),
            Some(made) if (*made - *at).abs() >= CLOCKS_DIFFER => {
                Some("it was made at another time than the one that Axon made")
            }
            Some(_) => None,
        }
    }

    /// Names that a DENY keeps out of something, themselves or by a role that they are in.
    fn denied(&self) -> BTreeSet<SqlName> {
        let Looked { graph, .. } = self.looked;
        let rows = graph.grants.iter().filter(|(_, grant)| grant.state == GrantState::Deny);
        let mut denied: BTreeSet<SqlName> = rows.map(|(key, _)| key.grantee).collect();
        denied.extend(graph.roles.keys().copied().filter(|role| denies_by_definition(*role)));
        loop {
            let more =
                graph.members.iter().filter(|m| denied.contains(&m.role) && !denied.contains(&m.member));
            let more: Vec<SqlName> = more.map(|m| m.member).collect();
            if more.is_empty() {
                return denied;
            }
            denied.extend(more);
        }
    }

    /// What takes it away, in the order of its waves; what stays; and whether any of that stays only since not all was seen.
    pub fn all(self) -> (Vec<Step>, Vec<String>, bool) {
        let mut found = Found { denied: self.denied(), ..Found::default() };
        self.grants(&mut found);
        self.members(&mut found);
        self.roles(&mut found);
        self.users(&mut found);
        self.given_by_the_account(&mut found);
        let Found { members, revoked, roles, users, stays, is_unread, .. } = found;
        let is_of = |classifier: &&Classifier| {
            // Such a name is Axon's own.
            let group = classifier.name.folded().strip_prefix(classifier.member.folded());
            roles.contains(&classifier.member) && group.is_some_and(|rest| rest.starts_with(':'))
        };
        let member = |m: Membership| Step::DropMember { role: m.role, member: m.member };
        let mut steps: Vec<Step> = members.into_iter().map(member).collect();
        // With a role goes what it holds.
        let alone = revoked.into_iter().filter(|(key, _)| !roles.contains(&key.grantee));
        steps.extend(alone.filter_map(|(_, step)| step));
        steps.extend(self.looked.classifiers.iter().filter(is_of).map(dropped));
        steps.extend(roles.into_iter().map(|name| Step::DropRole { name }));
        steps.extend(users.into_iter().map(|name| Step::drop_of(name, self.looked.graph)));
        (steps, stays, is_unread)
    }

    fn grants(&self, found: &mut Found) {
        let Looked { graph, spared, own, unseen, .. } = self.looked;
        for (key, grant) in &graph.grants {
            let step = revoke(key, grant.state);
            let is_spared = spared.contains(&key.grantee);
            if is_spared || !self.is_ours(&step) {
                continue;
            }
            let by_axon = grant.own_row || grant.foreign_grantors.iter().any(|by| own.contains(by));
            let kept = if !by_axon {
                let by: Vec<String> = grant.foreign_grantors.iter().map(ToString::to_string).collect();
                Some(format!("{} gave it, too", listed(&by)))
            } else if grant.leaves_out {
                Some("somebody took columns out of it".to_owned())
            } else if grant.state == GrantState::Grant && self.lifts(key) {
                Some("a REVOKE of it would lift what is denied of its columns".to_owned())
            } else if grant.state == GrantState::Grant
                && matches!(key.securable, Securable::Object(_))
                && !unseen.is_empty()
            {
                // A REVOKE of it would lift what is denied of its columns, also where nobody sees that.
                found.is_unread = true;
                Some(UNSEEN.to_owned())
            } else {
                None
            };
            if let Some(why) = kept {
                let GrantKey { grantee, securable, permission } = key;
                found.stays.push(format!("{permission} on {securable} of {grantee}: {why}"));
                continue;
            }
            let GrantKey { grantee, securable, permission } = key;
            match grant.state {
                // What Axon's account gave itself, nobody else's REVOKE takes.
                GrantState::Grant => drop(found.revoked.insert(*key, grant.own_row.then_some(step))),
                GrantState::GrantWithOption => found.stays.push(format!(
                    "{permission} on {securable} of {grantee}, who may pass it on: taking it would take along what it passed on"
                )),
                GrantState::Deny => found.stays.push(format!(
                    "deny {permission} on {securable} to {grantee}: to lift it could let somebody in"
                )),
            }
        }
    }

    /// Whether a REVOKE of this would lift a DENY: one of an object lifts those of its columns.
    fn lifts(&self, key: &GrantKey) -> bool {
        let Looked { graph, .. } = self.looked;
        let Securable::Object(object) = key.securable else { return false };
        let of_column = |other: &GrantKey| {
            other.permission == key.permission
                && matches!(other.securable, Securable::Column(of, _) if of == object)
        };
        let mut rows = graph.grants_of(key.grantee);
        rows.any(|(other, grant)| grant.state == GrantState::Deny && of_column(other))
    }

    fn members(&self, found: &mut Found) {
        let Looked { graph, spared, unseen, .. } = self.looked;
        for membership in &graph.members {
            let Membership { role, member } = *membership;
            let is_spared = spared.contains(&role) || spared.contains(&member);
            if is_spared || !self.is_ours(&Step::DropMember { role, member }) {
                continue;
            }
            if found.denied.contains(&role) {
                found.stays.push(format!("{member} in role {role}, which takes something from its members"));
            } else if unseen.is_empty() {
                found.members.insert(*membership);
            } else {
                found.is_unread = true;
                found.stays.push(format!("{member} in role {role}: {UNSEEN}"));
            }
        }
    }

    fn roles(&self, found: &mut Found) {
        let Looked { graph, spared, unseen, .. } = self.looked;
        for (name, role) in &graph.roles {
            let name = *name;
            if role.fixed || spared.contains(&name) || !self.has_role(name) {
                continue;
            }
            let left =
                |member: &SqlName| !found.members.contains(&Membership { role: name, member: *member });
            let others: Vec<String> =
                graph.members_of(name).filter(left).map(|member| member.to_string()).collect();
            let why = if let Some(why) = self.not_created_role(name) {
                why.to_owned()
            } else if found.denied.contains(&name) {
                "a DENY of it keeps people out of something".to_owned()
            } else if !unseen.is_empty() {
                found.is_unread = true;
                UNSEEN.to_owned()
            } else if !others.is_empty() {
                format!("{} in it by others", listed(&others))
            } else if self.holds_others(name, found) {
                "others gave it permissions".to_owned()
            } else {
                found.roles.insert(name);
                continue;
            };
            found.stays.push(format!("role {name}: {why}"));
        }
    }

    /// Whether a name holds a permission that is not taken from it.
    fn holds_others(&self, name: SqlName, found: &Found) -> bool {
        let mut rows = self.looked.graph.grants_of(name);
        rows.any(|(key, grant)| {
            let by_others = grant.foreign_grantors.iter().any(|by| !self.looked.own.contains(by));
            by_others || !found.revoked.contains_key(key)
        })
    }

    /// Permissions that Axon's account gave, that go neither with whoever holds them nor with what they are on.
    fn given_by_the_account(&self, found: &mut Found) {
        let in_schema = |on: &Securable| match on {
            Securable::Schema(schema) => self.looked.schemas.contains(schema),
            Securable::Object(object) | Securable::Column(object, _) => {
                self.looked.schemas.contains(&object.schema)
            }
            _ => false,
        };
        for (key, _) in found.revoked.iter().filter(|(_, step)| step.is_none()) {
            let GrantKey { grantee, securable, permission } = key;
            if !found.roles.contains(grantee) && !found.users.contains(grantee) && !in_schema(securable) {
                found.stays.push(format!(
                    "{permission} on {securable} of {grantee}, which Axon's account gave: revoke it as that"
                ));
            }
        }
    }

    fn users(&self, found: &mut Found) {
        let Looked { graph, spared, unseen, .. } = self.looked;
        for (name, principal) in &graph.principals {
            let name = *name;
            if spared.contains(&name) || !self.has_principal(name) {
                continue;
            }
            let mut roles = graph.roles_of(name);
            let why = if !self.created_user(name) {
                NO_RECORD
            } else if principal.connect == Connect::Denied || found.denied.contains(&name) {
                "it is denied something, and could come in by a group without it"
            } else if !unseen.is_empty() {
                found.is_unread = true;
                UNSEEN
            } else if self.holds_others(name, found)
                || roles.any(|role| !found.members.contains(&Membership { role, member: name }))
            {
                "others gave it roles or permissions"
            } else {
                found.users.push(name);
                continue;
            };
            found.stays.push(format!("user {name}: {why}"));
        }
    }
}

const NO_RECORD: &str = "the journal does not say that Axon made it";
const UNSEEN: &str = "not all of the catalog can be read, and what cannot may keep somebody out";

/// What goes, and what stays.
#[derive(Default)]
struct Found {
    denied: BTreeSet<SqlName>,
    /// With the step that takes it, where it does not go with something else.
    revoked: BTreeMap<GrantKey, Option<Step>>,
    members: BTreeSet<Membership>,
    roles: BTreeSet<SqlName>,
    users: Vec<SqlName>,
    stays: Vec<String>,
    /// Whether something stays only since not all was seen.
    is_unread: bool,
}

fn dropped(classifier: &Classifier) -> Step {
    Step::Classify(ClassifierStep::Drop { name: classifier.name, member: classifier.member })
}

fn revoke(key: &GrantKey, was: GrantState) -> Step {
    let (on, columns) = match key.securable {
        Securable::Column(object, column) => (Securable::Object(object), vec![column]),
        on => (on, Vec::new()),
    };
    Step::Revoke { grantee: key.grantee, permission: key.permission, on, columns, was }
}

/// A few names of many.
fn listed(names: &[String]) -> String {
    const MOST: usize = 5;
    let shown = names.iter().take(MOST).cloned().collect::<Vec<_>>().join(", ");
    let more = names.len().saturating_sub(MOST);
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

#[cfg(test)]
mod tests {
    use axon_reconcile::{Grant, ObjectName, Permission, Principal, PrincipalKind, Role, Sid};

    use super::*;
    use crate::left::names_tell_all;
    use crate::made::marks;

    const AT: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn name(text: &str) -> SqlName {
        SqlName::parse(text).unwrap()
    }

    fn sid(n: u8) -> Sid {
        Sid::from_bytes(&[n; 16])
    }

    fn create(user: &str, n: u8) -> Step {
        Step::CreatePrincipal { name: name(user), kind: PrincipalKind::External, sid: Some(sid(n)) }
    }

    fn add(role: &str, member: &str) -> Step {
        Step::AddMember { role: name(role), member: name(member) }
    }

    fn select(grantee: &str, deny: bool) -> Step {
        let on = Securable::Object(ObjectName { schema: name("sales"), name: name("orders") });
        let (grantee, permission, columns) = (name(grantee), Permission::Select, Vec::new());
        if deny {
            Step::Deny { grantee, permission, on, columns }
        } else {
            Step::Grant { grantee, permission, on, columns }
        }
    }

    /// What Axon made, and the pool after it.
    #[derive(Default)]
    struct Pool {
        graph: Graph,
        made: Made,
        created: Created,
        classifiers: Vec<Classifier>,
        unseen: Vec<String>,
        roles_made: BTreeMap<SqlName, OffsetDateTime>,
    }

    impl Pool {
        /// The row is there, whoever made it.
        fn with(mut self, step: &Step) -> Self {
            let graph = &mut self.graph;
            match step.clone() {
                Step::CreatePrincipal { name, kind, sid } => {
                    let there = Principal { kind, sid, connect: Connect::Granted, created: None };
                    graph.principals.insert(name, there);
                }
                Step::CreateRole { name } => {
                    graph.roles.insert(name, Role::default());
                    self.roles_made.insert(name, AT);
                }
                Step::AddMember { role, member } => drop(graph.members.insert(Membership { role, member })),
                Step::Grant { grantee, permission, on, .. } => {
                    let key = GrantKey { grantee, securable: on, permission };
                    graph.grants.insert(key, Grant::wanted(GrantState::Grant));
                }
                Step::Deny { grantee, permission, on, .. } => {
                    let key = GrantKey { grantee, securable: on, permission };
                    graph.grants.insert(key, Grant::wanted(GrantState::Deny));
                }
                other => panic!("{other}"),
            }
            self
        }

        /// Axon made it.
        fn by_axon(mut self, step: &Step) -> Self {
            self.made.kept(marks(step, &names_tell_all));
            self.created.insert(step.to_string(), AT);
            self.with(step)
        }

        /// It was there as the map asked for it.
        fn adopted(mut self, step: &Step) -> Self {
            self.made.kept(marks(step, &names_tell_all));
            self.with(step)
        }

        fn left(self) -> (Vec<String>, Vec<String>) {
            let (steps, stays, is_unread) = self.left_unread();
            assert!(!is_unread, "{stays:?}");
            (steps, stays)
        }

        fn left_unread(self) -> (Vec<String>, Vec<String>, bool) {
            let spared = BTreeSet::from([name("axon_system")]);
            let looked = Looked {
                graph: &self.graph,
                classifiers: &self.classifiers,
                roles_made: &self.roles_made,
                unseen: &self.unseen,
                spared: &spared,
                own: &spared,
                schemas: &BTreeSet::from([name("secure")]),
            };
            let made = vec![Made::default(), self.made];
            let (steps, stays, is_unread) = Finding { looked: &looked, made, created: self.created }.all();
            (steps.iter().map(ToString::to_string).collect(), stays, is_unread)
        }
    }

    fn role(of: &str) -> Step {
        Step::CreateRole { name: name(of) }
    }

    #[test]
    fn what_axon_made_goes_members_first_and_what_was_there_before_stays() {
        let classifier = |named: &str, member: &str| Classifier {
            name: name(named),
            member: name(member),
            does: None,
            unread: false,
        };
        let mut pool = Pool::default()
            .by_axon(&role("axon_reader"))
            .adopted(&role("sales"))
            .by_axon(&create("kim", 1))
            .adopted(&create("ana", 2))
            .by_axon(&add("axon_reader", "kim"))
            .by_axon(&add("sales", "kim"))
            .adopted(&add("sales", "ana"))
            .with(&role("theirs"))
            .with(&create("bob", 3))
            .with(&add("sales", "bob"))
            .with(&add("theirs", "bob"))
            .by_axon(&select("axon_reader", false))
            .by_axon(&select("ana", false))
            .with(&select("bob", false))
            .by_axon(&create("axon_system", 9));
        pool.classifiers =
            vec![classifier("axon_reader:large", "axon_reader"), classifier("nightly", "axon_reader")];
        let (steps, stays) = pool.left();
        assert_eq!(
            steps,
            [
                "remove kim from role axon_reader",
                "remove ana from role sales",
                "remove kim from role sales",
                "revoke SELECT on sales.orders from ana (was GRANT)",
                "drop classifier axon_reader:large of axon_reader",
                "drop role axon_reader",
                "drop user kim",
            ]
        );
        let unknown = "the journal does not say that Axon made it";
        assert_eq!(stays, [format!("role sales: {unknown}"), format!("user ana: {unknown}")]);
    }

    #[test]
    fn nothing_goes_that_keeps_somebody_out() {
        let mut pool = Pool::default()
            .by_axon(&role("axon_shut"))
            .by_axon(&role("axon_inner"))
            .by_axon(&create("kim", 1))
            .by_axon(&create("left", 2))
            .by_axon(&create("max", 3))
            .by_axon(&add("axon_inner", "kim"))
            .by_axon(&add("axon_shut", "axon_inner"))
            .by_axon(&select("axon_shut", true))
            .by_axon(&select("max", true));
        pool.graph.principals.get_mut(&name("left")).unwrap().connect = Connect::Denied;
        let (steps, stays) = pool.left();
        assert_eq!(steps, [""; 0]);
        let of_user = "it is denied something, and could come in by a group without it";
        assert_eq!(
            stays,
            [
                "deny SELECT on sales.orders to axon_shut: to lift it could let somebody in".to_owned(),
                "deny SELECT on sales.orders to max: to lift it could let somebody in".to_owned(),
                "kim in role axon_inner, which takes something from its members".to_owned(),
                "axon_inner in role axon_shut, which takes something from its members".to_owned(),
                "role axon_inner: a DENY of it keeps people out of something".to_owned(),
                "role axon_shut: a DENY of it keeps people out of something".to_owned(),
                format!("user kim: {of_user}"),
                format!("user left: {of_user}"),
                format!("user max: {of_user}"),
            ]
        );
        // A REVOKE on a table lifts what is denied of its columns.
        let mut columns = Pool::default().by_axon(&select("axon_reader", false));
        let (orders, permission) =
            (ObjectName { schema: name("sales"), name: name("orders") }, Permission::Select);
        let key = GrantKey {
            grantee: name("axon_reader"),
            securable: Securable::Column(orders, name("c")),
            permission,
        };
        columns.graph.grants.insert(key, Grant::wanted(GrantState::Deny));
        let (steps, stays) = columns.left();
        assert_eq!(steps, [""; 0]);
        assert!(stays.len() == 1 && stays[0].contains("would lift what is denied"), "{stays:?}");
        let fixed = Pool::default()
            .with(&role("DB_DenyDataReader"))
            .by_axon(&create("kim", 1))
            .by_axon(&add("DB_DenyDataReader", "kim"));
        let (steps, stays) = fixed.left();
        assert_eq!((steps.len(), stays.len()), (0, 2), "{stays:?}");
    }

    #[test]
    fn where_not_all_is_seen_nothing_goes_that_could_let_somebody_in() {
        let mut pool = Pool::default()
            .by_axon(&role("axon_reader"))
            .by_axon(&create("kim", 1))
            .by_axon(&add("axon_reader", "kim"))
            .by_axon(&select("axon_reader", false));
        pool.unseen = vec!["1 permission of axon_reader is on a thing whose name cannot be read".to_owned()];
        let (steps, stays, is_unread) = pool.left_unread();
        // A REVOKE on the table could lift what is denied of a column that nobody sees.
        assert_eq!(steps, [""; 0]);
        assert_eq!(stays.len(), 4, "{stays:?}");
        assert!(stays.iter().all(|line| line.contains("not all of the catalog can be read")), "{stays:?}");
        assert!(is_unread);
        // Where nothing of Axon's stays, it does not matter.
        let pool = Pool { unseen: vec!["a note".to_owned()], ..Pool::default().with(&role("theirs")) };
        assert_eq!(pool.left(), (Vec::new(), Vec::new()));
    }

    #[test]
    fn a_role_that_others_made_again_is_theirs() {
        let minutes = time::Duration::minutes;
        for (made, words) in [
            (Some(AT + minutes(9)), None),
            (Some(AT - minutes(9)), None),
            (Some(AT + minutes(10)), Some("it was made at another time than the one that Axon made")),
            (Some(AT - minutes(60)), Some("it was made at another time than the one that Axon made")),
            (None, Some("nobody can see when it was made, so it may not be the one that Axon made")),
        ] {
            // While it was a target, the reconciler put people into the role that others made, too.
            let mut pool = Pool::default()
                .by_axon(&role("axon_reader"))
                .adopted(&create("kim", 1))
                .by_axon(&add("axon_reader", "kim"));
            let classifier = |named: &str| Classifier {
                name: name(named),
                member: name("axon_reader"),
                does: None,
                unread: false,
            };
            pool.classifiers = vec![classifier("axon_reader:large")];
            pool.roles_made.clear();
            pool.roles_made.extend(made.map(|at| (name("axon_reader"), at)));
            let (steps, stays) = pool.left();
            let goes: &[&str] = match words {
                None => &["drop classifier axon_reader:large of axon_reader", "drop role axon_reader"],
                Some(_) => &[],
            };
            let goes = [&["remove kim from role axon_reader"], goes].concat();
            assert_eq!(steps, goes, "{made:?}");
            let mut told: Vec<String> = words.iter().map(|why| format!("role axon_reader: {why}")).collect();
            told.push(format!("user kim: {NO_RECORD}"));
            assert_eq!(stays, told, "{made:?}");
        }
    }

    #[test]
    fn what_others_did_with_axon_s_roles_and_people_keeps_them() {
        let (steps, stays) = Pool::default()
            .by_axon(&role("axon_reader"))
            .by_axon(&create("kim", 1))
            .by_axon(&create("ana", 2))
            .by_axon(&add("axon_reader", "kim"))
            .with(&create("bob", 3))
            .with(&add("axon_reader", "bob"))
            .with(&select("ana", false))
            .left();
        assert_eq!(steps, ["remove kim from role axon_reader", "drop user kim"]);
        assert_eq!(
            stays,
            ["role axon_reader: bob in it by others", "user ana: others gave it roles or permissions"]
        );
        // Another object has the name since.
        let mut other = Pool::default().by_axon(&create("kim", 1));
        other.graph.principals.get_mut(&name("kim")).unwrap().sid = Some(sid(7));
        assert_eq!(other.left().0, [""; 0]);
        // What was taken away once, and others gave again.
        let mut again = Pool::default().by_axon(&role("axon_reader")).with(&add("axon_reader", "kim"));
        again.made.kept(marks(
            &Step::DropMember { role: name("axon_reader"), member: name("kim") },
            &names_tell_all,
        ));
        assert_eq!(again.left(), (Vec::new(), vec!["role axon_reader: kim in it by others".to_owned()]));
        // What somebody may pass on, what another grantor gave as well, and a role to which others gave something.
        let mut passes = Pool::default().by_axon(&create("kim", 1)).by_axon(&select("kim", false));
        passes.graph.grants.values_mut().for_each(|grant| grant.state = GrantState::GrantWithOption);
        let (steps, stays) = passes.left();
        assert!(steps.is_empty() && stays.len() == 2 && stays[0].contains("may pass it on"), "{stays:?}");
        let mut twice = Pool::default().by_axon(&role("axon_reader")).by_axon(&select("axon_reader", false));
        twice.graph.grants.values_mut().for_each(|grant| grant.foreign_grantors.push(name("boss")));
        let (steps, stays) = twice.left();
        assert_eq!(steps, ["revoke SELECT on sales.orders from axon_reader (was GRANT)"]);
        assert_eq!(stays, ["role axon_reader: others gave it permissions"]);
        // What Axon's account gave goes with the role, and is told where nothing takes it along.
        let mut given = Pool::default()
            .by_axon(&role("axon_reader"))
            .by_axon(&select("axon_reader", false))
            .by_axon(&select("ana", false));
        for grant in given.graph.grants.values_mut() {
            (grant.own_row, grant.foreign_grantors) = (false, vec![name("axon_system")]);
        }
        let (steps, stays) = given.left();
        assert_eq!(steps, ["drop role axon_reader"]);
        assert_eq!(stays, ["SELECT on sales.orders of ana, which Axon's account gave: revoke it as that"]);
        // A record without an id is about whoever was made just then.
        for (minutes, goes) in [(1, true), (60, false)] {
            let mut unnamed = Pool::default();
            let step = Step::CreatePrincipal { name: name("kim"), kind: PrincipalKind::External, sid: None };
            unnamed = unnamed.by_axon(&step);
            let there = unnamed.graph.principals.get_mut(&name("kim")).unwrap();
            (there.sid, there.created) = (Some(sid(1)), Some(AT + time::Duration::minutes(minutes)));
            assert_eq!(unnamed.left().0.len(), usize::from(goes), "{minutes}");
        }
        // Another grantor's row, and one that leaves out columns.
        let mut rows = Pool::default().by_axon(&select("kim", false));
        rows.graph.grants.values_mut().for_each(|grant| grant.own_row = false);
        assert_eq!(rows.left().0, [""; 0]);
    }
}
