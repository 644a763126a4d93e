//! Secure views against an independent reading of the policy: what a person gets from the emulator's SQL engine is exactly what the
//! interpreter says, for random policies, tables and people.

#[cfg(test)]
mod interpreter;
#[cfg(test)]
mod page;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod pool;
#[cfg(test)]
mod texts;

use std::collections::{BTreeMap, BTreeSet};

use axon_mapping::views::{BaseTable, Needs, Surroundings, compile, in_one_line, rows_of};
use axon_synapse::render::{Managed, RoleTest, ViewVerb, secure_view};
use proptest::prelude::*;

use policy::{ACTING, Case, OWNER, Reader, name};
use pool::Running;

fn check(case: &Case) -> Result<(), TestCaseError> {
    let table = BaseTable { owner: Some(name(OWNER)), columns: policy::columns() };
    let tables = BTreeMap::from([(case.view.from, table)]);
    let schemas = BTreeMap::from([(case.view.name.schema, Some(name(OWNER)))]);
    // The third role of the map has no role in the pool: views find it in the profile.
    let roles = policy::pool_roles();
    let tags = BTreeMap::from([("pii".to_owned(), BTreeSet::from([(case.view.from, name("email"))]))]);
    let within = Surroundings { tables: &tables, schemas: &schemas, roles: &roles, tags: &tags };
    let body = match compile(&case.view, &within) {
        Ok(body) => body,
        Err(faults) => {
            let nothing =
                case.view.columns.iter().all(|c| c.shown == axon_mapping::secure_view::Shown::Hidden);
            prop_assert!(nothing, "{faults:?}");
            return Ok(());
        }
    };
    let managed = Managed {
        schema: name("axon"),
        roles: RoleTest::IsRoleMember,
        delimiters: case.delimiters,
        impersonation: case.acting.then(|| name(ACTING)),
    };
    let mut pool = Running::start(&case.rows, &case.people);
    let needs = Needs::of([&body]);
    let mut known: Vec<Reader> = case.people.clone();
    for reader in &mut known {
        let rows = rows_of(&reader.person, &needs);
        match case.delimiters.map(|by| in_one_line(&rows, by)) {
            None => pool.write_profile(&rows),
            Some(Ok(line)) => pool.write_profile(&line.into_iter().collect()),
            // Nothing is known of whoever has a value that cannot be written.
            Some(Err(_)) => reader.forget(),
        }
    }
    // Closed first, then altered: readers keep what they were granted.
    pool.run(secure_view(&body.clone().closed(), ViewVerb::Create, managed).as_str());
    for person in &case.people {
        pool.run(&format!("GRANT SELECT ON OBJECT::secure.orders TO [{}]", person.person.principal));
        prop_assert!(pool.read(person).is_empty());
    }
    let text = secure_view(&body, ViewVerb::Alter, managed);
    pool.run(text.as_str());
    for person in &known {
        let mut found = pool.read(person);
        let mut expected = interpreter::seen(&case.view, &case.rows, person);
        found.sort();
        expected.sort();
        prop_assert_eq!(found, expected, "{:?}\n{}", person, text.as_str());
    }
    if case.acting {
        as_others(case, &known, &mut pool)?;
    }
    Ok(())
}

/// The first person may act as the second: then the view shows what it shows to that one, and with any other key nothing that hangs on
/// a person.
fn as_others(case: &Case, known: &[Reader], pool: &mut Running) -> Result<(), TestCaseError> {
    let [actor, person, other] = known else { return Ok(()) };
    pool.let_act(actor, person);
    let sorted = |mut rows: Vec<Vec<Option<String>>>| {
        rows.sort();
        rows
    };
    let seen = sorted(pool.read_as(actor, person));
    let expected = sorted(interpreter::seen(&case.view, &case.rows, person));
    prop_assert_eq!(seen, expected, "{:?} as {:?}", actor, person);
    // Nobody: no role, no group, no attribute.
    let mut nobody = other.clone();
    nobody.forget();
    nobody.roles.clear();
    let nothing = sorted(interpreter::seen(&case.view, &case.rows, &nobody));
    for (who, whom) in [(actor, other), (other, person), (person, actor)] {
        prop_assert_eq!(&sorted(pool.read_as(who, whom)), &nothing, "{:?} as {:?}", who, whom);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_view_shows_exactly_what_its_policy_says(case in policy::case()) {
        check(&case)?;
    }
}
