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

use policy::{Case, OWNER, Reader, name};
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
        impersonation: None,
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
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_view_shows_exactly_what_its_policy_says(case in policy::case()) {
        check(&case)?;
    }
}
