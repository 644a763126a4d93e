//! Plans as people read them, one story each.

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_reconcile::{
    Admitted, Connect, Glob, Grant, GrantKey, GrantState, Graph, Guards, History, ManagedPrincipals,
    Membership, Mode, ObjectName, Permission, Principal, PrincipalKind, RemovalBudget, Role, Scope,
    Securable, Sid, Sides, StepKind, admit, plan,
};
use time::macros::datetime;

fn name(text: &str) -> SqlName {
    SqlName::parse(text).expect("a plain name")
}

fn table(text: &str) -> Securable {
    Securable::Object(ObjectName { schema: name("sales"), name: name(text) })
}

fn column(text: &str, column: &str) -> Securable {
    Securable::Column(ObjectName { schema: name("sales"), name: name(text) }, name(column))
}

/// A small graph, told line by line.
#[derive(Clone, Default)]
struct Told(Graph);

impl Told {
    fn person(mut self, who: &str) -> Self {
        let kind = PrincipalKind::External;
        self.0
            .principals
            .insert(name(who), Principal { kind, sid: None, connect: Connect::Granted, created: None });
        self
    }

    fn with_id(mut self, who: &str, byte: u8) -> Self {
        self = self.person(who);
        self.0.principals.entry(name(who)).and_modify(|p| p.sid = Some(Sid::from_bytes(&[byte; 16])));
        self
    }

    fn shut(mut self, who: &str) -> Self {
        self = self.person(who);
        self.0.principals.entry(name(who)).and_modify(|p| p.connect = Connect::Denied);
        self
    }

    fn role(mut self, role: &str, members: &[&str]) -> Self {
        self.0.roles.insert(name(role), Role::default());
        for member in members {
            self.0.members.insert(Membership { role: name(role), member: name(member) });
        }
        self
    }

    fn row(mut self, grantee: &str, on: Securable, state: GrantState) -> Self {
        let key = GrantKey { grantee: name(grantee), securable: on, permission: Permission::Select };
        self.0.grants.insert(key, Grant::wanted(state));
        self
    }

    fn grant(self, grantee: &str, on: Securable) -> Self {
        self.row(grantee, on, GrantState::Grant)
    }

    fn deny(self, grantee: &str, on: Securable) -> Self {
        self.row(grantee, on, GrantState::Deny)
    }
}

fn sides(actual: &Told, desired: &Told) -> Sides {
    let scope = Scope {
        roles: vec![Glob::new("axon_*")],
        named_roles: BTreeSet::new(),
        given: BTreeSet::new(),
        schemas: Vec::new(),
        principals: ManagedPrincipals::External,
        untouchable: BTreeSet::from([name("dbo"), name("public"), name("axon-ci")]),
    };
    Sides { desired: desired.0.clone(), actual: actual.0.clone(), scope }
}

macro_rules! story {
    ($name:ident, $actual:expr, $desired:expr) => {
        #[test]
        fn $name() {
            insta::assert_snapshot!(plan(&sides(&$actual, &$desired)));
        }
    };
}

fn reader_and_writer() -> Told {
    Told::default()
        .person("kim")
        .person("lee")
        .role("axon_reader", &[])
        .role("axon_writer", &[])
        .grant("axon_reader", table("orders"))
        .grant("axon_writer", table("orders"))
        .grant("axon_writer", table("drafts"))
}

story!(
    a_first_fill_makes_roles_before_members,
    Told::default(),
    reader_and_writer().role("axon_reader", &["kim"]).role("axon_writer", &["lee"])
);

story!(
    a_mover_joins_before_leaving,
    reader_and_writer().role("axon_reader", &["kim", "lee"]),
    reader_and_writer().role("axon_writer", &["kim"]).role("axon_reader", &["lee"])
);

story!(
    a_renamed_role_keeps_its_people_in,
    Told::default().person("kim").role("axon_sales", &["kim"]).grant("axon_sales", table("orders")),
    Told::default().person("kim").role("axon_vertrieb", &["kim"]).grant("axon_vertrieb", table("orders"))
);

story!(
    a_leaver_is_shut_out_first,
    reader_and_writer().role("axon_reader", &["kim", "lee"]).grant("kim", table("salaries")),
    {
        let mut told = reader_and_writer().role("axon_reader", &["lee"]);
        told.0.principals.remove(&name("kim"));
        told
    }
);

story!(a_stripped_tombstone_needs_nothing, Told::default().shut("kim"), Told::default());

story!(
    who_comes_back_is_let_in_last,
    Told::default().shut("kim").role("axon_reader", &[]).grant("axon_reader", table("orders")),
    Told::default().person("kim").role("axon_reader", &["kim"]).grant("axon_reader", table("orders"))
);

story!(
    a_recreated_user_is_made_anew,
    Told::default().with_id("kim", 1).role("axon_reader", &["kim"]).grant("axon_reader", table("orders")),
    Told::default().with_id("kim", 2).role("axon_reader", &["kim"]).grant("axon_reader", table("orders"))
);

// The DENY on kim goes with the dropped user, and the new one must not be open to the boss meanwhile.
story!(
    what_is_denied_on_somebody_outlives_what_it_narrows,
    Told::default()
        .with_id("kim", 1)
        .person("boss")
        .role("axon_boss", &["boss"])
        .grant("axon_boss", Securable::Database)
        .deny("axon_boss", Securable::Principal(name("kim")))
        .role("axon_reader", &["kim"]),
    Told::default().with_id("kim", 2).person("boss").role("axon_reader", &["kim"])
);

story!(
    a_new_name_of_the_same_object_is_made_anew,
    Told::default().with_id("kim", 1).role("axon_reader", &["kim"]),
    Told::default().with_id("kim.married", 1).role("axon_reader", &["kim.married"])
);

story!(
    a_new_deny_comes_before_the_grant_that_it_narrows,
    Told::default().person("kim").role("axon_reader", &["kim"]),
    Told::default()
        .person("kim")
        .role("axon_reader", &["kim"])
        .grant("axon_reader", Securable::Schema(name("sales")))
        .deny("axon_reader", table("salaries"))
);

story!(
    a_deny_is_lifted_after_the_grant_that_it_narrowed,
    Told::default()
        .person("kim")
        .role("axon_reader", &["kim"])
        .grant("axon_reader", Securable::Schema(name("sales")))
        .deny("axon_reader", table("salaries")),
    Told::default().person("kim").role("axon_reader", &["kim"])
);

story!(
    columns_come_after_the_object_that_clears_them,
    Told::default().person("kim").role("axon_reader", &["kim"]).grant("axon_reader", column("people", "id")),
    Told::default()
        .person("kim")
        .role("axon_reader", &["kim"])
        .deny("axon_reader", table("people"))
        .grant("axon_reader", column("people", "id"))
        .grant("axon_reader", column("people", "city"))
);

story!(
    two_roles_with_denies_gained_at_once_shut_out_for_a_while,
    Told::default()
        .person("kim")
        .role("axon_a", &[])
        .grant("axon_a", table("x"))
        .deny("axon_a", table("y"))
        .role("axon_b", &[])
        .grant("axon_b", table("y"))
        .deny("axon_b", table("x")),
    Told::default()
        .person("kim")
        .role("axon_a", &["kim"])
        .grant("axon_a", table("x"))
        .deny("axon_a", table("y"))
        .role("axon_b", &["kim"])
        .grant("axon_b", table("y"))
        .deny("axon_b", table("x"))
);

fn guards(mode: Mode) -> Guards {
    Guards {
        mode,
        removals: None,
        leavers: None,
        protect: BTreeSet::new(),
        hold_steps: Vec::new(),
        administrators: BTreeSet::new(),
        own: name("axon-ci"),
    }
}

fn admitted(sides: &Sides, guards: &Guards) -> Admitted {
    admit(plan(sides), sides, guards, &History::default(), datetime!(2026-11-22 00:00 UTC))
}

fn told(admitted: &Admitted) -> String {
    let done = admitted.steps().iter().map(|planned| format!("do: {planned}\n"));
    let held = admitted.withheld().iter().map(|held| {
        let reasons: Vec<String> = held.reasons.iter().map(ToString::to_string).collect();
        format!("withheld: {} ({})\n", held.planned, reasons.join("; "))
    });
    done.chain(held).collect()
}

fn mover() -> Sides {
    sides(
        &reader_and_writer().role("axon_reader", &["kim", "lee"]),
        &reader_and_writer().role("axon_writer", &["kim"]).role("axon_reader", &["lee"]),
    )
}

#[test]
fn observe_does_nothing() {
    let admitted = admitted(&mover(), &guards(Mode::Observe));
    assert!(admitted.steps().is_empty());
    assert_eq!(admitted.withheld().len(), 2);
}

#[test]
fn additive_adds_and_shows_what_it_would_take() {
    insta::assert_snapshot!(told(&admitted(&mover(), &guards(Mode::Additive))));
}

#[test]
fn additive_gives_no_grant_whose_deny_it_withholds() {
    let reader = || Told::default().person("kim").role("axon_reader", &["kim"]);
    let before = reader().grant("axon_reader", column("salaries", "grade"));
    let after = reader()
        .grant("axon_reader", Securable::Schema(name("sales")))
        .deny("axon_reader", table("salaries"))
        .deny("axon_reader", table("reviews"));
    insta::assert_snapshot!(told(&admitted(&sides(&before, &after), &guards(Mode::Additive))));
}

#[test]
fn who_is_not_made_is_not_added_and_loses_nothing() {
    let held = Guards { hold_steps: vec![StepKind::CreateRole], ..guards(Mode::Authoritative) };
    let renamed = sides(
        &Told::default().person("kim").role("axon_sales", &["kim"]).grant("axon_sales", table("orders")),
        &Told::default()
            .person("kim")
            .role("axon_vertrieb", &["kim"])
            .grant("axon_vertrieb", table("orders")),
    );
    insta::assert_snapshot!(told(&admitted(&renamed, &held)));
}

#[test]
fn over_the_budget_removals_wait_and_leavers_go() {
    let people: Vec<String> = (0..10).map(|i| format!("user{i}")).collect();
    let names: Vec<&str> = people.iter().map(String::as_str).collect();
    let mut before = Told::default().role("axon_reader", &names).grant("axon_reader", table("orders"));
    for who in &names {
        before = before.person(who);
    }
    let mut after = before.clone();
    after.0.members.retain(|m| m.member == name("user9"));
    after.0.principals.remove(&name("user0"));
    let window = time::Duration::hours(24);
    let tight = Guards {
        removals: Some(RemovalBudget { window, most_percent: 5, floor: 2 }),
        leavers: Some(RemovalBudget { window, most_percent: 0, floor: 0 }),
        ..guards(Mode::Authoritative)
    };
    insta::assert_snapshot!(told(&admitted(&sides(&before, &after), &tight)));
}

#[test]
fn own_principal_protected_ones_and_the_last_administrator_keep_what_they_have() {
    let before = Told::default().person("boss").person("dba").role("axon_reader", &["boss", "dba"]);
    let after = Told::default().role("axon_reader", &[]);
    let strict = Guards {
        protect: BTreeSet::from([name("dba")]),
        administrators: BTreeSet::from([name("dbo"), name("boss")]),
        ..guards(Mode::Authoritative)
    };
    insta::assert_snapshot!(told(&admitted(&sides(&before, &after), &strict)));
}

#[test]
fn a_protected_role_keeps_its_members_its_permissions_and_itself() {
    let plain = Told::default().person("kim").role("axon_reader", &[]).role("axon_kept", &[]);
    let before = plain
        .clone()
        .role("axon_reader", &["kim"])
        .role("axon_kept", &["kim"])
        .grant("axon_reader", table("orders"))
        .grant("axon_kept", table("orders"));
    let emptied = plain;
    let dropped = Told::default().person("kim").role("axon_reader", &[]);
    let strict = Guards { protect: BTreeSet::from([name("axon_kept")]), ..guards(Mode::Authoritative) };
    let all = [emptied, dropped].map(|after| told(&admitted(&sides(&before, &after), &strict)));
    insta::assert_snapshot!(all.join("\n---\n"));
}
