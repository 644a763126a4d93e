//! Plans and files on both kinds of pools, and on any server: the next plan is empty, and a file runs twice with one result.

use std::collections::BTreeSet;

use axon_model::{MapVersion, PlanId, RecordSeq, RunId, SqlName};
use axon_reconcile::{
    Glob, Grant, GrantKey, GrantState, Graph, ManagedPrincipals, Membership, ObjectName, Permission, Role,
    Scope, Script as _, ScriptRun, ScriptStep, Securable, Sides, Step, plan,
};
use axon_synapse::{ScriptSource, ScriptTarget};
use time::macros::datetime;

use crate::ability::Ability::{
    ColumnGrants, Deny, FixedRoles, Members, ObjectGrants, OwnedRoles, PermissionRows, Views, WideGrants,
};
use crate::basics::{add, apply, expect, grant, look, ours, played, roles, view};
use crate::place::{OURS, query};
use crate::stage::{Stage, name};

fn scope(named: impl IntoIterator<Item = SqlName>) -> Scope {
    Scope {
        roles: vec![Glob::new(&format!("{OURS}*"))],
        named_roles: named.into_iter().collect(),
        given: std::collections::BTreeSet::new(),
        schemas: Vec::new(),
        principals: ManagedPrincipals::Mapped(BTreeSet::new()),
        untouchable: BTreeSet::new(),
    }
}

/// Plans from what is there, applies, and wants the next plan to be empty.
async fn brings_about(stage: &Stage, desired: impl Fn(&Graph) -> Graph) -> Result<(), String> {
    let sides = |actual: Graph| Sides { desired: desired(&actual), actual, scope: scope([]) };
    let first = plan(&sides(look(stage).await?.graph));
    expect(!first.steps.is_empty() && first.findings.is_empty(), || format!("{first}"))?;
    let steps: Vec<Step> = first.steps.iter().map(|planned| planned.step.clone()).collect();
    apply(stage, &steps).await?;
    let second = plan(&sides(look(stage).await?.graph));
    expect(second.steps.is_empty() && second.findings.is_empty(), || format!("the second plan: {second}"))
}

#[tokio::test]
async fn a_plan_of_memberships_brings_about_what_is_wanted() {
    played(&[Members, FixedRoles], async |stage| {
        let (a, b, c) = (ours("a"), ours("b"), ours("c"));
        roles(stage, &[a, b, c]).await?;
        apply(stage, &[add(c, a)]).await?;
        brings_about(stage, |actual| {
            let mut wanted = Graph::default();
            wanted
                .roles
                .extend([a, b, c].map(|role| (role, actual.roles.get(&role).cloned().unwrap_or_default())));
            wanted.members.extend([Membership { role: a, member: b }, Membership { role: b, member: c }]);
            wanted
        })
        .await
    })
    .await;
}

fn of_all_kinds(v: ObjectName) -> Graph {
    let (a, b) = (ours("a"), ours("b"));
    let mut wanted = Graph::default();
    wanted.roles.extend([a, b].map(|role| (role, Role::default())));
    wanted.members.insert(Membership { role: a, member: b });
    let rows = [
        (a, Permission::Select, Securable::Column(v, name("a")), GrantState::Grant),
        (a, Permission::ViewDefinition, Securable::Database, GrantState::Grant),
        (b, Permission::Select, Securable::Schema(v.schema), GrantState::Grant),
        (b, Permission::Delete, Securable::Object(v), GrantState::Deny),
    ];
    for (grantee, permission, securable, state) in rows {
        wanted.grants.insert(GrantKey { grantee, securable, permission }, Grant::wanted(state));
    }
    wanted
}

#[tokio::test]
async fn a_plan_of_all_kinds_brings_about_what_is_wanted() {
    played(
        &[
            OwnedRoles,
            FixedRoles,
            Members,
            Views,
            ObjectGrants,
            WideGrants,
            ColumnGrants,
            Deny,
            PermissionRows,
        ],
        async |stage| {
            let v = view(stage).await?;
            apply(stage, &[Step::CreateRole { name: ours("old") }]).await?;
            apply(stage, &[grant(ours("old"), Permission::Select, Securable::Object(v), &[])]).await?;
            brings_about(stage, |_| of_all_kinds(v)).await
        },
    )
    .await;
}

/// Writes a file of these steps, runs it twice, and wants one result.
async fn runs_twice(stage: &Stage, steps: &[Step]) -> Result<(), String> {
    let folder = std::env::temp_dir().join("axon-live-nothing-is-written-here");
    let script =
        ScriptTarget::new("live", stage.dialect(), stage.place().database(), folder, ScriptSource::Confirmed);
    let version = MapVersion("0123456789abcdef".into());
    let id = uuid::Uuid::from_u128;
    let step = |step: &Step| ScriptStep { planned: step.clone().into(), because: Vec::new(), counts: None };
    let run = ScriptRun {
        run: RunId::from_uuid(id(1)),
        plan: PlanId::from_uuid(id(2)),
        at: datetime!(2026-11-22 13:00 UTC),
        map: &version,
        directory: RecordSeq(1),
        steps: steps.iter().map(step).collect(),
        withheld: &[],
        remarks: Vec::new(),
    };
    let (_, text) = script.draft(&run);
    let mut after = Vec::new();
    for _ in 0..2 {
        let mut raw = stage.place().admin().await;
        for batch in text.split("\nGO\n").filter(|b| b.lines().any(|l| !l.is_empty() && !l.starts_with("--")))
        {
            query(&mut raw, batch).await.map_err(|words| format!("{batch}: {words}"))?;
        }
        after.push(look(stage).await?.graph);
    }
    let missing = steps.iter().find(|step| !script.shows(&after[0], step));
    expect(missing.is_none(), || format!("{missing:?}"))?;
    expect(after[0] == after[1], || "run again, something changes".into())
}

#[tokio::test]
async fn a_file_of_memberships_runs_twice_with_one_result() {
    played(&[Members], async |stage| {
        let (a, b, c) = (ours("a"), ours("b"), ours("c \u{eb}$(x)'"));
        roles(stage, &[a, b, c]).await?;
        apply(stage, &[add(b, a)]).await?;
        runs_twice(stage, &[Step::DropMember { role: b, member: a }, add(a, b), add(a, c)]).await
    })
    .await;
}

#[tokio::test]
async fn a_file_of_all_kinds_runs_twice_with_one_result() {
    played(
        &[OwnedRoles, Members, Views, ObjectGrants, WideGrants, ColumnGrants, Deny, PermissionRows],
        async |stage| {
            let v = view(stage).await?;
            let sides =
                Sides { desired: of_all_kinds(v), actual: look(stage).await?.graph, scope: scope([]) };
            let steps: Vec<Step> = plan(&sides).steps.into_iter().map(|planned| planned.step).collect();
            expect(steps.len() > 5, || format!("{steps:?}"))?;
            runs_twice(stage, &steps).await
        },
    )
    .await;
}
