//! Which steps lead from the filters that are there to those that ought to be, and which tables can have none.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;

use super::filter::{FilterShown, Filters, FoundPredicate, TableFilter};
use super::{PolicyWork, SecureStep, ViewsThere, ViewsWanted};
use crate::finding::Finding;
use crate::shape::ObjectName;

/// What is to be done about filters.
#[derive(Default)]
pub(super) struct Filtering {
    pub steps: Vec<SecureStep>,
    pub findings: Vec<Finding>,
    /// Tables that ought to be filtered and cannot be, and why: their views show nothing.
    pub against: BTreeMap<ObjectName, String>,
}

pub(super) fn look(wanted: &ViewsWanted<'_>, there: &ViewsThere) -> Filtering {
    let mut found = Filtering::default();
    let Some(filters) = &there.filters else {
        let why = "the target shows no security policies, without which there is no `enforce: native`";
        found.against = wanted.filters.iter().map(|filter| (filter.table, why.to_owned())).collect();
        return found;
    };
    let mut named = Named::default();
    for filter in wanted.filters {
        let Some(shown) = (wanted.shown)(filter) else {
            let why = "the target has no name for its filter".to_owned();
            found.against.insert(filter.table, why);
            named.tables.insert(filter.table);
            continue;
        };
        found.one(wanted, filters, filter, &shown);
        named.policies.insert(shown.policy);
        named.functions.insert(shown.function);
    }
    found.others(wanted, filters, &named);
    found
}

/// Names that filters of the map have.
#[derive(Default)]
struct Named {
    policies: BTreeSet<SqlName>,
    functions: BTreeSet<SqlName>,
    /// Tables whose filter has no name: what is on them stays.
    tables: BTreeSet<ObjectName>,
}

impl Filtering {
    fn one(&mut self, wanted: &ViewsWanted<'_>, there: &Filters, filter: &TableFilter, shown: &FilterShown) {
        let (table, metadata) = (filter.table, wanted.metadata);
        if let Some(policy) = there.foreign(table, metadata.schema) {
            let why = format!("security policy {policy}, which is not Axon's, is on {table}: drop it there");
            self.against.insert(table, why);
            return;
        }
        let policy = ObjectName { schema: metadata.schema, name: shown.policy };
        let mine = || there.predicates.iter().filter(|found| found.policy == policy);
        let on_table = mine().find(|found| found.table == Some(table) && found.filters);
        let function = there.functions.get(&shown.function);
        let intact = function.is_none_or(|function| function.is(shown));
        let policy = match on_table {
            _ if !intact => PolicyWork::Renew,
            None if mine().next().is_none() => PolicyWork::Create,
            None => PolicyWork::Add,
            Some(found) if found.call != shown.call => PolicyWork::Alter,
            Some(FoundPredicate { enabled: false, .. }) => PolicyWork::TurnOn,
            Some(_) => return,
        };
        let make = function.is_none() || policy == PolicyWork::Renew;
        let step = |make| SecureStep::SetFilter { filter: Box::new(filter.clone()), metadata, make, policy };
        // One that was refused half-way left its function, which is then not made again. It is the same step until its time has come:
        // another one would be tried, and told, beside it.
        let refused = [make, true].into_iter().find_map(|make| Some((make, (wanted.refused)(&step(make))?)));
        let (make, refused) = refused.map_or((make, None), |(make, words)| (make, Some(words)));
        let by_hand = match policy {
            PolicyWork::Renew | PolicyWork::Add | PolicyWork::TurnOn => true,
            PolicyWork::Create => function.is_some() && refused.is_none(),
            PolicyWork::Alter => {
                function.is_some() && refused.is_none() || !there.of_axon(metadata.schema).contains(&table)
            }
        };
        if by_hand {
            self.findings.push(Finding::FilterAltered { table });
        }
        // For a moment there is no filter: nobody may read the table itself then.
        if policy == PolicyWork::Renew && (wanted.opened)(table) {
            self.findings.push(Finding::FilterStays { table });
            return;
        }
        if let Some(words) = refused {
            self.against.insert(table, format!("the target refused its filter: {words}"));
        }
        self.steps.push(step(make));
    }

    /// Policies and functions of the managed schema that no filter of the map has.
    fn others(&mut self, wanted: &ViewsWanted<'_>, there: &Filters, named: &Named) {
        let schema = wanted.metadata.schema;
        let mut policies: BTreeMap<SqlName, BTreeSet<ObjectName>> = BTreeMap::new();
        for found in there.predicates.iter().filter(|found| found.policy.schema == schema) {
            policies.entry(found.policy.name).or_default().extend(found.table);
        }
        for (policy, tables) in policies.iter().filter(|(policy, _)| !named.policies.contains(*policy)) {
            if tables.iter().any(|table| wanted.kept.contains(table) || named.tables.contains(table)) {
                continue;
            }
            let open: Vec<ObjectName> =
                tables.iter().copied().filter(|table| (wanted.opened)(*table)).collect();
            if open.is_empty() {
                let policy = ObjectName { schema, name: *policy };
                self.steps.push(SecureStep::DropFilter { policy, tables: tables.iter().copied().collect() });
            }
            self.findings.extend(open.into_iter().map(|table| Finding::FilterStays { table }));
        }
        for (name, function) in &there.functions {
            // What a policy still calls goes after the policy.
            let called = there.predicates.iter().any(|found| found.call.contains(&bracketed(*name)));
            if function.made && !named.functions.contains(name) && !called {
                self.steps.push(SecureStep::DropFunction { name: ObjectName { schema, name: *name } });
            }
        }
    }
}

/// A name as a comparable call has it.
fn bracketed(name: SqlName) -> String {
    super::filter::call(&format!("[{}]", name.as_str().replace(']', "]]")))
}

#[cfg(test)]
mod tests {
    use super::super::filter::{FoundFunction, call};
    use super::super::{ManagedTable, Metadata};
    use super::*;
    use crate::ColumnType;
    use crate::view_body::{Cell, Rows, ShownColumn, ViewBody};

    fn name(text: &str) -> SqlName {
        SqlName::parse(text).unwrap()
    }

    fn object(schema: &str, text: &str) -> ObjectName {
        ObjectName { schema: name(schema), name: name(text) }
    }

    fn filter() -> TableFilter {
        TableFilter {
            table: object("sales", "v"),
            columns: vec![(name("id"), ColumnType::Int)],
            rows: Rows::Nothing,
            unfiltered: [name("db_owner")].into(),
            open: BTreeMap::new(),
        }
    }

    /// A filter as it ought to be, called `policy` and `now`.
    fn right() -> Filters {
        let call = call("[axon].[now](id)");
        let of = Some(("sales.v".to_owned(), call.clone()));
        let policy = object("axon", "policy");
        Filters {
            predicates: vec![FoundPredicate {
                policy,
                enabled: true,
                table: Some(object("sales", "v")),
                call,
                filters: true,
            }],
            functions: BTreeMap::from([(
                name("now"),
                FoundFunction { made: true, of, digest: Some("right".into()) },
            )]),
        }
    }

    /// The steps and findings beside a target whose view stands as `open`.
    fn told(filters: &[TableFilter], kept: bool, opened: bool, there: Option<Filters>) -> Vec<String> {
        told_after(&|_| None, filters, (kept, opened), there)
    }

    /// The same where the target refused something lately.
    fn told_after(
        refused: &dyn Fn(&SecureStep) -> Option<String>,
        filters: &[TableFilter],
        how: (bool, bool),
        there: Option<Filters>,
    ) -> Vec<String> {
        let (steps, findings) = steps_after(refused, filters, how, there);
        steps.iter().map(ToString::to_string).chain(findings.iter().map(|f| format!("! {f}"))).collect()
    }

    fn steps_after(
        refused: &dyn Fn(&SecureStep) -> Option<String>,
        filters: &[TableFilter],
        (kept, opened): (bool, bool),
        there: Option<Filters>,
    ) -> (Vec<SecureStep>, Vec<Finding>) {
        let owner = Some(name("axon_owner"));
        let body = ViewBody {
            name: object("secure", "v"),
            from: object("sales", "v"),
            columns: vec![ShownColumn { name: name("id"), ty: ColumnType::Int, cell: Cell::Clear }],
            rows: Rows::All,
        };
        let view = super::super::FoundView {
            digest: Some("open".to_owned()),
            made: true,
            intact: true,
            owner: None,
        };
        let there = ViewsThere {
            owner: Some(true),
            managed: ManagedTable::ALL.into(),
            views: BTreeMap::from([(body.name, view)]),
            filters: there,
            ..ViewsThere::default()
        };
        let bodies = [body];
        let kept = if kept { BTreeSet::from([object("sales", "v")]) } else { BTreeSet::new() };
        let wanted = ViewsWanted {
            metadata: Metadata::new(name("axon"), name("axon_owner")),
            bodies: &bodies,
            closed: &BTreeMap::new(),
            schemas: &BTreeMap::from([(name("axon"), owner), (name("secure"), owner)]),
            taken: &|_| false,
            past: &|_| None,
            digest: &|text| match text {
                super::super::ViewText::Body(_) => Some("open".to_owned()),
                super::super::ViewText::Closed(_) => Some("closed".to_owned()),
            },
            refused,
            keys: &BTreeMap::new(),
            filters,
            kept: &kept,
            shown: &|filter| {
                if filter.unfiltered.is_empty() {
                    return None;
                }
                let call = call("[axon].[now](id)");
                let digest = "right".into();
                Some(FilterShown { policy: name("policy"), function: name("now"), call, digest })
            },
            opened: &|_| opened,
        };
        super::super::diff(&wanted, &there)
    }

    const ALTERED: &str = "! somebody altered the filter of sales.v by hand";

    fn with(change: impl FnOnce(&mut Filters)) -> Vec<String> {
        let mut there = right();
        change(&mut there);
        told(&[filter()], false, false, Some(there))
    }

    #[test]
    fn a_filter_is_made_once_and_changed_in_place() {
        let first = told(&[filter()], false, true, Some(Filters::default()));
        assert_eq!(first.len(), 1, "{first:?}");
        assert!(first[0].starts_with("filter sales.v, also for its owner"), "{first:?}");
        assert_eq!(with(|_| {}), [""; 0]);
        // By an older rule of Axon's own: the policy goes on to the other function, and nobody is blamed.
        let older = with(|there| {
            let mut function = there.functions.remove(&name("now")).unwrap();
            let old = call("[axon].[older](id)");
            function.of = Some(("sales.v".to_owned(), old.clone()));
            there.functions.insert(name("older"), function);
            there.predicates[0].call = old;
        });
        assert_eq!(older.len(), 1, "what is still called stays: {older:?}");
        assert!(older[0].starts_with("change the filter of sales.v"), "{older:?}");
        let left = with(|there| {
            let function = FoundFunction { made: true, of: None, digest: None };
            there.functions.insert(name("older"), function);
        });
        assert_eq!(left, ["drop function axon.older, which filters nothing"]);
    }

    #[test]
    fn a_hand_in_a_filter_is_told_and_mended() {
        type Hand = fn(&mut Filters);
        let changes: [(Hand, &str); 4] = [
            (|there| there.predicates[0].enabled = false, "turn on the filter of"),
            (|there| there.predicates.clear(), "filter"),
            (|there| there.predicates[0].table = None, "filter"),
            (|there| there.predicates[0].call = call("dbo.all(id)"), "change the filter of"),
        ];
        for (change, begins) in changes {
            let told = with(change);
            assert!(told[0].starts_with(&format!("{begins} sales.v")), "{told:?}");
            assert!(told[1].starts_with(ALTERED) && told.len() == 2, "{told:?}");
        }
        let by_hand = |there: &mut Filters| {
            there.functions.insert(name("now"), FoundFunction { made: true, of: None, digest: None });
        };
        assert!(with(by_hand)[0].starts_with("make anew the filter of sales.v"));
        // A text that has a digest of its own is seen all the same.
        let with_digest = |there: &mut Filters| {
            there.functions.get_mut(&name("now")).unwrap().digest = Some("by hand".into());
        };
        let mended = with(with_digest);
        assert!(mended[0].starts_with("make anew the filter of sales.v"), "{mended:?}");
        assert!(mended[1].starts_with(ALTERED), "{mended:?}");
        // Nobody reads the table itself while it has no filter.
        let mut there = right();
        by_hand(&mut there);
        let waits = told(&[filter()], false, true, Some(there));
        assert!(waits.iter().all(|line| line.starts_with('!')) && waits.len() == 2, "{waits:?}");
    }

    #[test]
    fn a_filter_that_was_refused_half_way_closes_its_view_and_is_no_hand_in_it() {
        let refused = |step: &SecureStep| {
            matches!(step, SecureStep::SetFilter { make: true, .. }).then(|| "error 50000".to_owned())
        };
        // The function was made, the policy calls the older one, or there is none yet.
        let halves: [fn(&mut Filters); 2] = [
            |there| {
                let mut function = there.functions[&name("now")].clone();
                let old = call("[axon].[older](id)");
                function.of = Some(("sales.v".to_owned(), old.clone()));
                there.functions.insert(name("older"), function);
                there.predicates[0].call = old;
            },
            |there| there.predicates.clear(),
        ];
        for half in halves {
            let mut there = right();
            half(&mut there);
            let after = told_after(&refused, &[filter()], (false, false), Some(there.clone()));
            let closes = "close view secure.v: the target refused its filter: error 50000";
            assert!(after.iter().any(|line| line == closes), "{after:?}");
            assert!(
                after[0].contains("filter") && after[0].contains("sales.v"),
                "it is tried again: {after:?}"
            );
            assert!(!after.iter().any(|line| line.starts_with(ALTERED)), "{after:?}");
            // It waits as the step that was refused: no other one is tried beside it, which people would read as the same.
            let (steps, _) = steps_after(&refused, &[filter()], (false, false), Some(there.clone()));
            let sets = steps.iter().filter(|step| matches!(step, SecureStep::SetFilter { .. }));
            assert!(
                sets.clone().count() == 1 && sets.clone().all(|step| refused(step).is_some()),
                "{steps:?}"
            );
            // Where nothing was refused somebody did it by hand.
            let by_hand = told(&[filter()], false, false, Some(there));
            assert!(by_hand.iter().any(|line| line.starts_with(ALTERED)), "{by_hand:?}");
        }
    }

    #[test]
    fn where_no_filter_can_be_the_view_is_closed() {
        let none = told(&[filter()], false, false, None);
        assert!(
            none[0].starts_with("close view secure.v: the target shows no security policies"),
            "{none:?}"
        );
        let foreign = with(|there| there.predicates[0].policy = object("dbo", "theirs"));
        assert!(foreign[0].contains("security policy dbo.theirs, which is not Axon's"), "{foreign:?}");
        assert!(foreign[0].starts_with("close view secure.v"), "{foreign:?}");
    }

    #[test]
    fn a_filter_without_a_name_closes_its_view_and_nothing_is_dropped() {
        let odd = TableFilter { unfiltered: BTreeSet::new(), ..filter() };
        let told = told(&[odd], false, false, Some(right()));
        assert!(
            told[0].starts_with("close view secure.v: the target has no name for its filter"),
            "{told:?}"
        );
        assert!(!told.iter().any(|line| line.starts_with("drop security policy")), "{told:?}");
    }

    #[test]
    fn a_policy_of_the_same_name_in_another_schema_is_another_policy() {
        let told = with(|there| {
            let mut other = there.predicates[0].clone();
            (other.policy.schema, other.table) = (name("dbo"), Some(object("hr", "t")));
            there.predicates = vec![other];
        });
        assert!(told[0].starts_with("filter sales.v"), "it is made, and not added to: {told:?}");
    }

    #[test]
    fn a_filter_that_comes_or_comes_back_hides_and_another_rule_gives() {
        let set = |policy| {
            let metadata = Metadata::new(name("axon"), name("axon_owner"));
            SecureStep::SetFilter { filter: Box::new(filter()), metadata, make: true, policy }
        };
        for policy in [PolicyWork::Create, PolicyWork::Add, PolicyWork::TurnOn, PolicyWork::Renew] {
            assert!(!set(policy).gives(), "{policy:?}");
        }
        assert!(set(PolicyWork::Alter).gives());
        // It stands behind the schema that it needs all the same.
        let schema = SecureStep::CreateSchema { name: name("axon"), owner: name("axon_owner") };
        let mut plan = crate::Plan::default();
        super::super::put_into(
            &mut plan,
            vec![schema, set(PolicyWork::Create)],
            Vec::new(),
            &crate::Graph::default(),
        );
        let steps: Vec<String> = plan.steps.iter().map(|planned| planned.step.to_string()).collect();
        assert!(steps[0].starts_with("create schema") && steps[1].starts_with("filter"), "{steps:?}");
    }

    #[test]
    fn a_filter_goes_when_nobody_reads_the_table_itself() {
        let gone = told(&[], false, false, Some(right()));
        assert_eq!(gone, ["drop security policy axon.policy, the filter of sales.v"]);
        let stays = told(&[], false, true, Some(right()));
        assert!(stays.len() == 1 && stays[0].starts_with("! the filter of sales.v stays"), "{stays:?}");
        assert_eq!(told(&[], true, false, Some(right())), [""; 0], "its views do not say how");
        let mut left = right();
        left.predicates.clear();
        let left = told(&[], false, false, Some(left));
        assert_eq!(left, ["drop function axon.now, which filters nothing"]);
    }
}
